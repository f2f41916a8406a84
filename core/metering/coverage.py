"""How many half-hours of an interval are known, each at both of its ends."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from core.metering.boundaries import close_segment
from core.metering.counters import Counter
from core.timeline import Interval, half_hours


def half_hours_covered(counter: Counter, interval: Interval) -> int:
    """Return how many half-hours of an interval lie between two close boundaries of one segment [1].

    A half-hour is counted from the interval's start; the last one may be shorter.
    """
    times = counter.times_ms
    grid = half_hours(interval)
    covered, index, before = 0, 0, None
    while index < len(grid):
        known = close_segment(counter, grid[index])
        covered += known is not None and known == before
        before = known
        index += 1
        left = bisect_right(times, grid[index - 1]) - 1
        if known is None or not counter.known_after(left):
            continue
        # Up to the next reading every boundary is as close as this one.
        reached = bisect_left(grid, times[left + 1], lo=index)
        covered += reached - index
        index = reached
    return covered
