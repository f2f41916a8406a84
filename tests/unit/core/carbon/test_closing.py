"""What may follow what in the life of a month, and who may decide it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.carbon.closing import Activity, MonthStatus, Step, allow, fold, same_person
from core.chain import BEGINNING, Decision, canonical
from core.errors import AnswerIsNo, DataError

MONTH = "2024-02"


def decision(number: int, kind: str, person: str, **facts: int) -> Decision:
    body = canonical({"month": MONTH, **facts})
    return Decision(number, 1_000 * number, person, f"{person}@hq", kind, "why", body, BEGINNING, "")


def restatement(number: int, person: str, *months: tuple[str, int]) -> Decision:
    body = canonical({"months": [{"month": month, "revision": revision} for month, revision in months]})
    return Decision(number, 1_000 * number, person, f"{person}@hq", "restate", "why", body, BEGINNING, "")


CLOSED = (decision(1, "submit", "sato"), decision(2, "approve", "suzuki", revision=1))


def test_a_month_of_which_nothing_was_decided_is_open() -> None:
    assert fold([decision(1, "correction", "sato")]) == {}
    assert MonthStatus(MONTH).activity is Activity.OPEN


def test_two_people_close_a_month() -> None:
    submitted = fold(CLOSED[:1])[MONTH]
    assert submitted.activity is Activity.SUBMITTED
    assert submitted.closing is None
    closed = fold(CLOSED)[MONTH]
    assert closed.activity is Activity.CLOSED
    assert closed.closing is not None
    assert closed.closing.decision.person == "suzuki"
    assert not closed.restated


@pytest.mark.parametrize("name", ["sato", "Sato", " SATO "])
def test_whoever_submitted_cannot_approve(name: str) -> None:
    submitted = fold(CLOSED[:1])[MONTH]
    with pytest.raises(AnswerIsNo, match="whoever submitted"):
        allow(submitted, Step.APPROVE, name)
    allow(submitted, Step.APPROVE, "suzuki")


def test_a_reopened_month_is_closed_again_as_another_revision() -> None:
    again = (
        *CLOSED,
        decision(3, "reopen", "suzuki", revision=1),
        decision(4, "submit", "suzuki"),
        decision(5, "approve", "sato", revision=2),
    )
    reopened = fold(again[:3])[MONTH]
    assert reopened.activity is Activity.OPEN
    assert reopened.closing is None, "no revision of an open month is in force"
    assert reopened.reopening == again[2]
    closed = fold(again)[MONTH]
    assert [each.revision for each in closed.revisions] == [1, 2]
    assert closed.restated
    assert closed.reopening is None


def test_a_withdrawn_submission_may_be_approved_by_whoever_withdrew_it() -> None:
    path = (CLOSED[0], decision(2, "reopen", "suzuki"), decision(3, "submit", "suzuki"))
    with pytest.raises(AnswerIsNo):
        allow(fold(path)[MONTH], Step.APPROVE, "suzuki")
    allow(fold(path)[MONTH], Step.APPROVE, "sato")


def test_a_restatement_closes_several_months_anew() -> None:
    march = (
        Decision(3, 3_000, "sato", "", "submit", "", canonical({"month": "2024-03"}), "", ""),
        Decision(
            4, 4_000, "suzuki", "", "approve", "", canonical({"month": "2024-03", "revision": 1}), "", ""
        ),
    )
    found = fold((*CLOSED, *march, restatement(5, "suzuki", (MONTH, 2), ("2024-03", 2))))
    assert {month: status.revision for month, status in found.items()} == {MONTH: 2, "2024-03": 2}
    assert all(status.restated for status in found.values())


@pytest.mark.parametrize(
    "path",
    [
        (decision(1, "approve", "suzuki", revision=1),),
        (decision(1, "reopen", "suzuki"),),
        (restatement(1, "suzuki", (MONTH, 1)),),
        (CLOSED[0], decision(2, "submit", "suzuki")),
        (CLOSED[0], decision(2, "approve", "sato", revision=1)),
        (CLOSED[0], restatement(2, "suzuki", (MONTH, 1))),
        (CLOSED[0], decision(2, "approve", "suzuki", revision=2)),
        (*CLOSED, decision(3, "submit", "sato")),
        (*CLOSED, decision(3, "approve", "sato", revision=2)),
        (*CLOSED, restatement(3, "sato", (MONTH, 1))),
    ],
)
def test_what_cannot_follow_is_no_history(path: tuple[Decision, ...]) -> None:
    with pytest.raises(DataError, match="does not follow") as caught:
        fold(path)
    assert caught.value.where == f"decision {path[-1].number}"


@given(st.lists(st.tuples(st.sampled_from(Step), st.sampled_from(["sato", "suzuki", "tanaka"]))))
def test_no_path_closes_a_month_by_one_person(steps: list[tuple[Step, str]]) -> None:
    """Whatever people try, each approval is by another person than the submission before it."""
    history: list[Decision] = []
    status = MonthStatus(MONTH)
    for step, person in steps:
        try:
            allow(status, step, person)
        except AnswerIsNo as refused:
            assert refused.next or status.activity is Activity.OPEN
            continue
        number, revision = len(history) + 1, status.revision + 1
        history.append(
            restatement(number, person, (MONTH, revision))
            if step is Step.RESTATE
            else decision(number, step, person, revision=revision)
        )
        status = fold(history)[MONTH]
    submitter = ""
    for each in history:
        if each.kind == Step.SUBMIT:
            submitter = each.person
        if each.kind == Step.APPROVE:
            assert not same_person(each.person, submitter)
    assert status.revision == sum(each.kind in (Step.APPROVE, Step.RESTATE) for each in history)
