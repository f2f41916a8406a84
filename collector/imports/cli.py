"""`seiren import …`: bring files into the ledger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from collector.folders import DEFAULT_FOLDER, LedgerOption, opened
from collector.imports.activity import (
    FUEL_COLUMNS,
    PRODUCTION_COLUMNS,
    Imported,
    import_activity,
    import_production,
)
from collector.ledger import Ledger
from config.hq import HqConfig
from core.errors import AnswerIsNo

app = typer.Typer(no_args_is_help=True, help="Bring fuel and production lines into the ledger.")


@app.command()
def activity(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=f"CSV: {','.join(FUEL_COLUMNS)}.")],
    folder: LedgerOption = DEFAULT_FOLDER,
) -> None:
    """Add fuel lines. Bad lines are named and left out; the same file again adds nothing."""
    _import(import_activity, file, folder)


@app.command()
def production(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=f"CSV: {','.join(PRODUCTION_COLUMNS)}.")],
    folder: LedgerOption = DEFAULT_FOLDER,
) -> None:
    """Add production lines. Bad lines are named and left out; the same file again adds nothing."""
    _import(import_production, file, folder)


def _import(bring: Callable[[Path, Ledger, HqConfig], Imported], file: Path, folder: Path) -> None:
    with opened(folder, create=True) as (ledger, hq):
        done = bring(file, ledger, hq)
    for error in done.bad:
        typer.echo(error.render() + "\n", err=True)
    known = f", {done.known} there already" if done.known else ""
    aside = f", {len(done.bad)} set aside" if done.bad else ""
    typer.echo(f"{file.name}: {done.added} lines added{known}{aside}")
    if done.bad:
        raise typer.Exit(AnswerIsNo.exit_code)
