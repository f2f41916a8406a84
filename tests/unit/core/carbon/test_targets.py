import csv
from fractions import Fraction
from pathlib import Path

import pytest

from config.factors import load_targets
from core.carbon.rounding import printed
from core.carbon.targets import change, progress
from core.errors import DataError

(PLAN,) = load_targets()
BASE, FY2022, FY2023 = PLAN.base, PLAN.year(2022), PLAN.year(2023)
PRINTED = Path(__file__).parents[3] / "data" / "industry" / "action_plan_values.csv"


def computed() -> dict[str, Fraction]:
    """The document's figures by their name there, recomputed from its table."""
    values = {
        "2023 EF kg/kWh in text": FY2023.factor_kg_per_kwh,
        "2013 EF kg/kWh in text": BASE.factor_kg_per_kwh,
        "2030 target EF": PLAN.target.factor_kg_per_kwh,
        "production vs base %": change(FY2023.production, BASE.production) * 100,
        "production vs 2022 %": change(FY2023.production, FY2022.production) * 100,
        "energy vs base %": change(FY2023.energy, BASE.energy) * 100,
        "energy vs 2022 %": change(FY2023.energy, FY2022.energy) * 100,
        "energy intensity 2023": FY2023.energy_intensity,
        "energy intensity vs base %": change(FY2023.energy_intensity, BASE.energy_intensity) * 100,
        "energy intensity vs '2021' %  (reproduces with 2022)": change(
            FY2023.energy_intensity, FY2022.energy_intensity
        )
        * 100,
        "CO2 vs base %": PLAN.reduction(2023) * 100,
        "CO2 vs 2022 %": PLAN.reduction(2023, against=2022) * 100,
        "CO2 intensity 2023": FY2023.co2_intensity,
        "CO2 intensity 2013": BASE.co2_intensity,
        "CO2 intensity vs base %": change(FY2023.co2_intensity, BASE.co2_intensity) * 100,
        "CO2 intensity vs 2022 %": change(FY2023.co2_intensity, FY2022.co2_intensity) * 100,
        "target reduction % (278/448.89)": -PLAN.reduction(2030) * 100,
        "削減率 基準年度比": PLAN.reduction(2023) * 100,
        "削減率 昨年度比": PLAN.reduction(2023, against=2022) * 100,
        "進捗率": PLAN.progress(2023) * 100,
    }
    for year, suffix in ((2013, ""), (2022, ""), (2023, ""), (2024, "F"), (2025, "F"), (2030, "T")):
        values[f"energy intensity {year}{suffix} kl/t"] = PLAN.year(year).energy_intensity
        values[f"CO2 intensity {year}{suffix} t/t"] = PLAN.year(year).co2_intensity
    return values


COMPUTED = computed()
ROWS = list(csv.DictReader(PRINTED.open(encoding="utf-8")))


@pytest.mark.parametrize("row", ROWS, ids=[row["item"] for row in ROWS])
def test_the_action_plans_figures_are_recomputed_from_its_table(row: dict[str, str]) -> None:
    digits = len(row["printed"].partition(".")[2])
    ours = printed(COMPUTED[row["item"]], digits)
    assert ours == row["rounded"]
    assert (ours == row["printed"]) == (row["verdict"] == "OK")


def test_what_the_document_prints_wrongly_is_kept_beside_the_computed_value() -> None:
    slips = {year.fiscal_year: year.slips for year in PLAN.years if year.slips}
    assert slips == {2024: {"co2_intensity": "1.20"}, 2025: {"co2_intensity": "1.16"}}
    for fiscal_year, slip in slips.items():
        assert printed(PLAN.year(fiscal_year).co2_intensity, 2) != slip["co2_intensity"]


def test_by_its_own_outlook_progress_falls_back() -> None:
    shown = [printed(PLAN.progress(year) * 100, 1) for year in (2013, 2022, 2023, 2024, 2025, 2030)]
    assert shown == ["0.0", "81.6", "99.5", "85.2", "87.7", "100.0"]


def test_a_way_without_length_and_a_change_against_zero_are_refused() -> None:
    with pytest.raises(DataError, match="no way to go"):
        progress(base=Fraction(5), actual=Fraction(4), target=Fraction(5))
    with pytest.raises(DataError, match="against zero"):
        change(Fraction(1), Fraction(0))
    with pytest.raises(DataError, match="FY2019"):
        PLAN.year(2019)
