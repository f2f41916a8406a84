from __future__ import annotations

import random
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import floor
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DataError, UsageError
from core.metering.boundaries import Method, boundary
from core.metering.cells import cells_of
from core.metering.counters import CounterSpec, Register, build_counter, counter_of_cells, counter_spec
from core.metering.energy import IntervalEnergy, Lack, Missing, Origin, energy, series
from core.metering.installations import Installation, Side
from core.metering.readings import Quality, Reading
from core.timeline import HALF_HOUR_MS, Interval, days, half_hours, month

POINT = "AOB-RCV-01.active_energy_import"
TOKYO = ZoneInfo("Asia/Tokyo")
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
HOUR_MS = 3_600_000
SPAN = Interval(4 * HALF_HOUR_MS, 30 * HALF_HOUR_MS)


def installed(
    multiplier: Fraction | int = 1,
    start_ms: int = -(10**15),
    end_ms: int | None = None,
    serial: str = "SYN-0417",
) -> Installation:
    one = Fraction(1)
    return Installation(POINT, start_ms, end_ms, serial, one, one, Side.PRIMARY, Fraction(multiplier))


def total_wh(parts: Sequence[IntervalEnergy]) -> int:
    known = [part.wh for part in parts if part.wh is not None]
    assert len(known) == len(parts)
    return sum(known)


multipliers = st.fractions(min_value=Fraction(1, 1000), max_value=50_000, max_denominator=3000)
times = st.integers(0, 34 * HALF_HOUR_MS)


@st.composite
def dated(draw: st.DrawFn) -> list[Installation]:
    """Return one to three installations that follow each other, of one meter, in any order."""
    n = draw(st.sampled_from([0, 1, 2]))
    changes = sorted(draw(st.sets(st.integers(SPAN.start_ms - 9, SPAN.end_ms + 9), min_size=n, max_size=n)))
    starts, ends = [-(10**15), *changes], [*changes, None]
    each = [installed(draw(multipliers), start, end) for start, end in zip(starts, ends, strict=True)]
    return draw(st.permutations(each))


@st.composite
def registers(draw: st.DrawFn) -> list[Reading]:
    """Return readings of a register that rises, wraps and sometimes resets: with gaps, mixed, some twice.

    Most of them reach from before the span to after it, so that most of the spans have a value.
    """
    reach = draw(
        st.sampled_from([{0, 34 * HALF_HOUR_MS}, {0, 1, 33 * HALF_HOUR_MS, 34 * HALF_HOUR_MS}, set()])
    )
    reset = draw(st.sampled_from([None, None, None, None, 0, 3, 9]))
    count, readings = draw(st.sampled_from([0, 5_000, 9_000, 9_999])), []
    for index, time_ms in enumerate(sorted(reach | draw(st.sets(times, max_size=40)))):
        count = 3 if index == reset else count + draw(st.sampled_from([0, 1, 70, 900]))
        quality = Quality.GOOD if time_ms in reach else draw(st.sampled_from(Quality))
        readings.append(Reading(POINT, time_ms, count % 10_000, quality))
    return draw(
        st.permutations(readings + draw(st.lists(st.sampled_from(readings), max_size=9)) if readings else [])
    )


specs = st.sampled_from(
    [CounterSpec(POINT), CounterSpec(POINT, (Register(wrap_at=10_000, resolution=Fraction(1, 4)),))]
)


@given(registers(), dated(), specs, st.lists(st.integers(SPAN.start_ms, SPAN.end_ms), max_size=8))
def test_parts_add_up_to_the_whole_wherever_it_is_cut(
    readings: list[Reading], installations: list[Installation], spec: CounterSpec, cuts: list[int]
) -> None:
    counter = build_counter(readings, spec)
    whole = energy(counter, installations, SPAN)
    for grid in (half_hours(SPAN), (SPAN.start_ms, *sorted(cuts), SPAN.end_ms)):
        parts = series(counter, installations, grid)
        assert [part.interval.start_ms for part in parts] == list(grid[:-1])
        if whole.wh is None:
            assert any(part.wh is None for part in parts)
        else:
            assert total_wh(parts) == whole.wh
        for part in parts:
            assert part == energy(counter, installations, part.interval)
            assert part.wh is None or part.wh >= 0
            assert (part.wh is None) == (part.origin is Origin.MISSING) == bool(part.missing)
            assert (part.wh is None) == (part.unproven_wh is None)
    half_hourly = series(counter, installations, half_hours(SPAN))
    assert whole.half_hours == len(half_hourly)
    assert whole.half_hours_covered == sum(part.half_hours_covered for part in half_hourly)
    assert all(
        part.half_hours_covered == 1
        for part in half_hourly
        if part.origin is Origin.MEASURED and not part.changes
    )


@given(registers(), dated(), specs, st.randoms(use_true_random=False))
def test_order_and_repetition_change_no_energy(
    readings: list[Reading], installations: list[Installation], spec: CounterSpec, dice: random.Random
) -> None:
    known = series(build_counter(readings, spec), installations, half_hours(SPAN))
    again = readings + dice.choices(readings, k=5) if readings else []
    dice.shuffle(again)
    dice.shuffle(installations)
    assert series(build_counter(again, spec), installations, half_hours(SPAN)) == known


@given(registers(), multipliers, st.integers(0, 33))
def test_what_is_on_record_of_earlier_times_changes_no_energy(
    readings: list[Reading], multiplier: Fraction, since: int
) -> None:
    """Months that are computed from different stretches of the record still add up."""
    spec = CounterSpec(POINT, (Register(wrap_at=10_000),))
    cells = cells_of(readings)
    whole = counter_of_cells(cells, spec)
    recent = counter_of_cells((cell for cell in cells if cell.start_ms >= since * HALF_HOUR_MS), spec)
    for part in series(recent, [installed(multiplier)], half_hours(SPAN)):
        if part.wh is not None:
            assert energy(whole, [installed(multiplier)], part.interval).wh == part.wh


def test_turns_that_are_worth_no_whole_wh_still_leave_no_month_with_another_figure() -> None:
    """Half a Wh per count and an odd turn: with and without the turns before it, each hour is the same."""
    spec = CounterSpec(POINT, (Register(wrap_at=101),))
    readings = [Reading(POINT, hour * HOUR_MS, hour * 33 % 101) for hour in range(24)]
    hours = [hour * HOUR_MS for hour in range(20, 24)]
    known = series(build_counter(readings, spec), [installed(Fraction(1, 2))], hours)
    for since in range(20):
        recent = series(build_counter(readings[since:], spec), [installed(Fraction(1, 2))], hours)
        assert [hour.wh for hour in recent] == [hour.wh for hour in known]


@st.composite
def true_registers(draw: st.DrawFn) -> tuple[list[int], list[int], list[Reading]]:
    steps = sorted(draw(st.sets(times, min_size=1, max_size=40)))
    values = [draw(st.integers(0, 9_000))]
    for _ in steps:
        values.append(values[-1] + draw(st.integers(0, 50)))
    read = sorted({0, 34 * HALF_HOUR_MS} | draw(st.sets(times, max_size=20)))
    return steps, values, [Reading(POINT, at, values[bisect_right(steps, at)]) for at in read]


@given(true_registers(), dated(), st.lists(times, min_size=2, max_size=2).map(sorted))
def test_the_truth_lies_within_the_unproven_bound(
    true: tuple[list[int], list[int], list[Reading]], installations: list[Installation], ends: list[int]
) -> None:
    steps, values, readings = true
    interval = Interval(*ends)
    truth = 0  # of a register that is read at every boundary
    for each in sorted(installations, key=lambda installation: installation.start_ms):
        start_ms = max(interval.start_ms, each.start_ms)
        end_ms = interval.end_ms if each.end_ms is None else min(interval.end_ms, each.end_ms)
        if start_ms < end_ms:
            rise = [values[bisect_right(steps, at)] * each.multiplier for at in (start_ms, end_ms)]
            truth += int(rise[1]) - int(rise[0])
    found = energy(build_counter(readings, CounterSpec(POINT)), installations, interval)
    if found.wh is not None:
        assert found.unproven_wh is not None
        assert abs(found.wh - truth) <= found.unproven_wh


def minutes(interval: Interval, start: int, ms_per_count: int) -> list[Reading]:
    """Return readings each minute, 13 ms late, and 2 s on both sides of each half-hour."""
    instants = {*range(interval.start_ms - HALF_HOUR_MS + 13, interval.end_ms + HALF_HOUR_MS, 60_000)}
    for at in half_hours(interval):
        instants |= {at - 2_000, at + 2_000}
    return [Reading(POINT, at, start + (at - interval.start_ms) // ms_per_count) for at in sorted(instants)]


def test_a_leap_february_of_minutes_in_one_go_and_in_half_hours() -> None:
    february = month("2024-02", TOKYO)
    readings = minutes(february, 61_204_417, 5_000)
    assert len(readings) > 43_000
    station = replace(installed(), ct=Fraction(80), vt=Fraction(600), side=Side.SECONDARY)
    cells = cells_of(readings)
    started = time.process_time()
    counter = counter_of_cells(cells, CounterSpec(POINT, (Register(wrap_at=10**9),)))
    whole = energy(counter, [station], february)
    parts = series(counter, [station], half_hours(february))
    assert time.process_time() - started < 2  # about 0.06 s; anything quadratic takes minutes
    assert whole.wh == 29 * 86_400_000 // 5_000 * 48_000
    assert total_wh(parts) == whole.wh
    assert (whole.half_hours_covered, whole.half_hours, len(parts)) == (1392, 1392, 1392)
    assert whole.origin is Origin.MEASURED
    assert whole.unproven_wh == 2 * 48_000  # one count at each end, as in the brackets of 2 s


@pytest.mark.parametrize(("text", "half_hour_count"), [("2024-03", 31 * 48 - 2), ("2024-10", 31 * 48 + 2)])
def test_months_with_a_day_of_23_or_25_hours(text: str, half_hour_count: int) -> None:
    interval = month(text, AMSTERDAM)
    counter = build_counter(minutes(interval, 5, 7_000), CounterSpec(POINT))
    whole = energy(counter, [installed(Fraction(10, 3))], interval)
    daily = series(counter, [installed(Fraction(10, 3))], days(interval, AMSTERDAM))
    assert (
        total_wh(daily)
        == total_wh(series(counter, [installed(Fraction(10, 3))], half_hours(interval)))
        == whole.wh
    )
    assert whole.half_hours == sum(day.half_hours for day in daily) == half_hour_count
    assert sorted({day.half_hours for day in daily}) in ([46, 48], [48, 50])


def counts(*pairs: tuple[float, int]) -> list[Reading]:
    return [Reading(POINT, int(hours * HOUR_MS), count) for hours, count in pairs]


def test_a_gap_inside_costs_nothing_and_a_gap_over_the_end_costs_its_bracket() -> None:
    day = Interval(0, 24 * HOUR_MS)
    inside = counts((0, 0), (1, 10), (2, 20), (5, 51), (23.75, 238), (24, 240))
    whole = energy(build_counter(inside, CounterSpec(POINT)), [installed(10)], day)
    assert (whole.wh, whole.unproven_wh, whole.origin) == (2400, 0, Origin.MEASURED)
    over = counts((0, 0), (1, 10), (22, 220), (25, 251))
    whole = energy(build_counter(over, CounterSpec(POINT)), [installed(10)], day)
    assert (whole.wh, whole.unproven_wh, whole.origin) == (2400, 310, Origin.INTERPOLATED)
    assert whole.end.method is Method.INTERPOLATED


def test_a_half_hour_is_covered_when_both_its_ends_are_known_to_half_an_hour() -> None:
    readings = counts((0, 0), (0.4, 1), (0.9, 2), (1.4, 3), (4.0, 9), (4.4, 10), (4.9, 11), (5, 12))
    counter = build_counter(readings, CounterSpec(POINT))
    found = series(counter, [installed()], half_hours(Interval(0, 5 * HOUR_MS)))
    assert [part.half_hours_covered for part in found] == [1, 1, 0, 0, 0, 0, 0, 0, 1, 1]
    assert [part.origin is Origin.MEASURED for part in found] == [
        part.half_hours_covered == 1 for part in found
    ]
    idle = build_counter(counts((0, 7), (5, 7)), CounterSpec(POINT))
    whole = energy(idle, [installed()], Interval(0, 5 * HOUR_MS))
    assert (whole.wh, whole.unproven_wh, whole.half_hours_covered) == (0, 0, 10)


def test_a_half_hour_in_which_the_register_fell_is_not_covered() -> None:
    counter = build_counter(
        counts((0, 100), (0.1, 103), (0.2, 4), (0.5, 5), (1, 6), (9, 6)), CounterSpec(POINT)
    )
    whole = energy(counter, [installed()], Interval(0, HOUR_MS))
    assert whole.start.close and whole.end.close
    assert (whole.wh, whole.half_hours_covered, whole.half_hours) == (None, 1, 2)


def test_missing_is_none_and_named_never_zero() -> None:
    counter = build_counter(counts((1, 10), (2, 20)), CounterSpec(POINT))
    hour = HOUR_MS
    before = energy(counter, [installed()], Interval(0, 2 * hour))
    assert (before.wh, before.unproven_wh, before.origin) == (None, None, Origin.MISSING)
    assert before.missing == (Missing(Lack.NO_READING_BEFORE, 0),)
    assert energy(counter, [installed()], Interval(hour, 3 * hour)).missing == (
        Missing(Lack.NO_READING_AFTER, 3 * hour),
    )
    assert str(before.missing[0]) == "no reading at or before 1970-01-01T00:00:00+00:00"
    nothing = energy(build_counter([], CounterSpec(POINT)), [installed()], Interval(0, hour))
    assert nothing.wh is None and nothing.half_hours_covered == 0
    assert energy(counter, [installed()], Interval(hour, 2 * hour)).wh == 10


def test_a_month_with_no_installation_for_a_part_of_it_is_missing() -> None:
    counter = build_counter(counts((0, 0), (9, 90)), CounterSpec(POINT))
    gap = [installed(1, 0, 2 * HOUR_MS), installed(1, 3 * HOUR_MS, 8 * HOUR_MS)]
    assert energy(counter, gap, Interval(HOUR_MS, 9 * HOUR_MS)).missing == (
        Missing(Lack.NO_INSTALLATION, 2 * HOUR_MS),
        Missing(Lack.NO_INSTALLATION, 8 * HOUR_MS),
    )
    assert energy(counter, gap, Interval(HOUR_MS, 2 * HOUR_MS)).wh == 10
    assert energy(counter, [], Interval(0, HOUR_MS)).missing == (Missing(Lack.NO_INSTALLATION, 0),)


def test_a_fall_inside_leaves_the_interval_missing_and_its_neighbours_known() -> None:
    counter = build_counter(counts((0, 100), (1, 110), (2, 4), (3, 14), (4, 24), (9, 24)), CounterSpec(POINT))
    hours = series(counter, [installed()], [hour * HOUR_MS for hour in range(5)])
    assert [hour.wh for hour in hours] == [10, None, 10, 10]
    assert hours[1].missing == (Missing(Lack.COUNTER_CUT, 2 * HOUR_MS),)
    assert energy(counter, [installed()], Interval(0, 4 * HOUR_MS)).wh is None
    half = energy(counter, [installed()], Interval(HOUR_MS // 2, 3 * HOUR_MS // 2))
    assert half.missing == (Missing(Lack.COUNTER_CUT, 3 * HOUR_MS // 2),)


def test_a_rollover_inside_changes_no_energy() -> None:
    counter = build_counter(
        counts((0, 9_990), (1, 5), (2, 9)), CounterSpec(POINT, (Register(wrap_at=10_000),))
    )
    whole = energy(counter, [installed(48_000)], Interval(0, 2 * HOUR_MS))
    assert (whole.wh, whole.unproven_wh) == (19 * 48_000, 0)
    assert (whole.start.count, whole.end.count, whole.end.accumulated) == (9_990, 9, 10_009)


def test_a_new_ratio_counts_from_its_date_on_and_its_boundary_is_shown() -> None:
    counter = build_counter(counts((0, 0), (1, 10), (2, 20), (3, 30), (4, 40)), CounterSpec(POINT))
    dates = [installed(5, 0, 2 * HOUR_MS), installed(7, 2 * HOUR_MS)]
    whole = energy(counter, dates, Interval(0, 4 * HOUR_MS))
    assert whole.wh == 20 * 5 + 20 * 7
    assert whole.changes == (boundary(counter, 2 * HOUR_MS),)
    assert whole.installations == tuple(dates)
    blurred = build_counter(counts((0, 0), (1, 10), (3, 30), (4, 40)), CounterSpec(POINT))
    found = energy(blurred, dates, Interval(0, 4 * HOUR_MS))
    assert (found.wh, found.unproven_wh) == (240, 20 * (7 - 5) + 1)


def test_a_new_record_with_the_same_ratio_needs_no_reading_at_its_date() -> None:
    counter = build_counter(counts((0, 0), (4, 40)), CounterSpec(POINT))
    dates = [installed(5, 0, 2 * HOUR_MS), replace(installed(5, 2 * HOUR_MS), evidence="calibrated again")]
    whole = energy(counter, dates, Interval(0, 4 * HOUR_MS))
    assert (whole.wh, whole.unproven_wh, whole.changes) == (200, 0, ())


def test_another_meter_leaves_the_interval_missing_until_its_registers_are_known() -> None:
    dates = [installed(5, 0, 2 * HOUR_MS, "SYN-1"), installed(5, 2 * HOUR_MS, None, "SYN-2")]
    readings = counts((0, 0), (1, 10), (3, 500), (4, 510))
    counter = build_counter(readings, counter_spec(POINT, dates))
    hours = series(counter, dates, [hour * HOUR_MS for hour in range(5)])
    assert [hour.wh for hour in hours] == [50, None, None, 50]
    assert energy(counter, dates, Interval(0, 4 * HOUR_MS)).missing == (
        Missing(Lack.COUNTER_CUT, 3 * HOUR_MS),
    )


@given(registers(), multipliers, specs, st.lists(times, min_size=2, max_size=2).map(sorted))
def test_the_energy_is_the_difference_of_two_registers_in_wh(
    readings: list[Reading], multiplier: Fraction, spec: CounterSpec, ends: list[int]
) -> None:
    counter = build_counter(readings, spec)
    found = energy(counter, [installed(multiplier)], Interval(*ends))
    start, end = (boundary(counter, time_ms) for time_ms in ends)
    if found.wh is not None and start.segment == end.segment and spec.registers[0].wrap_at is None:
        assert start.accumulated is not None and end.accumulated is not None
        each = multiplier * spec.registers[0].resolution
        assert found.wh == floor(end.accumulated * each) - floor(start.accumulated * each)


def test_wh_are_rounded_down_once_at_the_boundary() -> None:
    counter = build_counter(
        counts((0, 1), (1, 2), (2, 3)), CounterSpec(POINT, (Register(resolution=Fraction(1, 2)),))
    )
    third = [installed(Fraction(2, 3))]
    found = series(counter, third, [hour * HOUR_MS for hour in range(4)])
    assert [hour.wh for hour in found] == [1, 1, None]


def test_wrong_questions_are_refused() -> None:
    counter = build_counter(counts((0, 1), (1, 2)), CounterSpec(POINT))
    with pytest.raises(UsageError, match="ends before it starts"):
        series(counter, [installed()], (HOUR_MS, 0))
    with pytest.raises(DataError, match="same time"):
        energy(counter, [installed(1), installed(2)], Interval(0, 1))
