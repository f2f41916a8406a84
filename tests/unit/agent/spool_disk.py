"""A spool's folder and the run of an agent that uses it, for tests that kill, fill and damage it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agent.spool import Spool, SpoolLimits
from core.delivery.frames import Frame, Lane
from core.delivery.messages import Gone
from core.delivery.payload import TakenReading
from core.delivery.shelf import Written
from core.delivery.tables import PointRow, PointTable
from tests.unit.agent.scans import scans

AGENT = "aoba-1"
POINT = "M-1.active_energy_import"
ROW = PointRow(POINT, "active_energy_import", "Wh", "1", "1", None, "primary", "modbus 1 int64", "", "")
TABLE = PointTable((ROW,))
LANE = Lane.REGISTERS


class Disk:
    """A spool's folder, and the run of the agent that uses it now."""

    def __init__(
        self,
        path: Path,
        *,
        segment_bytes: int = 1 << 20,
        limits: SpoolLimits | None = None,
        now_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        self.path = path
        self.segment_bytes = segment_bytes
        self.limits = limits or SpoolLimits(keep_registers_days=0)
        self.now_ms = now_ms
        self.told: list[Written] = []
        self.gone: list[tuple[str, int, int]] = []
        self.spool = self._open()

    def _open(self) -> Spool:
        spool = Spool(
            self.path, AGENT, segment_bytes=self.segment_bytes, limits=self.limits, now_ms=self.now_ms
        )
        self.told, self.gone = [], []
        spool.listen(self.told.extend, lambda _, epoch, first, end: self.gone.append((epoch, first, end)))
        return spool

    def kill(self) -> None:
        """End the run as a kill ends it: descriptors are closed, and nothing else happens."""
        for segment in self.spool.store._segments.active.values():
            segment.close()
        self.spool.store._table.close()
        self.spool._lock.release()

    def kill_and_start(self) -> None:
        self.kill()
        self.spool = self._open()

    async def stop_and_start(self) -> None:
        await self.spool.close()
        self.spool = self._open()

    async def write(self, frames: int, n: int = 2, lane: Lane = LANE) -> list[Written]:
        """Write frames of n readings each, one flush per frame; return them."""
        before = len(self.told)
        for i in range(frames):
            readings = [TakenReading(POINT, 1000 + before + i, 7 + j) for j in range(n)]
            self.spool.add(lane, TABLE, scans(readings))
            await self.spool.flush()
        return self.told[before:]

    def frames(self) -> list[Frame]:
        """Everything that is told to be on disk, read from it."""
        return [
            frame
            for one in self.told
            for frame in self.spool.store.read(one.lane, one.epoch, ((one.at, one.at + 1),))
        ]

    def files(self) -> list[Path]:
        return sorted(self.path.glob("*.frames"))

    def lost(self) -> list[Gone]:
        return [gone for gone in self.spool.store.gone(LANE) if gone.reason != "freed"]

    def taken(self) -> int:
        """Readings that were ever durable, by the epoch table."""
        return sum(entry.readings for lane in Lane for entry in self.spool.store.epochs(lane))

    def accounted(self) -> int:
        """Readings that can still be read, and those of the ranges that are no more."""
        there = sum(frame.n for frame in self.frames())
        return there + sum(gone.readings for lane in Lane for gone in self.spool.store.gone(lane))


def flip(path: Path, at: int, bit: int = 4) -> None:
    """Flip one bit of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)
