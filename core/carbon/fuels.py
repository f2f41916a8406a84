"""Scope 1: what the fuel lines of a month come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from core.carbon import labels
from core.carbon.activity import FuelLine
from core.carbon.emissions import convert, fuel_co2_t
from core.carbon.factors import FactorStatus, Found, FuelFactor, find_fuel_factor
from core.carbon.figures import Figure, Json, Kind, missing
from core.carbon.inputs import StatementInputs
from core.carbon.labels import Label
from core.carbon.rounding import exact_text
from core.errors import FactorError


@dataclass(frozen=True, slots=True)
class FuelUse:
    """One fuel of one site in a month.

    Attributes
    ----------
    fuel, factor, emission
        Its figures; more than one use may share a factor.
    co2_t_by_process
        CO2 of each process [t]; empty when the emission has no value.
    processes
        All processes that a line names.
    status
        Whether the factor is final.
    """

    site: str
    fuel: Figure
    factor: Figure
    emission: Figure
    co2_t_by_process: Mapping[str, Fraction]
    processes: frozenset[str]
    status: FactorStatus


def fuel_uses(inputs: StatementInputs) -> tuple[FuelUse, ...]:
    """Return each fuel of each site, by site and fuel."""
    lines = sorted(inputs.fuels, key=lambda line: (line.date, line.document, line.id))
    keys = sorted({(line.site, line.fuel) for line in lines})
    return tuple(
        _use(inputs, site, fuel, [line for line in lines if (line.site, line.fuel) == (site, fuel)])
        for site, fuel in keys
    )


def _use(inputs: StatementInputs, site: str, fuel: str, lines: Sequence[FuelLine]) -> FuelUse:
    year = inputs.fiscal_year
    found: Found[FuelFactor] | None = None
    try:
        found = find_fuel_factor(inputs.fuel_factors, fuel=fuel, fiscal_year=year, final=inputs.closed)
        factor = _factor_figure(found)
    except FactorError as error:
        factor = Figure(
            id=f"factor.{fuel}.FY{year}",
            kind=Kind.FACTOR,
            label=Label(fuel, fuel),
            value=None,
            unit="t",
            digits=None,
            not_summed=(error.what,),
        )
    unit = lines[0].unit if found is None else found.factor.unit
    name = Label(fuel, fuel) if found is None else found.factor.name
    quantities: list[Fraction] = []
    co2_t: dict[str, Fraction] = {}
    unfit: list[str] = []
    for line in lines:
        try:
            quantities.append(convert(line.quantity, line.unit, unit))
            if found is not None:
                lot_t = fuel_co2_t(line.quantity, line.unit, found.factor)
                co2_t[line.process] = co2_t.get(line.process, Fraction(0)) + lot_t
        except FactorError as error:
            unfit.append(f"{name.en}, {line.document}: {error.what}")
    amount = Figure(
        id=f"fuel.{site}.{fuel}",
        kind=Kind.FUEL,
        label=name,
        value=None if unfit else sum(quantities, Fraction(0)),
        unit=unit.value,
        digits=1,
        not_summed=tuple(unfit),
        facts={"site": site, "fuel": fuel, "lines": [_line(line) for line in lines]},
    )
    known = not unfit and found is not None
    emission = Figure(
        id=f"co2.scope1.{site}.{fuel}",
        kind=Kind.EMISSION,
        label=labels.CO2.of(name),
        value=sum(co2_t.values(), Fraction(0)) if known else None,
        unit="t",
        digits=0,
        inputs=(amount.id, factor.id),
        not_summed=missing((amount, factor)),
        facts={"site": site, "amount": amount.id, "factor": factor.id},
    )
    return FuelUse(
        site=site,
        fuel=amount,
        factor=factor,
        emission=emission,
        co2_t_by_process=co2_t if known else {},
        processes=frozenset(line.process for line in lines),
        status=FactorStatus.PROVISIONAL if found is None else found.status,
    )


def _factor_figure(found: Found[FuelFactor]) -> Figure:
    row = found.factor
    return Figure(
        id=f"factor.{row.id}",
        kind=Kind.FACTOR,
        label=row.name,
        value=row.co2_t_per_unit,
        unit=f"t/{row.unit}",
        digits=5,
        facts={
            "gcv": exact_text(row.gcv),
            "carbon": exact_text(row.carbon),
            "published": row.published,
            "regime": row.regime,
            "source": row.source,
            "locator": row.locator,
            "validity": {
                "from": f"{row.fy_from}-04-01",
                "to": None if row.fy_to is None else f"{row.fy_to + 1}-03-31",
            },
            "confidence": row.confidence.value,
            "status": found.status.value,
            "note": row.note,
            "why": found.why,
            "exact": found.exact,
        },
    )


def _line(line: FuelLine) -> dict[str, Json]:
    return {
        "id": line.id,
        "date": line.date.isoformat(),
        "process": line.process,
        "quantity": exact_text(line.quantity),
        "unit": line.unit.value,
        "document": line.document,
        "source": line.source,
    }
