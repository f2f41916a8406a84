"""A month's statement: a pure function of what is known about the month.

Every figure carries the figures it was made of, down to boundary registers, installations, factors and
documents. The same inputs give the same bytes, in whatever order they come.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from core.carbon import labels
from core.carbon.electricity import (
    GridFactor,
    balance_figures,
    completeness_figure,
    emission_figure,
    energy_figure,
    grid_factor,
)
from core.carbon.factors import FactorStatus
from core.carbon.figures import Figure, Json, Kind, optional_text, total
from core.carbon.fuels import FuelUse, fuel_uses
from core.carbon.inputs import SiteInputs, StatementInputs
from core.carbon.intensities import Part, intensity_figure, parts, remainder_figure, unreported
from core.carbon.labels import Label
from core.carbon.production import production_figures
from core.carbon.registers import newest_ms
from core.carbon.rounding import printed
from core.carbon.targets import change
from core.timeline import format_local

SCHEMA: Final = "seiren.statement/1"
METHOD: Final = "seiren.method/1"
"""Changes whenever the same inputs would give another figure."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A month in figures.

    Attributes
    ----------
    header
        Month, company, status and what else stands above the figures.
    figures
        By id.
    tables
        Name → ids of figures, in the order in which they are shown.
    """

    header: Mapping[str, Json]
    figures: Mapping[str, Figure]
    tables: Mapping[str, tuple[str, ...]]


def build(inputs: StatementInputs) -> Statement:
    """Return the statement of a month.

    Parameters
    ----------
    inputs
        Everything it depends on.

    Raises
    ------
    DataError
        If parts of the inputs do not belong together. What is missing is no error: it leaves the figures
        that need it without a value, and they say what it is.
    """
    inputs.check()
    sites = sorted(inputs.sites, key=lambda site: site.id)
    grid = grid_factor(inputs)
    uses = fuel_uses(inputs)
    energies = {
        node.meter: energy_figure(site, node, inputs.half_hours)
        for site in sites
        for node in site.network.nodes
    }
    boundary = [energies[meter] for site in sites for meter in sorted(site.network.boundary)]
    purchased = [
        emission_figure(energies[meter], meter, grid) for site in sites for meter in site.network.boundary
    ]
    balances = [figure for site in sites for figure in balance_figures(site)]
    scope1 = total(
        id="co2.scope1",
        kind=Kind.SCOPE,
        label=labels.SCOPE_1,
        unit="t",
        digits=0,
        parts=[use.emission for use in uses],
        lacking=_unreported(inputs, sites),
    )
    scope2 = total(
        id="co2.scope2", kind=Kind.SCOPE, label=labels.SCOPE_2, unit="t", digits=0, parts=purchased
    )
    co2 = total(id="co2", kind=Kind.TOTAL, label=labels.TOTAL, unit="t", digits=0, parts=(scope1, scope2))
    production = production_figures(inputs)
    remainders, shared = _shared(inputs, sites, grid, energies, uses)
    intensities = [
        intensity_figure(figure, product, shared)
        for product, figure in zip(sorted(inputs.products), production, strict=True)
    ]
    target = [_target(inputs, each.co2_t, co2) for each in inputs.targets if each.month == inputs.month]
    figures = [
        *(co2, scope1, scope2, grid.figure, completeness_figure(inputs, boundary, grid)),
        *(figure for use in uses for figure in (use.fuel, use.factor, use.emission)),
        *(*energies.values(), *purchased, *balances, *remainders, *production, *intensities, *target),
    ]
    return Statement(
        header=_header(inputs, grid, uses),
        figures={figure.id: figure for figure in sorted(figures, key=lambda figure: figure.id)},
        tables={
            "scopes": (scope2.id, scope1.id),
            "electricity": tuple(figure for site in sites for figure in _tree(site, energies)),
            "fuels": tuple(use.emission.id for use in sorted(uses, key=_by_size)),
            "intensities": tuple(figure.id for figure in intensities),
            "balances": tuple(figure.id for figure in balances),
            "targets": tuple(figure.id for figure in target),
            "production": tuple(figure.id for figure in production),
        },
    )


def to_json(statement: Statement) -> bytes:
    """Return a statement as canonical JSON: keys sorted, UTF-8, two spaces, one newline at the end."""
    document: dict[str, Json] = dict(statement.header)
    document["figures"] = {name: figure.json() for name, figure in statement.figures.items()}
    document["tables"] = {name: list(ids) for name, ids in statement.tables.items()}
    return (json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def _header(inputs: StatementInputs, grid: GridFactor, uses: Iterable[FuelUse]) -> dict[str, Json]:
    newest = newest_ms(energy for site in inputs.sites for energy in site.energies.values())
    return {
        "schema": SCHEMA,
        "method": METHOD,
        "month": inputs.month,
        "fiscal_year": inputs.fiscal_year,
        "interval": {
            "start": format_local(inputs.interval.start_ms, inputs.tz),
            "end": format_local(inputs.interval.end_ms, inputs.tz),
            "time_zone": inputs.tz.key,
        },
        "company": inputs.company.json(),
        "sites": {site.id: site.name.json() for site in inputs.sites},
        "synthetic": inputs.synthetic,
        "as_of": None if newest is None else format_local(newest, inputs.tz),
        "status": _status(inputs, grid, uses),
        "plan": None
        if inputs.plan is None
        else {"version": inputs.plan.version, "digest": inputs.plan.digest},
        "basis": {"id": inputs.electricity.id, **inputs.electricity.name.json()},
    }


def _status(inputs: StatementInputs, grid: GridFactor, uses: Iterable[FuelUse]) -> dict[str, Json]:
    """Return how final the month is, and why it is not."""
    statuses = {grid.figure.id: grid.status} | {use.factor.id: use.status for use in uses}
    provisional = sorted(id for id, status in statuses.items() if status is FactorStatus.PROVISIONAL)
    reasons = [] if inputs.closed else [labels.ACTIVITY_OPEN]
    reasons += [Label(f"{id}が未確定", f"{id} is not final") for id in provisional]
    return {
        "activity": "closed" if inputs.closed else "open",
        "factors": (FactorStatus.PROVISIONAL if provisional else FactorStatus.FINAL).value,
        "month": "provisional" if reasons else "final",
        "reasons": [reason.json() for reason in reasons],
    }


def _unreported(inputs: StatementInputs, sites: Iterable[SiteInputs]) -> tuple[str, ...]:
    told = {(line.site, line.process) for line in inputs.fuels}
    return tuple(
        unreported(site, process, inputs.month)
        for site in sites
        for process in sorted(site.allocation.fuels if site.allocation is not None else ())
        if (site.id, process) not in told
    )


def _shared(
    inputs: StatementInputs,
    sites: Iterable[SiteInputs],
    grid: GridFactor,
    energies: Mapping[str, Figure],
    uses: tuple[FuelUse, ...],
) -> tuple[list[Figure], list[Part]]:
    """Return the remainder of each site with an allocation, and what the products share."""
    remainders: list[Figure] = []
    shared: list[Part] = []
    for site in sites:
        if site.allocation is None:
            continue
        remainder = remainder_figure(site, site.allocation, energies)
        remainders.append(remainder)
        shared += parts(
            site,
            site.allocation,
            month=inputs.month,
            grid=grid,
            energies=energies,
            remainder=remainder,
            uses=uses,
        )
    return remainders, shared


def _target(inputs: StatementInputs, target_t: Fraction, co2: Figure) -> Figure:
    """Return the month's target and how far the actual is from it."""
    delta = None if co2.value is None else co2.value - target_t
    percent = None if co2.value is None else change(co2.value, target_t) * 100
    return Figure(
        id="target.month",
        kind=Kind.TARGET,
        label=labels.TARGET,
        value=target_t,
        unit="t",
        digits=0,
        inputs=(co2.id,),
        facts={
            "month": inputs.month,
            "actual": co2.id,
            "delta": optional_text(delta),
            "delta_printed": None if delta is None else printed(delta, 0, signed=True),
            "delta_percent": optional_text(percent),
            "delta_percent_printed": None if percent is None else printed(percent, 1, signed=True),
        },
    )


def _tree(site: SiteInputs, energies: Mapping[str, Figure]) -> list[str]:
    """Return a site's energies: boundary set first, each meter before what it feeds, the largest first."""

    def below(meters: Iterable[str]) -> list[str]:
        ordered = sorted((energies[meter] for meter in meters), key=_largest_first)
        ids: list[str] = []
        for figure in ordered:
            meter = figure.id.removeprefix("energy.")
            ids += [figure.id, *below(node.meter for node in site.network.children(meter))]
        return ids

    tops = [node.meter for node in site.network.nodes if node.parent is None]
    return below(meter for meter in tops if meter in site.network.boundary) + below(
        meter for meter in tops if meter not in site.network.boundary
    )


def _by_size(use: FuelUse) -> tuple[bool, Fraction, str]:
    return _largest_first(use.emission)


def _largest_first(figure: Figure) -> tuple[bool, Fraction, str]:
    return figure.value is None, -(figure.value or Fraction(0)), figure.id
