"""A works: its meters as a tree, what feeds scope 2, who bears it, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field

from config.broker import SiteId
from config.network import NetworkMeter, VirtualMeter
from config.strict import Id, Loc, Model, Names, NotNegativeExact, Problem, TimeZone
from core.carbon.rounding import exact_text
from core.metering.network_rules import Fault, faults
from core.metering.nodes import Node

Shares = Annotated[dict[Id, NotNegativeExact], Field(min_length=1)]
"""Product → exact share [1]; all of them sum to 1."""

Source = Literal["meter", "bill", "slips"]
"""What is authoritative for an activity."""


class Allocation(Model):
    """Who bears the site's energy and fuel: shares by meter, of the remainder, and of fuel by process."""

    meters: dict[Id, Shares] = Field(default_factory=dict)
    remainder: Shares | None = None
    fuels: dict[Id, Shares] = Field(default_factory=dict)

    def shares(self) -> Iterator[tuple[Loc, Mapping[str, Fraction]]]:
        """Yield each set of shares and where it stands."""
        yield from ((("meters", name), shares) for name, shares in self.meters.items())
        if self.remainder is not None:
            yield ("remainder",), self.remainder
        yield from ((("fuels", name), shares) for name, shares in self.fuels.items())


class Exclusion(Model):
    """Something that the figures leave out, and why."""

    what: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]


class SiteRecord(Model):
    """A works.

    Attributes
    ----------
    grid_area
        The grid that it buys from, as the energy law's report asks.
    boundary
        Ids of the meters that feed scope 2.
    sources
        Meter or fuel-burning process → what is authoritative for it; without one ``meter`` and ``slips``.
    exclusions
        What its figures leave out.
    """

    id: SiteId
    name: Names
    time_zone: TimeZone
    grid_area: Id | None = None
    boundary: Annotated[tuple[Id, ...], Field(min_length=1)]
    meters: Annotated[tuple[NetworkMeter, ...], Field(min_length=1)]
    virtual: tuple[VirtualMeter, ...] = ()
    allocation: Allocation | None = None
    sources: dict[Id, Source] = Field(default_factory=dict)
    exclusions: tuple[Exclusion, ...] = ()

    @property
    def named(self) -> tuple[NetworkMeter | VirtualMeter, ...]:
        """All meters, the virtual ones last."""
        return (*self.meters, *self.virtual)

    def source(self, name: str) -> Source:
        """Return what is authoritative for a meter or a fuel-burning process."""
        if name in self.sources:
            return self.sources[name]
        return "meter" if any(meter.id == name for meter in self.named) else "slips"

    def nodes(self) -> tuple[Node, ...]:
        """Return all meters in all their places; raises as `NetworkMeter.nodes`."""
        direct = {meter.id: meter.current == "dc" for meter in self.meters}
        for each in self.virtual:  # of sums of sums: in the order of the file
            direct[each.id] = all(direct.get(part, False) for part in each.plus)
        placed = (node for meter in self.meters for node in meter.nodes(self.time_zone))
        return (*placed, *(each.node(direct[each.id]) for each in self.virtual))

    def problems_at(self, loc: Loc, products: Mapping[str, Names]) -> Iterator[Problem]:
        """Yield what is wrong with this site alone."""
        misplaced: list[Problem] = []
        for index, meter in enumerate(self.meters):
            yield from meter.problems_at((*loc, "meters", index))
            yield from meter.time_problems((*loc, "meters", index), self.time_zone)
            misplaced += meter.place_problems((*loc, "meters", index), self.time_zone)
        yield from misplaced
        if not misplaced:
            yield from (
                self._placed(loc, fault) for fault in faults(self.nodes(), self.boundary, self.time_zone)
            )
        known = {meter.id for meter in self.named}
        if self.allocation is not None:
            yield from self._shares((*loc, "allocation"), self.allocation, known, products)
        for name, source in self.sources.items():
            if (name in known) == (source == "slips"):
                yield Problem(
                    (*loc, "sources", name),
                    f"{'A meter' if name in known else 'What is no meter'} has no source {source}.",
                    name,
                    next="write meter or bill for a meter, slips for a process that burns fuel",
                )

    def _placed(self, loc: Loc, fault: Fault) -> Problem:
        """Return what is wrong with the network as a problem of the document."""
        at: Loc = loc
        if fault.key == "boundary":
            last = len(self.boundary) - 1 - self.boundary[::-1].index(fault.meter)
            at = (*loc, "boundary", last)
        else:
            for number, meter in enumerate(self.named):
                if meter.id == fault.meter:
                    virtual = number - len(self.meters)
                    place = ("meters", number) if virtual < 0 else ("virtual", virtual)
                    at = (*loc, *place, fault.key) if fault.key else (*loc, *place)
        return Problem(
            at, f"{fault.what[:1].upper()}{fault.what[1:]}.", fault.evidence, fault.cause, fault.next
        )

    @staticmethod
    def _shares(
        loc: Loc, allocation: Allocation, meters: set[str], products: Mapping[str, Names]
    ) -> Iterator[Problem]:
        for name in allocation.meters:
            if name not in meters:
                yield Problem((*loc, "meters", name), "There is no such meter.", name)
        for at, shares in allocation.shares():
            total = sum(shares.values(), Fraction(0))
            if total != 1:
                yield Problem(
                    (*loc, *at),
                    "The shares do not sum to 1.",
                    evidence=" + ".join(map(exact_text, shares.values())) + f" = {exact_text(total)}",
                    next='mend the shares; thirds are written "1/3"',
                )
            for product in shares:
                if product not in products:
                    yield Problem(
                        (*loc, *at, product),
                        "There is no such product.",
                        product,
                        next=f"one of: {', '.join(products) or 'none yet; add it under products'}",
                    )
