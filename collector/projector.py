"""Registers, half-hours and the count on their way from the ledger to the reading store.

A position kept in the ledger says where to go on with the registers; a mark for each point says that the
store has all its half-hours, by the record of the meter that was in force. So the store may be away for as
long as it likes: nothing is held in memory, nothing waits for it. Writing a stretch twice changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from collector.delivery_rows import delivery_rows
from collector.half_hours import HalfHours, Times, joined
from collector.intake import set_aside_rows
from collector.ledger import Ledger, cells, projection
from collector.ledger.holdings import LedgerHoldings
from collector.ledger.marks import marks, set_mark
from collector.point_rows import known_tables, point_rows
from collector.record import read_record
from collector.stores.base import EnergyRow, ReadingStore, Rejection, Rows, StoreRow
from collector.stores.rows import chosen, register_rows, scales
from collector.trouble import Trouble
from config.hq import HqConfig
from core.errors import OutsideError

_LOG = logging.getLogger(__name__)
_READINGS_PER_STEP = 50_000
_POINTS_PER_WRITE = 100
_COUNT_EVERY_MS = 300_000


@dataclass(frozen=True, slots=True)
class _Step:
    """The rows of some frames, the times of what they brought to each cell, and the position after them."""

    position: int
    rows: Rows
    touched: dict[str, list[Times]]
    rejected: tuple[Rejection, ...] = field(default=())


class Projector:
    """Keeps a reading store up with the ledger.

    Parameters
    ----------
    ledger
        The record.
    store
        The projection.
    hq
        What headquarters has on record; without it no half-hours are written.
    now_ms
        Gives the present: of the count, and beside what the store refuses [ms since 1970 UTC].
    every_s
        Shortest time from one look at the ledger to the next [s].

    Attributes
    ----------
    readings, half_hours, refused
        Rows written so far, and rows that the store refused for good [1].
    """

    def __init__(
        self,
        ledger: Ledger,
        store: ReadingStore,
        hq: HqConfig | None = None,
        *,
        now_ms: Callable[[], int],
        every_s: float = 1.0,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._hq = hq
        self._half_hours = HalfHours(hq)
        self._now_ms = now_ms
        self._every_s = every_s
        self._stirred = asyncio.Event()
        self._closed = False
        self._trouble = Trouble(_LOG, f"{store.identity} takes registers again")
        self._begun: _Step | None = None
        self._marks: dict[str, int] | None = None
        self._to_walk: dict[str, None] = {}
        self._counted_ms: int | None = None
        self._explained: frozenset[str] = frozenset()
        self.readings = self.half_hours = self.refused = 0

    @property
    def fault(self) -> OutsideError | None:
        """Why the store does not take registers; None while it does."""
        return self._trouble.fault

    def stir(self) -> None:
        """Say that the ledger may hold new frames."""
        self._stirred.set()

    def close(self) -> None:
        """End `run` once it has caught up, or at once if the store is away."""
        self._closed = True
        self._stirred.set()

    async def run(self) -> None:
        """Follow the ledger until `close`."""
        while True:
            self._stirred.clear()
            pause_s, again = self._every_s, False
            try:
                again = await self.step() or (not self._closed and await self.walk())
                await self.tell()
                self._trouble.worked()
            except OutsideError as error:
                pause_s, again = self._trouble.failed(error), not self._closed
            else:
                pause_s = 0.0 if again else pause_s
            if self._closed and not again:
                return
            await asyncio.sleep(0.0 if self._closed else pause_s)
            if not again:
                await _first_of(self._stirred, _COUNT_EVERY_MS / 1000)

    async def step(self) -> bool:
        """Write what the next frames brought; tell whether there was anything.

        Raises
        ------
        Unreachable, OutsideError
            Ledger or store failed; the position has not moved.
        """
        if self._marks is None:
            await asyncio.to_thread(self._look_up)
        step = self._begun or await asyncio.to_thread(self._next)
        if step is None:
            return False
        outcome = await self._store.write(step.rows)
        self._begun = step = replace(step, rows=outcome.retry, rejected=step.rejected + outcome.rejected)
        self.readings += outcome.accepted
        outcome.settled()
        rejected = list(step.rejected)
        points = [point for point in sorted(step.touched) if self._is_whole(point)]
        for first in range(0, len(points), _POINTS_PER_WRITE):
            some = {point: step.touched[point] for point in points[first : first + _POINTS_PER_WRITE]}
            rejected += await self._write_half_hours(await asyncio.to_thread(self._touched_half_hours, some))
        await asyncio.to_thread(self._written, rejected, step.position)
        self._begun = None
        return True

    async def walk(self) -> bool:
        """Write all half-hours of the next point that has no mark, or that of another record of its meter.

        Returns
        -------
        bool
            Whether there was such a point.

        Raises
        ------
        Unreachable, OutsideError
            Ledger or store failed; the point has no mark yet.
        """
        if self._marks is None:
            await asyncio.to_thread(self._look_up)
        if not self._to_walk:
            return False
        point = next(iter(self._to_walk))
        mark = self._half_hours.mark(point)
        assert mark is not None and self._marks is not None  # only points on record are walked
        rejected = await self._write_half_hours(await asyncio.to_thread(self._all_half_hours, point))
        await asyncio.to_thread(self._written, rejected, None, point, mark)
        self._marks[point] = mark
        del self._to_walk[point]
        return True

    async def _write_half_hours(self, rows: Sequence[EnergyRow]) -> Sequence[Rejection]:
        outcome = await self._store.write(rows)
        self.half_hours += outcome.accepted
        return outcome.settled()

    async def tell(self) -> None:
        """Write what explains the readings: the count, every five minutes, and points that are new.

        Raises
        ------
        Unreachable, OutsideError
            Ledger or store failed.
        """
        now_ms = self._now_ms()
        if self._counted_ms is None or now_ms - self._counted_ms >= _COUNT_EVERY_MS:
            tables, points, counts = await asyncio.to_thread(self._explanations, now_ms)
            (await self._store.write(points)).settled()
            (await self._store.write(counts)).settled()
            self._explained, self._counted_ms = tables, now_ms

    def _explanations(self, now_ms: int) -> tuple[frozenset[str], Rows, Rows]:
        with self._ledger.reading() as connection:
            tables = known_tables(connection)
            points = [] if tables == self._explained else point_rows(connection, self._hq)
        return tables, points, delivery_rows(read_record(self._ledger, self._store.identity, now_ms))

    def _next(self) -> _Step | None:
        rows: list[StoreRow] = []
        touched: dict[str, list[Times]] = {}
        since_ms = self._since_ms()
        with self._ledger.reading() as connection:
            if self._half_hours.look(connection):
                self._see_marks(connection)
            before = projection.position(connection, self._store.identity)
            position, stretches = projection.stretches_after(connection, before, _READINGS_PER_STEP)
            if position == before:
                return None
            tables = LedgerHoldings(connection).tables({stretch.point_table for stretch in stretches})
            for stretch in stretches:
                for point, scale in scales(tables[stretch.point_table]).items():
                    for half_hours in stretch.half_hours:
                        for cell in cells.read(connection, point, half_hours):
                            brought = [row for row in chosen(cell) if stretch.brought(row[0])]
                            if brought:
                                touched.setdefault(point, []).append((brought[0][0], brought[-1][0]))
                            rows += register_rows(
                                point, (row for row in brought if row[0] >= since_ms), scale
                            )
        return _Step(position, rows, touched)

    def _since_ms(self) -> int:
        """Return from when on the store keeps readings; what is older stays in the ledger alone."""
        kept_ms = self._store.retention_ms
        return 0 if kept_ms is None else self._now_ms() - kept_ms

    def _touched_half_hours(self, touched: dict[str, list[Times]]) -> Sequence[EnergyRow]:
        since_ms = self._since_ms()
        rows: dict[tuple[str, int], EnergyRow] = {}
        with self._ledger.reading() as connection:
            view = self._half_hours.view(connection)
            for point, spans in touched.items():
                for first_ms, last_ms in joined(spans):
                    for row in self._half_hours.touched(view, point, first_ms, last_ms):
                        if row.time_ms >= since_ms:
                            rows[point, row.time_ms] = row
        return list(rows.values())

    def _all_half_hours(self, point: str) -> Sequence[EnergyRow]:
        since_ms = self._since_ms()
        with self._ledger.reading() as connection:
            view = self._half_hours.view(connection)
            parts = self._half_hours.all_of(view, point, since_ms)
            return [row for part in parts for row in part if row.time_ms >= since_ms]

    def _look_up(self) -> None:
        """Learn which points have their mark, and which are to be walked."""
        with self._ledger.reading() as connection:
            self._half_hours.look(connection)
            self._see_marks(connection)

    def _see_marks(self, connection: Connection) -> None:
        self._marks = marks(connection, self._store.identity)
        for name in (*cells.points(connection), *self._marks, *self._half_hours.months):
            self._is_whole(name)

    def _is_whole(self, point: str) -> bool:
        """Tell whether the store has all earlier half-hours of a point; if not, let it be walked."""
        mark = self._half_hours.mark(point)
        if mark is None:
            return False
        assert self._marks is not None  # looked up before the first step
        if self._marks.get(point, 0) != mark:
            self._to_walk[point] = None
        return point not in self._to_walk

    def _written(
        self,
        rejected: Sequence[Rejection],
        position: int | None,
        point: str | None = None,
        mark: int = 0,
    ) -> None:
        with self._ledger.writing() as connection:
            if position is not None:
                projection.set_position(connection, self._store.identity, position)
            if point is not None:
                set_mark(connection, self._store.identity, point, mark)
            set_aside_rows(connection, self._store.identity, rejected, self._now_ms())
        self.refused += len(rejected)
        for each in rejected[:1]:
            refused = self._store.identity, len(rejected), each.of, each.reason
            _LOG.warning("%s refuses %d rows for good, first %s: %s", *refused)


async def _first_of(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, not longer than some seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
