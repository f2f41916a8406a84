"""Ranges behave as sets of integers, whatever is done to them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.delivery.ranges import Ranges, runs

SPANS = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda pair: (min(pair), max(pair)))
CHANGES = st.lists(st.tuples(st.booleans(), SPANS), max_size=20)


def _numbers(ranges: Ranges) -> set[int]:
    return {number for first, end in ranges for number in range(first, end)}


@given(CHANGES, SPANS)
def test_a_set_of_ranges_is_a_set(
    changes: list[tuple[bool, tuple[int, int]]], asked: tuple[int, int]
) -> None:
    ranges, numbers = Ranges(), set[int]()
    for put, (first, end) in changes:
        if put:
            ranges.add(first, end)
            numbers |= set(range(first, end))
        else:
            ranges.remove(first, end)
            numbers -= set(range(first, end))
    assert _numbers(ranges) == numbers
    assert tuple(ranges) == tuple(runs(sorted(numbers))), "disjoint, in order, and as few as can be"
    assert ranges.size() == len(numbers)
    assert bool(ranges) is bool(numbers)
    wanted = set(range(*asked))
    assert _numbers(Ranges(ranges.within(*asked))) == numbers & wanted
    assert _numbers(Ranges(ranges.missing(*asked))) == wanted - numbers
    assert ranges.covers(*asked) is (wanted <= numbers)
    assert all((number in ranges) is (number in numbers) for number in range(31))
