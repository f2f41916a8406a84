"""A correction from its draft to the chain: checked and previewed on a snapshot, written if nothing moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from collector.closing import decided
from collector.corrections import KIND, Corrections
from collector.drafts import Body
from collector.effects import Effect, effects
from collector.ledger import Ledger, decisions
from collector.people import Who
from collector.view import View
from config.hq import HqConfig, SiteRecord
from config.meters import MeterRecord
from core.chain import Decision
from core.errors import AnswerIsNo, UsageError

Draw = Callable[[View], Body]
"""Makes a body from what the ledger says."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A correction, and what it changes.

    Parameters
    ----------
    site, meter
        What it bears on.
    body
        What the chain holds, or would hold.
    effects
        Months that change.
    decision
        As it was written; None while it is not.
    """

    site: SiteRecord
    meter: MeterRecord
    body: Body
    effects: tuple[Effect, ...]
    decision: Decision | None = None


def preview(ledger: Ledger, hq: HqConfig, site: SiteRecord, meter: MeterRecord, draw: Draw) -> Preview:
    """Return what a correction would change; nothing is written.

    Raises
    ------
    UsageError, ConfigError, DataError
        It contradicts the records.
    Unreachable, OutsideError
        The ledger failed.
    """
    with ledger.reading() as connection:
        return _previewed(connection, hq, site, meter, draw)


def write(
    ledger: Ledger,
    hq: HqConfig,
    site: SiteRecord,
    meter: MeterRecord,
    draw: Draw,
    *,
    who: Who,
    reason: str,
    time_ms: int,
) -> Preview:
    """Write a correction, and return what it changes; raises as `preview`.

    Raises
    ------
    AnswerIsNo
        The plan gives the person no such role.
    Unreachable
        Others are deciding at the same time, again and again.
    """
    if not hq.may(who.person, "reporter"):
        raise AnswerIsNo(
            f"{who.person} may not correct",
            where="hq.yaml: roles",
            evidence=f"reporters: {', '.join(name for name in hq.roles if hq.may(name, 'reporter'))}",
            next="let a reporter do it, or name yourself with --by",
        )
    seen: list[Preview] = []

    def prepare(connection: Connection) -> Callable[[Connection], Decision]:
        shown = _previewed(connection, hq, site, meter, draw)
        seen.append(shown)
        return lambda writing: decisions.decide(
            writing, kind=KIND, who=who, reason=reason, body=shown.body, time_ms=time_ms
        )

    decision = decided(ledger, prepare)
    shown = seen[-1]
    return Preview(shown.site, shown.meter, shown.body, shown.effects, decision)


def subject(hq: HqConfig, body: Mapping[str, Any]) -> tuple[SiteRecord, MeterRecord] | None:
    """Return the meter that a correction bears on; None where the plan has it no more."""
    for site in hq.sites:
        for meter in site.meters:
            if body.get("point") == meter.point or body.get("meter") == meter.id:
                return site, meter
    return None


def root(corrections: Corrections, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is undone in the end, or the correction itself."""
    while body["what"] == "undo":
        body = corrections.body(body["number"]) or {"what": ""}
    return body


def undone_subject(connection: Connection, hq: HqConfig, number: int) -> tuple[SiteRecord, MeterRecord]:
    """Return the meter that a correction bears on which is to be undone.

    Raises
    ------
    UsageError
        There is no such correction, it is undone already, or its meter is not in the plan any more.
    """
    corrections = Corrections.in_force(connection)
    body = corrections.body(number)
    if body is None:
        raise UsageError(
            f"decision {number} is no correction", next="seiren correct list FOLDER shows their numbers"
        )
    if number in corrections.undone:
        raise UsageError(f"correction {number} is undone already", next="undo the undo to have it back")
    first = root(corrections, body)
    found = subject(hq, first)
    if found is None:
        raise UsageError(
            "the plan has no such meter any more",
            where="hq.yaml",
            evidence=first.get("point") or first["meter"],
        )
    return found


def _previewed(
    connection: Connection, hq: HqConfig, site: SiteRecord, meter: MeterRecord, draw: Draw
) -> Preview:
    view = View(connection, hq)
    body = draw(view)
    supposed = view.corrections.also(body)
    changed = effects(connection, hq, site, meter, supposed)
    return Preview(site, meter, body, changed)
