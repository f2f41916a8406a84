"""Proposed restatements as people and programs read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from collector.proposals import Move, Proposal
from collector.report.month import ascii_text, month_name
from collector.report.numbers import shown
from collector.report.standing import command, moved, row, signed
from core.carbon.differences import Difference, co2_t, purchased_kwh
from core.carbon.figures import optional_text

_SHOWN = 8
"""Figures of one month that a terminal shows; all stand in JSON [1]."""


def proposal_report(found: Sequence[Proposal], folder: str, month: str | None) -> str:
    """Write what is proposed for a terminal.

    Returns
    -------
    str
        Lines of at most 80 ASCII characters, with a trailing newline.
    """
    lines: list[str] = []
    for each in found:
        lines += _lines(each)
    if not found:
        lines.append(f"nothing that came later changes {month or 'a closed month'}")
    for group in dict.fromkeys(each.together for each in found):
        together = " with ".join(group)
        lines += row("accept", f"one decision restates {together}; whoever caused it cannot accept it")
        lines.append(command("next", f'seiren month restate {folder} {group[0]} --yes --reason "..."'))
    return "".join(f"{ascii_text(line.rstrip())}\n" for line in lines)


def proposal_rows(found: Sequence[Proposal]) -> list[dict[str, Any]]:
    """Return what is proposed as rows of exact figures."""
    return [
        {
            "month": each.month,
            "revision": each.closing.revision,
            "old_co2_t": optional_text(co2_t(each.old.document)),
            "new_co2_t": optional_text(co2_t(each.new.sheet.document)),
            "co2_t": optional_text(each.co2_t),
            "old_kwh": optional_text(purchased_kwh(each.old.document)),
            "new_kwh": optional_text(purchased_kwh(each.new.sheet.document)),
            "kwh": optional_text(each.kwh),
            "cause": "; ".join(map(str, each.causes)),
            "causes": [str(cause) for cause in each.causes],
            "together": list(each.together),
            "figures": [_difference(one) for one in each.differences],
            "moves": [_move(one) for one in each.moves],
        }
        for each in found
    ]


def _lines(proposal: Proposal) -> Iterator[str]:
    old, new = proposal.old.document, proposal.new.sheet.document
    yield f"{month_name(proposal.month)}, revision {proposal.closing.revision}"
    yield from row(
        "CO2",
        f"{shown(co2_t(old), 3)} -> {shown(co2_t(new), 3)} t  {signed(proposal.co2_t, 3)}",
    )
    yield from row(
        "bought",
        f"{shown(purchased_kwh(old), 3)} -> {shown(purchased_kwh(new), 3)} kWh  {signed(proposal.kwh, 3)}",
    )
    for cause in proposal.causes:
        yield from row("cause", str(cause))
    for move in proposal.moves:
        yield from row("moves", moved(move))
    for difference in proposal.differences[:_SHOWN]:
        yield from row("", _told(difference))
    if len(proposal.differences) > _SHOWN:
        more = len(proposal.differences) - _SHOWN
        yield from row("", f"and {more} figures more, all in --format json")
    yield ""


def _told(each: Difference) -> str:
    if each.old == each.new and each.kind != "factor":
        bounds = (shown(None if wh is None else Fraction(wh, 1000), 3) for wh in _bounds(each))
        return f"{each.figure}: unproven {' -> '.join(bounds)} kWh"
    return f"{each.figure}: {shown(each.old, 3)} -> {shown(each.new, 3)} {each.unit}"


def _bounds(each: Difference) -> tuple[int | None, int | None]:
    return each.old_unproven_wh, each.new_unproven_wh


def _difference(each: Difference) -> dict[str, Any]:
    old_wh, new_wh = _bounds(each)
    return {
        "figure": each.figure,
        "unit": each.unit,
        "old": optional_text(each.old),
        "new": optional_text(each.new),
        "old_unproven_wh": old_wh,
        "new_unproven_wh": new_wh,
    }


def _move(each: Move) -> dict[str, Any]:
    return {
        "point": each.point,
        "time_ms": each.time_ms,
        "earlier": each.earlier,
        "later": each.later,
        "wh": each.wh,
    }
