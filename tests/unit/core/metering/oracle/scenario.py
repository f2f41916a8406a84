"""What a simulated meter's months consist of, and what can go wrong in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

from core.metering.installations import Installation
from core.metering.readings import Quality, Reading
from core.timeline import Interval
from tests.unit.core.metering.oracle.truth import MWMS_PER_WH, Load, TrueRegister

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Fault(StrEnum):
    """What can happen to a register, to its reading, or to its record."""

    GAP = "no readings for hours"
    LONG_GAP = "no readings for days"
    END_GAP = "no readings around a month's end"
    SILENCE = "no reading any more"
    RESET = "the register starts again at 0"
    LOSS = "the register goes back some steps and counts on"
    SLIP = "another meter, with both indexes on record"
    HALF_SLIP = "another meter, with one index on record"
    EXCHANGE = "another meter, without any index on record"
    TRANSFORMERS = "other transformers before the same meter"
    ZEROS = "zeros for minutes"
    LOW = "some steps too few for minutes"
    SPIKE = "one reading far too high"
    FREEZE = "a display that stands still for hours"
    BAD = "readings known to be bad"
    UNCERTAIN = "readings that are right and not sure of it"
    OUT_OF_RANGE = "a count that the register cannot show"
    CONFLICT = "a second count at one instant, not sure of it"
    CLOCK = "a clock that is wrong for a while"


HARMLESS = {
    Fault.GAP,
    Fault.LONG_GAP,
    Fault.BAD,
    Fault.UNCERTAIN,
    Fault.OUT_OF_RANGE,
    Fault.CONFLICT,
    Fault.ZEROS,
    Fault.SPIKE,
    Fault.SLIP,
}
"""Those that must cost nothing but the brackets of the boundaries they lie at."""


@dataclass(frozen=True)
class Happening:
    """What went wrong, from when until when [ms since 1970 UTC]."""

    fault: Fault
    start_ms: int
    end_ms: int


@dataclass
class MeterMonths:
    """Some months of one meter.

    Parameters
    ----------
    zone
        The site's time zone.
    ends_ms
        The instants between its months, with the first and the last [ms since 1970 UTC].
    load, registers
        The truth.
    installations
        The record of the meters.
    full_scale_mw
        What the circuit carries [mW].
    known
        Whether full scale is on record.
    happenings
        What went wrong, in time order.
    doubtful
        Stretches in which nothing on record can tell what happened [ms since 1970 UTC].
    costly
        Stretches in which a wrong reading may as well have been a register that started again
        [ms since 1970 UTC].
    clock_off
        Stretches in which the times of readings are wrong, and by how much at most [ms].
    readings
        As they were taken, in the order of true time.
    """

    zone: ZoneInfo
    ends_ms: tuple[int, ...]
    load: Load
    registers: tuple[TrueRegister, ...]
    installations: tuple[Installation, ...]
    full_scale_mw: int
    known: bool
    happenings: list[Happening]
    doubtful: list[Interval] = field(default_factory=list)
    costly: list[Interval] = field(default_factory=list)
    clock_off: list[tuple[Interval, int]] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)

    @property
    def faults(self) -> set[Fault]:
        """What went wrong."""
        return {each.fault for each in self.happenings}

    @property
    def whole(self) -> Interval:
        """All of its months."""
        return Interval(self.ends_ms[0], self.ends_ms[-1])

    def truth_wh(self, interval: Interval) -> Fraction:
        """Return what the registers truly counted [Wh]."""
        zero = Fraction(0)
        return sum((each.wh(interval.start_ms, interval.end_ms) for each in self.registers), zero)

    def slack_wh(self, interval: Interval, *, cut: bool) -> Fraction:
        """Return what wrong times of readings may cost an interval [Wh].

        At its ends the registers are those of another instant; in a cut, bounds are those of another span.
        """
        slack = Fraction(0)
        for stretch, off_ms in self.clock_off:
            near = Interval(stretch.start_ms - DAY_MS, stretch.end_ms + DAY_MS)
            ends = (interval.start_ms in near) + (interval.end_ms in near) + cut * _touches(interval)(near)
            most = max(worth.wh_per_step for each in self.registers for worth in each.worths)
            slack += 2 * ends * (Fraction(self.full_scale_mw * off_ms, MWMS_PER_WH) + most)
        return slack

    @property
    def may_turn_unseen(self) -> bool:
        """Whether a register can make a whole turn between two readings."""
        times = sorted({reading.time_ms for reading in self.readings if reading.quality < Quality.BAD})
        longest_ms = max((later - earlier for earlier, later in pairwise(times)), default=0)
        most_wh = Fraction(self.full_scale_mw * longest_ms, MWMS_PER_WH)
        return any(
            register.wrap is not None and most_wh > (register.wrap - 2) * worth.wh_per_step
            for register in self.registers
            for worth in register.worths
        )

    def is_doubtful(self, interval: Interval) -> bool:
        """Tell whether an interval touches a stretch in which nothing on record can tell what happened."""
        return any(map(_touches(interval), self.doubtful))

    def is_costly(self, interval: Interval) -> bool:
        """Tell whether an interval touches a stretch in which the register may have started again."""
        return any(map(_touches(interval), self.costly))


def _touches(interval: Interval) -> Callable[[Interval], bool]:
    """Return a function that tells whether another interval has a part of this one."""
    return lambda other: other.start_ms < interval.end_ms and interval.start_ms < other.end_ms
