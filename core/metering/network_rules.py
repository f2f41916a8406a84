"""What no network may be: a contradiction, or a set of meters that counts some energy twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from core.metering.nodes import BEGINNING, Current, Node
from core.metering.quantities import Quantity, Unit
from core.metering.standing import Standing, net_of
from core.timeline import UTC_ZONE, format_local


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a network.

    Parameters
    ----------
    meter
        Id of the meter it is wrong with.
    key
        Where it stands: ``boundary``, or a key of the meter such as ``parent``; empty for the meter itself.
    what, evidence, cause, next
        As in an error.
    """

    meter: str
    key: str
    what: str
    evidence: str = ""
    cause: str = ""
    next: str = ""


def faults(nodes: Sequence[Node], boundary: Sequence[str], zone: ZoneInfo = UTC_ZONE) -> Iterator[Fault]:
    """Yield all that is wrong with a network, each once.

    Parameters
    ----------
    nodes
        All meters, each in each of its places.
    boundary
        Ids of the meters that feed scope 2.
    zone
        Time zone that times are told in.
    """
    found = list(dict.fromkeys(_of_names(nodes, boundary)))
    yield from found
    if found:
        return  # a tree with unknown names or a circle cannot be walked
    told: set[tuple[str, str, str]] = set()
    instants = {node.since_ms for node in nodes} | {node.end_ms for node in nodes if node.end_ms is not None}
    for start_ms in sorted(instants):
        standing = {node.meter: node for node in nodes if node.stands(start_ms)}
        moment = _Moment(standing, tuple(meter for meter in boundary if meter in standing), start_ms, zone)
        circles = tuple(moment.circles())
        for fault in (*moment.unfed(boundary), *circles, *(() if circles else moment.double())):
            if (at := (fault.meter, fault.key, fault.what)) not in told:
                told.add(at)
                yield fault


def _of_names(nodes: Sequence[Node], boundary: Sequence[str]) -> Iterator[Fault]:
    """Yield what is wrong with names, whatever the time."""
    meters = {node.meter: node for node in nodes}
    by_meter: dict[str, list[Node]] = {}
    for each in nodes:
        by_meter.setdefault(each.meter, []).append(each)
    known = f"one of: {', '.join(meters)}"
    for meter in _repeated(boundary):
        yield Fault(meter, "boundary", "a meter stands twice in the boundary set")
    for meter in boundary:
        if meter not in meters:
            yield Fault(meter, "boundary", "the boundary set names an unknown meter", next=known)
    for meter, node in meters.items():
        places = sorted(by_meter[meter], key=lambda each: each.since_ms)
        for earlier, later in pairwise(places):
            if earlier.end_ms is None or earlier.end_ms > later.since_ms:
                yield Fault(meter, "", "a meter stands twice in the network at the same time")
        if node.quantity.unit is not Unit.WH:
            yield Fault(meter, "quantity", "a meter of the network counts no energy", str(node.quantity))
        for place in places:
            if place.parent is not None and place.parent not in meters:
                yield Fault(meter, "parent", "the parent of a meter is unknown", place.parent, next=known)
        if node.sum is not None:
            for sign, part in node.sum.signed:
                if part not in meters:
                    key = "plus" if sign > 0 else "minus"
                    yield Fault(meter, key, "a virtual meter is made of an unknown meter", part, next=known)


_SUM_OF_ITSELF: Final = "a virtual meter is a sum of itself"


@dataclass(frozen=True, slots=True)
class _Moment(Standing):
    """The network as it stands at one instant, judged."""

    boundary: tuple[str, ...]
    time_ms: int
    zone: ZoneInfo

    def circles(self) -> Iterator[Fault]:
        """Yield meters that feed themselves, or are sums of themselves, or whose parent is not there."""
        for meter, node in self.nodes.items():
            if node.parent is not None and node.parent not in self.nodes:
                what = "the parent of a meter is not in the network while it is"
                yield Fault(
                    meter,
                    "parent",
                    what,
                    f"{node.parent} at {self._when()}",
                    next="end it where its parent ends, or say with moves: what feeds it from then on",
                )
            elif chain := self._back_to(meter):
                key = "parent" if node.parent in chain else "plus"
                what = "a meter feeds itself: it is above itself" if key == "parent" else _SUM_OF_ITSELF
                yield Fault(meter, key, what, " < ".join(chain[:7]))

    def _back_to(self, meter: str) -> list[str]:
        """Return the way from a meter over parents and parts back to itself; empty where there is none."""
        ways, seen = [[meter]], {meter}
        while ways:
            way = ways.pop()
            node = self.nodes.get(way[-1])
            over = [] if node is None or node.parent is None else [node.parent]
            over += [] if node is None or node.sum is None else [*node.sum.plus, *node.sum.minus]
            for each in over:
                if each == meter:
                    return [*way, each]
                if each not in seen:
                    seen.add(each)
                    ways.append([*way, each])
        return []

    def unfed(self, whole: Sequence[str]) -> Iterator[Fault]:
        """Yield that nothing feeds scope 2 now, out of a boundary set that is there at other times."""
        if whole and self.nodes and not self.boundary:
            yield Fault(
                whole[-1],
                "boundary",
                "no meter of the boundary set is in the network for a while",
                f"at {self._when()}",
                "what is bought then would count as nothing",
                "let the next meter begin where the last one ends",
            )

    def double(self) -> Iterator[Fault]:
        """Yield what is counted twice, and what may not be counted for scope 2 at all."""
        for meter in self.boundary:
            yield from self._not_for_scope_2(meter)
        yield from self._standing_alone()
        for meter, evidence in self.twice(self.boundary):
            yield Fault(
                meter,
                "boundary",
                "energy would count twice in the boundary set",
                evidence,
                "what flows through the one is measured by the other again",
                "keep one of the two in the boundary set",
            )
        fed: dict[str, list[str]] = {}
        for meter, node in self.nodes.items():
            if node.sum is not None:
                yield from self._sum_twice(meter, node.sum.signed)
            if node.parent is not None:
                fed.setdefault(node.parent, []).append(meter)
        for parent, children in fed.items():
            yield from self._children_twice(parent, children)

    def _not_for_scope_2(self, meter: str) -> Iterator[Fault]:
        for sign, part in self.leaves(meter):
            node, by = self.nodes[part], "" if part == meter else f"{meter} is made of {part}"
            if node.current is Current.DC:
                yield Fault(
                    meter,
                    "boundary",
                    "direct current in the boundary set: a DC meter cannot feed scope 2",
                    by or part,
                    "what is bought is AC; the rectifier's loss would be missing",
                    "put the AC meter that feeds it into the boundary set",
                )
            elif node.integrated:
                yield Fault(
                    meter,
                    "boundary",
                    "energy that is integrated from power in the boundary set",
                    by or part,
                    "it has no register: samples of power prove no energy",
                    "use a meter with a register, or write integrated_in_boundary: true in its record",
                )
            elif sign > 0 and node.quantity is not Quantity.ACTIVE_ENERGY_IMPORT:
                yield Fault(
                    meter,
                    "boundary",
                    "the boundary set counts active energy import",
                    by or str(node.quantity),
                )

    def _standing_alone(self) -> Iterator[Fault]:
        counted = {part for meter in self.boundary for part in (meter, *self.parts(meter, set()))}
        net = net_of(each for meter in self.boundary for each in self.leaves(meter))
        used = {part for meter in self.nodes for part in self.parts(meter, set())}
        for meter, node in self.nodes.items():
            if node.parent is None and node.sum is None and meter not in counted and meter not in used:
                yield Fault(
                    meter,
                    "parent",
                    "the meter hangs in the air: it has no parent and is not in the boundary set",
                    meter,
                    next="name its parent, or put it into the boundary set",
                )
            elif node.parent is not None and meter in self.boundary and not self.cover(node.parent, net):
                yield Fault(
                    meter,
                    "boundary",
                    "a meter of the boundary set has no parent",
                    f"{meter} is below {node.parent}",
                    "what it is fed through would be outside the boundary set",
                )

    def _sum_twice(self, meter: str, parts: Sequence[tuple[int, str]]) -> Iterator[Fault]:
        leaves = [(sign * each, leaf) for sign, part in parts for each, leaf in self.leaves(part)]
        net = net_of(leaves)
        for leaf in net:
            covered = self.cover(leaf, net)
            if covered > 1 or net[leaf] < -1:
                more = abs(net[leaf]) > 1
                yield Fault(
                    meter,
                    "plus" if covered > 1 else "minus",
                    "a virtual meter counts energy twice",
                    f"{leaf} is in it more than once"
                    if more
                    else f"{leaf} stands behind {self._above(leaf, net)}, and both are in it",
                    next="name each meter once, and none together with what it feeds",
                )

    def _children_twice(self, parent: str, fed: Sequence[str]) -> Iterator[Fault]:
        virtual = [meter for meter in fed if self.nodes[meter].sum is not None]
        leaves = [(meter, *leaf) for meter in fed for leaf in self.leaves(meter)] if virtual else []
        net = net_of((sign, leaf) for _, sign, leaf in leaves)
        for meter, sign, leaf in leaves:
            if sign > 0 and self.cover(leaf, net) > 1:
                other = virtual[0] if meter not in virtual else meter
                yield Fault(
                    other,
                    "parent",
                    "the balance of a meter would count energy twice",
                    f"{leaf} is in {other} and beside it below {parent}",
                    next=f"take the parent of {other} out, or make it the parent of what it sums up",
                )

    def _when(self) -> str:
        return "any time" if self.time_ms == BEGINNING else format_local(self.time_ms, self.zone)


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
