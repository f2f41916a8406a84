from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.metering.boundaries import Boundary, Method, RegisterReading, boundary, close_segment
from core.metering.counters import CounterSpec, Register, build_counter
from core.metering.readings import Reading
from core.timeline import HALF_HOUR_MS

POINT = "AOB-RCV-01.active_energy_import"
SPAN_MS = 6 * HALF_HOUR_MS


def test_the_boundary_of_the_example_in_the_design() -> None:
    """23:59:58.412 holds 61,204,417 and 0:00:01.377 holds 61,204,418: the floor of the straight line."""
    before, after = RegisterReading(-1_588, 61_204_417), RegisterReading(1_377, 61_204_418)
    rows = [Reading(POINT, each.time_ms, 61_204_417 + index) for index, each in enumerate((before, after))]
    assert boundary(build_counter(rows, CounterSpec(POINT)), 0) == Boundary(
        0, Method.INTERPOLATED, before, after, 61_204_417, 61_204_417, 61_204_417, 61_204_418, 0
    )


@given(st.integers(0, 10**9), st.integers(1, 10**6), st.integers(1, 10**5), st.data())
def test_the_integer_formula(count: int, rise: int, duration_ms: int, data: st.DataObject) -> None:
    time_ms = data.draw(st.integers(0, duration_ms))
    counter = build_counter(
        [Reading(POINT, 0, count), Reading(POINT, duration_ms, count + rise)], CounterSpec(POINT)
    )
    assert boundary(counter, time_ms).accumulated == count + rise * time_ms // duration_ms


@st.composite
def true_counters(draw: st.DrawFn) -> tuple[list[int], list[int], list[int]]:
    """Return instants at which a true counter steps, its value from each on, and instants of readings."""
    steps = sorted(draw(st.sets(st.integers(0, SPAN_MS), min_size=1, max_size=50)))
    values = [draw(st.integers(0, 900))]
    for _ in steps:
        values.append(values[-1] + draw(st.integers(0, 40)))
    read = sorted(draw(st.sets(st.integers(0, SPAN_MS), max_size=25)))
    return steps, values, read


@given(true_counters(), st.integers(0, SPAN_MS), st.sampled_from([None, 10_000]))
def test_the_truth_lies_within_the_hard_bounds(
    true: tuple[list[int], list[int], list[int]], time_ms: int, wrap_at: int | None
) -> None:
    steps, values, read = true

    def truth(at_ms: int) -> int:
        return 9_000 + values[bisect_right(steps, at_ms)]

    rows = [Reading(POINT, at_ms, truth(at_ms) % (wrap_at or 10**9)) for at_ms in read]
    counter = build_counter(rows, CounterSpec(POINT, (Register(wrap_at=wrap_at),)))
    found = boundary(counter, time_ms)
    if not read or not read[0] <= time_ms <= read[-1]:
        assert found.method is Method.MISSING
        assert found.accumulated is found.lower is found.upper is found.count is None
        return
    assert found.lower is not None and found.upper is not None and found.accumulated is not None
    turned = truth(read[0]) - counter.accumulated[0]  # turns before the first reading are not on record
    assert found.lower <= truth(time_ms) - turned <= found.upper
    assert found.lower <= found.accumulated <= found.upper
    assert found.count == found.accumulated % (wrap_at or 10**9)


def test_exact_with_a_reading_at_the_instant_or_between_equal_ones() -> None:
    counter = build_counter(
        [Reading(POINT, 0, 5), Reading(POINT, 1_000, 7), Reading(POINT, 9_000_000, 7)], CounterSpec(POINT)
    )
    at = boundary(counter, 1_000)
    assert (at.method, at.accumulated, at.before) == (Method.EXACT, 7, at.after)
    between = boundary(counter, 4_000_000)
    assert (between.method, between.lower, between.upper) == (Method.EXACT, 7, 7)
    assert between.before != between.after


def test_a_side_that_is_missing_leaves_the_other_as_evidence() -> None:
    counter = build_counter([Reading(POINT, 0, 5), Reading(POINT, 10, 6)], CounterSpec(POINT))
    assert boundary(counter, -1) == Boundary(-1, Method.MISSING, None, RegisterReading(0, 5))
    assert boundary(counter, 11) == Boundary(11, Method.MISSING, RegisterReading(10, 6), None)
    assert boundary(build_counter([], CounterSpec(POINT)), 0) == Boundary(0, Method.MISSING, None, None)


def test_there_is_no_value_between_the_two_sides_of_a_cut() -> None:
    counter = build_counter(
        [Reading(POINT, 0, 500), Reading(POINT, 10, 3), Reading(POINT, 10**8, 3)], CounterSpec(POINT)
    )
    cut = boundary(counter, 5)
    assert (cut.method, cut.accumulated) == (Method.MISSING, None)
    assert (cut.before, cut.after) == (RegisterReading(0, 500), RegisterReading(10, 3))
    assert boundary(counter, 0).segment == 0
    assert boundary(counter, 10).segment == 1


@pytest.mark.parametrize(("width_ms", "close"), [(HALF_HOUR_MS, True), (HALF_HOUR_MS + 1, False)])
def test_close_means_bracketed_within_half_an_hour(width_ms: int, close: bool) -> None:
    counter = build_counter([Reading(POINT, 0, 5), Reading(POINT, width_ms, 6)], CounterSpec(POINT))
    assert boundary(counter, 1).close is close
    idle = build_counter([Reading(POINT, 0, 5), Reading(POINT, width_ms, 5)], CounterSpec(POINT))
    assert boundary(idle, 1).close


@given(true_counters(), st.integers(-1, SPAN_MS + 1), st.sampled_from([Fraction(1), Fraction(10)]))
def test_the_quick_answer_is_the_boundarys_own(
    true: tuple[list[int], list[int], list[int]], time_ms: int, resolution: Fraction
) -> None:
    steps, values, read = true
    rows = [Reading(POINT, at_ms, values[bisect_right(steps, at_ms)] * 7 % 500) for at_ms in read]
    counter = build_counter(rows, CounterSpec(POINT, (Register(resolution=resolution),)))
    found = boundary(counter, time_ms)
    assert close_segment(counter, time_ms) == (found.segment if found.close else None)
