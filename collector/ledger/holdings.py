"""What the ledger holds, as the delivery receiver asks for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select

from collector.ledger.tables import frames, lanes, point_tables, streams
from core.delivery.frames import Frame, Lane, Stream
from core.delivery.holdings import EpochRow, FrameState, HeldFrame, LaneRow
from core.delivery.messages import Block
from core.delivery.ranges import Span
from core.delivery.tables import PointRow, PointTable

_SPANS_PER_QUERY = 100

BLOCKS: TypeAdapter[tuple[Block, ...]] = TypeAdapter(tuple[Block, ...])
POINT_ROWS: TypeAdapter[tuple[PointRow, ...]] = TypeAdapter(tuple[PointRow, ...])


class LedgerHoldings:
    """The receiver's view of one snapshot or transaction of the ledger.

    Samples whose point table is missing are not offered for decoding with the registers: they have to
    go to the reading store first, which is the samples' own way.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def frames(self, stream: Stream, spans: Sequence[Span]) -> Sequence[HeldFrame]:
        """Return all frames kept at the places, by index and then in order of arrival."""
        columns = select(frames.c.idx, frames.c.id, frames.c.n, frames.c.state).join(streams)
        found: list[HeldFrame] = []
        for first in range(0, len(spans), _SPANS_PER_QUERY):
            some = spans[first : first + _SPANS_PER_QUERY]
            places = or_(*(and_(frames.c.idx >= start, frames.c.idx < end) for start, end in some))
            query = columns.where(_is(stream), places).order_by(frames.c.idx, frames.c.number)
            found += (
                HeldFrame(at, id.hex(), n, FrameState(state))
                for at, id, n, state in self._connection.execute(query)
            )
        return found

    def tables(self, digests: Collection[str]) -> Mapping[str, PointTable]:
        """Return those of the point tables that are known, by digest."""
        known = select(point_tables).where(point_tables.c.digest.in_(digests))
        return {
            digest: PointTable(POINT_ROWS.validate_json(text))
            for digest, text in self._connection.execute(known)
        }

    def undecoded(self, table: str) -> Sequence[Frame]:
        """Return the register frames that wait for a point table."""
        waiting = _UNDECODED.where(frames.c.point_table == table, streams.c.lane == Lane.REGISTERS)
        return [frame_of(row) for row in self._connection.execute(waiting)]

    def undecoded_samples(self, limit: int) -> Sequence[tuple[Frame, PointTable]]:
        """Return some sample frames whose table has come since, each with that table."""
        known = select(point_tables.c.digest)
        late = _UNDECODED.where(streams.c.lane == Lane.SAMPLES, frames.c.point_table.in_(known)).limit(limit)
        found = [frame_of(row) for row in self._connection.execute(late)]
        tables = self.tables({frame.table for frame in found}) if found else {}
        return [(frame, tables[frame.table]) for frame in found]

    def epochs(self, agent: str, lane: Lane) -> Sequence[EpochRow]:
        """Return all epochs of an agent's lane, in order of first arrival."""
        of_lane = select(streams).where(streams.c.agent == agent, streams.c.lane == lane)
        return [epoch_of(row) for row in self._connection.execute(of_lane.order_by(streams.c.number))]

    def owner(self, epoch: str) -> tuple[str, str] | None:
        """Return site and agent on whose topic an epoch was first heard."""
        first = select(streams.c.site, streams.c.agent).where(streams.c.epoch == epoch)
        row = self._connection.execute(first.order_by(streams.c.number).limit(1)).first()
        return None if row is None else (row.site, row.agent)

    def lane(self, agent: str, lane: Lane) -> LaneRow | None:
        """Return the newest inventory of a lane."""
        of_lane = select(lanes).where(lanes.c.agent == agent, lanes.c.lane == lane)
        row = self._connection.execute(of_lane).first()
        return None if row is None else lane_of(row)


def epoch_of(row: Row[Any]) -> EpochRow:
    """Return a row of `streams` as the receiver knows it."""
    return EpochRow(
        stream=Stream(row.agent, Lane(row.lane), row.epoch),
        site=row.site,
        frames=row.frames,
        readings=row.readings,
        linked=row.linked,
        prev=row.prev,
        clean=row.clean,
        finished=row.finished,
    )


def lane_of(row: Row[Any]) -> LaneRow:
    """Return a row of `lanes` as the receiver knows it."""
    return LaneRow(
        agent=row.agent,
        lane=Lane(row.lane),
        process=row.process,
        sequence=row.sequence,
        listed=BLOCKS.validate_json(row.listed),
        listed_frames=row.listed_frames,
        total_readings=row.total_readings,
    )


def frame_of(row: Row[Any]) -> Frame:
    """Return the whole frame of a row of `frames` that keeps its payload, joined with its stream."""
    return Frame(row.agent, Lane(row.lane), row.epoch, row.idx, row.n, row.point_table, row.payload)


_UNDECODED = (
    select(frames, streams.c.agent, streams.c.lane, streams.c.epoch)
    .join(streams)
    .where(frames.c.state == FrameState.UNDECODED)
    .order_by(frames.c.number)
)


def _is(stream: Stream) -> ColumnElement[bool]:
    return and_(
        streams.c.agent == stream.agent, streams.c.lane == stream.lane, streams.c.epoch == stream.epoch
    )
