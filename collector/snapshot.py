"""What a month's statement is made from, as files of text: stored at its closing, handed to an auditor.

The statement follows from these texts alone, without the ledger, `hq.yaml` or the release that made them:
``collector/evidence/verify.py`` shows it. They are a JSON object of texts by name, so that what is stored and
what an auditor gets are the same, and a change of a month can be told by the files that differ.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields

from sqlalchemy import Connection

from collector.evidence import readings
from collector.evidence.readings import content_hash, readings_in
from collector.evidence.rows import to_csv
from collector.ledger import activity, cells
from collector.view import View
from config.factors import load_electricity_series, load_fuel_factors
from config.hq import HqConfig, SiteRecord
from config.plan import plan_document
from core.carbon.activity import FuelLine, ProductionLine
from core.carbon.factors import ElectricityFactor, ElectricitySeries, FuelFactor
from core.carbon.rounding import exact_text
from core.chain import canonical
from core.metering.boundaries import Boundary
from core.metering.frozen import frozen_text
from core.metering.installations import Installation
from core.metering.readings import Count
from core.metering.sources import IntervalValue
from core.timeline import Interval, format_local, month

SCHEMA = "seiren.inputs/1"

_INSTALLATION = (
    *("point", "from", "to", "serial", "ct", "vt", "ct_text", "vt_text", "side", "wh_per_count"),
    *("resolution", "wrap_at", "opening", "closing", "full_scale_kw", "accuracy_class"),
    *("calibration_until", "profile", "evidence"),
)
_CELLS = ("point", "from", "to", "cells", "readings", "sha256")
_INSTANT = ("point", "time")
_VALUE = ("point", "from", "to", "wh", "origin", "method", "document", "sha256", "reader", "note")
_FROZEN = ("point", "time", "boundary")
_OF_POINTS: Mapping[str, tuple[str, ...]] = {
    "installations": _INSTALLATION,
    "cells": _CELLS,
    "entered": _INSTANT,
    "left_out": _INSTANT,
    "values": _VALUE,
    "frozen": _FROZEN,
}
_FUEL = ("id", "site", "process", "fuel", "date", "quantity", "unit", "document", "source")
_PRODUCTION = ("id", "site", "product", "month", "quantity", "unit", "document", "source")
_FUEL_FACTOR = tuple(field.name for field in fields(FuelFactor) if field.name != "name")
_NAMES = ("name_ja", "name_en")
_ELECTRICITY_FACTOR = tuple(field.name for field in fields(ElectricityFactor))


def snapshot(
    connection: Connection,
    hq: HqConfig,
    month_text: str,
    *,
    closed: bool = False,
    thawed: Collection[str] = (),
) -> bytes:
    """Return everything that a month's statement is made from, as canonical JSON: name → text.

    Parameters
    ----------
    connection
        A snapshot of the ledger.
    hq
        The plan.
    month_text
        ``2024-02``.
    closed
        Whether the statement is that of a closed month.
    thawed
        Closed months whose registers do not stand any more, because they are to be restated.

    Raises
    ------
    UsageError
        The text is not a month.
    ConfigError, DataError
        Records, cells or activity contradict each other.
    """
    files = input_files(connection, hq, month_text, closed=closed, thawed=thawed)
    return canonical(dict(files)).encode()


def input_files(
    connection: Connection,
    hq: HqConfig,
    month_text: str,
    *,
    closed: bool = False,
    thawed: Collection[str] = (),
) -> Iterator[tuple[str, str]]:
    """Yield the files of `snapshot`, name and text."""
    view = View(connection, hq, thawed=thawed)
    series = load_electricity_series(hq.electricity_factor)
    head = {"schema": SCHEMA, "month": month_text, "closed": closed, "electricity": _series(series)}
    yield "inputs/month.json", _json(head)
    yield "inputs/plan.json", _json(plan_document(hq))
    tables: dict[str, list[Mapping[str, object]]] = {name: [] for name in _OF_POINTS}
    for site in hq.sites:
        interval, zone = month(month_text, site.time_zone), site.time_zone
        instants = _instants(view, site, interval)
        for meter in site.meters:
            used = view.gathered(site, meter, instants)
            yield f"inputs/readings/{meter.point}.csv", readings.to_csv(used.cells, zone)
            whole = cells.packed(connection, meter.point, used.span)
            tables["cells"].append(
                {
                    "point": meter.point,
                    "from": format_local(used.span.start_ms, zone),
                    "to": format_local(used.span.end_ms, zone),
                    "cells": len(whole),
                    "readings": sum(readings_in(data) for _, data in whole),
                    "sha256": content_hash(meter.point, whole),
                }
            )
            tables["installations"] += (_installation(each, site) for each in view.installations(site, meter))
            read_at = {time_ms for cell in used.cells for time_ms in cell.times_ms}
            for name, found in (("entered", used.entered), ("left_out", used.left_out)):
                times = sorted(found & read_at)
                tables[name] += ({"point": meter.point, "time": format_local(each, zone)} for each in times)
            tables["values"] += (_value(each, site) for each in view.values(meter, interval))
            tables["frozen"] += (
                _frozen(meter.point, mark, site) for mark in view.fixed(meter, interval).values()
            )
    for name, columns in _OF_POINTS.items():
        yield f"inputs/{name}.csv", to_csv(columns, tables[name])
    fuels = activity.fuels_of(connection, month_text)
    yield "inputs/fuels.csv", to_csv(_FUEL, map(_line, fuels))
    lines = activity.production_of(connection, month_text)
    yield "inputs/production.csv", to_csv(_PRODUCTION, map(_line, lines))
    burned = {line.fuel for line in fuels}
    factors = (_fuel_factor(row) for row in load_fuel_factors() if row.fuel in burned)
    yield "inputs/fuel_factors.csv", to_csv((*_FUEL_FACTOR, *_NAMES), factors)
    rows_of = map(_electricity_factor, series.factors)
    yield "inputs/electricity_factors.csv", to_csv(_ELECTRICITY_FACTOR, rows_of)


def _instants(view: View, site: SiteRecord, interval: Interval) -> list[int]:
    """Return the instants at which energies of the month begin and end [ms since 1970 UTC]."""
    places = (node.within(interval) for node in view.network(site).nodes)
    ends = {each for part in places if part is not None for each in (part.start_ms, part.end_ms)}
    return sorted(ends | {interval.start_ms, interval.end_ms})


def _installation(each: Installation, site: SiteRecord) -> dict[str, object]:
    return {
        "point": each.point,
        "from": format_local(each.start_ms, site.time_zone),
        "to": None if each.end_ms is None else format_local(each.end_ms, site.time_zone),
        "serial": each.serial,
        "ct": exact_text(each.ct),
        "vt": exact_text(each.vt),
        "ct_text": each.ct_text,
        "vt_text": each.vt_text,
        "side": each.side.value,
        "wh_per_count": exact_text(each.wh_per_count),
        "resolution": exact_text(each.resolution),
        "wrap_at": each.wrap_at,
        "opening": _count(each.opening),
        "closing": _count(each.closing),
        "full_scale_kw": None if each.full_scale_kw is None else exact_text(each.full_scale_kw),
        "accuracy_class": each.accuracy_class,
        "calibration_until": each.calibration_until,
        "profile": each.profile,
        "evidence": each.evidence,
    }


def _value(each: IntervalValue, site: SiteRecord) -> dict[str, object]:
    return {
        "point": each.point,
        "from": format_local(each.interval.start_ms, site.time_zone),
        "to": format_local(each.interval.end_ms, site.time_zone),
        "wh": each.wh,
        "origin": each.origin.value,
        "method": each.method,
        "document": each.document,
        "sha256": each.sha256,
        "reader": each.reader,
        "note": each.note,
    }


def _frozen(point: str, mark: Boundary, site: SiteRecord) -> dict[str, object]:
    text = frozen_text(mark)
    return {"point": point, "time": format_local(mark.time_ms, site.time_zone), "boundary": text}


def _series(series: ElectricitySeries) -> dict[str, object]:
    return {
        "id": series.id,
        "name": series.name.json(),
        "basis": series.basis.value,
        "definition": series.definition,
        "stand_in_years": series.stand_in_years,
    }


def _line(line: FuelLine | ProductionLine) -> dict[str, object]:
    facts = {field.name: getattr(line, field.name) for field in fields(line)}
    return facts | {"quantity": exact_text(line.quantity), "unit": line.unit.value}


def _fuel_factor(row: FuelFactor) -> dict[str, object]:
    facts = {name: getattr(row, name) for name in _FUEL_FACTOR}
    facts |= {"gcv": exact_text(row.gcv), "carbon": exact_text(row.carbon), "unit": row.unit.value}
    return facts | {"name_ja": row.name.ja, "name_en": row.name.en}


def _electricity_factor(row: ElectricityFactor) -> Mapping[str, object]:
    facts = {name: getattr(row, name) for name in _ELECTRICITY_FACTOR}
    return facts | {"kg_per_kwh": exact_text(row.kg_per_kwh)}


def _count(count: Count | None) -> str | None:
    if count is None:
        return None
    return str(count) if isinstance(count, int) else f"{count:f}"


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
