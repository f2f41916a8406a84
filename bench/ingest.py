"""How fast a collector takes readings in, per processor second, beside what bare SQLite does. Prints JSON.

Run it as ``.venv/bin/python bench/ingest.py`` on a machine that does nothing else. A backlog is taken
in, in messages and batches of the size that the collector has: parsed, decided about, committed, answered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from collector.inbox import MAX_BATCH_BYTES, Message
from collector.intake import Intake
from collector.ledger import Ledger
from collector.stores.base import ReadingStore
from collector.stores.sqlite import SqliteStore
from core.delivery import topics
from core.delivery.frames import Frame, Lane
from core.delivery.messages import Data, Table, decode, encode
from core.delivery.payload import group_form, payload_of
from core.delivery.tables import PointRow, PointTable
from core.runtime.loops import collect_garbage_seldom

SITE, AGENT, EPOCH, LIFE = "aoba", "aoba-1", "e" * 32, "1" * 32
T0_MS = 1_706_713_200_000
MESSAGE_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Load:
    """Readings of one lane as an agent sends them after an outage.

    Parameters
    ----------
    meters, points_per_meter
        A scan is one meter's points at one instant.
    every_ms
        Time from one scan of a meter to its next [ms].
    flush_ms
        Time that one frame covers [ms].
    """

    lane: Lane
    meters: int
    points_per_meter: int
    every_ms: int
    flush_ms: int
    readings: int

    def table(self) -> PointTable:
        """Return the point table of the load."""
        quantity = "active_energy_import" if self.lane is Lane.REGISTERS else "gauge"
        names = (
            f"M-{m:03d}.{quantity}_{p}" for m in range(self.meters) for p in range(self.points_per_meter)
        )
        facts = ("Wh", "10", "1", None, "primary", "modbus 1 int64", "", "")
        return PointTable(tuple(PointRow(name, quantity, *facts) for name in names))

    def frames(self, table: PointTable) -> Iterator[Frame]:
        """Yield the frames, in order of time."""
        random = Random(7)
        size = self.points_per_meter
        counts = [random.randrange(10**7) for _ in table.rows]
        step = 40 if self.lane is Lane.REGISTERS else 5
        forms = [group_form((m * size + p, "%d") for p in range(size)) for m in range(self.meters)]
        due = sorted((random.randrange(self.every_ms), m) for m in range(self.meters))
        groups: list[str] = []
        index = n = turn = 0
        until_ms = T0_MS + self.flush_ms
        while index == 0 or index * n < self.readings:
            for phase_ms, m in due:
                time_ms = T0_MS + turn * self.every_ms + phase_ms
                if time_ms >= until_ms:
                    n = size * len(groups)
                    if groups:
                        yield Frame(AGENT, self.lane, EPOCH, index, n, table.digest, payload_of(groups))
                        index += 1
                    groups = []
                    until_ms += self.flush_ms
                for at in range(m * size, (m + 1) * size):
                    counts[at] += random.randrange(step)
                groups.append(forms[m] % (time_ms, *counts[m * size : (m + 1) * size]))
            turn += 1


LOADS = (
    Load(Lane.REGISTERS, meters=250, points_per_meter=2, every_ms=60_000, flush_ms=10_000, readings=500_000),
    Load(Lane.SAMPLES, meters=125, points_per_meter=8, every_ms=1_000, flush_ms=1_000, readings=500_000),
)


def batches(load: Load, table: PointTable) -> Iterator[list[Message]]:
    """Yield messages in batches as large as an inbox gives them."""
    topic = topics.data(SITE, AGENT, load.lane)
    batch: list[Message] = []
    frames: list[Frame] = []
    size = total = 0
    for frame in load.frames(table):
        frames.append(frame)
        size += len(frame.payload)
        if size >= MESSAGE_BYTES:
            batch.append((topic, encode(Data.of(frames))))
            total += size
            frames, size = [], 0
        if total >= MAX_BATCH_BYTES:
            yield batch
            batch, total = [], 0
    if frames:
        batch.append((topic, encode(Data.of(frames))))
    if batch:
        yield batch


@dataclass(frozen=True, slots=True)
class Cost:
    """What some readings cost."""

    readings: int
    wall_s: float
    cpu_s: float

    def facts(self) -> dict[str, int]:
        """Return the rates."""
        return {
            "readings": self.readings,
            "readings_per_cpu_s": round(self.readings / self.cpu_s),
            "readings_per_s": round(self.readings / self.wall_s),
        }


async def measured(readings: int, work: Awaitable[object]) -> Cost:
    """Return what a piece of work costs this process."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    await work
    return Cost(readings, time.perf_counter() - wall_s, time.process_time() - cpu_s)


async def take(ledger: Ledger, store: ReadingStore, table: PointTable, lane: Lane, load: Batches) -> None:
    """Do what a collector does with messages, one batch after the other."""
    intake = Intake(ledger, store_name=store.identity, site_of_meter={}, now_ms=lambda: T0_MS)
    topic = topics.data(SITE, AGENT, lane)
    intake.commit(intake.sort([(topic, encode(Table(digest=table.digest, points=table.rows)))]), LIFE)
    for batch in load:
        heard = await asyncio.to_thread(intake.sort, batch)
        if lane is Lane.REGISTERS:
            answers = await asyncio.to_thread(intake.commit, heard, LIFE)
        else:
            decided = await asyncio.to_thread(intake.decide_samples, heard, LIFE)
            rejected = (await store.write(decided.rows)).settled()
            answers = await asyncio.to_thread(intake.commit_samples, decided, rejected)
        for answer in answers:
            encode(answer.message)


Batches = Sequence[list[Message]]

BARE = "CREATE TABLE readings (point, time_ms, count, quality, PRIMARY KEY (point, time_ms)) WITHOUT ROWID"
"""Points by number, all columns whole: the least that one can ask of SQLite."""


async def bare_sqlite(file: Path, rows: Sequence[Sequence[tuple[int, int, int, int]]]) -> None:
    """Put the same rows into SQLite, ready as they are, in as many transactions."""
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(BARE)
    for batch in rows:
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?)", batch)
        database.execute("COMMIT")
    database.close()


def rows_of(batch: list[Message]) -> list[tuple[int, int, int, int]]:
    """Return the readings of messages as bare rows, with the number of the point."""
    heard = (decode(payload) for _, payload in batch)
    return [
        (number, time_ms, count, 0)
        for data in heard
        if isinstance(data, Data)
        for frame in data.frames
        for time_ms, group in json.loads(frame.payload)
        for number, count in group
    ]


StoreMaker = Callable[[Path], ReadingStore]


async def figures(load: Load, ledger_at: str | None, make_store: StoreMaker) -> dict[str, object]:
    """Return what one lane costs, and what bare SQLite costs for the same."""
    table = load.table()
    sent = list(batches(load, table))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = [rows_of(batch) for batch in sent]
        readings = sum(map(len, rows))
        bare = await measured(readings, bare_sqlite(folder / "bare.sqlite", rows))
        del rows
        ledger = Ledger.open(ledger_at or folder, create=True)
        store = make_store(folder)
        await store.open()
        cost = await measured(readings, take(ledger, store, table, load.lane, sent))
        assert sum(count.stored for count in ledger.counts() if count.lane is load.lane) == readings
        await store.close()
        ledger.close()
    return {
        "collector": cost.facts(),
        "bare_sqlite": bare.facts(),
        "share_of_bare_sqlite_per_cpu_s": round(bare.cpu_s / cost.cpu_s, 2),
        "share_of_bare_sqlite_in_wall_time": round(bare.wall_s / cost.wall_s, 2),
        "bytes_per_reading": round(sum(len(raw) for batch in sent for _, raw in batch) / readings, 1),
        "batches": len(sent),
    }


def main() -> None:
    """Take both lanes in and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ledger", metavar="URL", help="an empty PostgreSQL database in place of SQLite")
    chosen = parser.parse_args()

    collect_garbage_seldom()

    def embedded(folder: Path) -> ReadingStore:
        return SqliteStore(folder / "readings.sqlite")

    seen = {load.lane.value: asyncio.run(figures(load, chosen.ledger, embedded)) for load in LOADS}
    print(json.dumps({"python": platform.python_version(), "machine": platform.machine(), **seen}, indent=1))


if __name__ == "__main__":
    main()
