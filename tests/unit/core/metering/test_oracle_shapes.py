"""Registers of any shape, small enough to be told: the truth lies within the bounds wherever the load sat.

Between two readings the load may have been anywhere. Here it is at the worst place: all of it directly after
the one reading, or directly before the next.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.metering.cells import cells_of
from core.metering.counters import counter_of_cells
from core.metering.energy import energy, series
from core.metering.installations import Installation, Side
from core.metering.readings import Quality, Reading
from core.metering.registers import counter_spec
from core.timeline import HALF_HOUR_MS, Interval, half_hours
from tests.unit.core.metering.oracle.meters import POINT

MINUTE_MS = 60_000
SOON_MS = 6 * 60 * MINUTE_MS
PER_MINUTE = 10
"""Steps a minute at full scale [steps/min]."""
WH = 3
"""What a step is worth [Wh/step]."""


class Kind(StrEnum):
    """What a reading is."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    ZERO = "zero"
    SPIKE = "spike"
    LOW = "low"
    NONE = "not taken"


@dataclass(frozen=True)
class Step:
    """From one look at the register to the next.

    Parameters
    ----------
    minutes
        How long it takes [min].
    share
        What the load was, of full scale [1].
    late
        Whether it sat at the end of it.
    kind
        What the look gives.
    reset
        Whether the register starts again at 0 directly before the look.
    """

    minutes: int
    share: Fraction
    late: bool
    kind: Kind
    reset: bool = False


def steps_of(kinds: list[Kind]) -> st.SearchStrategy[Step]:
    return st.builds(
        Step,
        st.sampled_from([1, 1, 1, 1, 5, 30, 61, 400]),
        st.sampled_from([Fraction(0), Fraction(1, 7), Fraction(1)]),
        st.booleans(),
        st.sampled_from(kinds),
    )


steps = steps_of([*[Kind.GOOD] * 6, *Kind])
true_steps = steps_of([Kind.GOOD, Kind.GOOD, Kind.UNCERTAIN, Kind.NONE])


@dataclass
class Register:
    """What became of some steps."""

    looks: list[int]
    counted: list[int]
    late: list[bool]
    readings: list[Reading]
    full: int

    def truth(self, time_ms: int) -> int:
        """Return how many steps were counted until an instant."""
        index = bisect_right(self.looks, time_ms) - 1
        if self.looks[index] == time_ms or index + 1 == len(self.looks):
            return self.counted[index]
        return self.counted[index] if self.late[index + 1] else self.counted[index + 1]


def follow(path: list[Step], opening: int, wrap: int | None) -> Register:
    """Read a register along some steps."""
    time_ms, counted, base = 7 * HALF_HOUR_MS, 0, opening
    register = Register([time_ms], [0], [False], [Reading(POINT, time_ms, opening)], 0)
    for step in path:
        time_ms += step.minutes * MINUTE_MS
        counted += int(step.minutes * PER_MINUTE * step.share)
        if step.reset:
            base = -counted
        shown = base + counted if wrap is None else (base + counted) % wrap
        register.looks.append(time_ms)
        register.counted.append(counted)
        register.late.append(step.late)
        quality = Quality.UNCERTAIN if step.kind is Kind.UNCERTAIN else Quality.GOOD
        match step.kind:
            case Kind.ZERO:
                shown = 0
            case Kind.SPIKE:
                shown += 10**6
            case Kind.LOW:
                shown -= min(shown, 4)
            case Kind.NONE:
                continue
        register.readings.append(Reading(POINT, time_ms, shown, quality))
    return register


def installed(wrap: int | None) -> Installation:
    one = Fraction(1)
    full_scale_kw = Fraction(PER_MINUTE * 60 * WH, 1000)
    return Installation(
        POINT, 0, None, "S", one, one, Side.PRIMARY, Fraction(WH), full_scale_kw=full_scale_kw, wrap_at=wrap
    )


def hold(register: Register, wrap: int | None, cuts: list[int], dice: random.Random) -> None:
    """Check the energies of a register against the truth."""
    installations = [installed(wrap)]
    readings = [*register.readings, *dice.choices(register.readings, k=3)]
    dice.shuffle(readings)
    counter = counter_of_cells(cells_of(readings), counter_spec(POINT, installations))
    span = Interval(register.looks[0], register.looks[-1])
    whole = energy(counter, installations, span)
    inside = sorted({span.start_ms + cut % (span.duration_ms + 1) for cut in cuts})
    for ends in (half_hours(span), (span.start_ms, *inside, span.end_ms), tuple(register.looks)):
        parts = series(counter, installations, ends)
        for part in (*parts, whole):
            if part.wh is None or part.unproven_wh is None:
                assert part.missing
                continue
            truth = WH * (register.truth(part.interval.end_ms) - register.truth(part.interval.start_ms))
            assert part.wh >= 0
            assert abs(part.wh - truth) <= part.unproven_wh, (truth, part)
        if whole.wh is not None:
            assert sum(part.wh or 0 for part in parts) == whole.wh


cut_lists = st.lists(st.integers(0, 10**9), max_size=4)
dice_of = st.randoms(use_true_random=False)


@settings(max_examples=50)
@given(
    st.lists(steps, min_size=1, max_size=14),
    st.integers(0, 400),
    st.sampled_from([None, 50_000, 10**7]),
    cut_lists,
    dice_of,
)
def test_the_truth_is_within_the_bounds_of_any_register(
    path: list[Step], below: int, wrap: int | None, cuts: list[int], dice: random.Random
) -> None:
    opening = 10_000 if wrap is None else wrap - 1 - below
    register = follow([*path, Step(1, Fraction(0), False, Kind.GOOD)], opening, wrap)
    assume(all_told(register, wrap))
    hold(register, wrap, cuts, dice)


def all_told(register: Register, wrap: int | None) -> bool:
    """Tell whether no wrong reading is what the register may well have held.

    It is where one comes to it plainly from what was read before. Where the register rolls over from a
    wrong reading or to one, or is read wrongly for hours, nobody can tell either.
    """
    first = register.readings[0].count
    assert isinstance(first, int)
    truths = [first + register.truth(reading.time_ms) for reading in register.readings]
    wrong = [
        reading.count != (truth if wrap is None else truth % wrap)
        for reading, truth in zip(register.readings, truths, strict=True)
    ]
    right = register.readings[0]
    for index, (before, after) in enumerate(pairwise(register.readings), 1):
        turned = wrap is not None and truths[index - 1] // wrap < truths[index] // wrap
        if turned and (wrong[index] or wrong[index - 1]):
            return False
        if wrong[index] and (plain(before, after, wrap) or plain(right, after, wrap)):
            return False
        if wrong[index] and wrong[index - 1] and after.time_ms - before.time_ms > SOON_MS:
            return False
        right = right if wrong[index] else after
    return True


def plain(before: Reading, after: Reading, wrap: int | None) -> bool:
    """Tell whether a circuit can have carried what lies between two readings."""
    assert isinstance(before.count, int)
    assert isinstance(after.count, int)
    most = PER_MINUTE * (2 * (after.time_ms - before.time_ms) // MINUTE_MS + 10)
    rise = after.count - before.count
    return 0 <= rise <= most or (wrap is not None and rise % wrap <= most)


@settings(max_examples=50)
@given(
    st.lists(true_steps, min_size=1, max_size=7),
    st.lists(true_steps, min_size=1, max_size=7),
    st.sampled_from([None, 10**7]),
    cut_lists,
    dice_of,
)
def test_a_reset_costs_what_may_have_gone_through_it(
    before: list[Step], after: list[Step], wrap: int | None, cuts: list[int], dice: random.Random
) -> None:
    still = Step(1, Fraction(0), False, Kind.GOOD)
    reset = Step(3, Fraction(1, 7), True, Kind.NONE, reset=True)
    register = follow([*before, still, reset, *after, still], 5_000_000, wrap)
    hold(register, wrap, cuts, dice)
