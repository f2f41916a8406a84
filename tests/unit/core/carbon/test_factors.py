from dataclasses import replace

import pytest

from core.carbon.factors import Confidence, FactorStatus, find_electricity_factor, find_fuel_factor
from core.errors import FactorError
from tests.unit.core.carbon.examples import HEAVY_OIL_A as NEW
from tests.unit.core.carbon.examples import HEAVY_OIL_A_UNTIL_2022 as OLD
from tests.unit.core.carbon.examples import series


@pytest.mark.parametrize(
    ("fiscal_year", "regime"), [(2009, "OLD"), (2022, "OLD"), (2023, "NEW"), (2040, "NEW")]
)
def test_the_fiscal_year_chooses_the_regime(fiscal_year: int, regime: str) -> None:
    for rows in ((OLD, NEW), (NEW, OLD)):
        found = find_fuel_factor(rows, fuel="heavy_oil_a", fiscal_year=fiscal_year)
        assert found.factor.regime == regime
        assert found.exact
        assert regime in found.why


@pytest.mark.parametrize(("fuel", "fiscal_year"), [("wood", 2023), ("heavy_oil_a", 2008)])
def test_a_missing_factor_is_an_error_that_names_fuel_and_year(fuel: str, fiscal_year: int) -> None:
    with pytest.raises(FactorError, match=rf"no factor of {fuel} for FY{fiscal_year}"):
        find_fuel_factor((OLD, NEW), fuel=fuel, fiscal_year=fiscal_year)


def test_overlapping_regimes_are_not_chosen_from() -> None:
    with pytest.raises(FactorError, match="more than one"):
        find_fuel_factor((OLD, NEW, replace(NEW, regime="OTHER")), fuel="heavy_oil_a", fiscal_year=2023)


def test_a_factor_from_memory_is_refused_for_a_final_month_only() -> None:
    rows = (replace(NEW, confidence=Confidence.C),)
    found = find_fuel_factor(rows, fuel="heavy_oil_a", fiscal_year=2023)
    assert found.status is FactorStatus.PROVISIONAL
    with pytest.raises(FactorError, match="not verified"):
        find_fuel_factor(rows, fuel="heavy_oil_a", fiscal_year=2023, final=True)
    with pytest.raises(FactorError, match="not verified"):
        find_electricity_factor(series(2023, confidence=Confidence.C), fiscal_year=2023, final=True)
    assert (
        find_fuel_factor((NEW,), fuel="heavy_oil_a", fiscal_year=2023, final=True).status
        is FactorStatus.FINAL
    )


def test_the_newest_electricity_factor_stands_in_as_far_as_the_series_allows() -> None:
    own = find_electricity_factor(series(2022, 2023), fiscal_year=2023)
    assert own.exact
    assert own.status is FactorStatus.FINAL
    stand_in = find_electricity_factor(series(2022, 2023), fiscal_year=2024)
    assert stand_in.factor.fiscal_year == 2023
    assert not stand_in.exact
    assert stand_in.status is FactorStatus.PROVISIONAL
    with pytest.raises(FactorError, match="FY2025"):
        find_electricity_factor(series(2022, 2023), fiscal_year=2025)
    with pytest.raises(FactorError, match="FY2024"):
        find_electricity_factor(series(2022, 2023, stand_in_years=0), fiscal_year=2024)
    with pytest.raises(FactorError, match="FY2024"):
        find_electricity_factor(series(2022, 2023), fiscal_year=2024, final=True)


@pytest.mark.parametrize("fiscal_year", [2018, 2012])
def test_a_gap_in_the_series_gets_no_factor(fiscal_year: int) -> None:
    with pytest.raises(FactorError, match=f"FY{fiscal_year}"):
        find_electricity_factor(series(2017, 2022), fiscal_year=fiscal_year)


def test_an_empty_series_gets_no_factor() -> None:
    with pytest.raises(FactorError, match="FY2023"):
        find_electricity_factor(series(), fiscal_year=2023)
