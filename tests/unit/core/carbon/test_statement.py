import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.carbon.factors import Confidence
from core.carbon.figures import Figure
from core.carbon.inputs import StatementInputs
from core.carbon.statement import Statement, build, to_json
from core.errors import DataError
from core.metering.network import Network
from core.metering.quantities import Unit
from core.timeline import half_hours
from tests.unit.core.carbon.examples import COAL, series
from tests.unit.core.carbon.works import (
    ENERGIES,
    FEBRUARY,
    FUELS,
    NODES,
    PRODUCTION,
    SITE,
    WORKS,
    registers,
    slip,
    works_without,
    works_yard,
)


def document(inputs: StatementInputs) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(to_json(build(inputs)))
    return loaded


def exact(document: Mapping[str, Any], figure: str) -> Fraction:
    return Fraction(document["figures"][figure]["value"])


def test_the_month_equals_a_hand_calculation() -> None:
    month = document(WORKS)
    electricity = 1_000_000 * Fraction("0.421") / 1000
    coal = Fraction("100") * Fraction("26.1") * Fraction("0.0243") * 44 / 12
    oil = Fraction("12") * Fraction("38.9") * Fraction("0.0193") * 44 / 12
    assert exact(month, "co2.scope2") == electricity == 421
    assert exact(month, "co2.scope1.aoba.coal") == coal == Fraction("232.551")
    assert exact(month, "co2.scope1.aoba.heavy_oil_a") == oil
    assert exact(month, "co2") == electricity + coal + oil
    assert month["figures"]["co2"]["printed"] == "687"  # 421 + 232.551 + 33.033… = 686.58…


def test_intensities_bear_meters_remainder_and_fuels_by_their_shares() -> None:
    month = document(WORKS)
    coal, oil = exact(month, "co2.scope1.aoba.coal"), exact(month, "co2.scope1.aoba.heavy_oil_a")
    # remainder: 1,000,000 − 700,000 − 200,000 = 100,000 kWh, of which FeNi bears 7/10
    fenikwh, cukwh = 700_000 + 70_000, 200_000 + 30_000
    feni_t = fenikwh * Fraction("0.421") / 1000 + coal + oil / 3
    cu_t = cukwh * Fraction("0.421") / 1000 + oil * 2 / 3
    assert exact(month, "remainder.aoba") == 100_000
    assert exact(month, "intensity.ferronickel") == feni_t / 200
    assert exact(month, "intensity.copper") == cu_t / 500
    assert month["figures"]["intensity.ferronickel"]["kwh_per_t"] == "3850"
    assert month["figures"]["intensity.copper"]["kwh_per_t_printed"] == "460"
    assert feni_t + cu_t == exact(month, "co2"), "nothing is borne twice or by nobody"


def test_the_terms_of_an_intensity_add_up_to_what_it_bears() -> None:
    for product in ("ferronickel", "copper"):
        figure = document(WORKS)["figures"][f"intensity.{product}"]
        assert sum(Fraction(term["co2_t"]) for term in figure["terms"]) == Fraction(figure["co2_t"])
        assert sum(Fraction(term["kwh"] or 0) for term in figure["terms"]) == Fraction(figure["kwh"])


def test_target_and_variance() -> None:
    month = document(WORKS)
    target = month["figures"]["target.month"]
    assert (target["value"], target["printed"]) == ("700", "700")
    assert Fraction(target["delta"]) == exact(month, "co2") - 700
    assert (target["delta_printed"], target["delta_percent_printed"]) == ("-13", "-1.9")
    assert document(replace(WORKS, targets=()))["tables"]["targets"] == []


def test_every_figure_leads_down_to_registers_factors_and_documents() -> None:
    figures = document(WORKS)["figures"]
    reached, todo = set(), ["co2"]
    while todo:
        figure = figures[todo.pop()]
        reached.add(figure["id"])
        todo += figure["inputs"]
    assert {
        "energy.RCV",
        "factor.grid.FY2023",
        "fuel.aoba.coal",
        "factor.coal.NEW",
        "fuel.aoba.heavy_oil_a",
        "factor.heavy_oil_a.NEW",
    } <= reached
    assert all(input in figures for figure in figures.values() for input in figure["inputs"])
    intake = figures["energy.RCV"]
    first, last = intake["boundaries"]
    assert first["time"] == "2024-02-01T00:00:00+09:00"
    assert last["time"] == "2024-03-01T00:00:00+09:00"
    assert first["before"] == {
        "time": first["time"],
        "time_ms": FEBRUARY.start_ms,
        "count": 5000,
        "quality": "good",
    }
    assert (last["accumulated"] - first["accumulated"]) * 1000 == intake["wh"] == 1_000_000_000
    assert intake["installations"][0] | {} == {
        "from": "1970-01-01T09:00:00+09:00",
        "serial": "SYN-RCV",
        "ct": "400/5 A",
        "vt": "66000/110 V",
        "side": "primary",
        "profile": "of_a_test",
        "accuracy_class": "0.5S",
        "full_scale_kw": "5000",
        "calibration_until": "2027-09-30",
        "wh_per_count": "1000",
        "multiplier_wh": "1000",
        "resolution": "1",
        "wrap_at": None,
        "opening": None,
        "closing": None,
        "evidence": "",
    }
    coal = figures["fuel.aoba.coal"]
    assert [line["document"] for line in coal["lines"]] == ["slip 1", "slip 2"]
    assert (coal["value"], coal["unit"]) == ("100", "t")
    factor = figures["factor.coal.NEW"]
    assert (factor["gcv"], factor["carbon"], factor["printed"]) == ("26.1", "0.0243", "2.32551")
    assert factor["source"] == "the law"
    assert factor["validity"] == {"from": "2023-04-01", "to": None}


def test_a_stranger_gets_the_energy_from_the_registers_of_its_figure() -> None:
    coarse = registers(NODES[0], 1_000_007, resolution=Fraction(5, 2))
    energies = dict(ENERGIES) | {NODES[0].point: coarse}
    figure = document(replace(WORKS, sites=(replace(SITE, energies=energies),)))["figures"]["energy.RCV"]
    wh_per_step = Fraction(figure["installations"][0]["multiplier_wh"]) * Fraction(figure["resolution"])
    first, last = (floor(each["accumulated"] * wh_per_step) for each in figure["boundaries"])
    assert last - first == figure["wh"] == coarse.wh


def test_the_header_says_what_when_and_how_final() -> None:
    month = document(WORKS)
    assert month["schema"] == "seiren.statement/1"
    assert (month["month"], month["fiscal_year"]) == ("2024-02", 2023)
    assert month["interval"] == {
        "start": "2024-02-01T00:00:00+09:00",
        "end": "2024-03-01T00:00:00+09:00",
        "time_zone": "Asia/Tokyo",
    }
    assert month["as_of"] == "2024-03-01T00:00:00+09:00"
    assert month["synthetic"] == "a test"
    assert month["status"]["activity"] == "open"
    assert month["status"]["factors"] == "final"
    assert month["status"]["month"] == "provisional"
    assert [reason["en"] for reason in month["status"]["reasons"]] == ["the activity is open"]


def test_a_month_is_final_when_closed_with_final_factors_only() -> None:
    closed = replace(WORKS, closed=True)
    assert document(closed)["status"]["month"] == "final"
    stand_in = document(replace(closed, electricity=series(2022)))
    assert stand_in["figures"]["co2.scope2"]["not_summed"] == "no factor of grid for FY2023"
    open_month = document(replace(WORKS, electricity=series(2022)))
    assert open_month["status"]["factors"] == "provisional"
    assert open_month["status"]["reasons"][1]["en"] == "factor.grid.FY2022 is not final"
    assert open_month["figures"]["factor.grid.FY2022"]["exact"] is False


def test_a_factor_from_memory_is_refused_for_a_final_month() -> None:
    unverified = replace(
        WORKS, fuel_factors=(replace(COAL, confidence=Confidence.C), *WORKS.fuel_factors[1:])
    )
    provisional = document(unverified)
    assert provisional["figures"]["co2"]["value"] is not None
    assert provisional["figures"]["factor.coal.NEW"]["confidence"] == "C"
    assert provisional["status"]["factors"] == "provisional"
    final = document(replace(unverified, closed=True))
    assert final["figures"]["co2"]["value"] is None
    assert "not verified" in final["figures"]["co2"]["not_summed"]
    assert final["status"]["month"] == "provisional"


def assert_not_summed(month: Mapping[str, Any], figures: tuple[str, ...], names: str) -> None:
    for figure in figures:
        assert month["figures"][figure]["value"] is None, figure
        assert month["figures"][figure]["printed"] is None, figure
        assert names in month["figures"][figure]["not_summed"], figure


def test_a_boundary_meter_without_energy_stops_the_sums_and_is_named() -> None:
    month = document(works_without("RCV"))
    assert_not_summed(
        month,
        ("energy.RCV", "co2.scope2.RCV", "co2.scope2", "co2", "remainder.aoba", "intensity.copper"),
        "RCV (intake): no reading of its register",
    )
    assert_not_summed(month, ("balance.RCV",), "RCV (intake)")
    assert month["figures"]["co2.scope1"]["value"] is not None
    assert month["figures"]["target.month"]["delta"] is None
    completeness = month["figures"]["completeness"]
    assert (completeness["printed"], completeness["unproven_wh"]) == ("0.00", None)
    assert completeness["half_hours"] == {"covered": 0, "expected": 29 * 48}


def test_a_month_whose_end_is_not_read_yet_says_since_when() -> None:
    half = tuple(FEBRUARY.start_ms + hour * 3_600_000 for hour in range(24))
    energies = dict(ENERGIES) | {NODES[0].point: registers(NODES[0], 1_000_000, half)}
    month = document(replace(WORKS, sites=(replace(SITE, energies=energies),)))
    assert_not_summed(month, ("co2",), "RCV (intake): no reading at or after 2024-03-01T00:00:00+09:00")


def test_a_missing_sub_meter_stops_only_what_it_bears() -> None:
    month = document(works_without("FUR", "CEL-DC"))
    assert exact(month, "co2") == exact(document(WORKS), "co2")
    assert_not_summed(month, ("intensity.ferronickel", "intensity.copper"), "FUR (furnace)")
    assert_not_summed(month, ("balance.CEL",), "CEL-DC (cells DC): no energy")


def test_a_missing_factor_or_a_unit_that_does_not_fit_stops_the_fuel_and_is_named() -> None:
    wood = document(replace(WORKS, fuels=(*FUELS, slip(4, "kiln", "wood", "5", Unit.T, 1))))
    assert_not_summed(
        wood,
        ("factor.wood.FY2023", "co2.scope1.aoba.wood", "co2.scope1", "co2", "intensity.ferronickel"),
        "no factor of wood for FY2023",
    )
    assert wood["figures"]["co2.scope2"]["value"] is not None
    assert wood["figures"]["intensity.copper"]["value"] is not None
    litres = document(replace(WORKS, fuels=(*FUELS, slip(4, "kiln", "coal", "5", Unit.KL, 1))))
    assert_not_summed(litres, ("fuel.aoba.coal", "co2.scope1.aoba.coal", "co2"), "coal, slip 4: kL is no t")


def test_a_process_that_burns_fuel_and_has_no_line_is_missing_and_a_zero_line_is_zero() -> None:
    assert_not_summed(
        document(replace(WORKS, fuels=FUELS[:2])),
        ("co2.scope1", "co2", "intensity.copper"),
        "fuel of process boiler at aoba: no line of 2024-02",
    )
    idle = document(replace(WORKS, fuels=(*FUELS[:2], slip(9, "boiler", "heavy_oil_a", "0", Unit.KL, 1))))
    assert exact(idle, "co2.scope1") == exact(idle, "co2.scope1.aoba.coal")


def test_fuel_that_no_rule_gives_to_a_product_counts_in_the_sum_and_stops_the_intensities() -> None:
    month = document(replace(WORKS, fuels=(*FUELS, slip(4, "dryer", "coal", "1", Unit.T, 1))))
    assert exact(month, "fuel.aoba.coal") == 101
    assert month["figures"]["co2"]["value"] is not None
    assert_not_summed(month, ("intensity.ferronickel", "intensity.copper"), "process dryer at aoba: no rule")


@pytest.mark.parametrize(
    ("production", "reason"),
    [
        (PRODUCTION[:1], "production of copper: no line of 2024-02"),
        ((PRODUCTION[0], replace(PRODUCTION[1], quantity=Fraction(0))), "production of copper is 0"),
        ((PRODUCTION[0], replace(PRODUCTION[1], unit=Unit.KL)), "kL is no t"),
    ],
)
def test_a_product_without_production_has_no_intensity(production: Any, reason: str) -> None:
    month = document(replace(WORKS, production=production))
    assert_not_summed(month, ("intensity.copper",), reason)
    assert month["figures"]["intensity.ferronickel"]["value"] is not None


def test_a_works_without_fuel_and_products_is_its_electricity() -> None:
    bare = replace(WORKS, sites=(replace(SITE, allocation=None),), fuels=(), production=(), products={})
    month = document(bare)
    assert exact(month, "co2") == exact(month, "co2.scope2") == 421
    assert month["figures"]["co2.scope1"]["printed"] == "0"


def test_direct_current_is_shown_and_never_summed() -> None:
    month = document(WORKS)
    assert month["figures"]["energy.CEL-DC"]["role"] == "dc"
    assert exact(month, "energy.CEL-DC") == 190_000
    assert not any("CEL-DC" in input for input in month["figures"]["co2.scope2"]["inputs"])
    assert month["figures"]["balance.CEL"]["balance_kind"] == "rectifier"


def test_balances_show_their_limit() -> None:
    balance = document(WORKS)["figures"]["balance.RCV"]
    assert balance["difference_wh"] == 100_000_000
    assert (balance["percent_printed"], balance["ok"]) == ("10.00", False)
    assert balance["children"] == ["CEL", "FUR"]


def test_completeness_never_claims_more_than_is_proven() -> None:
    edges = tuple(time for time in range(FEBRUARY.start_ms - 60_000, FEBRUARY.end_ms + 120_000, 120_000))
    energies = dict(ENERGIES) | {NODES[0].point: registers(NODES[0], 1_000_000, edges)}
    completeness = document(replace(WORKS, sites=(replace(SITE, energies=energies),)))["figures"][
        "completeness"
    ]
    # two brackets of 2 minutes at 1,000,000 kWh / 41,760 min: 47 or 48 kWh each
    assert completeness["printed"] == "100.00"
    assert Fraction(completeness["unproven_t"]) == completeness["unproven_wh"] * Fraction("0.421") / 10**6
    assert 90 <= int(completeness["unproven_kwh_printed"]) <= 97
    assert Fraction(completeness["unproven_t_printed"]) >= Fraction(completeness["unproven_t"])


def test_a_share_of_time_is_rounded_down() -> None:
    gap = half_hours(FEBRUARY)[:700] + half_hours(FEBRUARY)[701:]
    energies = dict(ENERGIES) | {NODES[0].point: registers(NODES[0], 1_000_000, gap)}
    completeness = document(replace(WORKS, sites=(replace(SITE, energies=energies),)))["figures"][
        "completeness"
    ]
    assert completeness["half_hours"] == {"covered": 1390, "expected": 1392}
    assert completeness["printed"] == "99.85"  # 99.856…


def test_tables_show_meters_as_a_tree_and_the_largest_first() -> None:
    tables = document(WORKS)["tables"]
    assert tables["electricity"] == ["energy.RCV", "energy.FUR", "energy.CEL", "energy.CEL-DC"]
    assert tables["fuels"] == ["co2.scope1.aoba.coal", "co2.scope1.aoba.heavy_oil_a"]
    assert tables["scopes"] == ["co2.scope2", "co2.scope1"]
    assert tables["balances"] == ["balance.CEL", "balance.RCV"]


YARD = works_yard("SHI-2", "SHI-1")
TWO_SITES = replace(WORKS, sites=(YARD, SITE))
REFERENCE = to_json(build(TWO_SITES))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_order_of_the_inputs_changes_no_byte(data: st.DataObject) -> None:
    def shuffled(items: Any) -> tuple[Any, ...]:
        return tuple(data.draw(st.permutations(list(items))))

    def shuffled_map(items: Mapping[str, Any]) -> dict[str, Any]:
        return dict(shuffled(items.items()))

    assert SITE.allocation is not None
    yard = replace(YARD, network=Network(shuffled(YARD.network.nodes), shuffled(YARD.network.boundary)))
    site = replace(
        SITE,
        network=Network(shuffled(NODES), ("RCV",)),
        meters=shuffled(SITE.meters),
        energies=shuffled_map(SITE.energies),
        allocation=replace(
            SITE.allocation,
            meters=shuffled_map(SITE.allocation.meters),
            remainder=shuffled_map(SITE.allocation.remainder or {}),
            fuels=shuffled_map(SITE.allocation.fuels),
        ),
    )
    inputs = replace(
        WORKS,
        sites=shuffled((site, yard)),
        products=shuffled_map(WORKS.products),
        fuels=shuffled(WORKS.fuels),
        production=shuffled(WORKS.production),
        fuel_factors=shuffled(WORKS.fuel_factors),
        electricity=replace(WORKS.electricity, factors=shuffled(WORKS.electricity.factors)),
        targets=shuffled(WORKS.targets),
    )
    assert to_json(build(inputs)) == REFERENCE


def test_the_bytes_are_canonical_and_hold_no_float() -> None:
    assert (
        json.dumps(json.loads(REFERENCE), ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    ).encode() == REFERENCE

    def refuse(text: str) -> float:
        raise AssertionError(f"a float: {text}")

    json.loads(REFERENCE, parse_float=refuse)


def test_another_input_changes_the_bytes() -> None:
    one_gram_more = replace(FUELS[0], quantity=FUELS[0].quantity + Fraction(1, 10**6))
    assert to_json(build(replace(TWO_SITES, fuels=(one_gram_more, *FUELS[1:])))) != REFERENCE


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.fractions(min_value=0, max_value=1000), min_size=1, max_size=6),
    st.fractions(min_value=0, max_value=1),
    st.fractions(min_value=0, max_value=1),
)
def test_what_products_bear_adds_up_to_the_total(
    quantities: list[Fraction], kiln_share: Fraction, remainder_share: Fraction
) -> None:
    assert SITE.allocation is not None
    allocation = replace(
        SITE.allocation,
        remainder={"copper": remainder_share, "ferronickel": 1 - remainder_share},
        fuels={"kiln": {"copper": kiln_share, "ferronickel": 1 - kiln_share}},
    )
    fuels = tuple(
        replace(FUELS[0], id=f"f{number}", quantity=quantity) for number, quantity in enumerate(quantities)
    )
    statement = build(replace(WORKS, sites=(replace(SITE, allocation=allocation),), fuels=fuels))
    assert sum(borne_t(statement, product) for product in WORKS.products) == value(statement, "co2")


def borne_t(statement: Statement, product: str) -> Fraction:
    text = statement.figures[f"intensity.{product}"].facts["co2_t"]
    assert isinstance(text, str)
    return Fraction(text)


def value(statement: Statement, figure: str) -> Fraction:
    found: Figure = statement.figures[figure]
    assert found.value is not None
    return found.value


def test_two_sites_are_one_statement() -> None:
    month = document(TWO_SITES)
    assert exact(month, "co2.scope2") == 1_100_000 * Fraction("0.421") / 1000
    assert month["figures"]["co2.scope2"]["inputs"] == [
        f"co2.scope2.{meter}" for meter in ("RCV", "SHI-1", "SHI-2")
    ]
    assert month["tables"]["electricity"][-2:] == ["energy.SHI-1", "energy.SHI-2"]
    assert month["sites"]["shiomi"]["en"] == "Shiomi yard"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sites": ()}, "needs a site"),
        ({"sites": (SITE, SITE)}, "site stands twice"),
        ({"fuels": (*FUELS, FUELS[0])}, "fuel line stands twice"),
        ({"fuels": (replace(FUELS[0], date=date(2024, 3, 1)),)}, "a line is of 2024-03"),
        ({"fuels": (replace(FUELS[0], site="elsewhere"),)}, "unknown site"),
        ({"production": (replace(PRODUCTION[0], product="zinc"),)}, "unknown product"),
        ({"month": "2024-03", "fuels": (), "production": ()}, "not of the statement's month"),
        ({"targets": (WORKS.targets[1], WORKS.targets[1])}, "target stands twice"),
    ],
)
def test_inputs_that_do_not_belong_together_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        build(replace(WORKS, **change))


@pytest.mark.parametrize(
    ("meters", "message"),
    [
        ({"RCV": {"copper": Fraction(1)}, "FUR": {"copper": Fraction(1)}}, "borne twice"),
        ({"CEL-DC": {"copper": Fraction(1)}}, "DC meter"),
        ({"NEW": {"copper": Fraction(1)}}, "not in the network"),
    ],
)
def test_an_allocation_that_counts_energy_twice_is_refused(meters: Any, message: str) -> None:
    assert SITE.allocation is not None
    site = replace(SITE, allocation=replace(SITE.allocation, meters=meters))
    with pytest.raises(DataError, match=message):
        build(replace(WORKS, sites=(site,)))
