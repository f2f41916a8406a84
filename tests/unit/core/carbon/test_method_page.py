import re
from dataclasses import replace
from datetime import date
from fractions import Fraction
from math import floor
from pathlib import Path

import pytest

from config.factors import load_electricity_series, load_fuel_factors
from core.carbon.activity import FuelLine
from core.carbon.allocation import Allocation
from core.carbon.inputs import StatementInputs
from core.carbon.statement import build
from core.carbon.targets import MonthTarget
from core.metering.counters import CounterSpec, build_counter
from core.metering.energy import IntervalEnergy, energy
from core.metering.installations import Installation, Side, ratio
from core.metering.network import Network, Node
from core.metering.quantities import Unit
from core.metering.readings import Reading
from tests.unit.core.carbon.works import FEBRUARY, MONTH, PRODUCTION, SITE, WORKS

PAGE = (Path(__file__).parents[4] / "docs" / "method.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"```\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
SUM = re.compile(r"(?P<left>.+?) = (?P<right>-?[\d.,]*\d)\s+(?P<text>\S.*)")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


@pytest.mark.parametrize("line", LINES)
def test_every_line_of_the_page_is_right(line: str) -> None:
    found = SUM.fullmatch(re.sub(r"(?<=\d),(?=\d{3})", "", line))
    assert found is not None, "not of the form: sum = result   what it is"
    exact = NUMBER.sub(lambda number: f"Fraction('{number[0]}')", found["left"].replace("×", "*"))
    left = eval(exact, {"__builtins__": {}}, {"Fraction": Fraction, "floor": floor})
    assert left == Fraction(found["right"])


def registers(
    meter: str, first: int, second: int, last: int, wh_per_count: str, side: Side
) -> IntervalEnergy:
    """Return the energy of a meter read on both sides of 1 February 0:00 and of 1 March 0:00."""
    point = Node(meter).point
    readings = (
        Reading(point, FEBRUARY.start_ms - 2000, first),
        Reading(point, FEBRUARY.start_ms + 2000, second),
        Reading(point, FEBRUARY.end_ms - 2000, last),
        Reading(point, FEBRUARY.end_ms + 2000, last),
    )
    installation = Installation(
        point, 0, None, "SYN-0417", ratio("400/5 A"), ratio("66000/110 V"), side, Fraction(wh_per_count)
    )
    return energy(build_counter(readings, CounterSpec(point)), (installation,), FEBRUARY)


def page_inputs() -> StatementInputs:
    nodes = (Node("RCV"), Node("FUR", parent="RCV"), Node("CEL", parent="RCV"))
    energies = (
        registers("RCV", 1_000_001, 1_000_003, 1_436_520, "1", Side.SECONDARY),
        registers("FUR", 0, 0, 15_311_520, "1000", Side.PRIMARY),
        registers("CEL", 0, 0, 3_318_642, "1000", Side.PRIMARY),
    )
    nickel = {"ferronickel": Fraction(1)}
    site = replace(
        SITE,
        network=Network(nodes, ("RCV",)),
        energies={each.point: each for each in energies},
        allocation=Allocation(
            meters={"FUR": nickel, "CEL": {"copper": Fraction(1)}},
            remainder={"ferronickel": Fraction("0.7"), "copper": Fraction("0.3")},
            fuels={"kiln": nickel},
        ),
    )
    fuels = tuple(
        FuelLine(fuel, "aoba", "kiln", fuel, date(2024, 2, 29), Fraction(quantity), unit, "slip", "a page")
        for fuel, quantity, unit in (
            ("steam_coal_imported", "1452.6", Unit.T),
            ("heavy_oil_bc", "418.2", Unit.KL),
            ("heavy_oil_a", "161.4", Unit.KL),
        )
    )
    return replace(
        WORKS,
        sites=(site,),
        fuels=fuels,
        production=(replace(PRODUCTION[0], quantity=Fraction(3200)), *PRODUCTION[1:]),
        fuel_factors=load_fuel_factors(),
        electricity=load_electricity_series("industry_adjusted"),
        targets=(MonthTarget(MONTH, Fraction(14_100)),),
    )


def test_the_program_counts_the_month_as_the_page_does() -> None:
    figures = build(page_inputs()).figures
    exact = {
        "energy.RCV": "20952864",
        "co2.scope2": "8821.155744",
        "co2.scope1.aoba.steam_coal_imported": "3378.035826",
        "co2.scope1.aoba.heavy_oil_bc": "1294.741624",
        "co2.scope1.aoba.heavy_oil_a": "444.305686",
        "co2.scope1": "5117.083136",
        "co2": "13938.23888",
        "intensity.ferronickel": "3.8274166673125",
    }
    for figure, text in exact.items():
        assert figures[figure].value == Fraction(text), figure
        assert shown(text) in PAGE, figure
    assert figures["co2"].json()["printed"] == "13938"
    assert figures["energy.RCV"].facts["unproven_wh"] == 96_000
    assert figures["target.month"].facts["delta"] == "-161.76112"
    assert figures["target.month"].facts["delta_printed"] == "-162"
    assert figures["target.month"].facts["delta_percent_printed"] == "-1.1"
    assert figures["intensity.ferronickel"].facts["kwh"] == "16937411.4"


def shown(text: str) -> str:
    """Return a number as the page writes it, with thousands separators."""
    whole, dot, part = text.partition(".")
    return f"{int(whole):,}{dot}{part}"
