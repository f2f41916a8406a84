"""The cells that a meter's energies are made of: days inside which something is asked whole, others thinned.

A month asks for its two ends. What its days hold in between is in a few readings of each, which the ledger
keeps once they were made; only a day that has changed since is read whole.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection

from collector.ledger import Ledger, cells, thinned
from collector.ledger.thinned import Made, cells_digest
from core.errors import OutsideError
from core.metering.cells import Cell
from core.metering.registers import CounterSpec
from core.metering.thinning import ThinDay, thin, thinned_by
from core.timeline import Interval

_FORM = "seiren.thinned/2"
_DAYS_AT_A_TIME = 300
_Packed: TypeAlias = list[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Days:
    """Cells of successive days of a point, in time order, and which of the days are thinned.

    Parameters
    ----------
    cells
        A thinned day is one cell, which begins where the day does.
    left_out
        Instants after which readings were left out [ms since 1970 UTC].
    thinned
        The days of which not all readings are here.
    """

    cells: tuple[Cell, ...]
    left_out: frozenset[int]
    thinned: tuple[Interval, ...]


class RegisterDays:
    """Days of registers at one snapshot of the ledger.

    Parameters
    ----------
    connection
        The snapshot.

    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._made: dict[tuple[str, int], Made] = {}
        self._over: set[tuple[str, int]] = set()

    @property
    def made(self) -> list[Made]:
        """Days that were thinned here, that the ledger does not keep yet, and that do not grow any more."""
        return [self._made[each] for each in sorted(self._over & self._made.keys())]

    def of(self, spec: CounterSpec, days: Sequence[Interval], whole: Collection[Interval]) -> Days:
        """Return the cells of successive days.

        Parameters
        ----------
        spec
            What is known of the point's registers.
        days
            In time order, one after the other, each of whole half-hours.
        whole
            Those of which all readings are wanted.

        Raises
        ------
        DataError
            A cell cannot be read: the database is damaged.
        """
        point = spec.point
        keys = _keys(spec, [day for day in days if day not in whole] if whole else days)
        kept = thinned.read(self._connection, point, keys) if keys else {}
        for start_ms, key in keys.items() if self._made else ():
            made = self._made.get((point, start_ms))
            if made is not None and made.key == key:
                kept[start_ms] = made.thinned
        read = dict(self._read(point, [day for day in days if kept.get(day.start_ms) is None]))
        for day in days if read else ():
            packed = read.get(day.start_ms)
            if packed and day.start_ms in keys and day.start_ms not in kept:
                thin_day = thin(_unpacked(point, packed), spec, day)
                made = Made(point, day, keys[day.start_ms], cells_digest(packed), thin_day)
                self._made[point, day.start_ms] = made
                kept[day.start_ms] = thin_day
        self._see_what_is_over(point, days, [each for each in days if _holds(each, kept, read)])
        return _joined(point, days, kept, read)

    def _see_what_is_over(self, point: str, days: Sequence[Interval], filled: Sequence[Interval]) -> None:
        """Learn which days are past: one that still grows would be made again with every message."""
        if not self._made or not filled:
            return
        newest = filled[-1]
        self._over.update((point, day.start_ms) for day in days if day.start_ms < newest.start_ms)
        known = (point, newest.start_ms)
        if known in self._made and cells.any_from(self._connection, point, newest.end_ms):
            self._over.add(known)

    def keep(self, ledger: Ledger) -> int:
        """Let the ledger keep what was made, once the snapshot is not needed any more; return how many [1].

        What it cannot keep now is made again when it is asked for.
        """
        made, kept = self.made, 0
        with suppress(OutsideError):
            for first in range(0, len(made), _DAYS_AT_A_TIME):
                with ledger.writing() as connection:
                    kept += thinned.keep(connection, made[first : first + _DAYS_AT_A_TIME])
        return kept

    def _read(self, point: str, days: Iterable[Interval]) -> Iterator[tuple[int, _Packed]]:
        """Yield the beginnings of days with their packed cells; neighbouring days are read together."""
        for run in _runs(days):
            rows = iter(cells.packed(self._connection, point, Interval(run[0].start_ms, run[-1].end_ms)))
            row = next(rows, None)
            for day in run:
                of_day = []
                while row is not None and row[0] < day.end_ms:
                    of_day.append(row)
                    row = next(rows, None)
                yield day.start_ms, of_day


def _holds(day: Interval, kept: Mapping[int, ThinDay | None], read: Mapping[int, _Packed]) -> bool:
    """Tell whether anything was read in a day."""
    return bool(kept.get(day.start_ms) or read.get(day.start_ms))


def _joined(
    point: str,
    days: Iterable[Interval],
    kept: Mapping[int, ThinDay | None],
    read: Mapping[int, _Packed],
) -> Days:
    found: list[Cell] = []
    left_out: set[int] = set()
    thin_days: list[Interval] = []
    for day in days:
        made = kept.get(day.start_ms)
        if made is None:
            found += _unpacked(point, read[day.start_ms])
        elif made.times_ms:
            found.append(made.cell(point, day.start_ms))
            left_out |= made.left_out
            thin_days.append(day)
    return Days(tuple(found), frozenset(left_out), tuple(thin_days))


def _runs(days: Iterable[Interval]) -> list[list[Interval]]:
    runs: list[list[Interval]] = []
    for day in days:
        if runs and runs[-1][-1].end_ms == day.start_ms:
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def _unpacked(point: str, packed: Iterable[tuple[int, bytes]]) -> list[Cell]:
    return [Cell.unpack(point, start_ms, data) for start_ms, data in packed]


def _keys(spec: CounterSpec, days: Iterable[Interval]) -> dict[int, int]:
    """Return the number that stands for all that a day is thinned by besides its cells, by its beginning."""
    starts = [register.start_ms for register in spec.registers[1:]]
    numbers: dict[tuple[int, int, int], int] = {}
    found: dict[int, int] = {}
    for day in days:
        kind = (bisect_right(starts, day.start_ms), bisect_left(starts, day.end_ms), day.duration_ms)
        if kind not in numbers:
            facts = repr((_FORM, day.duration_ms, thinned_by(spec, day)))
            numbers[kind] = int.from_bytes(hashlib.sha256(facts.encode()).digest()[:8], "big") >> 1
        found[day.start_ms] = numbers[kind]
    return found
