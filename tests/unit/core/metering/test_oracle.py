"""Months of meters whose true energy is known: what is said of them is true, however they were read.

The oracle knows what each register truly counted. What it expects:

- an energy that has a value is within its unproven energy of the truth; one that has none says why;
- no energy is negative, and parts add up to the whole, to the Wh;
- order and repetition of the readings change nothing;
- what must cost nothing costs nothing: a dip, a spike, a rollover, a bad reading, a gap inside a month.
"""

from __future__ import annotations

import random
from collections import Counter as Tally
from fractions import Fraction
from functools import lru_cache

import pytest

from core.metering.cells import cells_of
from core.metering.counters import Counter, counter_of_cells
from core.metering.energy import IntervalEnergy, Origin, energy, series
from core.metering.registers import counter_spec
from core.timeline import HALF_HOUR_MS, Interval, days
from tests.unit.core.metering.oracle.meters import POINT
from tests.unit.core.metering.oracle.months import meter_months
from tests.unit.core.metering.oracle.scenario import HARMLESS, Fault, MeterMonths

SEEDS = 300
MANY_SEEDS = 10_000


def counter_of(months: MeterMonths) -> Counter:
    spec = counter_spec(POINT, months.installations)
    return counter_of_cells(cells_of(months.readings), spec)


def rounding_wh(months: MeterMonths, energy: IntervalEnergy) -> int:
    """Return what rounding down to whole Wh at its ends, and once a turn, may cost [Wh]."""
    parts = [worth.wh_per_step for register in months.registers for worth in register.worths]
    turns = [
        register.wrap * worth.wh_per_step
        for register in months.registers
        if register.wrap is not None
        for worth in register.worths
    ]
    if all(part.denominator == 1 for part in parts):
        return 0
    marks = 2 + len(months.registers) + len(parts) + len(months.happenings)
    least = min((turn for turn in turns if turn.denominator != 1), default=None)
    return marks + (0 if least is None else int(months.truth_wh(energy.interval) / least) + 1)


def check(months: MeterMonths, energies: tuple[IntervalEnergy, ...]) -> None:
    """Compare some energies with the truth."""
    for each in energies:
        assert (each.wh is None) == bool(each.missing) == (each.origin is Origin.MISSING), each
        assert (each.wh is None) == (each.unproven_wh is None), each
        if each.wh is None or each.unproven_wh is None:
            continue
        assert each.wh >= 0, each
        assert each.unproven_wh >= 0, each
        if months.is_doubtful(each.interval):
            continue
        truth = months.truth_wh(each.interval)
        slack = months.slack_wh(each.interval, cut=bool(each.gaps))
        allowed = each.unproven_wh + rounding_wh(months, each) + slack
        assert abs(each.wh - truth) <= allowed, (float(truth), each)


def parts_of(months: MeterMonths, dice: random.Random) -> list[tuple[int, ...]]:
    """Return two ways to cut the whole: into months, and into days, anything, or half-hours at a fault."""
    whole = months.whole
    cuts = sorted({dice.randrange(whole.start_ms, whole.end_ms) for _ in range(8)} - {whole.start_ms})
    near = dice.choice(months.happenings).start_ms if months.happenings else whole.start_ms
    first = max(whole.start_ms, near - near % HALF_HOUR_MS - 2 * HALF_HOUR_MS)
    window = [
        time_ms for time_ms in range(first, first + 12 * HALF_HOUR_MS, HALF_HOUR_MS) if time_ms in whole
    ]
    others = (
        days(whole, months.zone),
        (whole.start_ms, *cuts, whole.end_ms),
        tuple(sorted({whole.start_ms, *window, whole.end_ms})),
    )
    return [months.ends_ms, dice.choice(others)]


def holds(months: MeterMonths, seed: int) -> IntervalEnergy:
    """Check all that must hold of some months; return the energy of all of them."""
    dice = random.Random(-seed - 1)
    counter = counter_of(months)
    again = months.readings + dice.choices(months.readings, k=40)
    dice.shuffle(again)
    pieces = [cell for at in range(0, len(again), 50) for cell in cells_of(again[at : at + 50])]
    assert counter_of_cells(pieces, counter.spec) == counter
    whole = energy(counter, months.installations, months.whole)
    check(months, (whole,))
    for ends in parts_of(months, dice):
        parts = series(counter, months.installations, ends)
        check(months, parts)
        if whole.wh is None:
            assert any(part.wh is None for part in parts)
        else:
            assert sum(part.wh or 0 for part in parts) == whole.wh
            assert all(part.wh is not None for part in parts)
        months_too_timid(months, counter, parts)
    return whole


def months_too_timid(months: MeterMonths, counter: Counter, parts: tuple[IntervalEnergy, ...]) -> None:
    """Check that what must cost nothing does: the brackets of the ends are all that is open."""
    if not months.known or not months.faults <= HARMLESS or months.may_turn_unseen:
        return
    times = counter.times_ms
    for part in parts:
        start_ms, end_ms = part.interval.start_ms, part.interval.end_ms
        told = not months.is_doubtful(part.interval) and not months.is_costly(part.interval)
        if not told or not times[0] <= start_ms < end_ms <= times[-1]:
            continue
        assert part.wh is not None, part
        widths = Fraction(0)
        for mark in (part.start, part.end):
            assert mark.before is not None
            assert mark.after is not None
            widths += months.truth_wh(Interval(mark.before.time_ms, mark.after.time_ms))
        assert part.unproven_wh is not None
        assert part.unproven_wh <= widths + 2 + rounding_wh(months, part), part


simulated = lru_cache(SEEDS)(meter_months)


def all_hold(seeds: range) -> None:
    """Check the months of some seeds; name the first that does not hold."""
    for seed in seeds:
        months = simulated(seed)
        try:
            holds(months, seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {months.happenings}") from error


@pytest.mark.parametrize("first", range(0, SEEDS, 50))
def test_what_is_said_of_a_simulated_month_is_true(first: int) -> None:
    all_hold(range(first, first + 50))


@pytest.mark.parametrize("fault", sorted(HARMLESS))
def test_what_must_cost_nothing_costs_nothing(fault: Fault) -> None:
    for seed in range(500_000, 500_006):
        holds(meter_months(seed, [fault]), seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(SEEDS, SEEDS + MANY_SEEDS, 500))
@pytest.mark.timeout(1200)
def test_what_is_said_of_many_simulated_months_is_true(first: int) -> None:
    all_hold(range(first, first + 500))


def test_every_fault_is_among_the_simulated_months_and_most_of_it_can_be_judged() -> None:
    seen: Tally[Fault] = Tally()
    for seed in range(SEEDS):
        seen.update(simulated(seed).faults)
    assert set(seen) == set(Fault)
    assert min(seen.values()) >= 8, seen
    assert sum(bool(simulated(seed).doubtful) for seed in range(SEEDS)) < SEEDS // 6
