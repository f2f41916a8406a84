"""Registers that stood still for longer than a day: no load, or a meter that does not count."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import ceil

from core.metering.counters import Counter
from core.metering.events import CounterEvent, EventKind, Segment
from core.metering.installations import Installation
from core.timeline import Interval

STANDSTILL_MS = 26 * 3_600_000
"""Longer than every day, so that each one reaches from one day into the next [ms]."""
_HOUR_MS = 3_600_000
_STARTING = Fraction(1, 1000)
"""A meter starts to count at 0.1 % of its full load (IEC 62053-22, 8.4)."""


def stood_still(
    counter: Counter, installations: Sequence[Installation], interval: Interval
) -> Iterator[CounterEvent]:
    """Yield an event for each time that a register stood still, in time order.

    Only what lies in the interval counts. A register that needs longer for one step at 0.1 % of full scale
    than it stood, because its resolution is coarse, is not told.

    Parameters
    ----------
    counter
        The point's registers.
    installations
        The point's installations, in time order.
    interval
        Any interval.
    """
    if interval.duration_ms < STANDSTILL_MS:
        return
    for number, segment in enumerate(counter.segments):
        step = counter.register_of(number).resolution
        for span, index in _flat(counter, segment, interval):
            standing = [each for each in installations if each.overlaps(span)]
            if not standing:
                continue
            watts = max(each.multiplier for each in standing) * step * _HOUR_MS / span.duration_ms
            known = [each.full_scale_kw for each in standing if each.full_scale_kw is not None]
            if len(known) == len(standing) and watts > min(known) * 1000 * _STARTING:
                continue
            hours = span.duration_ms // _HOUR_MS
            evidence = f"{counter.counts[index]} for {hours} h, by its step less than {ceil(watts)} W"
            yield CounterEvent(EventKind.STOOD_STILL, span.start_ms, evidence)


def _flat(counter: Counter, segment: Segment, interval: Interval) -> Iterator[tuple[Interval, int]]:
    """Yield each time of an interval in which the register did not move, and the reading it begins with."""
    times, accumulated = counter.times_ms, counter.accumulated
    end_ms = min(times[segment.last], interval.end_ms)
    at_ms = max(times[segment.first], interval.start_ms)
    told = -1
    while at_ms < end_ms:
        index = bisect_right(times, at_ms, segment.first, segment.last + 1) - 1
        value = accumulated[index]
        first = bisect_left(accumulated, value, segment.first, segment.last + 1)
        last = bisect_right(accumulated, value, segment.first, segment.last + 1) - 1
        start_ms, reached_ms = max(times[first], interval.start_ms), min(times[last], end_ms)
        if first != told and reached_ms - start_ms >= STANDSTILL_MS:
            yield Interval(start_ms, reached_ms), bisect_right(times, start_ms, first, last + 1) - 1
        told = first
        at_ms = max(at_ms + STANDSTILL_MS // 2, reached_ms)
