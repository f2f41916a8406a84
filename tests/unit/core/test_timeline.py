from __future__ import annotations

import doctest
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import core.timeline as timeline
from core.errors import UsageError
from core.timeline import (
    HALF_HOUR_MS,
    Interval,
    add_months,
    days,
    fiscal_year,
    format_local,
    half_hours,
    month,
    month_of,
    months,
    months_of_fiscal_year,
    parse_local,
)

TOKYO = ZoneInfo("Asia/Tokyo")
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
HOUR_MS = 3_600_000
zones = st.sampled_from([TOKYO, AMSTERDAM, ZoneInfo("America/Santiago"), ZoneInfo("Asia/Kathmandu")])
month_texts = st.builds(lambda y, m: f"{y}-{m:02d}", st.integers(1971, 2199), st.integers(1, 12))


def utc_ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1000  # type: ignore[misc, arg-type]  # star of ints


def test_examples_in_docstrings_hold() -> None:
    assert doctest.testmod(timeline).failed == 0


def test_leap_february_in_tokyo_starts_at_15_utc_and_has_1392_half_hours() -> None:
    february = month("2024-02", TOKYO)
    assert february == Interval(utc_ms(2024, 1, 31, 15), utc_ms(2024, 2, 29, 15))
    assert len(half_hours(february)) == 1392 + 1
    assert len(days(february, TOKYO)) == 29 + 1


@pytest.mark.parametrize(("text", "hours"), [("2024-03-31", 23), ("2024-10-27", 25), ("2024-03-30", 24)])
def test_days_of_23_and_25_hours_in_amsterdam(text: str, hours: int) -> None:
    start_ms = parse_local(text, AMSTERDAM)
    boundaries = days(month(text[:7], AMSTERDAM), AMSTERDAM)
    day = Interval(start_ms, boundaries[boundaries.index(start_ms) + 1])
    assert day.duration_ms == hours * HOUR_MS
    assert len(half_hours(day)) == 2 * hours + 1


def test_a_day_whose_midnight_is_skipped_starts_at_the_skip() -> None:
    santiago = ZoneInfo("America/Santiago")  # 2024-09-08 00:00 does not exist there
    boundaries = days(month("2024-09", santiago), santiago)
    assert utc_ms(2024, 9, 8, 4) in boundaries
    assert len(boundaries) == 30 + 1


def test_a_day_that_a_country_skipped_is_no_day() -> None:
    apia = ZoneInfo("Pacific/Apia")  # 2011-12-30 did not exist there
    boundaries = days(month("2011-12", apia), apia)
    assert len(boundaries) == len(set(boundaries)) == 30 + 1


@given(month_texts, zones)
def test_months_follow_each_other_without_gap(text: str, tz: ZoneInfo) -> None:
    here, following = month(text, tz), month(add_months(text, 1), tz)
    assert here.end_ms == following.start_ms
    assert month_of(here.start_ms, tz) == text == month_of(here.end_ms - 1, tz)
    both = Interval(here.start_ms, following.end_ms)
    assert months(both, tz) == (here.start_ms, here.end_ms, following.end_ms)


@given(st.integers(0, 10**13), st.integers(0, 10**8), zones)
def test_grids_cover_the_interval_from_end_to_end(start_ms: int, duration_ms: int, tz: ZoneInfo) -> None:
    interval = Interval(start_ms, start_ms + duration_ms)
    for grid in (half_hours(interval), days(interval, tz), months(interval, tz)):
        assert grid[0] == interval.start_ms
        assert grid[-1] == interval.end_ms
        assert list(grid[:-1]) == sorted(set(grid[:-1]))
        assert all(interval.start_ms <= each < interval.end_ms for each in grid[1:-1])
    assert all(each % HALF_HOUR_MS == start_ms % HALF_HOUR_MS for each in half_hours(interval)[:-1])


def test_fiscal_year_runs_from_april_to_march() -> None:
    assert months_of_fiscal_year(2023)[0] == "2023-04"
    assert months_of_fiscal_year(2023)[-1] == "2024-03"
    assert {fiscal_year(text) for text in months_of_fiscal_year(2023)} == {2023}
    assert len(set(months_of_fiscal_year(2023))) == 12
    assert fiscal_year("2024-04") == 2024


@given(month_texts, st.integers(-2000, 2000))
def test_adding_months_and_taking_them_off_again_changes_nothing(text: str, n: int) -> None:
    try:
        there = add_months(text, n)
    except UsageError:
        return  # before the year 1
    assert add_months(there, -n) == text


@pytest.mark.parametrize("text", ["2024-13", "2024-00", "2024-2", "24-02", "2024-02-01", "", "２０２４-02"])
def test_a_text_that_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a month"):
        month(text, TOKYO)


def test_an_interval_holds_its_start_and_not_its_end() -> None:
    interval = Interval(10, 20)
    assert 10 in interval and 19 in interval
    assert 9 not in interval and 20 not in interval
    with pytest.raises(UsageError, match="ends before it starts"):
        Interval(20, 10)


@given(st.integers(0, 7_000_000_000_000), zones)
def test_local_text_with_its_offset_reads_back(time_ms: int, tz: ZoneInfo) -> None:
    assert parse_local(format_local(time_ms, tz), TOKYO) == time_ms


def test_local_times_that_do_not_exist_or_exist_twice_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match="does not exist in Europe/Amsterdam"):
        parse_local("2024-03-31 02:30", AMSTERDAM)
    with pytest.raises(UsageError, match="exists twice in Europe/Amsterdam") as caught:
        parse_local("2024-10-27 02:30", AMSTERDAM)
    assert "2024-10-27T02:30:00+02:00 or 2024-10-27T02:30:00+01:00" in caught.value.next
    assert parse_local("2024-10-27 02:30+01:00", AMSTERDAM) == utc_ms(2024, 10, 27, 1, 30)


@pytest.mark.parametrize("text", ["yesterday", "2024-02-30", "2024-02-01T00:00:00.0005", ""])
def test_a_text_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_local(text, TOKYO)
