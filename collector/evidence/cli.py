"""``seiren audit``: a month's evidence for a stranger, and whether evidence or a ledger was changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collector.evidence.archive import export
from collector.evidence.looking import look_at_evidence, look_through
from collector.folders import DEFAULT_FOLDER, opened
from core.errors import AnswerIsNo, UsageError
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
    typer.echo(" check it anywhere: unzip it, then")
    typer.echo(f"   python3 verify.py --head {done.head.hash[:32]}")


@app.command("verify")
def verify_any(
    where: Annotated[
        Path,
        typer.Argument(
            metavar="LEDGER_OR_ZIP", help="A ledger's folder, or a month's evidence, packed or unpacked."
        ),
    ],
    head: Annotated[
        str, typer.Option(metavar="HASH", help="The chain's head as it is printed beside the statement.")
    ] = "",
) -> None:
    """Tell whether anything was changed; exit 1 if so, with each thing by name."""
    if (where / "hq.yaml").is_file():
        with opened(where) as (ledger, _):
            found, wrong = look_through(ledger, head)
    elif where.exists():
        found, wrong = look_at_evidence(where, head)
    else:
        raise UsageError("There is no such file or folder.", where=str(where))
    for line in found:
        typer.echo(f" {line}")
    for line in wrong:
        typer.echo(f"DIFFERS {line}")
    typer.echo("something differs" if wrong else "all is as it should be")
    if wrong:
        raise typer.Exit(AnswerIsNo.exit_code)
