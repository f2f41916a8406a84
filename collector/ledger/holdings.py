"""What the ledger holds, as the delivery receiver asks for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, Select, and_, bindparam, select, text

from collector.ledger.tables import anchors, blocks, frames, lanes, point_tables, streams
from core.delivery.frames import BLOCK_FRAMES, Frame, Lane, Stream
from core.delivery.holdings import Arriving, EpochRow, FrameState, HeldBlock, HeldFrame, KeptFrame, LaneRow
from core.delivery.keeping import keep
from core.delivery.messages import Block
from core.delivery.ranges import Span
from core.delivery.tables import PointRow, PointTable

BLOCKS: TypeAdapter[tuple[Block, ...]] = TypeAdapter(tuple[Block, ...])
ARRIVING: TypeAdapter[Arriving] = TypeAdapter(Arriving)
POINT_ROWS: TypeAdapter[tuple[PointRow, ...]] = TypeAdapter(tuple[PointRow, ...])


class LedgerHoldings:
    """The receiver's view of one snapshot or transaction of the ledger.

    Samples that can be decoded late are not offered with the registers: they have to go to the reading
    store first, which is the samples' own way.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def frames(self, stream: Stream, spans: Sequence[Span]) -> Sequence[HeldFrame]:
        """Return all frames kept at the places, by index and then in order of arrival."""
        return [
            HeldFrame(row.idx, row.id.hex(), row.n, FrameState(row.state))
            for row in self._at(_FRAMES, stream, spans)
        ]

    def blocks(self, stream: Stream, spans: Sequence[Span]) -> Sequence[HeldBlock]:
        """Return the blocks without ids that have any of the places, by first index."""
        found = {row.first: block_of(row) for row in self._at(_BLOCKS, stream, spans)}
        return [found[first] for first in sorted(found)]

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
        waiting = {"of_boot": "", "of_table": table}
        return [frame_of(row) for row in self._connection.execute(_WAITING_FOR_TABLE, waiting)]

    def starts_ms(self, agent: str, boots: Collection[str]) -> Mapping[str, int]:
        """Return when those of an agent's machine's runs began that have an anchor [ms since 1970 UTC]."""
        of_agent = {"of_agent": agent, "boots": sorted(boots)}
        return {row.boot: row.start_ms for row in self._connection.execute(_ANCHORS, of_agent)}

    def untimed(self, agent: str, boot: str) -> Sequence[Frame]:
        """Return the register frames of an agent that wait for the anchor of a run of its machine."""
        waiting = {"of_boot": boot, "of_agent": agent}
        return [frame_of(row) for row in self._connection.execute(_WAITING_FOR_ANCHOR, waiting)]

    def late_samples(self, limit: int) -> Sequence[KeptFrame]:
        """Return some sample frames whose table or anchor has come since, as they can be kept now."""
        late: list[Frame] = []
        for waiting in (_LATE_BY_TABLE, _LATE_BY_ANCHOR):
            rows = self._connection.execute(waiting, {"most": limit - len(late)})
            late += [frame_of(row) for row in rows]
        known = self.tables({frame.table for frame in late})
        starts_ms: dict[str, dict[str, int]] = {}
        for row in self._connection.execute(select(anchors)) if late else ():
            starts_ms.setdefault(row.agent, {})[row.boot] = row.start_ms
        return [keep(frame, known.get(frame.table), starts_ms.get(frame.agent, {})) for frame in late]

    def missing_tables(self, agent: str, lane: Lane) -> Collection[str]:
        """Return the digests of point tables that are not known and that frames of the lane wait for."""
        of_lane = {"agent": agent, "lane": lane}
        return self._connection.scalars(_MISSING_TABLES, of_lane).all()

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

    def _at(self, what: Select[Any], stream: Stream, spans: Sequence[Span]) -> Iterator[Row[Any]]:
        number = self._connection.scalar(_NUMBER, stream._asdict())
        for first, end in spans if number is not None else ():
            places = {"of_stream": number, "first": first, "end": end}
            yield from self._connection.execute(what, places)


@lru_cache(maxsize=1000)
def _listed(text: str) -> tuple[Block, ...]:
    """Read an inventory's blocks; a lane's row is looked at far more often than it changes."""
    return BLOCKS.validate_json(text)


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
        judged_frames=row.judged_frames,
        judged_readings=row.judged_readings,
    )


def lane_of(row: Row[Any]) -> LaneRow:
    """Return a row of `lanes` as the receiver knows it."""
    return LaneRow(
        agent=row.agent,
        lane=Lane(row.lane),
        process=row.process,
        sequence=row.sequence,
        listed=_listed(row.listed),
        total_readings=row.total_readings,
        arriving=None if row.arriving is None else ARRIVING.validate_json(row.arriving),
    )


def block_of(row: Row[Any]) -> HeldBlock:
    """Return a row of `blocks` as the receiver knows it."""
    return HeldBlock(row.first, row.frames, row.readings, FrameState(row.state), row.digest)


def frame_of(row: Row[Any]) -> Frame:
    """Return the whole frame of a row of `frames` that keeps its payload, joined with its stream."""
    return Frame(row.agent, Lane(row.lane), row.epoch, row.idx, row.n, row.point_table, row.raw.decode())


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
_BLOCKS = (
    select(blocks)
    .where(
        blocks.c.stream == bindparam("of_stream"),
        blocks.c.first < bindparam("end"),
        blocks.c.first + blocks.c.frames > bindparam("first"),
        # Sought by its key: no block is longer.
        blocks.c.first > bindparam("first") - BLOCK_FRAMES,
    )
    .order_by(blocks.c.first)
)
_ANCHORS = select(anchors).where(
    anchors.c.agent == bindparam("of_agent"), anchors.c.boot.in_(bindparam("boots", expanding=True))
)
# The state is part of the text, so that the index of undecoded frames alone is looked at.
_IS_UNDECODED = text("frames.state = 'undecoded'")
_UNDECODED = (
    select(frames, streams.c.agent, streams.c.lane, streams.c.epoch)
    .join(streams)
    .where(_IS_UNDECODED)
    .order_by(frames.c.number)
)
_WAITING = _UNDECODED.where(frames.c.boot == bindparam("of_boot"), streams.c.lane == Lane.REGISTERS)
_WAITING_FOR_TABLE = _WAITING.where(frames.c.point_table == bindparam("of_table"))
_WAITING_FOR_ANCHOR = _WAITING.where(streams.c.agent == bindparam("of_agent"))
_KNOWN = select(point_tables.c.digest)
_LATE = _UNDECODED.where(streams.c.lane == Lane.SAMPLES).limit(bindparam("most"))
_LATE_BY_TABLE = _LATE.where(frames.c.boot == "", frames.c.point_table.in_(_KNOWN))
_LATE_BY_ANCHOR = _LATE.join(
    anchors, and_(anchors.c.agent == streams.c.agent, anchors.c.boot == frames.c.boot)
)
_MISSING_TABLES = (
    select(frames.c.point_table)
    .join(streams)
    .where(
        _IS_UNDECODED,
        streams.c.agent == bindparam("agent"),
        streams.c.lane == bindparam("lane"),
        frames.c.point_table.not_in(_KNOWN),
    )
    .distinct()
)
