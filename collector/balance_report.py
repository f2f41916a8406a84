"""Each meter of a site against those that it feeds, as people and programs read it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from collector.table import Form, as_csv, as_json, as_table
from core.carbon.rounding import exact_text, printed
from core.metering.balances import Balance, BalanceKind, EventKind
from core.timeline import Interval, format_local

_EVENTS = {
    EventKind.NEGATIVE_REMAINDER: "the children of {meter} counted {kwh} kWh more than it",
    EventKind.CHILD_ABOVE_PARENT: "{meter} counted {kwh} kWh more than the meter that feeds it",
}


def balance_report(
    site: str, rows: Sequence[tuple[Interval, Sequence[Balance]]], zone: ZoneInfo, form: Form
) -> str:
    """Return balances of successive intervals as text, their times in the site's time zone."""
    facts = [_facts(interval, each, zone) for interval, found in rows for each in found]
    if form is Form.JSON:
        return as_json({"of": site, "unit": "kWh", "rows": facts})
    if form is Form.CSV:
        return as_csv(
            [{**row, "missing": " ".join(row["missing"]), "events": len(row["events"])} for row in facts]
        )
    cells = [
        (
            str(row["start"])[:16].replace("T", " "),
            str(row["parent"]),
            _shown(row["difference_kwh"]),
            _shown(row["limit_kwh"]),
            str(row["verdict"]),
        )
        for row in facts
    ]
    table = as_table(("from", "parent", "- children [kWh]", "limit [kWh]", ""), cells, left=2)
    told = [f" {str(row['start'])[:16].replace('T', ' ')}  {text}" for row in facts for text in row["events"]]
    return "\n".join([f"{site}, {zone.key}", table, *told])


def _facts(interval: Interval, balance: Balance, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "start": format_local(interval.start_ms, zone),
        "end": format_local(interval.end_ms, zone),
        "parent": balance.parent,
        "children": " ".join(balance.children),
        "difference_kwh": _kwh(balance.difference_wh),
        "limit_kwh": _kwh(balance.limit_wh),
        "verdict": verdict(balance),
        "missing": list(balance.missing),
        "events": [
            _EVENTS[event.kind].format(meter=event.meter, kwh=exact_text(Fraction(event.excess_wh, 1000)))
            + f", limit {exact_text(Fraction(event.limit_wh, 1000))}"
            for event in balance.events
        ],
    }


def verdict(balance: Balance) -> str:
    """Return in a word whether a meter and those that it feeds agree."""
    if balance.missing:
        return "missing"
    if balance.events:
        return "NEGATIVE" if (balance.difference_wh or 0) < 0 else "CHILD ABOVE"
    if balance.ok is None:
        return "no limit"
    if not balance.ok:
        return "ABOVE"
    return "loss" if balance.kind is BalanceKind.RECTIFIER else "ok"


def _kwh(wh: int | None) -> str | None:
    return None if wh is None else printed(Fraction(wh, 1000), 3)


def _shown(kwh: object) -> str:
    if kwh is None:
        return "-"
    whole, part = str(kwh).split(".")
    sign = "-" if whole.startswith("-") else ""
    return f"{sign}{int(whole.lstrip('-')):,}.{part}"
