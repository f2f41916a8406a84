"""How a CSV file of meter readings is to be read: a mapping, from a small YAML file or from options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import BeforeValidator, Field, PlainSerializer

from config.documents import load_yaml, validate
from config.reading import Lines
from config.strict import Loc, Model, Problem, TimeZone

_MINUTES = re.compile(r"([1-9]\d{0,3})min")
_DIRECTIVES = set("YymdHMSz")
_FIRST_LINE = yaml.Mark("", 0, 0, 0, None, 0)

Text = Annotated[str, Field(min_length=1)]


class FileKind(StrEnum):
    """What a file's numbers are."""

    REGISTERS = "registers"
    INTERVALS = "intervals"


class Clock(StrEnum):
    """Which instant a local time stands for that exists twice, or not at all."""

    REFUSE = "refuse"
    FIRST = "first"
    SECOND = "second"
    ORDER = "order"


def _texts(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class PointColumn(Model):
    """Where a point's numbers stand.

    Attributes
    ----------
    point
        Id of a point, or of a meter on record.
    column
        Its column; several are added.
    where
        Column → text: only rows with these texts are the point's.
    unit
        Of the numbers: an energy, or `count` for what the register itself held.
    sign
        `-` where the file counts the other way round.
    only
        Of numbers with both signs: the positive or the negative ones, the others being 0.
    primary
        Whether CT and VT are in the numbers of a register already, although its meter does not multiply.
    """

    point: Text
    column: Annotated[tuple[Text, ...], BeforeValidator(_texts), Field(min_length=1)]
    where: dict[Text, str] = Field(default_factory=dict)
    unit: Literal["count", "Wh", "kWh", "MWh", "GWh"] = "kWh"
    sign: Literal["+", "-"] = "+"
    only: Literal["positive", "negative"] | None = None
    primary: bool = False


Zone = Annotated[TimeZone, PlainSerializer(lambda zone: zone.key)]


class Mapping(Model):
    """How a CSV file is to be read.

    Attributes
    ----------
    kind
        Registers, or energies of intervals.
    time
        Column of the time.
    format
        Of the time, such as ``%d/%m/%Y %H:%M``; `iso`, or `unix` for seconds since 1970.
    zone
        Time zone of times without an offset; left out: the site's.
    clock
        Which instant a local time stands for when the clock is set back or forward.
    midnight
        Whether 00:00 begins its date, or ends it.
    stamp
        Whether an interval's time is its start or its end.
    interval
        Length of an interval: minutes as ``30min``, or a local `day` or `month`.
    decimal, delimiter
        Decimal sign, and what parts the cells.
    points
        Which columns are which points.
    """

    kind: Annotated[FileKind, Field(strict=False)]
    time: Text
    format: Text = "iso"
    zone: Zone | None = None
    clock: Annotated[Clock, Field(strict=False)] = Clock.REFUSE
    midnight: Literal["begins", "ends"] = "begins"
    stamp: Literal["start", "end"] = "start"
    interval: str | None = None
    decimal: Literal[".", ","] = "."
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    points: Annotated[tuple[PointColumn, ...], Field(min_length=1)]

    def problems(self) -> Iterator[Problem]:
        """Yield what no single value shows."""
        if self.kind is FileKind.INTERVALS and self.interval is None:
            yield Problem(
                ("interval",), "How long is an interval?", next="write interval: 30min, day or month"
            )
        if self.interval is not None:
            yield from self._interval_problems()
        if self.format not in ("iso", "unix"):
            unknown = set(re.findall(r"%(.)", self.format)) - _DIRECTIVES
            if unknown or "%" not in self.format:
                yield Problem(
                    ("format",),
                    "Not the format of a time.",
                    evidence=self.format,
                    next="use %Y %y %m %d %H %M %S and %z, such as %d/%m/%Y %H:%M",
                )
        if self.decimal == self.delimiter:
            yield Problem(
                ("delimiter",), "Cells and decimals cannot be parted by the same sign.", self.decimal
            )
        seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
        for index, each in enumerate(self.points):
            loc: Loc = ("points", index)
            if self.clock is Clock.ORDER and each.where:
                yield Problem(
                    ("clock",),
                    "The order of rows tells no time where several meters share the rows.",
                    evidence=f"where of {each.point}",
                    next="write first, second or refuse",
                )
            if self.kind is FileKind.INTERVALS and (each.unit == "count" or each.primary):
                yield Problem(
                    (*loc, "unit" if each.unit == "count" else "primary"),
                    "Energies of intervals are energies at the plant, not counts.",
                    evidence=each.point,
                    next="write a unit of energy, without primary",
                )
            if self.kind is FileKind.REGISTERS and each.only is not None:
                yield Problem(
                    (*loc, "only"), "A register counts one way; its numbers have one sign.", each.point
                )
            key = each.point, tuple(sorted(each.where.items()))
            if key in seen:
                yield Problem(
                    (*loc, "point"),
                    "The point stands twice.",
                    each.point,
                    next="list its columns under column: they are added",
                )
            seen.add(key)

    @property
    def step_ms(self) -> int | None:
        """Length of an interval [ms]; None for days and months."""
        minutes = _MINUTES.fullmatch(self.interval or "")
        return int(minutes[1]) * 60_000 if minutes else None

    def facts(self, zone: ZoneInfo) -> dict[str, Any]:
        """Return it as plain data, with the time zone that was meant."""
        written: dict[str, Any] = self.model_dump(mode="json", exclude_defaults=True)
        return written | {"zone": zone.key}

    def _interval_problems(self) -> Iterator[Problem]:
        text = self.interval or ""
        minutes = _MINUTES.fullmatch(text)
        if text not in ("day", "month") and (minutes is None or 1440 % int(minutes[1])):
            yield Problem(
                ("interval",),
                "Not the length of an interval.",
                evidence=text,
                next="write minutes that divide a day, such as 15min or 30min, or day, or month",
            )
        if self.kind is FileKind.REGISTERS:
            yield Problem(("interval",), "A register has no interval: it is read at an instant.", text)


def load_mapping(path: Path) -> Mapping:
    """Return a mapping from its file.

    Raises
    ------
    ConfigError
        If anything in it is wrong, with file, line and key.
    """
    return load_yaml(path, Mapping)


def mapping_of(options: dict[str, Any]) -> Mapping:
    """Return a mapping from a command's options.

    Raises
    ------
    ConfigError
        If anything in it is wrong.
    """
    lines = Lines(Path("options"))
    for key in options:
        lines.add((key,), _FIRST_LINE)
    return validate(options, lines, Mapping)
