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
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from agent.readings import Scan, Shape
from agent.spool import Spool
from agent.spool.cutting import Pending, cut
from agent.spool.texts import Group, ShapeTexts
from agent.uplink import Uplink
from bench.drain import broker, configuration
from bench.drain_load.load import AGENT, SITE, T0_MS
from bench.spool_load.plant import Plant
from bench.spool_load.queues import Queue, SpoolQueue, SqliteQueue
from core.delivery.frames import Lane, Stream
from core.delivery.inventory import Past
from core.delivery.sender import Sender
from core.delivery.tables import PointRow, PointTable

WARM_UP_S = 20
HERE = Path(__file__).parent


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
    payload = plant.payload_bytes(min(seconds, 60)) * seconds // min(seconds, 60)
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
        for _ in range(300):
            await asyncio.sleep(0.1 if uplink.undelivered else 0)
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


def _written_bytes() -> int:
    """What the kernel charges to this process for writing [bytes]."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["write_bytes"]) - int(lines["cancelled_write_bytes"])


if __name__ == "__main__":
    main()
