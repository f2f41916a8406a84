"""One task per device: it sleeps until a lane is due, reads it, and hands the readings on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from agent.schedule import Schedule
from core.delivery.frames import Lane
from core.delivery.payload import TakenReading
from core.errors import Unreachable
from core.runtime.clock import Clock
from core.runtime.logs import facts

log = logging.getLogger(__name__)

_FIRST_PAUSE_MS: Final = 5_000
_LONGEST_PAUSE_MS: Final = 120_000


class Source(Protocol):
    """Whatever the points of one device are read from."""

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Lanes in which the device has points."""

    async def read(self, lane: Lane, into: list[TakenReading]) -> None:
        """Read all points of a lane, appending to `into`; raises Unreachable when the device is silent."""

    async def close(self) -> None:
        """Let go of the connection."""


Take = Callable[[Lane, list[TakenReading]], None]


class Poller:
    """Keeps one device's schedule, whatever the others do.

    Parameters
    ----------
    device
        Id of the device.
    source
        What it is read from.
    schedules
        When each lane is due; a lane without points is left out.
    clock
        The time that readings carry.
    take
        Called with the readings of a lane, as soon as they are there.
    jitter
        Returns a number in [0, 1), so that silent devices are not all tried again at once.
    """

    def __init__(
        self,
        device: str,
        source: Source,
        *,
        schedules: Mapping[Lane, Schedule],
        clock: Clock,
        take: Take,
        jitter: Callable[[], float],
    ) -> None:
        self.device = device
        self._source = source
        self._schedules = schedules
        self._clock = clock
        self._take = take
        self._jitter = jitter
        self._failures = 0
        self._silent_since_ms: int | None = None
        self._not_before_ms = 0
        self._late: set[Lane] = set()

    async def run(self) -> None:
        """Read the device whenever it is due; never returns."""
        task = asyncio.current_task()
        with self._clock.pacer():
            now_ms = self._clock.now_ms()
            due = {lane: schedule.next_after(now_ms - 1) for lane, schedule in self._schedules.items()}
            while True:
                at_ms = min(due.values())
                await self._clock.sleep_until(at_ms)
                for lane in Lane:  # registers first
                    if due.get(lane, at_ms + 1) <= at_ms:
                        if self._clock.now_ms() >= self._not_before_ms:
                            await self._read(lane)
                        due[lane] = self._next(lane, due[lane])
                if task is not None and task.cancelling():
                    # Python 3.11's wait_for, which the libraries use, may swallow a cancel when the
                    # reply arrives in the same moment
                    raise asyncio.CancelledError

    async def close(self) -> None:
        """Let go of the device."""
        await self._source.close()

    def _next(self, lane: Lane, due_ms: int) -> int:
        """The next due time; one that has passed meanwhile is skipped and named, never caught up."""
        schedule, now_ms = self._schedules[lane], self._clock.now_ms()
        following_ms = schedule.next_after(due_ms)
        late = following_ms <= now_ms
        if late and lane not in self._late and self._silent_since_ms is None:
            log.warning(
                "%s is read slower than its schedule; due %s readings are skipped",
                self.device,
                lane.value,
                extra={
                    "seen": f"the reading due at {due_ms} was done at {now_ms} ms, after the next was due",
                    "cause": "the device or its gateway is slow, or the period is too short",
                    "next": f"lengthen {lane.value}.every_s",
                },
            )
            self._late.add(lane)
        elif lane in self._late and not late:
            log.info("%s keeps the schedule of its %s again", self.device, lane.value)
            self._late.discard(lane)
        return schedule.next_after(now_ms) if late else following_ms

    async def _read(self, lane: Lane) -> None:
        readings: list[TakenReading] = []
        try:
            await self._source.read(lane, readings)
        except Unreachable as error:
            self._failed(error)
        else:
            if self._failures:
                self._answers_again()
        if readings:
            self._take(lane, readings)

    def _failed(self, error: Unreachable) -> None:
        now_ms = self._clock.now_ms()
        self._failures += 1
        pause_ms = min(_FIRST_PAUSE_MS * 2 ** min(self._failures - 1, 10), _LONGEST_PAUSE_MS)
        self._not_before_ms = now_ms + int(pause_ms * (1 + self._jitter()) / 2)
        if self._silent_since_ms is None:
            self._silent_since_ms = now_ms
            log.warning("%s is silent: %s", self.device, error.what, extra=facts(error))

    def _answers_again(self) -> None:
        assert self._silent_since_ms is not None
        silent_s = (self._clock.now_ms() - self._silent_since_ms) / 1000
        log.info(
            "%s answers again after %.0f s and %d tries; its registers went on counting meanwhile",
            self.device,
            silent_s,
            self._failures,
        )
        self._failures, self._silent_since_ms, self._not_before_ms = 0, None, 0
