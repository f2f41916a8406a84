"""Two people close a month, and what they closed stays as it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import update

from collector.closing import approve, decided, reopen, status, submit
from collector.figures import energies
from collector.ledger import Ledger, closings, decisions
from collector.ledger.record_tables import statements
from collector.month_draft import draft
from collector.plans import adopt
from collector.report.ledger_months import LedgerMonths
from collector.report.sheet import Sheet
from config.factors import load_electricity_series
from config.hq import HqConfig, load_hq
from core.carbon.closing import Activity
from core.carbon.factors import Confidence
from core.chain import Decision
from core.errors import AnswerIsNo, DataError, SeirenError, Unreachable
from core.metering.readings import Quality, Reading
from core.timeline import Interval
from tests.unit.collector.closings import (
    FEBRUARY,
    HOUR_MS,
    INTAKE,
    KILN,
    MARCH,
    NOW,
    SATO,
    SUZUKI,
    TANAKA,
    bring,
    close,
    count,
    filled,
    hq_file,
    start,
)
from tests.unit.collector.material import HQ


@pytest.fixture
def hq(tmp_path: Path) -> HqConfig:
    return load_hq(hq_file(tmp_path, HQ))


@pytest.fixture
def local(tmp_path: Path, hq: HqConfig) -> Iterator[Ledger]:
    """A ledger beside its configuration, with February read every six hours."""
    with closing(Ledger.open(tmp_path, create=True)) as opened:
        yield filled(opened, FEBRUARY)


def stored(ledger: Ledger, month: str) -> closings.Kept:
    with ledger.reading() as connection:
        found = status(connection, month).closing
        assert found is not None
        return closings.read(connection, found)


def submitted(ledger: Ledger, hq: HqConfig, month: str = FEBRUARY) -> Decision:
    with suppress(AnswerIsNo):
        adopt(ledger, hq, who=SUZUKI, reason="", time_ms=NOW)
    return submit(ledger, hq, month, who=SATO, time_ms=NOW)


def test_what_was_closed_stays_byte_for_byte(local: Ledger, hq: HqConfig, tmp_path: Path) -> None:
    asked = submitted(local, hq)
    done = approve(local, hq, FEBRUARY, who=SUZUKI, reason="looked at it", time_ms=NOW)
    kept = stored(local, FEBRUARY)
    digest = sha256(kept.statement).hexdigest()
    assert asked.facts["statement"] == done.facts["statement"] == digest
    assert done.facts["inputs"] == sha256(kept.inputs).hexdigest()
    assert done.facts["frozen"] == closings.frozen_digest(kept.rows)
    assert len(kept.rows) == 4, "two ends of two meters"
    assert Sheet.parse(kept.statement).document["status"]["activity"] == "closed"

    bring(local, [Reading(INTAKE, start(MARCH) - HOUR_MS // 2, count(INTAKE, start(MARCH)), Quality.GOOD)])
    (tmp_path / "hq.yaml").write_text(HQ.replace("en: intake", "en: in"), encoding="utf-8")
    with closing(LedgerMonths(tmp_path)) as months:
        assert months.sheet(FEBRUARY).content == kept.statement
        assert FEBRUARY in months.months()
        standing = months.standing(FEBRUARY)
    assert standing.status.closing is not None
    assert standing.head.hash == done.hash


def test_both_databases_close_a_month_alike(ledger: Ledger, hq: HqConfig, local: Ledger) -> None:
    close(local, hq, FEBRUARY)
    close(filled(ledger, FEBRUARY), hq, FEBRUARY)
    assert stored(ledger, FEBRUARY) == stored(local, FEBRUARY)
    with ledger.reading() as one, local.reading() as other:
        assert decisions.head(one) == decisions.head(other)


def test_nobody_closes_a_month_alone(local: Ledger, hq: HqConfig) -> None:
    submitted(local, hq)
    with pytest.raises(AnswerIsNo, match="whoever submitted"):
        approve(local, hq, FEBRUARY, who=replace(SATO, account="another@machine"), time_ms=NOW)
    with local.reading() as connection:
        assert status(connection, FEBRUARY).activity is Activity.SUBMITTED


def test_roles_are_kept_where_the_plan_gives_any(local: Ledger, tmp_path: Path) -> None:
    hq = load_hq(hq_file(tmp_path, f"{HQ}roles: {{sato: [reporter], suzuki: [approver]}}\n"))
    adopt(local, hq, who=SUZUKI, reason="", time_ms=NOW)
    with pytest.raises(AnswerIsNo, match="tanaka is no reporter") as caught:
        submit(local, hq, FEBRUARY, who=TANAKA, time_ms=NOW)
    assert caught.value.evidence == "reporter: sato"
    submit(local, hq, FEBRUARY, who=SATO, time_ms=NOW)
    with pytest.raises(AnswerIsNo, match="tanaka is no approver"):
        approve(local, hq, FEBRUARY, who=TANAKA, time_ms=NOW)
    with pytest.raises(AnswerIsNo, match="sato is no approver"):
        reopen(local, hq, FEBRUARY, who=SATO, reason="wrong", time_ms=NOW)
    granted = load_hq(hq_file(tmp_path, f"{HQ}roles: {{sato: [reporter, approver]}}\n"))
    with pytest.raises(AnswerIsNo, match="sato is no approver"):
        reopen(local, granted, FEBRUARY, who=SATO, reason="by a file of mine", time_ms=NOW)
    approve(local, hq, FEBRUARY, who=SUZUKI, time_ms=NOW)


def test_what_is_missing_is_named(local: Ledger, hq: HqConfig) -> None:
    with pytest.raises(AnswerIsNo) as caught:
        submit(local, hq, MARCH, who=SATO, time_ms=start(MARCH))
    told = caught.value.evidence.split("; ")
    assert told[0] == "the month lasts until 2024-04-01T00:00:00+09:00"
    assert told[1].startswith("hq.yaml is not the adopted plan")
    assert told[2].startswith("AOB-RCV-01 (intake): no reading at or after 2024-04-01")
    with local.reading() as connection:
        assert decisions.read(connection) == (), "nothing was decided"


def test_a_factor_from_memory_closes_no_month(
    local: Ledger, hq: HqConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = load_electricity_series("industry_adjusted")
    remembered = tuple(replace(each, confidence=Confidence.C) for each in series.factors)
    monkeypatch.setattr(
        "collector.figures.load_electricity_series", lambda _: replace(series, factors=remembered)
    )
    adopt(local, hq, who=SUZUKI, reason="", time_ms=NOW)
    with pytest.raises(AnswerIsNo, match="cannot be submitted") as caught:
        submit(local, hq, FEBRUARY, who=SATO, time_ms=NOW)
    assert "industry_adjusted.FY2023 is not verified" in caught.value.evidence


def test_what_changes_after_the_submission_is_not_approved(local: Ledger, hq: HqConfig) -> None:
    submitted(local, hq)
    late = count(INTAKE, start(MARCH)) - 100
    bring(local, [Reading(INTAKE, start(MARCH) - 1, late, Quality.GOOD)])
    with pytest.raises(AnswerIsNo, match="not any more what was submitted") as caught:
        approve(local, hq, FEBRUARY, who=SUZUKI, time_ms=NOW)
    assert "submitted with 2.051112 t and 4872 kWh, now 2.05" in caught.value.evidence
    reopen(local, hq, FEBRUARY, who=SUZUKI, reason="a late reading", time_ms=NOW)
    close(local, hq, FEBRUARY)


def test_a_month_is_opened_again_with_a_reason_only(local: Ledger, hq: HqConfig) -> None:
    close(local, hq, FEBRUARY)
    first = stored(local, FEBRUARY)
    with pytest.raises(AnswerIsNo, match="without a reason"):
        reopen(local, hq, FEBRUARY, who=TANAKA, reason=" ", time_ms=NOW)
    reopen(local, hq, FEBRUARY, who=TANAKA, reason="another slip", time_ms=NOW)
    bring(local, [Reading(INTAKE, start(MARCH) - 1, count(INTAKE, start(MARCH)) - 100, Quality.GOOD)])
    close(local, hq, FEBRUARY)
    with local.reading() as connection:
        found = status(connection, FEBRUARY)
        assert found.restated
        old, new = (closings.read(connection, each) for each in found.revisions)
    assert old == first
    assert new.statement != old.statement


def test_an_open_month_begins_where_the_closed_one_ends(tmp_path: Path, hq: HqConfig) -> None:
    """A reading in the gap between them changes neither, and nothing is lost between the two."""
    gap = Interval(start(MARCH) - 5 * HOUR_MS, start(MARCH) + 3 * HOUR_MS)
    with closing(Ledger.open(tmp_path, create=True)) as ledger:
        filled(ledger, FEBRUARY, MARCH, gap=gap)
        close(ledger, hq, FEBRUARY)
        before = energies(ledger, hq, MARCH)[INTAKE]
        bring(ledger, [Reading(INTAKE, start(MARCH), count(INTAKE, start(MARCH)) - 300, Quality.GOOD)])
        after = energies(ledger, hq, MARCH)[INTAKE]
        assert after.wh == before.wh
        with closing(LedgerMonths(tmp_path)) as months:
            closed = months.sheet(FEBRUARY).figure(f"energy.{INTAKE.partition('.')[0]}").facts["wh"]
        ends = count(INTAKE, start("2024-04")) - count(INTAKE, start(FEBRUARY))
        assert closed + after.wh == 10 * ends
        reopen(ledger, hq, FEBRUARY, who=TANAKA, reason="late", time_ms=NOW)
        free = energies(ledger, hq, MARCH)[INTAKE]
        assert free.wh == 10 * (count(INTAKE, start("2024-04")) - count(INTAKE, start(MARCH)) + 300)


def test_a_meter_that_lay_silent_is_not_frozen(tmp_path: Path, hq: HqConfig) -> None:
    with closing(Ledger.open(tmp_path, create=True)) as ledger:
        filled(ledger, FEBRUARY)
        with ledger.writing() as connection:
            connection.exec_driver_sql(f"DELETE FROM cells WHERE point = '{KILN}'")
        close(ledger, hq, FEBRUARY)
        assert {row.point for row in stored(ledger, FEBRUARY).rows} == {INTAKE}


def test_what_was_approved_cannot_be_changed_unseen(local: Ledger, hq: HqConfig, tmp_path: Path) -> None:
    close(local, hq, FEBRUARY)
    with local.writing() as connection:
        changed = stored(local, FEBRUARY).statement.replace(b"4872", b"4871")
        connection.execute(update(statements).values(statement=changed))
    with closing(LedgerMonths(tmp_path)) as months, pytest.raises(DataError, match="cannot be read"):
        months.sheet(FEBRUARY)


def test_two_who_approve_at_once_close_one_revision(ledger: Ledger, hq: HqConfig) -> None:
    submitted(filled(ledger, FEBRUARY), hq)
    refused: list[SeirenError] = []

    def one(who: object) -> None:
        try:
            approve(ledger, hq, FEBRUARY, who=who, time_ms=NOW)  # type: ignore[arg-type]  # both are people
        except SeirenError as error:
            refused.append(error)

    both = [threading.Thread(target=one, args=(who,)) for who in (SUZUKI, TANAKA)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert [type(each) for each in refused] == [AnswerIsNo]
    with ledger.reading() as connection:
        assert status(connection, FEBRUARY).revision == 1


def test_what_is_decided_meanwhile_is_seen(local: Ledger) -> None:
    """A decision is prepared anew as often as another one comes in between, and given up at last."""
    seen: list[int] = []

    def decide(reason: str) -> Decision:
        with local.writing() as connection:
            return decisions.decide(connection, kind="import", who=SATO, reason=reason, body={}, time_ms=NOW)

    def overtaken(times: int) -> Decision:
        def prepare(connection: object) -> object:
            with local.reading() as reading:
                seen.append(decisions.head(reading).number)
            if len(seen) <= times:
                decide("in between")
            return lambda writing: decisions.decide(
                writing, kind="import", who=SATO, reason="mine", body={}, time_ms=NOW
            )

        return decided(local, prepare)  # type: ignore[arg-type]  # as the real ones do

    assert overtaken(1).number == 2
    assert seen == [0, 1]
    seen.clear()
    with pytest.raises(Unreachable, match="others are deciding"):
        overtaken(9)


def test_a_draft_of_a_closed_month_is_what_was_closed(local: Ledger, hq: HqConfig) -> None:
    close(local, hq, FEBRUARY)
    with local.reading() as connection:
        for thawed in ((), (FEBRUARY,)):
            again = draft(connection, hq, FEBRUARY, thawed=thawed)
            assert again.sheet.content == stored(local, FEBRUARY).statement
            assert again.rows == stored(local, FEBRUARY).rows
    assert Fraction(again.sheet.figure("co2").facts["value"]) > 0
