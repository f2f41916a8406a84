"""What keeps the readings of bench/spool.py: Seiren's spool, and SQLite with the same frames."""

from __future__ import annotations

import secrets
import sqlite3
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from agent.readings import Scan, Shape
from agent.spool import Spool, SpoolLimits
from agent.spool.cutting import Pending, cut
from agent.spool.texts import ShapeTexts
from bench.drain_load.load import AGENT
from core.delivery.frames import Lane, Stream
from core.delivery.tables import PointTable

FREED_AFTER = 10  # groups


class Queue(Protocol):
    """What keeps the readings of a group."""

    def add(self, lane: Lane, table: PointTable, scans: Sequence[Scan]) -> None: ...
    async def flush(self, lanes: Sequence[Lane]) -> None: ...
    def free(self) -> None: ...
    def close(self) -> None: ...


class SpoolQueue:
    """Seiren's spool, with nobody to listen; what is freed leaves the disk, as in SQLite's case."""

    def __init__(self, path: Path) -> None:
        self._spool = Spool(path, AGENT, limits=SpoolLimits(keep_registers_days=0))
        self._ends: deque[dict[Lane, int]] = deque()
        self.add = self._spool.add
        self.flush = self._spool.flush

    def free(self) -> None:
        store = self._spool.store
        self._ends.append({lane: store.end(lane)[0] for lane in Lane})
        if len(self._ends) > FREED_AFTER:
            for lane, end in self._ends.popleft().items():
                store.free(lane, self._spool.epoch, max(0, end - 1_000), end)

    def close(self) -> None:
        self._spool.store.close()


class SqliteQueue:
    """The same frames in a table of SQLite."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute(
            "CREATE TABLE frames (lane TEXT, epoch TEXT, at INTEGER, n INTEGER, id BLOB, tbl BLOB, "
            "payload TEXT, PRIMARY KEY (lane, epoch, at)) WITHOUT ROWID"
        )
        self._epoch = secrets.token_hex(16)
        self._ends = dict.fromkeys(Lane, (0, 0))
        self._texts: dict[Shape, ShapeTexts] = {}
        self._pending: dict[Lane, dict[str, Pending]] = {lane: {} for lane in Lane}
        self._freed: deque[dict[Lane, int]] = deque()

    def add(self, lane: Lane, table: PointTable, scans: Sequence[Scan]) -> None:
        part = self._pending[lane].setdefault(table.digest, Pending(table))
        for scan in scans:
            texts = self._texts.get(scan.shape) or self._texts.setdefault(
                scan.shape, ShapeTexts(scan.shape, table)
            )
            part.groups += texts.groups(scan)

    async def flush(self, lanes: Sequence[Lane]) -> None:
        self._db.execute("BEGIN")
        for lane in lanes:
            parts, self._pending[lane] = self._pending[lane].values(), {}
            stream = Stream(AGENT, lane, self._epoch)
            frames, readings = self._ends[lane]
            for one in cut(stream, frames, readings, parts):
                header = one.header
                payload = one.record[-4 - header.size : -4].decode()
                self._db.execute(
                    "INSERT INTO frames VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (lane.value, self._epoch, header.at, header.n, header.id, header.table, payload),
                )
                frames, readings = header.at + 1, readings + header.n
            self._ends[lane] = frames, readings
        self._db.execute("COMMIT")

    def free(self) -> None:
        self._freed.append({lane: end for lane, (end, _) in self._ends.items()})
        if len(self._freed) > FREED_AFTER:
            self._db.execute("BEGIN")
            for lane, end in self._freed.popleft().items():
                self._db.execute("DELETE FROM frames WHERE lane = ? AND at < ?", (lane.value, end))
            self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()
