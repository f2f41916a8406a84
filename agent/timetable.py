"""What is due on a bus: registers before samples, the longest due first (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush, heapreplace
from math import inf
from typing import NamedTuple

from agent.schedule import Schedule
from core.delivery.frames import Lane


class Due(NamedTuple):
    """A reading that is due, or some that were overtaken by the next one: these are skipped.

    Parameters
    ----------
    number, lane
        The device, and what of it.
    due_ms
        Since when [ms since 1970 UTC].
    skipped
        Readings that were overtaken; 0: this one is to be read [1].
    """

    number: int
    lane: Lane
    due_ms: int
    skipped: int


class Timetable:
    """The next due times of those devices of a bus that answer."""

    def __init__(self) -> None:
        self._heaps: dict[Lane, list[tuple[int, int, int]]] = {lane: [] for lane in Lane}
        self._schedules: dict[tuple[int, Lane], Schedule] = {}
        self._generations: dict[int, int] = {}

    def enter(self, number: int, due: Mapping[Lane, tuple[Schedule, int]]) -> None:
        """Enter a device with its schedules and first due times [ms since 1970 UTC]."""
        generation = self._generations[number] = self._generations.get(number, 0) + 1
        for lane, (schedule, due_ms) in due.items():
            self._schedules[number, lane] = schedule
            heappush(self._heaps[lane], (due_ms, number, generation))

    def begin_again(self, now_ms: int) -> None:
        """Enter the due times after now: the clock was set forward, and none in between was ever due."""
        for lane, heap in self._heaps.items():
            heap[:] = [
                (self._schedules[number, lane].next_after(now_ms - 1), number, generation)
                for _, number, generation in heap
                if self._generations[number] == generation
            ]
            heapify(heap)

    def leave(self, number: int) -> None:
        """Take a device out."""
        self._generations[number] = self._generations.get(number, 0) + 1

    def next_due(self, now_ms: int) -> Due | None:
        """Return what to read now, its next due time entered already; or what is skipped; or None."""
        for lane, heap in self._heaps.items():
            while heap and heap[0][0] <= now_ms:
                due_ms, number, generation = heap[0]
                if self._generations[number] != generation:
                    heappop(heap)
                    continue
                schedule = self._schedules[number, lane]
                following_ms = schedule.next_after(due_ms)
                skipped = 0
                if following_ms <= now_ms:
                    following_ms = schedule.next_after(now_ms)
                    skipped = schedule.count(due_ms - 1, now_ms)
                heapreplace(heap, (following_ms, number, generation))
                return Due(number, lane, due_ms, skipped)
        return None

    def idle_until_ms(self) -> float:
        """Return when the next reading is due; infinite where there is none."""
        until_ms = inf
        for heap in self._heaps.values():
            while heap and self._generations[heap[0][1]] != heap[0][2]:
                heappop(heap)
            if heap and heap[0][0] < until_ms:
                until_ms = heap[0][0]
        return until_ms
