from dataclasses import replace
from fractions import Fraction

import pytest

from core.carbon.emissions import convert, electricity_co2_t, fuel_co2_t
from core.errors import FactorError
from core.metering.quantities import Unit
from tests.unit.core.carbon.examples import COAL, HEAVY_OIL_A, series


def test_three_lots_of_half_a_tonne_of_carbon_are_exactly_eleven_halves() -> None:
    half_carbon = replace(COAL, gcv=Fraction(20), carbon=Fraction("0.025"))  # 0.5 tC per t
    assert sum(fuel_co2_t(Fraction(1), Unit.T, half_carbon) for _ in range(3)) == Fraction(11, 2)


def test_fuel_is_quantity_times_heat_times_carbon_times_44_twelfths() -> None:
    # 161.4 kL × 38.9 GJ/kL = 6278.46 GJ; × 0.0193 tC/GJ = 121.174278 tC; × 44/12 = 444.305686 t
    assert fuel_co2_t(Fraction("161.4"), Unit.KL, HEAVY_OIL_A) == Fraction(121174278 * 44, 12 * 10**6)
    assert fuel_co2_t(Fraction(161400), Unit.L, HEAVY_OIL_A) == fuel_co2_t(
        Fraction("161.4"), Unit.KL, HEAVY_OIL_A
    )


def test_electricity_is_energy_times_factor() -> None:
    factor = series(2023, kg_per_kwh="0.421").factors[0]
    # 20,952,864.5 kWh × 0.421 kg/kWh = 8,821,155.9545 kg
    assert electricity_co2_t(Fraction("20952864.5"), factor) == Fraction("8821.1559545")


@pytest.mark.parametrize(
    ("unit", "into"),
    [
        (Unit.T, Unit.KL),
        (Unit.KL, Unit.T),
        (Unit.KWH, Unit.KL),
        (Unit.NM3, Unit.K_SATP_M3),
        (Unit.M3, Unit.K_SATP_M3),
        (Unit.K_SATP_M3, Unit.K_NM3),
    ],
)
def test_units_of_another_kind_stop_the_figure(unit: Unit, into: Unit) -> None:
    with pytest.raises(FactorError, match="is no"):
        convert(Fraction(1), unit, into)


@pytest.mark.parametrize(
    ("quantity", "unit", "into", "result"),
    [
        ("418.2", Unit.KL, Unit.L, "418200"),
        ("1", Unit.KG, Unit.T, "0.001"),
        ("2500", Unit.SATP_M3, Unit.K_SATP_M3, "2.5"),
    ],
)
def test_units_of_one_kind_convert_exactly(quantity: str, unit: Unit, into: Unit, result: str) -> None:
    assert convert(Fraction(quantity), unit, into) == Fraction(result)
