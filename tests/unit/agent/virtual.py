"""Virtual time, and buses whose round trips take it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from zoneinfo import ZoneInfo

import pytest

from agent.board import Board, DeviceState
from agent.counters import Event
from agent.deadband import Deadband
from agent.judgement import Judge
from agent.polled import PolledDevice, Take
from agent.poller import BusPoller
from agent.readings import Identity, Scan, Shape
from agent.schedule import Schedule
from core.delivery.frames import Lane
from core.errors import Unreachable


class Finished(Exception):
    pass


class JumpingClock:
    """Time passes only in sleep, at once, unless somebody is `asking`; it ends at `end_ms`."""

    jumps = 0

    def __init__(self, start_ms: int, end_ms: int) -> None:
        self.time_ms, self.end_ms = start_ms, end_ms
        self.asking: list[str] = []

    def now_ms(self) -> int:
        return self.time_ms

    async def sleep_until(self, time_ms: int) -> None:
        while self.asking:  # noqa: ASYNC110  a clock has no event to wait for
            await asyncio.sleep(0)
        if time_ms > self.end_ms:
            raise Finished
        self.time_ms = max(self.time_ms, time_ms)
        await asyncio.sleep(0)

    async def reached(self, time_ms: int) -> None:
        """Return when it is so late; whoever else is awake goes on meanwhile."""
        while self.time_ms < time_ms:  # noqa: ASYNC110  a clock has no event to wait for
            await asyncio.sleep(0)

    def pacer(self) -> AbstractContextManager[None]:
        return nullcontext()

    def before_advance(self, hook: Callable[[], Awaitable[None]]) -> None:
        raise AssertionError("a poller has no hooks")


class Meter:
    """Answers with the time; `takes_ms` passes meanwhile, or the whole deadline where it is silent."""

    def __init__(
        self,
        clock: JumpingClock,
        *,
        takes_ms: int = 0,
        silent: range = range(0),
        deadline_ms: int = 0,
        bus: str = "192.0.2.7:502",
        lanes: Sequence[Lane] = tuple(Lane),
    ) -> None:
        self.clock, self.takes_ms, self.silent, self.deadline_ms = clock, takes_ms, silent, deadline_ms
        self.bus, self.lanes = bus, tuple(lanes)
        self.where = f"{bus} unit 1"
        self.tries: list[int] = []
        self.caps: list[float | None] = []
        self.reads: list[tuple[Lane, int]] = []
        self.serial_number = ""
        self.happened: list[Event] = []
        self.shapes = {lane: Shape((f"m.{lane}",), (False,)) for lane in Lane}

    async def read(self, lane: Lane, into: list[Scan], *, within_s: float | None = None) -> None:
        now_ms = self.clock.time_ms
        self.tries.append(now_ms)
        self.caps.append(within_s)
        deadline_ms = self.deadline_ms if within_s is None else min(self.deadline_ms, int(1000 * within_s))
        if now_ms in self.silent:
            self.clock.time_ms += deadline_ms
            raise Unreachable("No reply", where=self.where, evidence="no complete reply")
        if within_s is not None and self.takes_ms > 1000 * within_s:
            self.clock.time_ms += deadline_ms
            raise Unreachable("No reply", where=self.where, evidence="too slow")
        self.clock.time_ms += self.takes_ms
        self.reads.append((lane, now_ms))
        into.append(Scan(self.shapes[lane], now_ms, [now_ms]))

    async def identify(self, *, within_s: float | None = None) -> Identity | None:
        return Identity(serial_number=self.serial_number) if self.serial_number else None

    async def close(self) -> None:
        pass


def board_at(time_ms: int) -> Board:
    return Board(started_ms=time_ms, zone=ZoneInfo("Asia/Tokyo"))


def polled(
    meter: Meter,
    schedules: dict[Lane, Schedule],
    board: Board,
    take: Take = lambda lane, scans, events: None,
    *,
    id: str = "AOB-RCV-01",
    judge: Judge | None = None,
    serial_number: str = "",
    expected: str | None = None,
) -> PolledDevice:
    rounds = {lane: (schedule, 1) for lane, schedule in schedules.items() if lane in meter.lanes}
    state = board.devices[id] = DeviceState(id, meter.where, meter.bus, rounds)
    return PolledDevice(
        meter,
        state=state,
        judge=judge or Judge({}),
        deadband=Deadband({}, 300_000),
        board=board,
        take=take,
        now_ms=meter.clock.now_ms,
        identity_ms=86_400_000,
        serial_number=serial_number,
        expected=expected,
    )


async def run(
    clock: JumpingClock, devices: Sequence[PolledDevice], board: Board, *, workers: int = 1
) -> None:
    """Poll until the clock's end."""
    poller = BusPoller(devices, clock=clock, board=board, jitter=lambda: 0.0, workers=workers)
    with pytest.raises(BaseExceptionGroup) as raised:
        await poller.run()
    if not raised.group_contains(Finished):
        raise raised.value
