"""A device keeps its schedule; what is missed is skipped and said once, never caught up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise

import pytest

from agent.poller import Poller
from agent.schedule import Schedule
from core.delivery.frames import Lane
from core.delivery.payload import TakenReading
from core.errors import Unreachable

MINUTE_MS = 60_000


class Finished(Exception):
    pass


class JumpingClock:
    """Time passes only in sleep, at once; it ends at `end_ms`."""

    def __init__(self, start_ms: int, end_ms: int) -> None:
        self.time_ms, self.end_ms = start_ms, end_ms

    def now_ms(self) -> int:
        return self.time_ms

    async def sleep_until(self, time_ms: int) -> None:
        if time_ms > self.end_ms:
            raise Finished
        self.time_ms = max(self.time_ms, time_ms)
        await asyncio.sleep(0)

    def pacer(self) -> AbstractContextManager[None]:
        return nullcontext()

    def before_advance(self, hook: Callable[[], Awaitable[None]]) -> None:
        raise AssertionError("a poller has no hooks")


class Meter:
    """Answers with the time; `takes_ms` passes meanwhile; silent in some span of time."""

    def __init__(self, clock: JumpingClock, *, takes_ms: int = 0, silent: range = range(0)) -> None:
        self.clock, self.takes_ms, self.silent = clock, takes_ms, silent
        self.tries: list[int] = []
        self.lanes = tuple(Lane)

    async def read(self, lane: Lane, into: list[TakenReading]) -> None:
        self.tries.append(self.clock.time_ms)
        now_ms = self.clock.time_ms
        self.clock.time_ms += self.takes_ms
        if now_ms in self.silent:
            raise Unreachable("No reply", where="192.0.2.7:502 unit 1", evidence="no complete reply")
        into.append(TakenReading(f"m.{lane}", now_ms, now_ms))

    async def close(self) -> None:
        pass


async def run(clock: JumpingClock, meter: Meter, schedules: dict[Lane, Schedule]) -> list[tuple[Lane, int]]:
    taken: list[tuple[Lane, int]] = []
    poller = Poller(
        "AOB-RCV-01",
        meter,
        schedules=schedules,
        clock=clock,
        take=lambda lane, readings: taken.extend((lane, reading.time_ms) for reading in readings),
        jitter=lambda: 0.0,
    )
    with pytest.raises(Finished):
        await poller.run()
    return taken


async def test_both_lanes_are_read_when_they_are_due_registers_first() -> None:
    clock = JumpingClock(0, MINUTE_MS)
    schedules = {Lane.SAMPLES: Schedule(20_000), Lane.REGISTERS: Schedule(MINUTE_MS)}
    assert await run(clock, Meter(clock), schedules) == [
        (Lane.REGISTERS, 0),  # the start itself is due: it may be a month's boundary
        (Lane.SAMPLES, 0),
        (Lane.SAMPLES, 20_000),
        (Lane.SAMPLES, 40_000),
        (Lane.REGISTERS, MINUTE_MS),
        (Lane.SAMPLES, MINUTE_MS),
    ]


async def test_a_slow_device_skips_what_it_missed_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = JumpingClock(0, 60_000)
    with caplog.at_level(logging.INFO):
        taken = await run(clock, Meter(clock, takes_ms=25_000), {Lane.SAMPLES: Schedule(10_000)})
    assert [time_ms for _, time_ms in taken] == [0, 30_000, 60_000]
    (record,) = caplog.records
    assert "AOB-RCV-01 is read slower than its schedule" in record.getMessage()


async def test_a_silent_device_gives_no_reading_and_is_said_once_then_tried_ever_less_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = JumpingClock(0, 600_000)
    meter = Meter(clock, silent=range(10_000, 300_000))
    with caplog.at_level(logging.INFO):
        taken = await run(clock, meter, {Lane.SAMPLES: Schedule(1_000)})

    times = [time_ms for _, time_ms in taken]
    assert times[:11] == list(range(0, 10_000, 1_000)) + times[10:11]
    tries = [at - 10_000 for at in meter.tries if 10_000 <= at < 300_000]
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses == [3_000, 5_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000]
    assert times[10:] == list(range(times[10], 600_001, 1_000))  # back on its grid

    silent, again = caplog.records
    assert silent.getMessage() == "AOB-RCV-01 is silent: No reply"
    assert silent.__dict__["where"] == "192.0.2.7:502 unit 1"
    assert "answers again after" in again.getMessage()


async def test_a_silent_device_costs_the_others_no_reading() -> None:
    clocks = JumpingClock(0, 120_000), JumpingClock(0, 120_000)
    schedules = {Lane.REGISTERS: Schedule(MINUTE_MS, 2_000)}
    dead, alive = Meter(clocks[0], silent=range(10**9)), Meter(clocks[1])
    nothing, taken = await asyncio.gather(run(clocks[0], dead, schedules), run(clocks[1], alive, schedules))
    assert nothing == []
    assert [time_ms for _, time_ms in taken] == [2_000, 60_000, 120_000]


async def test_an_error_that_is_no_silence_ends_the_agent_loudly() -> None:
    class Broken(Meter):
        async def read(self, lane: Lane, into: list[TakenReading]) -> None:
            raise KeyError("a mistake of ours")

    clock = JumpingClock(0, MINUTE_MS)
    poller = Poller(
        "D",
        Broken(clock),
        schedules={Lane.SAMPLES: Schedule(1_000)},
        clock=clock,
        take=lambda lane, readings: None,
        jitter=lambda: 0.0,
    )
    with pytest.raises(KeyError):
        await poller.run()


async def test_a_cancel_that_a_library_swallows_ends_the_poller_all_the_same() -> None:
    class Swallowing(Meter):
        async def read(self, lane: Lane, into: list[TakenReading]) -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                into.append(TakenReading("m.registers", 0, 1))

    clock = JumpingClock(0, 10 * MINUTE_MS)
    taken: list[TakenReading] = []
    poller = Poller(
        "D",
        Swallowing(clock),
        schedules={Lane.REGISTERS: Schedule(MINUTE_MS)},
        clock=clock,
        take=lambda lane, readings: taken.extend(readings),
        jitter=lambda: 0.0,
    )
    task = asyncio.create_task(poller.run())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 2)
    assert len(taken) == 1  # what was read is kept
