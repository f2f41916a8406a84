"""Registers on their way from the ledger to the reading store, behind a position kept in the ledger.

The store may be away for as long as it likes: nothing is held in memory, nothing waits for it, and the
position says where to go on. Writing a stretch twice changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from collector.intake import set_aside_rows
from collector.ledger import Ledger, cells, projection
from collector.ledger.holdings import LedgerHoldings
from collector.stores.base import ReadingStore, Rejection, StoreRow
from collector.stores.rows import register_rows, scales
from collector.trouble import Trouble
from core.errors import OutsideError
from core.metering.cells import Cell, Row

_LOG = logging.getLogger(__name__)
_READINGS_PER_STEP = 50_000


@dataclass(frozen=True, slots=True)
class _Step:
    """The rows of some frames, and the position once they are written."""

    position: int
    rows: Sequence[StoreRow]


class Projector:
    """Keeps a reading store up with the ledger's registers.

    Parameters
    ----------
    ledger
        The record.
    store
        The projection.
    now_ms
        Gives the time that stands beside what the store refuses [ms since 1970 UTC].
    every_s
        Shortest time from one look at the ledger to the next [s].
    """

    def __init__(
        self, ledger: Ledger, store: ReadingStore, *, now_ms: Callable[[], int], every_s: float = 1.0
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._now_ms = now_ms
        self._every_s = every_s
        self._stirred = asyncio.Event()
        self._stirred.set()
        self._closed = False

    def stir(self) -> None:
        """Say that the ledger may hold new frames."""
        self._stirred.set()

    def close(self) -> None:
        """End `run` once it has caught up, or at once if the store is away."""
        self._closed = True
        self._stirred.set()

    async def run(self) -> None:
        """Follow the ledger until `close`."""
        trouble = Trouble(_LOG, f"{self._store.identity} takes registers again")
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            try:
                while await self.step():
                    trouble.worked()
                trouble.worked()
                if not self._closed:
                    await asyncio.sleep(self._every_s)
            except OutsideError as error:
                pause_s = trouble.failed(error)
                if not self._closed:
                    await asyncio.sleep(pause_s)
                self._stirred.set()
            if self._closed:
                return

    async def step(self) -> bool:
        """Write what the next frames brought; tell whether there was anything.

        Raises
        ------
        Unreachable, OutsideError
            Ledger or store failed; the position has not moved.
        """
        step = await asyncio.to_thread(self._next)
        if step is None:
            return False
        rejected = (await self._store.write(step.rows)).rejected if step.rows else ()
        await asyncio.to_thread(self._written, step.position, rejected)
        return True

    def _next(self) -> _Step | None:
        rows: list[StoreRow] = []
        with self._ledger.reading() as connection:
            before = projection.position(connection, self._store.identity)
            position, stretches = projection.stretches_after(connection, before, _READINGS_PER_STEP)
            if position == before:
                return None
            tables = LedgerHoldings(connection).tables({stretch.point_table for stretch in stretches})
            for stretch in stretches:
                for point, scale in scales(tables[stretch.point_table]).items():
                    for half_hours in stretch.half_hours:
                        for cell in cells.read(connection, point, half_hours):
                            brought = (row for row in _chosen(cell) if stretch.brought(row[0]))
                            rows += register_rows(point, brought, scale)
        return _Step(position, rows)

    def _written(self, position: int, rejected: Sequence[Rejection]) -> None:
        with self._ledger.writing() as connection:
            projection.set_position(connection, self._store.identity, position)
            set_aside_rows(connection, self._store.identity, rejected, self._now_ms())
        for each in rejected[:1]:
            _LOG.warning(
                "%s refuses %d registers for good, first %s: %s",
                self._store.identity,
                len(rejected),
                each.row.point,
                each.reason,
            )


def _chosen(cell: Cell) -> Iterable[Row]:
    """One reading per instant: where there are several, the one that figures use."""
    if not cell.conflicts:
        return cell.readings
    usable = dict(cell.usable)
    chosen = {row[0]: row for row in cell.readings}
    chosen |= {row[0]: row for row in reversed(cell.readings) if usable.get(row[0]) == row[1]}
    return chosen.values()
