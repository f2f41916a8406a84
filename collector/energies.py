"""Energy of a meter or site over a grid, as people and programs read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

from collector.figures import energy_series
from collector.ledger import Ledger
from collector.records import find_meters
from collector.table import Form, as_csv, as_json, as_table
from config.hq import HqConfig
from core.metering.energy import IntervalEnergy, Origin
from core.timeline import Interval, days, format_local, half_hours, months


class Grid(StrEnum):
    """Into which intervals the time is cut."""

    HALF_HOUR = "30min"
    DAY = "day"
    MONTH = "month"


_CUTS: Mapping[Grid, Callable[[Interval, ZoneInfo], tuple[int, ...]]] = {
    Grid.HALF_HOUR: lambda interval, _: half_hours(interval),
    Grid.DAY: days,
    Grid.MONTH: months,
}


@dataclass(frozen=True, slots=True)
class Amount:
    """Energy of one interval, of one meter or the sum of a site's boundary set.

    Parameters
    ----------
    wh, unproven_wh
        Energy and the provable bound on what it may be off [Wh]; None when missing, never 0 for it.
    origin
        The weakest origin of what is summed.
    missing
        What keeps it from having a value, in words; empty when it has one.
    """

    interval: Interval
    wh: int | None
    unproven_wh: int | None
    origin: Origin
    missing: str


def amounts(
    ledger: Ledger, hq: HqConfig, name: str, interval: Interval, grid: Grid
) -> tuple[tuple[Amount, ...], Amount]:
    """Return the energy of a point, meter or site in each interval of a grid, and over the whole.

    Raises
    ------
    UsageError
        Nothing on record has this name.
    ConfigError, DataError
        Records or cells contradict each other.
    Unreachable, OutsideError
        The ledger failed.
    """
    meters = find_meters(hq, name)
    cuts = _CUTS[grid](interval, meters[0][0].time_zone)
    whole = (interval.start_ms, interval.end_ms)
    parts = [energy_series(ledger, hq, site, meter, cuts) for site, meter in meters]
    wholes = [energy_series(ledger, hq, site, meter, whole)[0] for site, meter in meters]
    return tuple(_sum(row) for row in zip(*parts, strict=True)), _sum(wholes)


def energy_report(name: str, rows: Sequence[Amount], whole: Amount, zone: ZoneInfo, form: Form) -> str:
    """Return amounts as text, their times in the site's time zone."""
    facts = [_facts(row, zone) for row in rows]
    if form is Form.JSON:
        return as_json({"of": name, "unit": "kWh", "rows": facts, "total": _facts(whole, zone)})
    if form is Form.CSV:
        return as_csv(facts)
    cells = [(str(row["start"])[:16].replace("T", " "), *_cells(row)) for row in facts]
    cells.append(("total", *_cells(_facts(whole, zone))))
    table = as_table(("from", "energy [kWh]", "unproven [kWh]", "origin"), cells)
    lacking = f"\n not summed: {whole.missing}" if whole.missing else ""
    return f"{name}, {zone.key}\n{table}{lacking}"


def _sum(parts: Sequence[IntervalEnergy]) -> Amount:
    known = [part.wh for part in parts if part.wh is not None]
    bounds = [part.unproven_wh for part in parts if part.unproven_wh is not None]
    complete = len(known) == len(bounds) == len(parts)
    return Amount(
        interval=parts[0].interval,
        wh=sum(known) if complete else None,
        unproven_wh=sum(bounds) if complete else None,
        origin=max((part.origin for part in parts), key=list(Origin).index),
        missing="; ".join(f"{part.point}: {each}" for part in parts for each in part.missing),
    )


def _facts(amount: Amount, zone: ZoneInfo) -> dict[str, object]:
    return {
        "start": format_local(amount.interval.start_ms, zone),
        "end": format_local(amount.interval.end_ms, zone),
        "kwh": _kwh(amount.wh),
        "unproven_kwh": _kwh(amount.unproven_wh),
        "origin": amount.origin.value,
    }


def _cells(facts: Mapping[str, object]) -> tuple[str, str, str]:
    return _shown(facts["kwh"]), _shown(facts["unproven_kwh"]), str(facts["origin"])


def _kwh(wh: int | None) -> str | None:
    """Return Wh as exact kWh text."""
    if wh is None:
        return None
    whole, part = divmod(abs(wh), 1000)
    return f"{'-' if wh < 0 else ''}{whole}.{part:03d}"


def _shown(kwh: object) -> str:
    if kwh is None:
        return "missing"
    whole, part = str(kwh).split(".")
    return f"{int(whole):,}.{part}"
