"""Suppliers' bills in the ledger: a bill is named by its contents, so it is there once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from collector.ledger.record_tables import bills as table
from core.chain import Decision
from core.metering.bills import Bill
from core.metering.interval_data import plain


def add(connection: Connection, rows: Iterable[Bill], decision: Decision) -> int:
    """Add bills that the ledger does not hold yet; return how many were added [1].

    Parameters
    ----------
    connection
        Inside a transaction that writes.
    decision
        The import that brings them.
    """
    held = set(connection.scalars(select(table.c.id)))
    added = [row_of(bill) | {"decision": decision.number} for bill in rows if bill.id not in held]
    if added:
        connection.execute(insert(table), added)
    return len(added)


def read(connection: Connection, point: str | None = None) -> tuple[Bill, ...]:
    """Return the bills of a point (all without one), by point and in time order."""
    wanted = select(table).order_by(table.c.point, table.c.first_day, table.c.id)
    if point is not None:
        wanted = wanted.where(table.c.point == point)
    return tuple(bill_of(row) for row in connection.execute(wanted))


def names(connection: Connection, point: str) -> tuple[str, ...]:
    """Return the ids of the bills of a point, sorted."""
    return tuple(connection.scalars(select(table.c.id).where(table.c.point == point).order_by(table.c.id)))


def bill_of(row: Row[Any]) -> Bill:
    """Return a row of the table as a bill."""
    return Bill(
        point=row.point,
        supplier=row.supplier,
        menu=row.menu,
        first_day=date.fromisoformat(row.first_day),
        last_day=date.fromisoformat(row.last_day),
        kwh=Decimal(row.kwh),
        demand_kw=None if row.demand_kw is None else Decimal(row.demand_kw),
        amount=None if row.amount is None else Decimal(row.amount),
        document=row.document,
        sha256=row.sha256,
        source=row.source,
    )


def row_of(bill: Bill) -> dict[str, object]:
    """Return a bill as a row of the table, but for its decision."""
    return {
        "id": bill.id,
        "point": bill.point,
        "supplier": bill.supplier,
        "menu": bill.menu,
        "first_day": bill.first_day.isoformat(),
        "last_day": bill.last_day.isoformat(),
        "kwh": f"{bill.kwh:f}",
        "demand_kw": None if bill.demand_kw is None else plain(bill.demand_kw),
        "amount": None if bill.amount is None else plain(bill.amount),
        "document": bill.document,
        "sha256": bill.sha256,
        "source": bill.source,
    }
