"""`seiren collector …` and the commands that ask a ledger: count, energy, factors, tail."""

from __future__ import annotations

import asyncio
import logging
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from collector import counting, doctor, energies, status
from collector.acl import acl
from collector.asking import gather
from collector.balance_report import balance_report
from collector.count_reading import read_counts
from collector.factor_list import factor_report
from collector.figures import months_with_data
from collector.folders import DEFAULT_FOLDER, Folder, FormOption, LedgerOption, configured, opened
from collector.rebuild import rebuild
from collector.records import find_energy, find_site
from collector.service import serve
from collector.table import Form, as_json
from collector.tail import follow
from core.errors import AnswerIsNo, UsageError
from core.runtime.clock import WallClock
from core.runtime.logs import start_logging
from core.runtime.loops import loop_factory
from core.timeline import Interval, month, parse_local

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")

app = typer.Typer(no_args_is_help=True, help="Receive readings from agents, and keep the ledger.")
factors = typer.Typer(no_args_is_help=True, help="The emission factors on offer.")

app.command("acl")(acl)


class By(StrEnum):
    """Into what a count is split."""

    DAY = "day"


class DoctorForm(StrEnum):
    """How a diagnosis is written."""

    TABLE = "table"
    JSON = "json"


class LogForm(StrEnum):
    """How logs are written."""

    HUMAN = "human"
    JSON = "json"


@app.command()
def run(
    folder: Folder,
    log: Annotated[LogForm, typer.Option(help="Logs for people, or as JSON lines.")] = LogForm.HUMAN,
) -> None:
    """Receive readings until told to stop (SIGTERM or Ctrl-C)."""
    hq = configured(folder)
    _start_logging(log)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(folder, hq))


@app.command("status")
def show_status(folder: Folder = DEFAULT_FOLDER, form: FormOption = Form.TABLE) -> None:
    """Show what the ledger holds, how new it is, what was set aside, and how its collector fares."""
    with opened(folder) as (ledger, hq):
        typer.echo(status.status_report(ledger, hq, folder, form, now_ms=WallClock().now_ms()))


@app.command("doctor")
def show_doctor(
    folder: Folder = DEFAULT_FOLDER,
    form: Annotated[DoctorForm, typer.Option("--format", help="For people, or as JSON.")] = DoctorForm.TABLE,
) -> None:
    """Say whether every reading arrives, and what to do about each fault. It only looks.

    Exit codes: 0 no fault, 1 a fault, 2 the configuration is wrong, 3 the ledger cannot be opened.
    """
    evidence = gather(folder, configured(folder), now_ms=WallClock().now_ms())
    diagnosis = doctor.diagnose(evidence)
    if form is DoctorForm.JSON:
        typer.echo(as_json(doctor.document(evidence, diagnosis)))
    else:
        typer.echo("\n".join(doctor.lines(evidence, diagnosis)))
    if diagnosis.exit_code:
        raise typer.Exit(diagnosis.exit_code)


@app.command("rebuild-store")
def rebuild_store(folder: Folder) -> None:
    """Write all registers and half-hours from the ledger into the reading store again."""
    with opened(folder) as (ledger, hq):
        done = asyncio.run(rebuild(ledger, hq, folder, lambda text: typer.echo(text, err=True)))
    typer.echo(f"{done.store}\n {done.readings:,} readings of registers and {done.half_hours:,} half-hours")
    typer.echo(" written from the ledger; samples were not touched")
    if done.refused:
        typer.echo(f" {done.refused:,} rows were refused for good, and set aside in the ledger")
        raise typer.Exit(AnswerIsNo.exit_code)


def count(
    where: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FOLDER] [MONTH]",
            help=f"The ledger's folder ({DEFAULT_FOLDER} if left out), then a month, 2024-02; without: all.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[By | None, typer.Option(help="day: also each of the month's days.")] = None,
    form: FormOption = Form.TABLE,
) -> None:
    """Show whether every reading taken is stored, waiting or named lost; exit 1 if not.

    Beside it stands what was due and not taken, as the agents account for it.
    """
    folder, of_month = _folder_and_month(where or [])
    if by is not None and not of_month:
        raise UsageError("--by day needs a month", next=f"seiren count {folder} 2024-02 --by day")
    with opened(folder) as (ledger, hq):
        now_ms = WallClock().now_ms()
        table = read_counts(ledger, hq, now_ms=now_ms, of_month=of_month, by_day=by is not None)
    typer.echo(counting.count_report(table, form))
    if not table.closes:
        raise typer.Exit(AnswerIsNo.exit_code)


def energy(
    name: Annotated[
        str, typer.Argument(metavar="POINT|SITE", help="Point, meter, or a site's boundary set.")
    ],
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="2024-02-01 or 2024-02-01T08:30, local.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Not part of the interval.")] = None,
    grid: Annotated[energies.Grid, typer.Option(help="30min, day or month.")] = energies.Grid.DAY,
    balance: Annotated[
        bool,
        typer.Option("--balance", help="Of a site: each meter less those that it feeds, with its limit."),
    ] = False,
    folder: LedgerOption = DEFAULT_FOLDER,
    form: FormOption = Form.TABLE,
) -> None:
    """Show energy from registers; without --from and --to that of the newest month."""
    with opened(folder) as (ledger, hq):
        site = find_site(hq, name) if balance else find_energy(hq, name)[0]
        zone = site.time_zone
        if start is not None and end is not None:
            interval = Interval(parse_local(start, zone), parse_local(end, zone))
        elif start is not None or end is not None:
            raise UsageError(
                "--from and --to belong together", next="give both, or neither for the newest month"
            )
        else:
            known = months_with_data(ledger, hq)
            if not known:
                raise UsageError("the ledger has no reading yet", where=str(folder))
            interval = month(known[-1], zone)
        if balance:
            found = energies.site_balances(ledger, hq, site, interval, grid)
            typer.echo(balance_report(name, found, zone, form))
            return
        rows, whole = energies.amounts(ledger, hq, name, interval, grid)
    typer.echo(energies.energy_report(name, rows, whole, zone, form))


@factors.callback()
def about_factors() -> None:
    """The emission factors on offer."""


@factors.command("list")
def list_factors(form: FormOption = Form.TABLE) -> None:
    """Show all shipped factors with their values, confidence and sources."""
    typer.echo(factor_report(form))


def tail(
    folder: Folder = DEFAULT_FOLDER,
    readings: Annotated[bool, typer.Option("--readings", help="Also show each reading.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many messages.")] = None,
) -> None:
    """Show the messages on the broker readably, as they pass."""
    hq = configured(folder)
    _start_logging(LogForm.HUMAN)
    asyncio.run(follow(folder, hq, typer.echo, readings=readings, limit=limit))


def _start_logging(form: LogForm) -> None:
    start_logging(form.value)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each look at the tables


def _folder_and_month(where: list[str]) -> tuple[Path, str]:
    """Take apart ``[FOLDER] [MONTH]``."""
    of_month = where[-1] if where and _MONTH.fullmatch(where[-1]) else ""
    folders = where[:-1] if of_month else where
    if len(folders) > 1:
        raise UsageError("One folder and one month are wanted.", evidence=" ".join(where))
    return (Path(folders[0]) if folders else DEFAULT_FOLDER), of_month
