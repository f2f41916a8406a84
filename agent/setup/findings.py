"""What `seiren agent check` finds in a file, for people and for machines."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from agent.setup.bus_time import time_problems, time_warnings
from agent.setup.machine import missing_files
from config.agent import AgentConfig, examine_agent
from config.documents import DocumentError
from config.profile import Profile, load_profile
from config.reading import PlacedError
from config.strict import Model
from core.errors import ConfigError, SeirenError

_COLUMNS = 80
_LABEL = 6

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Findings(Generic[M]):
    """What was found in a file.

    Attributes
    ----------
    file
        As it was named.
    document
        The file's content; None where something is wrong with it.
    problems, warnings
        What must be mended, and what works and is still not as it should be; in line order.
    """

    file: Path
    document: M | None
    problems: tuple[ConfigError, ...] = ()
    warnings: tuple[ConfigError, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the findings as plain data."""
        return {
            "good": self.document is not None,
            "problems": [_plain(each, self.file) for each in self.problems],
            "warnings": [_plain(each, self.file) for each in self.warnings],
        }


def find_in_agent(path: Path) -> Findings[AgentConfig]:
    """Return everything that is wrong with an agent's configuration; the network is not touched."""
    try:
        found = examine_agent(path)
    except ConfigError as error:
        return Findings(path, None, (error,))
    config, lines = found.document, found.lines
    if config is None:
        return Findings(path, None, found.errors)
    problems = tuple(map(lines.error, time_problems(config)))
    more = [*missing_files(config), *time_warnings(config)]
    warnings = sorted((*found.warnings, *map(lines.error, more)), key=lambda each: each.line)
    return Findings(path, None if problems else config, problems, tuple(warnings))


def find_in_profile(path: Path) -> Findings[Profile]:
    """Return everything that is wrong with a profile's file."""
    try:
        return Findings(path, load_profile(path))
    except DocumentError as error:
        return Findings(path, None, error.errors)
    except ConfigError as error:
        return Findings(path, None, (error,))


def finding_lines(found: Findings[Any], verdict: str) -> Iterator[str]:
    """Yield findings as lines of at most 80 columns, where words are not longer than usual.

    Parameters
    ----------
    found
        What was found.
    verdict
        The first line of a file that is good.
    """
    counts = _counted(len(found.problems), "mistake"), _counted(len(found.warnings), "note")
    yield f"{found.file}: {', '.join(filter(None, counts))}" if found.problems else verdict
    for label, errors in (("ERROR", found.problems), ("note", found.warnings)):
        for error in errors:
            yield ""
            yield from block(label, error)
    if found.problems:
        yield ""
        yield f"exit 2: {counts[0]} to mend, an agent does not start with this file"


def block(label: str, error: SeirenError, *, width: int = _COLUMNS) -> Iterator[str]:
    """Yield one error as aligned lines, wrapped at a width [columns]."""
    rows = (
        (label, error.what),
        ("where", error.where),
        ("seen", error.evidence),
        ("cause", error.cause),
        ("next", error.next),
    )
    for name, text in rows:
        if text:
            yield from textwrap.wrap(
                text,
                width,
                initial_indent=f"{name:<{_LABEL}}",
                subsequent_indent=" " * _LABEL,
                break_long_words=False,
                break_on_hyphens=False,
            )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}" if count else ""


def _plain(error: ConfigError, file: Path) -> dict[str, Any]:
    return {
        "file": str(error.file if isinstance(error, PlacedError) else file),
        "line": error.line if isinstance(error, PlacedError) else None,
        "key": error.key if isinstance(error, PlacedError) else "",
        "what": error.what,
        "seen": error.evidence,
        "cause": error.cause,
        "next": error.next,
    }
