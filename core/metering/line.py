"""The energy that went through a point, as one line of whole Wh that every interval is a difference on.

The line is made of pieces: the register between the readings of a segment under one multiplier, the gap
between two segments whose energy has bounds, and values from elsewhere where neither says anything. Pieces
that touch make a run; between two runs nothing is known, and there is no difference.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from itertools import islice
from typing import TypeAlias

from core.metering.boundaries import accumulated_in
from core.metering.counters import Counter
from core.metering.gaps import Gap, gap_before
from core.metering.installations import Installation
from core.metering.sources import IntervalValue
from core.timeline import Interval

EVER_MS = 1 << 62
"""Beyond every instant [ms since 1970 UTC]."""


class Lack(StrEnum):
    """What keeps an interval from having a value."""

    NO_READING_BEFORE = "no reading at or before"
    NO_READING_AFTER = "no reading at or after"
    COUNTER_CUT = "the register fell or jumped, was exchanged or may have turned unseen at"
    NO_INSTALLATION = "no installation is on record at"
    NO_VALUE = "nothing was measured, billed or entered from"


@dataclass(frozen=True, slots=True)
class Worth:
    """What the steps of a register are worth.

    Parameters
    ----------
    per_step
        Energy of one step under an installation [Wh/step].
    wrap_steps
        Steps of one turn [steps]; None where it never turns.
    segment
        Number of the counter's segment [1].
    """

    per_step: Fraction
    wrap_steps: int | None
    segment: int

    def wh(self, accumulated: int) -> int:
        """Return an accumulated count [steps] in Wh, rounded down within the register's turn.

        Each turn counts whole Wh, so no energy depends on how many earlier turns are on record. Where a turn
        is worth whole Wh, as it is in practice, this is the count times its worth, rounded down.
        """
        up, down = self.per_step.as_integer_ratio()
        if self.wrap_steps is None:
            return accumulated * up // down
        turns, steps = divmod(accumulated, self.wrap_steps)
        return turns * (self.wrap_steps * up // down) + steps * up // down


Source: TypeAlias = Worth | Gap | IntervalValue


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the line.

    Parameters
    ----------
    start_ms, end_ms
        Its ends [ms since 1970 UTC]; both belong to it.
    source
        What gives its energy.
    run
        Number of its run [1].
    offset
        What is added to the source's own Wh to make the line's [Wh].
    """

    start_ms: int
    end_ms: int
    source: Source
    run: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """What an interval has of a piece.

    Parameters
    ----------
    piece
        The piece.
    interval
        The time that both share, not empty.
    wh
        Its energy where no register gives it, else 0 [Wh].
    """

    piece: Piece
    interval: Interval
    wh: int


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch of which nothing is known.

    Parameters
    ----------
    start_ms, end_ms
        Its ends [ms since 1970 UTC].
    lack
        Why.
    at_ms
        The instant to name [ms since 1970 UTC].
    """

    start_ms: int
    end_ms: int
    lack: Lack
    at_ms: int


class Line:
    """The line of a point.

    Parameters
    ----------
    counter
        The point's registers.
    installations
        The point's installations, in time order.
    values
        Energies from elsewhere; of two that overlap the one that stands first counts.

    Attributes
    ----------
    pieces
        In time order.
    holes
        In time order.
    gaps
        Between the segments of the counter, in time order, with and without bounds.
    """

    def __init__(
        self, counter: Counter, installations: Sequence[Installation], values: Sequence[IntervalValue]
    ) -> None:
        self.counter = counter
        numbers = range(1, len(counter.segments))
        self.gaps = tuple(gap_before(counter, number, installations) for number in numbers)
        pieces, self.holes = _by_registers(counter, installations, self.gaps)
        if values:
            if not counter.segments:
                self.holes = [replace(self.holes[0], lack=Lack.NO_VALUE)]
            pieces += _fill(self.holes, values)
            pieces.sort(key=lambda each: (each.start_ms, each.end_ms))
        self.pieces = self._in_runs(pieces)
        self._starts = [each.start_ms for each in self.pieces]

    def index_at(self, time_ms: int) -> int | None:
        """Return the index of the piece at an instant [ms since 1970 UTC]; of two that touch, the later."""
        index = bisect_right(self._starts, time_ms) - 1
        return index if index >= 0 and self.pieces[index].end_ms >= time_ms else None

    def wh_at(self, index: int, time_ms: int) -> int:
        """Return the line's Wh at an instant [ms since 1970 UTC] of a piece [Wh]."""
        piece = self.pieces[index]
        return piece.offset + self._own_wh(piece, time_ms)

    def parts(self, interval: Interval) -> tuple[Part, ...]:
        """Return what an interval has of each piece that reaches into it, in time order."""
        found: list[Part] = []
        index = max(bisect_right(self._starts, interval.start_ms) - 1, 0)
        for piece in islice(self.pieces, index, None):
            if piece.start_ms >= interval.end_ms:
                break
            start_ms, end_ms = max(piece.start_ms, interval.start_ms), min(piece.end_ms, interval.end_ms)
            if start_ms < end_ms:
                wh = 0
                if not isinstance(piece.source, Worth):
                    wh = self._own_wh(piece, end_ms) - self._own_wh(piece, start_ms)
                found.append(Part(piece, Interval(start_ms, end_ms), wh))
        return tuple(found)

    def lacks(self, start_ms: int, end_ms: int) -> Iterator[tuple[Lack, int]]:
        """Yield what is not known between two instants [ms since 1970 UTC], each with the one to name."""
        for hole in self.holes:
            if hole.end_ms < start_ms or hole.start_ms > end_ms:
                continue
            if hole.lack in (Lack.NO_INSTALLATION, Lack.NO_VALUE):
                if max(hole.start_ms, start_ms) < min(hole.end_ms, end_ms) or start_ms == end_ms:
                    yield hole.lack, max(hole.start_ms, start_ms)
                continue
            ends = [time_ms for time_ms in (start_ms, end_ms) if hole.start_ms < time_ms < hole.end_ms]
            if ends or (start_ms <= hole.start_ms and hole.end_ms <= end_ms):
                yield from ((hole.lack, time_ms) for time_ms in ends or [hole.at_ms])

    def _own_wh(self, piece: Piece, time_ms: int) -> int:
        source = piece.source
        if isinstance(source, Worth):
            return source.wh(accumulated_in(self.counter, source.segment, time_ms))
        whole, start_ms, end_ms = source.whole
        return whole * (time_ms - start_ms) // (end_ms - start_ms) if end_ms > start_ms else 0

    def _in_runs(self, ordered: Sequence[Piece]) -> list[Piece]:
        """Return pieces with what is added to each, so that the line goes on where two touch."""
        made: list[Piece] = []
        reached = run = 0
        for each in ordered:
            own = self._own_wh(each, each.start_ms)
            if not made or made[-1].end_ms < each.start_ms:
                run, reached = run + 1, own
            made.append(replace(each, run=run, offset=reached - own))
            reached += self._own_wh(each, each.end_ms) - own
        return made


def _by_registers(
    counter: Counter, installations: Sequence[Installation], gaps: Sequence[Gap]
) -> tuple[list[Piece], list[Hole]]:
    """Return what registers say, and where they say nothing."""
    if not counter.segments:
        return [], [Hole(-EVER_MS, EVER_MS, Lack.NO_READING_BEFORE, -EVER_MS)]
    first_ms, last_ms = counter.times_ms[0], counter.times_ms[-1]
    pieces: list[Piece] = []
    holes = [Hole(-EVER_MS, first_ms, Lack.NO_READING_BEFORE, first_ms)]
    for number in range(len(counter.segments)):
        if number:
            gap = gaps[number - 1]
            if gap.most is None:
                holes.append(Hole(gap.start_ms, gap.end_ms, Lack.COUNTER_CUT, gap.end_ms))
            else:
                pieces.append(Piece(gap.start_ms, gap.end_ms, gap))
        _add_segment(counter, number, installations, pieces, holes)
    holes.append(Hole(last_ms, EVER_MS, Lack.NO_READING_AFTER, last_ms))
    return pieces, holes


def _add_segment(
    counter: Counter,
    number: int,
    installations: Sequence[Installation],
    pieces: list[Piece],
    holes: list[Hole],
) -> None:
    """Add what a segment says: a piece for each multiplier, a hole where no installation is on record."""
    segment, register = counter.segments[number], counter.register_of(number)
    span = Interval(counter.times_ms[segment.first], counter.times_ms[segment.last])
    reached_ms = span.start_ms
    for each in installations:
        if not each.overlaps(span):
            continue
        first_ms = max(each.start_ms, span.start_ms)
        last_ms = span.end_ms if each.end_ms is None else min(each.end_ms, span.end_ms)
        if first_ms > reached_ms:
            holes.append(Hole(reached_ms, first_ms, Lack.NO_INSTALLATION, reached_ms))
        worth = Worth(each.multiplier * register.resolution, register.wrap_steps, number)
        if pieces and pieces[-1].source == worth and pieces[-1].end_ms == first_ms:
            pieces[-1] = replace(pieces[-1], end_ms=last_ms)
        else:
            pieces.append(Piece(first_ms, last_ms, worth))
        reached_ms = last_ms
    if reached_ms < span.end_ms:
        holes.append(Hole(reached_ms, span.end_ms, Lack.NO_INSTALLATION, reached_ms))


def _fill(holes: list[Hole], values: Sequence[IntervalValue]) -> list[Piece]:
    """Put values into holes: return their pieces, and leave in the list what is still not known."""
    made: list[Piece] = []
    for value in values:
        start_ms, end_ms = value.interval.start_ms, value.interval.end_ms
        index = bisect_right(holes, start_ms, key=lambda hole: hole.end_ms)
        while index < len(holes) and holes[index].start_ms < end_ms:
            hole = holes[index]
            first_ms, last_ms = max(hole.start_ms, start_ms), min(hole.end_ms, end_ms)
            made.append(Piece(first_ms, last_ms, value))
            rest = [
                replace(hole, start_ms=from_ms, end_ms=to_ms)
                for from_ms, to_ms in ((hole.start_ms, first_ms), (last_ms, hole.end_ms))
                if from_ms < to_ms
            ]
            holes[index : index + 1] = rest
            index += len(rest)
    return made
