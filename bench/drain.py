"""How many bytes a reading takes on the wire, and how long a backlog takes to drain. Prints JSON.

Run it as ``.venv/bin/python -m bench.drain [--days 7] [--only wire|slow|full]`` on a machine that does
nothing else (a week: some 10 minutes, 1 GB of temporary space).

``wire``: messages as they go each ten seconds (registers) or second (samples), and in a backlog. ``slow``: a
backlog of registers over 1 kB/s, in virtual time: the agent's sender, spool and encoding are the real ones,
the link is a model, and the ledger answers at once. ``full``: spool, uplink, Mosquitto and a collector on
SQLite, in real time; the samples are those of some hours, and a week's are reckoned from them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

from agent.spool import Spool
from agent.uplink import Uplink
from bench.drain_load.load import AGENT, MINUTE_MS, SITE, T0_MS, Load, write
from bench.drain_load.slow_link import drained, mqtt_bytes
from config.agent import AgentConfig
from core.delivery import topics
from core.delivery.actions import SenderSettings
from core.delivery.frames import Frame, Lane
from core.delivery.messages import Data, encode, plain
from core.delivery.shelf import ENVELOPE_BYTES
from simulators.folder import free_ports

SEIREN = Path(sys.executable).with_name("seiren")
DAY_MS = 86_400_000
SAMPLES_HOURS = 6


def main() -> None:
    """Run what was asked for and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=float, default=7, help="length of the backlog of registers")
    parser.add_argument("--only", choices=("wire", "slow", "full"))
    asked = parser.parse_args()
    figures: dict[str, Any] = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "registers_per_minute": Load(Lane.REGISTERS).readings_per_minute,
        "samples_per_minute": Load(Lane.SAMPLES).readings_per_minute,
    }
    if asked.only in (None, "wire"):
        figures["on_the_wire"] = {lane.value: in_folder(wire, lane) for lane in Lane}
    if asked.only in (None, "slow"):
        figures["slow_link"] = in_folder(drained, asked.days, 1_000, None)
        figures["slow_link_with_cap"] = in_folder(drained, min(asked.days, 1), 10_000, 1_000)
    if asked.only in (None, "full"):
        figures["full_speed"] = in_folder(full_speed, asked.days)
    print(json.dumps(figures, indent=1))


def in_folder(what: Any, *arguments: object) -> Any:
    """Run a measurement in a folder of its own; in memory where there is such a place."""
    shm = Path("/dev/shm")
    where = shm if shm.is_dir() and shutil.disk_usage(shm).free > 2_000_000_000 else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        return asyncio.run(what(Path(folder), *arguments))


async def wire(folder: Path, lane: Lane) -> dict[str, Any]:
    """Return what a reading takes on the wire [bytes], one group at a time and in a backlog."""
    load = Load(lane)
    spool = Spool(folder / lane, AGENT, now_ms=lambda: T0_MS)
    await write(spool, load, 0, 30 * MINUTE_MS)
    frames = spool.store.read(lane, spool.epoch, ((0, spool.store.end(lane)[0]),))
    await spool.close()
    whole = [list(group) for _, group in groupby(frames, lambda frame: first_ms(frame) // load.group_ms)]
    return {"each_group": sizes(lane, whole), "backlog": sizes(lane, packed(frames))}


def first_ms(frame: Frame) -> int:
    """Return the time of a frame's first reading [ms since 1970 UTC]."""
    return int(frame.payload[2:15])


def packed(frames: list[Frame]) -> list[list[Frame]]:
    """Return the messages of a backlog: as full as the sender makes them on a quick link."""
    messages: list[list[Frame]] = []
    most_bytes = size = SenderSettings().message_bytes
    for frame in frames:
        size += len(frame.payload) + ENVELOPE_BYTES
        if size > most_bytes:
            messages.append([])
            size = len(frame.payload) + ENVELOPE_BYTES
        messages[-1].append(frame)
    return messages


def sizes(lane: Lane, messages: list[list[Frame]]) -> dict[str, float]:
    """Return bytes per reading of messages."""
    topic = topics.data(SITE, AGENT, lane)
    readings = sum(frame.n for message in messages for frame in message)
    payload = sum(len(frame.payload) for message in messages for frame in message)
    began_s = time.process_time()
    encoded = [encode(Data.of(message)) for message in messages]
    encode_us = 1e6 * (time.process_time() - began_s) / readings
    on_wire = sum(mqtt_bytes(topic, len(data)) for data in encoded)
    return {
        "readings_per_message": round(readings / len(messages), 1),
        "payload_bytes_per_reading": round(payload / readings, 2),
        "message_bytes_per_reading": round(sum(len(plain(data)) for data in encoded) / readings, 2),
        "on_wire_bytes_per_reading": round(on_wire / readings, 2),
        "encode_us_per_reading": round(encode_us, 2),
    }


HELD = "SELECT (SELECT sum(n) FROM frames) + (SELECT coalesce(sum(readings), 0) FROM blocks)"
"""Readings in a ledger: frames, and those of which only a block's digest is kept."""


async def full_speed(folder: Path, days: float) -> dict[str, Any]:
    """Return how fast a backlog goes from disk through broker and collector into its ledger."""
    hours = {Lane.REGISTERS: days * 24, Lane.SAMPLES: min(days * 24, SAMPLES_HOURS)}
    return {lane.value: await drain(folder, Load(lane), round(hours[lane] * 60)) for lane in Lane}


async def drain(folder: Path, load: Load, minutes: int) -> dict[str, Any]:
    """Return how fast the backlog of one lane goes."""
    lane = load.lane
    spool = Spool(folder / lane, AGENT, now_ms=lambda: T0_MS)
    await write(spool, load, 0, minutes * MINUTE_MS)
    readings = spool.store.end(lane)[1]
    with broker(folder) as port, collector(folder / f"hq-{lane}", port) as ledger:
        uplink = Uplink(configuration(port), spool)
        task = asyncio.create_task(uplink.run())
        await until(lambda: task.done() or uplink.ledgers()["hq"].alive)
        began_s, cpu_s = time.monotonic(), time.process_time()
        await until(lambda: task.done() or not uplink.waiting(lane).frames)
        took_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as database:
            (held,) = database.execute(HELD).fetchone()
    await spool.close()
    assert held == readings, f"{held} of {readings} are in the ledger"
    a_week = load.readings_per_minute * 7 * 24 * 60
    return {
        "readings": readings,
        "seconds": round(took_s, 1),
        "readings_per_s": round(readings / took_s),
        "agent_cpu_us_per_reading": round(1e6 * cpu_s / readings, 2),
        "a_weeks_backlog": {
            "readings": a_week,
            "seconds": round(took_s * a_week / readings),
            "reckoned": readings != a_week,
        },
    }


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    while not condition():  # noqa: ASYNC110 # a measurement from outside: there is nobody to tell it
        await asyncio.sleep(0.1)


def configuration(port: int) -> AgentConfig:
    """Return an agent that delivers to hq; its one device is never asked."""
    device = {"id": "B-1", "profile": "abb_b23", "modbus": {"host": "127.0.0.1", "unit": 1}}
    return AgentConfig.model_validate(
        {
            "agent": AGENT,
            "site": SITE,
            "time_zone": "Asia/Tokyo",
            "broker": {"host": "127.0.0.1", "port": port},
            "required_ledgers": ("hq",),
            "devices": (device,),
        }
    )


@contextmanager
def broker(folder: Path) -> Iterator[int]:
    """Run Mosquitto on loopback; its port."""
    (port,) = free_ports(1)
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n", encoding="utf-8")
    with process(
        [shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", str(config)], folder / "mosquitto.log"
    ):
        yield port


@contextmanager
def collector(folder: Path, port: int) -> Iterator[Path]:
    """Run the collector of the shipped works; its ledger."""
    folder.mkdir()
    shipped = (resources.files("config") / "sites/demo/hq.yaml").read_text(encoding="utf-8")
    (folder / "hq.yaml").write_text(shipped.replace("15883", str(port)), encoding="utf-8")
    with process([str(SEIREN), "collector", "run", str(folder)], folder / "collector.log"):
        yield folder / "ledger.sqlite"


@contextmanager
def process(command: list[str], log: Path) -> Iterator[None]:
    """Run a program; it is ended here."""
    with log.open("wb") as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        child.terminate()
        child.wait(30)


if __name__ == "__main__":
    main()
