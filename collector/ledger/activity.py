"""Fuel and production lines in the ledger: a line is named by its contents, so it is there once.

Lines come with the decision that brings them, in one transaction; it binds every word of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from sqlalchemy import Connection, Table, insert, select

from collector.ledger import decisions
from collector.ledger.binding import bound
from collector.ledger.tables import fuel_lines, production_lines
from collector.people import Who
from core.carbon.activity import FuelLine, ProductionLine
from core.carbon.rounding import exact_text
from core.metering.quantities import Unit
from core.timeline import add_months

IMPORT = "import"
FUEL, PRODUCTION = "fuel", "production"


@dataclass(frozen=True, slots=True)
class Brought:
    """Where lines come from.

    Parameters
    ----------
    file, sha256
        Name and hash of the file.
    who
        Who brings it.
    time_ms
        Now [ms since 1970 UTC].
    """

    file: str
    sha256: str
    who: Who
    time_ms: int


def add_fuel_lines(connection: Connection, lines: Iterable[FuelLine], brought: Brought) -> int:
    """Add lines that the ledger does not hold yet, and the decision that brings them.

    Returns
    -------
    int
        Lines added [1].
    """
    rows = [
        {
            "id": line.id,
            "site": line.site,
            "process": line.process,
            "fuel": line.fuel,
            "date": line.date.isoformat(),
            "quantity": exact_text(line.quantity),
            "unit": line.unit.value,
            "document": line.document,
            "source": line.source,
        }
        for line in lines
    ]
    return _add(connection, fuel_lines, rows, FUEL, brought)


def add_production(connection: Connection, lines: Iterable[ProductionLine], brought: Brought) -> int:
    """Add lines that the ledger does not hold yet, and the decision that brings them.

    Returns
    -------
    int
        Lines added [1].
    """
    rows = [
        {
            "id": line.id,
            "site": line.site,
            "product": line.product,
            "month": line.month,
            "quantity": exact_text(line.quantity),
            "unit": line.unit.value,
            "document": line.document,
            "source": line.source,
        }
        for line in lines
    ]
    return _add(connection, production_lines, rows, PRODUCTION, brought)


def fuels_of(connection: Connection, month: str) -> tuple[FuelLine, ...]:
    """Return the fuel lines of a month ``YYYY-MM``, sorted by id."""
    within = (fuel_lines.c.date >= f"{month}-01") & (fuel_lines.c.date < f"{add_months(month, 1)}-01")
    return tuple(
        FuelLine(
            id=row.id,
            site=row.site,
            process=row.process,
            fuel=row.fuel,
            date=date.fromisoformat(row.date),
            quantity=Fraction(row.quantity),
            unit=Unit(row.unit),
            document=row.document,
            source=row.source,
        )
        for row in connection.execute(select(fuel_lines).where(within).order_by(fuel_lines.c.id))
    )


def production_of(connection: Connection, month: str) -> tuple[ProductionLine, ...]:
    """Return the production lines of a month ``YYYY-MM``, sorted by id."""
    of_month = select(production_lines).where(production_lines.c.month == month)
    return tuple(
        ProductionLine(
            id=row.id,
            month=row.month,
            site=row.site,
            product=row.product,
            quantity=Fraction(row.quantity),
            unit=Unit(row.unit),
            document=row.document,
            source=row.source,
        )
        for row in connection.execute(of_month.order_by(production_lines.c.id))
    )


def months(connection: Connection) -> set[str]:
    """Return the months ``YYYY-MM`` that have lines."""
    dates = connection.scalars(select(fuel_lines.c.date).distinct())
    return {day[:7] for day in dates} | set(connection.scalars(select(production_lines.c.month).distinct()))


def _add(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, object]], what: str, brought: Brought
) -> int:
    held = set(connection.scalars(select(table.c.id)))
    added = [row for row in rows if row["id"] not in held]
    if added:
        connection.execute(insert(table), added)
        decisions.decide(
            connection,
            kind=IMPORT,
            who=brought.who,
            reason="",
            body={
                "what": what,
                "file": brought.file,
                "sha256": brought.sha256,
                "lines": bound(added),
            },
            time_ms=brought.time_ms,
        )
    return len(added)
