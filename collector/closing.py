"""Closing a month: one person submits, another approves, and what was approved stays byte for byte.

Everything is made from one snapshot of the ledger. It is written only if nobody has decided anything since,
so a status, a plan or a correction cannot change under a closing; readings that come meanwhile are late ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection

from collector.figures import inputs_at
from collector.ledger import Ledger, closings, decisions, engines
from collector.ledger.closings import FrozenRow, Kept
from collector.obstacles import obstacles
from collector.people import Who
from collector.report.sheet import Sheet
from collector.snapshot import snapshot
from collector.view import View
from config.hq import HqConfig, RoleName
from core.carbon.closing import MonthStatus, Step, allow
from core.carbon.differences import co2_t, purchased_kwh
from core.carbon.figures import optional_text
from core.carbon.inputs import StatementInputs
from core.carbon.statement import build, to_json
from core.chain import Decision, Head, Json
from core.errors import AnswerIsNo, Unreachable
from core.metering.frozen import frozen_text

_TRIES = 3
_DONE: Mapping[Step, str] = {Step.SUBMIT: "submitted", Step.APPROVE: "closed", Step.RESTATE: "restated"}


@dataclass(frozen=True, slots=True)
class Draft:
    """A month as it would be closed now.

    Parameters
    ----------
    sheet
        Its statement.
    rows
        Registers at its two ends.
    """

    month: str
    sheet: Sheet
    rows: tuple[FrozenRow, ...]


def submit(ledger: Ledger, hq: HqConfig, month: str, *, who: Who, reason: str = "", time_ms: int) -> Decision:
    """Say that a month's activity is complete, and ask for approval.

    Raises
    ------
    AnswerIsNo
        The month is not open, or something is missing; all of it is named.
    UsageError
        The text is not a month.
    ConfigError, DataError
        Records, cells or activity contradict each other.
    Unreachable, OutsideError
        The ledger failed.
    """

    def prepare(connection: Connection) -> Callable[[Connection], Decision]:
        permit(hq, who, Step.SUBMIT)
        allow(status(connection, month), Step.SUBMIT, who.person)
        drawn = draft(connection, hq, month)
        refuse_incomplete(connection, hq, drawn, Step.SUBMIT, time_ms)
        body: dict[str, Json] = {
            "month": month,
            "statement": _digest(drawn.sheet.content),
            **amounts(drawn.sheet),
        }
        return lambda writing: decisions.decide(
            writing, kind=Step.SUBMIT, who=who, reason=reason, body=body, time_ms=time_ms
        )

    return decided(ledger, prepare)


def approve(
    ledger: Ledger, hq: HqConfig, month: str, *, who: Who, reason: str = "", time_ms: int
) -> Decision:
    """Close a submitted month: its statement, what it was made from, and its registers are kept as they are.

    Raises
    ------
    AnswerIsNo
        The month is not submitted, or by the same person; or it is not any more what was submitted.
    UsageError
        The text is not a month.
    ConfigError, DataError
        Records, cells or activity contradict each other.
    Unreachable, OutsideError
        The ledger failed.
    """

    def prepare(connection: Connection) -> Callable[[Connection], Decision]:
        before = status(connection, month)
        permit(hq, who, Step.APPROVE)
        allow(before, Step.APPROVE, who.person)
        drawn = draft(connection, hq, month)
        refuse_incomplete(connection, hq, drawn, Step.APPROVE, time_ms)
        _as_submitted(before, drawn)
        kept, revision = keep(connection, hq, drawn), before.revision + 1
        body = bound(drawn, kept, revision)

        def write(writing: Connection) -> Decision:
            decision = decisions.decide(
                writing, kind=Step.APPROVE, who=who, reason=reason, body=body, time_ms=time_ms
            )
            closings.add(writing, month, revision, kept, decision)
            return decision

        return write

    return decided(ledger, prepare)


def reopen(ledger: Ledger, hq: HqConfig, month: str, *, who: Who, reason: str, time_ms: int) -> Decision:
    """Open a submitted or closed month again; what was closed stays on record.

    Raises
    ------
    AnswerIsNo
        The month is open, or no reason is given.
    Unreachable, OutsideError
        The ledger failed.
    """
    if not reason.strip():
        raise AnswerIsNo(
            f"nobody can open {month} again without a reason",
            next=f'seiren month reopen {month} --reason "what has to be changed"',
        )

    def prepare(connection: Connection) -> Callable[[Connection], Decision]:
        before = status(connection, month)
        permit(hq, who, Step.REOPEN)
        allow(before, Step.REOPEN, who.person)
        body: dict[str, Json] = {"month": month, "revision": before.revision}
        return lambda writing: decisions.decide(
            writing, kind=Step.REOPEN, who=who, reason=reason, body=body, time_ms=time_ms
        )

    return decided(ledger, prepare)


def status(connection: Connection, month: str) -> MonthStatus:
    """Return how far a month is.

    Raises
    ------
    UsageError
        The text is not a month.
    DataError
        The ledger was changed by other means.
    """
    return closings.statuses(connection).get(month, MonthStatus(month))


def draft(connection: Connection, hq: HqConfig, month: str, *, thawed: Collection[str] = ()) -> Draft:
    """Return a month as it would be closed now.

    Parameters
    ----------
    thawed
        Closed months whose registers do not stand any more, because they are to be restated.

    Raises
    ------
    UsageError
        The text is not a month.
    ConfigError, DataError
        Records, cells or activity contradict each other.
    """
    view = View(connection, hq, thawed=thawed)
    inputs = inputs_at(view, month, closed=True)
    return Draft(month, Sheet.parse(to_json(build(inputs))), tuple(sorted(_rows(view, inputs))))


def keep(connection: Connection, hq: HqConfig, drawn: Draft, *, thawed: Collection[str] = ()) -> Kept:
    """Return a draft with all that it was made from, as it is kept when the month is closed.

    Parameters
    ----------
    thawed
        As the draft was made with.
    """
    made_from = snapshot(connection, hq, drawn.month, closed=True, thawed=thawed)
    return Kept(drawn.sheet.content, made_from, drawn.rows)


def bound(drawn: Draft, kept: Kept, revision: int) -> dict[str, Json]:
    """Return what a decision that closes a month binds of it: hashes of all that is kept, and its figures."""
    return {
        "month": drawn.month,
        "revision": revision,
        "statement": _digest(kept.statement),
        "inputs": _digest(kept.inputs),
        "frozen": closings.frozen_digest(kept.rows),
        "cells": cells_digest(kept.inputs),
        "plan": drawn.sheet.document.get("plan"),
        **amounts(drawn.sheet),
    }


def cells_digest(inputs: bytes) -> str:
    """Return the hash of all readings that a month's points had, from the inputs' list of their hashes."""
    return _digest(json.loads(inputs)["inputs/cells.csv"].encode())


def amounts(sheet: Sheet) -> dict[str, Json]:
    """Return what people know a month by: its CO2 [t] and the energy that was bought [kWh], exact."""
    return {
        "co2_t": optional_text(co2_t(sheet.document)),
        "kwh": optional_text(purchased_kwh(sheet.document)),
    }


def permit(hq: HqConfig, who: Who, step: Step) -> None:
    """Check that a person has the role for a step; where nobody has any, everybody may do all.

    Raises
    ------
    AnswerIsNo
        The person has not.
    """
    role: RoleName = "reporter" if step is Step.SUBMIT else "approver"
    if not hq.may(who.person, role):
        may = ", ".join(sorted(person for person in hq.roles if hq.may(person, role)))
        raise AnswerIsNo(
            f"{who.person} is no {role}, so they cannot {step} a month",
            where="hq.yaml: roles",
            evidence=f"{role}: {may or 'nobody'}",
            next="let one of them do it: --by NAME",
        )


def decided(ledger: Ledger, prepare: Callable[[Connection], Callable[[Connection], Decision]]) -> Decision:
    """Prepare a decision on a snapshot, and write it if nothing was decided since; else do both again.

    Raises
    ------
    Unreachable
        Others have decided something each time.
    """
    for _ in range(_TRIES):
        with ledger.reading() as connection:
            seen = decisions.head(connection)
            write = prepare(connection)
        with ledger.writing() as connection:
            if _still(connection, seen):
                return write(connection)
    raise Unreachable(
        "others are deciding in this ledger at the same time",
        where=ledger.where,
        evidence=f"{_TRIES} times something was decided while this was prepared",
        next="do it again",
    )


def _still(connection: Connection, seen: Head) -> bool:
    engines.lock_chain(connection)
    return decisions.head(connection) == seen


def refuse_incomplete(connection: Connection, hq: HqConfig, drawn: Draft, step: Step, time_ms: int) -> None:
    found = obstacles(connection, hq, drawn.sheet, time_ms)
    if found:
        raise AnswerIsNo(
            f"{drawn.month} cannot be {_DONE[step]} yet",
            evidence="; ".join(found),
            next=f"mend that, then seiren month {step} {drawn.month}",
        )


def _as_submitted(before: MonthStatus, drawn: Draft) -> None:
    """Check that what is approved is what was submitted."""
    assert before.submission is not None  # it is submitted
    asked: Mapping[str, str | None] = before.submission.facts
    if asked["statement"] == _digest(drawn.sheet.content):
        return
    now = amounts(drawn.sheet)
    raise AnswerIsNo(
        f"{drawn.month} is not any more what was submitted",
        evidence=f"submitted with {asked['co2_t']} t and {asked['kwh']} kWh, "
        f"now {now['co2_t']} t and {now['kwh']} kWh",
        cause="late readings, a slip, a correction or another plan came in between",
        next=f"seiren month reopen {drawn.month} --reason WHY; then submit it as it is now",
    )


def _rows(view: View, inputs: StatementInputs) -> Iterator[FrozenRow]:
    """Yield the registers at the two ends of a month, of each meter that has an energy."""
    for site, known in zip(view.hq.sites, inputs.sites, strict=True):
        ends = (inputs.interval.start_ms, inputs.interval.end_ms)
        for meter in site.meters:
            energy = known.energies.get(meter.point)
            if energy is None or energy.interval != inputs.interval:  # it had its place for a part only
                (energy,) = view.series(site, meter, ends)
            if energy.wh is None:
                continue
            for mark in (energy.start, energy.end):
                if (text := frozen_text(mark)) is not None:
                    yield FrozenRow(meter.point, mark.time_ms, text)


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()
