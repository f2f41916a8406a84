"""Closed months and values from elsewhere against the truth: nothing is lost between two months."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from math import ceil

import pytest

from core.metering.boundaries import Boundary
from core.metering.cells import cells_of
from core.metering.counters import Counter, counter_of_cells
from core.metering.energy import IntervalEnergy, energy, series
from core.metering.frozen import frozen_boundary, frozen_text
from core.metering.readings import Quality, Reading
from core.metering.registers import counter_spec
from core.metering.sources import IntervalValue, Origin
from core.timeline import HALF_HOUR_MS, Interval
from tests.unit.core.metering.oracle.meters import POINT
from tests.unit.core.metering.oracle.months import meter_months
from tests.unit.core.metering.oracle.scenario import Fault, MeterMonths
from tests.unit.core.metering.test_oracle import check

SEEDS = 24
PLAIN = (Fault.GAP, Fault.LONG_GAP, Fault.END_GAP, Fault.BAD, Fault.SLIP, Fault.TRANSFORMERS)
"""What leaves no decision open that later readings could change."""


def counter_of(months: MeterMonths, readings: list[Reading]) -> Counter:
    return counter_of_cells(cells_of(readings), counter_spec(POINT, months.installations))


def frozen(mark: Boundary) -> Boundary:
    """Return a register as a closed month keeps it."""
    text = frozen_text(mark)
    assert text is not None
    return frozen_boundary(mark.time_ms, text)


def several_months(
    first: int, faults: tuple[Fault, ...] | None
) -> Iterator[tuple[MeterMonths, random.Random]]:
    """Yield months of seeds that have more than one of them."""
    for seed in range(first, first + 10_000):
        dice = random.Random(seed)
        chosen = None if faults is None else dice.sample(faults, k=2)
        months = meter_months(seed, chosen)
        if len(months.ends_ms) > 2:
            yield months, dice


def close(
    months: MeterMonths, dice: random.Random
) -> tuple[Counter, IntervalEnergy, tuple[IntervalEnergy, ...]] | None:
    """Close the first month with what was read until then; return what all readings say of the others.

    Returns
    -------
    tuple or None
        The counter of all readings, the closed month and the others; None where it could not be closed.
    """
    keep = dice.choice((0.5, 0.9))
    near = [reading for reading in months.readings if reading.time_ms < months.ends_ms[1] + 2 * 86_400_000]
    early = [reading for reading in near if dice.random() < keep]
    closed = series(counter_of(months, early), months.installations, months.ends_ms[:2])[0]
    if closed.wh is None:
        return None
    counter = counter_of(months, months.readings)
    fixed = {months.ends_ms[1]: frozen(closed.end)}
    return counter, closed, series(counter, months.installations, months.ends_ms[1:], fixed=fixed)


@pytest.mark.parametrize("first", [0, 100_000])
def test_a_month_beside_a_closed_one_is_within_its_bounds(first: int) -> None:
    closed_ones = 0
    for months, dice in islice(several_months(first, None), SEEDS // 2):
        outcome = close(months, dice)
        if outcome is None:
            continue
        closed_ones += 1
        _, closed, others = outcome
        if not months.faults & {Fault.RESET, Fault.LOSS, Fault.LOW, Fault.FREEZE, Fault.CLOCK}:
            check(months, (closed, *others))
    assert closed_ones >= SEEDS // 4


def test_a_closed_month_and_those_after_it_are_the_whole() -> None:
    moved = 0
    for months, dice in islice(several_months(200_000, PLAIN), SEEDS):
        outcome = close(months, dice)
        if outcome is None or months.may_turn_unseen:
            continue
        counter, closed, others = outcome
        if closed.wh is None or any(each.wh is None for each in others):
            continue
        check(months, (closed, *others))
        fixed = {months.ends_ms[0]: frozen(closed.start)}
        whole = energy(counter, months.installations, months.whole, fixed=fixed)
        assert whole.wh == closed.wh + sum(each.wh or 0 for each in others), months.happenings
        now = energy(counter, months.installations, Interval(*months.ends_ms[:2]))
        moved += now.wh != closed.wh
    assert moved >= 2, "a closed month is to be seen that later readings would have changed"


# ------------------------------------------------------------------------------------ from elsewhere


def substituted(months: MeterMonths, interval: Interval, origin: Origin) -> IntervalValue:
    """Return the truth of an interval as a bill tells it: in whole Wh, rounded up."""
    return IntervalValue(POINT, interval, ceil(months.truth_wh(interval)), origin, method="the oracle")


def silent(seed: int) -> tuple[MeterMonths, int]:
    """Return months whose register is not read any more, and when it was read last."""
    months = meter_months(seed, [Fault.SILENCE])
    return months, max(each.time_ms for each in months.readings if each.quality < Quality.BAD)


@pytest.mark.parametrize("origin", [Origin.BILLED, Origin.SUBSTITUTED, Origin.MANUAL])
def test_a_value_fills_what_the_register_leaves_missing(origin: Origin) -> None:
    for seed in range(300_000, 300_000 + SEEDS // 3):
        months, last_ms = silent(seed)
        counter = counter_of(months, months.readings)
        dice = random.Random(seed)
        start_ms = last_ms - dice.choice((0, 1, 7 * HALF_HOUR_MS, 20 * 86_400_000))
        start_ms = max(start_ms, months.ends_ms[0])
        value = substituted(months, Interval(start_ms, months.ends_ms[-1]), origin)
        assert energy(counter, months.installations, months.whole).wh is None
        whole = energy(counter, months.installations, months.whole, values=[value])
        assert whole.wh is not None
        assert whole.origin is origin
        cuts = sorted({dice.randrange(last_ms, months.ends_ms[-1]) for _ in range(5)} - {months.ends_ms[0]})
        grid = (months.ends_ms[0], *cuts, months.ends_ms[-1])
        parts = series(counter, months.installations, grid, values=[value])
        assert sum(part.wh or 0 for part in parts) == whole.wh
        assert all(part.wh is not None for part in parts)
        for part in (whole, *parts):
            assert part.wh is not None
            assert part.unproven_wh is not None
            truth = months.truth_wh(part.interval)
            assert abs(part.wh - truth) <= part.unproven_wh + 4 + step_wh(months), (float(truth), part)


def step_wh(months: MeterMonths) -> Fraction:
    """Return what a step of the register is worth [Wh]: a bill knows more than a register shows."""
    return max(worth.wh_per_step for register in months.registers for worth in register.worths)


def test_a_register_that_comes_later_takes_the_place_of_a_value() -> None:
    for seed in range(300_000, 300_000 + SEEDS // 3):
        months, last_ms = silent(seed)
        value = IntervalValue(
            POINT, Interval(last_ms, months.ends_ms[-1]), 123_456_789, Origin.SUBSTITUTED, method="a guess"
        )
        register, end_ms = months.registers[-1], months.ends_ms[-1] + 1
        meter = months.installations[-1]
        steps = register.shown(end_ms)
        late = Reading(POINT, end_ms, int(steps * meter.resolution))
        if steps * meter.resolution != late.count or months.may_turn_unseen:
            continue
        counter = counter_of(months, [*months.readings, late])
        filled = energy(counter, months.installations, months.whole, values=[value])
        assert filled == energy(counter, months.installations, months.whole)
        check(months, (filled,))
