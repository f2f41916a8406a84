"""A network as it stands at one instant, and how often a set of its meters counts the same energy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.metering.nodes import Node


def counted_twice(nodes: Sequence[Node], meters: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each meter of a set whose energy another one of it counts too, and what shows it.

    Parameters
    ----------
    nodes
        A network without faults.
    meters
        Ids of meters in it.
    """
    for start_ms in sorted({node.since_ms for node in nodes}):
        standing = {node.meter: node for node in nodes if node.stands(start_ms)}
        yield from Standing(standing).twice(meters)


@dataclass(frozen=True, slots=True)
class Standing:
    """The network at one instant: its meters by id, without circles."""

    nodes: Mapping[str, Node]

    def twice(self, meters: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yield each meter of a set whose energy another one of it counts too, and what shows it."""
        by_member = {meter: self.leaves(meter) for meter in meters if meter in self.nodes}
        net = net_of(each for leaves in by_member.values() for each in leaves)
        for meter, leaves in by_member.items():
            for sign, leaf in leaves:
                if sign < 0 or self.cover(leaf, net) <= 1:
                    continue
                beside = [each for each in by_member if each != meter and (1, leaf) in by_member[each]]
                if beside:
                    yield meter, f"{leaf} is in {beside[0]}" + ("" if leaf == meter else f" and in {meter}")
                elif net[leaf] > 1:
                    yield meter, f"{leaf} is in {meter} more than once"
                else:
                    yield meter, f"{leaf} stands behind {self._above(leaf, net)}"

    def cover(self, meter: str, net: Mapping[str, int]) -> int:
        """Return how often a set counts the energy that flows through a meter."""
        node = self.nodes[meter]
        if node.sum is not None:
            parts = (part for part in node.sum.plus if part in self.nodes)
            return max((self.cover(part, net) for part in parts), default=0)
        if node.parent is None:
            return net.get(meter, 0)
        return net.get(meter, 0) + self.cover(node.parent, net)

    def _above(self, meter: str, net: Mapping[str, int]) -> str:
        """Return the nearest meter above that a set counts too."""
        node = self.nodes[meter]
        parts = node.sum.plus if node.sum is not None else () if node.parent is None else (node.parent,)
        for part in parts:
            if net.get(part, 0) > 0:
                return part
            if part in self.nodes and (found := self._above(part, net)):
                return found
        return ""

    def leaves(self, meter: str) -> list[tuple[int, str]]:
        """Return the physical meters of a meter that stand now, each with +1 or -1."""
        node = self.nodes.get(meter)
        if node is None:
            return []
        if node.sum is None:
            return [(1, meter)]
        return [(sign * each, leaf) for sign, part in node.sum.signed for each, leaf in self.leaves(part)]

    def parts(self, meter: str, seen: set[str]) -> set[str]:
        """Return all meters that a virtual one is made of, at any depth."""
        node = self.nodes[meter]
        for _, part in () if node.sum is None else node.sum.signed:
            if part in self.nodes and part not in seen:
                seen.add(part)
                self.parts(part, seen)
        return seen


def net_of(leaves: Iterable[tuple[int, str]]) -> dict[str, int]:
    """Return how often each physical meter is added, less how often it is taken off."""
    net: dict[str, int] = {}
    for sign, leaf in leaves:
        net[leaf] = net.get(leaf, 0) + sign
    return net
