"""The electricity and CO2 that each product bears, per tonne of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from core.carbon import labels
from core.carbon.allocation import Allocation, Shares
from core.carbon.electricity import GridFactor
from core.carbon.figures import Figure, Json, Kind, missing, optional_text
from core.carbon.fuels import FuelUse
from core.carbon.inputs import SiteInputs
from core.carbon.rounding import exact_text, printed


@dataclass(frozen=True, slots=True)
class Part:
    """What products share: a meter's energy, a remainder, or one process's part of a fuel.

    Attributes
    ----------
    inputs
        The figures it is made of; it is missing when one of them has no value.
    kwh
        Electricity [kWh]; `None` for a fuel, or when missing.
    co2_t
        Its CO2 [t]; `None` when missing.
    lacking
        What is missing of it besides its figures, in words.
    """

    inputs: tuple[Figure, ...]
    shares: Shares
    kwh: Fraction | None = None
    co2_t: Fraction | None = None
    process: str | None = None
    lacking: tuple[str, ...] = ()

    def term(self, product: str) -> dict[str, Json]:
        """Return what a product bears of it, as it stands under the intensity."""
        share = self.shares[product]
        return {
            "figure": self.inputs[0].id if self.inputs else None,
            "process": self.process,
            "share": exact_text(share),
            "kwh": optional_text(None if self.kwh is None else self.kwh * share),
            "co2_t": optional_text(None if self.co2_t is None else self.co2_t * share),
        }


def remainder_figure(site: SiteInputs, allocation: Allocation, energies: Mapping[str, Figure]) -> Figure:
    """Return what the boundary set took in and no allocated meter measured [kWh], of any sign."""
    boundary, allocated = sorted(site.network.boundary), sorted(allocation.meters)
    taken, measured = [energies[meter] for meter in boundary], [energies[meter] for meter in allocated]
    gaps = missing((*taken, *measured))
    shares = allocation.remainder
    return Figure(
        id=f"remainder.{site.id}",
        kind=Kind.REMAINDER,
        label=labels.REMAINDER.of(site.name),
        value=None if gaps else _added(taken) - _added(measured),
        unit="kWh",
        digits=0,
        inputs=tuple(dict.fromkeys(figure.id for figure in (*taken, *measured))),
        not_summed=gaps,
        facts={
            "site": site.id,
            "boundary": boundary,
            "allocated": allocated,
            "shares": None
            if shares is None
            else {product: exact_text(shares[product]) for product in sorted(shares)},
        },
    )


def parts(
    site: SiteInputs,
    allocation: Allocation,
    *,
    month: str,
    grid: GridFactor,
    energies: Mapping[str, Figure],
    remainder: Figure,
    uses: Sequence[FuelUse],
) -> Iterator[Part]:
    """Yield what a site's products share in a month, by meter and then by fuel.

    Parameters
    ----------
    energies
        By id of meter.
    uses
        Fuel of all sites.
    """
    for meter, shares in sorted(allocation.meters.items()):
        yield _electricity(energies[meter], shares, grid)
    if allocation.remainder is not None:
        yield _electricity(remainder, allocation.remainder, grid)
    told: set[str] = set()
    for use in uses:
        for process in sorted(use.processes if use.site == site.id else ()):
            told.add(process)
            figures = (use.emission,)
            if process in allocation.fuels:
                co2_t = use.co2_t_by_process.get(process)
                yield Part(figures, allocation.fuels[process], co2_t=co2_t, process=process)
            else:
                everyone = {product: Fraction(0) for product in _products(allocation)}
                gap = f"fuel of process {process} at {site.id}: no rule says which product bears it"
                yield Part(figures, everyone, process=process, lacking=(gap,))
    for process in sorted(set(allocation.fuels) - told):
        gap = unreported(site, process, month)
        yield Part((), allocation.fuels[process], process=process, lacking=(gap,))


def unreported(site: SiteInputs, process: str, month: str) -> str:
    """Return in words that a fuel-burning process has no line in a month."""
    return f"fuel of process {process} at {site.id}: no line of {month}"


def intensity_figure(production: Figure, product: str, shared: Sequence[Part]) -> Figure:
    """Return the CO2 and the electricity of a product per tonne, with every term.

    Parameters
    ----------
    production
        How much was made.
    product
        Its id.
    shared
        What all products of all sites share.
    """
    own = [part for part in shared if product in part.shares]
    figures = [production, *(figure for part in own for figure in part.inputs)]
    gaps = [*missing(figures), *(gap for part in own for gap in part.lacking)]
    if not own:
        gaps.append(f"no rule gives anything to {production.label.en}")
    if production.value == 0:
        gaps.append(f"production of {production.label.en} is 0")
    facts: dict[str, Json] = {
        "product": product,
        "production": production.id,
        "terms": [p.term(product) for p in own],
    }
    facts |= {"co2_t": None, "kwh": None, "kwh_per_t": None, "kwh_per_t_printed": None}
    value: Fraction | None = None
    if not gaps and production.value:
        co2_t = sum(
            (part.co2_t * part.shares[product] for part in own if part.co2_t is not None), Fraction(0)
        )
        kwh = sum((part.kwh * part.shares[product] for part in own if part.kwh is not None), Fraction(0))
        value = co2_t / production.value
        facts |= {
            "co2_t": exact_text(co2_t),
            "kwh": exact_text(kwh),
            "kwh_per_t": exact_text(kwh / production.value),
            "kwh_per_t_printed": printed(kwh / production.value, 0),
        }
    return Figure(
        id=f"intensity.{product}",
        kind=Kind.INTENSITY,
        label=labels.INTENSITY.of(production.label),
        value=value,
        unit="t/t",
        digits=3,
        inputs=tuple(sorted({figure.id for figure in figures})),
        not_summed=tuple(dict.fromkeys(gaps)),
        facts=facts,
    )


def _electricity(energy: Figure, shares: Shares, grid: GridFactor) -> Part:
    return Part((energy, grid.figure), shares, kwh=energy.value, co2_t=grid.co2_t(energy.value))


def _products(allocation: Allocation) -> set[str]:
    rules = [*allocation.meters.values(), *allocation.fuels.values(), allocation.remainder or {}]
    return {product for shares in rules for product in shares}


def _added(figures: Sequence[Figure]) -> Fraction:
    return sum((figure.value for figure in figures if figure.value is not None), Fraction(0))
