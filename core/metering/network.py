"""One site's meters as a dated tree: which feed scope 2, which only allocate, which are sums of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from core.errors import DataError
from core.metering.network_rules import faults
from core.metering.nodes import Current as Current
from core.metering.nodes import Node as Node
from core.metering.nodes import Sum as Sum
from core.timeline import Interval


class Role(StrEnum):
    """What a meter's energy counts for."""

    BOUNDARY = "boundary"
    SUB = "sub"
    DC = "dc"


@dataclass(frozen=True, slots=True)
class Term:
    """One physical meter in a virtual one: energy × factor is added (+1) or taken off (-1)."""

    sign: int
    factor: Fraction
    node: Node


@dataclass(frozen=True, slots=True)
class Network:
    """The meters of one site and the set of them that feeds scope 2.

    Parameters
    ----------
    nodes
        All meters; one that was moved has a node for each of its places, at times of their own.
    boundary
        Ids of the meters that feed scope 2.

    Raises
    ------
    DataError
        If the network contradicts itself or counts energy twice: `core.metering.network_rules`.
    """

    nodes: tuple[Node, ...]
    boundary: tuple[str, ...]
    _by_meter: dict[str, tuple[Node, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_meter", _by_meter(self.nodes))
        for fault in faults(self.nodes, self.boundary):
            raise DataError(
                fault.what, where=fault.meter, evidence=fault.evidence, cause=fault.cause, next=fault.next
            )

    @property
    def meters(self) -> tuple[str, ...]:
        """Ids of all meters, each once, in the network's order."""
        return tuple(self._by_meter)

    def places(self, meter: str) -> tuple[Node, ...]:
        """Return a meter's places, oldest first.

        Raises
        ------
        DataError
            If the meter is not in the network.
        """
        if meter not in self._by_meter:
            raise DataError("a meter is not in the network", where=meter)
        return tuple(sorted(self._by_meter[meter], key=lambda each: each.since_ms))

    def node(self, meter: str) -> Node:
        """Return a meter's latest place; raises as `places`."""
        return self.places(meter)[-1]

    def children(self, meter: str) -> tuple[Node, ...]:
        """Return the places that one meter feeds, in the network's order."""
        return tuple(node for node in self.nodes if node.parent == meter)

    def role(self, meter: str) -> Role:
        """Return what a meter's energy counts for; raises as `places`."""
        if self.node(meter).current is Current.DC:
            return Role.DC
        return Role.BOUNDARY if meter in self.boundary else Role.SUB

    def above(self, meter: str) -> frozenset[str]:
        """Return the meters that feed one, at any distance and in any of its places; raises as `places`.

        A virtual meter feeds what stands below it through those that it adds.
        """
        found: set[str] = set()
        left = [meter]
        while left:
            for place in self._by_meter.get(left.pop(), ()):
                over = (() if place.parent is None else (place.parent,)) + (
                    () if place.sum is None else place.sum.plus
                )
                left += [each for each in over if each not in found]
                found.update(over)
        return frozenset(found)

    def bought(self, meter: str) -> bool:
        """Tell whether a meter's energy came through the boundary set; raises as `places`."""
        gates = {term.node.meter for each in self.boundary for term in self.terms(each)} | {*self.boundary}
        return all(
            term.node.meter in gates or not gates.isdisjoint(self.above(term.node.meter))
            for term in self.terms(meter)
            if term.sign > 0
        )

    def during(self, interval: Interval) -> Network:
        """Return what of it stands in an interval."""
        nodes = tuple(node for node in self.nodes if node.within(interval) is not None)
        if len(nodes) == len(self.nodes):
            return self
        part = object.__new__(Network)  # judged as a whole; a part may lack what was there earlier or later
        object.__setattr__(part, "nodes", nodes)
        object.__setattr__(part, "_by_meter", _by_meter(nodes))
        there = part.meters
        object.__setattr__(part, "boundary", tuple(meter for meter in self.boundary if meter in there))
        return part

    def key(self, place: Node) -> str:
        """Return what names the energy of a place: the point, and its start for a meter that was moved."""
        moved = len(self._by_meter[place.meter]) > 1
        return f"{place.point}@{place.start_ms}" if moved else place.point

    def span(self, meter: str, interval: Interval) -> Interval | None:
        """Return the part of an interval in which a meter is in the network; raises as `places`."""
        parts = [part for node in self.places(meter) if (part := node.within(interval)) is not None]
        return Interval(parts[0].start_ms, parts[-1].end_ms) if parts else None

    def keyed(self, interval: Interval) -> dict[str, Interval]:
        """Return the part of an interval that each energy is of, by point and by `key`."""
        found: dict[str, Interval] = {}
        for node in self.nodes:
            for name, part in (
                (self.key(node), node.within(interval)),
                (node.point, self.span(node.meter, interval)),
            ):
                if part is not None:
                    found[name] = part
        return found

    def terms(self, meter: str) -> tuple[Term, ...]:
        """Return the physical meters that make up a meter's energy: itself, unless it is virtual."""
        return tuple(self._terms(meter, 1, Fraction(1)))

    def _terms(self, meter: str, sign: int, factor: Fraction) -> Iterator[Term]:
        node = self.node(meter)
        if node.sum is None:
            yield Term(sign, factor, node)
            return
        for each, part in node.sum.signed:
            if part in self._by_meter:
                yield from self._terms(part, sign * each, factor * (1 + node.sum.losses))


def _by_meter(nodes: Iterable[Node]) -> dict[str, tuple[Node, ...]]:
    found: dict[str, tuple[Node, ...]] = {}
    for node in nodes:
        found[node.meter] = (*found.get(node.meter, ()), node)
    return found
