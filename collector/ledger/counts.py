"""The count, from what the ledger holds and has been told.

Frames are read once, one after the other, and become runs of one state: a year of frames fills no memory.
Only where a loss is named do their ids matter, for only they tell whether it is of these very frames.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from collector.ledger.holdings import block_of, epoch_of, lane_of
from collector.ledger.tables import blocks, frames, gone, lanes, streams
from core.delivery.count import Count, count_epoch
from core.delivery.dated import DatedBlock, DatedFrame, count_by_period
from core.delivery.holdings import EpochRow, FrameState, HeldBlock, HeldFrame, LaneRow
from core.delivery.messages import Gone
from core.delivery.ranges import Ranges

_ROWS_AT_A_TIME = 10_000
_STREAMS = select(streams).order_by(streams.c.agent, streams.c.lane, streams.c.number)
_FRAMES = (
    select(frames.c.idx, frames.c.id, frames.c.n, frames.c.state, frames.c.first_ms)
    .where(frames.c.stream == bindparam("of_stream"))
    .order_by(frames.c.idx, frames.c.number)
    .execution_options(yield_per=_ROWS_AT_A_TIME)
)
_BLOCKS = select(blocks).where(blocks.c.stream == bindparam("of_stream")).order_by(blocks.c.first)
_GONE = (
    select(gone)
    .where(gone.c.stream == bindparam("of_stream"))
    .order_by(gone.c.first, gone.c.frames, gone.c.reason, gone.c.readings, gone.c.digest)
)


@dataclass(frozen=True, slots=True)
class SiteCount:
    """The count of one epoch of an agent's lane in one period, and the agent's site."""

    site: str
    period: int
    count: Count


def counts(connection: Connection) -> tuple[Count, ...]:
    """Return the count of every agent, lane and epoch, in that order."""
    return tuple(
        count_epoch(
            kept.row,
            kept.lane,
            [each.held for each in kept.frames],
            kept.gone,
            [each.held for each in kept.blocks],
        )
        for kept in _streams(connection, ())
    )


def counts_by_period(connection: Connection, bounds: Sequence[int]) -> tuple[SiteCount, ...]:
    """Return the count of every agent, lane, epoch and period, where anything was taken in it.

    Parameters
    ----------
    bounds
        Begin of the first period, of the second, …, end of the last [ms since 1970 UTC].
    """
    found: list[SiteCount] = []
    newest: dict[tuple[str, str], int | None] = {}
    for kept in _streams(connection, bounds):
        stream = kept.row.stream
        of_lane = stream.agent, stream.lane.value
        counted, newest[of_lane] = count_by_period(
            kept.row,
            kept.lane,
            kept.frames,
            kept.gone,
            kept.blocks,
            bounds=bounds,
            before_ms=newest.get(of_lane),
        )
        found += (
            SiteCount(kept.row.site, period, count)
            for period, count in enumerate(counted)
            if count is not None
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the ledger keeps of a stream, and was told of it."""

    row: EpochRow
    lane: LaneRow | None
    frames: Sequence[DatedFrame]
    blocks: Sequence[DatedBlock]
    gone: Sequence[Gone]


def _streams(connection: Connection, bounds: Sequence[int]) -> Iterator[_Kept]:
    newest = {(row.agent, row.lane): lane_of(row) for row in connection.execute(select(lanes))}
    for found in connection.execute(_STREAMS).all():
        row, lane = epoch_of(found), newest.get((found.agent, found.lane))
        of_stream = {"of_stream": found.number}
        ranges = [_gone(each, found.epoch) for each in connection.execute(_GONE, of_stream)]
        pruned = [
            part
            for each in connection.execute(_BLOCKS, of_stream)
            for part in _spread(block_of(each), each.from_ms, each.to_ms, bounds)
        ]
        runs = _Runs(row, lane, ranges, bounds)
        for at, id, n, state, first_ms in connection.execute(_FRAMES, of_stream):
            runs.add(at, id, n, state, first_ms)
        yield _Kept(row, lane, runs.frames, [*pruned, *runs.close()], ranges)


class _Runs:
    """Frames in order, as runs that end wherever anything else begins or ends.

    Parameters
    ----------
    row, lane, ranges
        What the agent has told: at the ends of it the count asks for the readings of a part.
    bounds
        Times at which a period begins [ms since 1970 UTC].
    """

    def __init__(
        self, row: EpochRow, lane: LaneRow | None, ranges: Sequence[Gone], bounds: Sequence[int]
    ) -> None:
        listed = () if lane is None else lane.listed
        edges = {row.judged_frames, row.frames}
        spans = [(each.first, each.frames) for each in ranges]
        spans += [(each.first, each.frames) for each in listed if each.epoch == row.stream.epoch]
        edges |= {edge for first, frames in spans for edge in (first, first + frames)}
        self.frames: list[DatedFrame] = []
        self._edges = sorted(edges)
        named = (each for each in ranges if each.reason != "freed" and each.digest)
        self._by_id = Ranges((each.first, each.first + each.frames) for each in named)
        self._bounds = bounds
        self._blocks: list[DatedBlock] = []
        self._first = self._end = self._readings = 0
        self._stops_at = -1
        self._state = ""
        self._first_ms: int | None = None
        self._period = -1

    def add(self, at: int, id: bytes, n: int, state: str, first_ms: int | None) -> None:
        """Take the next frame."""
        if (self._by_id and at in self._by_id) or (at == self._end - 1 and at >= self._first):
            self._single(at, id, n, state, first_ms)
            return
        period = -1 if first_ms is None else bisect_right(self._bounds, first_ms)
        if (
            at != self._end
            or at >= self._stops_at
            or state != self._state
            or period not in (-1, self._period)  # one without a time is of the time before it
        ):
            self._cut()
            self._first = at
            self._state, self._first_ms, self._period = state, first_ms, period
            edge = bisect_right(self._edges, at)
            self._stops_at = self._edges[edge] if edge < len(self._edges) else 2**63
        self._end, self._readings = at + 1, self._readings + n

    def close(self) -> Sequence[DatedBlock]:
        """Return the runs."""
        self._cut()
        return self._blocks

    def _single(self, at: int, id: bytes, n: int, state: str, first_ms: int | None) -> None:
        """Keep a frame with its id: where a loss is named, and the second one at a place."""
        self.frames.append(DatedFrame(HeldFrame(at, id.hex(), n, FrameState(state)), first_ms))

    def _cut(self) -> None:
        if self._end > self._first:
            state = FrameState(self._state)
            held = HeldBlock(self._first, self._end - self._first, self._readings, state, "")
            self._blocks.append(DatedBlock(held, self._first_ms))
        self._first, self._readings = self._end, 0


def _spread(
    block: HeldBlock, from_ms: int | None, to_ms: int | None, bounds: Sequence[int]
) -> Iterator[DatedBlock]:
    """A block without ids as parts of one period each: its readings are taken to be spread evenly."""
    if from_ms is None or to_ms is None:
        yield DatedBlock(block, from_ms)
        return
    frames = readings = 0
    start_ms, span_ms = from_ms, to_ms + 1 - from_ms
    for end_ms in (*(bound for bound in bounds if from_ms < bound <= to_ms), to_ms + 1):
        upto = block.frames * (end_ms - from_ms) // span_ms
        if upto > frames:
            held = block.readings * (end_ms - from_ms) // span_ms
            part = HeldBlock(block.first + frames, upto - frames, held - readings, block.state, "")
            yield DatedBlock(part, start_ms)
            frames, readings = upto, held
        start_ms = end_ms


def _gone(row: Row[Any], epoch: str) -> Gone:
    return Gone(
        epoch=epoch,
        first=row.first,
        frames=row.frames,
        readings=row.readings,
        reason=row.reason,
        digest=row.digest or None,
        from_ms=row.from_ms,
        to_ms=row.to_ms,
    )
