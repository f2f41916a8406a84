"""How far a month is, beside its statement: who closed it, what was restated, what is proposed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from zoneinfo import ZoneInfo

from collector.proposals import Move, Proposal
from collector.report.numbers import WIDTH, grouped, shown
from collector.report.sheet import Sheet
from core.carbon.closing import Activity, MonthStatus
from core.carbon.rounding import printed
from core.chain import Decision, Head
from core.timeline import format_local

_INDENT = " " * 13


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands beside a month's statement and is no part of its bytes.

    Parameters
    ----------
    status
        How far it is.
    head
        The newest decision of the whole ledger.
    zone
        In which times are written.
    before
        The statement that the one in force took the place of; None where it is the first.
    proposals
        What is proposed for it, and for the months that can only change with it.
    """

    status: MonthStatus
    head: Head
    zone: ZoneInfo
    before: Sheet | None = None
    proposals: tuple[Proposal, ...] = ()


def standing_lines(sheet: Sheet, standing: Standing | None) -> Iterator[str]:
    """Yield how far a month is, for a terminal; nothing where nobody has decided anything."""
    if standing is None or not standing.head.number:
        return
    status = standing.status
    if status.activity is Activity.SUBMITTED and status.submission is not None:
        yield from _by("submitted", status.submission, standing, "; waits for another person")
    if status.reopening is not None:
        yield from _by("reopened", status.reopening, standing, f": {status.reopening.reason}")
    if status.closing is not None:
        revision = f", revision {status.revision}" if status.restated else ""
        yield from _by("closed", status.closing.decision, standing, revision)
        if standing.before is not None:
            yield from _restated(sheet, standing.before, standing)
    for each in standing.proposals:
        if each.month == status.month:
            yield from row("proposed", f"{change(each)}: {'; '.join(map(str, each.causes))}")
            yield command("", f"seiren month restate {each.month}")
    yield from row("chain head", str(standing.head))


def change(proposal: Proposal) -> str:
    """Write what a month would gain, signed."""
    tonnes, kwh = signed(proposal.co2_t, 3), signed(proposal.kwh, 0)
    if proposal.co2_t is None:
        return "it would not be summed any more"
    return f"{tonnes} t, {kwh} kWh"


def moved(move: Move) -> str:
    """Write what a register moves from one month to another."""
    if move.wh is None:
        return f"{move.point} between {move.earlier} and {move.later}: not known"
    giver, taker = (move.later, move.earlier) if move.wh > 0 else (move.earlier, move.later)
    return f"{move.point}: {shown(Fraction(abs(move.wh), 1000), 3)} kWh from {giver} to {taker}"


def signed(value: Fraction | None, digits: int) -> str:
    """Write an exact change with its sign and separators, ``-`` where it is not known."""
    return "-" if value is None else grouped(printed(value, digits, signed=True))


def row(name: str, text: str) -> Iterator[str]:
    """Yield a named line of facts, broken at 80 columns."""
    yield from textwrap.wrap(
        text, WIDTH, initial_indent=f" {name:<12}", subsequent_indent=_INDENT, break_on_hyphens=False
    )


def command(name: str, text: str) -> str:
    """Return a named line that holds a command, which stays whole."""
    return f" {name:<12}{text}"


def on(decision: Decision, zone: ZoneInfo) -> str:
    """Write when a decision was made, to the minute."""
    return format_local(decision.time_ms, zone)[:16].replace("T", " ")


def _by(name: str, decision: Decision, standing: Standing, more: str) -> Iterator[str]:
    when = on(decision, standing.zone)
    yield from row(name, f"by {decision.person} on {when}, decision {decision.number}{more}")


def _restated(sheet: Sheet, before: Sheet, standing: Standing) -> Iterator[str]:
    closing = standing.status.closing
    assert closing is not None  # it has been closed more than once
    old, new = before.total.value, sheet.total.value
    delta = None if old is None or new is None else new - old
    why = "; ".join(closing.facts.get("causes", ())) or closing.decision.reason
    figures = f"{shown(old)} -> {shown(new)} t ({signed(delta, 3)})"
    yield from row("restated", f"{figures}: {why}" if why else figures)
