"""Factors that tests of this folder share."""

from dataclasses import replace
from fractions import Fraction

from core.carbon.factors import (
    Basis,
    Confidence,
    ElectricityFactor,
    ElectricitySeries,
    FactorStatus,
    FuelFactor,
)
from core.carbon.labels import Label
from core.metering.quantities import Unit

HEAVY_OIL_A_UNTIL_2022 = FuelFactor(
    fuel="heavy_oil_a",
    regime="OLD",
    name=Label("A重油", "heavy oil A"),
    unit=Unit.KL,
    gcv=Fraction("39.1"),
    carbon=Fraction("0.0189"),
    fy_from=2009,
    fy_to=2022,
    confidence=Confidence.A,
    status=FactorStatus.FINAL,
    source="the law",
    locator="table 1",
)
HEAVY_OIL_A = replace(
    HEAVY_OIL_A_UNTIL_2022,
    regime="NEW",
    gcv=Fraction("38.9"),
    carbon=Fraction("0.0193"),
    fy_from=2023,
    fy_to=None,
)
COAL = replace(
    HEAVY_OIL_A,
    fuel="coal",
    name=Label("一般炭", "coal"),
    unit=Unit.T,
    gcv=Fraction("26.1"),
    carbon=Fraction("0.0243"),
)


def series(
    *years: int, stand_in_years: int = 1, confidence: Confidence = Confidence.A, kg_per_kwh: str = "0.421"
) -> ElectricitySeries:
    """Return a series with the same factor [kg/kWh] in each of the years."""
    return ElectricitySeries(
        id="grid",
        name=Label("電力", "grid"),
        basis=Basis.ADJUSTED,
        definition="of a test",
        stand_in_years=stand_in_years,
        factors=tuple(
            ElectricityFactor(
                series="grid",
                fiscal_year=year,
                kg_per_kwh=Fraction(kg_per_kwh),
                basis=Basis.ADJUSTED,
                confidence=confidence,
                status=FactorStatus.FINAL,
                as_published=f"{kg_per_kwh} kg/kWh",
                source="a list",
                locator="row",
            )
            for year in years
        ),
    )
