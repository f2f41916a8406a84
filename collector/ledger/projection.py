"""What a projection of the registers reads: the frames after its position, and where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from collector.ledger.pruning import TABLE_TIMES, TableTimes
from collector.ledger.tables import blocks, cursors, frames, streams
from core.delivery.frames import Lane
from core.delivery.holdings import FrameState
from core.delivery.ranges import Ranges
from core.timeline import HALF_HOUR_MS, Interval

_MOST_FRAMES = 5_000
_MOST_BLOCKS = 50


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
    touched: dict[str, Ranges] = {}
    times_ms: dict[str, list[int]] = {}
    for at, brought, table_times in _after(connection, number):
        number = at
        for table, first_ms, last_ms in table_times:
            cells = touched.setdefault(table, Ranges())
            cells.add(first_ms // HALF_HOUR_MS, last_ms // HALF_HOUR_MS + 1)
            times_ms.setdefault(table, []).extend((first_ms, last_ms))
        readings -= brought if table_times else 0
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


def _after(connection: Connection, number: int) -> Sequence[tuple[int, int, tuple[TableTimes, ...]]]:
    """Return number, readings, and the times that point tables explain, of the next frames and blocks."""
    found: list[tuple[int, int, tuple[TableTimes, ...]]] = []
    after = {"number": number}
    some_frames = connection.execute(_FRAMES, after).all()
    for frame in some_frames:
        held = frame.lane == Lane.REGISTERS and frame.state == FrameState.HELD and frame.first_ms is not None
        found.append(
            (frame.number, frame.n, ((frame.point_table, frame.first_ms, frame.last_ms),) if held else ())
        )
    some_blocks = connection.execute(_BLOCKS, after).all()
    for block in some_blocks:
        held = block.lane == Lane.REGISTERS
        found.append(
            (block.number, block.readings, TABLE_TIMES.validate_json(block.point_tables) if held else ())
        )
    # Beyond the last of a list that is not whole there may be others before what the other list has.
    ends = [some_frames[-1].number] if len(some_frames) == _MOST_FRAMES else []
    ends += [some_blocks[-1].number] if len(some_blocks) == _MOST_BLOCKS else []
    end = min(ends, default=None)
    return sorted(each for each in found if end is None or each[0] <= end)


_FRAMES = (
    select(
        frames.c.number,
        frames.c.n,
        streams.c.lane,
        frames.c.state,
        frames.c.point_table,
        frames.c.first_ms,
        frames.c.last_ms,
    )
    .join(streams)
    .where(frames.c.number > bindparam("number"))
    .order_by(frames.c.number)
    .limit(_MOST_FRAMES)
)
# A block stands where the last of its frames stood: so also a projection that begins anew sees it.
_BLOCKS = (
    select(blocks.c.number, blocks.c.readings, streams.c.lane, blocks.c.point_tables)
    .join(streams)
    .where(blocks.c.number > bindparam("number"))
    .order_by(blocks.c.number)
    .limit(_MOST_BLOCKS)
)
