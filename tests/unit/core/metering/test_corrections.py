"""Corrections lie over readings and installations, and change neither."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DataError
from core.metering.cells import Cell, cells_of, union
from core.metering.corrected import FACTS, corrected_installations, installed
from core.metering.corrections import (
    ChangeInstallation,
    Correction,
    Enter,
    Exchange,
    Exclude,
    Substitute,
    corrected_cells,
    entered,
    interval_values,
)
from core.metering.installations import Installation, Side
from core.metering.readings import Quality, Reading
from core.metering.sources import Origin
from core.timeline import HALF_HOUR_MS, Interval

POINT = "A.active_energy_import"
MINUTE = 60_000
HOUR = 60 * MINUTE


def cells(*rows: tuple[int, int]) -> tuple[Cell, ...]:
    return cells_of(Reading(POINT, time_ms, count) for time_ms, count in rows)


def rows(found: tuple[Cell, ...]) -> list[tuple[int, object]]:
    return [(time_ms, count) for cell in found for time_ms, count, _ in cell.readings]


def exclude(first_ms: int, end_ms: int | None = None) -> Exclude:
    return Exclude(POINT, Interval(first_ms, first_ms + 1 if end_ms is None else end_ms))


def enter(time_ms: int, count: int) -> Enter:
    return Enter(POINT, time_ms, count, "sato", "slip 7")


HOURS = cells(*((minute * MINUTE, minute) for minute in range(120)))


def test_without_corrections_cells_are_what_they_were() -> None:
    assert corrected_cells(HOURS, ()) == HOURS
    substitute = Substitute(POINT, Interval(0, 1), 1, "by hand", "")
    assert corrected_cells(HOURS, [substitute]) == HOURS


def test_one_reading_or_an_interval_is_left_out() -> None:
    found = rows(corrected_cells(HOURS, [exclude(5 * MINUTE), exclude(20 * MINUTE, 70 * MINUTE)]))
    assert [count for _, count in found] == [*range(5), *range(6, 20), *range(70, 120)]


def test_a_cell_of_which_nothing_is_left_is_none() -> None:
    found = corrected_cells(HOURS, [exclude(0, HALF_HOUR_MS)])
    assert [cell.start_ms for cell in found] == [HALF_HOUR_MS, 2 * HALF_HOUR_MS, 3 * HALF_HOUR_MS]


def test_what_was_entered_stands_for_what_was_read_then() -> None:
    found = corrected_cells(HOURS, [enter(5 * MINUTE, 7), enter(3 * HOUR, 200)])
    assert dict(rows(found))[5 * MINUTE] == 7
    assert rows(found)[-1] == (3 * HOUR, 200)
    assert found[0].readings[5][2] is Quality.GOOD


def test_only_what_belongs_there_is_entered() -> None:
    changes = [enter(5 * MINUTE, 7), enter(3 * HOUR, 200)]
    assert rows(corrected_cells(HOURS[:1], changes, Interval(0, HALF_HOUR_MS)))[-1] == (29 * MINUTE, 29)


def test_a_cell_that_is_given_is_corrected_wherever_things_are_entered() -> None:
    elsewhere = Interval(HALF_HOUR_MS, 2 * HALF_HOUR_MS)
    assert dict(rows(corrected_cells(HOURS[:1], [enter(5 * MINUTE, 7)], elsewhere)))[5 * MINUTE] == 7


def test_corrections_act_in_their_order() -> None:
    both: list[Correction] = [exclude(0, 9 * HOUR), enter(5 * MINUTE, 7)]
    assert rows(corrected_cells(HOURS, both)) == [(5 * MINUTE, 7)]
    assert entered(both) == {5 * MINUTE}
    assert corrected_cells(HOURS, both[::-1]) == ()
    assert entered(both[::-1]) == frozenset()


_TIMES = st.integers(0, 4 * HOUR // MINUTE).map(lambda minute: minute * MINUTE)
_READINGS = st.lists(st.builds(Reading, st.just(POINT), _TIMES, st.integers(0, 9)), max_size=30)
_CHANGES = st.lists(
    st.builds(enter, _TIMES, st.integers(0, 9))
    | st.builds(lambda a, b: exclude(min(a, b), max(a, b) + 1), _TIMES, _TIMES),
    max_size=5,
)


@given(_READINGS, _READINGS, _CHANGES)
def test_late_readings_are_corrected_as_if_they_had_been_there(
    early: list[Reading], late: list[Reading], changes: list[Correction]
) -> None:
    """What overlays make depends on the readings as a set; each half-hour is made from itself alone."""
    whole = corrected_cells(union([*cells_of(early), *cells_of(late)]), changes)
    for order in permutations((cells_of(early), cells_of(late))):
        assert corrected_cells(union(cell for each in order for cell in each), changes) == whole
    raw = {cell.start_ms: cell for cell in union([*cells_of(early), *cells_of(late)])}
    apart = [
        cell
        for start_ms in range(0, 5 * HOUR, HALF_HOUR_MS)
        for cell in corrected_cells(
            (raw[start_ms],) if start_ms in raw else (),
            changes,
            Interval(start_ms, start_ms + HALF_HOUR_MS),
        )
    ]
    assert tuple(apart) == whole


# ---------------------------------------------------------------------------------------- installations

FIRST = Installation(
    point=POINT,
    start_ms=0,
    end_ms=100,
    serial="S1",
    ct=Fraction(80),
    vt=Fraction(1),
    side=Side.SECONDARY,
    wh_per_count=Fraction(10),
    ct_text="400/5 A",
    opening=5,
    closing=900,
)
SECOND = replace(FIRST, start_ms=100, end_ms=None, serial="S2", opening=0, closing=None)
PLAN = (FIRST, SECOND)


def change(start_ms: int, end_ms: int | None, **facts: str) -> ChangeInstallation:
    return ChangeInstallation(POINT, start_ms, end_ms, tuple(facts.items()))


def exchange(at_ms: int, serial: str, **facts: str) -> Exchange:
    return Exchange(POINT, at_ms, 700, 3, serial, tuple(facts.items()), "slip 9")


def test_a_ratio_is_changed_where_it_was_wrong_and_the_register_goes_on() -> None:
    before, during, after, second = corrected_installations(PLAN, [change(20, 60, ct="600/5")])
    assert (during.ct, during.ct_text, during.serial) == (Fraction(120), "600/5 A", "S1")
    assert (before.start_ms, before.end_ms, before.opening, before.closing) == (0, 20, 5, None)
    assert (during.start_ms, during.end_ms, during.opening, during.closing) == (20, 60, None, None)
    assert (after.start_ms, after.end_ms, after.opening, after.closing) == (60, 100, None, 900)
    assert {each.ct for each in (before, after, second)} == {80}


def test_a_change_reaches_over_an_exchange_and_may_have_no_end() -> None:
    found = corrected_installations(PLAN, [change(50, None, ct="600/5", full_scale_kw="400")])
    assert [(each.start_ms, each.ct) for each in found] == [
        (0, Fraction(80)),
        (50, Fraction(120)),
        (100, Fraction(120)),
    ]
    assert found[1].full_scale_kw == found[2].full_scale_kw == 400


def test_a_change_is_the_same_once_it_stands_in_the_plan_too() -> None:
    once = corrected_installations(PLAN, [change(0, None, ct="600/5")])
    assert corrected_installations(once, [change(0, None, ct="600/5")]) == once


def test_the_later_correction_counts() -> None:
    (found,) = corrected_installations([SECOND], [change(0, None, ct="500/5"), change(0, None, ct="600/5")])
    assert found.ct_text == "600/5 A"


def test_an_exchange_the_plan_does_not_know() -> None:
    first, old, new = corrected_installations(PLAN, [exchange(150, "S3", ct="600/5")])
    assert first == FIRST
    assert (old.serial, old.start_ms, old.end_ms, old.opening, old.closing) == ("S2", 100, 150, 0, 700)
    assert (new.serial, new.start_ms, new.end_ms, new.opening) == ("S3", 150, None, 3)
    assert new.ct == 120
    assert (new.closing, new.evidence) == (None, "slip 9")


@pytest.mark.parametrize("at_ms", [70, 100, 130])
def test_an_exchange_that_the_plan_has_is_put_where_the_slip_says(at_ms: int) -> None:
    old, new = corrected_installations(PLAN, [exchange(at_ms, "S2")])
    assert (old.serial, old.end_ms, old.closing) == ("S1", at_ms, 700)
    assert (new.serial, new.start_ms, new.end_ms, new.opening) == ("S2", at_ms, None, 3)


def test_a_slip_without_indexes_takes_those_of_the_plan_away() -> None:
    slip = Exchange(POINT, 100, None, None, "S2")
    assert corrected_installations(PLAN, [slip]) == (
        replace(FIRST, closing=None),
        replace(SECOND, opening=None),
    )


@pytest.mark.parametrize(
    "bad",
    [
        exchange(0, "S3"),  # nothing before it
        exchange(50, "S1"),  # the meter that stood there already
        exchange(150, "S2"),  # … but from 100 on there would be none
        change(-50, 0, ct="600/5"),  # before everything
        change(0, None, ct="no ratio"),
        change(0, None, ct="0/5"),
        change(0, None, colour="red"),
        change(0, None, side="both"),
        change(0, None, wh_per_count="0"),
        change(0, None, wh_per_count="1/0"),
        change(0, None, accuracy_class="best"),
        change(0, None, calibration_until="soon"),
        change(0, None, wrap_at="1e6"),
    ],
)
def test_what_contradicts_the_records_is_refused(bad: Correction) -> None:
    known = PLAN if bad != exchange(150, "S2") else (replace(FIRST), replace(SECOND, end_ms=140))
    with pytest.raises(DataError):
        corrected_installations(known, [bad])


def test_an_exchange_over_a_third_meter_is_refused() -> None:
    third = replace(SECOND, start_ms=200, serial="S3")
    plan = (FIRST, replace(SECOND, end_ms=200), third)
    with pytest.raises(DataError, match="another meter stood between"):
        corrected_installations(plan, [exchange(50, "S3")])


def test_every_fact_has_a_text() -> None:
    texts = {
        "ct": "600/5",
        "vt": "6600/110",
        "side": "primary",
        "serial": "S9",
        "wh_per_count": "1/3",
        "resolution": "0.1",
        "wrap_at": "100000",
        "full_scale_kw": "400",
        "accuracy_class": "0.5S",
        "calibration_until": "2030-03-31",
        "profile": "x",
        "evidence": "y",
    }
    assert tuple(texts) == FACTS
    (found,) = corrected_installations([SECOND], [change(0, None, **texts)])
    assert (found.wh_per_count, found.resolution, found.wrap_at) == (Fraction(1, 3), Fraction("0.1"), 100_000)
    assert installed([("wrap_at", "none")]) == {"wrap_at": None}


def test_a_substitute_is_a_value_with_its_method() -> None:
    substitute = Substitute(POINT, Interval(0, HOUR), 1500, "same_hours_last_week", "decision 4")
    (value,) = interval_values([substitute, exclude(0)])
    assert (value.wh, value.origin, value.method) == (1500, Origin.SUBSTITUTED, "same_hours_last_week")


def test_a_fraction_can_be_entered() -> None:
    entry = Enter(POINT, 0, Decimal("15125.339"), "sato", "photograph")
    assert rows(corrected_cells((), [entry])) == [(0, Decimal("15125.339"))]
