"""``seiren month``: a month's or a year's CO2 in a terminal."""

from __future__ import annotations

import re
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from collector.report.export import to_csv
from collector.report.ledger_months import LedgerMonths
from collector.report.month import month_report
from collector.report.sheet import Sheet
from collector.report.why import why as explain
from collector.report.year import year_report
from core.errors import UsageError
from core.timeline import months_of_fiscal_year

DEFAULT_FOLDER = Path("demo-out")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_YEAR = re.compile(r"(FY)?([0-9]{4})")

app = typer.Typer(no_args_is_help=True, help="A month's CO2, and why it is what it is.")


class Format(StrEnum):
    """How figures are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@app.callback()
def month() -> None:
    """A month's CO2, and why it is what it is."""


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
        Format, typer.Option(help="table, json (the statement's own bytes) or csv.")
    ] = Format.TABLE,
    why: Annotated[
        str | None, typer.Option(metavar="FIGURE", help="Explain one figure down to registers and slips.")
    ] = None,
) -> None:
    """Show a month: on target or not, what it is made of, how sure; or a year's months and their sum."""
    if len(where) > 2:
        raise UsageError("One folder and one month are wanted.", evidence=" ".join(where))
    folder = Path(where[0]) if len(where) == 2 else DEFAULT_FOLDER
    period = where[-1]
    with closing(LedgerMonths(folder)) as ledger:
        if _MONTH.fullmatch(period):
            typer.echo(_month(ledger, period, format, why), nl=False)
        elif year := _YEAR.fullmatch(period):
            typer.echo(_year(ledger, period, _months(year), format, why), nl=False)
        else:
            raise UsageError(
                f"{period} is no month and no year.",
                next="write a month as 2024-02, a year as 2018, a fiscal year as FY2023",
            )


def _month(ledger: LedgerMonths, month: str, format: Format, why: str | None) -> str:
    sheet = _known(ledger, (month,))[month]
    if why is not None:
        return explain(sheet, why)
    if format is Format.JSON:
        return sheet.content.decode()
    return to_csv(sheet) if format is Format.CSV else month_report(sheet, ledger.counts())


def _months(year: re.Match[str]) -> tuple[str, ...]:
    if year[1]:
        return months_of_fiscal_year(int(year[2]))
    return tuple(f"{year[2]}-{number:02d}" for number in range(1, 13))


def _year(ledger: LedgerMonths, title: str, months: tuple[str, ...], format: Format, why: str | None) -> str:
    if why is not None or format is not Format.TABLE:
        raise UsageError(
            f"A year is shown as a table only: {title}.",
            next=f"seiren month show {ledger.folder} {months[0]} --format {format}",
        )
    return year_report(title, months, _known(ledger, months))


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
