"""The cells that a meter's energies are made of: days inside which something is asked whole, others thinned.

A month asks for its two ends. What its days hold in between is in a few readings of each, which the ledger
keeps once they were made; only a day that has changed since is read whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Connection

from collector.ledger import Ledger, cells, thinned
from collector.ledger.thinned import Made, cells_digest
from core.errors import OutsideError
from core.metering.cells import Cell
from core.metering.registers import CounterSpec
from core.metering.thinning import ThinDay, thin, thinned_by
from core.timeline import Interval

_FORM = "seiren.thinned/1"
_DAYS_AT_A_TIME = 300


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
        self._made: dict[tuple[str, Interval], Made] = {}
        self._over: set[tuple[str, Interval]] = set()

    @property
    def made(self) -> list[Made]:
        """Days that were thinned here, that the ledger does not keep yet, and that do not grow any more."""
        return [made for key, made in self._made.items() if key in self._over]

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
        keys = {day.start_ms: _key(spec, day) for day in days if day not in whole}
        found = thinned.read(self._connection, spec.point, keys) if keys else {}
        kept = {day: found[day.start_ms] for day in days if day.start_ms in found}
        kept |= {day: each.thinned for day in days if day not in whole and (each := self._known(spec, day))}
        read = dict(self._read(spec.point, [day for day in days if kept.get(day) is None]))
        for day in days:
            if day not in whole and day not in kept and (packed := read[day]):
                each = Made(
                    spec.point, day, keys[day.start_ms], cells_digest(packed), _thin(spec, day, packed)
                )
                self._made[spec.point, day] = each
                kept[day] = each.thinned
        # What is still growing would be made again with every message.
        newest_ms = max((day.start_ms for day in days if read.get(day) or kept.get(day)), default=0)
        self._over.update((spec.point, day) for day in days if day.start_ms < newest_ms)
        return _joined(spec.point, days, kept, read)

    def _known(self, spec: CounterSpec, day: Interval) -> Made | None:
        """Return what was made of a day earlier."""
        made = self._made.get((spec.point, day))
        return made if made is not None and made.key == _key(spec, day) else None

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

    def _read(
        self, point: str, days: Iterable[Interval]
    ) -> Iterator[tuple[Interval, list[tuple[int, bytes]]]]:
        """Yield days with their packed cells; neighbouring days are read together."""
        for run in _runs(days):
            rows = iter(cells.packed(self._connection, point, Interval(run[0].start_ms, run[-1].end_ms)))
            row = next(rows, None)
            for day in run:
                of_day = []
                while row is not None and row[0] < day.end_ms:
                    of_day.append(row)
                    row = next(rows, None)
                yield day, of_day


def _thin(spec: CounterSpec, day: Interval, packed: Iterable[tuple[int, bytes]]) -> ThinDay | None:
    return thin(_unpacked(spec.point, packed), spec, day)


def _joined(
    point: str,
    days: Iterable[Interval],
    kept: dict[Interval, ThinDay | None],
    read: dict[Interval, list[tuple[int, bytes]]],
) -> Days:
    found: list[Cell] = []
    left_out: set[int] = set()
    thin_days: list[Interval] = []
    for day in days:
        made = kept.get(day)
        if made is None:
            found += _unpacked(point, read[day])
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


def _key(spec: CounterSpec, day: Interval) -> int:
    """Return the number that stands for all that a day is thinned by, besides its cells."""
    return _number((_FORM, day.duration_ms, *thinned_by(spec, day)))


@lru_cache
def _number(facts: tuple[object, ...]) -> int:
    return int.from_bytes(hashlib.sha256(repr(facts).encode()).digest()[:8], "big") >> 1
