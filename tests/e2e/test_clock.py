"""A machine whose clock is wrong: every reading is taken, and its time is right in the ledger."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from agent import service
from agent.service import serve
from agent.spool import Spool
from collector.ledger import Ledger, delivery
from collector.ledger.holdings import LedgerHoldings
from config.loading import load_agent
from core.delivery.frames import Frame, Lane
from core.delivery.messages import Data, Table
from core.delivery.receiver import Arrival, decide
from core.metering.cells import Cell
from core.runtime.steady import SteadyClock
from tests.unit.agent.fake_modbus import Asked, Send, fake_meter, refusal, reply
from tests.unit.core.runtime.test_steady import MS, START_MS

POINT = "M-1.active_energy_import"
CONFIG = """
agent: aoba-1
site: aoba
time_zone: Asia/Tokyo
broker: {{host: 127.0.0.1, port: {broker}}}
required_ledgers: [hq]
metrics_port: null
registers: {{every_s: 0.05, boundary_margin_ms: 0, spread: false}}
devices:
  - id: M-1
    profile: schneider_pm5xxx
    modbus: {{host: 127.0.0.1, port: {meter}, unit: 1, timeout_s: 0.5}}
    points: [active_energy_import]
"""


class Running:
    """A machine that runs with the test, on whose wall clock the test lays its hand."""

    def __init__(self, wall_ms: int) -> None:
        self.ahead_ms = wall_ms - self.steady_ms()

    def steady_ms(self) -> int:
        return round(asyncio.get_running_loop().time() * 1000)

    def wall_ms(self) -> int:
        return self.steady_ms() + self.ahead_ms

    def clock(self) -> SteadyClock:
        return SteadyClock(
            wall_ns=lambda: self.wall_ms() * MS,
            steady_ns=lambda: self.steady_ms() * MS,
            boot="6453a651587745ae",
        )


class Meter:
    """Counts its readings, and keeps when it was asked by a clock that nobody sets."""

    def __init__(self, machine: Running, at: Callable[[int], None]) -> None:
        self.machine, self.at = machine, at
        self.asked_ms: list[int] = []

    async def __call__(self, asked: Asked, send: Send) -> None:
        if asked.count != 4:  # it is asked what it is
            send(refusal(asked, 2))
            return
        self.asked_ms.append(self.machine.steady_ms())
        send(reply(asked, [0, 0, 0, len(self.asked_ms)]))
        self.at(len(self.asked_ms))


async def run_agent(folder: Path, machine: Running, broker: int, at: Callable[[int], None]) -> Meter:
    """Let an agent read until it is told to stop."""
    meter = Meter(machine, at)
    async with fake_meter(meter) as peer, asyncio.timeout(20):
        path = folder / "agent.yaml"
        path.write_text(CONFIG.format(meter=peer.port, broker=broker), encoding="utf-8")
        await serve(load_agent(path), machine.clock())
    return meter


async def delivered(folder: Path) -> tuple[list[Frame], list[Table]]:
    """What the agent has on disk, as it would send it."""
    spool = Spool(folder / "spool", "aoba-1")
    written = spool.store.take_backlog()
    frames = [
        frame for one in written for frame in spool.store.read(one.lane, one.epoch, [(one.at, one.at + 1)])
    ]
    tables = [spool.store.table(digest) for digest in {frame.table for frame in frames}]
    await spool.close()
    return frames, [Table(digest=table.digest, points=table.rows) for table in tables if table is not None]


def cells_of(path: Path, frames: Sequence[Frame], tables: Sequence[Table]) -> tuple[Cell, ...]:
    """What a new ledger holds of the point after these frames came one by one, in this order."""
    path.mkdir()
    ledger = Ledger.open(path, create=True)
    messages: list[Data | Table] = [*tables, *(Data.of([frame]) for frame in frames)]
    for message in messages:
        arrival = Arrival("aoba", "aoba-1", Lane.REGISTERS, message)
        with ledger.writing() as connection:
            delivery.write(connection, decide([arrival], LedgerHoldings(connection), "0" * 32), START_MS)
    cells = ledger.cells(POINT)
    ledger.close()
    return cells


async def test_readings_taken_in_1970_get_their_times_when_the_clock_is_right(
    tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "GROUP_S", 0.04)
    machine = Running(wall_ms=30_000)
    wall_at_0_ms = START_MS - machine.steady_ms()

    def at(reading: int) -> None:
        if reading == 20:
            machine.ahead_ms = wall_at_0_ms
        elif reading == 60:
            os.kill(os.getpid(), signal.SIGTERM)

    meter = await run_agent(tmp_path, machine, free_port(), at)
    frames, tables = await delivered(tmp_path)
    assert len(frames) > 4
    shuffled = random.Random(7).sample(frames, len(frames))
    orders = {"as written": frames, "anchor first": frames[::-1], "at random": shuffled}
    found = {order: cells_of(tmp_path / order, some, tables) for order, some in orders.items()}
    assert found["as written"] == found["anchor first"] == found["at random"]
    readings = [reading for cell in found["as written"] for reading in cell.readings]
    assert [count for _, count, _ in readings] == list(range(1, len(readings) + 1))
    assert 60 <= len(readings) <= len(meter.asked_ms)
    for (time_ms, _, _), asked_ms in zip(readings, meter.asked_ms, strict=False):
        assert abs(time_ms - (asked_ms + wall_at_0_ms)) <= 60


async def test_a_clock_that_is_set_back_costs_no_reading_and_no_time_goes_back(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    machine = Running(wall_ms=START_MS)

    def at(reading: int) -> None:
        if reading == 20:
            machine.ahead_ms -= 3_600_000
        elif reading == 50:
            os.kill(os.getpid(), signal.SIGTERM)

    meter = await run_agent(tmp_path, machine, free_port(), at)
    frames, tables = await delivered(tmp_path)
    readings = [reading for cell in cells_of(tmp_path / "hq", frames, tables) for reading in cell.readings]
    assert [count for _, count, _ in readings] == list(range(1, len(readings) + 1))
    assert 50 <= len(readings) <= len(meter.asked_ms)
    assert all(earlier[0] < later[0] for earlier, later in pairwise(readings))
    real_ms = meter.asked_ms[45] - meter.asked_ms[25]
    assert readings[45][0] - readings[25][0] == pytest.approx(real_ms / 2, abs=60)
