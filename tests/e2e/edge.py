"""A whole agent against simulated devices: its configuration, a run, and what its disk holds then."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from agent.service import serve
from agent.spool import Spool
from config.agent import AgentConfig
from config.loading import load_agent
from core.delivery.payload import TakenReading, decode_payload
from core.runtime.clock import SteppedClock, WallClock, open_clock
from simulators.conductor import Conductor
from simulators.loads import MJ_PER_WH
from tests.servers import free_port


@dataclass(frozen=True)
class Steady:
    """A constant power since a moment; a count is 1 Wh."""

    watts: int
    since_ms: int
    opening: int = 1_000_000_000

    def count(self, time_ms: int) -> int:
        return self.opening + self.watts * (time_ms - self.since_ms) // MJ_PER_WH

    def power_w(self, time_ms: int) -> int:
        return self.watts


@dataclass
class Recorded:
    """What an agent left on its disk: readings by point in order of time, and events."""

    readings: dict[str, list[TakenReading]] = field(default_factory=dict)
    events: list[Mapping[str, Any]] = field(default_factory=list)

    def of(self, point: str, from_ms: int = 0, until_ms: int = 2**62) -> list[TakenReading]:
        """Return the readings of a point in [from, until) [ms since 1970-01-01 UTC]."""
        return [each for each in self.readings.get(point, ()) if from_ms <= each.time_ms < until_ms]

    def good(self, point: str, from_ms: int = 0, until_ms: int = 2**62) -> list[TakenReading]:
        """Return the good ones of them."""
        return [each for each in self.of(point, from_ms, until_ms) if each.quality == 0]

    def told(self, device: str, **like: object) -> list[Mapping[str, Any]]:
        """Return the events of a device or of its points that have these entries."""
        return [
            event
            for event in self.events
            if device in (event.get("device"), str(event.get("point", "")).partition(".")[0])
            and like.items() <= event.items()
        ]


def configure(folder: Path, devices: Sequence[Mapping[str, object]], **settings: object) -> AgentConfig:
    """Write an agent's configuration and load it; no broker is there."""
    content = {
        "agent": "a",
        "site": "s",
        "time_zone": "Asia/Tokyo",
        "broker": {"host": "127.0.0.1", "port": free_port()},
        "required_ledgers": ["hq"],
        "metrics_port": None,
        "devices": [dict(device) for device in devices],
        **settings,
    }
    path = folder / "agent.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_agent(path)


async def run_for(config: AgentConfig, seconds: float) -> Recorded:
    """Run an agent in real time for a while, as its process does."""
    stop = asyncio.get_running_loop().call_later(seconds, os.kill, os.getpid(), signal.SIGTERM)
    try:
        await serve(config, WallClock())
    finally:
        stop.cancel()
    return await read_back(config)


@asynccontextmanager
async def stepped(agent: str, start_ms: int, end_ms: int) -> AsyncIterator[tuple[SteppedClock, Conductor]]:
    """Lead an agent through virtual time, and tell it to stop at the end."""
    async with Conductor(start_ms, end_ms, expected=(agent,), on_time=lambda _: None) as conductor:
        clock = await asyncio.to_thread(open_clock, f"stepped:127.0.0.1:{conductor.port}", agent)
        assert isinstance(clock, SteppedClock)

        async def stop() -> None:
            await conductor.wait_ended()
            os.kill(os.getpid(), signal.SIGTERM)

        stopping = asyncio.create_task(stop())
        try:
            yield clock, conductor
        finally:
            stopping.cancel()
            await clock.close()
            await asyncio.sleep(0.01)  # because the conductor hears of it through a socket


async def read_back(config: AgentConfig) -> Recorded:
    """Return what is in a spool, in order of time."""
    found = Recorded()
    spool = Spool(config.spool, config.agent)
    for written in spool.store.take_backlog():
        for frame in spool.store.read(written.lane, written.epoch, [(written.at, written.at + 1)]):
            table = spool.store.table(frame.table)
            assert table is not None
            readings, events = decode_payload(frame, table)
            for reading in readings:
                found.readings.setdefault(reading.point, []).append(reading)
            found.events += events
    await spool.close()
    for point in found.readings.values():
        point.sort(key=lambda reading: reading.time_ms)
    return found


def wall_ms() -> int:
    """Return the machine's time [ms since 1970-01-01 UTC]."""
    return time.time_ns() // 1_000_000
