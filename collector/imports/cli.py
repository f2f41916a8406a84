"""`seiren import …`: bring files into the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from collector.folders import DEFAULT_FOLDER, FormOption, LedgerOption, opened
from collector.imports import bills, telling
from collector.imports.activity import (
    FUEL_COLUMNS,
    PRODUCTION_COLUMNS,
    Imported,
    import_activity,
    import_production,
)
from collector.imports.readings import Wanted, import_readings
from collector.people import who
from collector.table import Form
from config.mapping import Clock, FileKind, load_mapping, mapping_of
from core.errors import AnswerIsNo, UsageError
from core.runtime.clock import WallClock

ByOption = Annotated[
    str | None, typer.Option("--by", metavar="PERSON", help="Who brings it; without: the login.")
]

app = typer.Typer(
    no_args_is_help=True, help="Bring readings, bills, fuel and production lines into the ledger."
)


@app.command()
def activity(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=f"CSV: {','.join(FUEL_COLUMNS)}.")],
    folder: LedgerOption = DEFAULT_FOLDER,
    by: ByOption = None,
) -> None:
    """Add fuel lines. Bad lines are named and left out; the same file again adds nothing."""
    _import(import_activity, file, folder, by)


@app.command()
def production(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=f"CSV: {','.join(PRODUCTION_COLUMNS)}.")],
    folder: LedgerOption = DEFAULT_FOLDER,
    by: ByOption = None,
) -> None:
    """Add production lines. Bad lines are named and left out; the same file again adds nothing."""
    _import(import_production, file, folder, by)


@app.command()
def readings(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, NEM12 or Green Button.")],
    folder: LedgerOption = DEFAULT_FOLDER,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="POINT=COLUMN", help="Where a point's numbers stand; repeatable."),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(metavar="FILE", help="How a CSV file is to be read, as YAML.")
    ] = None,
    kind: Annotated[FileKind | None, typer.Option(help="What the numbers are.")] = None,
    time: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of the time.")] = None,
    format_: Annotated[
        str | None, typer.Option("--time-format", help="iso, unix, or such as %d/%m/%Y %H:%M.")
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Time zone of the times; without: the site's.")] = None,
    clock: Annotated[
        Clock | None, typer.Option(help="Which of two local times is meant when clocks change.")
    ] = None,
    interval: Annotated[str | None, typer.Option(help="Length: 15min, 30min, day or month.")] = None,
    stamp: Annotated[str | None, typer.Option(help="An interval's time is its start or its end.")] = None,
    unit: Annotated[str | None, typer.Option(help="kWh, Wh, MWh, GWh or count.")] = None,
    decimal: Annotated[str | None, typer.Option(help="Decimal sign, . or ,.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="What parts the cells.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Bring only what comes from then on.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Bring only what comes before.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look; write nothing.")] = False,
    by: ByOption = None,
    form: FormOption = Form.TABLE,
) -> None:
    """Add registers or energies of intervals; the same file again adds nothing.

    What cannot be used is named with its line and left out: exit 1.
    """
    person = who(by)
    options = {
        "kind": kind,
        "time": time,
        "format": format_,
        "zone": zone,
        "clock": clock,
        "interval": interval,
        "stamp": stamp,
        "decimal": decimal,
        "delimiter": delimiter,
    }
    wanted = _wanted(mapping, [_pair(each) for each in column or ()], options, unit)
    wanted = replace(wanted, since=since or "", until=until or "")
    with opened(folder, create=True) as (ledger, hq):
        now_ms = WallClock().now_ms()
        findings = import_readings(file, ledger, hq, wanted, who=person, now_ms=now_ms, dry=dry_run)
    for text in telling.errors(findings):
        typer.echo(text, err=True)
    typer.echo(telling.told(findings, form))
    if findings.aside.count:
        raise typer.Exit(AnswerIsNo.exit_code)


@app.command("bills")
def bring_bills(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help=f"CSV: {','.join((*bills.COLUMNS, bills.FILE_COLUMN))}.")
    ],
    folder: LedgerOption = DEFAULT_FOLDER,
    by: ByOption = None,
) -> None:
    """Add suppliers' bills. Bad lines are named and left out; the same file again adds nothing."""
    _import(bills.import_bills, file, folder, by)


def _wanted(
    mapping: Path | None, columns: list[tuple[str, str]], options: dict[str, Any], unit: str | None
) -> Wanted:
    given = {key: value for key, value in options.items() if value is not None}
    if mapping is not None:
        if given or columns or unit:
            raise UsageError("a mapping says all that the other options say", next="give one of the two")
        return Wanted(load_mapping(mapping))
    if not given and unit is None:
        return Wanted(channels={channel: point for point, channel in columns})
    of_unit = {} if unit is None else {"unit": unit}
    points = tuple({"point": point, "column": name, **of_unit} for point, name in columns)
    return Wanted(mapping_of({**given, "points": points}))


def _pair(text: str) -> tuple[str, str]:
    point, sign, column = text.partition("=")
    if not sign or not point.strip() or not column.strip():
        raise UsageError("not a point and its column", where="--column", evidence=text, next="POINT=COLUMN")
    return point.strip(), column.strip()


def _import(bring: Callable[..., Imported], file: Path, folder: Path, by: str | None) -> None:
    person = who(by)
    with opened(folder, create=True) as (ledger, hq):
        done = bring(file, ledger, hq, who=person, now_ms=WallClock().now_ms())
    for error in done.bad:
        typer.echo(error.render() + "\n", err=True)
    known = f", {done.known} there already" if done.known else ""
    aside = f", {len(done.bad)} set aside" if done.bad else ""
    typer.echo(f"{file.name}: {done.added} lines added{known}{aside}")
    if done.bad:
        raise typer.Exit(AnswerIsNo.exit_code)
