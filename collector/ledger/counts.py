"""The count, from what the ledger holds and has been told."""

from __future__ import annotations

from sqlalchemy import Connection, select

from collector.ledger.holdings import epoch_of, lane_of
from collector.ledger.tables import frames, gone, lanes, streams
from core.delivery.count import Count, count_epoch
from core.delivery.holdings import FrameState, HeldFrame
from core.delivery.messages import Gone


def counts(connection: Connection) -> tuple[Count, ...]:
    """Return the count of every agent, lane and epoch, in that order."""
    newest = {(row.agent, row.lane): lane_of(row) for row in connection.execute(select(lanes))}
    order = (streams.c.agent, streams.c.lane, streams.c.number)
    return tuple(
        count_epoch(
            epoch_of(row),
            newest.get((row.agent, row.lane)),
            _frames(connection, row.number),
            _gone(connection, row.number, row.epoch),
        )
        for row in connection.execute(select(streams).order_by(*order)).all()
    )


def _frames(connection: Connection, stream: int) -> list[HeldFrame]:
    columns = select(frames.c.idx, frames.c.id, frames.c.n, frames.c.state).where(frames.c.stream == stream)
    return [
        HeldFrame(at, id.hex(), n, FrameState(state))
        for at, id, n, state in connection.execute(columns.order_by(frames.c.idx, frames.c.number))
    ]


def _gone(connection: Connection, stream: int, epoch: str) -> list[Gone]:
    of_stream = select(gone).where(gone.c.stream == stream)
    return [
        Gone(
            epoch=epoch,
            first=row.first,
            frames=row.frames,
            readings=row.readings,
            reason=row.reason,
            digest=row.digest or None,
            from_ms=row.from_ms,
            to_ms=row.to_ms,
        )
        for row in connection.execute(of_stream.order_by(gone.c.first, gone.c.frames, gone.c.reason))
    ]
