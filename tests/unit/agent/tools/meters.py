"""A meter that is told what flows, laid out as a profile says; it shares no code with the agent's decoder."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from config.profile import ByteOrder, Profile, ProfilePoint, ValueType, WordOrder
from core.metering.quantities import Kind, Quantity, Unit


@dataclass(frozen=True)
class Flow:
    """What flows through a three-phase circuit, on the meter's side."""

    line_v: float = 6600.0
    amperes: float = 23.8
    cosine: float = 0.91
    energy_kwh: float = 8_412_337.1
    hertz: float = 50.02

    @property
    def watts(self) -> float:
        return math.sqrt(3) * self.line_v * self.amperes * self.cosine

    def after(self, seconds: float) -> Flow:
        counted = max(self.watts, 0.0) * seconds / 3_600_000
        return replace(self, energy_kwh=self.energy_kwh + counted)

    def value(self, name: str, quantity: Quantity) -> float:
        """Return a point's value in the quantity's base unit."""
        share = 3 if name.endswith(("_l1", "_l2", "_l3")) else 1
        apparent = math.sqrt(3) * self.line_v * self.amperes
        reactive = math.sqrt(max(apparent**2 - self.watts**2, 0))
        unit = quantity.unit
        if quantity is Quantity.FREQUENCY:
            return self.hertz
        if quantity is Quantity.POWER_FACTOR:
            return self.cosine if self.amperes else 1.0
        if quantity in (Quantity.ACTIVE_ENERGY_IMPORT, Quantity.DC_ENERGY):
            return self.energy_kwh * 1000
        if quantity.kind is Kind.COUNTER:
            return (
                self.energy_kwh * 210 if "import" in quantity.value or "apparent" in quantity.value else 0.0
            )
        if quantity is Quantity.DC_CURRENT:
            return self.watts / (self.line_v * 0.082)
        if quantity is Quantity.TEMPERATURE:
            return 31.0
        return {
            Unit.W: self.watts / share,
            Unit.VAR: reactive / share,
            Unit.VA: apparent / share,
            Unit.A: self.amperes,
            Unit.V: self.line_v
            / (math.sqrt(3) if quantity.value.endswith("n") else 1.0)
            * (0.082 if quantity is Quantity.DC_VOLTAGE else 1.0),
        }.get(unit, 0.0)


def encoded(value: float | Fraction, kind: ValueType, order: WordOrder, byte_order: ByteOrder) -> list[int]:
    """Return a count as the words that a device sends."""
    words = kind.words
    if kind.is_float:
        data = struct.pack(">f" if words == 2 else ">d", float(value))
    elif kind.value.startswith("bcd"):
        data = bytes.fromhex(f"{round(value):0{4 * words}d}")
    elif kind.value.startswith("mod10k"):
        count = round(value)
        data = b"".join(struct.pack(">H", count // 10_000**at % 10_000) for at in range(words - 1, -1, -1))
    else:
        low, high = kind.limits
        count = min(max(round(value), low), high)  # as a register does that overflows
        data = count.to_bytes(2 * words, "big", signed=not kind.value.startswith("u"))
    found = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
    if byte_order is ByteOrder.LITTLE:
        found = [(word & 0xFF) << 8 | word >> 8 for word in found]
    return found if order is WordOrder.MSW_FIRST else found[::-1]


def _laid(point: ProfilePoint, base: float, orders: tuple[WordOrder, ByteOrder]) -> Iterable[tuple[int, int]]:
    in_unit = base / float(point.unit.factor_to(point.quantity.unit))
    count = Fraction(in_unit) / point.scale
    if point.scale_register is not None:
        low, high = point.scale_register.exponents
        power = low
        while abs(count) / Fraction(10) ** (power - low) > 20_000 and power < high:
            power += 1
        yield point.scale_register.address, power & 0xFFFF
        count /= Fraction(10) ** (power - low)
    rest = count
    places = sorted(point.places, key=lambda place: -place.weight)
    for at, place in enumerate(places):
        last = at == len(places) - 1
        same = all(other.weight == place.weight for other in places)
        part = rest if last else (count / 3 if same else rest // place.weight * 1)
        if not place.type.is_float:
            part = Fraction(int(part) if not last else round(part / place.weight))
        rest -= part * place.weight
        yield from enumerate(encoded(part, place.type, *orders), place.address)


def meter(
    profile: Profile,
    flow: Flow,
    *,
    points: Iterable[str] | None = None,
    without: Iterable[str] = (),
    times: Mapping[str, float] | None = None,
) -> dict[tuple[int, int], int]:
    """Return a meter's registers: function and address → word; values may be given times something."""
    words: dict[tuple[int, int], int] = {}
    for name, point in profile.points.items():
        if (points is None or name in points) and name not in without:
            base = flow.value(name, point.quantity) * (times or {}).get(name, 1.0)
            function = profile.function_of(point)
            for address, word in _laid(point, base, profile.point_order(point)):
                if function in (1, 2) or point.bit is not None:
                    word = 0
                words[function, address] = word
    return words
