"""Cells in the ledger: merged by set union, so that no order of arrival leaves a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, update

from collector.ledger import engines
from collector.ledger.record_tables import thinned
from collector.ledger.tables import cells as table
from core.metering.cells import Cell
from core.timeline import HALF_HOUR_MS, Interval

_OF_POINT = select(table.c.start_ms, table.c.data).where(table.c.point == bindparam("of_point"))
# Kept from other writers until the transaction ends: what is joined must not change in between.
_SOME_OF_POINT = (
    _OF_POINT.where(table.c.start_ms.in_(bindparam("starts", expanding=True)))
    .order_by(table.c.start_ms)
    .with_for_update()
)
_WITHIN = _OF_POINT.where(
    table.c.start_ms >= bindparam("first_ms"), table.c.start_ms < bindparam("end_ms")
).order_by(table.c.start_ms)
_FROM = (
    select(table.c.start_ms)
    .where(table.c.point == bindparam("of_point"), table.c.start_ms >= bindparam("first_ms"))
    .limit(1)
)
_INSERT = insert(table)
_UPDATE = (
    update(table)
    .where(table.c.point == bindparam("of_point"), table.c.start_ms == bindparam("at_ms"))
    .values(data=bindparam("packed"))
)
_FORGET = delete(thinned).where(
    thinned.c.point.in_(bindparam("points", expanding=True)),
    thinned.c.day_ms > bindparam("after_ms"),
    thinned.c.day_ms <= bindparam("last_ms"),
)
_LONGEST_DAY_MS = 26 * 3_600_000

# SQLite takes 32,766 parameters in one statement, PostgreSQL 65,535.
_STARTS_PER_QUERY = 10_000


def merge(connection: Connection, arrived: Iterable[Cell]) -> int:
    """Join cells with those of the ledger, and take away the thinned days that were made from them.

    Parameters
    ----------
    arrived
        Cells, each point and half-hour at most once.

    Returns
    -------
    int
        Cells that are new or have changed [1].

    Raises
    ------
    DataError
        A cell in the ledger cannot be read: the database is damaged.
    """
    engines.lock_thinned(connection, alone=False)
    by_point: dict[str, dict[int, Cell]] = {}
    for cell in arrived:
        by_point.setdefault(cell.point, {})[cell.start_ms] = cell
    added: list[dict[str, object]] = []
    changed: list[dict[str, object]] = []
    touched: list[tuple[str, int]] = []
    for point, fresh in by_point.items():
        known = _packed(connection, point, sorted(fresh))
        for start_ms, cell in fresh.items():
            before = known.get(start_ms)
            if before is None:
                added.append({"point": point, "start_ms": start_ms, "data": cell.pack()})
                touched.append((point, start_ms))
                continue
            packed = (Cell.unpack(point, start_ms, before) | cell).pack()
            if packed != before:
                changed.append({"of_point": point, "at_ms": start_ms, "packed": packed})
                touched.append((point, start_ms))
    if added:
        connection.execute(_INSERT, added)
    if changed:
        connection.execute(_UPDATE, changed)
    _forget_thinned(connection, touched)
    return len(touched)


def packed(connection: Connection, point: str, interval: Interval) -> list[tuple[int, bytes]]:
    """Return start [ms since 1970 UTC] and bytes of the cells of a point that start in an interval."""
    within = {"of_point": point, "first_ms": interval.start_ms, "end_ms": interval.end_ms}
    return [(start_ms, data) for start_ms, data in connection.execute(_WITHIN, within)]


def read(connection: Connection, point: str, interval: Interval | None = None) -> tuple[Cell, ...]:
    """Return the cells of a point that start in an interval (all without one), in time order.

    Raises
    ------
    DataError
        A cell cannot be read: the database is damaged.
    """
    if interval is None:
        found = connection.execute(_OF_POINT.order_by(table.c.start_ms), {"of_point": point})
    else:
        within = {"of_point": point, "first_ms": interval.start_ms, "end_ms": interval.end_ms}
        found = connection.execute(_WITHIN, within)
    return tuple(Cell.unpack(point, start_ms, data) for start_ms, data in found)


def around(connection: Connection, point: str, interval: Interval) -> tuple[Cell, ...]:
    """Return the cells of a point that bear on an interval, in time order.

    These are the cells of the interval, and on both sides those up to the nearest reading that is not bad.
    """
    earlier = before(connection, point, interval.start_ms, _usable)
    later = after(connection, point, interval.end_ms, _usable)
    return (*earlier, *read(connection, point, interval), *later)


def before(
    connection: Connection, point: str, time_ms: int, enough: Callable[[Cell], bool]
) -> tuple[Cell, ...]:
    """Return the cells that start before an instant [ms since 1970 UTC], back to the first that is enough."""
    earlier = table.c.start_ms < time_ms
    return tuple(reversed(_outward(connection, point, earlier, table.c.start_ms.desc(), enough)))


def after(
    connection: Connection, point: str, time_ms: int, enough: Callable[[Cell], bool]
) -> tuple[Cell, ...]:
    """Return the cells that start at an instant [ms since 1970 UTC] or later, to the first that is enough."""
    return tuple(_outward(connection, point, table.c.start_ms >= time_ms, table.c.start_ms.asc(), enough))


def span(connection: Connection, point: str) -> Interval | None:
    """Return the time from the first cell of a point to the end of its last; None where it has none."""
    ends = (func.min(table.c.start_ms), func.max(table.c.start_ms))
    first_ms, last_ms = connection.execute(select(*ends).where(table.c.point == point)).one()
    return None if first_ms is None else Interval(first_ms, last_ms + HALF_HOUR_MS)


def has_two(connection: Connection, point: str, interval: Interval) -> bool:
    """Tell whether at least two cells of a point start in an interval."""
    within = {"of_point": point, "first_ms": interval.start_ms, "end_ms": interval.end_ms}
    return len(connection.execute(_WITHIN.limit(2), within).all()) == 2


def any_from(connection: Connection, point: str, time_ms: int) -> bool:
    """Tell whether a cell of a point starts at an instant [ms since 1970 UTC] or later."""
    return connection.execute(_FROM, {"of_point": point, "first_ms": time_ms}).first() is not None


def points(connection: Connection) -> tuple[str, ...]:
    """Return the points that have cells, sorted."""
    found: list[str] = []
    following = (
        select(table.c.point).where(table.c.point > bindparam("after")).order_by(table.c.point).limit(1)
    )
    # One seek per point: a DISTINCT would walk through every cell.
    while (point := connection.scalar(following, {"after": found[-1] if found else ""})) is not None:
        found.append(point)
    return tuple(found)


def _forget_thinned(connection: Connection, touched: Iterable[tuple[str, int]]) -> None:
    """Take thinned days away, the same days of many points with one command."""
    spans: list[tuple[str, int, int]] = []
    for point, start_ms in sorted(touched):
        if spans and spans[-1][0] == point and start_ms - spans[-1][2] <= 2 * HALF_HOUR_MS:
            spans[-1] = (point, spans[-1][1], start_ms)
        else:
            spans.append((point, start_ms, start_ms))
    together: dict[tuple[int, int], list[str]] = {}
    for point, first_ms, last_ms in spans:
        together.setdefault((first_ms - _LONGEST_DAY_MS, last_ms), []).append(point)
    for (after_ms, last_ms), points in together.items():
        for first in range(0, len(points), _STARTS_PER_QUERY):
            some = {"points": points[first : first + _STARTS_PER_QUERY]}
            connection.execute(_FORGET, some | {"after_ms": after_ms, "last_ms": last_ms})


def _usable(cell: Cell) -> bool:
    return bool(cell.usable)


def _outward(
    connection: Connection,
    point: str,
    side: ColumnElement[bool],
    order: ColumnElement[int],
    enough: Callable[[Cell], bool],
) -> list[Cell]:
    found: list[Cell] = []
    outward = _OF_POINT.where(side).order_by(order)
    with connection.execution_options(yield_per=1).execute(outward, {"of_point": point}) as rows:
        for start_ms, data in rows:
            found.append(Cell.unpack(point, start_ms, data))
            if enough(found[-1]):
                break
    return found


def _packed(connection: Connection, point: str, starts: list[int]) -> dict[int, bytes]:
    known: dict[int, bytes] = {}
    for first in range(0, len(starts), _STARTS_PER_QUERY):
        some = {"of_point": point, "starts": starts[first : first + _STARTS_PER_QUERY]}
        known.update((row.start_ms, row.data) for row in connection.execute(_SOME_OF_POINT, some))
    return known
