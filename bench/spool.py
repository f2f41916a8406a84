"""What it costs to make readings durable, beside SQLite doing the same; how fast a large spool opens.

Run it as ``.venv/bin/python -m bench.spool [--seconds 600] [--live 60] [--frames 500000] [--folder DIR]``
on a machine that does nothing else (Linux: it reads /proc); it prints JSON. With ``--only``, ``intake``,
``live`` or ``start`` alone.

The load is 5,000 samples a second (blocks of 30 32-bit floats) and 500 registers a minute, SYNTHETIC.
``intake``: virtual time, as fast as it goes; what was written 10 s ago is freed. SQLite (WAL,
synchronous=FULL) gets the very same frames, one transaction a flush, and deletes what is freed. ``live``: in
real time, spool and uplink in this process, a real Mosquitto and a ledger that holds all at once beside it.
``start``: a spool of 62 days' registers, opened and told to a sender in a process of its own.

Write amplification is what the kernel charges to this process (``write_bytes`` of /proc/self/io) over the
bytes of the payloads; the file system's own journal is not in it, nor are the first seconds, in which point
tables are written.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import secrets
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

from agent.points import TABLE_ROWS
from agent.readings import Scan, Shape
from agent.spool import Spool, SpoolLimits
from agent.spool.cutting import Pending, cut
from agent.spool.texts import Group, ShapeTexts
from agent.uplink import Uplink
from bench.drain import broker, configuration
from bench.drain_load.load import AGENT, SITE, T0_MS, Load
from core.delivery.frames import Lane, Stream
from core.delivery.inventory import Past
from core.delivery.sender import Sender
from core.delivery.tables import PointRow, PointTable

BLOCKS, POINTS = 167, 30
FREED_AFTER = 10  # groups
WARM_UP_S = 20
HERE = Path(__file__).parent

Taken = tuple[Lane, PointTable, Scan]


class Queue(Protocol):
    """What keeps the readings of a group."""

    def add(self, lane: Lane, table: PointTable, scans: Sequence[Scan]) -> None: ...
    async def flush(self, lanes: Sequence[Lane]) -> None: ...
    def free(self) -> None: ...
    def close(self) -> None: ...


def main() -> None:
    """Run what was asked for and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=600, help="of virtual time")
    parser.add_argument("--live", type=int, default=60, help="of real time")
    parser.add_argument("--frames", type=int, default=500_000)
    parser.add_argument("--folder", type=Path, help="on the disk that is meant; no tmpfs")
    parser.add_argument("--only", choices=("intake", "live", "start"))
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--how", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.open:
        print(json.dumps(opened(asked.open, asked.how)))
        return
    figures: dict[str, Any] = {"python": platform.python_version(), "machine": platform.machine()}
    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        folder = Path(temporary)
        if asked.only in (None, "intake"):
            figures["intake"] = {
                "spool": asyncio.run(intake(SpoolQueue(folder / "spool"), asked.seconds)),
                "sqlite": asyncio.run(intake(SqliteQueue(folder / "queue.sqlite"), asked.seconds)),
            }
        if asked.only in (None, "live"):
            figures["live"] = asyncio.run(live(folder, asked.live))
        if asked.only in (None, "start"):
            figures["start"] = start(folder / "large", asked.frames)
    print(json.dumps(figures, indent=1))


class Plant:
    """The readings of each second: made before they are needed, so that making them costs nobody."""

    def __init__(self) -> None:
        draw = random.Random(11)
        self._registers = Load(Lane.REGISTERS)
        names = [tuple(f"S-{b:03d}.gauge_{p}" for p in range(POINTS)) for b in range(BLOCKS)]
        row = ("active_power", "W", "1", "1", None, "primary", "modbus 1 float32", "", "")
        rows = [PointRow(name, *row) for block in names for name in block]
        size = TABLE_ROWS // POINTS * POINTS
        tables = [PointTable(tuple(rows[at : at + size])) for at in range(0, len(rows), size)]
        self._tables = [tables[number * POINTS // size] for number in range(BLOCKS)]
        self._shapes = [Shape(block, (True,) * POINTS) for block in names]
        self._values = [
            [struct.unpack(">f", struct.pack(">f", draw.uniform(0, 400)))[0] for _ in range(POINTS)]
            for _ in range(4 * BLOCKS)
        ]

    def second(self, second: int) -> list[Taken]:
        """Return what is taken in a second of virtual time."""
        now_ms = T0_MS + 1000 * second
        taken: list[Taken] = [
            (
                Lane.SAMPLES,
                table,
                Scan(shape, now_ms + block, self._values[(7 * second + block) % (4 * BLOCKS)]),
            )
            for block, (table, shape) in enumerate(zip(self._tables, self._shapes, strict=True))
        ]
        scans = self._registers.scans(1000 * second, 1000 * second + 1000)
        return taken + [(Lane.REGISTERS, table, scan) for table, scan in scans]


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


async def intake(queue: Queue, seconds: int) -> dict[str, Any]:
    """Let a queue make some minutes durable, as fast as it can."""
    plant, readings, written = Plant(), 0, 0
    cpu_s = wall_s = 0.0
    with _counted_syncs() as syncs:
        for second in range(1, WARM_UP_S + seconds + 1):
            taken = plant.second(second)
            cpu, wall = time.process_time(), time.perf_counter()
            for lane, table, scan in taken:
                queue.add(lane, table, (scan,))
            await queue.flush((Lane.SAMPLES,) if second % 10 else tuple(Lane))
            queue.free()
            if second == WARM_UP_S:
                written = _written_bytes()
                syncs.clear()
            elif second > WARM_UP_S:
                readings += sum(len(scan.values) for _, _, scan in taken)
                cpu_s, wall_s = cpu_s + time.process_time() - cpu, wall_s + time.perf_counter() - wall
        written = _written_bytes() - written
    queue.close()
    payload = _payload_bytes(plant, min(seconds, 60)) * seconds // min(seconds, 60)
    return {
        "readings": readings,
        "readings_per_cpu_s": round(readings / cpu_s),
        "readings_per_s": round(readings / wall_s),
        "cpu_share_at_this_load": round(cpu_s / seconds, 4),
        "payload_bytes_per_reading": round(payload / readings, 2),
        "write_amplification": round(written / payload, 3),
        "syncs_per_minute": round(len(syncs) * 60 / seconds, 1) if syncs else None,
    }


async def live(folder: Path, seconds: int) -> dict[str, Any]:
    """Let spool and uplink work in real time against a broker and a ledger."""
    plant = Plant()
    (folder / "live").mkdir()
    with broker(folder / "live") as port:
        ledger = subprocess.Popen(  # noqa: ASYNC220  nothing else runs yet
            [sys.executable, HERE / "edge_load/ledger.py", str(port), SITE, AGENT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(HERE.parent)},
        )
        assert ledger.stdin is not None and ledger.stdout is not None
        ledger.stdout.readline()
        spool = Spool(folder / "live/spool", AGENT, in_thread=True)
        uplink = Uplink(configuration(port), spool)
        delivering = asyncio.create_task(uplink.run())
        readings, sent, cpu_s, written, begun_s = 0, 0, 0.0, 0, time.monotonic()
        with _counted_syncs() as syncs:
            for second in range(1, WARM_UP_S + seconds + 1):
                begin = time.process_time()
                taken = plant.second(second)
                making_s = time.process_time() - begin
                for lane, table, scan in taken:
                    spool.add(lane, table, (scan,))
                    sent += len(scan.values)
                await spool.flush((Lane.SAMPLES,) if second % 10 else tuple(Lane))
                await asyncio.sleep(max(0.0, begun_s + second - time.monotonic()))
                if second == WARM_UP_S:
                    written = _written_bytes()
                    syncs.clear()
                elif second > WARM_UP_S:
                    cpu_s += time.process_time() - begin - making_s
                    readings += sum(len(scan.values) for _, _, scan in taken)
            written = _written_bytes() - written
        await spool.flush()
        waiting = uplink.undelivered
        patience_s = time.monotonic() + 30
        while uplink.undelivered and time.monotonic() < patience_s:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        delivering.cancel()
        await asyncio.gather(delivering, return_exceptions=True)
        ledger.stdin.write("\n")
        ledger.stdin.flush()
        held = json.loads(ledger.stdout.readline())
        ledger.stdin.close()
        ledger.wait(10)
    await spool.close()
    return {
        "readings": readings,
        "all_held_by_the_ledger": sum(held.values()) == sent,
        "cpu_share_of_a_core": round(cpu_s / seconds, 4),
        "readings_per_cpu_s": round(readings / cpu_s),
        "write_bytes_per_reading": round(written / readings, 2),
        "syncs_per_minute": round(len(syncs) * 60 / seconds, 1),
        "frames_waiting_at_the_end": waiting,
    }


def start(path: Path, frames: int) -> dict[str, Any]:
    """Make a large spool of registers, and open it in another process."""
    shape = Shape(tuple(f"R-{p:03d}.energy" for p in range(83)), (False,) * 83)
    row = ("active_energy_import", "Wh", "10", "1", None, "primary", "modbus 1 int32", "", "")
    table = PointTable(tuple(PointRow(name, *row) for name in shape.points))
    texts = ShapeTexts(shape, table)
    with patch("os.fsync", _no_sync), patch("os.fdatasync", _no_sync):
        spool = Spool(path, AGENT)
        store = spool.store
        store.runs.begin()
        store.keep_table(table)
        at = 0
        while at < frames:
            parts = []
            for _ in range(min(1_000, frames - at)):
                at += 1
                groups: list[Group] = [
                    *texts.groups(Scan(shape, T0_MS + 10_000 * at, [at + p for p in range(83)]))
                ]
                parts.append(Pending(table, groups))
            cuts = tuple(cut(Stream(AGENT, Lane.REGISTERS, spool.epoch), *store.end(Lane.REGISTERS), parts))
            for first in range(0, len(cuts), 100):
                some = cuts[first : first + 100]
                segment, offset = store.append(Lane.REGISTERS, some)
                store.account(Lane.REGISTERS, segment, offset, some)
        asyncio.run(spool.close())
    size = sum(file.stat().st_size for file in path.glob("*.frames"))
    for file in path.glob("*.frames"):  # as after a start of the machine
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    figures: dict[str, Any] = {"frames": frames, "bytes": size}
    for how in ("timed", "traced"):
        command = [sys.executable, "-m", "bench.spool", "--open", str(path), "--how", how]
        figures |= json.loads(subprocess.check_output(command, cwd=HERE.parent))
    return figures


def opened(path: Path, how: str) -> dict[str, Any]:
    """Open a spool, tell a sender of it, and say how long that took, or what it keeps in memory."""
    if how == "traced":
        tracemalloc.start()
    begin_s, cpu_s = time.perf_counter(), time.process_time()
    spool = Spool(path, AGENT)
    open_s = time.perf_counter() - begin_s
    sender = Sender(
        ["hq"],
        trusted={},
        past=lambda lane: Past(spool.store.epochs(lane), spool.store.gone(lane)),
        draw=lambda: secrets.token_hex(8),
        jitter=random.random,
    )
    spool.listen(lambda frames: sender.on_written(frames, 0), sender.on_gone)
    ready_s = time.perf_counter() - begin_s
    if how == "traced":
        return {"memory_bytes_per_frame": round(tracemalloc.get_traced_memory()[0] / sender.unheld, 1)}
    return {
        "open_s": round(open_s, 2),
        "open_and_told_s": round(ready_s, 2),
        "open_and_told_cpu_s": round(time.process_time() - cpu_s, 2),
        "frames_told": sender.unheld,
    }


@contextmanager
def _counted_syncs() -> Iterator[list[int]]:
    """Count the syncs of this process' own files; SQLite's are its own business."""
    syncs: list[int] = []

    def counted(sync: Any) -> Any:
        def call(descriptor: int) -> None:
            syncs.append(descriptor)
            sync(descriptor)

        return call

    with patch("os.fsync", counted(os.fsync)), patch("os.fdatasync", counted(os.fdatasync)):
        yield syncs


def _no_sync(_: int) -> None:
    """Leave it to the system: the spool is made for one measurement."""


def _payload_bytes(plant: Plant, seconds: int) -> int:
    """Payload of some seconds of the load [bytes]."""
    texts: dict[Shape, ShapeTexts] = {}
    return sum(
        len(group.text) + 1
        for second in range(1, seconds + 1)
        for _, table, scan in plant.second(second)
        for group in (
            texts.get(scan.shape) or texts.setdefault(scan.shape, ShapeTexts(scan.shape, table))
        ).groups(scan)
    )


def _written_bytes() -> int:
    """What the kernel charges to this process for writing [bytes]."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["write_bytes"]) - int(lines["cancelled_write_bytes"])


if __name__ == "__main__":
    main()
