"""Days of 23 and 25 hours, a leap day, the end of a fiscal year: every instant belongs to one of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from core.metering.cells import cells_of
from core.metering.counters import counter_of_cells
from core.metering.energy import Origin, energy, series
from core.metering.installations import Installation, Side
from core.metering.readings import Reading
from core.metering.registers import counter_spec
from core.timeline import (
    HALF_HOUR_MS,
    Interval,
    days,
    fiscal_year,
    half_hours,
    month,
    months,
    months_of_fiscal_year,
)
from tests.unit.core.metering.oracle.meters import POINT

HOUR_MS = 3_600_000
TOKYO = ZoneInfo("Asia/Tokyo")
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
"""Where summer time is half an hour."""
NEPAL = ZoneInfo("Asia/Kathmandu")
"""Where midnight is no half-hour of UTC."""

INSTALLED = Installation(
    POINT, 0, None, "SYN-1", Fraction(1), Fraction(1), Side.PRIMARY, Fraction(1), full_scale_kw=Fraction(10)
)


def midnight(text: str, tz: ZoneInfo) -> int:
    """Return when a local day begins [ms since 1970 UTC], by the standard library's calendar."""
    return int(datetime.fromisoformat(text).replace(tzinfo=tz).timestamp() * 1000)


def day(text: str, tz: ZoneInfo) -> Interval:
    following = (datetime.fromisoformat(text) + timedelta(days=1)).date().isoformat()
    return Interval(midnight(text, tz), midnight(following, tz))


def steady(span: Interval, quarters: int = 1) -> list[Reading]:
    """Readings every so many quarters of an hour of UTC, 7 Wh a quarter, from before to after a span."""
    step = quarters * HALF_HOUR_MS // 2
    first = span.start_ms // step - 3
    last = span.end_ms // step + 3
    return [Reading(POINT, index * step, 7 * quarters * (index - first)) for index in range(first, last + 1)]


@pytest.mark.parametrize(
    ("text", "tz", "hours"),
    [
        ("2024-03-31", AMSTERDAM, 23),
        ("2024-10-27", AMSTERDAM, 25),
        ("2024-02-29", TOKYO, 24),
        ("2024-03-31", TOKYO, 24),
        ("2024-04-07", LORD_HOWE, 24.5),
        ("2024-10-06", LORD_HOWE, 23.5),
        ("2024-02-29", NEPAL, 24),
    ],
)
def test_a_day_holds_all_of_its_half_hours_and_no_other(text: str, tz: ZoneInfo, hours: float) -> None:
    span = day(text, tz)
    counter = counter_of_cells(cells_of(steady(span)), counter_spec(POINT, [INSTALLED]))
    whole = energy(counter, [INSTALLED], span)
    parts = series(counter, [INSTALLED], half_hours(span))
    assert span.duration_ms == hours * HOUR_MS
    assert len(parts) == whole.half_hours == whole.half_hours_covered == 2 * hours
    assert {part.interval.duration_ms for part in parts} == {HALF_HOUR_MS}
    assert {part.wh for part in parts} == {14}
    assert whole.wh == 28 * hours
    assert whole.unproven_wh == 0
    assert whole.origin is Origin.MEASURED


@pytest.mark.parametrize(
    ("tz", "hour_less"), [pytest.param(TOKYO, None, marks=pytest.mark.slow), (AMSTERDAM, "2024-03")]
)
def test_a_leap_year_is_its_months_and_a_month_its_days(tz: ZoneInfo, hour_less: str | None) -> None:
    names = months_of_fiscal_year(2023)
    year = Interval(month(names[0], tz).start_ms, month(names[-1], tz).end_ms)
    counter = counter_of_cells(cells_of(steady(year, 4)), counter_spec(POINT, [INSTALLED]))
    whole = energy(counter, [INSTALLED], year)
    by_month = series(counter, [INSTALLED], months(year, tz))
    assert [part.interval for part in by_month] == [month(name, tz) for name in names]
    assert whole.wh == sum(part.wh or 0 for part in by_month) == 366 * 96 * 7
    february = by_month[names.index("2024-02")]
    assert february.wh == 29 * 96 * 7
    march = by_month[names.index("2024-03")]
    assert march.wh == 31 * 96 * 7 - (28 if hour_less else 0)
    october = by_month[names.index("2023-10")]
    assert october.wh == 31 * 96 * 7 + (28 if hour_less else 0)
    for part in by_month:
        by_day = series(counter, [INSTALLED], days(part.interval, tz))
        assert sum(each.wh or 0 for each in by_day) == part.wh


def test_the_last_instant_of_a_fiscal_year_is_in_it_and_the_first_of_the_next_is_not() -> None:
    end_ms = month("2024-03", TOKYO).end_ms
    assert end_ms == midnight("2024-04-01", TOKYO)
    assert (fiscal_year("2024-03"), fiscal_year("2024-04")) == (2023, 2024)
    readings = [
        Reading(POINT, midnight("2024-03-01", TOKYO), 0),
        Reading(POINT, end_ms - 1, 100),  # all that was used until the year's last millisecond
        Reading(POINT, end_ms, 100),
        Reading(POINT, end_ms + 1, 101),  # the first Wh of the next
        Reading(POINT, midnight("2024-05-01", TOKYO), 301),
    ]
    counter = counter_of_cells(cells_of(readings), counter_spec(POINT, [INSTALLED]))
    ends = [midnight("2024-03-01", TOKYO), end_ms, midnight("2024-05-01", TOKYO)]
    march, april = series(counter, [INSTALLED], ends)
    assert (march.wh, april.wh) == (100, 201)
    assert (march.unproven_wh, april.unproven_wh) == (0, 0)


def test_the_repeated_hour_is_two_hours() -> None:
    """What is read in the first 02:30 is not what is read in the second."""
    span = day("2024-10-27", AMSTERDAM)
    readings = [
        Reading(POINT, span.start_ms + index * HALF_HOUR_MS, min(index, 5) * 10 + max(index - 5, 0) * 1000)
        for index in range(51)
    ]
    counter = counter_of_cells(cells_of(readings), counter_spec(POINT, [INSTALLED]))
    ends = half_hours(span)
    first = [
        index
        for index, (start, _) in enumerate(pairwise(ends))
        if datetime.fromtimestamp(start / 1000, AMSTERDAM).strftime("%H:%M") == "02:30"
    ]
    assert first == [5, 7]
    parts = series(counter, [INSTALLED], ends)
    assert [parts[index].wh for index in (3, 4, 5, 7)] == [10, 10, 1000, 1000]
