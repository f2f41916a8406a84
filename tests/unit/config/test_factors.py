from fractions import Fraction
from pathlib import Path

import pytest

from config.factors import load_electricity_factors, load_electricity_series, load_fuel_factors, load_targets
from core.carbon.factors import Confidence, FactorStatus, find_electricity_factor, find_fuel_factor
from core.carbon.rounding import printed
from core.errors import ConfigError, DataError, FactorError
from core.metering.quantities import Unit

FUELS = load_fuel_factors()
SHIPPED = Path(__file__).parents[3] / "config" / "factors"


def digits_of(published: str) -> int:
    return len(published.partition(".")[2])


@pytest.mark.parametrize("factor", FUELS, ids=lambda factor: factor.id)
def test_every_shipped_fuel_factor_has_its_source_and_a_verified_value(factor) -> None:  # type: ignore[no-untyped-def]  # pytest's id function wants the row
    assert factor.confidence is Confidence.A
    assert factor.status is FactorStatus.FINAL
    assert len(factor.source) > 30
    assert factor.name.ja in factor.locator
    assert 1 < factor.gcv < 60, "GJ per unit of any fuel"
    assert Fraction("0.010") < factor.carbon < Fraction("0.031"), "tC/GJ, coke oven gas to coke"


@pytest.mark.parametrize("factor", [row for row in FUELS if row.published], ids=lambda factor: factor.id)
def test_the_exact_product_shown_as_the_list_does_is_the_published_one(factor) -> None:  # type: ignore[no-untyped-def]  # as above
    assert printed(factor.co2_t_per_unit, digits_of(factor.published)) == factor.published


def test_both_regimes_are_there_and_meet_between_fy2022_and_fy2023() -> None:
    assert sum(row.regime == "SHK2023" for row in FUELS) == 27
    assert sum(row.regime == "SHK2010" for row in FUELS) == 22
    for fuel in {row.fuel for row in FUELS if row.regime == "SHK2010"} - {"city_gas_13a"}:
        assert find_fuel_factor(FUELS, fuel=fuel, fiscal_year=2022).factor.regime == "SHK2010"
        assert find_fuel_factor(FUELS, fuel=fuel, fiscal_year=2023).factor.regime == "SHK2023"


def test_a_gas_is_nm3_in_the_old_regime_and_satp_m3_in_the_new() -> None:
    old = find_fuel_factor(FUELS, fuel="natural_gas", fiscal_year=2022).factor
    new = find_fuel_factor(FUELS, fuel="natural_gas", fiscal_year=2023).factor
    assert (old.unit, new.unit) == (Unit.K_NM3, Unit.K_SATP_M3)


@pytest.mark.parametrize(
    ("fiscal_year", "kg_per_kwh"),
    [(2013, "0.567"), (2017, "0.496"), (2022, "0.435"), (2023, "0.421"), (2024, "0.373"), (2025, "0.353")],
)
def test_the_industry_series_has_the_action_plans_factor(fiscal_year: int, kg_per_kwh: str) -> None:
    series = load_electricity_series("industry_adjusted")
    found = find_electricity_factor(series, fiscal_year=fiscal_year)
    assert found.factor.kg_per_kwh == Fraction(kg_per_kwh)
    assert found.exact
    assert found.factor.source


def test_years_without_a_seen_source_are_not_shipped_and_outlooks_are_provisional() -> None:
    (series,) = load_electricity_factors()
    assert all(row.confidence is Confidence.A for row in series.factors)
    for year in (2010, 2018, 2021, 2030):
        with pytest.raises(FactorError):
            find_electricity_factor(series, fiscal_year=year)
    assert find_electricity_factor(series, fiscal_year=2023).status is FactorStatus.FINAL
    assert find_electricity_factor(series, fiscal_year=2024).status is FactorStatus.PROVISIONAL


def test_an_unknown_series_is_named_beside_the_known_ones() -> None:
    with pytest.raises(DataError, match="no_such") as caught:
        load_electricity_series("no_such")
    assert "industry_adjusted" in caught.value.evidence


def test_the_electricity_series_agrees_with_the_plans_own_table() -> None:
    (series,) = load_electricity_factors()
    (plan,) = load_targets()
    factors = {row.fiscal_year: row.kg_per_kwh for row in series.factors}
    for year in plan.years:
        assert factors.get(year.fiscal_year, year.factor_kg_per_kwh) == year.factor_kg_per_kwh


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("fuels_shk2023.yaml", 'gcv: "26.1"', "gcv: 26.1", r"gcv"),
        ("fuels_shk2023.yaml", "fuel: coal_tar", "fuel: gasoline", r"stands twice"),
        ("fuels_shk2023.yaml", "[law_2023, list_fy2025]", "[law_2032]", r"not listed"),
        ("fuels_shk2023.yaml", "fy_to: null", "fy_to: 2020", r"ends before"),
        ("fuels_shk2023.yaml", "unit: kL", "unit: m3", r"wrong"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(
    tmp_path: Path, file: str, old: str, new: str, message: str
) -> None:
    text = (SHIPPED / file).read_text(encoding="utf-8")
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as caught:
        load_fuel_factors(tmp_path)
    assert f"{file}:" in caught.value.where
