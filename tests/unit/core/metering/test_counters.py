from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DataError
from core.metering.cells import cells_of
from core.metering.counters import (
    Counter,
    CounterSpec,
    EventKind,
    Register,
    SegmentKind,
    build_counter,
    counter_of_cells,
)
from core.metering.gaps import gap_before
from core.metering.installations import Installation, Side
from core.metering.readings import Count, Quality, Reading

POINT = "AOB-RCV-01.active_energy_import"
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
ONE = Fraction(1)


def taken(*counts: Count, every_ms: int = MINUTE_MS) -> list[Reading]:
    return [Reading(POINT, index * every_ms, count) for index, count in enumerate(counts)]


def settled(*counts: Count, every_ms: int = MINUTE_MS) -> list[Reading]:
    """Return readings, and one more long after them, so that nothing of them is open any more."""
    return [*taken(*counts, every_ms=every_ms), Reading(POINT, 7 * HOUR_MS, counts[-1])]


def kinds(counter: Counter) -> list[EventKind]:
    return [event.kind for event in counter.events]


specs = st.sampled_from(
    [
        CounterSpec(POINT),
        CounterSpec(POINT, (Register(wrap_at=1000),)),
        CounterSpec(POINT, (Register(wrap_at=1000, counts_per_hour=Fraction(3000)),)),
        CounterSpec(
            POINT,
            (Register(wrap_at=1000, resolution=Fraction(1, 10)), Register(90_000, 1000, Fraction(1, 10))),
        ),
    ]
)
registers = st.lists(
    st.builds(
        Reading,
        st.just(POINT),
        st.integers(0, 4 * HOUR_MS),
        st.integers(0, 1100) | st.decimals(0, 1100, places=2),
        st.sampled_from(Quality),
    ),
    max_size=40,
)


@given(registers, specs, st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(
    rows: list[Reading], spec: CounterSpec, dice: random.Random
) -> None:
    repeated = rows + dice.choices(rows, k=len(rows)) if rows else []
    dice.shuffle(repeated)
    counter = build_counter(repeated, spec)
    assert counter == build_counter(rows, spec)
    pieces = [cell for row in repeated for cell in cells_of([row])]
    assert counter == counter_of_cells(pieces, spec)


@given(registers, specs)
def test_segments_hold_every_reading_once_and_rise_within(rows: list[Reading], spec: CounterSpec) -> None:
    counter = build_counter(rows, spec)
    held = [index for segment in counter.segments for index in range(segment.first, segment.last + 1)]
    assert held == list(range(len(counter.times_ms)))
    assert list(counter.times_ms) == sorted(set(counter.times_ms))
    for number, segment in enumerate(counter.segments):
        inside = counter.accumulated[segment.first : segment.last + 1]
        assert list(inside) == sorted(inside)
        assert inside[0] == spec.registers[-1].steps(counter.counts[segment.first])
        assert {counter.segment_of(index) for index in range(segment.first, segment.last + 1)} == {number}
        assert (segment.kind is SegmentKind.FIRST) == (number == 0)


def test_the_accumulated_count_is_the_registers_own_value() -> None:
    counter = build_counter(taken(61_204_417, 61_204_418, 61_204_420), CounterSpec(POINT))
    assert counter.accumulated == counter.counts == (61_204_417, 61_204_418, 61_204_420)
    assert counter.events == ()


def test_a_rollover_goes_on_counting() -> None:
    counter = build_counter(
        taken(9_990, 9_999, 4, 9, 9_998, 1), CounterSpec(POINT, (Register(wrap_at=10_000),))
    )
    assert counter.accumulated == (9_990, 9_999, 10_004, 10_009, 19_998, 20_001)
    assert len(counter.segments) == 1
    assert kinds(counter) == [EventKind.ROLLOVER, EventKind.ROLLOVER]
    assert counter.events[0].time_ms == 2 * MINUTE_MS
    assert counter.events[0].evidence == "9999, then 4"


@given(st.lists(st.integers(0, 500), min_size=1, max_size=60), st.integers(0, 999))
def test_rollovers_give_the_true_count_for_rises_up_to_half_a_turn(rises: list[int], start: int) -> None:
    truth = [start]
    for rise in rises:
        truth.append(truth[-1] + rise)
    counter = build_counter(
        taken(*(value % 1000 for value in truth)), CounterSpec(POINT, (Register(wrap_at=1000),))
    )
    assert [value - start for value in counter.accumulated] == [value - start for value in truth]


FULL_SCALE = CounterSpec(POINT, (Register(wrap_at=10_000, counts_per_hour=Fraction(600)),))


@pytest.mark.parametrize(
    ("spec", "after", "kind"),
    [
        (CounterSpec(POINT), 0, SegmentKind.FALL),  # neither a wrap nor full scale is known
        (CounterSpec(POINT, (Register(wrap_at=10_000),)), 4_001, SegmentKind.FALL),  # more than half a turn
        (FULL_SCALE, 20, SegmentKind.RESET),  # a rollover would be more than full scale
        (FULL_SCALE, 2_000, SegmentKind.FALL),  # so would be what came since it was 0
    ],
)
def test_a_fall_that_no_rollover_explains_cuts_the_counter(
    spec: CounterSpec, after: int, kind: SegmentKind
) -> None:
    counter = build_counter(settled(8_990, 9_000, after, after + 5), spec)
    assert [(segment.kind, segment.first, segment.last) for segment in counter.segments] == [
        (SegmentKind.FIRST, 0, 1),
        (kind, 2, 4),
    ]
    assert kinds(counter) == [EventKind(kind)]
    assert counter.events[0].evidence == f"9000, then {after}"
    assert counter.accumulated == (8_990, 9_000, after, after + 5, after + 5)


def test_a_register_that_stood_still_makes_up_for_all_of_that_time() -> None:
    """A frozen display: what it did not show comes at once, and is energy."""
    spec = CounterSpec(POINT, (Register(counts_per_hour=Fraction(6_000)),))
    frozen = build_counter(taken(10, *[20] * 30, 20 + 29 * 100), spec)  # a minute each, at full scale
    assert [segment.kind for segment in frozen.segments] == [SegmentKind.FIRST]
    assert kinds(build_counter(settled(10, 20, 20 + 29 * 100), spec)) == [EventKind.JUMP]


def test_a_rise_that_the_circuit_cannot_carry_cuts_the_counter() -> None:
    """A meter is exchanged for one that shows more."""
    spec = CounterSpec(POINT, (Register(counts_per_hour=Fraction(6_000)),))
    most, frozen = (1 + 6_000 * 12 * (seconds + 302) // (10 * 3600) for seconds in (60, 120))
    for rise, seen in (
        (most, []),
        (most + 1, [EventKind.FROZEN]),  # it may not have shown the minute before
        (frozen, [EventKind.FROZEN]),
        (frozen + 1, [EventKind.JUMP]),
        (10**9, [EventKind.JUMP]),
    ):
        counter = build_counter(settled(10, 20, 20 + rise, 30 + rise), spec)
        assert kinds(counter) == seen
        cut = seen == [EventKind.JUMP]
        assert [segment.kind for segment in counter.segments][1:] == [SegmentKind.JUMP] * cut
    assert len(build_counter(taken(10, 10**9), CounterSpec(POINT)).segments) == 1, "nothing is known"
    both = CounterSpec(POINT, (Register(wrap_at=10**6, counts_per_hour=Fraction(6_000)),))
    assert kinds(build_counter(settled(10, 500_000), both)) == [EventKind.JUMP]
    assert kinds(build_counter(taken(999_990, 10), both)) == [EventKind.ROLLOVER]


def test_full_scale_allows_a_rollover_of_more_than_half_a_turn() -> None:
    spec = CounterSpec(POINT, (Register(wrap_at=100, counts_per_hour=Fraction(60 * 90)),))
    assert build_counter(taken(50, 40), spec).accumulated == (50, 140)
    assert kinds(build_counter(taken(50, 42), spec)) == [
        EventKind.OPEN
    ]  # 92 in a minute is more than 90 and 1


def test_a_silence_that_may_hide_a_whole_turn_cuts_the_counter() -> None:
    spec = CounterSpec(POINT, (Register(wrap_at=1_000, counts_per_hour=Fraction(1_000)),))
    assert len(build_counter(taken(10, 500, every_ms=HOUR_MS), spec).segments) == 1
    hidden = build_counter(taken(10, 500, every_ms=2 * HOUR_MS), spec)
    assert [segment.kind for segment in hidden.segments] == [SegmentKind.FIRST, SegmentKind.SILENCE]
    assert kinds(hidden) == [EventKind.SILENCE]


def test_another_meter_cuts_the_counter_even_where_the_register_rises() -> None:
    counter = build_counter(taken(10, 11, 5_000, 5_001), CounterSpec(POINT, (Register(), Register(90_000))))
    assert [segment.kind for segment in counter.segments] == [SegmentKind.FIRST, SegmentKind.EXCHANGE]
    assert counter.segments[1].first == 2
    for outside in (0, 10 * HOUR_MS):
        assert (
            len(build_counter(taken(10, 11), CounterSpec(POINT, (Register(), Register(outside)))).segments)
            == 1
        )


def test_bad_readings_do_not_count() -> None:
    rows = [*taken(5, 6), Reading(POINT, 30_000, 10**9, Quality.BAD), Reading(POINT, 1, None, Quality.BAD)]
    assert build_counter(rows, CounterSpec(POINT)) == build_counter(taken(5, 6), CounterSpec(POINT))


def test_counts_outside_the_register_are_set_aside_by_name() -> None:
    counter = build_counter(taken(5, 1_000, -3, 6), CounterSpec(POINT, (Register(wrap_at=1_000),)))
    assert counter.accumulated == (5, 6)
    assert kinds(counter) == [EventKind.OUT_OF_RANGE, EventKind.OUT_OF_RANGE]


def test_a_conflict_is_an_event_and_the_better_reading_counts() -> None:
    rows = [*taken(5, 6), Reading(POINT, 0, 900, Quality.UNCERTAIN)]
    counter = build_counter(rows, CounterSpec(POINT))
    assert counter.accumulated == (5, 6)
    assert kinds(counter) == [EventKind.CONFLICT]
    assert "5 and 900" in counter.events[0].evidence


def test_a_float_register_is_counted_in_steps_of_its_resolution() -> None:
    counter = build_counter(
        taken(Decimal("15125.339"), Decimal("15125.3399"), 15_126),
        CounterSpec(POINT, (Register(resolution=Fraction(1, 1000)),)),
    )
    assert counter.accumulated == (15_125_339, 15_125_339, 15_126_000)
    assert counter.counts == (Decimal("15125.339"), Decimal("15125.3399"), 15_126)


def test_readings_of_another_point_are_refused() -> None:
    with pytest.raises(DataError, match="another point"):
        build_counter(taken(1), CounterSpec("AOB-FUR-01.active_energy_import"))


@pytest.mark.parametrize(
    ("wrap_at", "resolution"), [(1, Fraction(1)), (100, Fraction(0)), (100, Fraction(-1)), (100, Fraction(3))]
)
def test_an_impossible_register_is_refused(wrap_at: int, resolution: Fraction) -> None:
    with pytest.raises(DataError):
        CounterSpec(POINT, (Register(wrap_at=wrap_at, resolution=resolution),))


FAST = Register(counts_per_hour=Fraction(600))  # ten a minute
PLAIN = CounterSpec(POINT, (FAST,))


def gaps_of(readings: list[Reading], spec: CounterSpec = PLAIN) -> list[tuple[SegmentKind, int, int | None]]:
    """Return kind, least and most of each gap, with 600 W of full scale and 1 Wh a step [Wh]."""
    counter = build_counter(readings, spec)
    installations = [
        replace(METER, start_ms=each.start_ms, end_ms=end_ms, serial=str(number))
        for number, (each, end_ms) in enumerate(
            zip(spec.registers, [*(later.start_ms for later in spec.registers[1:]), None], strict=True)
        )
    ]
    return [
        (gap.kind, int(gap.least), None if gap.most is None else int(gap.most))
        for number in range(1, len(counter.segments))
        for gap in [gap_before(counter, number, installations)]
    ]


METER = Installation(POINT, 0, None, "0", ONE, ONE, Side.PRIMARY, ONE, full_scale_kw=Fraction(600, 1000))


def test_zeros_after_a_start_are_held_and_cost_nothing() -> None:
    counter = build_counter(settled(9_000, 0, 0, 0, 9_003), PLAIN)
    assert counter.accumulated == (9_000, 9_003, 9_003)
    assert [count for _, count in counter.held] == [0, 0, 0]
    assert len(counter.segments) == 1
    assert [(event.kind, event.time_ms, event.evidence) for event in counter.events] == [
        (EventKind.DIP, MINUTE_MS, "9000, then 0, then 9003 (3 set aside)")
    ]


def test_a_register_that_may_have_counted_on_from_where_it_fell_leaves_that_open() -> None:
    """A count that was lost, or a wrong value: the truth is with one of them."""
    counter = build_counter(settled(9_000, 8_999, 9_000, 9_001), PLAIN)
    assert counter.accumulated == (9_000, 9_000, 9_001, 9_001)
    assert gaps_of(settled(9_000, 8_999, 9_000, 9_001)) == [(SegmentKind.DIP, 0, 10 + 1 + 1)]
    unknown = build_counter(settled(9_000, 8_999, 9_000, 9_001), CounterSpec(POINT))
    assert len(unknown.segments) == 1, "without full scale nothing could bound it"


def test_one_reading_too_high_is_held() -> None:
    for spec, high in ((PLAIN, 10**6), (CounterSpec(POINT), 10**6)):
        counter = build_counter(settled(9_000, 9_001, high, 9_002, 9_003), spec)
        assert counter.accumulated == (9_000, 9_001, 9_002, 9_003, 9_003)
        assert kinds(counter) == [EventKind.SPIKE]
        assert counter.held == ((2 * MINUTE_MS, high),)


def test_a_wrong_scale_for_some_minutes_is_held() -> None:
    counter = build_counter(settled(9_000, 90_010, 90_020, 90_030, 9_004), PLAIN)
    assert counter.accumulated == (9_000, 9_004, 9_004)
    assert [event.kind for event in counter.events] == [EventKind.SPIKE]


def test_zeros_at_the_top_of_a_register_are_no_rollover() -> None:
    spec = CounterSpec(POINT, (replace(FAST, wrap_at=10_000),))
    counter = build_counter(settled(9_995, 0, 0, 9_996), spec)
    assert counter.accumulated == (9_995, 9_996, 9_996)
    assert kinds(counter) == [EventKind.DIP]
    rolled = build_counter(settled(9_995, 0, 1, 2), spec)
    assert kinds(rolled) == [EventKind.ROLLOVER]


def test_what_is_not_back_yet_is_open_until_later_readings_tell() -> None:
    fallen = taken(9_000, 0, 1)
    counter = build_counter(fallen, PLAIN)
    assert counter.times_ms == (0,)
    assert kinds(counter) == [EventKind.OPEN]
    back = [*fallen, Reading(POINT, 5 * HOUR_MS, 9_010)]
    assert kinds(build_counter(back, PLAIN)) == [EventKind.DIP]
    gone = [*fallen, Reading(POINT, 7 * HOUR_MS, 9_010)]
    assert kinds(build_counter(gone, PLAIN)) == [EventKind.RESET, EventKind.OPEN]


def test_the_next_reading_is_heard_however_late_it_comes() -> None:
    monthly = taken(1_000, 1_100, 120, 1_300, every_ms=30 * 24 * HOUR_MS)
    counter = build_counter(monthly, PLAIN)
    assert [count for _, count in counter.held] == [120]
    assert kinds(counter) == [EventKind.DIP]


def test_a_reset_has_the_new_count_at_least_and_full_scale_at_most() -> None:
    assert gaps_of(settled(9_000, 4, 5)) == [(SegmentKind.RESET, 4, 10 + 1)]


def test_a_silence_of_a_turn_has_the_rest_of_a_turn_at_least() -> None:
    spec = CounterSpec(POINT, (replace(FAST, wrap_at=1_000),))
    found = gaps_of([Reading(POINT, 0, 10), Reading(POINT, 4 * HOUR_MS, 3)], spec)
    assert found == [(SegmentKind.SILENCE, 993, 2_400 + 1)]


def test_another_meter_lets_through_what_full_scale_does() -> None:
    spec = CounterSpec(POINT, (FAST, replace(FAST, start_ms=90_000)))
    assert gaps_of(settled(9_000, 9_001, 70, 71), spec) == [(SegmentKind.EXCHANGE, 0, 10 + 1)]


def test_a_slip_with_both_indexes_leaves_nothing_open() -> None:
    spec = CounterSpec(
        POINT,
        (
            replace(FAST, indexes=((90_000, 9_006),)),
            replace(FAST, start_ms=90_000, indexes=((90_000, 60),)),
        ),
    )
    counter = build_counter(settled(9_000, 9_001, 70, 71), spec)
    assert counter.times_ms[:6] == (0, MINUTE_MS, 90_000, 90_000, 2 * MINUTE_MS, 3 * MINUTE_MS)
    assert counter.entered == {90_000}
    assert gaps_of(settled(9_000, 9_001, 70, 71), spec) == [(SegmentKind.EXCHANGE, 0, 0)]
    only_opening = replace(spec, registers=(FAST, spec.registers[1]))
    assert gaps_of(settled(9_000, 9_001, 70, 71), only_opening) == [(SegmentKind.EXCHANGE, 0, 5 + 1)]


def test_a_display_that_stood_still_and_made_up_for_it_proves_nothing_of_its_standing() -> None:
    counter = build_counter(settled(0, 10, 20, 20, 20, *[20] * 20, 250), PLAIN)
    assert counter.accumulated == (0, 10, 250, 250)
    assert kinds(counter) == [EventKind.FROZEN]


def test_uncertain_readings_between_good_ones_that_are_near_do_not_count() -> None:
    doubtful = [Reading(POINT, 15 * MINUTE_MS, 11, Quality.UNCERTAIN)]
    near = build_counter([*taken(10, 12, every_ms=30 * MINUTE_MS), *doubtful], PLAIN)
    assert near.counts == (10, 12)
    far = build_counter([*taken(10, 12, every_ms=31 * MINUTE_MS), *doubtful], PLAIN)
    assert far.counts == (10, 11, 12)
    assert far.uncertain == {15 * MINUTE_MS}


def test_every_kind_of_event_says_what_would_explain_it() -> None:
    assert all(kind.explanation for kind in EventKind)


@given(registers, specs, st.integers(0, 9), st.integers(0, 9))
def test_part_of_the_readings_decides_as_all_of_them_do(
    rows: list[Reading], spec: CounterSpec, before: int, after: int
) -> None:
    """Far apart from what is left out, that is: a decision looks not further than it says."""
    early = [Reading(POINT, -(10**9) - index * HOUR_MS, 0) for index in range(before)]
    late = [Reading(POINT, 10**9 + index * HOUR_MS, 5_000) for index in range(2, after + 2)]
    bound = [
        Reading(POINT, -(10**8), 0),
        *rows,
        Reading(POINT, 10**8, 5_000),
        Reading(POINT, 10**8 + 7 * HOUR_MS, 5_000),
    ]
    alone, all_of_them = build_counter(bound, spec), build_counter([*early, *bound, *late], spec)
    inside = {time_ms for time_ms in alone.times_ms if 0 <= time_ms <= 4 * HOUR_MS}
    assert inside == {time_ms for time_ms in all_of_them.times_ms if 0 <= time_ms <= 4 * HOUR_MS}
