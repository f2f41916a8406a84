"""One site's meters as a tree: which feed scope 2, which only allocate, and whether they agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from core.errors import DataError
from core.metering.energy import IntervalEnergy
from core.metering.installations import class_error
from core.metering.quantities import Quantity, Unit


class Current(StrEnum):
    """Alternating or direct current."""

    AC = "ac"
    DC = "dc"


class Role(StrEnum):
    """What a meter's energy counts for."""

    BOUNDARY = "boundary"
    SUB = "sub"
    DC = "dc"


@dataclass(frozen=True, slots=True)
class Node:
    """A meter in the network.

    Parameters
    ----------
    meter
        Id of the meter.
    quantity
        The energy it counts.
    current
        Alternating or direct.
    parent
        Id of the meter that feeds it; None at the top.
    """

    meter: str
    quantity: Quantity = Quantity.ACTIVE_ENERGY_IMPORT
    current: Current = Current.AC
    parent: str | None = None

    @property
    def point(self) -> str:
        """Id of its point."""
        return f"{self.meter}.{self.quantity}"


@dataclass(frozen=True, slots=True)
class Network:
    """The meters of one site and the set of them that feeds scope 2.

    Parameters
    ----------
    nodes
        All meters, each once.
    boundary
        Ids of the meters that feed scope 2, each once; none of them stands behind another.

    Raises
    ------
    DataError
        If a meter stands twice, has an unknown parent, is its own ancestor or counts no energy; if the
        boundary set names a meter twice or an unknown one, one of direct current or that does not count
        active energy import, or one that stands behind another of the set, whose energy would count twice.
    """

    nodes: tuple[Node, ...]
    boundary: tuple[str, ...]

    def __post_init__(self) -> None:
        meters = [node.meter for node in self.nodes]
        for meter in _repeated(meters):
            raise DataError("a meter stands twice in the network", where=meter)
        for meter in _repeated(self.boundary):
            raise DataError("a meter stands twice in the boundary set", where=meter)
        for node in self.nodes:
            if node.quantity.unit is not Unit.WH:
                raise DataError(
                    "a meter of the network counts no energy", where=node.meter, evidence=node.quantity
                )
            if node.parent is not None and node.parent not in meters:
                raise DataError("the parent of a meter is unknown", where=node.meter, evidence=node.parent)
        for node in self.nodes:
            self._ancestors(node)
        for meter in self.boundary:
            if meter not in meters:
                raise DataError("the boundary set names an unknown meter", where=meter)
            self._check_boundary(self.node(meter))

    def node(self, meter: str) -> Node:
        """Return a meter's node.

        Raises
        ------
        DataError
            If the meter is not in the network.
        """
        for node in self.nodes:
            if node.meter == meter:
                return node
        raise DataError("a meter is not in the network", where=meter)

    def children(self, meter: str) -> tuple[Node, ...]:
        """Return the meters fed by one, in the network's order."""
        return tuple(node for node in self.nodes if node.parent == meter)

    def role(self, meter: str) -> Role:
        """Return what a meter's energy counts for.

        Raises
        ------
        DataError
            If the meter is not in the network.
        """
        if self.node(meter).current is Current.DC:
            return Role.DC
        return Role.BOUNDARY if meter in self.boundary else Role.SUB

    def _ancestors(self, node: Node) -> list[str]:
        ancestors: list[str] = []
        while node.parent is not None:
            ancestors.append(node.parent)
            if len(ancestors) > len(self.nodes):
                raise DataError("a meter feeds itself", where=node.meter, evidence=" < ".join(ancestors[:6]))
            node = self.node(node.parent)
        return ancestors

    def _check_boundary(self, node: Node) -> None:
        if node.current is Current.DC:
            raise DataError(
                "direct current in the boundary set",
                where=node.meter,
                cause="its energy is already counted before the rectifier",
                next="put the AC meter that feeds it into the boundary set",
            )
        if node.quantity is not Quantity.ACTIVE_ENERGY_IMPORT:
            raise DataError(
                "the boundary set counts active energy import", where=node.meter, evidence=node.quantity
            )
        for ancestor in self._ancestors(node):
            if ancestor in self.boundary:
                raise DataError(
                    "energy would count twice: a boundary meter stands behind another",
                    where=node.meter,
                    evidence=f"it is fed by {ancestor}",
                    next="keep one of the two in the boundary set",
                )


class BalanceKind(StrEnum):
    """What stands between a meter and its children."""

    REMAINDER = "remainder"
    RECTIFIER = "rectifier"


@dataclass(frozen=True, slots=True)
class Balance:
    """A meter against the sum of those it feeds.

    Parameters
    ----------
    parent, children
        Ids of the meters.
    kind
        Rectifier where a child counts direct current: the difference holds the rectifier's loss.
    difference_wh
        Parent less children [Wh], of any sign; None while one of them is missing.
    limit_wh
        What the accuracy classes and the unproven energy of all of them explain [Wh], rounded up; None
        while one is missing or an accuracy class is not known.
    ok
        Whether the difference lies within the limit; a rectifier's may be larger, its loss is not an
        error. None while it cannot be told.
    missing
        Ids of the meters without energy.
    """

    parent: str
    children: tuple[str, ...]
    kind: BalanceKind
    difference_wh: int | None
    limit_wh: int | None
    ok: bool | None
    missing: tuple[str, ...]


def balances(network: Network, energies: Mapping[str, IntervalEnergy]) -> tuple[Balance, ...]:
    """Return the balance of each meter that feeds others, in the network's order.

    Parameters
    ----------
    network
        The site's meters.
    energies
        Energy by id of point, all of one interval.

    Raises
    ------
    DataError
        If an accuracy class is not known.
    """
    return tuple(
        _balance(node, children, energies)
        for node in network.nodes
        if (children := network.children(node.meter))
    )


def _balance(parent: Node, children: tuple[Node, ...], energies: Mapping[str, IntervalEnergy]) -> Balance:
    kind = (
        BalanceKind.RECTIFIER
        if parent.current is Current.AC and any(child.current is Current.DC for child in children)
        else BalanceKind.REMAINDER
    )
    names = tuple(child.meter for child in children)
    missing: list[str] = []
    wh: list[int] = []
    limits: list[int | None] = []
    for node in (parent, *children):
        energy = energies.get(node.point)
        if energy is None or energy.wh is None:
            missing.append(node.meter)
        else:
            wh.append(energy.wh)
            limits.append(_limit_wh(energy))
    if missing:
        return Balance(parent.meter, names, kind, None, None, None, tuple(missing))
    difference = wh[0] - sum(wh[1:])
    known = [limit for limit in limits if limit is not None]
    if len(known) < len(limits):
        return Balance(parent.meter, names, kind, difference, None, None, ())
    limit = sum(known)
    ok = difference >= -limit and (kind is BalanceKind.RECTIFIER or difference <= limit)
    return Balance(parent.meter, names, kind, difference, limit, ok, ())


def _limit_wh(energy: IntervalEnergy) -> int | None:
    """Return what a meter's class and brackets may be off [Wh]; None where its class is not known."""
    errors = [each.accuracy_class and class_error(each.accuracy_class) for each in energy.installations]
    if energy.wh is None or energy.unproven_wh is None or not all(errors):
        return None
    return ceil(energy.wh * max(error for error in errors if error)) + energy.unproven_wh


def _repeated(names: tuple[str, ...] | list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
