"""Readings become a counter: a count that only rises, in segments within which it may be subtracted.

What a register did between two readings is decided by `following`. Where it did anything but rise or roll
over, the counter is cut: each segment is sure in itself, and what may have gone through between two of them
is said by `gaps` instead of invented.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise
from operator import lt

from core.errors import DataError
from core.metering.cells import Cell, cells_of, union
from core.metering.events import CounterEvent as CounterEvent
from core.metering.events import EventKind as EventKind
from core.metering.events import Segment as Segment
from core.metering.events import SegmentKind as SegmentKind
from core.metering.following import Followed, follow
from core.metering.readings import Count, Quality, Reading
from core.metering.registers import CounterSpec as CounterSpec
from core.metering.registers import Register as Register
from core.metering.registers import counter_spec as counter_spec
from core.timeline import HALF_HOUR_MS


@dataclass(frozen=True, slots=True)
class Counter:
    """The readings of a point's registers that count, in time order.

    Parameters
    ----------
    spec
        What is known of the registers.
    times_ms
        Instants [ms since 1970 UTC], rising; only at an exchange do two stand at one instant, the closing
        and the opening index.
    counts
        What the register held at each [counts].
    accumulated
        The register's value plus its turns since the start of the segment [steps of its resolution]; never
        falls within a segment.
    segments
        In time order; together they hold every reading once.
    events
        In time order.
    entered
        Instants of the indexes that came from a person or a slip [ms since 1970 UTC].
    uncertain
        Instants of the readings of uncertain quality that count [ms since 1970 UTC].
    held
        Readings that are suspect and do not count, in time order: instant [ms since 1970 UTC] and count.
    left_out
        Instants of readings after which others were left out [ms since 1970 UTC], because up to the next one
        the register is known at the beginning of every half-hour.
    """

    spec: CounterSpec
    times_ms: tuple[int, ...]
    counts: tuple[Count, ...]
    accumulated: tuple[int, ...]
    segments: tuple[Segment, ...]
    events: tuple[CounterEvent, ...]
    entered: frozenset[int] = frozenset()
    uncertain: frozenset[int] = frozenset()
    held: tuple[tuple[int, Count], ...] = ()
    left_out: frozenset[int] = frozenset()

    def segment_of(self, index: int) -> int:
        """Return the number of the segment that holds a reading."""
        if len(self.segments) == 1:
            return 0
        return bisect_right(self.segments, index, key=lambda segment: segment.first) - 1

    def known_after(self, index: int) -> bool:
        """Tell whether the register is known to half-hour resolution from a reading up to the next one."""
        if self.segments[self.segment_of(index)].last == index:
            return False
        times, accumulated = self.times_ms, self.accumulated
        near = times[index + 1] - times[index] <= HALF_HOUR_MS
        return near or accumulated[index] == accumulated[index + 1] or times[index] in self.left_out

    def register_of(self, segment: int) -> Register:
        """Return the register that a segment, by its number, is of."""
        return self.spec.registers[self.segments[segment].register]


@dataclass(slots=True)
class _Rows:
    """Usable readings, one per instant."""

    times_ms: Sequence[int]
    counts: Sequence[Count]
    uncertain: set[int]
    events: list[CounterEvent]


def build_counter(readings: Iterable[Reading], spec: CounterSpec) -> Counter:
    """Return the counter of some readings, in whatever order and however often they come.

    Raises
    ------
    DataError
        If a reading is of another point.
    """
    return counter_of_cells(cells_of(readings), spec)


def counter_of_cells(
    cells: Iterable[Cell],
    spec: CounterSpec,
    *,
    entered: Collection[int] = (),
    left_out: Collection[int] = (),
) -> Counter:
    """Return the counter of some cells, in whatever order and however often they come.

    Bad readings are left out, and uncertain ones between two good ones that are at most 30 minutes apart. Of
    readings at one instant the best by quality counts, of equally good ones the lowest count. So the choice
    depends on the set alone.

    Parameters
    ----------
    cells
        The point's cells.
    spec
        What is known of its registers.
    entered
        Instants of the readings that a person entered [ms since 1970 UTC].
    left_out
        As `Counter` has it, of cells that were thinned.

    Raises
    ------
    DataError
        If a cell is of another point.
    """
    rows = _rows(union(cells), spec.point)
    starts = [bisect_left(rows.times_ms, register.start_ms) for register in spec.registers[1:]]
    counter = Counter(
        spec,
        (),
        (),
        (),
        (),
        tuple(rows.events),
        entered=frozenset(entered),
        uncertain=frozenset(rows.uncertain),
        left_out=frozenset(left_out),
    )
    for number, (first, end) in enumerate(pairwise((0, *starts, len(rows.times_ms)))):
        part = _Rows(rows.times_ms[first:end], rows.counts[first:end], set(), [])
        counter = _with_register(counter, number, part)
    events = sorted(counter.events, key=lambda event: (event.time_ms, event.kind))
    counting = counter.entered.intersection(counter.times_ms) if counter.entered else frozenset[int]()
    return replace(counter, events=tuple(events), entered=counting)


def _with_register(counter: Counter, number: int, rows: _Rows) -> Counter:
    """Return the counter with the readings of the next register added."""
    registers = counter.spec.registers
    register = registers[number]
    indexes = _with_indexes(rows, register)
    _set_aside(rows, register)
    if not rows.times_ms:
        return replace(counter, events=(*counter.events, *rows.events)) if rows.events else counter
    found = follow(rows.times_ms, rows.counts, register, others_follow=number + 1 < len(registers))
    return _joined(counter, number, rows, found, indexes)


def _joined(counter: Counter, number: int, rows: _Rows, found: Followed, indexes: Iterable[int]) -> Counter:
    times, counts, n = tuple(rows.times_ms), tuple(rows.counts), len(counter.times_ms)
    segments, events = found.segments, [*rows.events, *found.events]
    if counter.segments:
        exchange = segments[0]
        evidence = f"{counter.counts[-1]}, then {counts[0]} of another meter"
        events.append(CounterEvent(EventKind.EXCHANGE, times[0], evidence))
        segments = (replace(exchange, kind=SegmentKind.EXCHANGE), *segments[1:])
    if n or number:
        segments = tuple(
            replace(each, first=each.first + n, last=each.last + n, register=number) for each in segments
        )
    held: tuple[tuple[int, Count], ...] = ()
    if found.held:
        held = tuple((times[index], counts[index]) for index in sorted(found.held))
        kept = [index for index in range(len(times)) if index not in found.held]
        times, counts = tuple(times[index] for index in kept), tuple(counts[index] for index in kept)
    return replace(
        counter,
        times_ms=(*counter.times_ms, *times) if n else times,
        counts=(*counter.counts, *counts) if n else counts,
        accumulated=(*counter.accumulated, *found.accumulated) if n else found.accumulated,
        segments=(*counter.segments, *segments),
        events=(*counter.events, *events),
        entered=counter.entered.union(indexes),
        held=(*counter.held, *held),
    )


def _rows(cells: Sequence[Cell], point: str) -> _Rows:
    """Return the readings that are usable, one per instant."""
    for cell in cells:
        if cell.point != point:
            raise DataError("a cell of another point", where=point, evidence=cell.point)
    if not any(cell.grades for cell in cells):
        times = list(chain.from_iterable(cell.times_ms for cell in cells))
        if all(map(lt, times, islice(times, 1, None))):
            counts = list(chain.from_iterable(cell.counts for cell in cells))
            return _Rows(times, counts, set(), [])  # type: ignore[arg-type]  # all good, so none is missing
    best = [row for cell in cells for row in cell.best]
    doubtful = {time_ms for time_ms, _, quality in best if quality is Quality.UNCERTAIN}
    if doubtful:
        needless = _between_good_ones([time_ms for time_ms, _, _ in best], doubtful)
        best = [row for row in best if row[0] not in needless]
        doubtful -= needless
    events = [
        CounterEvent(EventKind.CONFLICT, time_ms, f"{' and '.join(map(str, seen))} at one instant")
        for cell in cells
        if not cell.plain
        for time_ms, seen in cell.conflicts
    ]
    return _Rows([time_ms for time_ms, _, _ in best], [count for _, count, _ in best], doubtful, events)


def _between_good_ones(times_ms: Sequence[int], doubtful: Collection[int]) -> set[int]:
    """Return the instants of uncertain readings that two good ones at most 30 minutes apart make needless."""
    good = [time_ms for time_ms in times_ms if time_ms not in doubtful]

    def needless() -> Iterator[int]:
        for time_ms in doubtful:
            at = bisect_left(good, time_ms)
            if 0 < at < len(good) and good[at] - good[at - 1] <= HALF_HOUR_MS:
                yield time_ms

    return set(needless())


def _with_indexes(rows: _Rows, register: Register) -> list[int]:
    """Put the indexes on record among the readings; one stands for what was read at its instant."""
    times, counts = list(rows.times_ms), list(rows.counts)
    for time_ms, count in register.indexes:
        at = bisect_left(times, time_ms)
        if at < len(times) and times[at] == time_ms:
            if counts[at] != count:
                evidence = f"{counts[at]} was read at the instant of the index {count}"
                rows.events.append(CounterEvent(EventKind.CONFLICT, time_ms, evidence))
            counts[at] = count
        else:
            times.insert(at, time_ms)
            counts.insert(at, count)
    if register.indexes:
        rows.times_ms, rows.counts = times, counts
    return [time_ms for time_ms, _ in register.indexes]


def _set_aside(rows: _Rows, register: Register) -> None:
    """Leave out counts that the register cannot hold, each an event."""
    wrap = register.wrap_at
    if wrap is None or not rows.counts or (min(rows.counts) >= 0 and max(rows.counts) < wrap):
        return
    both = list(zip(rows.times_ms, rows.counts, strict=True))
    rows.events += [
        CounterEvent(EventKind.OUT_OF_RANGE, time_ms, f"{count} is set aside: the register wraps at {wrap}")
        for time_ms, count in both
        if not 0 <= count < wrap
    ]
    kept = [row for row in both if 0 <= row[1] < wrap]
    rows.times_ms, rows.counts = [time_ms for time_ms, _ in kept], [count for _, count in kept]
