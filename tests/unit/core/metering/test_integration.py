from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from core.metering.cells import cells_of
from core.metering.counters import build_counter, counter_spec
from core.metering.energy import Lack, Origin, energy
from core.metering.installations import Installation, Side
from core.metering.integration import DAY_MS, integrated
from core.metering.readings import Reading
from core.timeline import HALF_HOUR_MS, Interval

POINT = "AOB-FAN-01.active_energy_import"
POWER = "AOB-FAN-01.active_power"
ONE = Fraction(1)
FAN = Installation(
    POINT, -DAY_MS, None, "1", Fraction(2), ONE, Side.SECONDARY, ONE, full_scale_kw=Fraction(10)
)
MINUTE_MS = 60_000


def powers(watts: list[int], every_ms: int = 5 * MINUTE_MS) -> list[Reading]:
    return [Reading(POWER, index * every_ms, count) for index, count in enumerate(watts)]


def test_an_even_rise_of_power_is_half_its_end() -> None:
    readings = powers([0, 100, 200, 300, 400, 500, 600])  # behind a transformer of 2
    (value,) = integrated(cells_of(readings), [FAN], Interval(0, HALF_HOUR_MS))
    assert (value.wh, value.origin) == (1200 // 2 // 2, Origin.INTEGRATED)


def test_a_gap_of_more_than_a_quarter_of_an_hour_leaves_its_half_hours_missing() -> None:
    readings = [*powers([300] * 7), *(Reading(POWER, 46 * MINUTE_MS + i * MINUTE_MS, 300) for i in range(60))]
    found = integrated(cells_of(readings), [FAN], Interval(0, 3 * HALF_HOUR_MS))
    assert [value.interval.start_ms // HALF_HOUR_MS for value in found] == [0, 2]
    nothing = build_counter([], counter_spec(POINT, [FAN]))
    whole = energy(nothing, [FAN], Interval(0, 3 * HALF_HOUR_MS), values=found)
    assert whole.wh is None
    assert [(each.lack, each.time_ms) for each in whole.missing] == [(Lack.NO_VALUE, HALF_HOUR_MS)]
    first = energy(nothing, [FAN], Interval(0, HALF_HOUR_MS), values=found)
    assert (first.wh, first.origin, first.unproven_wh) == (300, Origin.INTEGRATED, 5000 - 300)


def test_power_the_other_way_counts_nothing() -> None:
    (value,) = integrated(cells_of(powers([-50] * 7)), [FAN], Interval(0, HALF_HOUR_MS))
    assert value.wh == 0


@settings(max_examples=20)
@given(st.randoms(use_true_random=False), st.integers(0, 2 * DAY_MS - 1), st.integers(1, 2 * DAY_MS))
def test_no_value_depends_on_the_interval_that_is_asked(dice: Random, start_ms: int, length_ms: int) -> None:
    watts = [dice.randrange(5000) for _ in range(577)]
    cells = cells_of(powers(watts))
    whole = integrated(cells, [FAN], Interval(0, 2 * DAY_MS))
    exact = sum((Fraction(before + after, 12) for before, after in pairwise(watts)), Fraction(0))
    assert 0 <= exact - sum(value.wh for value in whole) < 2, "less than 1 Wh a day is rounded off"
    second = integrated(cells, [FAN], Interval(DAY_MS, 2 * DAY_MS))
    assert second == whole[48:], "each day is rounded for itself"
    part = Interval(start_ms, min(start_ms + length_ms, 2 * DAY_MS))
    assert integrated(reversed(cells), [FAN], part) == tuple(
        value
        for value in whole
        if value.interval.start_ms < part.end_ms and value.interval.end_ms > part.start_ms
    )
