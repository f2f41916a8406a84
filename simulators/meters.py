"""What simulated meters measure: energy registers, power, and the circuit around them."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from simulators.loads import MINUTE_MS, MJ_PER_WH, Load, Span


class Source(Protocol):
    """What a meter measures, as functions of time [ms since 1970-01-01 UTC]."""

    def count(self, time_ms: int) -> int:
        """Return the energy register [counts], before it is cut to the register's width."""
        ...

    def power_w(self, time_ms: int) -> int:
        """Return the power as the meter sees it, after CT and VT where it does not multiply [W]."""
        ...


@dataclass(frozen=True, slots=True)
class Measured:
    """A load behind current and voltage transformers.

    Parameters
    ----------
    load
        The primary side.
    wh_per_count
        What one count of the register is worth, on the side that the meter counts [Wh].
    ratio
        CT × VT where the meter counts the secondary side, 1 where it multiplies itself [1].
    opening_count
        The register at the start of the load's span [counts].
    """

    load: Load
    wh_per_count: Fraction
    ratio: Fraction
    opening_count: int

    def count(self, time_ms: int) -> int:
        """Return the energy register [counts]: whole counts of the true energy, never rounded up."""
        mj_per_count = MJ_PER_WH * self.wh_per_count * self.ratio
        energy = self.load.energy_mj(time_ms) * mj_per_count.denominator
        return self.opening_count + energy // mj_per_count.numerator

    def power_w(self, time_ms: int) -> int:
        """Return the power that the meter sees [W]."""
        return self.load.power_w(time_ms) * self.ratio.denominator // self.ratio.numerator


@dataclass(frozen=True, slots=True)
class Electrical:
    """What a meter shows beside energy: a three-phase circuit.

    Parameters
    ----------
    line_v
        Line-to-line voltage at the meter's terminals, or primary if it multiplies [V].
    power_factor
        Active by apparent power [1].
    unbalance
        By how much the third phase carries more than the mean, and the first less [1].
    export_share
        What the export registers count of the import [1].
    """

    line_v: float
    power_factor: float
    unbalance: float = 0.0
    export_share: Fraction = Fraction(0)

    def share(self, phase: int) -> float:
        """Return the part of the whole power that a phase, 0 to 2, carries [1]."""
        return (1 + self.unbalance * (phase - 1)) / 3

    def phase_v(self, time_ms: int, phase: int = 0) -> float:
        """Return a phase's voltage to neutral [V], which wanders by ± 0.5 % over a quarter of an hour."""
        wave = abs(time_ms // 60_000 % 15 - 7.5) / 7.5 - 0.5
        return self.line_v / math.sqrt(3) * (1 + 0.01 * wave) * (1 - 0.1 * self.unbalance * (phase - 1))

    def phase_a(self, time_ms: int, power_w: float, phase: int = 0) -> float:
        """Return a phase's current [A] at the given active power of all [W]."""
        return power_w * self.share(phase) / (self.phase_v(time_ms, phase) * self.power_factor)

    def reactive_var(self, power_w: float) -> float:
        """Return the reactive power [var] at the given active power [W]."""
        return power_w * math.sqrt(1 / self.power_factor**2 - 1)


GRID_HZ = 50.0


class Tariffs:
    """A register split over two tariffs: T1 counts from 08:00 to 22:00 local time, T2 at night.

    The two always add up to the whole register.
    """

    def __init__(self, source: Source, span: Span) -> None:
        self._source = source
        self._switches: list[
            tuple[int, int, bool]
        ] = []  # time [ms], T1 there [counts], whether it is day then
        day_count = source.count(span.start_ms) * 2 // 3
        for time_ms, day in _tariff_switches(span):
            if self._switches:
                before_ms, _, was_day = self._switches[-1]
                day_count += (source.count(time_ms) - source.count(before_ms)) * was_day
            self._switches.append((time_ms, day_count, day))

    def day(self, time_ms: int) -> int:
        """Return T1 [counts]."""
        place = bisect_right(self._switches, time_ms, key=lambda switch: switch[0])
        since_ms, count, day = self._switches[max(place - 1, 0)]
        return count + (self._source.count(time_ms) - self._source.count(since_ms)) * day

    def night(self, time_ms: int) -> int:
        """Return T2 [counts]."""
        return self._source.count(time_ms) - self.day(time_ms)


def _tariff_switches(span: Span) -> list[tuple[int, bool]]:
    """Return each change of tariff in the span, and the tariff at its start, as (time [ms], day)."""
    times = list(span.local_times())
    first = [(span.start_ms, 8 <= times[0].hour < 22)]
    return first + [
        (span.start_ms + minute * MINUTE_MS, local.hour == 8)
        for minute, local in enumerate(times)
        if minute > 0 and local.minute == 0 and local.hour in (8, 22)
    ]
