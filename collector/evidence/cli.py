"""``seiren audit``: a month's evidence for a stranger, and whether evidence or a ledger was changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collector.evidence.archive import export
from collector.folders import DEFAULT_FOLDER, opened
from core.errors import UsageError
from core.timeline import UTC_ZONE, month

app = typer.Typer(no_args_is_help=True, help="Evidence of a month, and whether anything was changed.")


@app.callback()
def audit() -> None:
    """Evidence of a month, and whether anything was changed."""


@app.command("export")
def export_month(
    where: Annotated[
        list[str],
        typer.Argument(
            metavar="[FOLDER] MONTH",
            help=f"The ledger's folder ({DEFAULT_FOLDER} if left out), then 2024-02.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Archive to write; else evidence-MONTH.zip, here.")
    ] = None,
) -> None:
    """Write one archive from which a stranger recomputes a month, byte for byte."""
    if len(where) > 2:
        raise UsageError("One folder and one month are wanted.", evidence=" ".join(where))
    folder = Path(where[0]) if len(where) == 2 else DEFAULT_FOLDER
    of_month = where[-1]
    month(of_month, UTC_ZONE)  # said before the ledger is opened
    with opened(folder) as (ledger, hq):
        done = export(ledger, hq, of_month, out or Path(f"evidence-{of_month}.zip"))
    state = "closed" if done.closed else "open: its figures may still change"
    typer.echo(f"{done.path}: {done.files} files, {done.size:,} bytes")
    typer.echo(f" {of_month} is {state}")
    typer.echo(f" chain head {done.head}")
    typer.echo(f" check it anywhere: unzip it, then python3 verify.py --head {done.head}")
