"""How many half-hours of an interval are known, each at both of its ends."""

from __future__ import annotations

from bisect import bisect_right

from core.metering.counters import Counter
from core.timeline import HALF_HOUR_MS, Interval


def half_hours_covered(counter: Counter, interval: Interval) -> int:
    """Return how many half-hours of an interval lie between two close boundaries of one segment [1].

    A half-hour is counted from the interval's start; the last one may be shorter. The same as asking
    `boundaries.close_segment` of every boundary, from reading to reading instead of from half-hour to
    half-hour where readings are few.
    """
    times = counter.times_ms
    start_ms, end_ms = interval.start_ms, interval.end_ms
    last = -(-interval.duration_ms // HALF_HOUR_MS)
    covered, index, left = 0, 0, 0
    before: int | None = None
    while index <= last and times:
        at_ms = min(start_ms + index * HALF_HOUR_MS, end_ms)
        index += 1
        left = bisect_right(times, at_ms, left) - 1
        if left < 0:
            left = 0
            continue
        goes_on = counter.known_after(left)
        known = counter.segment_of(left) if goes_on or times[left] == at_ms else None
        covered += known is not None and known == before
        before = known
        if not goes_on:
            continue
        # Up to the next reading every boundary is as close as this one.
        until_ms = times[left + 1]
        reached = last + 1 if until_ms > end_ms else -(-(until_ms - start_ms) // HALF_HOUR_MS)
        if reached > index:
            covered += reached - index
            index = reached
    return covered
