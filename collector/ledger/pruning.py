"""Old frames become blocks: their ids as one digest, once no agent is expected to keep them any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select

from collector.ledger.tables import blocks, frames, gone, streams
from core.delivery.frames import BLOCK_FRAMES, Lane, block_digest
from core.delivery.holdings import FrameState

DAY_MS = 86_400_000
KEPT_MS: Mapping[Lane, int] = {Lane.REGISTERS: 100 * DAY_MS, Lane.SAMPLES: 14 * DAY_MS}
"""How old the newest reading of a block must be before its frames are forgotten one by one [ms]."""

_BLOCKS_PER_TURN = 16

TableTimes = tuple[str, int, int]
"""Digest of a point table, first and last time of the readings that it explains [ms since 1970 UTC]."""

TABLE_TIMES: TypeAdapter[tuple[TableTimes, ...]] = TypeAdapter(tuple[TableTimes, ...])


class OldStream(NamedTuple):
    """A stream whose frames may have grown old.

    `end` is where it ends, once that is certain [frames], and None before.
    """

    number: int
    agent: str
    lane: Lane
    end: int | None


def old_streams(connection: Connection) -> Sequence[OldStream]:
    """Return all streams."""
    return [
        OldStream(row.number, row.agent, Lane(row.lane), row.frames if row.finished else None)
        for row in connection.execute(select(streams).order_by(streams.c.number))
    ]


def prune(connection: Connection, stream: OldStream, first: int, now_ms: int) -> tuple[int, int | None]:
    """Turn some whole, aligned blocks of a stream into one row each.

    Left alone are blocks with frames that are not held, places with two frames, and places that the agent
    names as lost: only ids can tell what became of these.

    Parameters
    ----------
    first
        Place to begin at.

    Returns
    -------
    tuple
        Blocks made [1], and the place to go on at; None when what follows is too young, or nothing.
    """
    made = 0
    before_ms = now_ms - KEPT_MS[stream.lane]
    for _ in range(_BLOCKS_PER_TURN):
        at = connection.scalar(_NEXT, {"of_stream": stream.number, "first": first})
        if at is None:
            return made, None
        first = at - at % BLOCK_FRAMES
        places = {"of_stream": stream.number, "first": first, "end": first + BLOCK_FRAMES}
        rows = connection.execute(_FRAMES, places).all()
        times = [row.last_ms for row in rows if row.last_ms is not None]
        if max(times, default=before_ms) >= before_ms:
            return made, None
        whole = len(rows) == BLOCK_FRAMES or first + len(rows) == stream.end
        if whole and _all_held(first, rows) and connection.scalar(_LOST, places) is None:
            connection.execute(insert(blocks).values(stream=stream.number, **_block(first, rows)))
            connection.execute(_FORGET, places)
            made += 1
        first += BLOCK_FRAMES
    return made, first


def _all_held(first: int, rows: Sequence[Row[Any]]) -> bool:
    """Tell whether the rows are one held frame at each place."""
    return all(row.idx == first + i and row.state == FrameState.HELD for i, row in enumerate(rows))


def _block(first: int, rows: Sequence[Row[Any]]) -> dict[str, object]:
    times: dict[str, TableTimes] = {}
    for row in rows:
        if row.first_ms is not None:
            _, from_ms, to_ms = times.get(row.point_table, ("", row.first_ms, row.last_ms))
            span = (min(from_ms, row.first_ms), max(to_ms, row.last_ms))
            times[row.point_table] = (row.point_table, *span)
    return {
        "first": first,
        "frames": len(rows),
        "readings": sum(row.n for row in rows),
        "state": FrameState.HELD.value,
        "digest": block_digest(b"".join(row.id for row in rows)),
        "from_ms": min((each[1] for each in times.values()), default=None),
        "to_ms": max((each[2] for each in times.values()), default=None),
        "number": max(row.number for row in rows),
        "point_tables": TABLE_TIMES.dump_json(tuple(times.values())).decode(),
    }


_AT = (
    frames.c.stream == bindparam("of_stream"),
    frames.c.idx >= bindparam("first"),
    frames.c.idx < bindparam("end"),
)
_NEXT = select(func.min(frames.c.idx)).where(*_AT[:2])
_FRAMES = select(frames).where(*_AT).order_by(frames.c.idx, frames.c.number)
_FORGET = delete(frames).where(*_AT)
_LOST = (
    select(gone.c.first)
    .where(
        gone.c.stream == bindparam("of_stream"),
        gone.c.first < bindparam("end"),
        gone.c.first + gone.c.frames > bindparam("first"),
        gone.c.reason != "freed",
    )
    .limit(1)
)
