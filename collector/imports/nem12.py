"""Interval data of Australia's electricity market, NEM12: exact energies with their quality.

References
----------
AEMO, Meter Data File Format Specification NEM12 & NEM13: records 100, 200, 300, 400, 500, 900; times are
Eastern Standard Time all year, UTC+10.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from collector.imports.entries import MEASURED, Energy, Grade, placed
from collector.tabular import TextFile
from core.errors import DataError
from core.metering.sources import Origin

_ZONE_MS = 10 * 3_600_000
_DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"\d{1,15}(\.\d{1,18})?", re.ASCII)
_UNITS = {"WH": Decimal(1), "KWH": Decimal(1000), "MWH": Decimal(10**6)}
_WORDS = {"E": "estimate", "F": "final substitute", "S": "substitute"}
_KNOWN = ("100", "200", "300", "400", "500", "550", "900")


@dataclass
class _Channel:
    """A 200 record: the channel whose days follow."""

    name: str
    unit: Decimal
    step_ms: int


@dataclass
class _Day:
    """A 300 record, and the qualities that 400 records give its intervals."""

    line: int
    channel: _Channel
    start_ms: int
    values: Sequence[str]
    quality: str
    spans: list[tuple[int, int, str]] = field(default_factory=list)


def looks_like(first: str) -> bool:
    """Tell whether the first line of a file is one of NEM12."""
    return re.match(r'"?(100"?,"?NEM12|200"?,)', first) is not None


def entries(file: TextFile) -> Iterator[Energy | DataError]:
    """Yield the energies of a file, by channel ``NMI:suffix``, and an error in the place of each bad record.

    Quality A is measured; E, F and S are substituted, with the method's number; N holds no value.

    Raises
    ------
    DataError
        The file as a whole cannot be used.
    """
    with file.open() as text:
        reader = csv.reader(text, strict=True)
        channel: _Channel | None = None
        day: _Day | None = None
        try:
            for cells in reader:
                kind = cells[0].strip() if cells else ""
                if not kind or kind == "500":
                    continue
                where = f"{file.path.name}:{reader.line_num}"
                if kind != "400" and day is not None:
                    yield from _energies(day, file.path.name)
                    day = None
                try:
                    if kind == "100" and cells[1:2] != ["NEM12"]:
                        raise DataError("not a NEM12 file", evidence=",".join(cells)[:80])
                    if kind == "200":
                        channel = None
                        channel = _channel(cells)
                    elif kind == "300":
                        if channel is None:
                            raise DataError("a 300 record without a channel that can be used")
                        day = _day(reader.line_num, channel, cells)
                    elif kind == "400":
                        if day is not None:
                            day.spans.append(_span(cells))
                    elif kind not in _KNOWN:
                        raise DataError("not a record of NEM12", evidence=kind[:80])
                except DataError as error:
                    yield placed(error, where)
                    day = None
            if day is not None:
                yield from _energies(day, file.path.name)
        except csv.Error as error:
            raise DataError(
                "the file is not CSV from here on",
                where=f"{file.path.name}:{reader.line_num}",
                evidence=str(error),
            ) from error


def _channel(cells: Sequence[str]) -> _Channel:
    if len(cells) < 9:
        raise DataError("a 200 record is cut short", evidence=",".join(cells)[:80])
    nmi, suffix, unit, length = (cells[index].strip() for index in (1, 4, 7, 8))
    if unit.upper() not in _UNITS:
        raise DataError(f"channel {nmi}:{suffix} is no active energy", evidence=f"its unit is {unit!r}")
    if not length.isdecimal() or int(length) not in (1, 5, 15, 30, 60):
        raise DataError("not the length of an interval", evidence=repr(length))
    return _Channel(f"{nmi}:{suffix}", _UNITS[unit.upper()], int(length) * 60_000)


def _day(line: int, channel: _Channel, cells: Sequence[str]) -> _Day:
    count = _DAY_MS // channel.step_ms
    if len(cells) < count + 3:
        raise DataError(f"{len(cells) - 2} values where {count} and a quality belong")
    text = cells[1].strip()
    try:
        day = datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise DataError("there is no such day", evidence=repr(text)) from error
    start_ms = int((day - _EPOCH).total_seconds()) * 1000 - _ZONE_MS
    return _Day(line, channel, start_ms, cells[2 : count + 2], cells[count + 2].strip())


def _span(cells: Sequence[str]) -> tuple[int, int, str]:
    if len(cells) < 4 or not (cells[1].strip().isdecimal() and cells[2].strip().isdecimal()):
        raise DataError("a 400 record that names no intervals", evidence=",".join(cells)[:80])
    return int(cells[1]), int(cells[2]), cells[3].strip()


def _energies(day: _Day, name: str) -> Iterator[Energy | DataError]:
    """Yield a day's energies once all its 400 records are read."""
    grades: list[str] = [day.quality] * len(day.values)
    for first, last, quality in day.spans:
        if not 1 <= first <= last <= len(grades):
            yield placed(
                DataError("a 400 record beyond its day; the day is left out", evidence=f"{first} to {last}"),
                f"{name}:{day.line}",
            )
            return
        grades[first - 1 : last] = [quality] * (last - first + 1)
    known: dict[str, Grade | None] = {}
    for index, (text, quality) in enumerate(zip(day.values, grades, strict=True)):
        try:
            if quality not in known:
                known[quality] = _grade(quality)
            grade = known[quality]
            if grade is None:
                continue
            if not _NUMBER.fullmatch(text.strip()):
                raise DataError("not an energy", evidence=repr(text))
        except DataError as error:
            yield placed(error, f"{name}:{day.line}: value {index + 1}")
            continue
        start_ms = day.start_ms + index * day.channel.step_ms
        wh = Decimal(text.strip()) * day.channel.unit
        yield Energy(day.line, day.channel.name, start_ms, start_ms + day.channel.step_ms, wh, grade)


def _grade(quality: str) -> Grade | None:
    """Return what a quality flag such as ``A``, ``S14`` or ``F19`` means; None: there is no value."""
    flag = quality[:1]
    if flag == "A":
        return MEASURED
    if flag == "N":
        return None
    if flag in _WORDS:
        return Grade(Origin.SUBSTITUTED, f"{_WORDS[flag]} (NEM12 {quality})")
    raise DataError(
        "an interval without a quality",
        evidence=repr(quality),
        cause="the quality varies and no 400 record tells it" if flag == "V" else "",
    )
