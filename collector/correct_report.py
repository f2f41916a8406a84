"""Corrections as people and programs read them: what would change, and what was decided."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from fractions import Fraction

from collector.correcting import Preview, root, subject
from collector.corrections import Corrections
from collector.drafts import words
from collector.effects import Effect
from collector.people import Who
from collector.table import Form, as_csv, as_json, as_table
from config.hq import HqConfig
from core.carbon.closing import Activity
from core.carbon.rounding import exact_text, printed
from core.chain import Decision
from core.errors import printable
from core.timeline import UTC_ZONE, format_local

_WIDTH = 80
_HEADER = ("month", "before [kWh]", "after [kWh]", "change [kWh]", "unproven", "CO2 [t]")


def preview_report(seen: Preview, who: Who, reason: str, form: Form) -> str:
    """Write what a correction changes, and whether it is written."""
    rows = [_facts(effect) for effect in seen.effects]
    decision = seen.decision
    if form is Form.CSV:
        return as_csv(rows)
    if form is Form.JSON:
        return as_json(
            {
                "written": decision is not None,
                "number": decision.number if decision else None,
                "hash": decision.hash if decision else None,
                "person": who.person,
                "account": who.account,
                "reason": reason,
                "correction": seen.body,
                "months": rows,
            }
        )
    return "\n".join(_lines(seen, who, reason))


def list_report(hq: HqConfig, made: Iterable[Decision], form: Form) -> str:
    """Write corrections in their order, those undone as such."""
    made = tuple(made)
    corrections = Corrections((each.number, each.facts) for each in made)
    rows: list[dict[str, object]] = []
    for each in made:
        first = root(corrections, each.facts)
        found = subject(hq, first)
        zone = found[0].time_zone if found else UTC_ZONE
        rows.append(
            {
                "number": each.number,
                "time": format_local(each.time_ms, zone),
                "person": each.person,
                "account": each.account,
                "on": first.get("point") or first.get("meter") or "",
                "what": words(each.facts, zone),
                "reason": each.reason,
                "document": each.facts.get("document", ""),
                "in_force": each.number not in corrections.undone,
            }
        )
    if form is Form.JSON:
        return as_json(rows)
    if form is Form.CSV:
        return as_csv(rows)
    if not rows:
        return "no correction yet"
    return "\n".join(line for row in rows for line in _entry(row))


def _lines(seen: Preview, who: Who, reason: str) -> Iterator[str]:
    decision = seen.decision
    state = f"written as decision {decision.number}" if decision else "NOT WRITTEN YET"
    yield f"correction of {seen.meter.point}, {state}"
    yield from _told("what", words(seen.body, seen.site.time_zone))
    yield from _told("why", reason)
    yield from _told("who", f"{who.person} ({who.account})")
    yield ""
    if seen.effects:
        yield as_table(_HEADER, [_cells(effect) for effect in seen.effects])
        closed = [each.month for each in seen.effects if each.activity is not Activity.OPEN]
        if closed:
            yield from _told("note", f"{_named(seen.effects)}: seiren month restate shows the proposal")
    else:
        yield " no month changes: what the registers prove stays as it is"
    yield ""
    if decision is None:
        yield "next  the same command with --yes writes it"
    else:
        yield f" chain head  {decision.number} {decision.hash[:32]}"
        yield f"next  seiren correct undo {decision.number} takes it back"


def _named(found: Iterable[Effect]) -> str:
    parts = [f"{each.month} is {each.activity}" for each in found if each.activity is not Activity.OPEN]
    return ", ".join(parts)


def _entry(row: dict[str, object]) -> Iterator[str]:
    mark = "" if row["in_force"] else "   UNDONE"
    yield f"{row['number']:>4}  {str(row['time'])[:16].replace('T', ' ')}  {printable(str(row['on']))}{mark}"
    yield from _told("what", str(row["what"]))
    yield from _told("why", f"{row['reason']} ({row['person']}, {row['account']})")
    if row["document"]:
        yield from _told("from", str(row["document"]))


def _told(name: str, text: str) -> list[str]:
    return textwrap.wrap(
        printable(text), _WIDTH, initial_indent=f"{'':6}{name:<6}", subsequent_indent=" " * 12
    ) or [f"{'':6}{name}"]


def _cells(effect: Effect) -> tuple[str, ...]:
    facts = (effect.before_wh, effect.after_wh)
    return (
        effect.month,
        *(_whole(each) for each in facts),
        _whole(_difference(*facts), signed=True),
        _whole(effect.after_unproven_wh),
        "-" if (change := _change_t(effect)) is None else _grouped(printed(change, 1, signed=True)),
    )


def _facts(effect: Effect) -> dict[str, object]:
    return {
        "month": effect.month,
        "before_kwh": _kwh(effect.before_wh),
        "after_kwh": _kwh(effect.after_wh),
        "change_kwh": _kwh(_difference(effect.before_wh, effect.after_wh)),
        "before_unproven_kwh": _kwh(effect.before_unproven_wh),
        "after_unproven_kwh": _kwh(effect.after_unproven_wh),
        "before_t": _exact(effect.before_t),
        "after_t": _exact(effect.after_t),
        "change_t": _exact(_change_t(effect)),
        "activity": effect.activity.value,
    }


def _change_t(effect: Effect) -> Fraction | None:
    if effect.before_t is None or effect.after_t is None:
        return None
    return effect.after_t - effect.before_t


def _difference(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def _kwh(wh: int | None) -> str | None:
    return None if wh is None else exact_text(Fraction(wh, 1000))


def _exact(value: Fraction | None) -> str | None:
    return None if value is None else exact_text(value)


def _whole(wh: int | None, *, signed: bool = False) -> str:
    return "missing" if wh is None else _grouped(printed(Fraction(wh, 1000), 0, signed=signed))


def _grouped(text: str) -> str:
    """Put commas between thousands."""
    sign = text[0] if text[0] in "+-" else ""
    whole, point, part = text.removeprefix(sign).partition(".")
    return f"{sign}{int(whole):,}{point}{part}"
