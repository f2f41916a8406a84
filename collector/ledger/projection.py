"""What a projection of the registers reads: the frames after its position, and where it stands."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update

from collector.ledger.tables import cursors, frames, streams
from core.delivery.frames import Lane
from core.delivery.holdings import FrameState
from core.delivery.ranges import Ranges
from core.timeline import HALF_HOUR_MS, Interval

_MOST_FRAMES = 5_000


class Stretch(NamedTuple):
    """What some frames of one point table brought.

    `half_hours` are the spans of cells that they touched, in time order, `first_ms` and `last_ms` the first
    and last time of their readings [ms since 1970 UTC].
    """

    point_table: str
    half_hours: tuple[Interval, ...]
    first_ms: int
    last_ms: int

    def brought(self, time_ms: int) -> bool:
        """Tell whether a reading at this instant may have come with these frames."""
        return self.first_ms <= time_ms <= self.last_ms


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


def stretches_after(connection: Connection, number: int, readings: int) -> tuple[int, tuple[Stretch, ...]]:
    """Return what the next frames brought to the registers.

    Parameters
    ----------
    number
        Position to start after.
    readings
        How many readings to look at, not to within a frame [1].

    Returns
    -------
    tuple
        The number of the last frame looked at (the position given, if there is none), and one stretch per
        point table.
    """
    columns = (frames.c.number, frames.c.n, streams.c.lane, frames.c.state, frames.c.point_table)
    following = (
        select(*columns, frames.c.first_ms, frames.c.last_ms)
        .join(streams)
        .where(frames.c.number > number)
        .order_by(frames.c.number)
        .limit(_MOST_FRAMES)
    )
    touched: dict[str, Ranges] = {}
    times_ms: dict[str, list[int]] = {}
    for row in connection.execute(following):
        number = row.number
        if row.lane == Lane.REGISTERS and row.state == FrameState.HELD and row.first_ms is not None:
            cells = touched.setdefault(row.point_table, Ranges())
            cells.add(row.first_ms // HALF_HOUR_MS, row.last_ms // HALF_HOUR_MS + 1)
            times_ms.setdefault(row.point_table, []).extend((row.first_ms, row.last_ms))
            readings -= row.n
            if readings <= 0:
                break
    return number, tuple(
        Stretch(
            table,
            tuple(Interval(first * HALF_HOUR_MS, end * HALF_HOUR_MS) for first, end in cells),
            min(times_ms[table]),
            max(times_ms[table]),
        )
        for table, cells in touched.items()
    )
