"""``seiren month``: a month's or a year's CO2 in a terminal, and how a month is closed."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Annotated

import typer

from collector.folders import DEFAULT_FOLDER
from collector.report.bills_cli import bills
from collector.report.export import to_csv
from collector.report.ledger_months import LedgerMonths
from collector.report.month import month_report
from collector.report.sheet import Sheet
from collector.report.steps_cli import folder_and_month, is_month, steps
from collector.report.why import why as explain
from collector.report.year import YearMonth, year_co2_t, year_kwh, year_report, year_rows
from collector.table import Form, as_csv, as_json
from core.carbon.figures import optional_text
from core.errors import UsageError
from core.timeline import months_of_fiscal_year

_YEAR = re.compile(r"(FY)?([0-9]{4})")

app = typer.Typer(no_args_is_help=True, help="A month's CO2, why it is what it is, and its closing.")


@app.callback()
def month() -> None:
    """A month's CO2, why it is what it is, and its closing."""


@app.command()
def show(
    where: Annotated[
        list[str],
        typer.Argument(
            metavar="[FOLDER] MONTH",
            help=f"The ledger's folder ({DEFAULT_FOLDER} if left out), then 2024-02, 2018 or FY2023.",
            show_default=False,
        ),
    ],
    format: Annotated[
        Form, typer.Option(help="table, json (of a month the statement's own bytes) or csv.")
    ] = Form.TABLE,
    why: Annotated[
        str | None, typer.Option(metavar="FIGURE", help="Explain one figure down to registers and slips.")
    ] = None,
) -> None:
    """Show a month: on target or not, what it is made of, how sure; or a year's months and their sum."""
    folder, period = folder_and_month(where)
    with closing(LedgerMonths(folder)) as ledger:
        if is_month(period):
            typer.echo(_month(ledger, period, format, why), nl=False)
        elif year := _YEAR.fullmatch(period):
            typer.echo(_year(ledger, period, _months(year), format, why), nl=False)
        else:
            raise UsageError(
                f"{period} is no month and no year.",
                next="write a month as 2024-02, a year as 2018, a fiscal year as FY2023",
            )


for _step in (*steps, bills):
    app.command()(_step)


def _month(ledger: LedgerMonths, month: str, format: Form, why: str | None) -> str:
    sheet = _known(ledger, (month,))[month]
    if why is not None:
        return explain(sheet, why)
    if format is Form.JSON:
        return sheet.content.decode()
    if format is Form.CSV:
        return to_csv(sheet)
    return month_report(sheet, ledger.counts(), ledger.standing(month))


def _months(year: re.Match[str]) -> tuple[str, ...]:
    if year[1]:
        return months_of_fiscal_year(int(year[2]))
    return tuple(f"{year[2]}-{number:02d}" for number in range(1, 13))


def _year(ledger: LedgerMonths, title: str, months: tuple[str, ...], format: Form, why: str | None) -> str:
    if why is not None:
        raise UsageError(
            f"A figure is explained in its month, not in {title}.",
            next=f"seiren month show {ledger.folder} {months[0]} --why {why}",
        )
    known = _known(ledger, months)
    statuses = ledger.statuses(months)
    rows = [YearMonth(statuses[each], known.get(each)) for each in months]
    if format is Form.TABLE:
        return year_report(title, rows)
    if format is Form.CSV:
        return as_csv(year_rows(rows)) + "\n"
    total = {"kwh": optional_text(year_kwh(rows)), "co2_t": optional_text(year_co2_t(rows))}
    return as_json({"year": title, "months": year_rows(rows), "sum": total}) + "\n"


def _known(ledger: LedgerMonths, months: tuple[str, ...]) -> dict[str, Sheet]:
    """Return the statements of those months that the ledger knows something of.

    Raises
    ------
    UsageError
        If it knows none of them.
    """
    known = ledger.months()
    found = {month: ledger.sheet(month) for month in months if month in known}
    if not found:
        asked = months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
        raise UsageError(
            f"The ledger knows nothing of {asked}.",
            where=ledger.folder,
            evidence=f"it has {known[0]} to {known[-1]}"
            if known
            else "no activity, and no meter on record that was read in two half-hours of a month",
            next=f"seiren month show {ledger.folder} {known[-1]}"
            if known
            else f"seiren collector run {ledger.folder}",
        )
    return found
