"""Balances of places, of virtual meters, and what cannot be true of them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from core.metering.balances import Balance, BalanceEvent, EventKind, balances, total
from core.metering.boundaries import Boundary, Method
from core.metering.energy import IntervalEnergy, Lack, Missing
from core.metering.installations import Installation, Side
from core.metering.network import Current, Network, Node, Sum
from core.metering.quantities import Quantity
from core.metering.sources import Origin
from core.timeline import HALF_HOUR_MS, Interval

DAY = Interval(0, 48 * HALF_HOUR_MS)
WORKS = Network(
    (
        Node("RCV"),
        Node("FUR", parent="RCV"),
        Node("CEL", parent="RCV"),
        Node("DC", Quantity.DC_ENERGY, Current.DC, parent="CEL"),
    ),
    ("RCV",),
)


def energy(
    node: Node, wh: int | None, *, accuracy: str | None = "1", unproven_wh: int = 0, covered: int = 48
) -> IntervalEnergy:
    one = Fraction(1)
    installation = Installation(
        node.point, 0, None, "S", one, one, Side.PRIMARY, one, accuracy_class=accuracy
    )
    nowhere = Boundary(0, Method.MISSING, None, None)
    return IntervalEnergy(
        point=node.point,
        interval=DAY,
        wh=wh,
        origin=Origin.MISSING if wh is None else Origin.MEASURED,
        start=nowhere,
        end=nowhere,
        unproven_wh=None if wh is None else unproven_wh,
        half_hours_covered=covered,
        half_hours=48,
        installations=(installation,),
        missing=(Missing(Lack.NO_READING_AFTER, 5),) if wh is None else (),
    )


def judged(**wh: int) -> tuple[Balance, ...]:
    found = {WORKS.node(meter).point: energy(WORKS.node(meter), each) for meter, each in wh.items()}
    return balances(WORKS, found)


def test_children_that_together_count_more_than_their_parent_are_an_event() -> None:
    above, rectifier = judged(RCV=100_000, FUR=60_000, CEL=43_000, DC=42_000)
    limit = 1_000 + 600 + 430
    assert above.events == (BalanceEvent(EventKind.NEGATIVE_REMAINDER, "RCV", 3_000, limit),)
    assert above.ok is False
    assert rectifier.events == ()
    within, _ = judged(RCV=100_000, FUR=60_000, CEL=42_000, DC=42_000)
    assert within.events == () and within.ok


def test_one_child_above_its_parent_is_named() -> None:
    first, second = judged(RCV=100_000, FUR=102_500, CEL=10_000, DC=10_500)
    assert [(each.kind, each.meter, each.excess_wh, each.limit_wh) for each in first.events] == [
        (EventKind.CHILD_ABOVE_PARENT, "FUR", 2_500, 1_000 + 1_025),
        (EventKind.NEGATIVE_REMAINDER, "RCV", 12_500, 1_000 + 1_025 + 100),
    ]
    assert [(each.kind, each.meter) for each in second.events] == [
        (EventKind.CHILD_ABOVE_PARENT, "DC"),
        (EventKind.NEGATIVE_REMAINDER, "CEL"),
    ]


def test_a_positive_remainder_above_its_limit_is_no_event() -> None:
    found, _ = judged(RCV=100_000, FUR=60_000, CEL=20_000, DC=19_000)
    assert (found.difference_wh, found.ok, found.events) == (20_000, False, ())


def test_a_meter_counts_below_each_parent_what_it_counted_there() -> None:
    nodes = (
        Node("RCV"),
        *(Node(meter, parent="RCV") for meter in ("TR-1", "TR-2")),
        Node("PMP", parent="TR-1", end_ms=1_000),
        Node("PMP", parent="TR-2", start_ms=1_000),
    )
    network = Network(nodes, ("RCV",))
    wh = {"RCV": 100_000, "TR-1": 50_000, "TR-2": 50_000, "PMP": 99_000}
    found = {network.node(meter).point: energy(network.node(meter), each) for meter, each in wh.items()}
    first, second = network.places("PMP")
    found[network.key(first)], found[network.key(second)] = energy(first, 49_500), energy(second, 49_500)
    _, tr_1, tr_2 = balances(network, found)
    assert (tr_1.difference_wh, tr_2.difference_wh) == (500, 500)
    assert tr_1.ok and tr_2.ok


VIRTUAL = Network(
    (
        Node("R1"),
        Node("R2"),
        Node("BUS", sum=Sum(("R1", "R2"), losses=Fraction(1, 50))),
        Node("FUR", parent="BUS"),
    ),
    ("R1", "R2"),
)


def test_the_limit_of_a_virtual_meter_is_that_of_all_that_it_is_made_of() -> None:
    r1, r2, bus, fur = VIRTUAL.nodes
    found = {
        r1.point: energy(r1, 50_000, accuracy="0.5S"),
        r2.point: energy(r2, 50_000, accuracy="1"),
        bus.point: total(bus.point, DAY, ((1, energy(r1, 51_000, unproven_wh=7)), (1, energy(r2, 51_000)))),
        fur.point: energy(fur, 101_000),
    }
    (balance,) = balances(VIRTUAL, found)
    assert balance.difference_wh == 1_000
    assert balance.limit_wh == (250 + 500) * Fraction(51, 50) + 7 + 1_010
    found[r2.point] = energy(r2, 50_000, accuracy=None)
    assert balances(VIRTUAL, found)[0].limit_wh is None


def test_a_sum_is_as_weak_as_its_weakest_part_and_covers_what_all_cover() -> None:
    r1, r2 = VIRTUAL.nodes[:2]
    found = total(
        "V",
        DAY,
        ((1, energy(r1, 500, unproven_wh=3, covered=40)), (-1, energy(r2, 200, unproven_wh=4, covered=47))),
    )
    assert (found.wh, found.unproven_wh, found.half_hours_covered) == (300, 7, 39)


@pytest.mark.parametrize(
    "terms", [(), ((1, energy(VIRTUAL.nodes[0], None)), (1, energy(VIRTUAL.nodes[1], 5)))]
)
def test_a_sum_without_a_part_is_missing_and_not_zero(terms: tuple[tuple[int, IntervalEnergy], ...]) -> None:
    found = total("V", DAY, terms)
    assert (found.wh, found.unproven_wh, found.origin) == (None, None, Origin.MISSING)
    assert len(found.missing) == len(terms[:1])
