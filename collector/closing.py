"""Closing a month: one person submits, another approves, and what was approved stays byte for byte.

Everything is made from one snapshot of the ledger. It is written only if nobody has decided anything since,
so a status, a plan or a correction cannot change under a closing; readings that come meanwhile are late ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from sqlalchemy import Connection

from collector import plans
from collector.ledger import Ledger, closings, decisions, engines
from collector.month_draft import Draft, amounts, bound, digest, draft, keep
from collector.obstacles import obstacles
from collector.people import Who
from config.hq import HqConfig
from core.carbon.closing import MonthStatus, Step, allow
from core.chain import Decision, Head, Json
from core.errors import AnswerIsNo, Unreachable

_TRIES = 3
_DONE: Mapping[Step, str] = {Step.SUBMIT: "submitted", Step.APPROVE: "closed", Step.RESTATE: "restated"}


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
        permit(connection, hq, who, Step.SUBMIT)
        allow(status(connection, month), Step.SUBMIT, who.person)
        drawn = draft(connection, hq, month)
        refuse_incomplete(connection, hq, drawn, Step.SUBMIT, time_ms)
        body: dict[str, Json] = {
            "month": month,
            "statement": digest(drawn.sheet.content),
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
        permit(connection, hq, who, Step.APPROVE)
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
        permit(connection, hq, who, Step.REOPEN)
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


def permit(connection: Connection, hq: HqConfig, who: Who, step: Step) -> None:
    """Check that a person has the role for a step; where nobody has any, everybody may do all.

    Who has it is said by the plan that was adopted last, so nobody gives themselves a role by editing a file.

    Raises
    ------
    AnswerIsNo
        The person has not.
    """
    adopted = plans.newest(connection)
    roles: Mapping[str, Collection[str]] = hq.roles if adopted is None else adopted.document.get("roles", {})
    role = "reporter" if step is Step.SUBMIT else "approver"
    if roles and role not in roles.get(who.person, ()):
        may = ", ".join(sorted(person for person, held in roles.items() if role in held))
        raise AnswerIsNo(
            f"{who.person} is no {role}, so they cannot {step} a month",
            where="roles in hq.yaml" if adopted is None else f"roles in the plan, version {adopted.version}",
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
    if asked["statement"] == digest(drawn.sheet.content):
        return
    now = amounts(drawn.sheet)
    raise AnswerIsNo(
        f"{drawn.month} is not any more what was submitted",
        evidence=f"submitted with {asked['co2_t']} t and {asked['kwh']} kWh, "
        f"now {now['co2_t']} t and {now['kwh']} kWh",
        cause="late readings, a slip, a correction or another plan came in between",
        next=f"seiren month reopen {drawn.month} --reason WHY; then submit it as it is now",
    )
