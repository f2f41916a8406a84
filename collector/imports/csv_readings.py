"""Registers and energies of intervals from CSV, by a mapping of its columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

from collector.imports.entries import Energy, Index, placed
from collector.imports.times import Times
from collector.tabular import TextFile
from config.mapping import FileKind, PointColumn
from config.mapping import Mapping as FileMapping
from core.errors import ConfigError, DataError
from core.metering.installations import Installation
from core.metering.quantities import Unit
from core.metering.readings import canonical_count

_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?([eE][+-]?\d{1,2})?", re.ASCII)
_EXACT = Context(prec=80, traps=[Inexact, InvalidOperation])
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Worth:
    """What one of a file's numbers is in counts, from one instant to another [ms since 1970 UTC]."""

    start_ms: int
    end_ms: int | None
    counts: Decimal
    wrap_at: int | None


def worths(column: PointColumn, installations: Sequence[Installation]) -> tuple[Worth, ...]:
    """Return what a register's numbers are in counts, by what stood behind the point.

    Raises
    ------
    ConfigError
        A number is no decimal number of counts.
    """
    found: list[Worth] = []
    for each in installations:
        counts = Fraction(1)
        if column.unit != "count":
            wh_per_count = each.multiplier if column.primary else each.wh_per_count
            counts = Unit(column.unit).factor_to(Unit.WH) / wh_per_count
        found.append(Worth(each.start_ms, each.end_ms, _decimal(column, counts), each.wrap_at))
    return tuple(found)


def entries(
    file: TextFile,
    mapping: FileMapping,
    zone: ZoneInfo,
    installed: Mapping[str, Sequence[Installation]],
    name: Callable[[str], str],
) -> Iterator[Index | Energy | DataError]:
    """Yield what a file holds, and an error in the place of whatever cannot be used.

    Parameters
    ----------
    zone
        Time zone of times without an offset of their own.
    installed
        What stood behind each point, by its id.
    name
        Makes a point's id of what the mapping calls it.

    Raises
    ------
    DataError
        The file as a whole cannot be used.
    ConfigError
        Numbers of the file are no decimal numbers of counts.
    """
    times = Times(mapping.format, zone, mapping.clock, midnight_ends=mapping.midnight == "ends")
    bounds = _bounds(mapping, times)
    with file.open() as text:
        reader = csv.reader(text, delimiter=mapping.delimiter, strict=True)
        try:
            header = [each.strip() for each in next(reader, [])]
            time_at = _place(file.path, header, mapping.time, "time")
            columns = [_Column(file.path, header, each, name(each.point), mapping) for each in mapping.points]
            if mapping.kind is FileKind.REGISTERS:
                judges = [worths(each.about, installed[each.point]) for each in columns]
            else:
                judges = [() for _ in columns]
            line = reader.line_num
            for cells in reader:
                line, first = reader.line_num, line + 1
                if not cells or (len(cells) == 1 and not cells[0].strip()):
                    continue
                if len(cells) < len(header):
                    lacking = f"{len(cells)} cells where {len(header)} belong"
                    yield DataError(lacking, where=f"{file.path.name}:{first}")
                    continue
                try:
                    time_ms = times(cells[time_at].strip())
                    start_ms, end_ms = bounds(time_ms)
                except DataError as error:
                    yield placed(error, f"{file.path.name}:{first}: {mapping.time}")
                    continue
                for column, judged in zip(columns, judges, strict=True):
                    try:
                        number = column.number(cells)
                        if number is None:
                            continue
                        if mapping.kind is FileKind.REGISTERS:
                            yield Index(first, column.point, time_ms, _count(number, time_ms, judged))
                        else:
                            yield Energy(first, column.point, start_ms, end_ms, column.wh(number))
                    except DataError as error:
                        yield placed(error, f"{file.path.name}:{first}: {column.named}")
        except csv.Error as error:
            raise DataError(
                "the file is not CSV from here on",
                where=f"{file.path.name}:{reader.line_num}",
                evidence=str(error),
                cause="a quotation mark is not closed, or the delimiter is another",
            ) from error


class _Column:
    """A point's columns in a file with this header."""

    def __init__(
        self, path: Path, header: Sequence[str], about: PointColumn, point: str, mapping: FileMapping
    ) -> None:
        self.about = about
        self.point = point
        self.named = " + ".join(about.column)
        self._places = [_place(path, header, each, f"points: {about.point}") for each in about.column]
        self._where = [
            (_place(path, header, key, f"points: {about.point}: where"), text)
            for key, text in about.where.items()
        ]
        self._comma = mapping.decimal == ","
        unit = Unit.WH if about.unit == "count" else Unit(about.unit)
        self._wh = _decimal(about, unit.factor_to(Unit.WH))

    def number(self, cells: Sequence[str]) -> Decimal | None:
        """Return a row's number; None where the row is not the point's, or has none.

        Raises
        ------
        DataError
            A cell holds no number, or some are empty and others are not.
        """
        for place, text in self._where:
            if cells[place].strip() != text:
                return None
        texts = [cells[place].strip() for place in self._places]
        if not any(texts):
            return None
        total = _ZERO
        for text in texts:
            written = text.replace(",", ".") if self._comma and "." not in text else text
            if not _NUMBER.fullmatch(written) or (self._comma and "." in text):
                raise DataError(
                    "not a number" if text else "a part of the sum is empty",
                    evidence=repr(text),
                    next="" if not text else "write it as 1452,6" if self._comma else "write it as 1452.6",
                )
            total += Decimal(written)
        if self.about.sign == "-":
            total = -total
        if self.about.only == "positive":
            return max(total, _ZERO)
        if self.about.only == "negative":
            return max(-total, _ZERO)
        return total

    def wh(self, number: Decimal) -> Decimal:
        """Return an energy [Wh].

        Raises
        ------
        DataError
            It is negative.
        """
        if number < 0:
            raise DataError(
                "a negative energy",
                evidence=str(number),
                cause="the column has both signs",
                next="only: positive for what came in, only: negative, in another point, for what went out",
            )
        return _EXACT.multiply(number, self._wh)


def _count(number: Decimal, time_ms: int, judged: Sequence[Worth]) -> int | Decimal:
    for worth in reversed(judged):
        if worth.start_ms <= time_ms and (worth.end_ms is None or time_ms < worth.end_ms):
            product = _EXACT.multiply(number, worth.counts)
            count: int | Decimal = int(product)
            if count != product:
                count = canonical_count(product)
            if count < 0 or (worth.wrap_at is not None and count >= worth.wrap_at):
                limit = "" if worth.wrap_at is None else f", and this one turns at {worth.wrap_at}"
                raise DataError(
                    "a register cannot show this",
                    evidence=f"{number} in the file are {count} counts{limit}",
                    cause="the unit is another, or CT and VT are in it already (primary)",
                )
            return count
    raise DataError(
        "no installation is on record at this time", next="date the meter's first installation earlier"
    )


def _bounds(mapping: FileMapping, times: Times) -> Callable[[int], tuple[int, int]]:
    """Return what makes a time the bounds of its interval; the instant twice for a register."""
    if mapping.kind is FileKind.REGISTERS:
        return lambda time_ms: (time_ms, time_ms)
    step_ms, ends = mapping.step_ms, mapping.stamp == "end"
    if step_ms is not None:
        before_ms, after_ms = (step_ms, 0) if ends else (0, step_ms)
        return lambda time_ms: (time_ms - before_ms, time_ms + after_ms)
    other = times.next_day if mapping.interval == "day" else times.next_month
    return lambda time_ms: (other(time_ms, -1), time_ms) if ends else (time_ms, other(time_ms, 1))


def _place(path: Path, header: Sequence[str], column: str, key: str) -> int:
    if header.count(column) == 1:
        return header.index(column)
    raise DataError(
        f"the file has {'no' if column not in header else 'more than one'} column {column!r}",
        where=f"{path.name}:1",
        evidence=", ".join(header)[:300] or "the file is empty",
        cause="the delimiter is another" if len(header) == 1 else "",
        next=f"correct {key} of the mapping",
    )


def _decimal(column: PointColumn, number: Fraction) -> Decimal:
    try:
        return _EXACT.divide(Decimal(number.numerator), Decimal(number.denominator))
    except Inexact:
        raise ConfigError(
            f"A {column.unit} of {column.point} is no decimal number of counts.",
            where="points",
            evidence=f"1 {column.unit} = {number} counts",
            next="bring the register's own counts, with unit: count",
        ) from None
