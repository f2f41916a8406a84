import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from collector.report.hand import by_hand
from collector.report.sheet import Sheet
from core.metering.quantities import Unit
from tests.unit.collector.report.examples import inputs, sheet, sheet_of, without


def _changed(figure: str, path: tuple[str | int, ...], value: Any) -> Sheet:
    """Return the example with one leaf changed, as if core had summed something else."""
    document = json.loads(sheet().content)
    at = document["figures"][figure]
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return Sheet.parse(json.dumps(document).encode())


def test_registers_slips_and_factors_give_the_statements_total() -> None:
    hand = by_hand(sheet())
    assert hand is not None
    assert hand.electricity_t == Decimal("8821.155744")
    assert round(hand.total_t, 3) == Decimal("13938.239")
    assert hand.agrees


@pytest.mark.parametrize(
    ("figure", "path", "value"),
    [
        ("energy.AOB-RCV-01", ("boundaries", 1, "accumulated"), 436_519),
        ("energy.AOB-RCV-01", ("installations", 0, "multiplier_wh"), "48001"),
        ("energy.AOB-RCV-01", ("resolution",), "2"),
        ("fuel.aoba.coal", ("lines", 0, "quantity"), "50.2"),
        ("factor.industry_adjusted.FY2023", ("value",), "0.422"),
    ],
)
def test_it_starts_from_the_leaves_and_so_sees_a_wrong_sum(
    figure: str, path: tuple[str | int, ...], value: Any
) -> None:
    hand = by_hand(_changed(figure, path, value))
    assert hand is not None
    assert not hand.agrees


def test_a_slip_in_kg_counts_like_one_in_t() -> None:
    given = inputs()
    coal, *others = given.fuels
    assert coal.unit is Unit.T
    in_kg = replace(coal, quantity=coal.quantity * 1000, unit=Unit.KG)
    hand = by_hand(sheet_of(replace(given, fuels=(in_kg, *others))))
    assert hand is not None
    assert hand.agrees
    assert round(hand.total_t, 3) == Decimal("13938.239")


def test_without_a_sum_there_is_nothing_to_compare() -> None:
    assert by_hand(sheet_of(without("AOB-RCV-01"))) is None
    assert by_hand(sheet_of(replace(without(), targets=()))) is not None
