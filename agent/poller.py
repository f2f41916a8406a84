"""One task per bus: it reads what is due, and tries the silent units in what time is left.

How due times, probing and back-off work together: docs/polling.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from math import inf
from typing import Final

from agent.board import Board
from agent.polled import PolledDevice
from agent.schedule import Schedule
from agent.timetable import Timetable
from core.delivery.frames import Lane
from core.errors import Unreachable
from core.runtime.clock import Clock
from core.timeline import HALF_HOUR_MS

FIRST_PAUSE_MS: Final = 5_000
LONGEST_PAUSE_MS: Final = 120_000
QUICK_MS: Final = 1_000
"""Pauses between the tries of a silent unit, and the one after its first lost reply [ms]."""
RECONNECT_MS: Final = 20
LEAST_PROBE_MS: Final = 50
"""What a probe in vain costs after its deadline, and the shortest that is worth its while [ms]."""
FIRST_TRY_MS: Final = 1_000
"""Longest wait for a unit that has never been tried, while others wait for their first try [ms]."""
LONG_EVERY: Final = 8
LONG_SHARE: Final = 500
FULL_AFTER: Final = 63
FULL_SHARE: Final = 5_000
"""Which tries may hold up others for half the shortest period, after how many some may wholly, and for what
part of the bus's time [1]."""
_OVERDUE_MS: Final = 120_000
_BEFORE_HALF_HOUR_MS: Final = 10_000  # then nothing is held up: its registers are read in time


class BusPoller:
    """Reads the devices of one bus, whatever happens on the others.

    Parameters
    ----------
    devices
        Those that share the bus.
    clock
        The time that readings carry.
    board
        Where lateness and counts are shown.
    jitter
        Returns a number in [0, 1), so that silent gateways are not all tried again at once.
    workers
        How many requests the bus takes at a time [1].
    settle_ms
        What the bus needs after a reconnect [ms].
    """

    def __init__(
        self,
        devices: Sequence[PolledDevice],
        *,
        clock: Clock,
        board: Board,
        jitter: Callable[[], float],
        workers: int = 1,
        settle_ms: int = 0,
    ) -> None:
        self.devices = tuple(devices)
        self._clock, self._board, self._jitter, self._workers = clock, board, jitter, workers
        self._margin_ms, self._timetable, self._jumps = RECONNECT_MS + settle_ms, Timetable(), clock.jumps
        self._later: dict[int, list[tuple[Lane, int]]] = {}
        self._silent = list(range(len(self.devices)))
        self._identity_ms: float = inf
        self._not_before_ms: dict[int | None, int] = {}
        self._long_ms = min(each.every_ms for device in devices for each in device.schedules.values()) // 2
        self._typical_ms, self._down_tries, self._down_until_ms = 0.0, 0, 0

    @property
    def bus(self) -> str:
        """What the devices share."""
        return self.devices[0].state.bus

    async def run(self) -> None:
        """Read the devices whenever they are due; never returns."""
        self._try_all(self._clock.now_ms())
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work())

    async def close(self) -> None:
        """Let go of the devices."""
        for device in self.devices:
            await device.close()

    async def _work(self) -> None:
        task, clock = asyncio.current_task(), self._clock
        with clock.pacer():
            while True:
                now_ms = clock.now_ms()
                if clock.jumps != self._jumps:
                    self._jumps = clock.jumps
                    self._timetable.begin_again(now_ms)
                if (due := self._next_due(now_ms)) is not None:
                    await self._read(*due)
                elif (number := self._next_identity(now_ms)) is not None:
                    await self._identify(number)
                elif (probe := self._next_probe(now_ms)) is not None:
                    await self._probe(*probe)
                else:
                    await clock.sleep_until(self._wake_ms(now_ms))
                if task is not None and task.cancelling():  # 3.11's wait_for, in libraries, may swallow one
                    raise asyncio.CancelledError

    def _next_due(self, now_ms: int) -> tuple[int, Lane, int] | None:
        """What is to be read now; what is skipped is named."""
        while (due := self._timetable.next_due(now_ms)) is not None:
            device = self.devices[due.number]
            if due.skipped:
                device.skip(due.lane, due.skipped, due.due_ms, now_ms)
            elif device.busy:  # another worker asks it, and goes on with this
                self._later.setdefault(due.number, []).append((due.lane, due.due_ms))
            else:
                return due.number, due.lane, due.due_ms
        return None

    async def _read(self, number: int, lane: Lane, due_ms: int) -> None:
        device, board = self.devices[number], self._board
        while True:
            started_ms = self._clock.now_ms()
            board.lateness.add(lane, started_ms - due_ms)
            device.busy = True
            try:
                await device.read(lane)
            except Unreachable as error:
                board.count(device.state, lane, started_ms)
                self._lost(number, error)
                self._later.pop(number, None)
                return
            finally:
                device.busy = False
            now_ms = self._clock.now_ms()
            board.count(device.state, lane, started_ms, taken=1)
            device.state.last_ok_ms = now_ms
            self._typical_ms += (now_ms - started_ms - self._typical_ms) / 16
            if device.identity_due_ms < self._identity_ms:
                self._identity_ms = device.identity_due_ms
            waiting = self._later.get(number)
            if not waiting:
                return
            lane, due_ms = waiting.pop(0)

    def _lost(self, number: int, error: Unreachable) -> None:
        """A device that answered is silent, or its whole bus is."""
        now_ms, lost = self._clock.now_ms(), [number]
        if self.devices[number].means_its_bus(error):
            lost = [each for each in range(len(self.devices)) if each not in self._silent]
            self._bus_failed(now_ms)
        self._silent += [each for each in lost if each not in self._silent]
        for each in lost:
            self._timetable.leave(each)
            self._failed(each, error, now_ms)

    def _failed(self, number: int, error: Unreachable, now_ms: int) -> None:
        self.devices[number].failed(error, now_ms)
        state = self.devices[number].state
        state.next_try_ms = now_ms + self._pause_ms(state.tries)

    def _bus_failed(self, now_ms: int) -> None:
        self._down_tries += 1
        self._down_until_ms = now_ms + self._pause_ms(self._down_tries)

    def _pause_ms(self, tries: int) -> int:
        pause_ms = QUICK_MS if tries == 1 else min(FIRST_PAUSE_MS << min(tries - 2, 10), LONGEST_PAUSE_MS)
        return int(pause_ms * (1 + self._jitter()) / 2)

    def _next_probe(self, now_ms: int) -> tuple[int, int | None] | None:
        """The silent unit to try now and how long [ms], if there is time for it before the next reading."""
        silent = [number for number in self._silent if not self.devices[number].busy]
        if not silent or now_ms < self._down_until_ms:
            return None
        states = [device.state for device in self.devices]
        if self._down_tries:  # ask one, the one that answered last
            return max(silent, key=lambda number: (states[number].last_ok_ms or 0, -number)), None
        number = min(silent, key=lambda number: states[number].next_try_ms or 0)
        if (overdue_ms := now_ms - (states[number].next_try_ms or 0)) < 0:
            return None
        idle_ms = self._timetable.idle_until_ms() - now_ms
        if idle_ms == inf:
            untried = any(states[other].tries == 0 for other in silent if other != number)
            return number, FIRST_TRY_MS if untried and states[number].tries == 0 else None
        is_turn = states[number].tries % LONG_EVERY == LONG_EVERY - 1 or overdue_ms > _OVERDUE_MS
        if is_turn and -now_ms % HALF_HOUR_MS > _BEFORE_HALF_HOUR_MS:
            for long_ms in (None, self._long_ms) if states[number].tries >= FULL_AFTER else (self._long_ms,):
                if now_ms >= self._not_before_ms.get(long_ms, 0):
                    return number, long_ms
        within_ms = int(idle_ms) - self._margin_ms
        if within_ms < max(LEAST_PROBE_MS, 2 * self._typical_ms):
            return None
        return number, min(within_ms, FIRST_TRY_MS) if states[number].tries == 0 else within_ms

    async def _probe(self, number: int, within_ms: int | None) -> None:
        """Try a silent unit; what it answers is a reading like any other."""
        device, started_ms = self.devices[number], self._clock.now_ms()
        lane = next(lane for lane in Lane if lane in device.schedules)
        device.busy = True
        try:
            await device.read(lane, within_s=within_ms and within_ms / 1000, idle_s=self._idle_s)
        except Unreachable as error:
            now_ms = self._clock.now_ms()
            if within_ms is None or within_ms == self._long_ms:
                share = FULL_SHARE if within_ms is None else LONG_SHARE
                self._not_before_ms[within_ms] = now_ms + share * (now_ms - started_ms)
            if device.means_its_bus(error):
                self._bus_failed(now_ms)
                for each in self._silent:
                    self._failed(each, error, now_ms)
                return
            self._bus_answers(now_ms)
            self._failed(number, error, now_ms)
        else:
            self._bus_answers(started_ms)
            self._revived(number, lane, started_ms)
        finally:
            device.busy = False

    def _idle_s(self) -> float:
        """How long nothing is due, and the bus would still be in time after a question in vain [s]."""
        return (self._timetable.idle_until_ms() - self._clock.now_ms() - self._margin_ms) / 1000

    def _bus_answers(self, now_ms: int) -> None:
        """The bus is there again: each of its units may be."""
        if self._down_tries:
            self._down_tries = self._down_until_ms = 0
            self._try_all(now_ms)

    def _try_all(self, now_ms: int) -> None:
        for number in self._silent:
            self.devices[number].state.next_try_ms = now_ms

    def _revived(self, number: int, probed: Lane, started_ms: int) -> None:
        """Put a device that answers back into the schedule."""
        device, board = self.devices[number], self._board
        board.settle(started_ms - 1, (device.state,))
        if len(self._silent) == len(self.devices):  # what they share was silent, and is there again
            self._try_all(started_ms)
        self._silent.remove(number)
        due: dict[Lane, tuple[Schedule, int]] = {}
        for lane, schedule in device.schedules.items():
            due[lane] = schedule, schedule.next_after(started_ms if lane is probed else started_ms - 1)
        self._timetable.enter(number, due)
        board.count(device.state, probed, started_ms, taken=1)
        device.answered(self._clock.now_ms())
        self._identity_ms = min(self._identity_ms, device.identity_due_ms)

    def _next_identity(self, now_ms: int) -> int | None:
        """The device to ask what it is, if it is time, and there is time."""
        if now_ms < self._identity_ms:
            return None
        number = min(
            (number for number, device in enumerate(self.devices) if device.answers and not device.busy),
            key=lambda number: self.devices[number].identity_due_ms,
            default=None,
        )
        if number is None or self.devices[number].identity_due_ms > now_ms:
            self._settle_identity()
            return None
        return number if 1000 * self._idle_s() >= max(LEAST_PROBE_MS, 2 * self._typical_ms) else None

    async def _identify(self, number: int) -> None:
        device = self.devices[number]
        device.busy = True
        try:
            await device.identify(self._typical_ms, self._idle_s())
        finally:
            device.busy = False
        self._settle_identity()
        for lane, due_ms in self._later.pop(number, ()):
            await self._read(number, lane, due_ms)

    def _settle_identity(self) -> None:
        self._identity_ms = min(
            (device.identity_due_ms for device in self.devices if device.answers), default=inf
        )

    def _wake_ms(self, now_ms: int) -> int:
        """When there may be something to do."""
        wake_ms = self._timetable.idle_until_ms()
        if self._silent:
            try_ms = min(self.devices[number].state.next_try_ms or 0 for number in self._silent)
            try_ms = self._down_until_ms if self._down_tries else try_ms
            if try_ms > now_ms:
                wake_ms = min(wake_ms, try_ms)
        if now_ms < self._identity_ms:
            wake_ms = min(wake_ms, self._identity_ms)
        return now_ms + 1_000 if wake_ms == inf else int(wake_ms)
