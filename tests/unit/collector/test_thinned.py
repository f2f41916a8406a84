"""What thinned days say is what all readings say, of every kind of register and whatever was done to it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from collector.ledger import Ledger, cells
from collector.ledger.files import FILE_NAME
from collector.meter_counter import Asked, meter_counter
from collector.register_days import RegisterDays
from core.metering.cells import cells_of
from core.metering.corrections import Correction, Enter, Exclude, corrected_cells, entered
from core.metering.counters import Counter, counter_of_cells, counter_spec
from core.metering.energy import IntervalEnergy, series
from core.metering.installations import Installation, Side
from core.metering.readings import Quality, Reading
from core.metering.registers import CounterSpec
from core.timeline import Interval, days, local_days
from tests.unit.core.metering.oracle.meters import POINT
from tests.unit.core.metering.oracle.months import meter_months

SEEDS = 8
MANY_SEEDS = 600
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
ZONES = ("Asia/Tokyo", "Europe/Amsterdam", "UTC", "Asia/Kathmandu")
T0 = 1_711_670_400_000  # 2024-03-29 00:00 UTC: two days before Amsterdam's day of 23 hours


class Case:
    """Some days of a register that is read every few minutes, and what is on record of it."""

    def __init__(self, seed: int) -> None:
        dice = self.dice = random.Random(seed)
        self.zone = ZoneInfo(dice.choice(ZONES))
        self.wrap_at = dice.choice((None, None, 500, 65_500, 10**8))
        self.full_scale_kw = dice.choice((None, Fraction(60), Fraction(600)))
        self.resolution = dice.choice((Fraction(1), Fraction(1), Fraction(1, 10), Fraction(10)))
        self.every_ms = dice.choice((1, 5, 10, 10, 25, 45)) * MINUTE_MS
        self.end_ms = T0 + dice.choice((3, 5, 9)) * DAY_MS
        self.readings = list(self._readings())
        self.installations = self._installed()
        self.corrections = self._corrected()
        first = local_days(Interval(T0, T0 + 1), self.zone)[0].end_ms
        self.midnights = days(Interval(first, self.end_ms - DAY_MS // 2), self.zone)[:-1]

    @property
    def spec(self) -> CounterSpec:
        return counter_spec(POINT, self.installations)

    def _readings(self) -> Iterator[Reading]:
        dice = self.dice
        count, stood_to, silent_to, out_to, out = dice.randrange(400), 0, 0, 0, 0
        calm = dice.choice((3_000, 20_000))
        for time_ms in range(T0 + dice.randrange(MINUTE_MS), self.end_ms, self.every_ms):
            chance = dice.random() * calm / (self.every_ms // MINUTE_MS)
            if chance < 1:
                stood_to = time_ms + dice.choice((2, 7, 30)) * HOUR_MS
            elif chance < 2:
                silent_to = time_ms + dice.choice((1, 2, 20, 40)) * HOUR_MS
            elif chance < 3:
                out, out_to = (
                    dice.choice((0, count // 2, count + 10**6)),
                    time_ms + dice.choice((0, 20, 400)) * MINUTE_MS,
                )
            elif chance < 3.5:
                count = dice.choice((0, count // 3, count + 50_000))
            if time_ms >= stood_to:
                count += dice.choice((0, 1, 3, 3, 4)) * (self.every_ms // MINUTE_MS)
            if time_ms < silent_to:
                continue
            shown = out if time_ms <= out_to else count
            shown = shown % self.wrap_at if self.wrap_at else shown
            grade = Quality.GOOD if dice.random() * calm > 2 else dice.choice(tuple(Quality))
            yield Reading(POINT, time_ms + dice.choice((0, 0, 900)), shown, grade)
            if dice.random() * calm < 1:
                yield Reading(POINT, time_ms, shown + 1)

    def _installed(self) -> tuple[Installation, ...]:
        dice = self.dice
        first = Installation(
            POINT, T0 - 900 * DAY_MS, None, "SYN-1", Fraction(1), Fraction(1), Side.SECONDARY, Fraction(100),
            full_scale_kw=self.full_scale_kw, wrap_at=self.wrap_at, resolution=self.resolution,
        )  # fmt: skip
        change = dice.choice(("none", "none", "ct", "serial", "slip"))
        if change == "none":
            return (first,)
        at = dice.choice(
            (
                dice.randrange(T0, self.end_ms),
                local_days(Interval(T0 + DAY_MS, T0 + DAY_MS), self.zone)[0].end_ms,
            )
        )
        later = replace(first, start_ms=at, ct=Fraction(3, 2))
        if change == "ct":
            return (replace(first, end_ms=at), later)
        counts = [each.count for each in self.readings if each.time_ms < at and each.count is not None]
        slip = change == "slip" and counts
        return (
            replace(first, end_ms=at, closing=counts[-1] if slip else None),
            replace(later, serial="SYN-2", opening=counts[-1] if slip else None),
        )

    def _corrected(self) -> tuple[Correction, ...]:
        dice = self.dice
        found: list[Correction] = []
        if dice.random() < 0.3:
            start = dice.choice(self.readings).time_ms
            found.append(Exclude(POINT, Interval(start, start + dice.choice((1, HOUR_MS, 30 * HOUR_MS)))))
        if dice.random() < 0.3:
            some = dice.choice(self.readings)
            if some.count is not None:
                found.append(
                    Enter(POINT, some.time_ms + dice.randrange(3 * HOUR_MS), some.count, "M. Sato", "slip")
                )
        return tuple(found)

    def full(self) -> Counter:
        """The counter of all readings."""
        corrected = corrected_cells(cells_of(self.readings), self.corrections)
        return counter_of_cells(corrected, self.spec, entered=entered(self.corrections))

    def asked(self, instants_ms: Sequence[int]) -> Asked:
        dates = {each.start_ms for each in self.installations}
        return Asked(self.spec, self.zone, instants_ms, inside_ms=dates, corrections=self.corrections)

    def grids(self) -> Iterator[tuple[int, ...]]:
        """What is asked: days, a whole, a part of it, half-hours and anything."""
        dice, midnights = self.dice, self.midnights
        yield midnights
        yield (midnights[0], midnights[-1])
        first, last = sorted(dice.choices(range(len(midnights)), k=2))
        yield (midnights[first], midnights[last])
        start = midnights[0] + dice.randrange(48) * (HOUR_MS // 2)
        yield (start, start + HOUR_MS // 2, midnights[-1])
        yield tuple(sorted((dice.randrange(T0, self.end_ms), dice.randrange(T0, self.end_ms))))


def told(energies: Sequence[IntervalEnergy]) -> list[object]:
    """What is said of intervals; segments are numbered and turns are counted from where a counter begins."""
    return [
        (
            (each.interval, each.wh, each.unproven_wh, each.origin, each.missing),
            (each.half_hours_covered, each.half_hours),
            [event for event in each.events if event.time_ms in each.interval],
            [(side.method, side.before, side.after, side.wh_beyond) for side in (each.start, each.end)],
        )
        for each in energies
    ]


@pytest.fixture
def new_ledger(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Ledger]]:
    made: list[Ledger] = []
    empty = tmp_path_factory.mktemp("empty")
    Ledger.open(empty, create=True).close()

    def new() -> Ledger:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        shutil.copy(empty / FILE_NAME, folder)
        made.append(Ledger.open(folder))
        return made[-1]

    yield new
    for each in made:
        each.close()


def merge(ledger: Ledger, readings: Sequence[Reading]) -> None:
    with ledger.writing() as connection:
        cells.merge(connection, cells_of(readings))


def thin_series(ledger: Ledger, case: Case, instants_ms: Sequence[int]) -> tuple[IntervalEnergy, ...]:
    """Ask a ledger, and let it keep what was thinned."""
    with ledger.reading() as connection:
        kept = RegisterDays(connection)
        counter = meter_counter(connection, kept, case.asked(instants_ms))
    kept.keep(ledger)
    return series(counter, case.installations, instants_ms)


def check(ledger: Ledger, seed: int) -> int:
    """Compare all that is asked of a case; return how many of its days are thinned."""
    case = Case(seed)
    with ledger.writing() as connection:
        connection.exec_driver_sql("DELETE FROM cells")
        connection.exec_driver_sql("DELETE FROM thinned")
    is_late = [case.dice.random() < 0.02 for _ in case.readings]
    merge(ledger, [each for each, late in zip(case.readings, is_late, strict=True) if not late])
    for instants_ms in (*case.grids(), case.midnights):  # some days are kept before the rest comes
        thin_series(ledger, case, instants_ms)
    merge(ledger, [each for each, late in zip(case.readings, is_late, strict=True) if late])
    full = case.full()
    for instants_ms in (*case.grids(), case.midnights):
        expected = series(full, case.installations, instants_ms)
        assert told(thin_series(ledger, case, instants_ms)) == told(expected), (seed, instants_ms)
    with ledger.reading() as connection:
        counted = "SELECT count(*) FROM thinned WHERE length(data) > 0"
        return int(connection.exec_driver_sql(counted).scalar_one())


@pytest.mark.parametrize("part", range(2))
def test_thinned_days_say_what_all_readings_say(new_ledger: Callable[[], Ledger], part: int) -> None:
    ledger = new_ledger()
    assert sum(check(ledger, seed) for seed in range(part, SEEDS, 2)) > SEEDS / 2


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_many_more_of_them(new_ledger: Callable[[], Ledger], part: int) -> None:
    ledger = new_ledger()
    for seed in range(SEEDS + part, MANY_SEEDS, 10):
        check(ledger, seed)


def of_oracle(seed: int) -> tuple[tuple[int, ...], Case]:
    """A month of the oracle's as a case."""
    months = meter_months(seed)
    case = Case.__new__(Case)
    case.zone, case.readings, case.corrections = months.zone, list(months.readings), ()
    case.installations = months.installations
    return months.ends_ms, case


@pytest.mark.parametrize("seed", range(8))
def test_months_of_the_oracle_too(new_ledger: Callable[[], Ledger], seed: int) -> None:
    ledger = new_ledger()
    ends_ms, case = of_oracle(seed)
    merge(ledger, case.readings)
    grid = days(Interval(ends_ms[0], ends_ms[-1]), case.zone)
    full = case.full()
    for _ in range(2):  # the second time from what was kept
        for instants_ms in (ends_ms, grid, (ends_ms[0], ends_ms[-1])):
            expected = series(full, case.installations, instants_ms)
            assert told(thin_series(ledger, case, instants_ms)) == told(expected)


def simple(counts: Sequence[int]) -> Case:
    """A register of 60 kW and 100 Wh a count that is read every ten minutes; days begin in UTC."""
    case = Case.__new__(Case)
    case.zone, case.corrections = ZoneInfo("UTC"), ()
    case.readings = [Reading(POINT, T0 + index * 10 * MINUTE_MS, count) for index, count in enumerate(counts)]
    one, side = Fraction(1), Side.SECONDARY
    register = Installation(
        POINT, 0, None, "SYN-1", one, one, side, Fraction(100), full_scale_kw=Fraction(60)
    )
    case.installations = (register,)
    return case


def test_what_begins_with_one_day_and_ends_within_the_next_is_seen(new_ledger: Callable[[], Ledger]) -> None:
    """Each day by itself only rises; the register is back within the second one."""
    case = simple([1_000 + index - (3 if index >= 2 * 144 else 0) for index in range(4 * 144)])
    ledger = new_ledger()
    merge(ledger, case.readings)
    grid = tuple(range(T0 + DAY_MS, T0 + 4 * DAY_MS, DAY_MS))
    expected = series(case.full(), case.installations, grid)
    assert any(each.events for each in expected)
    for _ in range(2):
        assert told(thin_series(ledger, case, grid)) == told(expected)


def test_a_display_that_froze_is_seen_from_days_before_it_went_on(new_ledger: Callable[[], Ledger]) -> None:
    """The readings at the end of what is asked are set aside, by a rise five days later."""
    case = simple([1_000 + min(index, 200) + (30_000 if index > 7 * 144 else 0) for index in range(9 * 144)])
    ledger = new_ledger()
    merge(ledger, case.readings)
    grid = (T0, T0 + DAY_MS, T0 + 2 * DAY_MS)
    full = case.full()
    assert full.held
    expected = series(full, case.installations, grid)
    for _ in range(2):
        assert told(thin_series(ledger, case, grid)) == told(expected)


def test_a_standstill_over_midnight_is_told_from_when_it_began(new_ledger: Callable[[], Ledger]) -> None:
    case = simple([1_000 + min(index, 270) + max(0, index - 430) for index in range(5 * 144)])
    ledger = new_ledger()
    merge(ledger, case.readings)
    grid = (T0, T0 + 4 * DAY_MS)
    expected = series(case.full(), case.installations, grid)
    assert expected[0].events
    for _ in range(2):
        assert told(thin_series(ledger, case, grid)) == told(expected)


def test_other_transformers_within_a_day_are_minded(new_ledger: Callable[[], Ledger]) -> None:
    case = simple([1_000 + index + 3 * max(0, index - 220) for index in range(4 * 144)])
    at = T0 + 36 * HOUR_MS + 7 * MINUTE_MS
    (first,) = case.installations
    case.installations = (replace(first, end_ms=at), replace(first, start_ms=at, ct=Fraction(3, 2)))
    ledger = new_ledger()
    merge(ledger, case.readings)
    grid = (T0, T0 + 3 * DAY_MS)
    expected = series(case.full(), case.installations, grid)
    assert expected[0].changes
    for _ in range(2):
        assert told(thin_series(ledger, case, grid)) == told(expected)


def test_a_reading_that_is_not_sure_keeps_its_mark(new_ledger: Callable[[], Ledger]) -> None:
    case = simple([1_000 + index for index in range(4 * 144)])
    last = 2 * 144 - 1
    del case.readings[last + 1 : last + 6]
    case.readings[last] = replace(case.readings[last], quality=Quality.UNCERTAIN)
    ledger = new_ledger()
    merge(ledger, case.readings)
    grid = (T0, T0 + 2 * DAY_MS, T0 + 3 * DAY_MS)
    expected = series(case.full(), case.installations, grid)
    assert expected[0].end.before is not None and expected[0].end.before.quality is Quality.UNCERTAIN
    for _ in range(2):
        assert told(thin_series(ledger, case, grid)) == told(expected)
