"""The counter of a meter around some instants, from as few readings as make the same of them as all would.

Days in which something is asked, corrected or recorded come whole, and so do those around whatever a register
did but rise; of the others a few readings will do. How far a decision looks, `core.metering.following` says.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from collector.corrections import usable_by
from collector.ledger import cells
from collector.register_days import RegisterDays
from core.metering.boundaries import Boundary
from core.metering.cells import Cell
from core.metering.corrections import Correction, Exclude, corrected_cells, entered
from core.metering.counters import Counter, EventKind, counter_of_cells
from core.metering.following import RETURN_MS, STILL_MS
from core.metering.installations import Installation
from core.metering.registers import CounterSpec, counter_spec
from core.metering.sources import IntervalValue
from core.timeline import HALF_HOUR_MS, UTC_ZONE, Interval, local_days

_DAY_MS = 86_400_000
_REACH_MS = STILL_MS + RETURN_MS
_STOOD = (EventKind.JUMP, EventKind.SPIKE, EventKind.FROZEN)
"""Told by how long the register had stood still."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a point's registers.

    Parameters
    ----------
    spec
        What is known of them.
    zone
        Time zone of the site.
    instants_ms
        In time order: between successive ones energies are asked [ms since 1970 UTC].
    inside_ms
        Instants at which anything else matters: records, values from elsewhere [ms since 1970 UTC].
    brackets_ms
        Readings that must not be left out [ms since 1970 UTC].
    corrections
        Those of the point, in the order in which they were decided.
    whole
        Whether any instant between the first and the last may be asked.
    """

    spec: CounterSpec
    zone: ZoneInfo
    instants_ms: Sequence[int]
    inside_ms: Collection[int] = ()
    brackets_ms: Collection[int] = ()
    corrections: tuple[Correction, ...] = ()
    whole: bool = False

    @property
    def interval(self) -> Interval:
        """From the first instant to the last."""
        return Interval(self.instants_ms[0], self.instants_ms[-1])

    def days(self, span: Interval) -> tuple[Interval, ...]:
        """Return the days that hold a span, each of whole half-hours."""
        return _days_of(span, self.zone)

    def whole_days(self, days: Sequence[Interval]) -> set[Interval]:
        """Return the days of which all readings are wanted."""
        starts = [day.start_ms for day in days]
        found = set[Interval]()
        for time_ms in {*self.instants_ms, *self.inside_ms, *entered(self.corrections)}:
            index = bisect_right(starts, time_ms) - 1
            if index >= 0 and days[index].start_ms < time_ms < days[index].end_ms:
                found.add(days[index])
        spans = [each.interval for each in self.corrections if isinstance(each, Exclude)]
        if self.whole:
            spans.append(self.interval)
        found |= {day for day in days for span in spans if _overlap(day, span)}
        return found


def asked_of(
    installations: Sequence[Installation],
    point: str,
    zone: ZoneInfo,
    instants_ms: Sequence[int],
    *,
    values: Iterable[IntervalValue],
    fixed: Mapping[int, Boundary],
    corrections: tuple[Correction, ...],
    whole: bool,
) -> Asked:
    """Return what is asked of a point's registers where these installations, values and registers matter."""
    dates = {each for one in installations for each in (one.start_ms, one.end_ms) if each is not None}
    ends = {each for value in values for each in (value.interval.start_ms, value.interval.end_ms)}
    sides = [side for mark in fixed.values() for side in (mark.before, mark.after) if side is not None]
    return Asked(
        spec=counter_spec(point, installations),
        zone=zone,
        instants_ms=instants_ms,
        inside_ms=dates | ends,
        brackets_ms={side.time_ms for side in sides},
        corrections=corrections,
        whole=whole,
    )


@dataclass(frozen=True, slots=True)
class Gathered:
    """Readings of a point that make the same of what is asked as all of them would.

    Parameters
    ----------
    span
        The whole days that they are of.
    cells
        Corrected, in time order.
    left_out
        As `Counter` has it [ms since 1970 UTC].
    entered
        Instants of the indexes that a person entered [ms since 1970 UTC].
    counter
        What they make.
    """

    span: Interval
    cells: tuple[Cell, ...]
    left_out: frozenset[int]
    entered: frozenset[int]
    counter: Counter


def meter_counter(connection: Connection, days: RegisterDays, asked: Asked) -> Counter:
    """Return the counter of a point's registers over what is asked, and its brackets; see `gather`."""
    return _of_interval(gather(connection, days, asked).counter, asked.interval)


def gather(connection: Connection, days: RegisterDays, asked: Asked) -> Gathered:
    """Return the readings of a point over what is asked, and whatever decides about its brackets.

    Energies and coverage between the instants asked, and what is told of that time, are those that the
    counter of all readings would give.

    Parameters
    ----------
    connection
        The snapshot of `days`.

    Raises
    ------
    DataError
        A cell cannot be read: the database is damaged.
    """
    interval = asked.interval
    # A thinned day tells by its first and last reading alone that the register moved in it.
    span = Interval(interval.start_ms - 2 * _DAY_MS, interval.end_ms + 2 * _DAY_MS)
    also = set[Interval]()
    while True:
        listed = asked.days(span)
        found = days.of(asked.spec, listed, asked.whole_days(listed) | also)
        span = Interval(listed[0].start_ms, listed[-1].end_ms)
        corrected = corrected_cells(found.cells, asked.corrections, span)
        by_hand = entered(asked.corrections)
        counter = counter_of_cells(corrected, asked.spec, entered=by_hand, left_out=found.left_out)
        spoilt = set(_spoilt(counter, asked, found.thinned))
        wider = _wider(connection, asked, span, counter)
        if not spoilt and wider == span:
            return Gathered(span, corrected, found.left_out, by_hand, counter)
        also |= spoilt
        span = wider


def _spoilt(counter: Counter, asked: Asked, thinned: Sequence[Interval]) -> Iterator[Interval]:
    """Yield thinned days of which all readings are needed after all."""
    looked_at = []
    for event in counter.events:
        if event.kind in _STOOD:
            looked_at.append(Interval(event.time_ms - _REACH_MS, event.time_ms + _REACH_MS))
        elif event.kind is not EventKind.ROLLOVER:
            looked_at.append(Interval(event.time_ms - RETURN_MS, event.time_ms + RETURN_MS))
    known = set(counter.times_ms) if asked.brackets_ms else set()
    looked_at += (Interval(each, each) for each in asked.brackets_ms if each not in known)
    for day in thinned:
        if any(_overlap(day, each) for each in looked_at):
            yield day


def _wider(connection: Connection, asked: Asked, span: Interval, counter: Counter) -> Interval:
    """Return the span of readings that decide about the brackets of what is asked."""
    times, interval = counter.times_ms, asked.interval
    usable = usable_by(asked.corrections)
    start_ms, end_ms = span.start_ms, span.end_ms
    before, after = bisect_right(times, interval.start_ms) - 1, bisect_left(times, interval.end_ms)
    plain = not counter.held and all(event.kind is EventKind.ROLLOVER for event in counter.events)
    if before >= 0:
        decided = plain and _moved_by(counter, range(before - 1, -1, -1), before, start_ms)
        start_ms = start_ms if decided else min(start_ms, times[before] - _REACH_MS)
    elif earlier := cells.before(connection, asked.spec.point, span.start_ms, usable):
        start_ms = earlier[0].start_ms - _REACH_MS
    if after < len(times):
        if plain and _moved_by(counter, range(after + 1, len(times)), after, end_ms):
            return Interval(start_ms, end_ms)
        end_ms = max(end_ms, times[after] + _REACH_MS)
    newest_ms = max((*times[-1:], *(time_ms for time_ms, _ in counter.held[-1:])), default=0)
    undecided = after == len(times) or newest_ms <= times[after] + _REACH_MS
    if (
        end_ms == span.end_ms
        and undecided
        and (later := cells.after(connection, asked.spec.point, end_ms, usable))
    ):
        end_ms = later[-1].start_ms + _DAY_MS
    return Interval(start_ms, end_ms)


def _moved_by(counter: Counter, others: Iterable[int], index: int, edge_ms: int) -> bool:
    """Tell whether a register moved next to a reading, long enough before the edge of what is known.

    Then neither a time that it stood still nor a fall beyond the edge bears on that reading.
    """
    times, accumulated = counter.times_ms, counter.accumulated
    moved = next((each for each in others if accumulated[each] != accumulated[index]), None)
    return moved is not None and abs(edge_ms - times[moved]) > RETURN_MS


def _of_interval(counter: Counter, interval: Interval) -> Counter:
    """Return a counter with what it has to say of an interval and its brackets alone."""
    times = counter.times_ms
    before, after = bisect_right(times, interval.start_ms) - 1, bisect_left(times, interval.end_ms)
    told = tuple(
        each
        for each in counter.events
        if (before < 0 or times[before] <= each.time_ms)
        and (after == len(times) or each.time_ms <= times[after])
    )
    return counter if len(told) == len(counter.events) else replace(counter, events=told)


@lru_cache(maxsize=64)
def _days_of(span: Interval, zone: ZoneInfo) -> tuple[Interval, ...]:
    """Return local days; those of UTC where local ones do not begin with half-hours."""
    found = local_days(span, zone)
    return local_days(span, UTC_ZONE) if any(day.start_ms % HALF_HOUR_MS for day in found) else found


def _overlap(day: Interval, span: Interval) -> bool:
    return day.start_ms <= span.end_ms and span.start_ms < day.end_ms
