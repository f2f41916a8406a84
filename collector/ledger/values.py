"""Energies from elsewhere than registers in the ledger: runs of intervals, each named by its contents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select

from collector.ledger.record_tables import interval_values as table
from core.chain import Decision
from core.metering.interval_data import DAY_MS, Run, settled, values_of
from core.metering.sources import IntervalValue, Origin
from core.timeline import Interval

_WITHIN = (
    select(table)
    .where(
        table.c.point == bindparam("of_point"),
        table.c.start_ms < bindparam("before_ms"),
        table.c.end_ms > bindparam("after_ms"),
    )
    .order_by(table.c.start_ms, table.c.id)
)


def add(connection: Connection, rows: Iterable[Run], decision: Decision) -> int:
    """Add runs that the ledger does not hold yet; return how many were added [1].

    Parameters
    ----------
    connection
        Inside a transaction that writes.
    decision
        The import that brings them.
    """
    fresh = {run.id: run for run in rows}
    held = set(
        connection.scalars(select(table.c.id).where(table.c.point.in_({run.point for run in fresh.values()})))
    )
    added = [
        {
            "id": name,
            "point": run.point,
            "start_ms": run.start_ms,
            "end_ms": run.end_ms,
            "wh": run.amounts,
            "origin": run.origin.value,
            "method": run.method,
            "document": run.document,
            "sha256": run.sha256,
            "reader": run.reader,
            "decision": decision.number,
        }
        for name, run in fresh.items()
        if name not in held
    ]
    if added:
        connection.execute(insert(table), added)
    return len(added)


def any_in(connection: Connection, point: str, interval: Interval) -> bool:
    """Tell whether an energy of a point reaches into an interval."""
    within = {"of_point": point, "before_ms": interval.end_ms, "after_ms": interval.start_ms}
    return connection.execute(_WITHIN.limit(1), within).first() is not None


def runs(connection: Connection, point: str, interval: Interval) -> tuple[Run, ...]:
    """Return the runs of a point that reach into an interval, in time order."""
    within = {"of_point": point, "before_ms": interval.end_ms, "after_ms": interval.start_ms}
    return tuple(run_of(row) for row in connection.execute(_WITHIN, within))


def names(connection: Connection, point: str) -> tuple[str, ...]:
    """Return the ids of the runs of a point, sorted: other ids, other energies."""
    return tuple(connection.scalars(select(table.c.id).where(table.c.point == point).order_by(table.c.id)))


def of(connection: Connection, point: str, interval: Interval) -> tuple[IntervalValue, ...]:
    """Return the energies of a point from elsewhere that reach into an interval, in time order.

    They do not overlap; whole Wh are made of all values of a UTC day, so an interval's value does not depend
    on what is asked.
    """
    days = Interval(interval.start_ms // DAY_MS * DAY_MS, -(-interval.end_ms // DAY_MS) * DAY_MS)
    found = runs(connection, point, days)
    if not found:
        return ()
    earliest = min(run.start_ms for run in found)
    if earliest // DAY_MS * DAY_MS < days.start_ms:
        # A long interval reaches in from an earlier day, and is rounded with that day's others.
        found = runs(connection, point, Interval(earliest // DAY_MS * DAY_MS, days.end_ms))
    return tuple(
        value
        for value in values_of(settled(found))
        if value.interval.start_ms < interval.end_ms and value.interval.end_ms > interval.start_ms
    )


def span(connection: Connection, point: str) -> Interval | None:
    """Return the time from the first value of a point to the end of its last; None where it has none."""
    ends = (func.min(table.c.start_ms), func.max(table.c.end_ms))
    first_ms, last_ms = connection.execute(select(*ends).where(table.c.point == point)).one()
    return None if first_ms is None else Interval(first_ms, last_ms)


def run_of(row: Row[Any]) -> Run:
    """Return a row of the table as a run."""
    return Run(
        point=row.point,
        start_ms=row.start_ms,
        end_ms=row.end_ms,
        amounts=row.wh,
        origin=Origin(row.origin),
        method=row.method,
        document=row.document,
        sha256=row.sha256,
        reader=row.reader,
    )
