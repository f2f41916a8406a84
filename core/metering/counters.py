"""Readings become a counter: a count that only rises, in segments within which it may be subtracted.

A fall of the register is a rollover where its wrap is known and explains it: by at most full scale where
that is known, else by at most half a turn. Any other fall, another meter, or a silence long enough to hide
a whole turn cuts the counter: each segment is sure in itself, and what happened between two of them is
left open instead of invented.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import chain

from core.errors import DataError
from core.metering.cells import Cell, cells_of, union
from core.metering.readings import Count, Reading

_HOUR_MS = 3_600_000
_NEVER_MS = 1 << 63


@dataclass(frozen=True, slots=True)
class CounterSpec:
    """What is known of a register before it is read.

    The installations give it `exchanges_ms` (`installations.exchanges`) and `counts_per_hour`.

    Parameters
    ----------
    point
        Id of the point.
    wrap_at
        Count at which the register starts again at 0 [counts]; None where it never does.
    resolution
        Grid on which the register is counted [counts], above 0: 1 for an integer register. All counts of
        a counter are whole steps of it, rounded down.
    counts_per_hour
        Fastest that the register can rise, by the transformers or the breaker [counts/h].
    exchanges_ms
        Instants from which another meter stood behind the point, in time order [ms since 1970 UTC].

    Raises
    ------
    DataError
        If the resolution is not above 0, or the wrap is no whole number of steps above 1.
    """

    point: str
    wrap_at: int | None = None
    resolution: Fraction = Fraction(1)
    counts_per_hour: Fraction | None = None
    exchanges_ms: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.resolution <= 0:
            raise DataError("resolution is not above 0", where=self.point, evidence=str(self.resolution))
        if self.wrap_at is not None and (
            self.wrap_at / self.resolution <= 1 or (self.wrap_at / self.resolution).denominator != 1
        ):
            raise DataError(
                "wrap_at is no whole number of steps",
                where=self.point,
                evidence=f"wrap_at {self.wrap_at}, resolution {self.resolution}",
            )

    @property
    def wrap_steps(self) -> int | None:
        """Steps of one turn of the register [steps]."""
        return None if self.wrap_at is None else int(self.wrap_at / self.resolution)

    def steps(self, count: Count) -> int:
        """Return a count as whole steps of the resolution, rounded down."""
        numerator, denominator = count.as_integer_ratio()
        return (numerator * self.resolution.denominator) // (denominator * self.resolution.numerator)


class SegmentKind(StrEnum):
    """Why a segment begins."""

    FIRST = "first"
    FALL = "fall"
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
        return bisect_right(self.segments, index, key=lambda segment: segment.first) - 1


def build_counter(readings: Iterable[Reading], spec: CounterSpec) -> Counter:
    """Return the counter of some readings, in whatever order and however often they come.

    Raises
    ------
    DataError
        If a reading is of another point.
    """
    return counter_of_cells(cells_of(readings), spec)


def counter_of_cells(cells: Iterable[Cell], spec: CounterSpec) -> Counter:
    """Return the counter of some cells, in whatever order and however often they come.

    Bad readings are left out. Of readings at one instant the best by quality counts, of equally good ones
    the lowest count, so the choice depends on the set alone.

    Raises
    ------
    DataError
        If a cell is of another point.
    """
    ordered = union(cells)
    for cell in ordered:
        if cell.point != spec.point:
            raise DataError("a cell of another point", where=spec.point, evidence=cell.point)
    rows = list(chain.from_iterable(cell.usable for cell in ordered))
    wrap = spec.wrap_at
    outside = [] if wrap is None else [row for row in rows if not 0 <= row[1] < wrap]
    if wrap is not None and outside:
        rows = [row for row in rows if 0 <= row[1] < wrap]
    times = tuple(time_ms for time_ms, _ in rows)
    counts = tuple(count for _, count in rows)
    accumulated, segments, events = _accumulate(times, counts, spec)
    events += (
        CounterEvent(EventKind.CONFLICT, time_ms, f"{' and '.join(map(str, seen))} at one instant")
        for cell in ordered
        for time_ms, seen in cell.conflicts
    )
    events += (
        CounterEvent(EventKind.OUT_OF_RANGE, time_ms, f"{count} is set aside: the register wraps at {wrap}")
        for time_ms, count in outside
    )
    events.sort(key=lambda event: (event.time_ms, event.kind))
    return Counter(spec, times, counts, tuple(accumulated), tuple(segments), tuple(events))


def _accumulate(
    times: Sequence[int], counts: Sequence[Count], spec: CounterSpec
) -> tuple[list[int], list[Segment], list[CounterEvent]]:
    """Follow the register from reading to reading."""
    steps = [spec.steps(count) for count in counts]
    exchanged = {bisect_left(times, exchange_ms) for exchange_ms in spec.exchanges_ms}
    plain_ms = _shortest_turn_ms(spec)
    accumulated = steps[:1]
    segments: list[Segment] = []
    events: list[CounterEvent] = []
    kind, first, turned = SegmentKind.FIRST, 0, 0
    for index in range(1, len(steps)):
        rise = steps[index] - steps[index - 1]
        duration_ms = times[index] - times[index - 1]
        if rise < 0 or duration_ms >= plain_ms or index in exchanged:
            change = EventKind.EXCHANGE if index in exchanged else _judge(rise, duration_ms, spec)
            if change is not None:
                events.append(
                    CounterEvent(change, times[index], f"{counts[index - 1]}, then {counts[index]}")
                )
            if change is EventKind.ROLLOVER:
                turned += spec.wrap_steps or 0
            elif change is not None:
                segments.append(Segment(kind, first, index - 1))
                kind, first, turned = SegmentKind(change), index, 0
        accumulated.append(steps[index] + turned)
    if steps:
        segments.append(Segment(kind, first, len(steps) - 1))
    return accumulated, segments, events


def _judge(rise: int, duration_ms: int, spec: CounterSpec) -> EventKind | None:
    """Tell what a fall, or a rise after a long silence, is; None for a plain rise."""
    wrap = spec.wrap_steps
    if wrap is None:
        return EventKind.FALL if rise < 0 else None
    increment = rise if rise >= 0 else rise + wrap
    if spec.counts_per_hour is None:
        plausible = wrap // 2
    else:
        plausible = int(spec.counts_per_hour * duration_ms / (spec.resolution * _HOUR_MS)) + 1
        if increment + wrap <= plausible:
            return EventKind.SILENCE
    if rise >= 0:
        return None
    return EventKind.ROLLOVER if increment <= plausible else EventKind.FALL


def _shortest_turn_ms(spec: CounterSpec) -> int:
    """Return the time below which a rise cannot hide a whole turn of the register."""
    if spec.wrap_steps is None or not spec.counts_per_hour:
        return _NEVER_MS
    return int((spec.wrap_steps - 1) * spec.resolution * _HOUR_MS / spec.counts_per_hour)
