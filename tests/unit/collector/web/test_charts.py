from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.web.charts import bracket, day_bars, variance_bar, variance_scale

percents = st.fractions(min_value=-500, max_value=500, max_denominator=1000)


def test_under_goes_left_and_over_goes_right() -> None:
    under, over = (variance_bar(Fraction(each), Fraction(2)) for each in (-1, 1))
    assert under.start + under.length == under.zero and under.anchor == "end"
    assert over.start == over.zero and over.anchor == "start"
    assert under.length == over.length


@given(percents)
def test_a_bar_and_its_label_stay_inside_the_drawing(percent: Fraction) -> None:
    bar = variance_bar(percent, variance_scale(percent))
    assert 0 <= bar.start <= bar.start + bar.length <= bar.width
    assert 40 <= bar.label <= bar.width - 40


def test_small_differences_are_not_blown_up() -> None:
    assert variance_scale(Fraction(1, 10)) == 2
    assert variance_scale(Fraction(-7), Fraction(3)) == 7


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_boundary_is_drawn_to_scale(before_ms: int, after_ms: int) -> None:
    drawn = bracket(0, -before_ms, after_ms)
    if before_ms == after_ms == 0:
        assert drawn.before == drawn.boundary == drawn.after
        return
    assert drawn.before is not None and drawn.after is not None
    share = (drawn.boundary - drawn.before) / (drawn.after - drawn.before)
    assert share == pytest.approx(before_ms / (before_ms + after_ms), abs=0.001)


@pytest.mark.parametrize(("before", "after"), [(None, 5), (-5, None), (None, None)])
def test_a_side_without_a_reading_is_not_drawn(before: int | None, after: int | None) -> None:
    drawn = bracket(0, before, after)
    assert (drawn.before is None, drawn.after is None) == (before is None, after is None)


def test_days_share_a_scale_from_zero_and_a_missing_day_is_a_gap() -> None:
    drawn = day_bars([Fraction(10), None, Fraction(5)], 300, 40)
    assert [bar.height for bar in drawn.bars] == [40, 0, 20]
    assert [bar.least for bar in drawn.bars] == [False, False, True]
    assert drawn.bars[-1].x + drawn.bars[-1].width <= 300


def test_a_month_without_any_day_draws_nothing() -> None:
    assert all(bar.height == 0 for bar in day_bars([None] * 29, 300).bars)
