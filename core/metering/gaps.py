"""What may have gone through where a counter is cut, between two readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from core.metering.counters import Counter, SegmentKind
from core.metering.installations import Installation
from core.timeline import Interval

_HOUR_MS = 3_600_000
_UNEXPLAINED = (SegmentKind.FALL, SegmentKind.JUMP)


@dataclass(frozen=True, slots=True)
class Gap:
    """The energy between two segments of a counter.

    Parameters
    ----------
    kind
        Why the counter is cut.
    start_ms, end_ms
        The readings on both sides [ms since 1970 UTC]; at one instant where a slip has both indexes.
    least
        What the registers prove to have gone through [Wh], 0 or more.
    most
        What the circuit can have carried [Wh], not below `least`; None where no bound is known.
    """

    kind: SegmentKind
    start_ms: int
    end_ms: int
    least: Fraction
    most: Fraction | None

    @property
    def whole(self) -> tuple[int, int, int]:
        """Its least energy, rounded down [Wh], start and end [ms since 1970 UTC]."""
        return floor(self.least), self.start_ms, self.end_ms

    def bears_on(self, interval: Interval) -> bool:
        """Tell whether an interval reaches into it."""
        return self.start_ms < interval.end_ms and self.end_ms > interval.start_ms

    def open_wh(self, duration_ms: int, wh: int) -> int:
        """Return what the energy of a part of it may be off [Wh].

        A register that seems to have begun again at 0 may have been set back to a higher count instead; then
        less went through than it shows.

        Parameters
        ----------
        duration_ms
            Of the part [ms].
        wh
            The energy taken for it [Wh].
        """
        assert self.most is not None  # what has no bound is no part of a line
        most = ceil(self.most)
        sure = self.kind is not SegmentKind.RESET and duration_ms == self.end_ms - self.start_ms
        return most - wh if sure else max(wh, most - wh)


def gap_before(counter: Counter, number: int, installations: Sequence[Installation]) -> Gap:
    """Return the gap before a segment.

    Parameters
    ----------
    counter
        The point's counter.
    number
        Of the segment, 1 or more.
    installations
        The point's installations, in time order.
    """
    before, segment = counter.segments[number - 1], counter.segments[number]
    start_ms, end_ms = counter.times_ms[before.last], counter.times_ms[segment.first]
    span = Interval(start_ms, end_ms)
    within = [each for each in installations if each.overlaps(span)]
    last, first = counter.accumulated[before.last], counter.accumulated[segment.first]
    if not span.duration_ms:
        return Gap(segment.kind, start_ms, end_ms, Fraction(0), Fraction(0))
    if segment.kind in _UNEXPLAINED or not within:
        return Gap(segment.kind, start_ms, end_ms, Fraction(0), None)
    steps = 0
    if segment.kind is SegmentKind.RESET:
        steps = first
    elif segment.kind is not SegmentKind.EXCHANGE:
        wrap = counter.register_of(number).wrap_steps
        steps = first - last if wrap is None else (first - last) % wrap
    resolution = counter.register_of(number).resolution
    least = steps * min(each.multiplier for each in within) * resolution
    climbed = Fraction(0)
    if segment.low_ms is not None and segment.low is not None:
        climbed = (first - segment.low) * max(each.multiplier for each in within) * resolution
        span = Interval(span.start_ms, segment.low_ms)
    most = full_scale_wh(within, span)
    if most is not None:  # and one step that the earlier register had begun
        if segment.kind is SegmentKind.RESET:
            least = min(least, most)
        most = max(most + climbed + within[0].multiplier * counter.register_of(number - 1).resolution, least)
    return Gap(segment.kind, start_ms, end_ms, least, most)


def full_scale_wh(installations: Sequence[Installation], span: Interval) -> Fraction | None:
    """Return what the circuit can carry in an interval [Wh]; None where that is not known of all of it.

    Parameters
    ----------
    installations
        The point's installations, in time order.
    span
        Start and end.
    """
    reached_ms, most = span.start_ms, Fraction(0)
    for each in installations:
        if not each.overlaps(span):
            continue
        if each.full_scale_kw is None or each.start_ms > reached_ms:
            return None
        end_ms = span.end_ms if each.end_ms is None else min(each.end_ms, span.end_ms)
        most += each.full_scale_kw * 1000 * (end_ms - reached_ms) / _HOUR_MS
        reached_ms = end_ms
    return most if reached_ms >= span.end_ms else None
