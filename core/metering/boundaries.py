"""The register's value at an instant between two readings, with its bracket and hard bounds."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum

from core.metering.counters import Counter
from core.metering.readings import Count, Quality
from core.timeline import HALF_HOUR_MS


class Method(StrEnum):
    """How a boundary's value is known."""

    EXACT = "exact"
    INTERPOLATED = "interpolated"
    MANUAL = "manual"
    SUBSTITUTED = "substituted"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class RegisterReading:
    """One side of a bracket.

    Parameters
    ----------
    time_ms
        Instant of the reading [ms since 1970 UTC].
    count
        What the register held [counts].
    quality
        Good or uncertain; a bound is proven by good ones only.
    """

    time_ms: int
    count: Count
    quality: Quality = Quality.GOOD


@dataclass(frozen=True, slots=True)
class Boundary:
    """A register at an instant.

    Parameters
    ----------
    time_ms
        The instant [ms since 1970 UTC].
    method
        Exact with a reading at the instant, or between equal ones; interpolated between two, or over a gap of
        known bounds; manual where one of the two is an index that a person or a slip gave; substituted where
        energy from elsewhere reaches from the nearest reading to the instant; else missing.
    before, after
        Its bracket: the last reading at or before the instant and the next one, the same reading twice
        where it lies at the instant. Kept as evidence when the value is missing.
    accumulated
        Accumulated count [steps of the resolution], rounded down; None when missing, and where the point has
        no register. Over a gap and where it is substituted, that of the nearest reading: the one before,
        where there is none the one after.
    count
        The register's own value, within one turn [steps of the resolution]; None when `accumulated` is.
    lower, upper
        Bounds that the accumulated count cannot leave [steps of the resolution]; None when it is.
    segment
        Number of the counter's segment [1]; None when missing.
    wh_beyond
        Energy from the nearest reading to the instant that no register gives [Wh]; negative where that
        reading comes after.
    """

    time_ms: int
    method: Method
    before: RegisterReading | None
    after: RegisterReading | None
    accumulated: int | None = None
    count: int | None = None
    lower: int | None = None
    upper: int | None = None
    segment: int | None = None
    wh_beyond: int = 0

    @property
    def close(self) -> bool:
        """Whether registers give the value to half-hour resolution: exact, or bracketed within 30 minutes."""
        if self.method is Method.EXACT:
            return True
        if self.method not in (Method.INTERPOLATED, Method.MANUAL) or self.wh_beyond:
            return False
        if self.before is None or self.after is None:
            return False
        return self.lower == self.upper or self.after.time_ms - self.before.time_ms <= HALF_HOUR_MS


def boundary(counter: Counter, time_ms: int) -> Boundary:
    """Return what the registers alone say of an instant [ms since 1970 UTC]; missing over a gap.

    Between the readings (t0, r0) and (t1, r1) it is r0 + floor((r1 - r0) * (time - t0) / (t1 - t0)) in
    integers, and never outside r0 to r1.
    """
    left, right = _bracket(counter, time_ms)
    before = _reading(counter, left)
    after = _reading(counter, right)
    if before is None or after is None:
        return Boundary(time_ms, Method.MISSING, before, after)
    segment = counter.segment_of(left)
    if right > counter.segments[segment].last:
        return Boundary(time_ms, Method.MISSING, before, after)
    lower, upper = counter.accumulated[left], counter.accumulated[right]
    if lower == upper:
        method, value = Method.EXACT, lower
    else:
        method = Method.INTERPOLATED
        value = lower + (upper - lower) * (time_ms - before.time_ms) // (after.time_ms - before.time_ms)
    if counter.entered and not counter.entered.isdisjoint((before.time_ms, after.time_ms)):
        method = Method.MANUAL
    wrap = counter.register_of(segment).wrap_steps
    return Boundary(
        time_ms, method, before, after, value, value if wrap is None else value % wrap, lower, upper, segment
    )


def accumulated_in(counter: Counter, number: int, time_ms: int) -> int:
    """Return what a segment, by its number, has accumulated at an instant between its ends [steps].

    At an exchange two segments have a reading at one instant; this is the segment's own.
    """
    segment, times = counter.segments[number], counter.times_ms
    left = bisect_right(times, time_ms, segment.first, segment.last + 1) - 1
    lower = counter.accumulated[left]
    if left == segment.last or times[left] == time_ms:
        return lower
    rise, wait_ms = counter.accumulated[left + 1] - lower, times[left + 1] - times[left]
    return lower + rise * (time_ms - times[left]) // wait_ms


def close_segment(counter: Counter, time_ms: int) -> int | None:
    """Return the segment of the boundary at an instant [ms since 1970 UTC] if it is close, else None.

    The same as asking the boundary itself, without making it: a month asks 1,393 times.
    """
    left, right = _bracket(counter, time_ms)
    if left < 0 or right >= len(counter.times_ms):
        return None
    return counter.segment_of(left) if left == right or counter.known_after(left) else None


def _bracket(counter: Counter, time_ms: int) -> tuple[int, int]:
    """Return the indexes of the readings around an instant; outside the counter where there is none."""
    left = bisect_right(counter.times_ms, time_ms) - 1
    return (left, left) if left >= 0 and counter.times_ms[left] == time_ms else (left, left + 1)


def _reading(counter: Counter, index: int) -> RegisterReading | None:
    if not 0 <= index < len(counter.times_ms):
        return None
    time_ms = counter.times_ms[index]
    quality = Quality.UNCERTAIN if time_ms in counter.uncertain else Quality.GOOD
    return RegisterReading(time_ms, counter.counts[index], quality)
