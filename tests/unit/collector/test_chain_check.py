"""Whatever is changed in a ledger that somebody decided is named: any column of any row."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.types import LargeBinary

from collector import chain_check
from collector.ledger import Ledger, bills, cells, decisions, values
from collector.ledger.binding import row_digest
from collector.ledger.record_tables import bills as bills_table
from collector.ledger.record_tables import decisions as decisions_table
from collector.ledger.record_tables import frozen, interval_values, statements
from collector.ledger.tables import cells as cells_table
from collector.ledger.tables import fuel_lines, production_lines
from config.hq import HqConfig, load_hq
from core.carbon.activity import FuelLine, ProductionLine
from core.metering.bills import Bill
from core.metering.cells import cells_of
from core.metering.interval_data import Run
from core.metering.quantities import Unit
from core.metering.readings import Reading
from core.metering.sources import Origin
from tests.unit.collector.closings import FEBRUARY, MARCH, close, filled
from tests.unit.collector.material import BROUGHT, POINT, SATO, T0, folder_with

BOUND: tuple[Table, ...] = (
    decisions_table,
    statements,
    frozen,
    interval_values,
    bills_table,
    fuel_lines,
    production_lines,
)
DATA = Path(__file__).parents[2] / "data"
COLUMNS = [(table, column.name) for table in BOUND for column in table.columns]


class Undone(Exception):
    """Takes a change back."""


def fill(ledger: Ledger, hq: HqConfig) -> None:
    """A closed month, with a line of every kind, and a correction."""
    line = FuelLine(
        "f1", "aoba", "kiln", "heavy_oil_a", date(2024, 2, 3), Fraction(18), Unit.KL, "D-1", "fuel.csv:2"
    )
    made = ProductionLine("p1", FEBRUARY, "aoba", "copper", Fraction(3000), Unit.T, "P-1", "p.csv:2")
    other = ProductionLine("p2", MARCH, "aoba", "copper", Fraction(3000), Unit.T, "P-2", "p.csv:3")
    ledger.add_fuel_lines([line], BROUGHT)
    ledger.add_production([made, other], BROUGHT)
    bill = Bill(
        point=POINT,
        supplier="T",
        menu="A",
        first_day=date(2024, 1, 16),
        last_day=date(2024, 2, 15),
        kwh=Decimal("5000"),
        demand_kw=Decimal(900),
        amount=Decimal(100),
        document="B-1",
        sha256="",
        source="bills.csv:2",
    )
    run = Run(POINT, T0 - 7_200_000, T0, "5 6", Origin.BILLED, "m", "f.csv", "0" * 64, "x")
    with ledger.writing() as connection:
        body: dict[str, Any] = {"what": "values", "file": "f.csv", "sha256": "0" * 64, "ids": [run.id]}
        decision = decisions.decide(connection, kind="import", who=SATO, reason="", body=body, time_ms=T0)
        values.add(connection, [run], decision)
        row = bills.row_of(bill)
        body = {"what": "bills", "file": "bills.csv", "sha256": "", "lines": {bill.id: row_digest(row)}}
        bills.add(
            connection,
            [bill],
            decisions.decide(connection, kind="import", who=SATO, reason="", body=body, time_ms=T0),
        )
    close(filled(ledger, FEBRUARY), hq, FEBRUARY)
    with ledger.writing() as connection:
        exclude: dict[str, Any] = {"what": "exclude", "point": POINT, "time_ms": T0}
        decisions.decide(connection, kind="correction", who=SATO, reason="spike", body=exclude, time_ms=T0)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A ledger with a row in every table that decisions bind; changes to it are taken back."""
    folder = folder_with(tmp_path_factory.mktemp("closed"))
    ledger = Ledger.open(folder, create=True)
    fill(ledger, load_hq(folder))
    yield ledger
    ledger.close()


def found(ledger: Ledger) -> list[str]:
    with ledger.reading() as connection:
        return chain_check.differences(connection)


def after(ledger: Ledger, change: Any) -> list[str]:
    """What is found after a change, which is taken back."""
    told: list[str] = []
    with pytest.raises(Undone), ledger.writing() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        connection.execute(change)
        told += chain_check.differences(connection)
        raise Undone
    return told


def another(value: Any) -> Any:
    """A value of the same type that is another."""
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    return value + 90 if isinstance(value, int) else f"{value or ''}1"


def test_what_was_decided_is_found_so(closed: Ledger) -> None:
    assert found(closed) == []


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[f"{table}.{name}" for table, name in COLUMNS])
def test_any_column_of_any_row(closed: Ledger, table: Table, column: str) -> None:
    with closed.reading() as connection:
        rows = connection.execute(select(table)).all()
    assert rows
    keys = list(table.primary_key.columns)
    for row in (rows[0], rows[-1]):
        here = [key == row._mapping[key.name] for key in keys]
        told = after(closed, update(table).where(*here).values({column: another(row._mapping[column])}))
        assert told, f"{row._mapping}"
        assert any(_names(table, row._mapping, text) for text in told), told


def _names(table: Table, row: Any, text: str) -> bool:
    """Tell whether what is found says which row it is."""
    if table is decisions_table:
        return "decision" in text
    if table in (statements, frozen):
        return f"{row['month']}, revision {row['revision']}" in text
    return str(row["id"]) in text


@pytest.mark.parametrize("table", BOUND, ids=str)
def test_a_row_that_is_taken_away_or_put_in(closed: Ledger, table: Table) -> None:
    with closed.reading() as connection:
        row = dict(connection.execute(select(table)).first()._mapping)  # type: ignore[union-attr]  # there is one
    here = [key == row[key.name] for key in table.primary_key.columns]
    if table is not decisions_table:  # which other rows name
        assert after(closed, delete(table).where(*here))
    key = "id" if "id" in row else "revision" if "revision" in row else "number"
    more: dict[str, Any] = {key: row[key] + 90 if isinstance(row[key], int) else "another"}
    if table is decisions_table:
        more["hash"] = "f" * 64
    assert after(closed, insert(table).values(row | more))


def test_a_closed_month_hashed_again_does_not_follow_from_its_decision(closed: Ledger) -> None:
    """Whoever changes the inputs and their hash in the decision changes the chain."""
    with closed.reading() as connection:
        row = connection.execute(select(statements)).first()
    assert row is not None
    inputs = json.loads(zlib.decompress(row.inputs))
    inputs["inputs/plan.json"] = inputs["inputs/plan.json"].replace("Aoba", "Shiomi")
    packed = zlib.compress(json.dumps(inputs).encode())
    told = after(closed, update(statements).values(inputs=packed).where(statements.c.month == row.month))
    assert any("made from" in text for text in told)


def test_a_reading_that_a_closed_month_rests_on_cannot_go_unseen(closed: Ledger) -> None:
    with closed.reading() as connection:
        cell = cells.read(connection, POINT)[48]
    (changed,) = cells_of([Reading(POINT, cell.start_ms, 1)])
    here = (cells_table.c.point == POINT, cells_table.c.start_ms == cell.start_ms)
    told = after(closed, update(cells_table).where(*here).values(data=changed.pack()))
    assert any(f"{POINT}: readings are not there any more" in text for text in told)
    assert any("not there any more" in text for text in after(closed, delete(cells_table).where(*here)))
    damaged = after(closed, update(cells_table).where(*here).values(data=b"\0"))
    assert any("not a packed cell" in text for text in damaged)


def test_late_readings_are_no_change(tmp_path: Path) -> None:
    folder = folder_with(tmp_path)
    ledger = Ledger.open(folder, create=True)
    close(filled(ledger, FEBRUARY), load_hq(folder), FEBRUARY)
    with ledger.writing() as connection:
        cells.merge(connection, cells_of([Reading(POINT, T0 + 90_000, 700)]))
    assert found(ledger) == []
    ledger.close()


def test_on_either_database(place: Path | str, tmp_path: Path) -> None:
    ledger = Ledger.open(place, create=True)
    fill(ledger, load_hq(folder_with(tmp_path / "hq")))
    assert found(ledger) == []
    told = after(ledger, update(fuel_lines).values(source="another.csv:9"))
    assert told == ["fuel line f1, of decision 1 (lines.csv): it is not what was imported"]
    ledger.close()


def test_lines_of_an_earlier_release_are_bound_when_its_ledger_is_opened(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "ledger.sqlite")
    database.executescript((DATA / "ledger-0001.sql").read_text(encoding="utf-8"))
    database.close()
    ledger = Ledger.open(tmp_path)
    assert found(ledger) == []
    with ledger.reading() as connection:
        (decision,) = decisions.read(connection)
    (line,) = ledger.fuels("2024-02")
    assert (decision.kind, list(decision.facts["lines"])) == ("import", [line.id])
    assert "earlier release" in decision.reason
    told = after(ledger, update(fuel_lines).values(quantity="19"))
    assert told == [f"fuel line {line.id}, of decision 1 (an earlier release): it is not what was imported"]
    ledger.close()


def test_every_bound_table_is_looked_at() -> None:
    """A table that decisions bind has a column for the decision, or its lines stand in one."""
    metadata = decisions_table.metadata
    assert {table for table in metadata.tables.values() if "decision" in table.columns} <= set(BOUND)
    assert any(isinstance(column.type, LargeBinary) for column in statements.columns)
