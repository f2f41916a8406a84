"""What real meters counted, against what a script of its own found in their files.

Their total is last less first, net of named events; half-hours add up to it; a gap costs nothing but itself.
"""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.metering.cells import cells_of
from core.metering.counters import Counter, counter_of_cells
from core.metering.energy import Origin, energy, series
from core.metering.events import EventKind
from core.metering.installations import Installation, Side
from core.metering.readings import Count, Reading
from core.metering.registers import counter_spec
from core.metering.sources import IntervalValue
from core.timeline import HALF_HOUR_MS, Interval, days, half_hours, month, months
from tests.unit.core.metering.oracle.meters import POINT

METERS = Path(__file__).parents[3] / "data/meters"
EXPECTED: dict[str, Any] = json.loads((METERS / "expectations.json").read_text(encoding="utf-8"))
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
UTC_ZONE = ZoneInfo("UTC")
NEM_ZONE = ZoneInfo("Australia/Brisbane")  # +10:00 all year round
THREE_PHASES_KW = Fraction(1725, 100)  # 3 x 25 A, 230 V


def installed(wh_per_count: Fraction, resolution: Fraction, full_scale_kw: Fraction) -> Installation:
    return Installation(
        POINT,
        0,
        None,
        "real",
        Fraction(1),
        Fraction(1),
        Side.PRIMARY,
        wh_per_count,
        full_scale_kw=full_scale_kw,
        resolution=resolution,
    )


def ms(text: str) -> int:
    """Return an instant of the expectations [ms since 1970 UTC]."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def rows_of(name: str) -> list[list[str]]:
    with (METERS / name).open(encoding="utf-8", newline="") as file:
        return [row for row in csv.reader(file) if row]


def counter_of(readings: list[Reading], installation: Installation) -> Counter:
    """Return their counter, read in any order and some twice."""
    dice = random.Random(1)
    readings = [*readings, *dice.choices(readings, k=500)]
    dice.shuffle(readings)
    return counter_of_cells(cells_of(readings), counter_spec(POINT, [installation]))


@pytest.mark.slow
def test_the_expectations_are_what_their_script_finds() -> None:
    script = METERS / "expectations.py"
    found = subprocess.run([sys.executable, "-I", str(script)], capture_output=True, check=True).stdout
    assert json.loads(found) == EXPECTED


# ----------------------------------------------------------- four registers of a household, by minutes

KWH = installed(Fraction(1000), Fraction(1, 1000), THREE_PHASES_KW)
REGISTERS = (
    "VERBR_KWH_181",
    pytest.param("GELVR_KWH_281", marks=pytest.mark.slow),
    pytest.param("VERBR_KWH_182", marks=pytest.mark.slow),
    pytest.param("GELVR_KWH_282", marks=pytest.mark.slow),
)


@cache
def p1mon_rows() -> tuple[list[str], list[list[str]], list[int]]:
    head, *rows = rows_of("p1mon-e_history_min.csv")
    return head, rows, [ms(f"{row[0]}+01:00") for row in rows]  # the file's weeks are all in winter


@cache
def p1mon(register: str) -> Counter:
    head, rows, times = p1mon_rows()
    column = head.index(register)
    readings = [
        Reading(POINT, time_ms, Decimal(row[column])) for time_ms, row in zip(times, rows, strict=True)
    ]
    return counter_of(readings, KWH)


@pytest.mark.parametrize("register", REGISTERS)
def test_a_registers_total_is_last_less_first_whatever_happened_between(register: str) -> None:
    counter, expected = p1mon(register), EXPECTED["p1mon"][register]
    span = Interval(counter.times_ms[0], counter.times_ms[-1])
    whole = energy(counter, [KWH], span)
    assert whole.wh is not None
    assert whole.wh * 100 == expected["last"] - expected["first"] == expected["total"]
    assert whole.unproven_wh == 0
    first = span.start_ms - span.start_ms % HALF_HOUR_MS + HALF_HOUR_MS
    grid = (span.start_ms, *range(first, span.end_ms, HALF_HOUR_MS), span.end_ms)
    parts = series(counter, [KWH], grid)
    assert all(part.wh is not None and part.wh >= 0 for part in parts)
    assert sum(part.wh or 0 for part in parts) == whole.wh


@pytest.mark.parametrize("register", REGISTERS)
def test_a_registers_days_are_those_of_the_file(register: str) -> None:
    counter, expected = p1mon(register), EXPECTED["p1mon"][register]
    by_day = days(month("2024-02", AMSTERDAM), AMSTERDAM)[1:]
    for part in series(counter, [KWH], by_day):
        text = datetime.fromtimestamp(part.interval.start_ms / 1000, AMSTERDAM).date().isoformat()
        assert part.wh is not None
        assert part.wh * 100 == expected["days"][text]
        assert part.unproven_wh == 0


@pytest.mark.parametrize("register", REGISTERS)
def test_each_fall_and_step_of_a_register_is_named_and_nothing_else_is(register: str) -> None:
    counter, expected = p1mon(register), EXPECTED["p1mon"][register]
    most_cwh = 100 * THREE_PHASES_KW * 1000 * 6 / 5 * 362 / 3600  # a minute, and five of a lump
    stepped = [ms(time) for time, rise in expected["lumps"] if rise > most_cwh]
    fell = [ms(fall["time"]) for fall in expected["falls"]]
    assert stepped == ([ms("2024-02-23T11:17:00+00:00")] if register == "VERBR_KWH_182" else [])
    named = {event.time_ms: event.kind for event in counter.events}
    assert len(named) == len(counter.events) == len(stepped) + len(fell)
    for time_ms, kind in named.items():
        if kind is EventKind.FROZEN:
            assert any(time_ms <= step_ms <= time_ms + 10 * 60_000 for step_ms in stepped)
        else:
            assert kind in (EventKind.DIP, EventKind.SPIKE)
            assert any(abs(time_ms - fall_ms) <= 60_000 for fall_ms in fell)


@pytest.mark.parametrize("register", REGISTERS)
def test_half_hours_of_a_gap_are_not_covered_and_all_others_are(register: str) -> None:
    counter, expected = p1mon(register), EXPECTED["p1mon"][register]
    ((gap_start, gap_end),) = expected["gaps"]
    first, last = month("2024-02", AMSTERDAM).start_ms + 12 * 3_600_000, counter.times_ms[-1]
    grid = range(first, last - last % HALF_HOUR_MS + 1, HALF_HOUR_MS)
    open_ = [part for part in series(counter, [KWH], tuple(grid)) if not part.half_hours_covered]
    moved = (
        counter.counts[counter.times_ms.index(ms(gap_start))]
        != counter.counts[counter.times_ms.index(ms(gap_end))]
    )
    in_gap = [(start, end) for start, end in pairwise(grid) if ms(gap_start) < end and start < ms(gap_end)]
    if moved:
        assert [(part.interval.start_ms, part.interval.end_ms) for part in open_] == in_gap
        assert all(part.origin is not Origin.MEASURED or part.wh == 0 for part in open_)
    else:
        assert open_ == []  # a register that stands still is known all the while


# ------------------------------------------------------------- blocks out of order, some of them twice

CWH = installed(Fraction(1, 100), Fraction(1), Fraction(6))


def running(rows: Iterator[tuple[int, int]]) -> list[Reading]:
    """Return a register that counted some energies [cWh], each at the end of its interval."""
    count: Count = 0
    readings = []
    for end_ms, energy_cwh in rows:
        count += energy_cwh
        readings.append(Reading(POINT, end_ms, count))
    return readings


@pytest.mark.slow
def test_blocks_out_of_order_and_twice_are_the_same_months() -> None:
    expected = EXPECTED["shelly"]
    _, *rows = rows_of("shelly-em3-phaseA.csv")
    times = [ms(f"{row[0]}+00:00") for row in rows]
    values = dict(zip(times, (int(Decimal(row[1]) * 100) for row in rows), strict=True))
    ordered = sorted(values)
    ends = dict(pairwise(ordered)) | {ordered[-1]: ordered[-1] + 60_000}
    register = running((ends[time_ms], values[time_ms]) for time_ms in ordered)
    of = dict(zip(ordered, register, strict=True))
    readings = [Reading(POINT, ordered[0], 0), *(of[time_ms] for time_ms in times)]  # as the file has them
    assert len(readings) == expected["rows"] + 1
    counter = counter_of_cells(cells_of(readings), counter_spec(POINT, [CWH]))
    assert len(counter.times_ms) == expected["distinct"] + 1
    assert counter.events == ()
    span = Interval(ordered[0], register[-1].time_ms)
    assert_months(counter, span, UTC_ZONE, expected)


def assert_months(counter: Counter, span: Interval, tz: ZoneInfo, expected: Any) -> None:
    """Compare the months of a counter of cWh, whose ends are rounded down to Wh, and their sum."""
    parts = series(counter, [CWH], months(span, tz))
    assert [
        datetime.fromtimestamp(part.interval.start_ms / 1000, tz).strftime("%Y-%m") for part in parts
    ] == list(expected["months"])
    assert sum(expected["months"].values()) == expected["total"]
    whole = energy(counter, [CWH], span)
    assert whole.wh == expected["total"] // 100 == sum(part.wh or 0 for part in parts)
    for part, exact in zip(parts, expected["months"].values(), strict=True):
        assert part.wh is not None
        assert abs(part.wh * 100 - exact) < 100
        assert part.unproven_wh == 0
        assert part.half_hours_covered == part.half_hours


# -------------------------------------------------------------------------- five minutes, with quality


@pytest.mark.slow
@pytest.mark.parametrize("register", ["E1", "B1"])
def test_intervals_that_follow_each_other_are_a_register(register: str) -> None:
    expected = EXPECTED["nem12"][register]
    energies: list[tuple[int, int]] = []
    taking = False
    for row in rows_of("nem12-power-redacted.csv"):
        if row[0] == "200":
            taking = row[3] == register
        elif row[0] == "300" and taking:
            midnight = datetime.strptime(row[1], "%Y%m%d").replace(tzinfo=timezone(timedelta(hours=10)))
            start_ms = int(midnight.timestamp() * 1000)
            energies += [
                (start_ms + (index + 1) * 300_000, int(Decimal(value) * 100_000))
                for index, value in enumerate(row[2:290])
            ]
    assert len(energies) == expected["intervals"]
    first_ms = ms(expected["first"])
    readings = [Reading(POINT, first_ms, 0), *running(iter(energies))]
    counter = counter_of(readings, CWH)
    assert counter.events == ()
    span = Interval(first_ms, ms(expected["last"]) + 300_000)
    assert_months(counter, span, NEM_ZONE, expected)
    assert_values_are_the_register(readings, counter)


def assert_values_are_the_register(register: list[Reading], counter: Counter) -> None:
    """Check that the same energies as interval data, in whole Wh, are the same half-hours."""
    ten_days = register[: 10 * 288 + 1]
    whole_wh = [(reading.time_ms, int(reading.count or 0) // 100) for reading in ten_days]
    values = [
        IntervalValue(POINT, Interval(start_ms, end_ms), after - before, Origin.MEASURED, method="NEM12")
        for (start_ms, before), (end_ms, after) in pairwise(whole_wh)
    ]
    nothing = counter_of_cells((), counter.spec)
    grid = half_hours(Interval(ten_days[0].time_ms, ten_days[-1].time_ms))
    parts = series(nothing, [CWH], grid, values=values)
    assert [part.wh for part in parts] == [part.wh for part in series(counter, [CWH], grid)]
    assert all(part.half_hours_covered == 1 and part.unproven_wh == 0 for part in parts)
    assert {part.origin for part in parts} == {Origin.MEASURED}


# ------------------------------------------------------------- hours of a year, thirty of them missing


@pytest.mark.parametrize(
    "name",
    [
        "Electricity 1",
        pytest.param("Electricity 2", marks=pytest.mark.slow),
        pytest.param("Electricity 1 Returned", marks=pytest.mark.slow),
        pytest.param("Electricity 2 Returned", marks=pytest.mark.slow),
    ],
)
def test_hours_that_are_missing_are_missing_and_the_others_add_up(name: str) -> None:
    expected = EXPECTED["dsmr"][name]
    head, *rows = rows_of("dsmrreader-data-export-hour.csv")
    column = next(index for index, text in enumerate(head) if text.split(" (")[0] == name)
    values = tuple(
        IntervalValue(
            POINT,
            Interval(ms(row[0]), ms(row[0]) + 3_600_000),
            int(Decimal(row[column]) * 1000),
            Origin.MEASURED,
            method="hours of the meter",
        )
        for row in rows
    )
    nothing = counter_of_cells((), counter_spec(POINT, [KWH]))
    year = Interval(month("2024-01", AMSTERDAM).start_ms, month("2024-12", AMSTERDAM).end_ms)
    parts = series(nothing, [KWH], months(year, AMSTERDAM), values=values)
    for part, (text, exact) in zip(parts, expected["months"].items(), strict=True):
        assert part.interval == month(text, AMSTERDAM)
        if text == "2024-03":
            assert part.wh is None
            last_known_hours = [ms(start) for start, _ in expected["gaps"]]
            assert [each.time_ms - 3_600_000 for each in part.missing] == last_known_hours
        else:
            assert part.wh is not None
            assert part.wh * 100 == exact
            assert part.origin is Origin.MEASURED
            assert part.unproven_wh == 0
            assert part.half_hours_covered == part.half_hours
    assert energy(nothing, [KWH], year, values=values).wh is None
    known = [part.wh for part in parts if part.wh is not None]
    assert sum(known) * 100 == expected["total"] - expected["months"]["2024-03"]
    for text, exact in expected["days"].items():
        start = month(text[:7], AMSTERDAM)
        day = next(
            Interval(a, b)
            for a, b in pairwise(days(start, AMSTERDAM))
            if datetime.fromtimestamp(a / 1000, AMSTERDAM).date().isoformat() == text
        )
        part = energy(nothing, [KWH], day, values=values)
        assert part.wh is not None
        assert part.wh * 100 == exact
        assert (
            part.half_hours == len(half_hours(day)) - 1 == {"2024-03-31": 46, "2024-10-27": 50}.get(text, 48)
        )
