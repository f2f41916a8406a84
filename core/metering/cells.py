"""All register readings of one point in one half-hour, as a set.

Joining cells is a set union: in any order, any number of times, the same readings make the same cell and
the same bytes. Late data only adds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, repeat
from operator import sub
from struct import Struct
from typing import TypeAlias

from core.errors import DataError
from core.metering.columns import column, decimals_of, shifted, unshifted, values_of, width_of
from core.metering.readings import Count, Quality, Reading
from core.timeline import HALF_HOUR_MS

Row: TypeAlias = tuple[int, Count | None, Quality]
"""Instant [ms since 1970 UTC], count [counts] or None, quality."""

_VERSION = 1
_HEADER = Struct("<BBBIHHH")  # version, flags, width of a time, readings, decimals, widths of base and count
_GRADED = 1
_NO_COUNT = 3
_BAD = Quality.BAD
_GRADES: tuple[Quality, ...] = (*Quality, Quality.BAD)


@dataclass(frozen=True, slots=True)
class Cell:
    """The register readings of one point in one half-hour; made by `of`, `cells_of` or `unpack`.

    Parameters
    ----------
    point
        Id of the point.
    start_ms
        Start of the half-hour, a multiple of 30 minutes [ms since 1970 UTC].
    times_ms
        Instant of each reading [ms since 1970 UTC], sorted by instant, count and quality, each reading once.
    counts
        What the register held at each [counts], or None.
    grades
        Quality of each; empty where all are good.
    """

    point: str
    start_ms: int
    times_ms: tuple[int, ...]
    counts: tuple[Count | None, ...]
    grades: tuple[Quality, ...] = ()

    @classmethod
    def of(cls, readings: Iterable[Reading]) -> Cell:
        """Return the cell of readings of one point in one half-hour.

        Raises
        ------
        DataError
            If there is no reading, or they belong to more than one cell.
        """
        cells = cells_of(readings)
        if len(cells) != 1:
            raise DataError(
                f"readings of {len(cells)} cells, not of one", where=cells[0].point if cells else ""
            )
        return cells[0]

    @property
    def readings(self) -> tuple[Row, ...]:
        """Instant, count and quality of each reading, sorted, each once."""
        return tuple(zip(self.times_ms, self.counts, self.grades or repeat(Quality.GOOD), strict=False))

    def __or__(self, other: Cell) -> Cell:
        """Return the cell that holds the readings of both.

        Raises
        ------
        DataError
            If the other is of another point or half-hour.
        """
        if (self.point, self.start_ms) != (other.point, other.start_ms):
            raise DataError(
                "cells of different points or half-hours do not join",
                where=self.point,
                evidence=f"{self.start_ms} and {other.point} {other.start_ms}",
            )
        return self if self == other else _cell(self.point, self.start_ms, {*self.readings, *other.readings})

    @property
    def plain(self) -> bool:
        """Whether every reading is good and has an instant of its own."""
        return not self.grades and len(set(self.times_ms)) == len(self.times_ms)

    @property
    def usable(self) -> tuple[tuple[int, Count], ...]:
        """Instant [ms since 1970 UTC] and count of the readings that are not bad, one per instant.

        Of several the best by quality is taken, of equally good ones the lowest count: a choice that
        depends on the set alone.
        """
        if self.plain:
            return tuple(zip(self.times_ms, self.counts, strict=True))  # type: ignore[arg-type]  # all are good
        return tuple((time_ms, count) for time_ms, count, _ in self.best)

    @property
    def best(self) -> tuple[tuple[int, Count, Quality], ...]:
        """The usable readings, each with its quality."""
        chosen: dict[int, tuple[Quality, Count]] = {}
        for time_ms, count, quality in self.readings:
            if quality != _BAD and count is not None:
                chosen[time_ms] = min(chosen.get(time_ms, (quality, count)), (quality, count))
        return tuple((time_ms, count, quality) for time_ms, (quality, count) in chosen.items())

    @property
    def conflicts(self) -> tuple[tuple[int, tuple[Count, ...]], ...]:
        """Instants with more than one usable count, and these counts, lowest first."""
        seen: dict[int, dict[Count, None]] = {}
        for time_ms, count, quality in self.readings:
            if quality != _BAD and count is not None:
                seen.setdefault(time_ms, {})[count] = None
        return tuple((time_ms, tuple(counts)) for time_ms, counts in seen.items() if len(counts) > 1)

    def pack(self) -> bytes:
        """Return the cell's readings as bytes: the same readings, the same bytes.

        Little-endian: a header (version 1, flags, width of a time, number of readings, decimals of the
        counts, widths of the base and of a count); the lowest count as a signed integer of the base's
        width; then, column by column, each time as its distance from the one before (the first from the
        start of the half-hour) [ms], each count as its distance above the lowest and, with flag 1, one byte
        of quality each, 3 for a reading without a count. Every width is the smallest that holds its column.
        Counts with decimals are multiplied by 10 to the number of decimals.
        """
        times, counts = self.times_ms, self.counts
        grades: Sequence[int] = self.grades
        decimals = 0
        whole = [count for count in counts if isinstance(count, int)]
        if len(whole) == len(counts):
            base = min(whole, default=0)
            above = [count - base for count in whole]
        else:
            present = [count for count in counts if count is not None]
            decimals = max((decimals_of(count) for count in present), default=0)
            base = shifted(min(present, default=0), decimals)
            above = [0 if count is None else shifted(count, decimals) - base for count in counts]
            if grades:
                grades = [
                    _NO_COUNT if count is None else grade for count, grade in zip(counts, grades, strict=True)
                ]
        graded = any(grades)
        gaps = list(map(sub, times, (self.start_ms, *times)))
        base_width = base.bit_length() // 8 + 1
        gap_width = 2 if max(gaps, default=0) < 1 << 16 else 4
        count_width = width_of(max(above, default=0))
        header = _HEADER.pack(
            _VERSION,
            _GRADED if graded else 0,
            gap_width,
            len(times),
            decimals,
            base_width,
            count_width,
        )
        return b"".join(
            (
                header,
                base.to_bytes(base_width, "little", signed=True),
                column(gaps, gap_width),
                column(above, count_width),
                bytes(grades) if graded else b"",
            )
        )

    @classmethod
    def unpack(cls, point: str, start_ms: int, data: bytes) -> Cell:
        """Return the cell whose readings are packed in some bytes.

        Raises
        ------
        DataError
            If the bytes are of another version, cut short, too long, or leave the half-hour.
        """
        where = f"cell of {point} at {start_ms}"
        if len(data) < _HEADER.size or data[0] != _VERSION:
            raise DataError("not a packed cell of version 1", where=where, evidence=data[:16].hex(" "))
        _, flags, gap_width, n, decimals, base_width, count_width = _HEADER.unpack_from(data)
        gaps_at = _HEADER.size + base_width
        counts_at = gaps_at + n * gap_width
        grades_at = counts_at + n * count_width
        if (
            len(data) != grades_at + (n if flags else 0)
            or flags not in (0, _GRADED)
            or gap_width not in (2, 4)
        ):
            raise DataError("a packed cell that is damaged", where=where, evidence=f"{len(data)} bytes")
        base = int.from_bytes(data[_HEADER.size : gaps_at], "little", signed=True)
        times = tuple(accumulate(values_of(data, gaps_at, n, gap_width), initial=start_ms))[1:]
        if times and times[-1] >= start_ms + HALF_HOUR_MS:
            raise DataError("a packed cell reaches beyond its half-hour", where=where)
        above = values_of(data, counts_at, n, count_width)
        counts: Iterable[Count | None] = map(base.__add__, above)
        if decimals:
            counts = [unshifted(base + each, decimals) for each in above]
        if not flags:
            return cls(point, start_ms, times, tuple(counts))
        grades = data[grades_at:]
        if max(grades, default=0) > _NO_COUNT:
            raise DataError("a packed cell with an unknown quality", where=where, evidence=grades.hex(" "))
        counts = (None if grade == _NO_COUNT else count for count, grade in zip(counts, grades, strict=True))
        return cls(point, start_ms, times, tuple(counts), tuple(_GRADES[grade] for grade in grades))


def cells_of(readings: Iterable[Reading]) -> tuple[Cell, ...]:
    """Return the cells of some readings, sorted by point and half-hour."""
    rows: dict[tuple[str, int], set[Row]] = {}
    for reading in readings:
        key = (reading.point, reading.time_ms - reading.time_ms % HALF_HOUR_MS)
        rows.setdefault(key, set()).add((reading.time_ms, reading.count, reading.quality))
    return cells_of_rows(rows)


def cells_of_rows(rows: Mapping[tuple[str, int], set[Row]]) -> tuple[Cell, ...]:
    """Return the cells of rows that belong to them already, sorted by point and half-hour.

    Parameters
    ----------
    rows
        Rows by point and start of the half-hour [ms since 1970 UTC]; their counts are canonical.
    """
    return tuple(_cell(*key, rows[key]) for key in sorted(rows))


def union(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """Return cells joined where they share point and half-hour, sorted by both."""
    joined: dict[tuple[str, int], Cell] = {}
    for cell in cells:
        key = (cell.point, cell.start_ms)
        joined[key] = joined[key] | cell if key in joined else cell
    return tuple(joined[key] for key in sorted(joined))


def content_hash(cells: Iterable[Cell]) -> str:
    """Return the SHA-256 (hexadecimal) of the readings in some cells, whatever the order of the cells."""
    digest = hashlib.sha256()
    for cell in union(cells):
        point, data = cell.point.encode(), cell.pack()
        digest.update(b"%d %d %d\n%b%b" % (len(point), cell.start_ms, len(data), point, data))
    return digest.hexdigest()


def _cell(point: str, start_ms: int, rows: set[Row]) -> Cell:
    times, counts, grades = zip(*_sorted(rows), strict=True) if rows else ((), (), ())
    return Cell(point, start_ms, times, counts, grades if any(grades) else ())


def _sorted(rows: set[Row]) -> tuple[Row, ...]:
    try:
        return tuple(sorted(rows))  # fails where a missing count meets another of its instant
    except TypeError:
        return tuple(sorted(rows, key=lambda row: (row[0], row[1] is not None, row[1] or 0, row[2])))
