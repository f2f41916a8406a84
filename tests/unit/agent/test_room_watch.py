"""An agent and its disk: readings are grouped, a full disk stops it loudly, and it sends before it reads."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from agent import room_watch, service
from agent.room_watch import flush_in_groups, wait_for_room
from agent.spool import Room, Spool, SpoolFull
from config.agent import AgentConfig
from config.loading import load_agent
from core.delivery.frames import Lane
from core.runtime.clock import WallClock
from tests.unit.agent.fake_modbus import Asked, Send, fake_meter, refusal, reply

CONFIG = """
agent: aoba-1
site: aoba
time_zone: Asia/Tokyo
broker: {{host: 127.0.0.1, port: {broker}}}
required_ledgers: [hq]
spool_limits: {{max_mb: 64, keep_registers_days: 3, reserve_days: 0.5}}
metrics_port: null
registers: {{every_s: 0.05, boundary_margin_ms: 0}}
devices:
  - id: ALIVE
    profile: schneider_pm5xxx
    modbus: {{host: 127.0.0.1, port: {meter}, unit: 1, timeout_s: 0.5}}
    points: [active_energy_import]
"""


def room_of(left: int, *, rate: int | None = None) -> Room:
    return Room(9_000_000, 10_000_000, 1_000_000, True, 0, 9_000_000, left, 0, rate)


class Disk:
    """A spool with so much room."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.flushed: list[tuple[Lane, ...]] = []

    async def flush(self, lanes: Iterable[Lane] = tuple(Lane)) -> None:
        self.flushed.append(tuple(lanes))
        if len(self.flushed) == 31:
            raise asyncio.CancelledError


async def test_samples_are_flushed_each_second_and_registers_each_ten_after_the_first_ten() -> None:
    disk = Disk(room_of(10_000_000)._replace(alarm=False))
    with pytest.raises(asyncio.CancelledError):
        await flush_in_groups(disk, 0, lambda: 0, lambda event: None)  # type: ignore[arg-type]  # a double
    both = [number for number, lanes in enumerate(disk.flushed, 1) if Lane.REGISTERS in lanes]
    assert both == [*range(1, 11), 20, 30] and all(Lane.SAMPLES in lanes for lanes in disk.flushed)


@pytest.mark.parametrize(
    "room", [room_of(999_999), room_of(2_000_000, rate=96_000_000)], ids=["no room", "not for an hour"]
)
async def test_nothing_is_read_until_there_is_room_or_the_agent_is_told_to_stop(
    room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(room_watch, "_LOOK_S", 0.001)
    stop, disk = asyncio.Event(), Disk(room)
    waiting = asyncio.create_task(wait_for_room(disk, stop))  # type: ignore[arg-type]  # a double
    await asyncio.sleep(0.05)
    assert not waiting.done()
    disk.room = room_of(4_000_000, rate=96_000_000)
    await asyncio.wait_for(waiting, 5)
    assert "the disk is full: nothing is read until there is room" in caplog.messages[0]
    disk.room = room
    waiting = asyncio.create_task(wait_for_room(disk, stop))  # type: ignore[arg-type]  # a double
    await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(waiting, 5)


class Reading:
    """A meter that counts how often it was read."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, asked: Asked, send: Send) -> None:
        if asked.count != 4:
            send(refusal(asked, 2))
            return
        self.count += 1
        send(reply(asked, [0, 0, 0, self.count]))
        if self.count == 3:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def configured(tmp_path: Path, free_port: Callable[[], int]) -> Callable[[int], AgentConfig]:
    def configure(meter: int) -> AgentConfig:
        path = tmp_path / "agent.yaml"
        path.write_text(CONFIG.format(meter=meter, broker=free_port()), encoding="utf-8")
        return load_agent(path)

    return configure


async def test_an_agent_that_finds_its_disk_full_reads_as_soon_as_there_is_room(
    configured: Callable[[int], AgentConfig],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(room_watch, "_LOOK_S", 0.01)
    meter, looks = Reading(), 0

    def full(spool: Spool) -> Room:
        nonlocal looks
        looks += 1
        return room_of(0) if looks < 20 else spool.store.room

    monkeypatch.setattr(Spool, "room", property(full))
    async with fake_meter(meter) as peer, asyncio.timeout(20):
        with caplog.at_level(logging.INFO, logger="agent"):
            await service.serve(configured(peer.port), WallClock())
    assert looks >= 20 and meter.count >= 3
    assert sum("the disk is full" in message for message in caplog.messages) == 1


async def test_a_disk_that_gets_full_ends_the_agent_with_3(
    configured: Callable[[int], AgentConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise SpoolFull("the disk is full: nothing is read any more", next="free space")

    monkeypatch.setattr("agent.spool.room.RoomMaker.make", full)
    async with fake_meter(Reading()) as peer, asyncio.timeout(20):
        with pytest.raises(SpoolFull) as stopped:
            await service.serve(configured(peer.port), WallClock())
    assert stopped.value.exit_code == 3


def test_the_limits_of_the_configuration_are_the_spools(configured: Callable[[int], AgentConfig]) -> None:
    limits = service.limits_of(configured(1))
    assert (limits.max_bytes, limits.keep_registers_days, limits.reserve_days) == (64_000_000, 3, 0.5)
