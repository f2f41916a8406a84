"""Loads of a synthetic works: power by the minute, and the true energy as an exact function of time.

Power is a whole number of watts, constant within each minute, so energy is an integer: watts times
milliseconds, which is millijoules. Everything follows from the seed and the local time of day; nothing here
keeps a state, so a meter can be asked for any moment, in any order, any number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random
from zoneinfo import ZoneInfo

MINUTE_MS = 60_000
MJ_PER_WH = 3_600_000
"""Millijoules in a watt hour."""


@dataclass(frozen=True, slots=True)
class Span:
    """Minutes of a run: `count` minutes from `start_ms` [ms since 1970-01-01 UTC, on a whole minute]."""

    start_ms: int
    count: int
    zone: ZoneInfo

    @property
    def end_ms(self) -> int:
        """Return the end, exclusive [ms since 1970-01-01 UTC]."""
        return self.start_ms + self.count * MINUTE_MS

    def local_times(self) -> Iterable[datetime]:
        """Return the local time at the start of each minute."""
        first = datetime.fromtimestamp(self.start_ms / 1000, self.zone)
        return (first + timedelta(minutes=minute) for minute in range(self.count))


class Load:
    """Power over a span, and its integral.

    Parameters
    ----------
    span
        The minutes that are known; outside of them the nearest minute's power goes on.
    power_w
        Power in each minute [W], not negative.
    """

    def __init__(self, span: Span, power_w: Sequence[int]) -> None:
        self.span = span
        self.minutes_w = tuple(power_w)
        self._before_mj = tuple(accumulate((watts * MINUTE_MS for watts in self.minutes_w), initial=0))

    def power_w(self, time_ms: int) -> int:
        """Return the power [W] at a time [ms since 1970-01-01 UTC]."""
        return self.minutes_w[self._minute(time_ms)]

    def energy_mj(self, time_ms: int) -> int:
        """Return the energy since the span's start [mJ] up to a time [ms since 1970-01-01 UTC]."""
        minute = self._minute(time_ms)
        into_ms = time_ms - self.span.start_ms - minute * MINUTE_MS
        return self._before_mj[minute] + self.minutes_w[minute] * into_ms

    def _minute(self, time_ms: int) -> int:
        return min(max((time_ms - self.span.start_ms) // MINUTE_MS, 0), self.span.count - 1)


def _noise(random: Random, share: float) -> Callable[[], float]:
    """Return a source of slowly wandering factors around 1, within about ± `share` [1]."""
    level = 0.0

    def step() -> float:
        nonlocal level
        level = 0.9 * level + 0.1 * (2 * random.random() - 1)
        return 1 + share * 3 * level

    return step


def furnace(span: Span, random: Random) -> Load:
    """Return a ferro-nickel electric furnace: tap to tap 4 h, and an electrode repair on the 12th."""
    noise = _noise(random, 0.012)
    tap_at_min = int(random.random() * 240)
    repair_start = timedelta(hours=8, minutes=int(random.random() * 60))
    repair_end = repair_start + timedelta(hours=4, minutes=int(random.random() * 60))
    heat_up = timedelta(hours=3)
    power_w: list[int] = []
    for minute, local in enumerate(span.local_times()):
        into_cycle_min = (minute + tap_at_min) % 240
        megawatts = 22.66 if into_cycle_min >= 18 else 14.2 + 0.25 * into_cycle_min
        of_day = timedelta(hours=local.hour, minutes=local.minute)
        if local.day == 12 and repair_start <= of_day:
            if of_day < repair_end:
                megawatts = 0.55  # hearth cooling, hydraulics, fans
            elif of_day < repair_end + heat_up:
                megawatts *= 0.45 + 0.55 * ((of_day - repair_end) / heat_up)
        power_w.append(round(megawatts * 1e6 * noise()))
    return Load(span, power_w)


def cell_line(span: Span, random: Random) -> Load:
    """Return a copper refining cell line, AC side: steady, with dips while a short circuit is cleared."""
    noise = _noise(random, 0.004)
    power_w: list[int] = []
    dip_left_min = 0
    for _ in range(span.count):
        if dip_left_min:
            dip_left_min -= 1
        elif random.random() < 1 / 900:
            dip_left_min = 4 + int(random.random() * 12)
        power_w.append(round(4_780_000 * noise() * (0.86 if dip_left_min else 1.0)))
    return Load(span, power_w)


def rectified(ac: Load) -> Load:
    """Return the DC side of a rectifier: auxiliaries and 4.5 % conversion loss below the AC side."""
    return Load(ac.span, [max(0, (watts - 24_000) * 955 // 1000) for watts in ac.minutes_w])


def kiln(span: Span, random: Random) -> Load:
    """Return a rotary kiln's electric side: drive, dryer, gas cleaning; slow for an hour now and then."""
    noise = _noise(random, 0.02)
    power_w: list[int] = []
    slow_left_min = 0
    for _ in range(span.count):
        if slow_left_min:
            slow_left_min -= 1
        elif random.random() < 1 / 2600:
            slow_left_min = 60
        power_w.append(round(1_845_000 * noise() * (0.7 if slow_left_min else 1.0)))
    return Load(span, power_w)


def utilities(span: Span, random: Random) -> Load:
    """Return utilities: oxygen, compressors, water; more by day and on working days."""
    noise = _noise(random, 0.02)
    power_w: list[int] = []
    for local in span.local_times():
        into_day = (local.hour + local.minute / 60 - 6) / 14  # the working day is 06:00 to 20:00
        day = 4 * into_day * (1 - into_day) if 0 <= into_day <= 1 else 0.0
        working = 1.0 if local.weekday() < 5 else 0.45
        power_w.append(round((1_235_000 + 420_000 * day * working) * noise()))
    return Load(span, power_w)


def receiving(children: Sequence[Load]) -> Load:
    """Return the receiving point: the children, and what transformers and lines lose (about 0.4 %).

    The loss is 40 kW without load, and grows with the square of it: 84 kW more at 30 MW.
    """
    power_w: list[int] = []
    for minute in zip(*(child.minutes_w for child in children), strict=True):
        total_w = sum(minute)
        power_w.append(total_w + 40_000 + 84_000 * (total_w // 1000) ** 2 // 30_000**2)
    return Load(children[0].span, power_w)
