"""How far a month's activity is: open, submitted or closed, told by the chain of decisions alone.

One person submits, another approves, which closes; whoever reopens or restates says why. Each closing is a
revision of the month: it binds the statement's bytes, what they were made from, and the registers at the
month's two ends, and it stays on record when another one follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from core.chain import Decision
from core.errors import AnswerIsNo, DataError


class Step(StrEnum):
    """A decision about a month, as its kind stands in the chain."""

    SUBMIT = "submit"
    APPROVE = "approve"
    REOPEN = "reopen"
    RESTATE = "restate"


STEPS: Final = frozenset(step.value for step in Step)


class Activity(StrEnum):
    """Whether a month's activity may still change."""

    OPEN = "open"
    SUBMITTED = "submitted"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Closing:
    """One revision of a closed month.

    Parameters
    ----------
    month
        ``2024-02``.
    revision
        1 for the first, then one more each [1].
    decision
        By which it was closed: an approval, or a restatement, which may close several months at once.
    facts
        What the decision binds of this month: ``statement`` and ``inputs`` (SHA-256 of their bytes),
        ``frozen`` (of the registers at its ends), ``cells`` (of the readings, by point) and ``plan``; of a
        restatement also ``old``, ``new`` and ``causes``.
    """

    month: str
    revision: int
    decision: Decision
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MonthStatus:
    """How far a month is.

    Parameters
    ----------
    month
        ``2024-02``.
    activity
        Open, submitted or closed.
    submission
        By which it waits for approval, or was approved.
    reopening
        By which it was last opened again; None where it never was, or has been closed since.
    revisions
        Its closings, the oldest first; the last is in force while the month is closed.
    """

    month: str
    activity: Activity = Activity.OPEN
    submission: Decision | None = None
    reopening: Decision | None = None
    revisions: tuple[Closing, ...] = ()

    @property
    def closing(self) -> Closing | None:
        """The closing in force; None unless the month is closed."""
        return self.revisions[-1] if self.activity is Activity.CLOSED else None

    @property
    def revision(self) -> int:
        """How often the month has been closed [1]."""
        return len(self.revisions)

    @property
    def restated(self) -> bool:
        """Whether the closing in force is not the first."""
        return self.activity is Activity.CLOSED and self.revision > 1


def fold(decisions: Iterable[Decision]) -> dict[str, MonthStatus]:
    """Return the status of every month that was ever decided about, by month.

    Parameters
    ----------
    decisions
        In their order; those of other kinds are passed over.

    Raises
    ------
    DataError
        If a decision could not have followed those before it.
    """
    found: dict[str, MonthStatus] = {}
    for decision in decisions:
        for month, facts in months_of(decision):
            before = found.get(month, MonthStatus(month))
            try:
                found[month] = follow(before, decision, facts)
            except AnswerIsNo as error:
                raise DataError(
                    "a decision in the ledger does not follow from those before it",
                    where=f"decision {decision.number}",
                    evidence=str(error),
                    next="seiren audit verify",
                ) from error
    return found


def months_of(decision: Decision) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    """Return the months that a decision is about, each with what it says of it; none of another kind's."""
    if decision.kind not in STEPS:
        return ()
    facts = decision.facts
    each = facts["months"] if decision.kind == Step.RESTATE else [facts]
    return tuple((one["month"], one) for one in each)


def follow(before: MonthStatus, decision: Decision, facts: Mapping[str, Any]) -> MonthStatus:
    """Return a month's status after a decision about it.

    Raises
    ------
    AnswerIsNo
        If the decision cannot follow: the month is not where it would have to be, or the same person would
        submit and approve.
    """
    step = Step(decision.kind)
    allow(before, step, decision.person)
    if step is Step.SUBMIT:
        return replace(before, activity=Activity.SUBMITTED, submission=decision)
    if step is Step.REOPEN:
        return replace(before, activity=Activity.OPEN, submission=None, reopening=decision)
    closing = Closing(before.month, before.revision + 1, decision, facts)
    if facts["revision"] != closing.revision:
        raise AnswerIsNo(
            f"{before.month} has {before.revision} revisions, and another number follows",
            evidence=str(facts["revision"]),
        )
    return replace(before, activity=Activity.CLOSED, reopening=None, revisions=(*before.revisions, closing))


_FROM: Final[Mapping[Step, tuple[Activity, ...]]] = {
    Step.SUBMIT: (Activity.OPEN,),
    Step.APPROVE: (Activity.SUBMITTED,),
    Step.REOPEN: (Activity.SUBMITTED, Activity.CLOSED),
    Step.RESTATE: (Activity.CLOSED,),
}


def allow(status: MonthStatus, step: Step, person: str) -> None:
    """Check that a step may follow.

    Parameters
    ----------
    status
        How far the month is.
    step
        What is to be decided.
    person
        Who would decide it.

    Raises
    ------
    AnswerIsNo
        If the month is not where it would have to be, or the same person would submit and approve.
    """
    month, submission = status.month, status.submission
    if status.activity not in _FROM[step]:
        raise AnswerIsNo(
            f"{month} is {status.activity}, so nobody can {step} it",
            evidence=_last(status),
            next=_instead(status, step),
        )
    if step is Step.APPROVE and submission is not None and same_person(person, submission.person):
        raise AnswerIsNo(
            f"whoever submitted {month} cannot approve it",
            evidence=f"submitted by {submission.person}, decision {submission.number}",
            cause="a month is closed by two people",
            next=f"let another person look at it: seiren month approve {month} --by NAME",
        )


def same_person(one: str, other: str) -> bool:
    """Tell whether two names mean one person, however they are written."""
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())


def _last(status: MonthStatus) -> str:
    """Say by which decision the month is where it is."""
    by = {
        Activity.OPEN: status.reopening,
        Activity.SUBMITTED: status.submission,
        Activity.CLOSED: None if status.closing is None else status.closing.decision,
    }[status.activity]
    return "nothing was decided about it" if by is None else f"{by.kind} by {by.person}, decision {by.number}"


def _instead(status: MonthStatus, step: Step) -> str:
    month = status.month
    if status.activity is Activity.OPEN:
        return "" if step is Step.REOPEN else f"seiren month submit {month}"
    if status.activity is Activity.SUBMITTED:
        return f"seiren month approve {month}, or seiren month reopen {month} --reason WHY"
    return f"seiren month reopen {month} --reason WHY"
