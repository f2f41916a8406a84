"""Readings become a counter: a count that only rises, in segments within which it may be subtracted.

A fall of the register is a rollover where its wrap is known and explains it: by at most full scale where
that is known, else by at most half a turn. Any other fall, a rise that the circuit cannot carry, another
meter, or a silence long enough to hide a whole turn cuts the counter: each segment is sure in itself, and
what happened between two of them is left open instead of invented.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import floor

from core.errors import DataError
from core.metering.cells import Cell, cells_of, union
from core.metering.readings import Count, Reading
from core.metering.registers import CounterSpec as CounterSpec
from core.metering.registers import Register as Register
from core.metering.registers import counter_spec as counter_spec

_HOUR_MS = 3_600_000


class SegmentKind(StrEnum):
    """Why a segment begins."""

    FIRST = "first"
    FALL = "fall"
    JUMP = "jump"
    EXCHANGE = "exchange"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive readings between which the register only rose or rolled over.

    Parameters
    ----------
    kind
        Why it begins.
    first, last
        Index of its first and its last reading in the counter [1].
    """

    kind: SegmentKind
    first: int
    last: int


class EventKind(StrEnum):
    """What a counter has to say besides its count."""

    ROLLOVER = "rollover"
    FALL = "fall"
    JUMP = "jump"
    EXCHANGE = "exchange"
    SILENCE = "silence"
    CONFLICT = "conflict"
    OUT_OF_RANGE = "out_of_range"


@dataclass(frozen=True, slots=True)
class CounterEvent:
    """A decision about a reading, with its evidence.

    Parameters
    ----------
    kind
        What was decided.
    time_ms
        Instant of the reading [ms since 1970 UTC].
    evidence
        The counts that led to it.
    """

    kind: EventKind
    time_ms: int
    evidence: str


@dataclass(frozen=True, slots=True)
class Counter:
    """The usable readings of one register in time order, one per instant.

    Parameters
    ----------
    spec
        What is known of the register.
    times_ms
        Instants, rising strictly [ms since 1970 UTC].
    counts
        What the register held at each [counts].
    accumulated
        The register's value plus its turns since the start of the segment [steps of the resolution]; never
        falls within a segment.
    segments
        In time order; together they hold every reading once.
    events
        In time order.
    """

    spec: CounterSpec
    times_ms: tuple[int, ...]
    counts: tuple[Count, ...]
    accumulated: tuple[int, ...]
    segments: tuple[Segment, ...]
    events: tuple[CounterEvent, ...]

    def segment_of(self, index: int) -> int:
        """Return the number of the segment that holds a reading."""
        if len(self.segments) == 1:
            return 0
        return bisect_right(self.segments, index, key=lambda segment: segment.first) - 1


def build_counter(readings: Iterable[Reading], spec: CounterSpec) -> Counter:
    """Return the counter of some readings, in whatever order and however often they come.

    Raises
    ------
    DataError
        If a reading is of another point.
    """
    return counter_of_cells(cells_of(readings), spec)


def counter_of_cells(cells: Iterable[Cell], spec: CounterSpec, *, entered: Collection[int] = ()) -> Counter:
    """Return the counter of some cells, in whatever order and however often they come.

    Bad readings are left out. Of readings at one instant the best by quality counts, of equally good ones
    the lowest count, so the choice depends on the set alone.

    Parameters
    ----------
    cells
        The point's cells.
    spec
        What is known of its registers.
    entered
        Instants of the readings that a person entered [ms since 1970 UTC].

    Raises
    ------
    DataError
        If a cell is of another point.
    """
    ordered = union(cells)
    for cell in ordered:
        if cell.point != spec.point:
            raise DataError("a cell of another point", where=spec.point, evidence=cell.point)
    usable = [cell.usable for cell in ordered]
    rows = [row for rows in usable for row in rows]
    outside: list[tuple[int, Count]] = []
    if (wrap := spec.registers[-1].wrap_at) is not None:
        outside = [row for row in rows if not 0 <= row[1] < wrap]
        rows = [row for row in rows if 0 <= row[1] < wrap] if outside else rows
    times = tuple([time_ms for time_ms, _ in rows])
    counts = tuple([count for _, count in rows])
    accumulated, segments, events = _accumulate(times, counts, spec)
    events += (
        CounterEvent(EventKind.CONFLICT, time_ms, f"{' and '.join(map(str, seen))} at one instant")
        for cell, chosen in zip(ordered, usable, strict=True)
        if len(chosen) < len(cell.readings)
        for time_ms, seen in cell.conflicts
    )
    events += (
        CounterEvent(EventKind.OUT_OF_RANGE, time_ms, f"{count} is set aside: the register wraps at {wrap}")
        for time_ms, count in outside
    )
    events.sort(key=lambda event: (event.time_ms, event.kind))
    return Counter(spec, times, counts, accumulated, segments, tuple(events))


def _accumulate(
    times: Sequence[int], counts: Sequence[Count], spec: CounterSpec
) -> tuple[tuple[int, ...], tuple[Segment, ...], list[CounterEvent]]:
    """Follow the register from reading to reading; only where it may not plainly have risen is it judged."""
    register = spec.registers[-1]
    whole = register.resolution == 1
    steps = [count if whole and isinstance(count, int) else register.steps(count) for count in counts]
    exchanged = {bisect_left(times, each.start_ms) for each in spec.registers[1:]} - {0, len(times)}
    plain = register.most_steps(0)
    odd = {
        index for index, (before, after) in enumerate(pairwise(steps), 1) if not 0 <= after - before <= plain
    }
    events: list[CounterEvent] = []
    segments: list[Segment] = []
    accumulated: list[int] = []
    kind, first, turned, done = SegmentKind.FIRST, 0, 0, 0
    for index in sorted(exchanged | odd | _silent(times, register)):
        change: EventKind | None = EventKind.EXCHANGE
        if index not in exchanged:
            change = _judge(steps, times, index, register)
        if change is None:
            continue
        events.append(CounterEvent(change, times[index], f"{counts[index - 1]}, then {counts[index]}"))
        accumulated += [step + turned for step in steps[done:index]]
        done = index
        if change is EventKind.ROLLOVER:
            turned += register.wrap_steps or 0
        else:
            segments.append(Segment(kind, first, index - 1))
            kind, first, turned = SegmentKind(change), index, 0
    accumulated += [step + turned for step in steps[done:]]
    if steps:
        segments.append(Segment(kind, first, len(steps) - 1))
    return tuple(accumulated), tuple(segments), events


def _judge(steps: Sequence[int], times: Sequence[int], index: int, register: Register) -> EventKind | None:
    """Tell what a fall, or a rise over a long silence, is; None for a plain rise."""
    wrap = register.wrap_steps
    rise, duration_ms = steps[index] - steps[index - 1], times[index] - times[index - 1]
    stood = index - 1  # a register that stood still may make up for all of that time
    while stood and steps[stood - 1] == steps[index - 1]:
        stood -= 1
    if rise > register.most_steps(times[index] - times[stood]):
        return EventKind.JUMP
    if wrap is None:
        return EventKind.FALL if rise < 0 else None
    increment = rise % wrap
    plausible = wrap // 2
    if register.counts_per_hour is not None:
        plausible = floor(register.counts_per_hour * duration_ms / (_HOUR_MS * register.resolution)) + 1
        if increment + wrap <= plausible:
            return EventKind.SILENCE
    if rise >= 0:
        return None
    return EventKind.ROLLOVER if increment <= plausible else EventKind.FALL


def _silent(times: Sequence[int], register: Register) -> set[int]:
    """Return the readings that come after a silence in which the register could have made a whole turn."""
    if register.wrap_steps is None or not register.counts_per_hour:
        return set()
    turn_ms = floor((register.wrap_steps - 1) * register.resolution * _HOUR_MS / register.counts_per_hour)
    return {index for index, (before, after) in enumerate(pairwise(times), 1) if after - before >= turn_ms}
