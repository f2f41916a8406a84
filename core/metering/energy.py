"""The energy of an interval: the difference of the registers at its two ends, in whole Wh.

The Wh of an accumulated count are rounded down once, at the boundary; an interval is the difference of two
boundaries and is never rounded. So all intervals between the same instants add up to the same energy.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from types import MappingProxyType

from core.metering.boundaries import Boundary
from core.metering.counters import Counter, CounterEvent, EventKind
from core.metering.coverage import half_hours_covered
from core.metering.gaps import Gap
from core.metering.installations import Installation, in_order
from core.metering.line import Lack as Lack
from core.metering.line import Line
from core.metering.marks import Mark, frozen_mark, mark
from core.metering.proving import changes_of, covered_by_values, origin_of, unproven_wh
from core.metering.sources import IntervalValue
from core.metering.sources import Origin as Origin
from core.metering.standstill import stood_still
from core.timeline import HALF_HOUR_MS, UTC_ZONE, Interval, format_local


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that is missing, by name.

    Parameters
    ----------
    lack
        What is missing.
    time_ms
        The instant it is missing at [ms since 1970 UTC].
    """

    lack: Lack
    time_ms: int

    def __str__(self) -> str:
        """Return it as English text, the time in UTC."""
        return f"{self.lack} {format_local(self.time_ms, UTC_ZONE)}"


@dataclass(frozen=True, slots=True)
class ValuePart:
    """What an energy takes from elsewhere than registers.

    Parameters
    ----------
    value
        Where it comes from.
    interval
        The part of its time that is used.
    wh
        The part of its energy [Wh].
    """

    value: IntervalValue
    interval: Interval
    wh: int


@dataclass(frozen=True, slots=True)
class IntervalEnergy:
    """The energy of one point in one interval, with what proves it.

    Parameters
    ----------
    point
        Id of the point.
    interval
        Start and end.
    wh
        Energy [Wh]; None when missing, never 0 for it.
    origin
        The weakest of what it is made of: measured where both ends are known to half-hour resolution
        (`Boundary.close`), interpolated where one lies in a wider bracket or in a gap, manual where one rests
        on an index that was entered, else what the values from elsewhere are.
    start, end
        The registers at both ends.
    unproven_wh
        What the energy may be off by its registers, a provable bound [Wh], 0 or more: the widths of its
        brackets, of its gaps, and what is open of its values. None when missing.
    half_hours_covered
        How many of its half-hours are known [1]: by registers each with both ends to half-hour resolution, by
        measured values where these are of at most an hour.
    half_hours
        How many half-hours it has [1].
    installations
        Those in force in it, in time order.
    resolution
        Step of the latest register in it [counts].
    changes
        The registers at the instants inside it at which the multiplier changes.
    missing
        What keeps it from having a value; empty when it has one.
    gaps
        Where its register was cut, in time order; their least energy is in it.
    values
        What comes from elsewhere, in time order, also where something else is missing.
    events
        Decisions about the readings that it rests on, in time order; conflicts are the counter's own.
    """

    point: str
    interval: Interval
    wh: int | None
    origin: Origin
    start: Boundary
    end: Boundary
    unproven_wh: int | None
    half_hours_covered: int
    half_hours: int
    installations: tuple[Installation, ...]
    resolution: Fraction = Fraction(1)
    changes: tuple[Boundary, ...] = ()
    missing: tuple[Missing, ...] = ()
    gaps: tuple[Gap, ...] = ()
    values: tuple[ValuePart, ...] = ()
    events: tuple[CounterEvent, ...] = ()


def energy(
    counter: Counter,
    installations: Iterable[Installation],
    interval: Interval,
    *,
    values: Sequence[IntervalValue] = (),
    fixed: Mapping[int, Boundary] = MappingProxyType({}),
) -> IntervalEnergy:
    """Return the energy of an interval.

    Parameters
    ----------
    counter
        The point's register.
    installations
        The point's installations, in any order. Where the multiplier changes inside the interval, each
        part is counted with its own.
    interval
        Any interval, not of half-hours alone.
    values
        Energies from elsewhere; they fill what the register leaves missing. Of two that overlap the one that
        stands first counts.
    fixed
        Registers at instants of closed months [ms since 1970 UTC]: they stand, whatever is known by now.

    Raises
    ------
    DataError
        If two installations are in force at the same time.
    """
    ends = (interval.start_ms, interval.end_ms)
    return series(counter, installations, ends, values=values, fixed=fixed)[0]


def series(
    counter: Counter,
    installations: Iterable[Installation],
    boundaries_ms: Sequence[int],
    *,
    values: Sequence[IntervalValue] = (),
    fixed: Mapping[int, Boundary] = MappingProxyType({}),
) -> tuple[IntervalEnergy, ...]:
    """Return the energies between successive instants; where the whole has a value, they add up to it.

    Parameters
    ----------
    counter, installations, values, fixed
        As for `energy`.
    boundaries_ms
        n + 1 instants in time order for n intervals [ms since 1970 UTC].

    Raises
    ------
    DataError
        If two installations are in force at the same time.
    UsageError
        If the instants are not in time order.
    """
    installed = in_order(installations)
    line = Line(counter, installed, values)
    marks = [
        frozen_mark(line, time_ms, fixed[time_ms]) if time_ms in fixed else mark(line, time_ms)
        for time_ms in boundaries_ms
    ]
    return tuple(_between(line, installed, start, end) for start, end in pairwise(marks))


@dataclass(frozen=True, slots=True)
class _Turns:
    """Turns of a segment that lie before an interval: its boundaries show none of them.

    How many are on record depends on how far back the readings go, and must not be seen.
    """

    segment: int | None = None
    steps: int = 0

    def without(self, shown: Boundary) -> Boundary:
        if not self.steps or shown.segment != self.segment or shown.accumulated is None:
            return shown
        lower, upper = shown.lower, shown.upper
        return replace(
            shown,
            accumulated=shown.accumulated - self.steps,
            lower=None if lower is None else lower - self.steps,
            upper=None if upper is None else upper - self.steps,
        )


def _turns(counter: Counter, start: Mark, end: Mark) -> _Turns:
    for each in (start, end):
        shown = each.boundary
        if shown.segment is not None and shown.lower is not None:
            wrap = counter.register_of(shown.segment).wrap_steps
            return _Turns(shown.segment, 0 if wrap is None else shown.lower // wrap * wrap)
    return _Turns()


def _between(line: Line, installed: Sequence[Installation], start: Mark, end: Mark) -> IntervalEnergy:
    counter, interval = line.counter, Interval(start.boundary.time_ms, end.boundary.time_ms)
    parts = line.parts(interval)
    missing: tuple[Missing, ...] = ()
    wh: int | None = None
    if start.index is None or end.index is None or start.run != end.run:
        missing = tuple(
            Missing(*each) for each in dict.fromkeys(line.lacks(interval.start_ms, interval.end_ms))
        )
    else:
        wh = end.wh - start.wh
    changes = changes_of(counter, parts)
    turns = _turns(counter, start, end)
    marks = (turns.without(start.boundary), *map(turns.without, changes), turns.without(end.boundary))
    used = tuple(
        ValuePart(each.piece.source, each.interval, each.wh)
        for each in parts
        if isinstance(each.piece.source, IntervalValue)
    )
    n = -(-interval.duration_ms // HALF_HOUR_MS)
    covered = half_hours_covered(counter, interval)
    if used and covered < n:
        covered += covered_by_values(parts, interval)
    return IntervalEnergy(
        point=counter.spec.point,
        interval=interval,
        wh=wh,
        origin=Origin.MISSING if wh is None else origin_of(marks, parts),
        start=marks[0],
        end=marks[-1],
        unproven_wh=None if wh is None else unproven_wh(start, end, changes, parts, installed),
        half_hours_covered=covered,
        half_hours=n,
        installations=tuple(each for each in installed if each.overlaps(interval)),
        resolution=counter.spec.register_at(max(interval.start_ms, interval.end_ms - 1)).resolution,
        changes=marks[1:-1],
        missing=missing,
        gaps=tuple(each for each in line.gaps if each.bears_on(interval)),
        values=used,
        events=_events(counter, installed, start.boundary, end.boundary),
    )


def _events(
    counter: Counter, installed: Sequence[Installation], start: Boundary, end: Boundary
) -> tuple[CounterEvent, ...]:
    """Return the decisions about readings from the one before an interval to the one after it."""
    first_ms = start.time_ms if start.before is None else start.before.time_ms
    last_ms = end.time_ms if end.after is None else end.after.time_ms
    first = bisect_left(counter.events, first_ms, key=lambda event: event.time_ms)
    last = bisect_right(counter.events, last_ms, key=lambda event: event.time_ms)
    found = [each for each in counter.events[first:last] if each.kind is not EventKind.CONFLICT]
    found += stood_still(counter, installed, Interval(start.time_ms, end.time_ms))
    return tuple(sorted(found, key=lambda event: (event.time_ms, event.kind)))
