"""`seiren agent trust`: let frames be freed on the word of another ledger than before."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.status import Running
from agent.known_ledgers import Known, KnownLedgers
from config.loading import load_agent
from core.delivery.frames import ID_PATTERN
from core.errors import AnswerIsNo, UsageError


def trust(
    ledger: Annotated[str, typer.Argument(metavar="LEDGER", help="Name of a required ledger.")],
    config: Running = Path("agent.yaml"),
    ledger_id: Annotated[
        str | None,
        typer.Option("--id", help="Id of the ledger, as headquarters reads it; nothing is asked then."),
    ] = None,
) -> None:
    """Trust another ledger than before under a name, such as a new one after headquarters lost its own.

    Until then it is delivered to, and nothing is freed on its word.

    Exit codes: 0 it is trusted, 1 nobody else speaks under the name, or it was not confirmed, 2 wrong use.
    """
    settings = load_agent(config)
    if ledger not in settings.required_ledgers:
        raise UsageError(
            f"{ledger} is no required ledger of {settings.agent}",
            where=f"{config}: required_ledgers",
            evidence=", ".join(settings.required_ledgers),
        )
    if ledger_id is not None and not re.fullmatch(ID_PATTERN, ledger_id):
        raise UsageError("not the id of a ledger", evidence=ledger_id[:80], next="32 digits from 0 to f")
    file = KnownLedgers(settings.spool)
    known = file.read().get(ledger, Known())
    if ledger_id is None:
        ledger_id = _confirmed(settings.agent, ledger, known)
    file.trust(ledger, ledger_id)
    typer.echo(f"{ledger} {ledger_id} is trusted")
    typer.echo(" a running agent follows within 30 s")


def _confirmed(agent: str, ledger: str, known: Known) -> str:
    """Ask whether the ledger that waits is the right one; return its id."""
    if known.waiting is None:
        raise AnswerIsNo(
            f"no other ledger than the known one calls itself {ledger}",
            evidence=", ".join(known.trusted) or "none was ever followed: the first will be trusted",
            next="nothing; an agent that runs writes down who waits as soon as it is heard",
        )
    typer.echo(f"{agent}  ledger {ledger}")
    for each in known.trusted:
        typer.echo(f" known   {each}")
    typer.echo(f" waits   {known.waiting}   is sent all, frees nothing")
    typer.echo(" ask headquarters for the id that seiren collector status shows")
    if not typer.confirm("Are the two the same?"):
        raise AnswerIsNo(
            f"{ledger} {known.waiting} is not trusted", next="nothing is lost: the disk keeps all"
        )
    return known.waiting
