"""YAML documents as models: strictly validated, every error with file, line and key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.explaining import explain
from config.reading import Lines, PlacedError, read_yaml
from config.strict import Loc, Model, Problem
from core.errors import ConfigError

M = TypeVar("M", bound=Model)


class DocumentError(ConfigError):
    """Several errors of one file, in line order; shows them all."""

    def __init__(self, errors: tuple[ConfigError, ...]) -> None:
        first = errors[0]
        super().__init__(
            first.what, where=first.where, evidence=first.evidence, cause=first.cause, next=first.next
        )
        self.errors = errors

    def render(self) -> str:
        """Return all errors, one block each."""
        return "\n\n".join(error.render() for error in self.errors)


@dataclass(frozen=True, slots=True)
class Examined(Generic[M]):
    """What was found in a file.

    Attributes
    ----------
    document
        The file as a model; None where something is wrong.
    errors, warnings
        What is wrong, and what works and is still not as it should be; in line order.
    lines
        Where everything stands.
    """

    document: M | None
    lines: Lines
    errors: tuple[PlacedError, ...] = ()
    warnings: tuple[PlacedError, ...] = ()

    def accepted(self) -> M:
        """Return the document.

        Raises
        ------
        ConfigError
            If anything is wrong; `DocumentError` with all of it when it is several things.
        """
        if self.document is None:
            raise self.errors[0] if len(self.errors) == 1 else DocumentError(self.errors)
        return self.document


def load_yaml(path: Path, model: type[M]) -> M:
    """Return a file as a model.

    Parameters
    ----------
    path
        The file, UTF-8.
    model
        What it must be; its `problems()` are checked too.

    Raises
    ------
    ConfigError
        If anything is wrong; `DocumentError` with all of them when there are several.
    """
    data, lines = read_yaml(path)
    return validate(data, lines, model)


def validate(data: Any, lines: Lines, model: type[M]) -> M:
    """Return data that was read with `read_yaml` as a model; raises as `load_yaml`."""
    return examine(data, lines, model).accepted()


def examine(data: Any, lines: Lines, model: type[M]) -> Examined[M]:
    """Return data that was read with `read_yaml` as a model, or everything that is wrong with it."""
    if data is None:
        data = {}
    try:
        document = model.model_validate(data)
    except ValidationError as error:
        problems = [
            problem
            for detail in _causes(error.errors(include_url=False))
            if not _below((problem := explain(detail, lines.known(detail["loc"]), model)).loc, lines.unread)
        ]
        faulty = lines.unread | {problem.loc for problem in problems}
        problems += model.problems_of_rest(data, faulty)
        return Examined(None, lines, _placed(problems, lines))
    errors = _placed(document.problems(), lines)
    warnings = () if errors else _sorted(map(lines.error, document.warnings()))
    return Examined(None if errors else document, lines, errors, warnings)


def _placed(problems: Iterable[Problem], lines: Lines) -> tuple[PlacedError, ...]:
    return _sorted([*lines.faults, *map(lines.error, dict.fromkeys(problems))])


def _sorted(errors: Iterable[PlacedError]) -> tuple[PlacedError, ...]:
    return tuple(sorted(errors, key=lambda error: error.line))


def _below(loc: Loc, unread: Iterable[Loc]) -> bool:
    return any(loc[: len(each)] == each for each in unread)


def _causes(details: Iterable[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Errors without the lists that are called too short only because an item in them is wrong."""
    details = tuple(details)
    for detail in details:
        loc = detail["loc"]
        if detail["type"] != "too_short" or not any(
            other["loc"][: len(loc)] == loc and other is not detail for other in details
        ):
            yield detail
