"""What a projection of the registers reads: the frames after its position, and where it stands."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update

from collector.ledger.tables import cursors, frames, streams
from core.delivery.frames import Lane
from core.delivery.holdings import FrameState


class Stretch(NamedTuple):
    """A point table and the span of time in which frames brought readings of its points.

    `first_ms` and `last_ms` are both inside the span [ms since 1970 UTC].
    """

    point_table: str
    first_ms: int
    last_ms: int


def position(connection: Connection, name: str) -> int:
    """Return the number of the last frame that a projection has written, 0 before the first."""
    return connection.scalar(select(cursors.c.position).where(cursors.c.name == name)) or 0


def set_position(connection: Connection, name: str, number: int) -> None:
    """Keep the number of the last frame that a projection has written."""
    if (
        connection.execute(update(cursors).where(cursors.c.name == name).values(position=number)).rowcount
        == 0
    ):
        connection.execute(insert(cursors).values(name=name, position=number))


def stretches_after(connection: Connection, number: int, limit: int) -> tuple[int, tuple[Stretch, ...]]:
    """Return what the next frames brought to the registers.

    Parameters
    ----------
    number
        Position to start after.
    limit
        Most frames to look at [1].

    Returns
    -------
    tuple
        The number of the last frame looked at (the position given, if there is none), and one stretch per
        point table.
    """
    columns = (frames.c.number, streams.c.lane, frames.c.state, frames.c.point_table)
    following = (
        select(*columns, frames.c.first_ms, frames.c.last_ms)
        .join(streams)
        .where(frames.c.number > number)
        .order_by(frames.c.number)
        .limit(limit)
    )
    spans: dict[str, tuple[int, int]] = {}
    for row in connection.execute(following):
        number = row.number
        if row.lane == Lane.REGISTERS and row.state == FrameState.HELD and row.first_ms is not None:
            first_ms, last_ms = spans.get(row.point_table, (row.first_ms, row.last_ms))
            spans[row.point_table] = min(first_ms, row.first_ms), max(last_ms, row.last_ms)
    return number, tuple(Stretch(table, *span) for table, span in spans.items())
