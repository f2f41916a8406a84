"""Energies over gaps, with values from elsewhere, and beside closed months."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import DataError
from core.metering.boundaries import Method, RegisterReading
from core.metering.cells import cells_of
from core.metering.counters import Counter, EventKind, SegmentKind, counter_of_cells, counter_spec
from core.metering.energy import Lack, Origin, energy, series
from core.metering.frozen import frozen_boundary, frozen_text
from core.metering.installations import Installation, Side
from core.metering.readings import Reading
from core.metering.sources import IntervalValue
from core.timeline import HALF_HOUR_MS, Interval, half_hours

POINT = "AOB-RCV-01.active_energy_import"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ONE = Fraction(1)
FIRST = Installation(
    POINT, -(10**12), None, "1", ONE, ONE, Side.PRIMARY, Fraction(10), full_scale_kw=Fraction(6, 10)
)  # at full scale 60 counts an hour, 600 Wh


def read(*pairs: tuple[float, int]) -> list[Reading]:
    return [Reading(POINT, int(hours * HOUR_MS), count) for hours, count in pairs]


def counter(
    readings: list[Reading], installations: list[Installation] | None = None, entered: tuple[int, ...] = ()
) -> Counter:
    spec = counter_spec(POINT, installations or [FIRST])
    return counter_of_cells(cells_of(readings), spec, entered=entered)


def value(first_h: float, end_h: float, wh: int, origin: Origin = Origin.SUBSTITUTED) -> IntervalValue:
    interval = Interval(int(first_h * HOUR_MS), int(end_h * HOUR_MS))
    return IntervalValue(POINT, interval, wh, origin, method="rule", document="letter 7")


RESET = read((0, 9_000), (1, 9_010), (2, 4), (3, 14), (12, 20))


def test_an_energy_over_a_reset_has_its_least_and_leaves_the_rest_open() -> None:
    hours = series(counter(RESET), [FIRST], [hour * HOUR_MS for hour in range(4)])
    assert [hour.wh for hour in hours] == [100, 40, 100]
    assert [hour.unproven_wh for hour in hours] == [0, 600 + 10 - 40, 0]
    assert [[gap.kind for gap in hour.gaps] for hour in hours] == [[], [SegmentKind.RESET], []]
    assert [event.kind for event in hours[1].events] == [EventKind.RESET]
    whole = energy(counter(RESET), [FIRST], Interval(0, 3 * HOUR_MS))
    assert (whole.wh, whole.unproven_wh, whole.origin) == (240, 570, Origin.MEASURED)


def test_a_reset_may_be_a_register_that_was_set_back_to_a_higher_count() -> None:
    high = read((0, 9_000), (1, 9_010), (2, 50), (12, 60))
    hour = energy(counter(high), [FIRST], Interval(HOUR_MS, 2 * HOUR_MS))
    assert (hour.wh, hour.unproven_wh) == (500, 500), "though but 110 more can have gone through"


def test_a_boundary_in_a_gap_lies_between_nothing_and_the_most() -> None:
    half = energy(counter(RESET), [FIRST], Interval(0, 3 * HOUR_MS // 2))
    assert (half.end.method, half.end.accumulated, half.end.wh_beyond) == (Method.INTERPOLATED, 9_010, 20)
    assert (half.wh, half.unproven_wh, half.origin) == (120, 610 - 20, Origin.INTERPOLATED)
    assert not half.end.close


def test_a_jump_has_no_bound_and_says_so() -> None:
    jumped = counter(read((0, 10), (1, 20), (2, 5_000), (3, 5_010), (12, 5_020)))
    whole = energy(jumped, [FIRST], Interval(0, 3 * HOUR_MS))
    assert [(each.lack, each.time_ms) for each in whole.missing] == [(Lack.COUNTER_CUT, 2 * HOUR_MS)]
    assert energy(jumped, [FIRST], Interval(2 * HOUR_MS, 3 * HOUR_MS)).wh == 100


def test_a_value_fills_what_has_no_bound() -> None:
    jumped = counter(read((0, 10), (1, 20), (2, 5_000), (3, 5_010), (12, 5_020)))
    whole = energy(jumped, [FIRST], Interval(0, 3 * HOUR_MS), values=[value(0.5, 2, 450)])
    (part,) = whole.values
    assert (part.interval, part.wh) == (Interval(HOUR_MS, 2 * HOUR_MS), 300)
    assert (whole.wh, whole.origin) == (100 + 300 + 100, Origin.SUBSTITUTED)
    assert whole.unproven_wh == 300, "at full scale it were 600"


def test_a_month_end_after_the_last_reading_is_substituted_until_its_register_comes() -> None:
    known = read((0, 10), (20, 210))
    given = [value(20, 24, 555), value(24, 48, 999)]
    day = Interval(0, DAY_MS)
    first = energy(counter(known), [FIRST], day, values=given)
    assert (first.wh, first.origin, first.unproven_wh) == (2_000 + 555, Origin.SUBSTITUTED, 4 * 600 - 555)
    assert (first.end.method, first.end.before, first.end.after) == (
        Method.SUBSTITUTED,
        RegisterReading(20 * HOUR_MS, 210),
        None,
    )
    assert (first.end.accumulated, first.end.wh_beyond) == (210, 555)
    assert energy(counter(known), [FIRST], day).missing[0].lack is Lack.NO_READING_AFTER
    later = energy(counter([*known, *read((30, 310))]), [FIRST], day, values=given)
    assert (later.wh, later.origin, later.values) == (2_400, Origin.INTERPOLATED, ())


def test_what_lies_before_the_first_reading_is_counted_back_from_it() -> None:
    found = energy(
        counter(read((2, 10), (4, 30))), [FIRST], Interval(0, 4 * HOUR_MS), values=[value(0, 3, 90)]
    )
    assert found.wh == 60 + 200
    assert (found.start.accumulated, found.start.wh_beyond) == (10, -60)


def test_a_part_of_a_bill_may_be_none_or_all_of_it() -> None:
    bill = value(0, 4, 1_000, Origin.BILLED)
    nothing = counter([])
    whole = energy(nothing, [FIRST], Interval(0, 4 * HOUR_MS), values=[bill])
    assert (whole.wh, whole.unproven_wh, whole.origin) == (1_000, 0, Origin.BILLED)
    assert whole.start.accumulated is None
    part = energy(nothing, [FIRST], Interval(0, HOUR_MS), values=[bill])
    assert (part.wh, part.unproven_wh) == (250, 750)
    beyond = energy(nothing, [FIRST], Interval(0, 5 * HOUR_MS), values=[bill])
    assert [(each.lack, each.time_ms) for each in beyond.missing] == [(Lack.NO_VALUE, 4 * HOUR_MS)]


def test_interval_data_covers_its_half_hours() -> None:
    data = [value(index / 2, (index + 1) / 2, 10, Origin.MEASURED) for index in range(4)]
    whole = energy(counter([]), [], Interval(0, 3 * HOUR_MS), values=data)
    assert (whole.wh, whole.half_hours_covered, whole.half_hours) == (None, 4, 6)
    whole = energy(counter([]), [], Interval(0, 2 * HOUR_MS), values=data)
    assert (whole.wh, whole.unproven_wh, whole.origin) == (40, 0, Origin.MEASURED)
    assert (whole.half_hours_covered, whole.half_hours) == (4, 4)


def test_of_two_values_the_first_counts() -> None:
    given = [value(0, 1, 7, Origin.MEASURED), value(0, 2, 100, Origin.BILLED)]
    whole = energy(counter([]), [FIRST], Interval(0, 2 * HOUR_MS), values=given)
    assert whole.wh == 7 + 50
    assert energy(counter([]), [FIRST], Interval(0, 2 * HOUR_MS), values=given[::-1]).wh == 100


def test_an_index_that_was_entered_makes_a_boundary_manual() -> None:
    readings = read((0, 10), (23, 240), (24, 250), (30, 310))
    found = energy(counter(readings, entered=(DAY_MS,)), [FIRST], Interval(0, DAY_MS))
    assert (found.end.method, found.origin, found.wh) == (Method.MANUAL, Origin.MANUAL, 2_400)


def test_two_meters_and_a_slip_add_up_each_with_its_own_worth() -> None:
    old = replace(FIRST, end_ms=HOUR_MS, closing=120)
    new = replace(
        FIRST, start_ms=HOUR_MS, serial="2", wh_per_count=Fraction(1, 2), opening=7, resolution=Fraction(1, 4)
    )
    pair = [old, new]
    readings = read((0, 100), (0.9, 118), (1.1, 27), (2, 407))
    whole = energy(counter(readings, pair), pair, Interval(0, 2 * HOUR_MS))
    assert (whole.wh, whole.unproven_wh) == (20 * 10 + 400 // 2, 0)
    assert [gap.kind for gap in whole.gaps] == [SegmentKind.EXCHANGE]
    halves = series(counter(readings, pair), pair, [0, HOUR_MS, 2 * HOUR_MS])
    assert [half.wh for half in halves] == [200, 200]
    without = [replace(old, closing=None), replace(new, opening=None)]
    bounded = energy(counter(readings, without), without, Interval(0, 2 * HOUR_MS))
    assert (bounded.wh, bounded.unproven_wh) == (180 + 190, 120 + 10)


def test_a_register_that_stands_still_for_days_is_told_and_counts_nothing() -> None:
    idle = [Reading(POINT, hour * HOUR_MS, 500 if hour < 10 else 501) for hour in range(100)]
    whole = energy(counter(idle), [FIRST], Interval(0, 99 * HOUR_MS))
    (event,) = whole.events
    assert (event.kind, event.time_ms) == (EventKind.STOOD_STILL, 10 * HOUR_MS)
    assert event.evidence == "501 for 89 h, by its step less than 1 W"
    coarse = replace(FIRST, wh_per_count=Fraction(1000))
    assert energy(counter(idle, [coarse]), [coarse], Interval(0, 99 * HOUR_MS)).events == ()


def test_a_value_is_refused_that_cannot_be_one() -> None:
    for change in ({"wh": -1}, {"interval": Interval(5, 5)}, {"origin": Origin.MISSING}):
        with pytest.raises(DataError):
            replace(value(0, 1, 1), **change)


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[list[Reading], list[IntervalValue]]:
    """Return readings of a register that may do anything, and values that may lie anywhere."""
    hours = sorted(draw(st.sets(st.integers(0, 60), max_size=24)))
    count, readings = 5_000, []
    for hour in hours:
        count = draw(st.sampled_from([count, count + 20, count + 40, count + 10**6, 3, max(count - 1, 0)]))
        readings.append(Reading(POINT, hour * HOUR_MS, count))
    spans = draw(st.lists(st.tuples(st.integers(0, 55), st.integers(1, 20), st.integers(0, 900)), max_size=4))
    origins = st.sampled_from([Origin.MEASURED, Origin.BILLED, Origin.SUBSTITUTED, Origin.MANUAL])
    return readings, [value(first, first + length, wh, draw(origins)) for first, length, wh in spans]


@settings(max_examples=50)
@given(ledgers(), st.lists(st.integers(0, 48 * HOUR_MS), max_size=6))
def test_parts_add_up_over_registers_gaps_and_values(
    made: tuple[list[Reading], list[IntervalValue]], cuts: list[int]
) -> None:
    readings, values = made
    seen, span = counter(readings), Interval(0, 48 * HOUR_MS)
    whole = energy(seen, [FIRST], span, values=values)
    for grid in (half_hours(span), (0, *sorted(cuts), span.end_ms)):
        parts = series(seen, [FIRST], grid, values=values)
        known = [part.wh for part in parts if part.wh is not None]
        assert all(wh >= 0 for wh in known)
        if whole.wh is not None:
            assert len(known) == len(parts)
            assert sum(known) == whole.wh
        else:
            assert len(known) < len(parts)
        for part in parts:
            assert (part.wh is None) == bool(part.missing) == (part.origin is Origin.MISSING)
            assert part.unproven_wh is None or part.unproven_wh >= 0
    assert sum(
        part.half_hours_covered for part in series(seen, [FIRST], half_hours(span), values=values)
    ) == (whole.half_hours_covered)


@settings(max_examples=50)
@given(ledgers(), ledgers(), st.integers(10, 40))
def test_a_closed_month_and_its_neighbour_make_the_whole_whatever_comes_later(
    made: tuple[list[Reading], list[IntervalValue]],
    late: tuple[list[Reading], list[IntervalValue]],
    edge_h: int,
) -> None:
    readings, values = made
    edge_ms, span = edge_h * HOUR_MS + 7, Interval(0, 48 * HOUR_MS)
    closed = energy(counter(readings), [FIRST], Interval(0, edge_ms), values=values)
    text = frozen_text(closed.end)
    if closed.wh is None or text is None:
        return
    fixed = {edge_ms: frozen_boundary(edge_ms, text)}
    beside = series(counter(readings), [FIRST], [0, edge_ms, span.end_ms], values=values, fixed=fixed)
    assert beside[0].wh == closed.wh, "nothing came, nothing changed"
    more = counter([*readings, *late[0]])
    parts = series(more, [FIRST], [0, edge_ms, span.end_ms], values=values, fixed=fixed)
    whole = energy(more, [FIRST], span, values=values)
    if whole.wh is not None and None not in (parts[0].wh, parts[1].wh):
        assert sum(part.wh or 0 for part in parts) == whole.wh


def test_a_tighter_bracket_moves_nothing_that_a_closed_month_holds() -> None:
    readings = read((0, 0), (20, 200), (30, 300), (48, 480))
    edges = [0, DAY_MS, 2 * DAY_MS]
    closed = energy(counter(readings), [FIRST], Interval(0, DAY_MS))
    text = frozen_text(closed.end)
    assert text is not None
    fixed = {DAY_MS: frozen_boundary(DAY_MS, text)}
    more = counter([*readings, *read((24, 210))])
    january, february = series(more, [FIRST], edges, fixed=fixed)
    assert (january.wh, february.wh) == (2_400, 2_400) == (closed.wh, 4_800 - 2_400)
    assert (january.unproven_wh, february.unproven_wh) == (300, 300), "by now it is known to be off"
    assert [part.wh for part in series(more, [FIRST], edges)] == [2_100, 2_700]


def test_a_substituted_end_of_a_closed_month_is_counted_from_the_reading_it_was_taken_from() -> None:
    known = read((0, 10), (20, 210))
    closed = energy(counter(known), [FIRST], Interval(0, DAY_MS), values=[value(20, 24, 555)])
    text = frozen_text(closed.end)
    assert text is not None
    fixed = {DAY_MS: frozen_boundary(DAY_MS, text)}
    more = counter([*known, *read((24, 250), (48, 490))])
    january, february = series(more, [FIRST], [0, DAY_MS, 2 * DAY_MS], fixed=fixed)
    assert (january.wh, february.wh) == (2_555, 4_800 - 2_555)
    assert january.end.method is Method.SUBSTITUTED
    assert (january.end.accumulated, january.end.lower, january.end.wh_beyond) == (210, 210, 555)


def test_turns_before_an_interval_are_not_seen_in_it() -> None:
    turning = replace(FIRST, wrap_at=1_000)
    hours = [(float(hour), (990 + 30 * hour) % 1_000) for hour in range(40)]
    inside = Interval(35 * HOUR_MS + 7, 38 * HOUR_MS)
    found = [energy(counter(read(*hours[first:]), [turning]), [turning], inside) for first in (0, 30)]
    assert replace(found[0], start=found[1].start, end=found[1].end) == found[1]
    for one, other in ((found[0].start, found[1].start), (found[0].end, found[1].end)):
        assert replace(one, segment=0) == replace(other, segment=0)


def test_half_hours_of_a_gap_lie_in_it() -> None:
    parts = series(counter(RESET), [FIRST], half_hours(Interval(HOUR_MS, 2 * HOUR_MS)))
    assert [part.wh for part in parts] == [20, 20]
    assert parts[0].interval.duration_ms == HALF_HOUR_MS
