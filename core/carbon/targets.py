"""Targets: a month's variance, and an action plan's way from its base to its target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from core.carbon.labels import Label
from core.errors import DataError


@dataclass(frozen=True, slots=True)
class MonthTarget:
    """What a company may emit in a month [t CO2]."""

    month: str
    co2_t: Fraction


def change(actual: Fraction, reference: Fraction) -> Fraction:
    """Return the relative change of a figure [1]; negative is a reduction.

    Raises
    ------
    DataError
        If the reference is zero.
    """
    if reference == 0:
        raise DataError("a change against zero has no size", next="name another reference")
    return actual / reference - 1


def progress(*, base: Fraction, actual: Fraction, target: Fraction) -> Fraction:
    """Return the share of the way from base to target that is gone [1]; below 0 is the wrong way.

    Raises
    ------
    DataError
        If base and target are equal.
    """
    if base == target:
        raise DataError("base and target are equal: there is no way to go", next="check the target's values")
    return (base - actual) / (base - target)


class Role(StrEnum):
    """What a year of an action plan is."""

    BASE = "base"
    ACTUAL = "actual"
    OUTLOOK = "outlook"
    TARGET = "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanYear:
    """One column of an action plan's table.

    Attributes
    ----------
    co2
        [10^4 t].
    production
        [10^4 t].
    energy
        [10^4 kL crude oil].
    electricity
        [10^8 kWh].
    factor
        [t CO2 per 10^4 kWh].
    slips
        What the document prints for a computed quantity where that is wrong: ``co2_intensity`` → ``1.20``.
    """

    fiscal_year: int
    role: Role
    co2: Fraction
    production: Fraction
    energy: Fraction
    electricity: Fraction
    factor: Fraction
    slips: Mapping[str, str]

    @property
    def energy_intensity(self) -> Fraction:
        """Energy per production [kL crude oil/t]."""
        return self.energy / self.production

    @property
    def co2_intensity(self) -> Fraction:
        """Emissions per production [t CO2/t]."""
        return self.co2 / self.production

    @property
    def factor_kg_per_kwh(self) -> Fraction:
        """The electricity factor [kg CO2/kWh]."""
        return self.factor / 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPlan:
    """An organisation's base, target and the years between, ordered by fiscal year."""

    id: str
    name: Label
    source: str
    locator: str
    boundary: str
    years: tuple[PlanYear, ...]

    def year(self, fiscal_year: int) -> PlanYear:
        """Return one year.

        Raises
        ------
        DataError
            If the plan does not have it.
        """
        for year in self.years:
            if year.fiscal_year == fiscal_year:
                return year
        known = ", ".join(f"FY{year.fiscal_year}" for year in self.years)
        raise DataError(f"the plan {self.id} has no FY{fiscal_year}", evidence=known)

    @property
    def base(self) -> PlanYear:
        """The base year."""
        return self._one(Role.BASE)

    @property
    def target(self) -> PlanYear:
        """The target year."""
        return self._one(Role.TARGET)

    def reduction(self, fiscal_year: int, *, against: int | None = None) -> Fraction:
        """Return a year's change of CO2 against the base or another year [1]; negative is a reduction."""
        reference = self.base if against is None else self.year(against)
        return change(self.year(fiscal_year).co2, reference.co2)

    def progress(self, fiscal_year: int) -> Fraction:
        """Return the share of the way from base to target that a year has gone [1]."""
        return progress(base=self.base.co2, actual=self.year(fiscal_year).co2, target=self.target.co2)

    def _one(self, role: Role) -> PlanYear:
        found = [year for year in self.years if year.role is role]
        if len(found) != 1:
            raise DataError(f"the plan {self.id} has {len(found)} years with the role {role}, not one")
        return found[0]
