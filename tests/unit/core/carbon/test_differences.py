"""What two statements of one month say differently."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

from core.carbon.differences import co2_t, differences, purchased_kwh, standing_differs
from core.carbon.factors import FactorStatus
from core.carbon.inputs import StatementInputs
from core.carbon.statement import build, to_json
from tests.unit.collector.report.examples import electricity, inputs, without


def document(given: StatementInputs) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(to_json(build(given)))
    return parsed


def test_a_statement_does_not_differ_from_itself() -> None:
    assert differences(document(inputs()), document(inputs())) == ()
    assert not standing_differs(document(inputs()), document(inputs()))


def test_a_slip_less_shows_in_its_fuel_and_in_every_sum() -> None:
    found = {
        each.figure: each
        for each in differences(document(inputs()), document(replace(inputs(), fuels=inputs().fuels[1:])))
    }
    assert {"co2", "co2.scope1"} <= found.keys()
    assert "co2.scope2" not in found
    less = found["co2"].amount
    assert less is not None and less < 0
    assert less == found["co2.scope1"].amount


def test_what_is_missing_by_now_is_no_zero() -> None:
    found = {each.figure: each for each in differences(document(inputs()), document(without("AOB-RCV-01")))}
    assert found["co2"].new is None
    assert found["co2"].amount is None
    assert found["energy.AOB-RCV-01"].new_unproven_wh is None
    assert purchased_kwh(document(without("AOB-RCV-01"))) is None


def test_a_figure_that_only_the_newer_one_knows_is_no_difference() -> None:
    old, new = document(inputs()), document(inputs())
    del old["figures"]["completeness"]
    assert differences(old, new) == ()
    assert [each.figure for each in differences(new, old)] == ["completeness"]


def test_a_bound_that_becomes_tighter_is_a_difference() -> None:
    old, new = document(inputs()), document(inputs())
    new["figures"]["energy.AOB-RCV-01"]["unproven_wh"] = 7
    (found,) = differences(old, new)
    assert found.figure == "energy.AOB-RCV-01"
    assert found.amount == 0
    assert found.new_unproven_wh == 7


def test_factors_that_become_final_as_they_are() -> None:
    old = document(inputs())
    new = document(replace(inputs(), electricity=electricity(FactorStatus.FINAL)))
    assert differences(old, new) == ()
    assert standing_differs(old, new)


def test_what_people_know_a_month_by() -> None:
    assert co2_t(document(inputs())) == Fraction("13938.23888")
    assert purchased_kwh(document(inputs())) == 20_952_864
