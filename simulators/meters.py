"""Simulated meters: from true energy to the words that a register map promises.

The register maps are laid out here from the manufacturers' tables; the agent's profiles and decoder are never
used, so that a mistake in either is seen as a difference.
"""

from __future__ import annotations

import math
import struct
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from simulators.loads import MINUTE_MS, MJ_PER_WH, Load, Span

Words = tuple[int, ...]


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
    """What a meter shows beside energy: a balanced three-phase circuit.

    Parameters
    ----------
    line_v
        Line-to-line voltage at the meter's terminals, or primary if it multiplies [V].
    power_factor
        Active by apparent power [1].
    """

    line_v: float
    power_factor: float

    def phase_v(self, time_ms: int) -> float:
        """Return a phase's voltage to neutral [V], which wanders by ± 0.5 % over a quarter of an hour."""
        wave = abs(time_ms // 60_000 % 15 - 7.5) / 7.5 - 0.5
        return self.line_v / math.sqrt(3) * (1 + 0.01 * wave)

    def phase_a(self, time_ms: int, power_w: float) -> float:
        """Return a phase's current [A] at the given active power [W]."""
        return power_w / (3 * self.phase_v(time_ms) * self.power_factor)

    def reactive_var(self, power_w: float) -> float:
        """Return the reactive power [var] at the given active power [W]."""
        return power_w * math.sqrt(1 / self.power_factor**2 - 1)


GRID_HZ = 50.0

Encoder = Callable[[int], Words]
RegisterMap = Mapping[int, Encoder]
"""First address on the wire → the words at a time [ms since 1970-01-01 UTC]."""


def float32(value: float) -> Words:
    """Return an IEEE 754 single as two words, high word first."""
    return struct.unpack(">2H", struct.pack(">f", value))


def float64(value: float) -> Words:
    """Return an IEEE 754 double as four words, high word first."""
    return struct.unpack(">4H", struct.pack(">d", value))


def integer(value: int, words: int) -> Words:
    """Return an integer cut to `words` words, high word first, negative as two's complement."""
    return tuple(value >> 16 * place & 0xFFFF for place in reversed(range(words)))


def schneider_pm5xxx(source: Source, circuit: Electrical) -> RegisterMap:
    """Return the map of a PM5xxx: int64 Wh at 3203, float32 gauges (power in kW)."""

    def kw(share: float) -> Encoder:
        return lambda t: float32(source.power_w(t) * share / 1000)

    def amps(time_ms: int) -> Words:
        return float32(circuit.phase_a(time_ms, source.power_w(time_ms)))

    def volts(time_ms: int) -> Words:
        return float32(circuit.phase_v(time_ms))

    reactive_share = circuit.reactive_var(1.0)
    return {
        2699: lambda t: float32(source.count(t) / 1000),
        2701: lambda _: float32(0),
        2999: amps,
        3001: amps,
        3003: amps,
        3027: volts,
        3029: volts,
        3031: volts,
        3053: kw(1 / 3),
        3055: kw(1 / 3),
        3057: kw(1 / 3),
        3059: kw(1),
        3067: kw(reactive_share),
        3109: lambda _: float32(GRID_HZ),
        3203: lambda t: integer(source.count(t), 4),
        3207: lambda _: integer(0, 4),
        3219: lambda t: integer(int(source.count(t) * reactive_share), 4),
        3223: lambda _: integer(0, 4),
    }


def abb_b23(source: Source, circuit: Electrical) -> RegisterMap:
    """Return the map of an ABB B23: uint64 of 10 Wh at 0x5000, scaled integers for the gauges."""

    def amps(time_ms: int) -> Words:
        return integer(round(circuit.phase_a(time_ms, source.power_w(time_ms)) * 100), 2)

    def volts(time_ms: int) -> Words:
        return integer(round(circuit.phase_v(time_ms) * 10), 2)

    return {
        0x5000: lambda t: integer(source.count(t), 4),
        0x5004: lambda _: integer(0, 4),
        0x5B00: volts,
        0x5B02: volts,
        0x5B04: volts,
        0x5B0C: amps,
        0x5B0E: amps,
        0x5B10: amps,
        0x5B14: lambda t: integer(source.power_w(t) * 100, 2),
        0x5B16: lambda t: integer(source.power_w(t) * 100 // 3, 2),
        0x5B2C: lambda _: integer(round(GRID_HZ * 100), 1),
        0x5B3A: lambda _: integer(round(circuit.power_factor * 1000), 1),
    }


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


def siemens_pac3200(source: Source, tariffs: Tariffs, circuit: Electrical) -> RegisterMap:
    """Return the map of a PAC3200: float64 Wh per tariff at 801 and 805, float32 gauges (power in W)."""

    def power(share: float) -> Encoder:
        return lambda t: float32(source.power_w(t) * share)

    def amps(time_ms: int) -> Words:
        return float32(circuit.phase_a(time_ms, source.power_w(time_ms)))

    def volts(time_ms: int) -> Words:
        return float32(circuit.phase_v(time_ms))

    reactive_share = circuit.reactive_var(1.0)
    return {
        1: volts,
        3: volts,
        5: volts,
        13: amps,
        15: amps,
        17: amps,
        25: power(1 / 3),
        27: power(1 / 3),
        29: power(1 / 3),
        31: power(reactive_share / 3),
        63: power(1 / circuit.power_factor),
        65: power(1),
        67: power(reactive_share),
        69: lambda _: float32(circuit.power_factor),
        801: lambda t: float64(tariffs.day(t)),
        805: lambda t: float64(tariffs.night(t)),
        809: lambda _: float64(0),
        813: lambda _: float64(0),
        817: lambda t: float64(int(tariffs.day(t) * reactive_share)),
    }
