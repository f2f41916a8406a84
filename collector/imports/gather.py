"""What a file holds, gathered in little memory: packed as the ledger keeps it, whatever its order."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from collector.imports.entries import Energy, Grade, Index
from core.errors import DataError
from core.metering.cells import Cell, Row, cells_of_rows
from core.metering.interval_data import DAY_MS, Amount, Run, plain, rank, runs_of
from core.metering.readings import Quality
from core.timeline import HALF_HOUR_MS, UTC_ZONE, Interval, format_local

_LOOSE = 50_000
"""Numbers that may lie unpacked [1]."""


class Registers:
    """Register readings of a file."""

    def __init__(self) -> None:
        self._loose: dict[tuple[str, int], set[Row]] = {}
        self._room = _LOOSE
        self._packed: dict[tuple[str, int], bytes] = {}

    def add(self, index: Index) -> None:
        """Take a reading; again the same one is nothing more."""
        key = index.point, index.time_ms - index.time_ms % HALF_HOUR_MS
        self._loose.setdefault(key, set()).add((index.time_ms, index.held, Quality.GOOD))
        self._room -= 1
        if not self._room:
            self._pack()

    @property
    def any(self) -> bool:
        """Whether there is anything yet."""
        return bool(self._loose or self._packed)

    def points(self) -> tuple[str, ...]:
        """Return the points that have readings, sorted."""
        self._pack()
        return tuple(sorted({point for point, _ in self._packed}))

    def cells(self, point: str) -> Iterator[Cell]:
        """Yield the cells of a point in time order."""
        self._pack()
        starts = sorted(start_ms for of_point, start_ms in self._packed if of_point == point)
        for start_ms in starts:
            yield Cell.unpack(point, start_ms, self._packed[point, start_ms])

    def _pack(self) -> None:
        for cell in cells_of_rows(self._loose):
            key = cell.point, cell.start_ms
            if key in self._packed:
                cell = cell | Cell.unpack(*key, self._packed[key])
            self._packed[key] = cell.pack()
        self._loose.clear()
        self._room = _LOOSE


class Energies:
    """Energies of a file's intervals.

    Parameters
    ----------
    document, sha256, reader
        The file, its hash, and who reads it in.
    """

    def __init__(self, document: str, sha256: str, reader: str) -> None:
        self._document, self._sha256, self._reader = document, sha256, reader
        self._loose: dict[tuple[str, int], dict[tuple[int, int], tuple[Decimal, Grade, int]]] = {}
        self._room = _LOOSE
        self._packed: dict[tuple[str, int], tuple[Run, ...]] = {}

    def add(self, point: str, energy: Energy) -> None:
        """Take an energy of a point; again the same one is nothing more.

        Raises
        ------
        DataError
            The file has another value of this interval already, from a source as good or better.
        """
        key = point, energy.start_ms // DAY_MS
        day = self._loose.get(key)
        if day is None:
            day = self._loose[key] = {
                each[:2]: (each.wh, Grade(each.run.origin, each.run.method), 0)
                for run in self._packed.pop(key, ())
                for each in run.amounts_in_time()
            }
        span = energy.start_ms, energy.end_ms
        other = day.get(span)
        if other is not None and rank(*energy.grade) >= rank(*other[1]):
            if other[0] == energy.wh:
                return
            raise DataError(
                "the file has another value of this interval",
                evidence=f"{plain(energy.wh)} Wh, and before it {plain(other[0])} Wh"
                + (f" in line {other[2]}" if other[2] else ""),
            )
        day[span] = energy.wh, energy.grade, energy.line
        self._room -= 1
        if not self._room:
            self._pack()

    @property
    def any(self) -> bool:
        """Whether there is anything yet."""
        return bool(self._loose or self._packed)

    def points(self) -> tuple[str, ...]:
        """Return the points that have energies, sorted."""
        self._pack()
        return tuple(sorted({point for point, _ in self._packed}))

    def span(self, point: str) -> Interval:
        """Return the time from the first to the last energy of a point."""
        days = [runs for (of_point, _), runs in self._packed.items() if of_point == point]
        return Interval(
            min(run.start_ms for runs in days for run in runs),
            max(run.end_ms for runs in days for run in runs),
        )

    def amounts(self, point: str) -> Iterator[Amount | DataError]:
        """Yield the energies of a point in time order, and an error in the place of what overlaps another."""
        self._pack()
        days = sorted(day for of_point, day in self._packed if of_point == point)
        reached_ms = -DAY_MS
        for day in days:
            found = [each for run in self._packed[point, day] for each in run.amounts_in_time()]
            for amount in sorted(found, key=lambda each: each[:2]):
                if amount.start_ms < reached_ms:
                    yield overlapping(amount, self._document, "the file")
                    continue
                reached_ms = amount.end_ms
                yield amount

    def _pack(self) -> None:
        sources: dict[tuple[str, Grade], Run] = {}
        for (point, number), day in self._loose.items():
            amounts = []
            for span, (wh, grade, _) in sorted(day.items()):
                run = sources.get((point, grade))
                if run is None:
                    source = self._document, self._sha256, self._reader
                    run = sources[point, grade] = Run(point, *span, "0", grade.origin, grade.method, *source)
                amounts.append(Amount(*span, wh, run))
            self._packed[point, number] = runs_of(amounts)
        self._loose.clear()
        self._room = _LOOSE


def overlapping(amount: Amount, document: str, holder: str) -> DataError:
    """Return the error of an energy that overlaps another of other bounds."""
    start, end = (format_local(each, UTC_ZONE) for each in amount[:2])
    return DataError(
        f"{holder} has an interval of other bounds here",
        where=f"{document}: {amount.run.point}",
        evidence=f"{start} to {end}",
    )
