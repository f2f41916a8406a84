"""How simulated registers are read, with whatever goes wrong in reading them."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from core.metering.readings import Quality, Reading
from core.timeline import Interval
from tests.unit.core.metering.oracle.meters import POINT, Meter
from tests.unit.core.metering.oracle.scenario import HOUR_MS, MINUTE_MS, Fault, Happening, MeterMonths
from tests.unit.core.metering.oracle.truth import MWMS_PER_WH, TrueRegister

_LUMP_MS = 302_000
_RETURN_MS = 6 * HOUR_MS
_WINDOW_MS = 2 * HOUR_MS


@dataclass(frozen=True)
class _Seen:
    """A reading as it was taken: when in truth, of which meter, what was shown and whether that is so."""

    time_ms: int
    meter: Meter
    register: TrueRegister
    steps: int
    honest: bool


class Reader:
    """Reads the registers of some months into them.

    Parameters
    ----------
    dice
        Of the seed.
    months
        Where readings, doubts and errors of the clock go.
    meters
        The meters of its registers.
    """

    def __init__(self, dice: random.Random, months: MeterMonths, meters: Sequence[Meter]) -> None:
        self._dice, self._months = dice, months
        self._standing = list(zip(months.registers, meters, strict=True))

    def read(self, times: Sequence[int]) -> None:
        """Read them at some instants [ms since 1970 UTC]."""
        months = self._months
        seen = [self._look(time_ms) for time_ms in times]
        for spike in self._of(Fault.SPIKE):
            self._spike(seen, spike)
        months.doubtful += self._doubts(seen)
        for each in seen:
            count, quality = each.meter.count(each.steps), self._quality(each.time_ms)
            months.readings.append(Reading(POINT, self._stamp(each.time_ms), count, quality))
        months.readings += self._extra(seen)

    def _of(self, *faults: Fault) -> list[Happening]:
        return [each for each in self._months.happenings if each.fault in faults]

    def _quality(self, time_ms: int) -> Quality:
        unsure = self._of(Fault.UNCERTAIN)
        near = any(abs(time_ms - each.start_ms) < _WINDOW_MS for each in unsure)
        return Quality.UNCERTAIN if near else Quality.GOOD

    def _look(self, time_ms: int) -> _Seen:
        register, meter = next(
            (each for each in reversed(self._standing) if each[0].start_ms <= time_ms), self._standing[0]
        )
        steps = truth = register.shown(time_ms)
        for each in self._of(Fault.FREEZE, Fault.LOW, Fault.ZEROS):
            if each.start_ms <= time_ms < each.end_ms and register.start_ms <= each.start_ms:
                match each.fault:
                    case Fault.FREEZE:
                        steps = register.shown(each.start_ms)
                    case Fault.LOW:
                        steps = max(truth - random.Random(each.start_ms).choice((1, 3, 100)), 0)
                    case _:
                        steps = 0
        return _Seen(time_ms, meter, register, steps, steps == truth)

    def _spike(self, seen: list[_Seen], spike: Happening) -> None:
        """Let one reading be more than the circuit can have carried."""
        index = next((i for i, each in enumerate(seen) if each.time_ms >= spike.start_ms), None)
        if index is None:
            return
        each = seen[index]
        most = self._plausible(each.meter, 20 * 24 * HOUR_MS)
        steps = each.steps + self._dice.randrange(most, 10 * most)
        if each.meter.wrap_steps is None or steps < each.meter.wrap_steps:
            seen[index] = _Seen(each.time_ms, each.meter, each.register, steps, False)

    # ---------------------------------------------------------------------------------------- its clock

    def _stamp(self, time_ms: int) -> int:
        """Return what the clock says; its time goes at half speed until one that was set is right."""
        for each in self._of(Fault.CLOCK):
            dice = random.Random(each.start_ms)
            off_ms = dice.choice((1, 1, -1)) * dice.choice((MINUTE_MS, 5 * MINUTE_MS, 25 * MINUTE_MS))
            settled_ms = each.end_ms + 2 * max(off_ms, 0)
            stretch = Interval(each.start_ms, settled_ms)
            if not any(known == stretch for known, _ in self._months.clock_off):
                self._months.clock_off.append((stretch, abs(off_ms)))
            if each.start_ms <= time_ms < each.end_ms:
                return max(time_ms + off_ms, each.start_ms + (time_ms - each.start_ms) // 2)
            if each.end_ms <= time_ms < settled_ms:
                return max(time_ms, each.end_ms + off_ms + (time_ms - each.end_ms) // 2)
        return time_ms

    # -------------------------------------------------------------------------- what comes on top of them

    def _extra(self, seen: Sequence[_Seen]) -> list[Reading]:
        extra: list[Reading] = []
        dice = self._dice
        for each in self._of(Fault.BAD):
            counts = (None, 0, dice.randrange(1 << 32))
            extra += [
                Reading(POINT, each.start_ms + index * 7_001, count, Quality.BAD)
                for index, count in enumerate(counts)
            ]
        for each in self._of(Fault.OUT_OF_RANGE):
            standing = self._look(each.start_ms).meter
            if standing.wrap_at is not None:
                beyond = dice.choice((-1, standing.wrap_at, standing.wrap_at + dice.randrange(1 << 70)))
                extra.append(Reading(POINT, each.start_ms, beyond))
        for each in self._of(Fault.CONFLICT):
            for at_ms in (each.start_ms, dice.choice(self._months.ends_ms), dice.choice(seen).time_ms):
                other = seen[min(bisect_left(seen, at_ms, key=lambda one: one.time_ms), len(seen) - 1)]
                wrong = other.steps + dice.choice((-1, 1)) * dice.randrange(1, 50)
                sure = (
                    self._quality(other.time_ms) is Quality.GOOD
                )  # of two unsure ones nobody knows the right
                if sure and 0 <= wrong < (other.meter.wrap_steps or wrong + 1):
                    count = other.meter.count(wrong)
                    extra.append(Reading(POINT, self._stamp(other.time_ms), count, Quality.UNCERTAIN))
        return extra

    # ---------------------------------------------------------------------------- what nobody could tell

    def _plausible(self, meter: Meter, duration_ms: int) -> int:
        """Return how far a register may well have risen within a time [steps]."""
        mwms = self._months.full_scale_mw * (duration_ms + _LUMP_MS)
        return int(mwms * Fraction(6, 5) / (meter.wh_per_step * MWMS_PER_WH)) + 2

    def _explained(self, before: _Seen, after: _Seen) -> bool:
        """Tell whether a register may well have come from one reading to the next."""
        wrap = before.meter.wrap_steps
        rise = after.steps - before.steps
        if before.register is not after.register:
            return False
        if not self._months.known:
            return rise >= 0 or (wrap is not None and rise % wrap <= wrap // 2)
        plausible = self._plausible(before.meter, after.time_ms - before.time_ms)
        return 0 <= rise <= plausible or (wrap is not None and rise % wrap <= plausible)

    def _doubts(self, seen: Sequence[_Seen]) -> list[Interval]:
        doubts: list[Interval] = []
        falls = self._of(Fault.RESET, Fault.LOSS)
        honest = [each for each in seen if each.honest]
        for before, after in pairwise(honest):
            fell = any(before.time_ms < each.start_ms <= after.time_ms for each in falls)
            if fell and (self._explained(before, after) or self._soon_back(before, after, honest)):
                doubts.append(Interval(before.time_ms, after.time_ms))
        doubts += self._doubted_lies(seen)
        return doubts

    def _soon_back(self, before: _Seen, after: _Seen, seen: Sequence[_Seen]) -> bool:
        """Tell whether a register that fell is soon where it was, on a circuit of which nothing is known."""
        later = [each for each in seen if each.time_ms > after.time_ms]
        soon = [each for each in later if each.time_ms <= after.time_ms + _RETURN_MS] or later[:1]
        return not self._months.known and any(each.steps >= before.steps for each in soon)

    def _doubted_lies(self, seen: Sequence[_Seen]) -> list[Interval]:
        """Return where readings were wrong and yet explained by what was read before and after."""
        doubts: list[Interval] = []
        runs: list[list[int]] = []
        for index, each in enumerate(seen):
            if not each.honest:
                if runs and runs[-1][-1] == index - 1:
                    runs[-1].append(index)
                else:
                    runs.append([index])
        for run in runs:
            first, last = run[0], run[-1]
            enters = first == 0 or self._explained(seen[first - 1], seen[first])
            leaves = last + 1 == len(seen) or self._explained(seen[last], seen[last + 1])
            around = [each for each in seen[first - 1 : last + 2] if each.honest]
            if around and around[-1].steps <= self._plausible(around[-1].meter, _RETURN_MS):
                self._months.costly.append(Interval(around[0].time_ms, around[-1].time_ms + 1))
            turned = len(around) > 1 and around[-1].steps < around[0].steps
            if turned or (enters and leaves):
                doubts.append(
                    Interval(seen[max(first - 1, 0)].time_ms, seen[min(last + 1, len(seen) - 1)].time_ms)
                )
        return doubts
