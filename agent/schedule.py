"""When a device is due to be read (pure)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from core.timeline import HALF_HOUR_MS

PHASE_STEP_MS: Final = 250
"""Phases are multiples of this, or of a quarter of a short period [ms]."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Due times on a fixed grid, so that every restart finds the same ones.

    Parameters
    ----------
    every_ms
        Grid since 1970 UTC, above 0 [ms].
    margin_ms
        For registers, how far before and after each half-hour a reading is due [ms], below a quarter of
        an hour; the grid's own instants between the two are left out. None for samples.
    phase_ms
        How far the grid is shifted, below `every_ms`; both sides of the half-hours stay [ms].

    Examples
    --------
    >>> registers = Schedule(every_ms=60_000, margin_ms=2_000)
    >>> registers.next_after(1_740_000), registers.next_after(1_798_000), registers.next_after(1_802_000)
    (1798000, 1802000, 1860000)
    """

    every_ms: int
    margin_ms: int | None = None
    phase_ms: int = 0

    def next_after(self, time_ms: int) -> int:
        """Return the first due time after an instant [ms since 1970 UTC]."""
        due = ((time_ms - self.phase_ms) // self.every_ms + 1) * self.every_ms + self.phase_ms
        if self.margin_ms is None:
            return due
        boundary = (time_ms - self.margin_ms) // HALF_HOUR_MS * HALF_HOUR_MS
        sides = (
            boundary + self.margin_ms,
            boundary + HALF_HOUR_MS - self.margin_ms,
            boundary + HALF_HOUR_MS + self.margin_ms,
        )
        side = min(side for side in sides if side > time_ms)
        between_sides = 0 < (due + self.margin_ms) % HALF_HOUR_MS < 2 * self.margin_ms
        return side if between_sides else min(due, side)

    def count(self, after_ms: int, until_ms: int) -> int:
        """Return how many due times lie after an instant and up to another one [1].

        Examples
        --------
        >>> Schedule(every_ms=60_000, margin_ms=2_000).count(1_740_000, 1_860_000)
        3
        """
        if until_ms <= after_ms:
            return 0
        margin_ms = self.margin_ms
        if margin_ms is None:
            return self._grid(after_ms, until_ms)
        due = 0
        first, last = after_ms // HALF_HOUR_MS, until_ms // HALF_HOUR_MS
        for half_hour in range(first, last + 1):
            start = half_hour * HALF_HOUR_MS + margin_ms
            end = (half_hour + 1) * HALF_HOUR_MS - margin_ms
            due += self._grid(max(start, after_ms), min(end - 1, until_ms))  # strictly between the sides
            due += sum(after_ms < side <= until_ms for side in {start, end})
        if margin_ms == 0:  # the end of one half-hour is the start of the next
            due -= sum(after_ms < at * HALF_HOUR_MS <= until_ms for at in range(first + 1, last + 1))
        return due

    def _grid(self, after_ms: int, until_ms: int) -> int:
        """Points of the grid after an instant and up to another one."""
        if until_ms <= after_ms:
            return 0
        return (until_ms - self.phase_ms) // self.every_ms - (after_ms - self.phase_ms) // self.every_ms


def phase_of(device: str, every_ms: int) -> int:
    """Return the phase of a device's grid: fixed by its id, so that not all are asked in one instant [ms].

    What is due together on different buses is sent in one turn: that costs half of the processor's time
    that hundreds of single instants would, and each waits but milliseconds for its turn.

    Examples
    --------
    >>> phase_of("AOB-RCV-01", 60_000), phase_of("AOB-RCV-02", 60_000)
    (20500, 45250)
    """
    step_ms = min(PHASE_STEP_MS, max(1, every_ms // 4))
    return (zlib.crc32(device.encode()) * (every_ms // step_ms) >> 32) * step_ms
