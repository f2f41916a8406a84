"""Block planning: values are never split, nothing forbidden is touched, and there are no fewer requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.modbus.plan import Block, Hole, RegisterPoint, plan
from agent.modbus.wire import MAX_WORDS
from config.profile import Place, ScaleRegister, ValueType

WIDTHS = [kind for kind in ValueType if kind.words]


def point(
    name: str, *addresses: int, kind: ValueType = ValueType.FLOAT32, function: int = 3
) -> RegisterPoint:
    return RegisterPoint(name, tuple(Place(at, kind, 1) for at in addresses), function=function)


def scaled(name: str, address: int, by: int) -> RegisterPoint:
    return RegisterPoint(
        name,
        (Place(address, ValueType.INT16, 1),),
        scale_register=ScaleRegister(address=by, type=ValueType.INT16, exponents=(-3, 3)),
    )


@st.composite
def some_points(draw: st.DrawFn, most: int = 30, furthest: int = 600) -> list[RegisterPoint]:
    count = draw(st.integers(0, most))
    found = []
    for number in range(count):
        addresses = draw(st.lists(st.integers(0, 6), min_size=1, max_size=3))
        start, function = draw(st.integers(0, furthest)), draw(st.sampled_from([3, 3, 3, 4, 1]))
        kind = ValueType.BIT if function == 1 else draw(st.sampled_from(WIDTHS))
        found.append(point(f"{number}", *(start + 4 * at for at in addresses), kind=kind, function=function))
    return found


def touched(block: Block) -> set[int]:
    return set(range(block.address, block.end))


def owned(points: Sequence[RegisterPoint]) -> set[int]:
    return {at for each in points for place in each.places for at in range(place.address, place.end)}


def spans(points: Sequence[RegisterPoint]) -> set[int]:
    return {at for each in points for at in range(each.start, each.end)}


@given(some_points(), st.integers(0, 200), st.integers(32, MAX_WORDS))
def test_every_value_is_whole_in_exactly_one_request_of_allowed_length(
    points: list[RegisterPoint], gap: int, limit: int
) -> None:
    blocks = plan(points, gap=gap, limit=limit)
    assert sorted(p.point for block in blocks for p in block.points) == sorted(p.point for p in points)
    for block in blocks:
        assert 1 <= block.count <= (2_000 if block.function == 1 else limit)
        assert {each.function for each in block.points} == {block.function}
        assert owned(block.points) <= touched(block)


@given(some_points(), st.integers(0, 40))
def test_no_gap_is_wider_than_allowed(points: list[RegisterPoint], gap: int) -> None:
    for block in plan(points, gap=gap, limit=MAX_WORDS):
        unused = 0
        for at in range(block.address, block.end):
            unused = 0 if at in spans(block.points) else unused + 1
            assert unused <= gap


@given(some_points(), st.integers(0, 40), st.data())
def test_no_request_touches_a_forbidden_register_or_a_hole(
    points: list[RegisterPoint], gap: int, data: st.DataObject
) -> None:
    ranges = data.draw(st.lists(st.tuples(st.integers(0, 700), st.integers(0, 8)), max_size=5))
    forbidden = [(at, at + more) for at, more in ranges]
    never = {at for first, last in forbidden for at in range(first, last + 1)}
    assume(not never & spans(points))
    blocks = plan(points, gap=gap, limit=MAX_WORDS, forbidden=forbidden)
    assert not any(never & touched(block) for block in blocks)
    holes = [Hole(function, first, last + 1) for first, last in forbidden for function in (1, 3, 4)]
    assert plan(points, gap=gap, limit=MAX_WORDS, holes=holes) == blocks


def partitions(items: list[RegisterPoint]) -> Iterator[list[list[RegisterPoint]]]:
    if not items:
        yield []
        return
    for rest in partitions(items[1:]):
        yield [[items[0]], *rest]
        for at in range(len(rest)):
            yield [*rest[:at], [items[0], *rest[at]], *rest[at + 1 :]]


@given(some_points(most=5, furthest=50), st.integers(0, 12), st.integers(28, 40), st.integers(0, 70))
def test_there_is_no_way_with_fewer_requests(
    points: list[RegisterPoint], gap: int, limit: int, never: int
) -> None:
    assume(never not in spans(points))

    def allowed(group: list[RegisterPoint]) -> bool:
        block, unused = Block.of(group), 0
        for at in range(block.address, block.end):
            unused = 0 if at in spans(group) else unused + 1
            if unused > gap or at == never:
                return False
        return len({each.function for each in group}) == 1 and (block.function == 1 or block.count <= limit)

    fewest = min(len(each) for each in partitions(points) if all(map(allowed, each)))
    assert len(plan(points, gap=gap, limit=limit, forbidden=[(never, never)])) == fewest


def test_a_hole_under_a_value_keeps_nothing_apart() -> None:
    under = Hole(3, 0, 2)
    (block,) = plan([point("a", 0), point("b", 2), point("c", 6)], gap=16, limit=125, holes=[under])
    assert (block.address, block.count) == (0, 8)


def test_gaps_up_to_the_limit_are_read_along() -> None:
    near, far = [point("a", 0), point("b", 18)], [point("a", 0), point("b", 19)]
    assert [(b.address, b.count) for b in plan(near, gap=16, limit=125)] == [(0, 20)]
    assert [(b.address, b.count) for b in plan(far, gap=16, limit=125)] == [(0, 2), (19, 2)]
    assert len(plan(near, gap=0, limit=125)) == 2


def test_the_registers_of_a_sum_are_read_in_one_request() -> None:
    (block,) = plan([point("total", 805, 801, kind=ValueType.FLOAT64)], gap=0, limit=8)
    assert (block.address, block.count) == (801, 8)


@pytest.mark.parametrize("by", [0, 99])
def test_a_value_and_its_power_of_ten_are_read_in_one_request(by: int) -> None:
    (block,) = plan([scaled("power", 50, by)], gap=0, limit=125)
    assert {50, by} <= touched(block)


def test_125_words_fit_and_126_do_not() -> None:
    assert len(plan([point("a", 0), point("b", 123)], gap=200, limit=125)) == 1
    assert len(plan([point("a", 0), point("b", 124)], gap=200, limit=125)) == 2


def test_2000_bits_fit_and_2001_do_not() -> None:
    def ends(last: int) -> list[RegisterPoint]:
        return [
            point("a", 0, kind=ValueType.BIT, function=2),
            point("b", last, kind=ValueType.BIT, function=2),
        ]

    assert [b.count for b in plan(ends(1_999), gap=3_000, limit=125)] == [2_000]
    assert [b.count for b in plan(ends(2_000), gap=3_000, limit=125)] == [1, 1]


def test_functions_have_requests_of_their_own() -> None:
    blocks = plan([point("a", 0, function=4), point("b", 2), point("c", 4, function=4)], gap=16, limit=125)
    assert [(b.function, b.address, b.count) for b in blocks] == [(3, 2, 2), (4, 0, 6)]


def test_a_value_longer_than_the_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="spans 8 registers"):
        plan([point("total", 0, 4, kind=ValueType.FLOAT64)], gap=0, limit=4)


@pytest.mark.parametrize("range_", [(1, 1), (0, 5), (1, 9), (3, 3)])
def test_a_value_in_a_forbidden_range_is_refused_even_between_its_parts(range_: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="forbidden"):
        plan([point("total", 0, 4)], gap=0, limit=125, forbidden=[range_])


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (point("p", 3203, kind=ValueType.INT64), "modbus 3203 int64"),
        (point("p", 801, 805, kind=ValueType.FLOAT64), "modbus 801+805 float64"),
        (
            RegisterPoint("p", (Place(64, ValueType.UINT32, 10**9), Place(66, ValueType.UINT32, 1))),
            "modbus 64*1000000000+66 uint32",
        ),
        (
            RegisterPoint("p", (Place(64, ValueType.UINT16, 1000), Place(66, ValueType.UINT32, 1))),
            "modbus 64 uint16*1000+66 uint32",
        ),
        (RegisterPoint("p", (Place(46, ValueType.UINT32, 1),), in_model=True), "modbus sunspec+46 uint32"),
        (scaled("p", 12, 13), "modbus 12 int16 scaled by 13"),
        (RegisterPoint("p", (Place(7, ValueType.BIT, 1),), bit=3), "modbus 7 bit 3"),
        (point("p", 7, kind=ValueType.BIT, function=1), "modbus 7 bit"),
    ],
)
def test_registers_are_named_as_a_point_table_has_them(made: RegisterPoint, text: str) -> None:
    assert made.register == text
