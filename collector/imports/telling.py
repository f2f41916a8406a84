"""What became of a file of readings, as people and programs read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from collector.imports.findings import Findings, PointFindings
from collector.table import Form, as_csv, as_json, as_table
from core.errors import DataError
from core.timeline import Interval, format_local

_SHOWN = 5
_ERRORS_SHOWN = 20


def told(findings: Findings, form: Form) -> str:
    """Return what became of a file: a table of months, JSON with everything, or the months as CSV."""
    if form is Form.JSON:
        return as_json(_document(findings))
    if form is Form.CSV:
        return as_csv([row for point in findings.points for row in _months(point)])
    return "\n".join(_lines(findings))


def errors(findings: Findings) -> Iterator[str]:
    """Yield what was set aside as people read it, the first twenty each with its place and reason."""
    aside = findings.aside
    for error in aside.first[:_ERRORS_SHOWN]:
        yield error.render() + "\n"
    if aside.count > _ERRORS_SHOWN:
        yield f"{aside.count - _ERRORS_SHOWN:,} more were set aside; --format json names the first thousand:"
        for what, times in aside.reasons():
            yield f"  {times:,}{'+' if aside.hopeless else ''} x {what}"


def _lines(findings: Findings) -> Iterator[str]:
    what = "readings" if findings.kind == "registers" else "intervals"
    would = "would be added" if findings.dry else "added"
    yield f"{findings.file} ({findings.form}, {findings.kind}): {findings.added:,} {what} {would}"
    for point in findings.points:
        yield ""
        yield point.point
        zone = ZoneInfo(point.zone)
        step = "" if point.step_ms is None else f", mostly every {_span(point.step_ms)}"
        yield f" {_at(point.first_ms, zone)} to {_at(point.last_ms, zone)} {point.zone}{step}"
        yield f" {point.added:,} new, {point.known:,} there already; all of it: {_kwh(point.total_wh)} kWh"
        yield from _some("gap", [_gap(each, zone) for each in _longest(point.gaps)], len(point.gaps))
        conflicts = [f"{_at(time_ms, zone)}: {counts}" for time_ms, counts in point.conflicts[:_SHOWN]]
        yield from _some("conflict", conflicts, len(point.conflicts))
        events = [
            f"{_at(each.time_ms, zone)} {each.kind.value}: {each.evidence}" for each in point.events[:_SHOWN]
        ]
        yield from _some("event", events, len(point.events))
        yield from (f" note: {note}" for note in point.notes)
        rows = [
            (each.month, _kwh(each.now_wh), _kwh(each.then_wh), _kwh(each.unproven_wh))
            for each in point.months
        ]
        yield as_table(("month", "now [kWh]", "then [kWh]", "unproven [kWh]"), rows)
    if findings.passed_over:
        yield ""
        names = ", ".join(f"{name} ({count:,})" for name, count in findings.passed_over.items())
        yield f"passed over, for want of a point: {names}"
    if findings.aside.count:
        yield ""
        yield f"{findings.aside.count:,} set aside"
    yield ""
    if findings.dry:
        yield "nothing was written: this was a dry run"
    elif findings.decision is None:
        yield "nothing was written: there is nothing new in it"
    else:
        yield f"written as decision {findings.decision}"


def _some(name: str, texts: Sequence[str], count: int) -> Iterator[str]:
    if count:
        yield f" {count:,} {name}{'s' if count > 1 else ''}:"
        yield from (f"   {text}" for text in texts)
        if count > len(texts):
            yield f"   and {count - len(texts):,} more"


def _longest(gaps: Sequence[Interval]) -> list[Interval]:
    longest = sorted(gaps, key=lambda each: (-each.duration_ms, each.start_ms))[:_SHOWN]
    return sorted(longest)


def _gap(gap: Interval, zone: ZoneInfo) -> str:
    return f"{_at(gap.start_ms, zone)} to {_at(gap.end_ms, zone)} ({_span(gap.duration_ms)})"


def _document(findings: Findings) -> dict[str, object]:
    return {
        "file": findings.file,
        "sha256": findings.sha256,
        "form": findings.form,
        "kind": findings.kind,
        "dry_run": findings.dry,
        "decision": findings.decision,
        "added": findings.added,
        "points": [_point(point) for point in findings.points],
        "passed_over": findings.passed_over,
        "set_aside": findings.aside.count,
        "first_set_aside": [_error(error) for error in findings.aside.first],
    }


def _point(point: PointFindings) -> dict[str, object]:
    zone = ZoneInfo(point.zone)
    return {
        "point": point.point,
        "time_zone": point.zone,
        "first": format_local(point.first_ms, zone),
        "last": format_local(point.last_ms, zone),
        "step_s": None if point.step_ms is None else point.step_ms / 1000,
        "added": point.added,
        "known": point.known,
        "total_kwh": _exact(point.total_wh),
        "gaps": [
            {"start": format_local(each.start_ms, zone), "end": format_local(each.end_ms, zone)}
            for each in point.gaps
        ],
        "conflicts": [
            {"time": format_local(time_ms, zone), "counts": counts} for time_ms, counts in point.conflicts
        ],
        "events": [
            {"time": format_local(each.time_ms, zone), "kind": each.kind.value, "evidence": each.evidence}
            for each in point.events
        ],
        "notes": list(point.notes),
        "months": _months(point),
    }


def _months(point: PointFindings) -> list[dict[str, object]]:
    return [
        {
            "point": point.point,
            "month": each.month,
            "now_kwh": _exact(each.now_wh),
            "then_kwh": _exact(each.then_wh),
            "unproven_kwh": _exact(each.unproven_wh),
        }
        for each in point.months
    ]


def _error(error: DataError) -> dict[str, str]:
    return {
        "where": error.where,
        "what": error.what,
        "seen": error.evidence,
        "cause": error.cause,
        "next": error.next,
    }


def _at(time_ms: int, zone: ZoneInfo) -> str:
    text = format_local(time_ms, zone)[:19].replace("T", " ")
    return text.removesuffix(":00")


def _span(ms: int) -> str:
    for size, name in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")):
        if ms >= size and (ms % size == 0 or ms >= 10 * size):
            return f"{ms / size:.4g} {name}"
    return f"{ms:,} ms"


def _exact(wh: int | None) -> str | None:
    return None if wh is None else f"{'-' if wh < 0 else ''}{abs(wh) // 1000}.{abs(wh) % 1000:03d}"


def _kwh(wh: int | None) -> str:
    return "missing" if wh is None else f"{wh / 1000:,.3f}"
