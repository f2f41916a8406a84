"""How far months are, in one table: open, submitted, closed, restated, and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from collector.report.ledger_months import LedgerMonths
from collector.report.numbers import shown
from collector.report.standing import on, row
from collector.table import as_table
from core.carbon.closing import Activity, MonthStatus
from core.carbon.differences import co2_t
from core.carbon.figures import optional_text
from core.chain import Decision, Head


def status_rows(ledger: LedgerMonths, months: Sequence[str]) -> list[dict[str, Any]]:
    """Return how far months are, as rows of exact figures and texts."""
    zone, statuses = ledger.zone, ledger.statuses(months)
    rows: list[dict[str, Any]] = []
    for month in months:
        status, document = statuses[month], ledger.sheet(month).document
        last = _last(status)
        rows.append(
            {
                "month": month,
                "activity": status.activity.value,
                "factors": document["status"]["factors"],
                "revision": status.revision,
                "restated": status.restated,
                "co2_t": optional_text(co2_t(document)),
                "by": None if last is None else last.person,
                "on": None if last is None else on(last, zone),
                "decision": None if last is None else last.number,
                "history": [
                    {
                        "revision": each.revision,
                        "decision": each.decision.number,
                        "kind": each.decision.kind,
                        "by": each.decision.person,
                        "on": on(each.decision, zone),
                        "reason": each.decision.reason,
                        "co2_t": each.facts["co2_t"],
                        "kwh": each.facts["kwh"],
                        "statement": each.facts["statement"],
                        "causes": each.facts.get("causes", []),
                    }
                    for each in status.revisions
                ],
            }
        )
    return rows


def status_table(rows: Sequence[dict[str, Any]], head: Head) -> str:
    """Write how far months are for a terminal, and the newest decision."""
    cells = [
        (
            str(each["month"]),
            "restated" if each["restated"] else str(each["activity"]),
            str(each["factors"]),
            shown(None if each["co2_t"] is None else Fraction(each["co2_t"])),
            str(each["revision"] or "-"),
            *("-" if each[key] is None else str(each[key]) for key in ("by", "on")),
        )
        for each in rows
    ]
    header = ("month", "activity", "factors", "CO2 [t]", "revision", "by", "on")
    lines = [as_table(header, cells, left=3), *row("chain head", str(head))]
    return "".join(f"{line}\n" for line in lines)


def _last(status: MonthStatus) -> Decision | None:
    """Return the decision by which a month is where it is; None where nothing was decided."""
    if status.closing is not None:
        return status.closing.decision
    return status.submission if status.activity is Activity.SUBMITTED else status.reopening
