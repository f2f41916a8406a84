"""A meter against the sum of those that it feeds, and the energy of a sum of meters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import ceil

from core.metering.boundaries import Boundary, Method
from core.metering.energy import IntervalEnergy
from core.metering.installations import class_error
from core.metering.network import Current, Network, Node
from core.metering.sources import Origin
from core.timeline import Interval
from core.timeline import half_hours as half_hours_of


class BalanceKind(StrEnum):
    """What stands between a meter and its children."""

    REMAINDER = "remainder"
    RECTIFIER = "rectifier"


class EventKind(StrEnum):
    """What cannot be true of a network."""

    NEGATIVE_REMAINDER = "negative_remainder"
    CHILD_ABOVE_PARENT = "child_above_parent"


@dataclass(frozen=True, slots=True)
class BalanceEvent:
    """Something that a meter, a transformer's ratio or the plan has wrong.

    Parameters
    ----------
    kind
        The children together, or one of them, counted more than what feeds them.
    meter
        Id of the parent, or of the child.
    excess_wh
        By how much [Wh], more than the limit.
    limit_wh
        What accuracy classes and unproven energy explain [Wh].
    """

    kind: EventKind
    meter: str
    excess_wh: int
    limit_wh: int


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
    events
        What cannot be true.
    """

    parent: str
    children: tuple[str, ...]
    kind: BalanceKind
    difference_wh: int | None
    limit_wh: int | None
    ok: bool | None
    missing: tuple[str, ...]
    events: tuple[BalanceEvent, ...] = ()


def balances(network: Network, energies: Mapping[str, IntervalEnergy]) -> tuple[Balance, ...]:
    """Return the balance of each meter that feeds others, in the network's order.

    Parameters
    ----------
    network
        The site's meters, as they stand in the interval (`Network.during`).
    energies
        Energy by `Network.key` of each place, all of one interval: each of the part in which the meter has
        that place. For the limit of a virtual meter also of those that it is made of.

    Raises
    ------
    DataError
        If an accuracy class is not known.
    """
    fed: dict[str, list[Node]] = {}
    for node in network.nodes:
        if node.parent is not None:
            fed.setdefault(node.parent, []).append(node)
    return tuple(_balance(network, meter, fed[meter], energies) for meter in network.meters if meter in fed)


def total(point: str, interval: Interval, terms: Sequence[tuple[int, IntervalEnergy]]) -> IntervalEnergy:
    """Return the energy of a sum of meters, as of one that has no register.

    Parameters
    ----------
    point
        Id of the virtual meter's point.
    interval
        Its interval.
    terms
        +1 or -1, and the energy of a meter with the sum's losses in it.

    Returns
    -------
    IntervalEnergy
        With the weakest origin, the sum of what is unproven, and as many half-hours as are covered at all
        meters whatever their order; without registers of its own.
    """
    missing = tuple(dict.fromkeys(each for _, energy in terms for each in energy.missing))
    known = [(sign, energy.wh) for sign, energy in terms if energy.wh is not None]
    bounds = [energy.unproven_wh for _, energy in terms if energy.unproven_wh is not None]
    whole = bool(terms) and len(known) == len(bounds) == len(terms)
    half_hours = len(half_hours_of(interval)) - 1
    open_half_hours = sum(energy.half_hours - energy.half_hours_covered for _, energy in terms)
    origins = list(Origin)
    return IntervalEnergy(
        point=point,
        interval=interval,
        wh=sum(sign * wh for sign, wh in known) if whole else None,
        origin=max((energy.origin for _, energy in terms), key=origins.index) if whole else Origin.MISSING,
        start=Boundary(interval.start_ms, Method.MISSING, None, None),
        end=Boundary(interval.end_ms, Method.MISSING, None, None),
        unproven_wh=sum(bounds) if whole else None,
        half_hours_covered=max(half_hours - open_half_hours, 0) if terms else 0,
        half_hours=half_hours,
        installations=(),
        missing=missing,
    )


def _balance(
    network: Network, meter: str, children: Sequence[Node], energies: Mapping[str, IntervalEnergy]
) -> Balance:
    parent = network.node(meter)
    kind = (
        BalanceKind.RECTIFIER
        if parent.current is Current.AC and any(child.current is Current.DC for child in children)
        else BalanceKind.REMAINDER
    )
    names = tuple(dict.fromkeys(child.meter for child in children))
    missing: list[str] = []
    wh: list[int] = []
    limits: list[int | None] = []
    for node, key in ((parent, parent.point), *((child, network.key(child)) for child in children)):
        energy = energies.get(key)
        if energy is None or energy.wh is None:
            missing.append(node.meter)
        else:
            wh.append(energy.wh)
            limits.append(_limit_wh(network, node, energy, energies))
    if missing:
        return Balance(meter, names, kind, None, None, None, tuple(dict.fromkeys(missing)))
    difference = wh[0] - sum(wh[1:])
    known = [limit for limit in limits if limit is not None]
    if len(known) < len(limits):
        return Balance(meter, names, kind, difference, None, None, ())
    limit = sum(known)
    events = [
        BalanceEvent(EventKind.CHILD_ABOVE_PARENT, child.meter, excess, allowed)
        for child, child_wh, child_limit in zip(children, wh[1:], known[1:], strict=True)
        if (excess := child_wh - wh[0]) > (allowed := known[0] + child_limit)
    ]
    if difference < -limit:
        events.append(BalanceEvent(EventKind.NEGATIVE_REMAINDER, meter, -difference, limit))
    ok = difference >= -limit and (kind is BalanceKind.RECTIFIER or difference <= limit)
    return Balance(meter, names, kind, difference, limit, ok, (), tuple(events))


def _limit_wh(
    network: Network, node: Node, energy: IntervalEnergy, energies: Mapping[str, IntervalEnergy]
) -> int | None:
    """Return what classes and brackets may be off [Wh]; None where a class is not known."""
    if energy.wh is None or energy.unproven_wh is None:
        return None
    if node.sum is None:
        error = _class_error(energy)
        return None if error is None else ceil(abs(energy.wh) * error) + energy.unproven_wh
    share = Fraction(0)
    for term in network.terms(node.meter):
        part = energies.get(term.node.point)
        error = None if part is None else _class_error(part)
        if part is None or part.wh is None or error is None:
            return None
        share += abs(part.wh) * error * term.factor
    return ceil(share) + energy.unproven_wh


def _class_error(energy: IntervalEnergy) -> Fraction | None:
    """Return the error that the worst accuracy class allows [1]; None where one is not known."""
    errors = [each.accuracy_class and class_error(each.accuracy_class) for each in energy.installations]
    return max((error for error in errors if error), default=None) if all(errors) else None
