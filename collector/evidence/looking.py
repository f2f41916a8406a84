"""Whether a month's evidence or a whole ledger is as it was decided."""

from __future__ import annotations

from pathlib import Path

from collector.chain_check import differences
from collector.evidence import verify
from collector.ledger import Ledger, decisions
from core.errors import OutsideError

_ENOUGH = 16
"""So many digits of a hash tell it from every other [1]."""

Told = tuple[list[str], list[str]]
"""What was found, and what differs."""


def look_at_evidence(where: Path, head: str = "") -> Told:
    """Check a month's evidence, an archive or a folder, with this release's verifier.

    Parameters
    ----------
    where
        The archive or folder.
    head
        The chain's head as it was printed; empty: it is not compared.

    Raises
    ------
    OutsideError
        It cannot be read at all.
    """
    try:
        check = verify.Check(where, head)
    except verify.Unreadable as error:
        raise OutsideError(
            "the evidence cannot be read", where=str(where), evidence=str(error), next="export it again"
        ) from error
    found = list(check.found)
    if "verify.py" in check.evidence.names and check.evidence.read("verify.py") != verify.own_text():
        found.append("its verify.py is another release's; this was found with that of this release")
    return found, check.wrong


def look_through(ledger: Ledger, head: str = "") -> Told:
    """Check a whole ledger: its chain of decisions, and all that decisions bind.

    Parameters
    ----------
    ledger
        The ledger.
    head
        The chain's head as it was printed; empty: it is not compared.

    Raises
    ------
    Unreachable, OutsideError
        The ledger failed.
    """
    with ledger.reading() as connection:
        history = decisions.read(connection)
        wrong = differences(connection)
    newest = f"{history[-1].number} {history[-1].hash}" if history else f"0 {'0' * 64}"
    told = head.split()[-1] if head.split() else ""
    if told and (len(told) < _ENOUGH or not any(each.hash.startswith(told) for each in history)):
        wrong.append(f"no decision has the hash {told}: the newest is {newest[:40]}")
    return [f"{len(history)} decisions, head {newest[:40]}"], wrong
