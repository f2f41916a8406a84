"""The truth that registers are read from: a load, and the registers that count it.

Nothing of the program is used here. Power is in whole mW and time in whole ms, so energy is an integer and
every register, at every instant, is known exactly.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from math import floor

MWMS_PER_WH = 3_600_000_000
"""mW x ms in one Wh."""


class Load:
    """A power that changes in steps.

    Parameters
    ----------
    steps
        Instant from which it holds [ms] and power [mW], in time order.
    """

    def __init__(self, steps: Sequence[tuple[int, int]]) -> None:
        self._times = [time_ms for time_ms, _ in steps]
        self._power = [power_mw for _, power_mw in steps]
        spans = (end - start for start, end in pairwise(self._times))
        self._before = list(
            accumulate((power * span for power, span in zip(self._power, spans, strict=False)), initial=0)
        )

    def mwms(self, time_ms: int) -> int:
        """Return the energy since the first step [mW ms]."""
        index = max(bisect_right(self._times, time_ms) - 1, 0)
        return self._before[index] + self._power[index] * (time_ms - self._times[index])

    def wh(self, start_ms: int, end_ms: int) -> Fraction:
        """Return the energy of an interval [Wh]."""
        return Fraction(self.mwms(end_ms) - self.mwms(start_ms), MWMS_PER_WH)


@dataclass(frozen=True)
class Worth:
    """What a step of a register is worth from an instant on.

    Parameters
    ----------
    start_ms
        From when [ms]: transformers were exchanged.
    wh_per_step
        Primary energy [Wh/step].
    """

    start_ms: int
    wh_per_step: Fraction


@dataclass(frozen=True)
class Fall:
    """A register that loses its count, while the load goes on.

    Parameters
    ----------
    time_ms
        When [ms].
    steps
        How many steps it goes back [steps]; None when it starts again at 0.
    """

    time_ms: int
    steps: int | None = None


@dataclass(frozen=True)
class _Phase:
    start_ms: int
    shown: int
    counted: int


class TrueRegister:
    """One meter's register.

    Parameters
    ----------
    load
        What it counts.
    start_ms, end_ms
        From when until when it stands there [ms].
    opening
        What it shows at its start [steps].
    wrap
        At how many steps it starts again at 0 [steps]; None where it never does.
    worths
        In time order; the first from the start.
    falls
        In time order.
    """

    def __init__(
        self,
        load: Load,
        start_ms: int,
        end_ms: int,
        *,
        opening: int,
        wrap: int | None,
        worths: Sequence[Worth],
        falls: Sequence[Fall] = (),
    ) -> None:
        self.start_ms, self.end_ms, self.wrap, self.worths = start_ms, end_ms, wrap, tuple(worths)
        self._load = load
        self._phases = [_Phase(start_ms, opening, 0)]
        for fall in falls:
            shown = 0 if fall.steps is None else max(self.shown(fall.time_ms) - fall.steps, 0)
            self._phases.append(_Phase(fall.time_ms, shown, self.counted(fall.time_ms)))

    def counted(self, time_ms: int) -> int:
        """Return how much it has truly counted since its start, whatever it shows [steps]."""
        phase = self._phase(time_ms)
        return phase.counted + self._rise(phase.start_ms, time_ms)

    def shown(self, time_ms: int) -> int:
        """Return what it shows [steps]."""
        phase = self._phase(time_ms)
        value = phase.shown + self._rise(phase.start_ms, time_ms)
        return value if self.wrap is None else value % self.wrap

    def wh(self, start_ms: int, end_ms: int) -> Fraction:
        """Return what it truly counted in the part of an interval in which it stood there [Wh]."""
        start_ms, end_ms = max(start_ms, self.start_ms), min(end_ms, self.end_ms)
        total = Fraction(0)
        for worth, until_ms in self._worths():
            a, b = max(start_ms, worth.start_ms), min(end_ms, until_ms)
            if a < b:
                total += worth.wh_per_step * (self.counted(b) - self.counted(a))
        return total

    def _worths(self) -> list[tuple[Worth, int]]:
        ends = [*(worth.start_ms for worth in self.worths[1:]), self.end_ms]
        return list(zip(self.worths, ends, strict=True))

    def _phase(self, time_ms: int) -> _Phase:
        return self._phases[max(bisect_right(self._phases, time_ms, key=lambda phase: phase.start_ms) - 1, 0)]

    def _rise(self, start_ms: int, time_ms: int) -> int:
        if len(self.worths) == 1:
            up, down = self.worths[0].wh_per_step.as_integer_ratio()
            return (self._load.mwms(time_ms) - self._load.mwms(start_ms)) * down // (up * MWMS_PER_WH)
        total = Fraction(0)
        for worth, until_ms in self._worths():
            a, b = max(start_ms, worth.start_ms), min(time_ms, until_ms)
            if a < b:
                total += self._load.wh(a, b) / worth.wh_per_step
        return floor(total)
