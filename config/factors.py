"""Shipped emission factors and action plans: YAML files with a source for every number."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from config.documents import load_yaml
from config.strict import Id, Model, Names, PositiveExact, Problem
from core.carbon.factors import (
    Basis,
    Confidence,
    ElectricityFactor,
    ElectricitySeries,
    FactorStatus,
    FuelFactor,
)
from core.carbon.labels import Label
from core.carbon.rounding import exact_text
from core.carbon.targets import ActionPlan, PlanYear, Role
from core.errors import DataError
from core.metering.quantities import Unit

_SHIPPED: Final = Path(__file__).parent
_KG_PER_KWH: Final = {"kg/kWh": Fraction(1), "t/10^4 kWh": Fraction(1, 10)}

Year = Annotated[int, Field(ge=1990, le=2100)]
Text = Annotated[str, Field(min_length=1)]


class FuelRow(Model):
    """One fuel of a regime."""

    fuel: Id
    name: Names
    unit: Literal["t", "kL", "1000 SATP m3", "1000 Nm3"]
    gcv: PositiveExact
    carbon: PositiveExact
    published: Annotated[str, Field(pattern=r"^\d+\.\d+$")] | None = None  # its digits count: 2.60
    confidence: Literal["A", "B", "C"]
    sources: Annotated[tuple[Text, ...], Field(min_length=1)]
    note: str = ""


class FuelFile(Model):
    """The fuel factors of one regime."""

    regime: Id
    fy_from: Year
    fy_to: Year | None
    status: Literal["final", "provisional"]
    locator: Text
    sources: dict[str, Text]
    factors: tuple[FuelRow, ...]

    def problems(self) -> Iterator[Problem]:
        """Yield fuels that stand twice, unlisted sources, and a validity that ends before it starts."""
        if self.fy_to is not None and self.fy_to < self.fy_from:
            yield Problem(
                ("fy_to",), "The validity ends before it starts.", evidence=f"{self.fy_from} to {self.fy_to}"
            )
        seen: set[str] = set()
        for index, row in enumerate(self.factors):
            if row.fuel in seen:
                yield Problem(("factors", index, "fuel"), "The fuel stands twice.", evidence=row.fuel)
            seen.add(row.fuel)
            for at, source in enumerate(row.sources):
                if source not in self.sources:
                    yield Problem(
                        ("factors", index, "sources", at),
                        "The source is not listed under sources.",
                        evidence=source,
                    )


class ElectricityRow(Model):
    """One fiscal year of a series."""

    fiscal_year: Year
    value: PositiveExact
    status: Literal["final", "provisional"]
    confidence: Literal["A", "B", "C"]
    source: Text
    locator: Text
    note: str = ""


class ElectricityFile(Model):
    """One series of electricity factors."""

    id: Id
    name: Names
    basis: Literal["basic", "adjusted", "alternative", "national_average"]
    definition: Text
    unit: Literal["kg/kWh", "t/10^4 kWh"]
    stand_in_years: Annotated[int, Field(ge=0)]
    sources: dict[str, Text]
    factors: Annotated[tuple[ElectricityRow, ...], Field(min_length=1)]

    def problems(self) -> Iterator[Problem]:
        """Yield years that stand twice and sources that are not listed."""
        seen: set[int] = set()
        for index, row in enumerate(self.factors):
            if row.fiscal_year in seen:
                yield Problem(
                    ("factors", index, "fiscal_year"),
                    "The fiscal year stands twice.",
                    evidence=str(row.fiscal_year),
                )
            seen.add(row.fiscal_year)
            if row.source not in self.sources:
                yield Problem(
                    ("factors", index, "source"),
                    "The source is not listed under sources.",
                    evidence=row.source,
                )


class PlanRow(Model):
    """One year of an action plan."""

    fiscal_year: Year
    role: Literal["base", "actual", "outlook", "target"]
    co2: PositiveExact
    production: PositiveExact
    energy: PositiveExact
    electricity: PositiveExact
    factor: PositiveExact
    slips: dict[Literal["energy_intensity", "co2_intensity"], str] = Field(default_factory=dict)


class PlanFile(Model):
    """An action plan's table."""

    id: Id
    name: Names
    source: Text
    locator: Text
    boundary: Text
    years: tuple[PlanRow, ...]

    def problems(self) -> Iterator[Problem]:
        """Yield years out of order or twice, and a plan without exactly one base and one target."""
        years = [row.fiscal_year for row in self.years]
        if years != sorted(set(years)):
            yield Problem(("years",), "The years must rise, each once.", evidence=", ".join(map(str, years)))
        for role in ("base", "target"):
            count = sum(row.role == role for row in self.years)
            if count != 1:
                yield Problem(
                    ("years",), f"There must be exactly one year with the role {role}.", evidence=str(count)
                )


@cache
def load_fuel_factors(folder: Path = _SHIPPED / "factors") -> tuple[FuelFactor, ...]:
    """Return the fuel factors of every regime, ordered by id; a folder is read once.

    Parameters
    ----------
    folder
        Where the ``fuels_*.yaml`` stand; the shipped ones by default.

    Raises
    ------
    ConfigError
        If a file is wrong; with file, line and key.
    """
    files = [load_yaml(path, FuelFile) for path in sorted(folder.glob("fuels_*.yaml"))]
    return tuple(
        sorted((_fuel_factor(file, row) for file in files for row in file.factors), key=lambda row: row.id)
    )


@cache
def load_electricity_factors(folder: Path = _SHIPPED / "factors") -> tuple[ElectricitySeries, ...]:
    """Return every series of electricity factors, ordered by id; a folder is read once.

    Parameters
    ----------
    folder
        Where the ``electricity_*.yaml`` stand; the shipped ones by default.

    Raises
    ------
    ConfigError
        If a file is wrong; with file, line and key.
    """
    files = [load_yaml(path, ElectricityFile) for path in sorted(folder.glob("electricity_*.yaml"))]
    return tuple(sorted(map(_series, files), key=lambda series: series.id))


def load_electricity_series(series_id: str, folder: Path = _SHIPPED / "factors") -> ElectricitySeries:
    """Return the series of electricity factors with an id.

    Raises
    ------
    DataError
        If no such series is shipped.
    ConfigError
        If a file is wrong; with file, line and key.
    """
    known = load_electricity_factors(folder)
    if found := [series for series in known if series.id == series_id]:
        return found[0]
    raise DataError(
        f"there is no series of electricity factors {series_id}",
        evidence=f"known: {', '.join(series.id for series in known)}",
        next="seiren factors list",
    )


def load_targets(folder: Path = _SHIPPED / "targets") -> tuple[ActionPlan, ...]:
    """Return the action plans, ordered by id.

    Parameters
    ----------
    folder
        Where the YAML files stand; the shipped ones by default.

    Raises
    ------
    ConfigError
        If a file is wrong; with file, line and key.
    """
    files = [load_yaml(path, PlanFile) for path in sorted(folder.glob("*.yaml"))]
    return tuple(sorted(map(_plan, files), key=lambda plan: plan.id))


def _fuel_factor(file: FuelFile, row: FuelRow) -> FuelFactor:
    return FuelFactor(
        fuel=row.fuel,
        regime=file.regime,
        name=Label(row.name.ja, row.name.en),
        unit=Unit(row.unit),
        gcv=row.gcv,
        carbon=row.carbon,
        published=row.published,
        fy_from=file.fy_from,
        fy_to=file.fy_to,
        confidence=Confidence(row.confidence),
        status=FactorStatus(file.status),
        source="; ".join(file.sources[source] for source in row.sources),
        locator=f"{file.locator}; row {row.name.ja}",
        note=row.note,
    )


def _series(file: ElectricityFile) -> ElectricitySeries:
    return ElectricitySeries(
        id=file.id,
        name=Label(file.name.ja, file.name.en),
        basis=Basis(file.basis),
        definition=file.definition,
        stand_in_years=file.stand_in_years,
        factors=tuple(_electricity_factor(file, row) for row in file.factors),
    )


def _electricity_factor(file: ElectricityFile, row: ElectricityRow) -> ElectricityFactor:
    return ElectricityFactor(
        series=file.id,
        fiscal_year=row.fiscal_year,
        kg_per_kwh=row.value * _KG_PER_KWH[file.unit],
        basis=Basis(file.basis),
        confidence=Confidence(row.confidence),
        status=FactorStatus(row.status),
        as_published=f"{exact_text(row.value)} {file.unit}",
        source=file.sources[row.source],
        locator=row.locator,
        note=row.note,
    )


def _plan(file: PlanFile) -> ActionPlan:
    return ActionPlan(
        id=file.id,
        name=Label(file.name.ja, file.name.en),
        source=file.source,
        locator=file.locator,
        boundary=file.boundary,
        years=tuple(
            PlanYear(
                fiscal_year=row.fiscal_year,
                role=Role(row.role),
                co2=row.co2,
                production=row.production,
                energy=row.energy,
                electricity=row.electricity,
                factor=row.factor,
                slips={str(quantity): text for quantity, text in row.slips.items()},
            )
            for row in file.years
        ),
    )
