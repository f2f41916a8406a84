"""Scope 2: metered electricity, its factor, and whether the meters agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from core.carbon import labels
from core.carbon.emissions import electricity_co2_t
from core.carbon.factors import ElectricityFactor, FactorStatus, find_electricity_factor
from core.carbon.figures import Figure, Json, Kind, missing, optional_text
from core.carbon.inputs import SiteInputs, StatementInputs
from core.carbon.registers import lacks, register_facts
from core.carbon.rounding import Rounding, exact_text, printed
from core.carbon.splits import splits
from core.errors import FactorError
from core.metering.balances import Balance, balances
from core.metering.network import Node, Sum


@dataclass(frozen=True, slots=True)
class GridFactor:
    """The electricity factor of the month, with its figure; `factor` is `None` when there is none."""

    factor: ElectricityFactor | None
    figure: Figure
    status: FactorStatus

    def co2_t(self, energy_kwh: Fraction | None) -> Fraction | None:
        """Return the CO2 [t] of some energy [kWh]; `None` when either is missing."""
        if energy_kwh is None or self.factor is None:
            return None
        return electricity_co2_t(energy_kwh, self.factor)


def grid_factor(inputs: StatementInputs) -> GridFactor:
    """Return the electricity factor of the month's fiscal year."""
    series, year = inputs.electricity, inputs.fiscal_year
    try:
        found = find_electricity_factor(series, fiscal_year=year, final=inputs.closed)
    except FactorError as error:
        figure = Figure(
            id=f"factor.{series.id}.FY{year}",
            kind=Kind.FACTOR,
            label=series.name,
            value=None,
            unit="kg/kWh",
            digits=None,
            not_summed=(error.what,),
        )
        return GridFactor(None, figure, FactorStatus.PROVISIONAL)
    row = found.factor
    facts: dict[str, Json] = {
        "source": row.source,
        "locator": row.locator,
        "validity": {"from": f"{row.fiscal_year}-04-01", "to": f"{row.fiscal_year + 1}-03-31"},
        "confidence": row.confidence.value,
        "status": found.status.value,
        "basis": row.basis.value,
        "definition": series.definition,
        "as_published": row.as_published,
        "note": row.note,
        "why": found.why,
        "exact": found.exact,
    }
    figure = Figure(
        id=f"factor.{row.id}",
        kind=Kind.FACTOR,
        label=series.name,
        value=row.kg_per_kwh,
        unit="kg/kWh",
        digits=None,
        facts=facts,
    )
    return GridFactor(row, figure, found.status)


def energy_figure(site: SiteInputs, node: Node, half_hours: int) -> Figure:
    """Return a meter's energy of a month of so many half-hours, with its registers."""
    meter, energy = site.meter(node.meter), site.energies.get(node.point)
    wh = None if energy is None else energy.wh
    facts = register_facts(energy, half_hours if energy is None else energy.half_hours, site.tz)
    facts |= {"splits": splits(energy, site.tz)}
    if node.sum is not None:
        facts |= _sum_facts(node.sum)
    return Figure(
        id=f"energy.{meter.id}",
        kind=Kind.ENERGY,
        label=meter.name,
        value=None if wh is None else Fraction(wh, 1000),
        unit="kWh",
        digits=0,
        not_summed=(f"{meter.id} ({meter.name.en}): {lacks(energy, site.tz)}",),
        facts={
            "site": site.id,
            "point": node.point,
            "role": site.network.role(node.meter).value,
            "parent": node.parent,
            "meter": {
                "id": meter.id,
                "name": meter.name.json(),
                "process": meter.process,
                "current": node.current.value,
            },
        }
        | facts,
        inputs=() if node.sum is None else tuple(f"energy.{part}" for _, part in _there(site, node.sum)),
    )


def _there(site: SiteInputs, sum_: Sum) -> list[tuple[int, str]]:
    """Return the parts of a virtual meter that are in the network in the month."""
    return [(sign, part) for sign, part in sum_.signed if part in site.network.meters]


def _sum_facts(sum_: Sum) -> dict[str, Json]:
    """Return what a virtual meter is made of, in the place of registers."""
    return {
        "resolution": None,
        "boundaries": [],
        "sum": {
            "plus": list(sum_.plus),
            "minus": list(sum_.minus),
            "losses_percent": exact_text(sum_.losses * 100),
        },
    }


def emission_figure(energy: Figure, meter_id: str, grid: GridFactor) -> Figure:
    """Return the CO2 of a boundary meter's energy."""
    return Figure(
        id=f"co2.scope2.{meter_id}",
        kind=Kind.EMISSION,
        label=labels.CO2.of(energy.label),
        value=grid.co2_t(energy.value),
        unit="t",
        digits=0,
        inputs=(energy.id, grid.figure.id),
        not_summed=missing((energy, grid.figure)),
        facts={"site": energy.facts["site"], "amount": energy.id, "factor": grid.figure.id},
    )


def balance_figures(site: SiteInputs) -> tuple[Figure, ...]:
    """Return parent − children of each meter that feeds others, by parent."""
    found = sorted(balances(site.network, site.energies), key=lambda balance: balance.parent)
    return tuple(_balance_figure(site, balance) for balance in found)


def _balance_figure(site: SiteInputs, balance: Balance) -> Figure:
    parent, children = balance.parent, sorted(balance.children)
    parent_energy = site.energies.get(site.network.node(parent).point)
    parent_wh = None if parent_energy is None else parent_energy.wh
    percent = _percent(balance.difference_wh, parent_wh)
    limit_percent = _percent(balance.limit_wh, parent_wh)
    return Figure(
        id=f"balance.{parent}",
        kind=Kind.BALANCE,
        label=site.meter(parent).name.minus_children(),
        value=None if balance.difference_wh is None else Fraction(balance.difference_wh, 1000),
        unit="kWh",
        digits=0,
        inputs=tuple(f"energy.{meter}" for meter in (parent, *children)),
        not_summed=tuple(
            f"{meter} ({site.meter(meter).name.en}): no energy" for meter in sorted(balance.missing)
        ),
        facts={
            "site": site.id,
            "balance_kind": balance.kind.value,
            "parent": parent,
            "children": children,
            "difference_wh": balance.difference_wh,
            "limit_wh": balance.limit_wh,
            "percent": optional_text(percent),
            "percent_printed": None if percent is None else printed(percent, 2),
            "limit_percent": optional_text(limit_percent),
            "limit_percent_printed": None if limit_percent is None else printed(limit_percent, 2),
            "ok": balance.ok,
            "events": [
                {
                    "kind": event.kind.value,
                    "meter": event.meter,
                    "excess_wh": event.excess_wh,
                    "limit_wh": event.limit_wh,
                }
                for event in balance.events
            ],
        },
    )


def completeness_figure(inputs: StatementInputs, boundary: Sequence[Figure], grid: GridFactor) -> Figure:
    """Return the share of the boundary set's time that is covered, and the bound on what is unproven.

    Rounded so that neither claims too much: the share down, the bound up.
    """
    energies = [
        site.energies.get(site.network.node(meter).point)
        for site in inputs.sites
        for meter in site.network.boundary
    ]
    covered = sum(energy.half_hours_covered for energy in energies if energy is not None)
    expected = sum(inputs.half_hours if energy is None else energy.half_hours for energy in energies)
    bounds = [
        energy.unproven_wh for energy in energies if energy is not None and energy.unproven_wh is not None
    ]
    unproven_wh = sum(bounds) if len(bounds) == len(energies) else None
    unproven_kwh = None if unproven_wh is None else Fraction(unproven_wh, 1000)
    unproven_t = grid.co2_t(unproven_kwh)
    share = Fraction(covered, expected)
    return Figure(
        id="completeness",
        kind=Kind.COMPLETENESS,
        label=labels.COMPLETENESS,
        value=share * 100,
        unit="%",
        digits=2,
        rounding=Rounding.DOWN,
        inputs=tuple(sorted(figure.id for figure in boundary)),
        facts={
            "half_hours": {"covered": covered, "expected": expected},
            "share": exact_text(share),
            "unproven_wh": unproven_wh,
            "unproven_kwh_printed": None if unproven_kwh is None else _bound(unproven_kwh, 0),
            "unproven_t": optional_text(unproven_t),
            "unproven_t_printed": None if unproven_t is None else _bound(unproven_t, 2),
        },
    )


def _percent(part_wh: int | None, whole_wh: int | None) -> Fraction | None:
    return Fraction(part_wh * 100, whole_wh) if part_wh is not None and whole_wh else None


def _bound(value: Fraction, digits: int) -> str:
    return printed(value, digits, rounding=Rounding.UP)
