"""The front door: one command, whose parts are loaded when they are asked for.

An agent's machine has the base install only; a command whose part is not installed says how to get it.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

import typer
from typer.core import TyperGroup

from core.errors import SeirenError, UsageError


class _Part(NamedTuple):
    """Where a command lives, and the extra that brings what it needs."""

    module: str
    name: str
    extra: str = ""
    hidden: bool = False


_PARTS: Mapping[str, _Part] = MappingProxyType(
    {
        "demo": _Part("simulators.cli", "demo", "demo"),
        "agent": _Part("agent.cli", "app"),
        "collector": _Part("collector.cli", "app", "collector"),
        "import": _Part("collector.imports.cli", "app", "collector"),
        "month": _Part("collector.report.cli", "app", "collector"),
        "correct": _Part("collector.correct_cli", "app", "collector"),
        "audit": _Part("collector.evidence.cli", "app", "collector"),
        "plan": _Part("collector.plan_cli", "app", "collector"),
        "count": _Part("collector.cli", "count", "collector"),
        "energy": _Part("collector.cli", "energy", "collector"),
        "factors": _Part("collector.cli", "factors", "collector"),
        "tail": _Part("collector.cli", "tail", "collector"),
        "web": _Part("collector.web.cli", "web", "hq"),
        "simulate": _Part("simulators.cli", "simulate", "demo", hidden=True),
    }
)
_OURS = ("agent", "collector", "config", "core", "simulators")


class _Commands(MutableMapping[str, Any]):
    """The commands by name; a command's module is imported when the command is looked at."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(name, _PARTS[name])
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_PARTS)

    def __len__(self) -> int:
        return len(_PARTS)


class _Front(TyperGroup):
    """The group of all commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()


app = typer.Typer(
    cls=_Front,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def seiren() -> None:
    """From power meters to a month's CO2 that an auditor can follow back to the register."""


def main() -> None:
    """Run a command; errors are told in words, and exit codes are 0 done, 1 no, 2 wrong use, 3 outside."""
    try:
        app()
    except SeirenError as error:
        sys.stderr.write("\n".join(_wrapped(error.render())) + "\n")
        sys.exit(error.exit_code)


def _wrapped(told: str) -> Iterator[str]:
    """Yield an error's lines at 80 columns; what is next is broken at ; and , only: commands stay whole."""
    for line in told.splitlines():
        if line.startswith("next"):
            yield from _at_stops(line)
        else:
            yield from textwrap.wrap(
                line, 80, subsequent_indent=" " * 6, break_long_words=False, break_on_hyphens=False
            ) or [""]


def _at_stops(line: str) -> Iterator[str]:
    left = ""
    for clause in re.split(r"(?<=[;,]) ", line):
        joined = f"{left} {clause}" if left else clause
        if left and len(joined) > 80:
            yield left
            left = " " * 6 + clause
        else:
            left = joined
    yield left


def _load(name: str, part: _Part) -> Any:
    """Return a command, or one that says what is missing here."""
    try:
        found = getattr(import_module(part.module), part.name)
    except ModuleNotFoundError as error:
        if not part.extra or error.name is None or error.name.partition(".")[0] in _OURS:
            raise
        return _missing(name, part, error.name)
    front = typer.Typer(add_completion=False, rich_markup_mode=None)
    if isinstance(found, typer.Typer):
        front.add_typer(found, name=name)
        return typer.main.get_group(front).commands[name]
    front.command(name, hidden=part.hidden)(found)
    return typer.main.get_command(front)


def _missing(name: str, part: _Part, module: str) -> Any:
    """Return a command in the place of one that cannot be loaded; it takes any arguments."""
    install = f"in Seiren's own folder: pip install --no-deps --require-hashes -r lock/{part.extra}.txt"

    def explain() -> NoReturn:
        raise UsageError(
            f"`seiren {name}` needs the extra {part.extra!r}, which is not installed here",
            evidence=f"no module {module}",
            cause="the base install is what an agent needs",
            next=install,
        )

    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    anything = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    alone.command(
        name, hidden=part.hidden, help=f"Not installed here: {install}.", context_settings=anything
    )(explain)
    return typer.main.get_command(alone)
