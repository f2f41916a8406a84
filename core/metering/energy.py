"""The energy of an interval: the difference of the registers at its two ends, in whole Wh.

The Wh of an accumulated count are rounded down once, at the boundary; an interval is the difference of two
boundaries and is never rounded. So all intervals between the same instants add up to the same energy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import groupby, pairwise
from types import MappingProxyType
from typing import TypeAlias

from core.metering.boundaries import Boundary, boundary, close_segment
from core.metering.counters import Counter
from core.metering.installations import Installation, in_order
from core.metering.sources import IntervalValue
from core.metering.sources import Origin as Origin
from core.timeline import UTC_ZONE, Interval, format_local, half_hours


class Lack(StrEnum):
    """What keeps an interval from having a value."""

    NO_READING_BEFORE = "no reading at or before"
    NO_READING_AFTER = "no reading at or after"
    COUNTER_CUT = "the register fell or jumped, was exchanged or may have turned unseen at"
    NO_INSTALLATION = "no installation is on record at"


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
        Measured when both ends are known to half-hour resolution (`Boundary.close`), interpolated when one
        lies in a wider bracket.
    start, end
        The registers at both ends.
    unproven_wh
        What the energy may be off by its registers, a provable bound [Wh], 0 or more: the widths of its
        brackets, rounded up. None when missing.
    half_hours_covered
        How many of its half-hours are known, each with both ends to half-hour resolution [1].
    half_hours
        How many half-hours it has [1].
    installations
        Those in force in it, in time order.
    resolution
        Step of the counter [counts]; the Wh are multiplier x resolution x accumulated.
    changes
        The registers at the instants inside it at which the multiplier changes.
    missing
        What keeps it from having a value; empty when it has one.
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
        Energies from elsewhere, in any order; they fill what the register leaves missing.
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
    dated = tuple(
        (each, each.multiplier * counter.spec.registers[-1].resolution) for each in in_order(installations)
    )
    ends = [boundary(counter, time_ms) for time_ms in boundaries_ms]
    return tuple(_between(counter, dated, start, end) for start, end in pairwise(ends))


def wh_at(counter: Counter, installations: Iterable[Installation], time_ms: int) -> int | None:
    """Return the Wh that the register stands for at an instant, by the installation then in force.

    Parameters
    ----------
    counter, installations
        As for `energy`.
    time_ms
        The instant [ms since 1970 UTC].

    Returns
    -------
    int or None
        Whole Wh, rounded down; None where the register or the installation is not known. Two of them have
        a difference only within one segment of the counter and one multiplier: `energy` minds that.

    Raises
    ------
    DataError
        If two installations are in force at the same time.
    """
    mark = boundary(counter, time_ms)
    for each in in_order(installations):
        if mark.accumulated is not None and each.overlaps(Interval(time_ms, time_ms)):
            return _wh(counter, each.multiplier * counter.spec.registers[-1].resolution, mark)
    return None


_Dated: TypeAlias = tuple[Installation, Fraction]
"""An installation, and the energy of one step of the counter under it [Wh/step]."""

_NONE = Fraction(0)


def _between(counter: Counter, dated: Sequence[_Dated], start: Boundary, end: Boundary) -> IntervalEnergy:
    interval = Interval(start.time_ms, end.time_ms)
    within = [each for each in dated if each[0].overlaps(interval)]
    installations = tuple(installation for installation, _ in within)
    changes = tuple(
        boundary(counter, later.start_ms)
        for (_, before), (later, after) in pairwise(within)
        if before != after
    )
    missing = tuple(dict.fromkeys(_lacks(counter, installations, start, end)))
    marks = (start, *changes, end)
    wh: int | None = None
    unproven_wh: int | None = None
    origin = Origin.MISSING
    if not missing:
        multipliers = [multiplier for multiplier, _ in groupby(multiplier for _, multiplier in within)]
        wh = sum(
            _wh(counter, multiplier, after) - _wh(counter, multiplier, before)
            for multiplier, (before, after) in zip(multipliers, pairwise(marks), strict=True)
        )
        unproven_wh = sum(
            _unproven_wh(mark, before, after)
            for mark, (before, after) in zip(marks, pairwise((_NONE, *multipliers, _NONE)), strict=True)
        )
        origin = Origin.MEASURED if all(mark.close for mark in marks) else Origin.INTERPOLATED
    grid = half_hours(interval)
    known = (close_segment(counter, time_ms) for time_ms in grid)
    covered = sum(before is not None and before == after for before, after in pairwise(known))
    return IntervalEnergy(
        point=counter.spec.point,
        interval=interval,
        wh=wh,
        origin=origin,
        start=start,
        end=end,
        unproven_wh=unproven_wh,
        half_hours_covered=covered,
        half_hours=len(grid) - 1,
        installations=installations,
        resolution=counter.spec.registers[-1].resolution,
        changes=changes,
        missing=missing,
    )


def _wh(counter: Counter, multiplier: Fraction, mark: Boundary) -> int:
    """Return a known accumulated count in Wh, rounded down within the register's turn.

    Each turn counts whole Wh, so no energy depends on how many earlier turns are on record. Where a turn is
    worth whole Wh, as it is in practice, this is the accumulated count times the multiplier, rounded down.
    """
    assert mark.accumulated is not None  # callers look for what is missing first
    up, down = multiplier.as_integer_ratio()
    wrap = counter.spec.registers[-1].wrap_steps
    if wrap is None:
        return mark.accumulated * up // down
    turns, steps = divmod(mark.accumulated, wrap)
    return turns * (wrap * up // down) + steps * up // down


def _unproven_wh(mark: Boundary, before: Fraction, after: Fraction) -> int:
    """Return what a bracket leaves open where one multiplier (none outside) gives way to the next [Wh]."""
    assert mark.lower is not None and mark.upper is not None  # callers look for what is missing first
    width = mark.upper - mark.lower
    if not width:
        return 0
    jump = abs(after - before)
    rounded_twice = 1 if before and after else 0
    return -(-jump.numerator * width // jump.denominator) + rounded_twice


def _lacks(
    counter: Counter, installations: Sequence[Installation], start: Boundary, end: Boundary
) -> Iterator[Missing]:
    """Yield what keeps an interval from having a value."""
    for mark in (start, end):
        if mark.before is None:
            yield Missing(Lack.NO_READING_BEFORE, mark.time_ms)
        if mark.after is None:
            yield Missing(Lack.NO_READING_AFTER, mark.time_ms)
        if mark.before and mark.after and mark.segment is None:
            yield Missing(Lack.COUNTER_CUT, mark.time_ms)
    if start.segment is not None and end.segment is not None and start.segment < end.segment:
        for segment in counter.segments[start.segment + 1 : end.segment + 1]:
            yield Missing(Lack.COUNTER_CUT, counter.times_ms[segment.first])
    for earlier, later in pairwise(installations):
        if earlier.serial != later.serial:
            yield Missing(Lack.COUNTER_CUT, later.start_ms)
    reached_ms = start.time_ms
    for each in installations:
        if each.start_ms > reached_ms:
            yield Missing(Lack.NO_INSTALLATION, reached_ms)
        reached_ms = end.time_ms if each.end_ms is None else each.end_ms
    if reached_ms < end.time_ms or not installations:
        yield Missing(Lack.NO_INSTALLATION, reached_ms)
