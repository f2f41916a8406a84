"""Suppliers' bills from CSV: good lines into the ledger, bad ones named and set aside."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

from collector.imports.activity import Imported
from collector.imports.readings import KIND
from collector.ledger import Ledger, bills, decisions
from collector.ledger.binding import bound
from collector.people import Who
from collector.tabular import Line, look_through, read_lines
from config.hq import HqConfig
from core.chain import Json
from core.errors import DataError
from core.metering.bills import Bill

COLUMNS = ("point", "supplier", "menu", "first_day", "last_day", "kwh", "demand_kw", "amount", "document")
"""Columns that a file has."""
FILE_COLUMN = "file"
"""Column of the invoice's own file, from the folder of the CSV; its hash is kept."""

_NUMBER = re.compile(r"\d{1,15}(\.\d{1,9})?", re.ASCII)
_DATE = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})", re.ASCII)


def import_bills(path: Path, ledger: Ledger, hq: HqConfig, *, who: Who, now_ms: int) -> Imported:
    """Add a file's bills to the ledger; doing it again adds nothing.

    Parameters
    ----------
    who
        Who brings it.
    now_ms
        Now [ms since 1970 UTC].

    Raises
    ------
    DataError
        The file as a whole cannot be used.
    Unreachable, OutsideError
        The ledger failed.
    """
    file = look_through(path)
    points = {
        name: meter.point for site in hq.sites for meter in site.meters for name in (meter.id, meter.point)
    }
    good: list[Bill] = []
    bad: list[DataError] = []
    for line in read_lines(path, (*COLUMNS, FILE_COLUMN)):
        if isinstance(line, DataError):
            bad.append(line)
            continue
        try:
            good.append(_bill(line, points, path.parent))
        except DataError as error:
            bad.append(error)
    with ledger.reading() as connection:
        held = bills.read(connection)
    fresh, known = _settle(good, held, bad)
    if fresh:
        body: dict[str, Json] = {
            "what": "bills",
            "file": path.name,
            "sha256": file.sha256,
            "aside": len(bad),
            "lines": bound(map(bills.row_of, fresh)),
        }
        with ledger.writing() as connection:
            decision = decisions.decide(connection, kind=KIND, who=who, reason="", body=body, time_ms=now_ms)
            bills.add(connection, fresh, decision)
    return Imported(len(fresh), known, tuple(bad))


def _settle(good: Sequence[Bill], held: Sequence[Bill], bad: list[DataError]) -> tuple[list[Bill], int]:
    """Set aside bills of days that are billed already: they would count twice."""
    fresh: list[Bill] = []
    known = {bill.id for bill in held}
    again = 0
    for bill in good:
        if bill.id in known:
            again += 1
            continue
        other = next(
            (
                each
                for each in (*held, *fresh)
                if each.point == bill.point
                and each.first_day <= bill.last_day
                and bill.first_day <= each.last_day
            ),
            None,
        )
        if other is None:
            fresh.append(bill)
            known.add(bill.id)
            continue
        bad.append(
            DataError(
                "days of this bill are billed already: they would count twice",
                where=f"{bill.source}: first_day",
                evidence=f"{other.document}, {other.first_day} to {other.last_day}, from {other.source}",
                next="if this one takes its place, bring only what it corrects: seiren correct substitute",
            )
        )
    return fresh, again


def _bill(line: Line, points: Mapping[str, str], folder: Path) -> Bill:
    name = line.cells["point"]
    if name not in points:
        raise line.error("point", "there is no such meter", next=f"one of: {', '.join(sorted(points))}")
    first_day, last_day = _day(line, "first_day"), _day(line, "last_day")
    if last_day < first_day:
        raise line.error("last_day", "the bill ends before it starts", cause="both days are billed days")
    if not line.cells["supplier"]:
        raise line.error("supplier", "no supplier is named")
    if not line.cells["document"]:
        raise line.error("document", "no document proves this line", next="write the number of the invoice")
    kwh = _number(line, "kwh")
    if kwh is None:
        raise line.error("kwh", "no energy is billed", next="write it as 1452600 or 1452600.5")
    return Bill(
        point=points[name],
        supplier=line.cells["supplier"],
        menu=line.cells["menu"],
        first_day=first_day,
        last_day=last_day,
        kwh=kwh,
        demand_kw=_number(line, "demand_kw"),
        amount=_number(line, "amount"),
        document=line.cells["document"],
        sha256=_hash(line, folder),
        source=line.source,
    )


def _day(line: Line, column: str) -> date:
    parts = _DATE.fullmatch(line.cells[column])
    try:
        if parts:
            return date(*map(int, parts.groups()))
    except ValueError as error:
        raise line.error(column, "there is no such day", cause=str(error)) from error
    raise line.error(column, "not a date", next="write it as 2024-02-01")


def _number(line: Line, column: str) -> Decimal | None:
    text = line.cells[column]
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise line.error(column, "not a number of 0 or more", next="write it as 1452600.5, without commas")
    return Decimal(text)


def _hash(line: Line, folder: Path) -> str:
    """Return the hash of the invoice's own file; empty where none is named."""
    name = line.cells[FILE_COLUMN]
    if not name:
        return ""
    try:
        return hashlib.sha256((folder / name).read_bytes()).hexdigest()
    except OSError as error:
        raise line.error(
            FILE_COLUMN, "the invoice cannot be read", cause=error.strerror or str(error)
        ) from error
