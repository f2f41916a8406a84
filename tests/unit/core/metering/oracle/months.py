"""Simulated months of a meter whose true energy is known, sparse enough to make thousands of them.

`meter_months(seed)` is a pure function of its seed: a load, the registers that counted it, the records of
them at headquarters, and the readings as they were taken, with whatever went wrong. Where nothing on record
can tell two truths apart (a reset that looks like a rollover, a display that froze and was back within what
the circuit carries), the stretch is listed as `doubtful` instead of being expected right.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from zoneinfo import ZoneInfo

from core.metering.installations import Installation
from core.timeline import add_months, month
from tests.unit.core.metering.oracle.meters import Meter, suiting
from tests.unit.core.metering.oracle.reading import Reader
from tests.unit.core.metering.oracle.scenario import DAY_MS, HOUR_MS, MINUTE_MS, Fault, Happening, MeterMonths
from tests.unit.core.metering.oracle.truth import MWMS_PER_WH, Fall, Load, TrueRegister, Worth

_ZONES = ("Asia/Tokyo", "Asia/Tokyo", "Europe/Amsterdam", "UTC", "America/New_York", "Australia/Lord_Howe")
_MONTHS = ("2024-02", "2024-03", "2023-10", "2024-10", "2023-12", "2025-02", "2024-07", "2023-09")
_EXCHANGES = (Fault.SLIP, Fault.HALF_SLIP, Fault.EXCHANGE)


def meter_months(seed: int, faults: Sequence[Fault] | None = None) -> MeterMonths:
    """Return the months of a seed.

    Parameters
    ----------
    seed
        Any number.
    faults
        What is to happen; by the dice where it is None.
    """
    return _Maker(seed, faults).made()


class _Maker:
    """The dice of one seed, and what they have shown so far."""

    def __init__(self, seed: int, faults: Sequence[Fault] | None) -> None:
        self.dice = dice = random.Random(seed)
        self.zone = ZoneInfo(dice.choice(_ZONES))
        first = dice.choice(_MONTHS)
        spans = [month(add_months(first, index), self.zone) for index in range(dice.choice((1, 1, 1, 2, 3)))]
        self.ends = (*(span.start_ms for span in spans), spans[-1].end_ms)
        self.begin, self.finish = self.ends[0] - DAY_MS, self.ends[-1] + DAY_MS
        self.full_scale_mw = int(10 ** dice.uniform(6, 11))
        self.known = dice.random() < 0.85
        chosen = dice.sample(tuple(Fault), k=dice.choice((0, 1, 1, 2, 2, 3, 4)))
        self.happenings = self._happenings(chosen if faults is None else faults)
        self.load = self._load()
        self.serial = f"SYN-{seed}"

    def made(self) -> MeterMonths:
        """Return all of it."""
        meters, registers = self._meters()
        result = MeterMonths(
            zone=self.zone,
            ends_ms=self.ends,
            load=self.load,
            registers=registers,
            installations=self._records(meters, registers),
            full_scale_mw=self.full_scale_mw,
            known=self.known,
            happenings=self.happenings,
        )
        Reader(self.dice, result, [meters[0], meters[-1]][: len(registers)]).read(self._times())
        return result

    # ------------------------------------------------------------------------------------ what happens

    def _happenings(self, faults: Sequence[Fault]) -> list[Happening]:
        dice = self.dice
        found: list[Happening] = []
        once = {*_EXCHANGES, Fault.TRANSFORMERS}
        for fault in faults:
            if fault in once and any(other.fault in once for other in found):
                continue  # one exchange is enough
            at = dice.randrange(self.ends[0], self.ends[-1])
            if dice.random() < 0.3:
                at = dice.choice(self.ends) + dice.randrange(-2 * HOUR_MS, 2 * HOUR_MS)
            end = at + 1
            match fault:
                case Fault.GAP | Fault.FREEZE | Fault.CLOCK:
                    end = at + dice.randrange(HOUR_MS, 9 * HOUR_MS)
                case Fault.LONG_GAP:
                    end = at + dice.randrange(DAY_MS, 9 * DAY_MS)
                case Fault.END_GAP:
                    edge = dice.choice(self.ends)
                    at, end = edge - dice.randrange(12 * HOUR_MS), edge + dice.randrange(12 * HOUR_MS)
                case Fault.SILENCE:
                    at, end = self.ends[-1] - dice.randrange(6 * DAY_MS), self.finish + 1
                case Fault.ZEROS | Fault.LOW:
                    end = at + dice.randrange(1, 9) * MINUTE_MS
            found.append(Happening(fault, at, end))
        return sorted(found, key=lambda each: each.start_ms)

    def _of(self, *faults: Fault) -> list[Happening]:
        return [each for each in self.happenings if each.fault in faults]

    def _load(self) -> Load:
        dice = self.dice
        share = dice.choice((1.0, 1.0, 0.3, 0.02))
        steps = [(self.begin, floor(share * self.full_scale_mw))]
        for time_ms in sorted(
            {dice.randrange(self.begin + 1, self.finish) for _ in range(dice.randrange(12))}
        ):
            steps.append((time_ms, dice.choice((0, 1, floor(dice.uniform(0, share) * self.full_scale_mw)))))
        return Load(steps)

    # ------------------------------------------------------------------------------ registers and records

    def _meters(self) -> tuple[list[Meter], tuple[TrueRegister, ...]]:
        meters: list[Meter] = []
        registers: list[TrueRegister] = []
        cuts = [self.begin, *(each.start_ms for each in self._of(*_EXCHANGES)), self.finish + 1]
        for start_ms, end_ms in pairwise(cuts):
            meter = self._meter(f"{self.serial}-{len(meters)}")
            meters.append(meter)
            worths = [Worth(start_ms, meter.wh_per_step)]
            for each in self._of(Fault.TRANSFORMERS):
                meters.append(replace(meter, ct=meter.ct * Fraction(3, 2)))
                worths.append(Worth(each.start_ms, meters[-1].wh_per_step))
            falls = [
                Fall(each.start_ms, None if each.fault is Fault.RESET else self._lost(meter))
                for each in self._of(Fault.RESET, Fault.LOSS)
                if start_ms < each.start_ms < end_ms
            ]
            opening, wrap = self._opening(meter), meter.wrap_steps
            registers.append(
                TrueRegister(
                    self.load, start_ms, end_ms, opening=opening, wrap=wrap, worths=worths, falls=falls
                )
            )
        return meters, tuple(registers)

    def _meter(self, serial: str) -> Meter:
        """Return one whose rollovers half a turn tells, where full scale does not."""
        most_mwms = 4 * self.full_scale_mw * (self.finish - self.begin)
        while True:
            meter = suiting(self.dice, serial, self.full_scale_mw)
            wrap = meter.wrap_steps
            if self.known or wrap is None or wrap * meter.wh_per_step * MWMS_PER_WH > most_mwms:
                return meter

    def _opening(self, meter: Meter) -> int:
        if meter.wrap_steps is None:
            return self.dice.choice((0, self.dice.randrange(10**9)))
        steps = ceil(self.load.mwms(self.finish) / (meter.wh_per_step * MWMS_PER_WH))
        near = max(0, meter.wrap_steps - self.dice.randrange(1, 2 * steps + 2))
        return self.dice.choice((near, near, self.dice.randrange(meter.wrap_steps), 0))

    def _lost(self, meter: Meter) -> int:
        top = meter.wrap_steps or 10**9
        return self.dice.choice((1, 2, self.dice.randrange(1, 1000), self.dice.randrange(1, top)))

    def _records(self, meters: list[Meter], registers: tuple[TrueRegister, ...]) -> tuple[Installation, ...]:
        full_scale = self.full_scale_mw if self.known else None
        began = self.begin - 1000 * DAY_MS
        if len(meters) == 1:
            return (meters[0].installation(began, None, full_scale_mw=full_scale),)
        (exchange,) = self._of(*_EXCHANGES, Fault.TRANSFORMERS)
        at, first = exchange.start_ms, self.dice.random() < 0.5
        closes = exchange.fault is Fault.SLIP or (exchange.fault is Fault.HALF_SLIP and first)
        opens = exchange.fault is Fault.SLIP or (exchange.fault is Fault.HALF_SLIP and not first)
        closing = meters[0].count(registers[0].shown(at)) if closes else None
        opening = meters[1].count(registers[1].shown(at)) if opens else None
        return (
            meters[0].installation(began, at, full_scale_mw=full_scale, closing=closing),
            meters[1].installation(at, None, full_scale_mw=full_scale, opening=opening),
        )

    # ------------------------------------------------------------------------------------ when it is read

    def _times(self) -> list[int]:
        """Return when it is read: every few hours, on both sides of some half-hours, often around a fault."""
        dice = self.dice
        every = dice.choice((4, 6, 8, 12)) * HOUR_MS
        times = {time_ms + dice.randrange(MINUTE_MS) for time_ms in range(self.begin, self.finish, every)}
        times |= {self.begin, self.finish}
        for edge in (*self.ends, *(dice.randrange(self.begin, self.finish) for _ in range(6))):
            half_hour = edge - edge % (30 * MINUTE_MS)
            times |= {half_hour - dice.randrange(1, 3000), half_hour + dice.choice((0, dice.randrange(3000)))}
        for each in self.happenings:
            middle = dice.choice((each.start_ms, min(each.end_ms, self.finish)))
            times |= {middle + index * MINUTE_MS + dice.randrange(2000) for index in range(-6, 14)}
        gaps = self._of(Fault.GAP, Fault.LONG_GAP, Fault.END_GAP, Fault.SILENCE)
        return sorted(
            time_ms
            for time_ms in times
            if self.begin <= time_ms <= self.finish
            and not any(each.start_ms <= time_ms < each.end_ms for each in gaps)
        )
