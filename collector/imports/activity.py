"""Fuel and production lines from CSV: good lines into the ledger, bad ones named and set aside."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from collector.ledger import Ledger
from collector.ledger.activity import Brought
from collector.people import Who
from collector.tabular import Line, look_through, read_lines
from config.factors import load_fuel_factors
from config.hq import HqConfig, SiteRecord
from core.carbon.activity import FuelLine, ProductionLine
from core.carbon.rounding import exact_text
from core.errors import DataError
from core.metering.quantities import Unit

FUEL_COLUMNS = ("date", "site", "process", "fuel", "quantity", "unit", "document")
PRODUCTION_COLUMNS = ("month", "site", "product", "quantity", "unit", "document")

_NUMBER = re.compile(r"\d{1,18}(\.\d{1,18})?", re.ASCII)
_DATE = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})", re.ASCII)
_MONTH = re.compile(r"(\d{4})[-/](\d{1,2})", re.ASCII)

_Entry = TypeVar("_Entry", FuelLine, ProductionLine)


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file's lines.

    Parameters
    ----------
    added
        Lines that are new in the ledger [1].
    known
        Lines that the ledger held already [1].
    bad
        One error for each line that was set aside.
    """

    added: int
    known: int
    bad: tuple[DataError, ...]


def import_activity(path: Path, ledger: Ledger, hq: HqConfig, *, who: Who, now_ms: int) -> Imported:
    """Add a file's fuel lines to the ledger; doing it again adds nothing.

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
    units = {factor.fuel: factor.unit for factor in load_fuel_factors()}
    sites = {site.id: site for site in hq.sites}
    good, bad = _read(path, FUEL_COLUMNS, lambda line: _fuel_line(line, sites, units))
    held = {_fuel_key(line): line for month in {line.month for line in good} for line in ledger.fuels(month)}
    good, bad = _settle(good, bad, held, _fuel_key)
    added = ledger.add_fuel_lines(good, Brought(path.name, file.sha256, who, now_ms))
    return Imported(added, len(good) - added, tuple(bad))


def import_production(path: Path, ledger: Ledger, hq: HqConfig, *, who: Who, now_ms: int) -> Imported:
    """Add a file's production lines to the ledger; doing it again adds nothing.

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
    sites = {site.id: site for site in hq.sites}
    good, bad = _read(path, PRODUCTION_COLUMNS, lambda line: _production_line(line, sites, hq.products))
    months = {line.month for line in good}
    held = {_production_key(line): line for month in months for line in ledger.production(month)}
    good, bad = _settle(good, bad, held, _production_key)
    added = ledger.add_production(good, Brought(path.name, file.sha256, who, now_ms))
    return Imported(added, len(good) - added, tuple(bad))


def _read(
    path: Path, columns: tuple[str, ...], understand: Callable[[Line], _Entry]
) -> tuple[list[_Entry], list[DataError]]:
    good: list[_Entry] = []
    bad: list[DataError] = []
    for line in read_lines(path, columns):
        if isinstance(line, DataError):
            bad.append(line)
            continue
        try:
            good.append(understand(line))
        except DataError as error:
            bad.append(error)
    return good, bad


def _settle(
    good: Iterable[_Entry],
    bad: list[DataError],
    held: Mapping[tuple[str, ...], _Entry],
    key: Callable[[_Entry], tuple[str, ...]],
) -> tuple[list[_Entry], list[DataError]]:
    """Set aside lines whose document already says something of the same: they would count twice."""
    settled: dict[tuple[str, ...], _Entry] = {}
    for entry in good:
        other = settled.get(key(entry)) or held.get(key(entry))
        if other is None or (other.id == entry.id and key(entry) not in settled):
            settled[key(entry)] = entry
            continue
        bad.append(
            DataError(
                "the document has a line of this already: it would count twice",
                where=f"{entry.source}: document",
                evidence=f"{entry.document}: {_amount(other)} from {other.source}, here {_amount(entry)}",
                next="give a second delivery a document number of its own",
            )
        )
    return list(settled.values()), bad


def _fuel_line(line: Line, sites: Mapping[str, SiteRecord], units: Mapping[str, Unit]) -> FuelLine:
    site = sites[_known(line, "site", sites)]
    fuel = _known(line, "fuel", units)
    unit = _unit(line)
    try:
        unit.factor_to(units[fuel])
    except DataError as error:
        raise line.error(
            "unit",
            f"{fuel} is not measured in {unit}",
            cause=error.evidence,
            next=f"write the quantity in {units[fuel]}",
        ) from error
    used = _date(line)
    quantity = _quantity(line)
    process = _known(line, "process", _processes(site))
    document = _document(line)
    fields = (site.id, process, fuel, used.isoformat(), exact_text(quantity), unit.value, document)
    return FuelLine(
        id=_content_id("fuel", fields),
        site=site.id,
        process=process,
        fuel=fuel,
        date=used,
        quantity=quantity,
        unit=unit,
        document=document,
        source=line.source,
    )


def _production_line(
    line: Line, sites: Mapping[str, SiteRecord], products: Collection[str]
) -> ProductionLine:
    site = _known(line, "site", sites)
    product = _known(line, "product", products)
    unit = _unit(line)
    try:
        unit.factor_to(Unit.T)
    except DataError as error:
        raise line.error(
            "unit", "production is a mass", cause=error.evidence, next="write it in t"
        ) from error
    month = _month(line)
    quantity = _quantity(line)
    document = _document(line)
    fields = (month, site, product, exact_text(quantity), unit.value, document)
    return ProductionLine(
        id=_content_id("production", fields),
        month=month,
        site=site,
        product=product,
        quantity=quantity,
        unit=unit,
        document=document,
        source=line.source,
    )


def _fuel_key(line: FuelLine) -> tuple[str, ...]:
    return line.document, line.site, line.process, line.fuel, line.date.isoformat()


def _production_key(line: ProductionLine) -> tuple[str, ...]:
    return line.document, line.site, line.product, line.month


def _processes(site: SiteRecord) -> set[str]:
    named = {meter.process for meter in site.meters if meter.process is not None}
    return named | set(site.allocation.fuels if site.allocation else ())


def _known(line: Line, column: str, names: Collection[str]) -> str:
    name = line.cells[column]
    if name not in names:
        known = ", ".join(sorted(names)) or "none on record"
        raise line.error(column, f"there is no such {column}", next=f"one of: {known}")
    return name


def _unit(line: Line) -> Unit:
    try:
        return Unit(line.cells["unit"])
    except ValueError as error:
        raise line.error("unit", "not a unit", next=f"one of: {', '.join(Unit)}") from error


def _quantity(line: Line) -> Fraction:
    text = line.cells["quantity"]
    if not _NUMBER.fullmatch(text):
        raise line.error("quantity", "not a number of 0 or more", next="write it as 1452.6, without commas")
    return Fraction(text)


def _date(line: Line) -> date:
    parts = _DATE.fullmatch(line.cells["date"])
    try:
        if parts:
            return date(*map(int, parts.groups()))
    except ValueError as error:
        raise line.error("date", "there is no such day", cause=str(error)) from error
    raise line.error("date", "not a date", next="write it as 2024-02-01")


def _month(line: Line) -> str:
    parts = _MONTH.fullmatch(line.cells["month"])
    if not parts or not 1 <= int(parts[2]) <= 12 or int(parts[1]) == 0:
        raise line.error("month", "not a month", next="write it as 2024-02")
    return f"{parts[1]}-{int(parts[2]):02d}"


def _document(line: Line) -> str:
    if not line.cells["document"]:
        raise line.error("document", "no document proves this line", next="write the number of the slip")
    return line.cells["document"]


def _amount(entry: FuelLine | ProductionLine) -> str:
    return f"{exact_text(entry.quantity)} {entry.unit}"


def _content_id(kind: str, fields: Iterable[str]) -> str:
    text = json.dumps([kind, *fields], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
