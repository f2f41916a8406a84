"""How sure an energy is: where it comes from, what it may be off, and what of its time values cover."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil

from core.metering.boundaries import Boundary, Method, boundary
from core.metering.counters import Counter
from core.metering.gaps import Gap, full_scale_wh
from core.metering.installations import Installation
from core.metering.line import Part, Worth
from core.metering.marks import Mark
from core.metering.sources import IntervalValue, Origin
from core.timeline import HALF_HOUR_MS, Interval

_WEAKEST_LAST = tuple(Origin)


def changes_of(counter: Counter, parts: Sequence[Part]) -> tuple[Boundary, ...]:
    """Return the registers at the instants at which the multiplier changes, in time order."""
    return tuple(
        boundary(counter, after.interval.start_ms)
        for before, after in pairwise(parts)
        if _worths(before, after) is not None
    )


def origin_of(marks: Sequence[Boundary], parts: Sequence[Part]) -> Origin:
    """Return the weakest origin of what an energy is made of."""
    found = {Origin.MEASURED}
    for mark in marks:
        if mark.method is Method.MANUAL:
            found.add(Origin.MANUAL)
        elif mark.method is not Method.SUBSTITUTED and not mark.close:
            found.add(Origin.INTERPOLATED)
    found.update(each.piece.source.origin for each in parts if isinstance(each.piece.source, IntervalValue))
    return max(found, key=_WEAKEST_LAST.index)


def unproven_wh(
    start: Mark,
    end: Mark,
    changes: Sequence[Boundary],
    parts: Sequence[Part],
    installations: Sequence[Installation],
) -> int:
    """Return what an energy may be off [Wh], each of its brackets, gaps and values rounded up.

    Parameters
    ----------
    start, end
        Its ends.
    changes
        As `changes_of` gives them.
    parts
        All that it is made of.
    installations
        The point's installations, in time order.
    """
    total = start.open_wh + end.open_wh
    for mark, outer in ((start, parts[:1]), (end, parts[-1:])):
        for part in outer:
            if isinstance(part.piece.source, Worth):
                total += ceil(part.piece.source.per_step * _width(mark.bare))
    pairs = [found for each in pairwise(parts) if (found := _worths(*each)) is not None]
    for change, (before, after) in zip(changes, pairs, strict=True):
        if width := _width(change):
            total += ceil(abs(after.per_step - before.per_step) * width) + 1  # rounded twice
    for part in parts:
        source = part.piece.source
        if isinstance(source, Gap):
            total += source.open_wh(part.interval.duration_ms, part.wh)
        elif isinstance(source, IntervalValue):
            most = full_scale_wh(installations, part.interval)
            total += source.open_wh(part.interval.duration_ms, part.wh, None if most is None else ceil(most))
    return total


def covered_by_values(parts: Sequence[Part], interval: Interval) -> int:
    """Return how many half-hours of an interval lie in measured values of at most an hour [1]."""
    spans: list[Interval] = []
    for part in parts:
        source = part.piece.source
        if (
            not isinstance(source, IntervalValue)
            or source.origin is not Origin.MEASURED
            or source.interval.duration_ms > 2 * HALF_HOUR_MS
        ):
            continue
        if spans and spans[-1].end_ms == part.interval.start_ms:
            spans[-1] = Interval(spans[-1].start_ms, part.interval.end_ms)
        else:
            spans.append(part.interval)
    return sum(max(0, _half_hours_within(span, interval)) for span in spans)


def _half_hours_within(span: Interval, interval: Interval) -> int:
    """Return how many half-hours of an interval's grid a span holds; the last one may be shorter."""
    first = -(-(span.start_ms - interval.start_ms) // HALF_HOUR_MS)
    reached_ms = span.end_ms - interval.start_ms
    end = -(-reached_ms // HALF_HOUR_MS) if span.end_ms == interval.end_ms else reached_ms // HALF_HOUR_MS
    return end - first


def _worths(before: Part, after: Part) -> tuple[Worth, Worth] | None:
    """Return what a step is worth before and after where two parts are of one segment."""
    first, second = before.piece.source, after.piece.source
    if not isinstance(first, Worth) or not isinstance(second, Worth) or first.segment != second.segment:
        return None
    return (first, second) if before.interval.end_ms == after.interval.start_ms else None


def _width(mark: Boundary) -> int:
    return 0 if mark.lower is None or mark.upper is None else mark.upper - mark.lower
