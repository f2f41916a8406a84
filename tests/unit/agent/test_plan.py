"""Block planning: values are never split, and every request is one a device may be asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.modbus.plan import SINGLY, RegisterPoint, plan
from agent.modbus.wire import MAX_WORDS
from config.profile import ValueType, WordOrder


def point(name: str, *addresses: int, kind: ValueType = ValueType.FLOAT32) -> RegisterPoint:
    return RegisterPoint(name, addresses, kind, WordOrder.MSW_FIRST)


points_strategy = st.lists(
    st.builds(
        lambda at, kind: point(f"{at}", at, kind=kind),
        st.integers(0, 2_000),
        st.sampled_from(list(ValueType)),
    ),
    max_size=40,
    unique_by=lambda each: each.point,
)


@given(points_strategy, st.integers(SINGLY, 200), st.integers(4, MAX_WORDS))
def test_every_value_is_whole_in_exactly_one_request_of_allowed_length(
    points: list[RegisterPoint], gap: int, limit: int
) -> None:
    blocks = plan(points, gap=gap, limit=limit)
    assert sorted(p.point for block in blocks for p in block.points) == sorted(p.point for p in points)
    for block in blocks:
        assert 1 <= block.count <= limit
        assert block.address == block.points[0].start
        assert all(block.address <= p.start and p.end <= block.address + block.count for p in block.points)


def test_gaps_up_to_the_limit_are_read_along() -> None:
    near, far = [point("a", 0), point("b", 18)], [point("a", 0), point("b", 19)]
    assert [(block.address, block.count) for block in plan(near)] == [(0, 20)]
    assert [(block.address, block.count) for block in plan(far)] == [(0, 2), (19, 2)]
    assert len(plan(near, gap=SINGLY)) == 2


def test_the_registers_of_a_sum_are_read_in_one_request() -> None:
    (block,) = plan([point("total", 805, 801, kind=ValueType.FLOAT64)], gap=0, limit=8)
    assert (block.address, block.count) == (801, 8)


def test_125_words_fit_and_126_do_not() -> None:
    assert len(plan([point("a", 0), point("b", 123)], gap=200)) == 1
    assert len(plan([point("a", 0), point("b", 124)], gap=200)) == 2


def test_a_value_longer_than_the_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="spans 8 words"):
        plan([point("total", 0, 4, kind=ValueType.FLOAT64)], limit=4)
