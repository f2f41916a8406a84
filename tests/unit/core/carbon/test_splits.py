"""How the energy of a gap over a month's end is split is told with its rule."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from core.carbon.splits import splits
from core.metering.counters import build_counter
from core.metering.energy import energy
from core.metering.installations import Installation, Side
from core.metering.readings import Reading
from core.metering.registers import counter_spec
from core.metering.sources import IntervalValue, Origin
from core.timeline import Interval, month

TOKYO = ZoneInfo("Asia/Tokyo")
POINT = "A.active_energy_import"
FEBRUARY = month("2024-02", TOKYO)
HOUR_MS = 3_600_000
INSTALLED = Installation(
    point=POINT,
    start_ms=0,
    end_ms=None,
    serial="1",
    ct=Fraction(1),
    vt=Fraction(1),
    side=Side.PRIMARY,
    wh_per_count=Fraction(10),
    full_scale_kw=Fraction(1000),
)


def told(rows: Sequence[tuple[int, int]], values: Sequence[IntervalValue] = ()) -> list[Any]:
    """What is split of February, by counts at hours from its end."""
    readings = [Reading(POINT, FEBRUARY.end_ms + hour * HOUR_MS, count) for hour, count in rows]
    readings += [Reading(POINT, FEBRUARY.start_ms, 0)]
    counter = build_counter(readings, counter_spec(POINT, [INSTALLED]))
    found = energy(counter, [INSTALLED], FEBRUARY, values=values)
    assert found.wh is not None
    return splits(found, TOKYO)


def test_a_month_that_ends_with_a_reading_is_not_split() -> None:
    assert told([(0, 1000)]) == []
    assert told([(-1, 1000), (3, 1000)]) == [], "nothing went through"
    assert splits(None, TOKYO) == []


def test_a_gap_over_the_end_is_split_in_time() -> None:
    assert told([(-1, 1000), (3, 1010)]) == [
        {
            "at": "2024-03-01T00:00:00+09:00",
            "from": "2024-02-29T23:00:00+09:00",
            "to": "2024-03-01T03:00:00+09:00",
            "rule": "linear in time",
            "wh": 100,
            "wh_before": 20,
            "wh_after": 80,
        }
    ]


def test_a_substitute_over_the_end_has_its_own_rule() -> None:
    hours = Interval(FEBRUARY.end_ms - HOUR_MS, FEBRUARY.end_ms + 2 * HOUR_MS)
    value = IntervalValue(POINT, hours, 3001, Origin.SUBSTITUTED, method="same_hours_last_week")
    (found,) = told([(-1, 1000)], [value])
    assert found["rule"] == "same_hours_last_week, linear in time"
    assert (found["wh"], found["wh_before"], found["wh_after"]) == (3001, 1000, 2001)


def test_a_reset_over_the_end_is_split_in_time() -> None:
    before = [(hour, 1001 + hour) for hour in range(-60, 0)]
    (found,) = told([*before, (4, 5), *((hour, hour) for hour in range(6, 60))])
    assert found["rule"] == "linear in time"
    assert (found["wh"], found["wh_before"]) == (50, 10), "what the register has counted since"
