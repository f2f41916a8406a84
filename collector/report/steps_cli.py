"""``seiren month submit | approve | reopen | restate | status``: how a month is closed, by two people."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

from collector.closing import approve as approve_month
from collector.closing import reopen as reopen_month
from collector.closing import submit as submit_month
from collector.folders import DEFAULT_FOLDER, FormOption, opened
from collector.people import who
from collector.proposals import proposals
from collector.proposals import restate as restate_month
from collector.report.ledger_months import LedgerMonths
from collector.report.month import month_name
from collector.report.numbers import shown
from collector.report.proposal_text import proposal_report, proposal_rows
from collector.report.standing import command, row
from collector.report.status_table import status_rows, status_table
from collector.table import Form, as_csv, as_json
from core.chain import Decision, Head
from core.errors import UsageError

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")

FolderMonth = Annotated[
    list[str],
    typer.Argument(
        metavar="[FOLDER] MONTH",
        help=f"The ledger's folder ({DEFAULT_FOLDER} if left out), then the month, 2024-02.",
        show_default=False,
    ),
]
MaybeMonth = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FOLDER] [MONTH]",
        help=f"The ledger's folder ({DEFAULT_FOLDER} if left out), then a month; all without one.",
        show_default=False,
    ),
]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who decides; the login name if left out.")]
Reason = Annotated[str, typer.Option(help="Why; it stands in the ledger for good.")]


def submit(where: FolderMonth, by: By = None, reason: Reason = "") -> None:
    """Say that a month's activity is complete. Another person approves it."""
    folder, month = _one(where)
    with opened(folder) as (ledger, hq):
        decision = submit_month(ledger, hq, month, who=who(by), reason=reason, time_ms=_now_ms())
    told = decision.facts
    _tell(
        f"{month_name(month)} is submitted by {decision.person}: {_amount(told)}",
        decision,
        f"seiren month approve {folder} {month} --by NAME (another person)",
    )


def approve(where: FolderMonth, by: By = None, reason: Reason = "") -> None:
    """Close a submitted month: its statement is kept byte for byte."""
    folder, month = _one(where)
    with opened(folder) as (ledger, hq):
        decision = approve_month(ledger, hq, month, who=who(by), reason=reason, time_ms=_now_ms())
    told = decision.facts
    _tell(
        f"{month_name(month)} is closed by {decision.person}: {_amount(told)}",
        decision,
        f"seiren audit export {folder} {month}",
        ("revision", str(told["revision"])),
        ("SHA-256", told["statement"]),
    )


def reopen(where: FolderMonth, by: By = None, reason: Reason = "") -> None:
    """Open a submitted or closed month again, with a reason; what was closed stays on record."""
    folder, month = _one(where)
    with opened(folder) as (ledger, hq):
        decision = reopen_month(ledger, hq, month, who=who(by), reason=reason, time_ms=_now_ms())
    _tell(
        f"{month_name(month)} is open again, by {decision.person}",
        decision,
        f"seiren month submit {folder} {month}",
    )


def restate(
    where: MaybeMonth = None,
    by: By = None,
    reason: Reason = "",
    yes: Annotated[bool, typer.Option("--yes", help="Accept what is proposed for the month.")] = False,
    format: FormOption = Form.TABLE,
) -> None:
    """Show what later data or a correction would change in closed months, and accept it with --yes."""
    folder, month = _perhaps(where or [])
    if yes:
        if month is None:
            raise UsageError(
                "Name the month that is to be restated.", next="seiren month restate MONTH --yes"
            )
        with opened(folder) as (ledger, hq):
            decision = restate_month(ledger, hq, month, who=who(by), reason=reason, time_ms=_now_ms())
        months = [each["month"] for each in decision.facts["months"]]
        _tell(
            f"{' and '.join(map(month_name, months))} restated by {decision.person}",
            decision,
            f"seiren month show {folder} {month}",
            *(
                (each["month"], f"{_amount(each['old'])} -> {_amount(each)}")
                for each in decision.facts["months"]
            ),
        )
        return
    with opened(folder) as (ledger, hq), ledger.reading() as connection:
        found = proposals(connection, hq, None if month is None else (month,))
        if format is Form.TABLE:
            typer.echo(proposal_report(found, str(folder), month), nl=False)
        else:
            rows = proposal_rows(found)
            typer.echo(as_json({"proposals": rows}) if format is Form.JSON else as_csv(_flat(rows)))


def status(where: MaybeMonth = None, format: FormOption = Form.TABLE) -> None:
    """Show how far each month is: open, submitted or closed, by whom, and how often it was restated."""
    folder, month = _perhaps(where or [])
    with closing(LedgerMonths(folder)) as ledger:
        months = ledger.months() if month is None else (month,)
        rows = status_rows(ledger, months)
        head = ledger.head()
    if format is Form.TABLE:
        typer.echo(status_table(rows, head), nl=False)
    elif format is Form.JSON:
        typer.echo(as_json({"months": rows, "chain": {"number": head.number, "hash": head.hash}}))
    else:
        typer.echo(as_csv(_flat(rows)))


def folder_and_month(where: Sequence[str]) -> tuple[Path, str]:
    """Return the folder and the period that a command was given.

    Raises
    ------
    UsageError
        There are more than two.
    """
    if len(where) > 2:
        raise UsageError("One folder and one month are wanted.", evidence=" ".join(where))
    return (Path(where[0]) if len(where) == 2 else DEFAULT_FOLDER), where[-1]


def is_month(text: str) -> bool:
    """Tell whether a text is a month, ``2024-02``."""
    return _MONTH.fullmatch(text) is not None


def _one(where: Sequence[str]) -> tuple[Path, str]:
    folder, month = folder_and_month(where)
    if not is_month(month):
        raise UsageError(f"{month} is no month.", next="write it as 2024-02")
    return folder, month


def _perhaps(where: Sequence[str]) -> tuple[Path, str | None]:
    """Return folder and month where both, one or none of them is given."""
    if not where:
        return DEFAULT_FOLDER, None
    return (Path(where[0]), None) if len(where) == 1 and not is_month(where[0]) else _one(where)


def _tell(what: str, decision: Decision, next: str, *facts: tuple[str, str]) -> None:
    head = Head(decision.number, decision.hash)
    lines = [what, *(line for fact in (*facts, ("chain head", str(head))) for line in row(*fact))]
    lines.append(command("next", next))
    typer.echo("\n".join(lines))


def _amount(told: dict[str, Any]) -> str:
    """Write the CO2 and the energy that a decision is about."""
    tonnes, kwh = (None if told[key] is None else Fraction(told[key]) for key in ("co2_t", "kwh"))
    return f"{shown(tonnes)} t, {shown(kwh)} kWh"


def _flat(rows: Sequence[dict[str, Any]]) -> list[dict[str, object]]:
    """Return rows without what holds lists, as a table of text takes them."""
    return [{key: value for key, value in each.items() if not isinstance(value, list)} for each in rows]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


steps: tuple[Callable[..., None], ...] = (submit, approve, reopen, restate, status)
