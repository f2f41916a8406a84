"""Networks over time: places, moves, virtual meters; nothing is counted twice, nothing counts as nothing."""

from __future__ import annotations

from fractions import Fraction

import pytest

from core.errors import DataError
from core.metering.network import Current, Network, Node, Sum
from core.metering.network_rules import faults
from core.metering.quantities import Quantity
from core.timeline import Interval

DC = Quantity.DC_ENERGY
TWO_FEEDERS = (
    Node("RCV-1"),
    Node("RCV-2"),
    Node("BUS", sum=Sum(("RCV-1", "RCV-2"), losses=Fraction(1, 100))),
    Node("FUR", parent="BUS"),
    Node("CEL", parent="BUS"),
    Node("CEL-1", parent="CEL"),
    Node("OTHER", parent="BUS", sum=Sum(("RCV-1", "RCV-2"), ("FUR", "CEL"))),
)


def told(nodes: tuple[Node, ...], *boundary: str) -> list[tuple[str, str, str]]:
    return [(each.meter, each.key, f"{each.what}: {each.evidence}") for each in faults(nodes, boundary)]


def test_two_feeders_of_one_bus_are_a_good_network() -> None:
    network = Network(TWO_FEEDERS[:-1], ("RCV-1", "RCV-2"))
    assert [child.meter for child in network.children("BUS")] == ["FUR", "CEL"]
    assert network.above("CEL-1") == {"CEL", "BUS", "RCV-1", "RCV-2"}
    assert [(term.sign, term.node.meter, term.factor) for term in network.terms("BUS")] == [
        (1, "RCV-1", Fraction(101, 100)),
        (1, "RCV-2", Fraction(101, 100)),
    ]
    assert network.bought("CEL-1")
    assert network.bought("BUS")


def test_a_virtual_meter_may_be_the_boundary_set() -> None:
    network = Network(TWO_FEEDERS[:-1], ("BUS",))
    assert network.bought("FUR")


@pytest.mark.parametrize(
    ("nodes", "boundary", "meter", "key", "words"),
    [
        (TWO_FEEDERS[:-1], ("RCV-1", "RCV-2", "FUR"), "FUR", "boundary", "FUR stands behind RCV-1"),
        (TWO_FEEDERS[:-1], ("RCV-1", "RCV-2", "CEL-1"), "CEL-1", "boundary", "CEL-1 stands behind RCV-1"),
        (TWO_FEEDERS[:-1], ("BUS", "RCV-1"), "RCV-1", "boundary", "RCV-1 is in BUS"),
        (
            (*TWO_FEEDERS[:-1], Node("V", sum=Sum(("CEL", "CEL-1")))),
            ("BUS",),
            "V",
            "plus",
            "CEL-1 stands behind CEL, and both are in it",
        ),
        ((*TWO_FEEDERS[:-1], Node("V", sum=Sum(("CEL", "CEL")))), ("BUS",), "V", "plus", "more than once"),
        (
            (*TWO_FEEDERS[:-1], Node("V", sum=Sum(("BUS", "FUR")))),
            ("BUS",),
            "V",
            "plus",
            "FUR stands behind RCV-1",
        ),
        (
            (*TWO_FEEDERS[:-1], Node("V", parent="BUS", sum=Sum(("FUR", "CEL")))),
            ("BUS",),
            "V",
            "parent",
            "balance of a meter would count energy twice: FUR is in V and beside it below BUS",
        ),
        (
            (Node("RCV"), Node("DC", DC, Current.DC, parent="RCV"), Node("V", sum=Sum(("RCV",), ("DC",)))),
            ("V",),
            "V",
            "boundary",
            "V is made of DC",
        ),
        ((Node("RCV", integrated=True),), ("RCV",), "RCV", "boundary", "integrated from power"),
        ((Node("RCV"), Node("A", parent="V"), Node("V", sum=Sum(("A",)))), ("RCV",), "A", "parent", "itself"),
        ((Node("RCV"), Node("V", sum=Sum(("V",)))), ("RCV",), "V", "plus", "sum of itself"),
        ((Node("RCV"), Node("V", sum=Sum(("X",)))), ("RCV",), "V", "plus", "unknown meter: X"),
    ],
)
def test_what_counts_energy_twice_is_refused_by_name(
    nodes: tuple[Node, ...], boundary: tuple[str, ...], meter: str, key: str, words: str
) -> None:
    found = told(nodes, *boundary)
    assert any(each[:2] == (meter, key) and words in each[2] for each in found), found
    with pytest.raises(DataError):
        Network(nodes, boundary)


def test_a_remainder_beside_its_meters_counts_each_once() -> None:
    assert told(TWO_FEEDERS, "BUS") == []


def test_a_remainder_beside_all_that_it_is_made_of_would_count_twice() -> None:
    nodes = (Node("RCV"), Node("FUR", parent="RCV"), Node("REST", parent="RCV", sum=Sum(("RCV",))))
    assert any("REST" in each[0] for each in told(nodes, "RCV"))


def test_a_sum_from_further_up_beside_what_it_holds_counts_twice() -> None:
    tree = (Node("RCV"), Node("TR", parent="RCV"), Node("OTH", parent="RCV"), Node("FUR", parent="TR"))
    beside = (*tree, Node("V", parent="TR", sum=Sum(("RCV",), ("OTH",))))
    assert [each[:2] for each in told(beside, "RCV")] == [("V", "parent")]
    rest = (*tree, Node("V", parent="TR", sum=Sum(("RCV",), ("OTH", "FUR"))))
    assert told(rest, "RCV") == []


HANDED_OVER = (
    Node("OLD", end_ms=1_000),
    Node("NEW", start_ms=1_000),
    Node("BUS", sum=Sum(("OLD", "NEW"))),
    Node("FUR", parent="BUS"),
)


def test_one_receiving_point_takes_over_from_another() -> None:
    assert told(HANDED_OVER, "OLD", "NEW") == []
    network = Network(HANDED_OVER, ("OLD", "NEW"))
    before, across = network.during(Interval(0, 1_000)), network.during(Interval(500, 1_500))
    assert before.boundary == ("OLD",)
    assert across.boundary == ("OLD", "NEW")
    assert [term.node.meter for term in before.terms("BUS")] == ["OLD"]
    assert network.span("OLD", Interval(500, 1_500)) == Interval(500, 1_000)
    assert network.span("NEW", Interval(0, 1_000)) is None


def test_a_while_without_a_receiving_point_is_refused() -> None:
    late = (HANDED_OVER[0], Node("NEW", start_ms=2_000), *HANDED_OVER[2:])
    (found,) = told(late, "OLD", "NEW")
    assert found[:2] == ("NEW", "boundary")
    assert "for a while" in found[2]


def test_two_in_line_are_refused_only_while_both_stand() -> None:
    apart = (Node("RCV", end_ms=1_000), Node("FUR", start_ms=1_000))
    assert told(apart, "RCV", "FUR") == []
    moved = (Node("RCV"), Node("FUR", parent="RCV", start_ms=1_000), Node("FUR", end_ms=1_000))
    assert [each[0] for each in told(moved, "RCV", "FUR")] == ["FUR"]


def test_a_moved_meter_has_an_energy_for_each_place() -> None:
    nodes = (
        Node("RCV"),
        Node("TR-1", parent="RCV"),
        Node("TR-2", parent="RCV"),
        Node("PMP", parent="TR-1", end_ms=1_000),
        Node("PMP", parent="TR-2", start_ms=1_000),
    )
    network = Network(nodes, ("RCV",))
    assert network.node("PMP").parent == "TR-2"
    across = network.during(Interval(500, 1_500))
    assert [across.key(place) for place in across.places("PMP")] == [
        "PMP.active_energy_import@None",
        "PMP.active_energy_import@1000",
    ]
    assert across.keyed(Interval(500, 1_500))["PMP.active_energy_import"] == Interval(500, 1_500)
    after = network.during(Interval(1_000, 2_000))
    assert [after.key(place) for place in after.places("PMP")] == ["PMP.active_energy_import"]


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ((Node("RCV"), Node("FUR", parent="RCV"), Node("FUR", parent="RCV", start_ms=5)), "at the same time"),
        ((Node("RCV"), Node("TR", parent="RCV", end_ms=5), Node("FUR", parent="TR")), "while it is"),
    ],
)
def test_places_that_contradict_each_other_are_refused(nodes: tuple[Node, ...], words: str) -> None:
    assert any(words in each[2] for each in told(nodes, "RCV"))
