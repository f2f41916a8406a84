"""What the ledger holds, as the delivery receiver asks for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, bindparam, select

from collector.ledger.tables import frames, lanes, point_tables, streams
from core.delivery.frames import Frame, Lane, Stream
from core.delivery.holdings import EpochRow, FrameState, HeldFrame, LaneRow
from core.delivery.messages import Block
from core.delivery.ranges import Span
from core.delivery.tables import PointRow, PointTable

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
        number = self._connection.scalar(_NUMBER, stream._asdict())
        found: list[HeldFrame] = []
        for first, end in spans if number is not None else ():
            places = {"of_stream": number, "first": first, "end": end}
            found += (
                HeldFrame(at, id.hex(), n, FrameState(state))
                for at, id, n, state in self._connection.execute(_FRAMES, places)
            )
        return found

    def tables(self, digests: Collection[str]) -> Mapping[str, PointTable]:
        """Return those of the point tables that are known, by digest."""
        found: dict[str, PointTable] = {}
        for digest in digests:
            text = self._connection.scalar(_TABLE, {"digest": digest})
            if text is not None:
                found[digest] = _point_table(text)
        return found

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

    def missing_tables(self, agent: str, lane: Lane) -> Collection[str]:
        """Return the digests of point tables that are not known and that frames of the lane wait for."""
        known = select(point_tables.c.digest)
        digests = (
            select(frames.c.point_table)
            .join(streams)
            .where(
                frames.c.state == FrameState.UNDECODED,
                streams.c.agent == agent,
                streams.c.lane == lane,
                frames.c.point_table.not_in(known),
            )
            .distinct()
        )
        return self._connection.execute(digests).scalars().all()

    def epochs(self, agent: str, lane: Lane) -> Sequence[EpochRow]:
        """Return all epochs of an agent's lane, in order of first arrival."""
        of_lane = {"agent": agent, "lane": lane}
        return [epoch_of(row) for row in self._connection.execute(_EPOCHS, of_lane)]

    def owner(self, epoch: str) -> tuple[str, str] | None:
        """Return site and agent on whose topic an epoch was first heard."""
        row = self._connection.execute(_OWNER, {"epoch": epoch}).first()
        return None if row is None else (row.site, row.agent)

    def lane(self, agent: str, lane: Lane) -> LaneRow | None:
        """Return the newest inventory of a lane."""
        row = self._connection.execute(_LANE, {"agent": agent, "lane": lane}).first()
        return None if row is None else lane_of(row)


@lru_cache(maxsize=1000)
def _point_table(text: str) -> PointTable:
    """Read a table's text; agents use the same few for years."""
    return PointTable(POINT_ROWS.validate_json(text))


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


# Statements are made once: to build one costs more than to run it.
_NUMBER = select(streams.c.number).where(
    streams.c.agent == bindparam("agent"),
    streams.c.lane == bindparam("lane"),
    streams.c.epoch == bindparam("epoch"),
)
_FRAMES = (
    select(frames.c.idx, frames.c.id, frames.c.n, frames.c.state)
    .where(
        frames.c.stream == bindparam("of_stream"),
        frames.c.idx >= bindparam("first"),
        frames.c.idx < bindparam("end"),
    )
    .order_by(frames.c.idx, frames.c.number)
)
_TABLE = select(point_tables.c.text).where(point_tables.c.digest == bindparam("digest"))
_EPOCHS = (
    select(streams)
    .where(streams.c.agent == bindparam("agent"), streams.c.lane == bindparam("lane"))
    .order_by(streams.c.number)
)
_OWNER = (
    select(streams.c.site, streams.c.agent)
    .where(streams.c.epoch == bindparam("epoch"))
    .order_by(streams.c.number)
    .limit(1)
)
_LANE = select(lanes).where(lanes.c.agent == bindparam("agent"), lanes.c.lane == bindparam("lane"))
_UNDECODED = (
    select(frames, streams.c.agent, streams.c.lane, streams.c.epoch)
    .join(streams)
    .where(frames.c.state == FrameState.UNDECODED)
    .order_by(frames.c.number)
)
