"""Emission factors: dated, sourced, and looked up with the reason why one was taken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final, Generic, TypeVar

from core.carbon.labels import Label
from core.errors import FactorError
from core.metering.quantities import Unit

CO2_PER_CARBON: Final = Fraction(44, 12)
"""Mass of carbon dioxide per mass of its carbon [t/t], as the law writes it."""


class Confidence(StrEnum):
    """How well a factor is proven."""

    A = "A"  # seen in the law, in an official list, or in a named transcription
    B = "B"  # seen in part
    C = "C"  # from memory: never in a final month


class FactorStatus(StrEnum):
    """Whether the authority has published the year's value."""

    FINAL = "final"
    PROVISIONAL = "provisional"


class Basis(StrEnum):
    """What an electricity factor stands for."""

    BASIC = "basic"
    ADJUSTED = "adjusted"
    ALTERNATIVE = "alternative"
    NATIONAL_AVERAGE = "national_average"


@dataclass(frozen=True, slots=True, kw_only=True)
class FuelFactor:
    """Factors of one fuel under one regime.

    Attributes
    ----------
    fuel, regime
        Ids, ``heavy_oil_a`` and ``SHK2023``.
    unit
        The values are per this unit.
    gcv
        Gross calorific value [GJ/`unit`].
    carbon
        Carbon content [tC/GJ].
    fy_from, fy_to
        First and last fiscal year they are for; `None` while in force.
    published
        The list's own rounded product [t CO2/`unit`], for display beside the exact one.
    """

    fuel: str
    regime: str
    name: Label
    unit: Unit
    gcv: Fraction
    carbon: Fraction
    fy_from: int
    fy_to: int | None
    confidence: Confidence
    status: FactorStatus
    source: str
    locator: str
    published: str | None = None
    note: str = ""

    @property
    def id(self) -> str:
        """Id of this row, ``heavy_oil_a.SHK2023``."""
        return f"{self.fuel}.{self.regime}"

    @property
    def co2_t_per_unit(self) -> Fraction:
        """Emissions per unit [t CO2/`unit`], exact."""
        return self.gcv * self.carbon * CO2_PER_CARBON

    def covers(self, fiscal_year: int) -> bool:
        """Return whether the factors are for a fiscal year."""
        return self.fy_from <= fiscal_year and (self.fy_to is None or fiscal_year <= self.fy_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectricityFactor:
    """Emissions per purchased kWh in one fiscal year.

    Attributes
    ----------
    kg_per_kwh
        Exact [kg CO2/kWh], the same number as [t CO2/MWh].
    as_published
        The source's own value with its unit, ``4.21 t/10^4 kWh``.
    """

    series: str
    fiscal_year: int
    kg_per_kwh: Fraction
    basis: Basis
    confidence: Confidence
    status: FactorStatus
    as_published: str
    source: str
    locator: str
    note: str = ""

    @property
    def id(self) -> str:
        """Id of this row, ``industry_adjusted.FY2023``."""
        return f"{self.series}.FY{self.fiscal_year}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectricitySeries:
    """One kind of electricity factor over the fiscal years.

    Attributes
    ----------
    definition
        What its basis means.
    stand_in_years
        For how many years after the newest one that year's factor may stand in; 0 for none.
    factors
        By fiscal year, each year once.
    """

    id: str
    name: Label
    basis: Basis
    definition: str
    stand_in_years: int
    factors: tuple[ElectricityFactor, ...]


F = TypeVar("F", FuelFactor, ElectricityFactor)


@dataclass(frozen=True, slots=True)
class Found(Generic[F]):
    """A factor that was looked up.

    Attributes
    ----------
    factor
        The row to use.
    why
        Why this row, in a sentence.
    exact
        Whether it is the asked year's own row; `False` for a fallback.
    """

    factor: F
    why: str
    exact: bool

    @property
    def status(self) -> FactorStatus:
        """`FINAL` only for the asked year's own, published row of a proven factor."""
        proven = self.exact and self.factor.confidence is not Confidence.C
        return self.factor.status if proven else FactorStatus.PROVISIONAL


def find_fuel_factor(
    factors: Iterable[FuelFactor], *, fuel: str, fiscal_year: int, final: bool = False
) -> Found[FuelFactor]:
    """Return the factor of a fuel for a fiscal year.

    Parameters
    ----------
    factors
        Rows to choose from, in any order.
    fuel
        Id of the fuel.
    fiscal_year
        Year of the emissions.
    final
        Whether the month is to be final.

    Raises
    ------
    FactorError
        If no row or more than one covers the year, or a row of confidence C is asked for a final month.
    """
    rows = sorted((row for row in factors if row.fuel == fuel), key=lambda row: row.id)
    found = [row for row in rows if row.covers(fiscal_year)]
    if len(found) != 1:
        raise FactorError(
            f"{'more than one' if found else 'no'} factor of {fuel} for FY{fiscal_year}",
            evidence=", ".join(f"{row.id}: {_years(row)}" for row in found or rows)
            or "the fuel is not known",
            cause="two regimes overlap" if found else "",
            next="seiren factors list",
        )
    row = found[0]
    _refuse_unproven(row, final)
    return Found(row, f"{row.regime} is for {_years(row)}", exact=True)


def find_electricity_factor(
    series: ElectricitySeries, *, fiscal_year: int, final: bool = False
) -> Found[ElectricityFactor]:
    """Return a series' factor for a fiscal year.

    A year after the newest one gets the newest as a fallback, as far as the series allows; a gap between
    years gets nothing.

    Raises
    ------
    FactorError
        If there is none, or a row of confidence C or a fallback is asked for a final month.
    """
    years = {row.fiscal_year: row for row in series.factors}
    own = years.get(fiscal_year)
    if own is not None:
        _refuse_unproven(own, final)
        return Found(own, f"{series.id} has FY{fiscal_year}", exact=True)
    newest = max(years, default=None)
    if newest is None or not newest < fiscal_year <= newest + series.stand_in_years or final:
        raise FactorError(
            f"no factor of {series.id} for FY{fiscal_year}",
            evidence=", ".join(f"FY{year}" for year in sorted(years)) or "the series is empty",
            cause="not published yet, or not seen in a source",
            next="seiren factors list",
        )
    stand_in = years[newest]
    return Found(stand_in, f"FY{newest} stands in until FY{fiscal_year} is published", exact=False)


def _refuse_unproven(row: FuelFactor | ElectricityFactor, final: bool) -> None:
    if final and row.confidence is Confidence.C:
        raise FactorError(
            f"the factor {row.id} is not verified and cannot make a month final",
            evidence=f"confidence C, {row.source}",
            cause="it was never seen in the law or in an official list",
            next="seiren factors list",
        )


def _years(row: FuelFactor) -> str:
    return f"FY{row.fy_from} to FY{row.fy_to}" if row.fy_to is not None else f"FY{row.fy_from} onward"
