"""``seiren month bills``: suppliers' bills beside the meters they belong to."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer

from collector.bills import reconciled
from collector.folders import DEFAULT_FOLDER, FormOption, opened
from collector.report.numbers import shown
from collector.report.steps_cli import is_month
from collector.table import Form, as_csv, as_json, as_table
from collector.view import View
from core.carbon.rounding import Rounding, printed
from core.errors import AnswerIsNo, UsageError
from core.metering.bill_check import OddDay, Outcome, Reconciled

_DAYS_SHOWN = 10


def bills(
    where: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FOLDER] [MONTH]",
            help=f"The ledger's folder ({DEFAULT_FOLDER} if left out), then a month, 2024-02; without: all.",
            show_default=False,
        ),
    ] = None,
    form: FormOption = Form.TABLE,
) -> None:
    """Compare each bill with its meter at the bill's own dates: agree, differ since when, or cannot tell.

    Exit codes: 0 all agree, 1 one differs or it cannot be told.
    """
    folder, of_month = _place(where or [])
    with opened(folder) as (ledger, hq), ledger.reading() as connection:
        told = reconciled(View(connection, hq), of_month or None)
    if not told:
        raise UsageError(
            "the ledger has no bill" + (f" of {of_month}" if of_month else ""),
            where=str(folder),
            next=f"seiren import bills FILE --ledger {folder}",
        )
    typer.echo(report(told, form))
    if any(each.outcome is not Outcome.AGREE for each in told):
        raise typer.Exit(AnswerIsNo.exit_code)


def _place(where: list[str]) -> tuple[Path, str]:
    """Take apart ``[FOLDER] [MONTH]``."""
    of_month = where[-1] if where and is_month(where[-1]) else ""
    folders = where[:-1] if of_month else where
    if len(folders) > 1:
        raise UsageError("One folder and one month are wanted.", evidence=" ".join(where))
    return (Path(folders[0]) if folders else DEFAULT_FOLDER), of_month


def report(told: tuple[Reconciled, ...], form: Form) -> str:
    """Return the outcomes of bills as text."""
    if form is Form.JSON:
        return as_json([_facts(each) | {"odd_days": list(map(_day, each.odd_days))} for each in told])
    if form is Form.CSV:
        return as_csv([_facts(each) for each in told])
    lines: list[str] = []
    for point in dict.fromkeys(each.bill.point for each in told):
        of_point = [each for each in told if each.bill.point == point]
        rows = [
            (
                each.bill.document,
                f"{each.bill.first_day}..{each.bill.last_day:%m-%d}",
                shown(each.bill.wh / 1000),
                shown(_kwh(each.meter_wh)),
                shown(_kwh(each.difference_wh)),
                shown(_kwh(each.tolerance_wh)),
                each.outcome.value,
            )
            for each in of_point
        ]
        header = ("bill", "days", "billed", "meter", "meter-bill", "allowed", "outcome")
        lines += [f"{point} [kWh]", as_table(header, rows, left=2)]
        for each in of_point:
            lines += _told(each)
    return "\n".join(lines)


def _told(each: Reconciled) -> list[str]:
    """Return what is to be said of one bill in words."""
    if each.outcome is Outcome.CANNOT_TELL:
        return [f" {each.bill.document}: cannot tell: {each.why}"]
    if each.outcome is Outcome.AGREE:
        return []
    assert each.difference_wh is not None and each.since is not None  # it differs
    ratio = (
        ""
        if not each.bill.wh
        else f", meter/bill {printed(1 + each.difference_wh / each.bill.wh, 4, rounding=Rounding.HALF_UP)}"
    )
    lines = [f" {each.bill.document}: differs since {each.since}{ratio}"]
    if each.odd_days:
        explained = shown(Fraction(each.explained_wh, 1000))
        lines.append(f"  {len(each.odd_days)} odd days; against the usual load they make {explained} kWh:")
        lines += [
            f"   {odd.day} {odd.why}: {shown(_kwh(odd.wh))} kWh, usually {shown(_kwh(odd.usual_wh))}"
            for odd in each.odd_days[:_DAYS_SHOWN]
        ]
        if len(each.odd_days) > _DAYS_SHOWN:
            lines.append(f"   and {len(each.odd_days) - _DAYS_SHOWN} more")
    return lines


def _facts(each: Reconciled) -> dict[str, object]:
    bill = each.bill
    return {
        "point": bill.point,
        "supplier": bill.supplier,
        "menu": bill.menu,
        "document": bill.document,
        "first_day": bill.first_day.isoformat(),
        "last_day": bill.last_day.isoformat(),
        "billed_kwh": f"{bill.kwh:f}",
        "demand_kw": None if bill.demand_kw is None else f"{bill.demand_kw:f}",
        "amount": None if bill.amount is None else f"{bill.amount:f}",
        "meter_kwh": _exact(each.meter_wh),
        "unproven_kwh": _exact(each.unproven_wh),
        "difference_kwh": _exact(each.difference_wh),
        "allowed_kwh": _exact(each.tolerance_wh),
        "outcome": each.outcome.value,
        "since": None if each.since is None else each.since.isoformat(),
        "explained_kwh": _exact(each.explained_wh) if each.odd_days else None,
        "why": each.why or None,
        "sha256": bill.sha256 or None,
        "source": bill.source,
    }


def _day(odd: OddDay) -> dict[str, object]:
    return {
        "day": odd.day.isoformat(),
        "kwh": _exact(odd.wh),
        "usual_kwh": _exact(odd.usual_wh),
        "why": odd.why,
    }


def _kwh(wh: int | Fraction | None) -> Fraction | None:
    return None if wh is None else Fraction(wh) / 1000


def _exact(wh: int | Fraction | None) -> str | None:
    return None if wh is None else printed(Fraction(wh) / 1000, 3, rounding=Rounding.HALF_UP)
