"""What later data would change in closed months is proposed, and a person accepts it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest

from collector.closing import reopen, status
from collector.corrections import KIND
from collector.figures import energies, energy_series, statement_at
from collector.ledger import Ledger, closings, decisions
from collector.ledger.activity import Brought
from collector.people import Who
from collector.plans import adopt
from collector.proposals import Proposal, proposals, restate
from collector.report.sheet import Sheet
from config.factors import load_electricity_series
from config.hq import HqConfig, load_hq
from core.carbon.activity import FuelLine
from core.carbon.closing import Activity
from core.carbon.factors import FactorStatus
from core.carbon.statement import to_json
from core.chain import Decision, Json
from core.errors import AnswerIsNo
from core.metering.quantities import Unit
from core.metering.readings import Quality, Reading
from core.timeline import Interval, month
from tests.unit.collector.closings import (
    APRIL,
    FEBRUARY,
    HOUR_MS,
    INTAKE,
    MARCH,
    NOW,
    SATO,
    SUZUKI,
    TANAKA,
    TOKYO,
    bring,
    close,
    count,
    filled,
    hq_file,
    start,
)
from tests.unit.collector.material import HQ

CT = HQ.replace('wh_per_count: "10", side: primary', 'wh_per_count: "1", side: secondary, ct: "50/5"')


@pytest.fixture
def hq(tmp_path: Path) -> HqConfig:
    return load_hq(hq_file(tmp_path, HQ))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(tmp_path, create=True)) as opened:
        yield opened


def proposed(ledger: Ledger, hq: HqConfig, *months: str) -> tuple[Proposal, ...]:
    with ledger.reading() as connection:
        return proposals(connection, hq, months or None)


def late(ledger: Ledger, at_ms: int, less: int, point: str = INTAKE) -> None:
    """Bring a reading that shows a register lower than was thought."""
    bring(ledger, [Reading(point, at_ms, count(point, at_ms) - less, Quality.GOOD)])


def correct(ledger: Ledger, who: Who, reason: str = "", **body: Json) -> Decision:
    with ledger.writing() as connection:
        return decisions.decide(connection, kind=KIND, who=who, reason=reason, body=body, time_ms=NOW)


def closed_kwh(ledger: Ledger, text: str) -> Fraction:
    with ledger.reading() as connection:
        found = status(connection, text).closing
        assert found is not None
        return Fraction(found.facts["kwh"])


def test_nothing_came_later(ledger: Ledger, hq: HqConfig) -> None:
    close(filled(ledger, FEBRUARY, MARCH), hq, FEBRUARY, MARCH)
    assert proposed(ledger, hq) == ()
    with pytest.raises(AnswerIsNo, match="nothing that came later changes"):
        restate(ledger, hq, FEBRUARY, who=TANAKA, reason="why not", time_ms=NOW)


def test_a_tighter_bracket_moves_energy_from_one_month_to_the_other(ledger: Ledger, hq: HqConfig) -> None:
    close(filled(ledger, FEBRUARY, MARCH), hq, FEBRUARY, MARCH)
    whole = closed_kwh(ledger, FEBRUARY) + closed_kwh(ledger, MARCH)
    late(ledger, start(MARCH), 300)
    february, march = proposed(ledger, hq)
    assert february.kwh == -3
    assert march.kwh == 3
    assert february.co2_t is not None and february.co2_t == -(march.co2_t or 0) != 0
    for each in (february, march):
        assert each.together == (FEBRUARY, MARCH)
        (move,) = each.moves
        assert (move.point, move.time_ms, move.wh) == (INTAKE, start(MARCH), -3000)
        assert (move.earlier, move.later) == (FEBRUARY, MARCH)
        assert [str(cause) for cause in each.causes] == [
            f"late readings of {INTAKE}, 2024-03-01T00:00:00+09:00"
        ]
    unproven = next(each for each in february.differences if each.figure == "energy.AOB-RCV-01")
    assert (unproven.old_unproven_wh, unproven.new_unproven_wh) == (84_000, 42_000), "one bracket is closed"

    with pytest.raises(AnswerIsNo, match="without a reason"):
        restate(ledger, hq, MARCH, who=TANAKA, reason="", time_ms=NOW)
    done = restate(ledger, hq, MARCH, who=TANAKA, reason="midnight's reading came", time_ms=NOW)
    assert [each["month"] for each in done.facts["months"]] == [FEBRUARY, MARCH], "one decision for both"
    assert closed_kwh(ledger, FEBRUARY) + closed_kwh(ledger, MARCH) == whole
    assert proposed(ledger, hq) == ()
    with ledger.reading() as connection:
        for text in (FEBRUARY, MARCH):
            found = status(connection, text)
            assert found.restated
            old, new = (closings.read(connection, revision) for revision in found.revisions)
            assert old.statement != new.statement, "both stay on record"
            assert found.revisions[1].facts["old"]["kwh"] == found.revisions[0].facts["kwh"]


def test_a_register_moves_energy_to_an_open_month_too(ledger: Ledger, hq: HqConfig) -> None:
    close(filled(ledger, FEBRUARY, MARCH), hq, FEBRUARY)
    whole = energies(ledger, hq, MARCH)[INTAKE].wh
    late(ledger, start(MARCH), 300)
    (found,) = proposed(ledger, hq)
    assert found.together == (found.month,) == (FEBRUARY,)
    assert found.kwh == -3
    assert [(move.later, move.wh) for move in found.moves] == [(MARCH, -3000)]
    assert energies(ledger, hq, MARCH)[INTAKE].wh == whole, "until somebody accepts"
    restate(ledger, hq, FEBRUARY, who=TANAKA, reason="late", time_ms=NOW)
    assert energies(ledger, hq, MARCH)[INTAKE].wh == (whole or 0) + 3000


def test_a_late_reading_in_the_middle_changes_nothing(ledger: Ledger, hq: HqConfig) -> None:
    close(filled(ledger, FEBRUARY), hq, FEBRUARY)
    late(ledger, start(FEBRUARY) + 10 * HOUR_MS, 0)
    assert proposed(ledger, hq) == ()


def test_a_wrong_ratio_found_after_three_months(ledger: Ledger, tmp_path: Path) -> None:
    """One dated record: each month by exactly the ratio, the closed ones as proposals."""
    hq = load_hq(hq_file(tmp_path, CT))
    close(filled(ledger, FEBRUARY, MARCH, APRIL), hq, FEBRUARY, MARCH)
    before = {text: energies(ledger, hq, text)[INTAKE].wh for text in (FEBRUARY, MARCH, APRIL)}
    change: dict[str, Json] = {"ct": "75/5"}
    done = correct(
        ledger,
        SATO,
        "the plate says 75/5",
        what="installation",
        meter="AOB-RCV-01",
        from_ms=start(FEBRUARY),
        to_ms=None,
        set=change,
    )
    found = proposed(ledger, hq)
    assert [each.month for each in found] == [FEBRUARY, MARCH]
    for each in found:
        old, new = each.old.figure("co2").value, each.new.sheet.figure("co2").value
        assert old is not None and new == old * Fraction(75, 50)
        assert [str(cause) for cause in each.causes] == [
            f"correction {done.number} (installation, AOB-RCV-01): the plate says 75/5"
        ]
    assert energies(ledger, hq, APRIL)[INTAKE].wh == (before[APRIL] or 0) * 3 // 2, "an open month at once"
    with pytest.raises(AnswerIsNo, match="whoever caused the restatement") as caught:
        restate(ledger, hq, FEBRUARY, who=SATO, reason="mine", time_ms=NOW)
    assert f"correction {done.number}" in caught.value.evidence
    for text in (FEBRUARY, MARCH):
        restate(ledger, hq, text, who=TANAKA, reason="looked at the plate", time_ms=NOW)
        assert closed_kwh(ledger, text) * 1000 == Fraction(before[text] or 0) * 3 / 2
    assert proposed(ledger, hq) == ()


def test_an_undone_correction_takes_its_proposal_back(ledger: Ledger, hq: HqConfig) -> None:
    close(filled(ledger, FEBRUARY), hq, FEBRUARY)
    first = correct(
        ledger,
        SATO,
        what="exclude",
        point=INTAKE,
        start_ms=start(MARCH),
        end_ms=start(MARCH) + 6 * HOUR_MS,
    )
    found = proposed(ledger, hq)
    assert next(str(cause) for each in found for cause in each.causes).startswith(
        f"correction {first.number} (exclude, AOB-RCV-01)"
    )
    correct(ledger, SATO, what="undo", number=first.number)
    assert proposed(ledger, hq) == ()


def test_a_late_slip_is_named_and_its_bringer_cannot_accept_it(ledger: Ledger, hq: HqConfig) -> None:
    close(filled(ledger, FEBRUARY), hq, FEBRUARY)
    line = FuelLine(
        id="0" * 32,
        site="aoba",
        process="kiln",
        fuel="steam_coal_imported",
        date=date(2024, 2, 9),
        quantity=Fraction(10),
        unit=Unit.T,
        document="SLIP-9",
        source="fuel.csv:2",
    )
    ledger.add_fuel_lines([line], Brought("fuel.csv", "0" * 64, SATO, NOW))
    (found,) = proposed(ledger, hq)
    (cause,) = found.causes
    assert str(cause).startswith("fuel line of SLIP-9: 10 t, import ")
    assert found.kwh == 0
    assert found.co2_t == 10 * Fraction("26.1") * Fraction("0.0243") * Fraction(44, 12)
    with pytest.raises(AnswerIsNo, match="whoever caused"):
        restate(ledger, hq, FEBRUARY, who=SATO, reason="late slip", time_ms=NOW)
    restate(ledger, hq, FEBRUARY, who=TANAKA, reason="late slip", time_ms=NOW)


def test_a_factor_that_becomes_final_makes_the_month_final(
    ledger: Ledger, hq: HqConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = load_electricity_series("industry_adjusted")
    awaited = replace(
        published,
        factors=tuple(replace(each, status=FactorStatus.PROVISIONAL) for each in published.factors),
    )
    for module in ("figures", "snapshot"):
        monkeypatch.setattr(f"collector.{module}.load_electricity_series", lambda _: awaited)
    close(filled(ledger, FEBRUARY), hq, FEBRUARY)
    monkeypatch.undo()
    (found,) = proposed(ledger, hq)
    assert found.old.provisional
    assert not found.new.sheet.provisional
    assert found.co2_t == found.kwh == 0
    assert found.differences == ()
    assert [str(cause) for cause in found.causes] == [
        "factor factor.industry_adjusted.FY2023: 0.421 provisional -> 0.421 final"
    ]
    restate(ledger, hq, FEBRUARY, who=TANAKA, reason="the year's list is out", time_ms=NOW)
    assert proposed(ledger, hq) == ()


def test_another_plan_is_a_cause_once_it_is_adopted(ledger: Ledger, tmp_path: Path, hq: HqConfig) -> None:
    close(filled(ledger, FEBRUARY), hq, FEBRUARY)
    other = load_hq(hq_file(tmp_path, HQ.replace('wh_per_count: "10"', 'wh_per_count: "20"')))
    (found,) = proposed(ledger, other)
    assert [str(each) for each in found.causes] == ["hq.yaml is another than the plan it was closed with"]
    with pytest.raises(AnswerIsNo, match="cannot be restated yet") as caught:
        restate(ledger, other, FEBRUARY, who=TANAKA, reason="new plan", time_ms=NOW)
    assert "not the adopted plan" in caught.value.evidence
    version = adopt(ledger, other, who=SUZUKI, reason="20 Wh, says the plate", time_ms=NOW)
    (found,) = proposed(ledger, other)
    number = version.decision.number
    assert [str(each) for each in found.causes] == [f"plan, decision {number}: 20 Wh, says the plate"]
    with pytest.raises(AnswerIsNo, match="whoever caused"):
        restate(ledger, other, FEBRUARY, who=SUZUKI, reason="mine", time_ms=NOW)
    restate(ledger, other, FEBRUARY, who=TANAKA, reason="new plan", time_ms=NOW)


def test_names_that_change_restate_nothing(ledger: Ledger, tmp_path: Path, hq: HqConfig) -> None:
    close(filled(ledger, FEBRUARY), hq, FEBRUARY)
    assert proposed(ledger, load_hq(hq_file(tmp_path, HQ.replace("en: intake", "en: inlet")))) == ()


def test_only_closed_months_are_restated(ledger: Ledger, hq: HqConfig) -> None:
    close(filled(ledger, FEBRUARY, MARCH), hq, FEBRUARY)
    late(ledger, start(MARCH), 300)
    assert proposed(ledger, hq, MARCH) == ()
    with pytest.raises(AnswerIsNo, match="is not closed"):
        restate(ledger, hq, MARCH, who=TANAKA, reason="late", time_ms=NOW)
    reopen(ledger, hq, FEBRUARY, who=TANAKA, reason="late", time_ms=NOW)
    assert proposed(ledger, hq) == ()


SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 8))]
MONTHS = (FEBRUARY, MARCH, APRIL)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_months_are_always_the_whole(ledger: Ledger, hq: HqConfig, seed: int) -> None:
    """Whatever is read late, closed, opened and restated: what leaves one month arrives in the next.

    The closed months as they were approved and the open ones as they are now add up to last - first.
    """
    chance = Random(seed)
    begun(ledger, chance)
    first_ms, last_ms = start(MONTHS[0]), month(MONTHS[-1], TOKYO).end_ms
    for _ in range(8):
        step(ledger, hq, chance)
        late(ledger, at_half_past(chance), 100)
        assert sum(told_wh(ledger, hq)) == 10 * (count(INTAKE, last_ms) - count(INTAKE, first_ms))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_accepted_is_the_whole(ledger: Ledger, hq: HqConfig, seed: int) -> None:
    """Also readings that contradict others come to one sum, once all that is proposed was accepted."""
    chance = Random(seed)
    begun(ledger, chance)
    for _ in range(8):
        step(ledger, hq, chance)
        late(ledger, at_half_past(chance) - HOUR_MS // 2, chance.randrange(300))
    while found := proposed(ledger, hq):
        restate(ledger, hq, found[0].month, who=TANAKA, reason="late", time_ms=NOW)
    (site,) = hq.sites
    ends = start(MONTHS[0]), month(MONTHS[-1], TOKYO).end_ms
    (whole,) = energy_series(ledger, hq, site, site.meters[0], ends)
    assert sum(told_wh(ledger, hq)) == whole.wh


def begun(ledger: Ledger, chance: Random) -> None:
    """Bring three months, with a gap over the beginning of March."""
    before, after = chance.randrange(30), chance.randrange(1, 30)
    filled(ledger, *MONTHS, gap=Interval(start(MARCH) - before * HOUR_MS, start(MARCH) + after * HOUR_MS))


def step(ledger: Ledger, hq: HqConfig, chance: Random) -> None:
    """Close a month that is open; open one that is closed, or accept what is proposed for it."""
    text = chance.choice(MONTHS)
    with ledger.reading() as connection:
        activity = status(connection, text).activity
    if activity is Activity.OPEN:
        close(ledger, hq, text)
    elif chance.random() < 0.3:
        reopen(ledger, hq, text, who=TANAKA, reason="again", time_ms=NOW)
    elif proposed(ledger, hq, text):
        restate(ledger, hq, text, who=TANAKA, reason="late", time_ms=NOW)


def at_half_past(chance: Random) -> int:
    """Return an instant near the beginning of March or April."""
    return start(chance.choice((MARCH, APRIL))) + chance.randrange(-5, 5) * HOUR_MS + HOUR_MS // 2


def told_wh(ledger: Ledger, hq: HqConfig) -> list[int]:
    """Return the intake's energy of each month: as it was approved where it is closed, else as it is now."""
    found = []
    with ledger.reading() as connection:
        for text in MONTHS:
            in_force = status(connection, text).closing
            content = (
                to_json(statement_at(connection, hq, text))
                if in_force is None
                else closings.statement(connection, in_force)
            )
            found.append(Sheet.parse(content).figure("energy.AOB-RCV-01").facts["wh"])
    return found
