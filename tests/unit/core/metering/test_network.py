from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from core.errors import DataError
from core.metering.balances import Balance, BalanceKind, balances
from core.metering.boundaries import boundary
from core.metering.counters import CounterSpec, build_counter
from core.metering.energy import IntervalEnergy, Origin
from core.metering.installations import Installation, Side
from core.metering.network import Current, Network, Node, Role
from core.metering.quantities import Quantity
from core.timeline import Interval

IMPORT = Quantity.ACTIVE_ENERGY_IMPORT
NODES = (
    Node("RCV", IMPORT),
    Node("FUR", IMPORT, parent="RCV"),
    Node("CEL", IMPORT, parent="RCV"),
    Node("CEL-DC", Quantity.DC_ENERGY, Current.DC, parent="CEL"),
)
WORKS = Network(NODES, ("RCV",))


def energy_of(wh: int | None, accuracy_class: str | None = "0.5S", unproven_wh: int = 0) -> IntervalEnergy:
    point = "M.active_energy_import"
    one = Fraction(1)
    installation = Installation(
        point, 0, None, "S", one, one, Side.PRIMARY, one, accuracy_class=accuracy_class
    )
    nowhere = boundary(build_counter([], CounterSpec(point)), 0)
    return IntervalEnergy(
        point=point,
        interval=Interval(0, 1),
        wh=wh,
        origin=Origin.MISSING if wh is None else Origin.MEASURED,
        start=nowhere,
        end=nowhere,
        unproven_wh=None if wh is None else unproven_wh,
        half_hours_covered=0,
        half_hours=1,
        installations=(installation,),
    )


def energies(**wh: int | None) -> dict[str, IntervalEnergy]:
    points = {node.meter.replace("-", "_"): node.point for node in NODES}
    return {points[meter]: energy_of(value) for meter, value in wh.items()}


def test_roles_points_and_children() -> None:
    assert [WORKS.role(node.meter) for node in NODES] == [Role.BOUNDARY, Role.SUB, Role.SUB, Role.DC]
    assert WORKS.node("CEL-DC").point == "CEL-DC.dc_energy"
    assert [child.meter for child in WORKS.children("RCV")] == ["FUR", "CEL"]
    with pytest.raises(DataError, match="not in the network"):
        WORKS.role("XXX")


@pytest.mark.parametrize(
    ("nodes", "boundary_set", "message", "where"),
    [
        ((*NODES, Node("FUR", IMPORT)), ("RCV",), "stands twice in the network", "FUR"),
        (NODES, ("RCV", "RCV"), "stands twice in the boundary set", "RCV"),
        (NODES, ("XXX",), "names an unknown meter", "XXX"),
        ((*NODES, Node("KLN", IMPORT, parent="XXX")), ("RCV",), "parent of a meter is unknown", "KLN"),
        (NODES, ("RCV", "CEL-DC"), "direct current in the boundary set", "CEL-DC"),
        (NODES, ("RCV", "CEL"), "energy would count twice", "CEL"),
        ((Node("A", IMPORT, parent="B"), Node("B", IMPORT, parent="A")), (), "feeds itself", "A"),
        ((Node("A", IMPORT, parent="A"),), ("A",), "feeds itself", "A"),
        ((Node("A", Quantity.ACTIVE_POWER),), (), "counts no energy", "A"),
        ((Node("A", Quantity.ACTIVE_ENERGY_EXPORT),), ("A",), "counts active energy import", "A"),
    ],
)
def test_double_counting_and_impossible_trees_are_refused_by_name(
    nodes: tuple[Node, ...], boundary_set: tuple[str, ...], message: str, where: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        Network(nodes, boundary_set)
    assert caught.value.where == where


def test_a_grandchild_in_the_boundary_set_counts_twice_too() -> None:
    nodes = (*NODES, Node("CEL-1", IMPORT, parent="CEL"))
    with pytest.raises(DataError, match="energy would count twice"):
        Network(nodes, ("CEL-1", "RCV"))


def test_a_parent_against_its_children() -> None:
    found = balances(WORKS, energies(RCV=100_000, FUR=70_000, CEL=29_900, CEL_DC=29_000))
    assert found == (
        Balance("RCV", ("FUR", "CEL"), BalanceKind.REMAINDER, 100, 500 + 350 + 150, True, ()),
        Balance("CEL", ("CEL-DC",), BalanceKind.RECTIFIER, 900, 150 + 145, True, ()),
    )


@pytest.mark.parametrize(("fur_wh", "ok"), [(69_004, True), (69_003, False), (71_006, True), (71_007, False)])
def test_the_limit_comes_from_the_accuracy_classes(fur_wh: int, ok: bool) -> None:
    (found,) = balances(Network(NODES[:3], ("RCV",)), energies(RCV=100_000, FUR=fur_wh, CEL=30_000))
    assert found.ok is ok


def test_a_rectifier_may_lose_energy_and_not_make_any() -> None:
    loses, makes = (
        balances(WORKS, energies(RCV=100_000, FUR=70_000, CEL=30_000, CEL_DC=dc))[1]
        for dc in (20_000, 31_000)
    )
    assert (loses.difference_wh, loses.ok) == (10_000, True)
    assert (makes.difference_wh, makes.ok) == (-1_000, False)


def test_unproven_energy_widens_the_limit() -> None:
    wide = energies(RCV=100_000, FUR=60_000, CEL=30_000)
    wide["FUR.active_energy_import"] = energy_of(60_000, unproven_wh=9_500)
    (found,) = balances(Network(NODES[:3], ("RCV",)), wide)
    assert (found.difference_wh, found.limit_wh, found.ok) == (10_000, 500 + 300 + 150 + 9_500, True)


def test_what_is_missing_is_named_and_nothing_is_summed() -> None:
    known = energies(RCV=100_000, FUR=None)
    found = balances(WORKS, known)[0]
    assert (found.difference_wh, found.limit_wh, found.ok) == (None, None, None)
    assert found.missing == ("FUR", "CEL")


def test_without_an_accuracy_class_there_is_no_limit() -> None:
    known = energies(RCV=100_000, FUR=70_000, CEL=29_900)
    known["FUR.active_energy_import"] = energy_of(70_000, accuracy_class=None)
    found = balances(WORKS, known)[0]
    assert (found.difference_wh, found.limit_wh, found.ok) == (100, None, None)


def test_the_worst_class_of_the_interval_sets_the_limit() -> None:
    known = energies(RCV=100_000, FUR=70_000, CEL=29_900)
    fur = known["FUR.active_energy_import"]
    worse = replace(fur.installations[0], accuracy_class="1")
    known["FUR.active_energy_import"] = replace(fur, installations=(worse, *fur.installations))
    assert balances(WORKS, known)[0].limit_wh == 500 + 700 + 150
