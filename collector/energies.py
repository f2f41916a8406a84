"""Energy of a meter or site over a grid, as people and programs read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from collector.ledger import Ledger
from collector.network_energies import network_series
from collector.records import find_energy
from collector.table import Form, as_csv, as_json, as_table
from collector.view import viewing
from config.hq import HqConfig, SiteRecord
from core.metering.balances import Balance, balances
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
    site, meters = find_energy(hq, name)
    cuts = _CUTS[grid](interval, site.time_zone)
    with viewing(ledger, hq) as view:
        network = view.network(site)
        points = [network.node(meter).point for meter in meters]
        parts, (whole,) = (
            network_series(view, site, network, ends, meters)
            for ends in (cuts, (interval.start_ms, interval.end_ms))
        )
    spans = (Interval(start_ms, end_ms) for start_ms, end_ms in pairwise(cuts))
    rows = tuple(_sum(span, part, points) for span, part in zip(spans, parts, strict=True))
    return rows, _sum(interval, whole, points)


def site_balances(
    ledger: Ledger, hq: HqConfig, site: SiteRecord, interval: Interval, grid: Grid
) -> tuple[tuple[Interval, tuple[Balance, ...]], ...]:
    """Return each meter of a site against those that it feeds, the topmost first, by interval of a grid.

    Raises
    ------
    ConfigError, DataError
        Records or cells contradict each other.
    Unreachable, OutsideError
        The ledger failed.
    """
    cuts = _CUTS[grid](interval, site.time_zone)
    with viewing(ledger, hq) as view:
        network = view.network(site)
        parts = network_series(view, site, network, cuts)
    depths = {meter: len(network.above(meter)) for meter in network.meters}
    spans = (Interval(start_ms, end_ms) for start_ms, end_ms in pairwise(cuts))
    return tuple(
        (span, tuple(sorted(balances(network.during(span), part), key=lambda each: depths[each.parent])))
        for span, part in zip(spans, parts, strict=True)
    )


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


def _sum(interval: Interval, energies: Mapping[str, IntervalEnergy], points: Sequence[str]) -> Amount:
    parts = [energies[point] for point in points if point in energies]
    known = [part.wh for part in parts if part.wh is not None]
    bounds = [part.unproven_wh for part in parts if part.unproven_wh is not None]
    complete = bool(parts) and len(known) == len(bounds) == len(parts)
    return Amount(
        interval=interval,
        wh=sum(known) if complete else None,
        unproven_wh=sum(bounds) if complete else None,
        origin=max((part.origin for part in parts), key=list(Origin).index, default=Origin.MISSING),
        missing="; ".join(f"{part.point}: {each}" for part in parts for each in part.missing)
        if parts
        else f"{', '.join(points)}: not in the network then",
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
