"""What values of one meter owe each other (pure): power and V x I, a sum and its phases, energy and power."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from agent.tools.figures import short
from core.metering.quantities import Quantity

NEAR: Final = 0.15
"""How far values read one after the other may differ, for the load moves between them [1]."""
_LOOSE: Final = 5.0
"""The same where only one phase is known [1]."""
_UNEVEN: Final = 2.0
"""How far voltages of phases may be apart; 1.73 times is a delta with its middle tapped [1]."""
_IDLE_VA: Final = 20.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A value at its instant.

    Attributes
    ----------
    value
        In the quantity's base unit, on the meter's side; None where there is none.
    step
        Smallest change that the register can show [base unit].
    """

    name: str
    quantity: Quantity
    value: float | None
    step: float = 0.0


@dataclass(frozen=True, slots=True)
class Relation:
    """A comparison of values.

    Attributes
    ----------
    kind
        ``phases``, ``vi``, ``frequency``; between two readings ``step``, ``still``, ``fell``, ``same``.
    names
        Points that it is made of.
    agrees
        Whether it holds; None where it says nothing, and `text` says why.
    text
        The comparison in numbers.
    ratio
        Left over right side [1]; 0 where there is none.
    """

    kind: str
    names: tuple[str, ...]
    agrees: bool | None
    text: str
    ratio: float = 0.0


def relations(seen: Mapping[str, Seen]) -> Iterator[Relation]:
    """Yield what holds, or does not, among values of one moment."""
    yield from _phases(seen)
    yield from _uneven(seen)
    yield from _without_voltage(seen)
    yield from _factors(seen)
    yield from _volt_amperes(seen)
    yield from _direct(seen)
    yield from _frequency(seen)


def whole(seen: Mapping[str, Seen], quantity: Quantity) -> Seen | None:
    """Return the point that is the whole of a quantity, as its name says, if it has a value."""
    found = seen.get(quantity.value)
    return found if found is not None and found.quantity is quantity and found.value is not None else None


def _by_phase(seen: Mapping[str, Seen], stem: str) -> list[Seen]:
    points = (seen.get(f"{stem}_l{phase}") for phase in (1, 2, 3))
    return [point for point in points if point is not None and point.value is not None]


def _values(points: list[Seen]) -> list[float]:
    return [point.value for point in points if point.value is not None]


def _phases(seen: Mapping[str, Seen]) -> Iterator[Relation]:
    for quantity in (Quantity.ACTIVE_POWER, Quantity.REACTIVE_POWER):
        total, phases = whole(seen, quantity), _by_phase(seen, quantity.value)
        if total is None or total.value is None or len(phases) < 3:
            continue
        values = _values(phases)
        size = sum(map(abs, values))
        if max(size, abs(total.value)) < _IDLE_VA:
            continue
        agrees = abs(abs(total.value) - abs(sum(values))) <= NEAR * size + 3 * total.step
        text = f"L1 + L2 + L3 = {kilo(sum(values))}, {total.name} {kilo(total.value)}"
        names = (total.name, *(phase.name for phase in phases))
        yield Relation("phases", names, agrees, text, abs(total.value) / max(abs(sum(values)), 1e-12))


def _uneven(seen: Mapping[str, Seen]) -> Iterator[Relation]:
    """Voltages of one grid are alike; a blown fuse or an open input may still be what is really there."""
    phases = [seen[name] for name in ("voltage_l1n", "voltage_l2n", "voltage_l3n") if name in seen]
    phases = [point for point in phases if point.value]
    values = [abs(value) for value in _values(phases)]
    if len(values) > 1 and max(values) > _UNEVEN * min(values):
        said = ", ".join(f"{point.name} {short(point.value or 0)} V" for point in phases)
        text = f"{said}: a fuse, an open input, or the address of another value"
        yield Relation("uneven", tuple(point.name for point in phases), None, text)


def kilo(watts: float, unit: str = "W") -> str:
    """Return a value in thousands of its base unit."""
    return f"{short(watts / 1000)} k{unit}"


def _without_voltage(seen: Mapping[str, Seen]) -> Iterator[Relation]:
    """No power flows where there is no voltage."""
    power = whole(seen, Quantity.ACTIVE_POWER)
    volts = [point for name, point in seen.items() if name.startswith("voltage") and point.value is not None]
    if power is None or not power.value or not volts or any(point.value for point in volts):
        return
    names = (power.name, *(point.name for point in volts))
    yield Relation("dead", names, False, f"no voltage, though {power.name} is {kilo(power.value)}")


def reckoned_power(seen: Mapping[str, Seen]) -> Seen | None:
    """Return the active power by its phases, or by S and the power factor, where it is not read itself."""
    quantity = Quantity.ACTIVE_POWER
    phases = _by_phase(seen, quantity.value)
    if len(phases) == 3:
        return Seen("L1 + L2 + L3", quantity, sum(_values(phases)))
    factor, apparent = whole(seen, Quantity.POWER_FACTOR), whole(seen, Quantity.APPARENT_POWER)
    if factor is None or apparent is None:
        return None
    return Seen("S x pf", quantity, (apparent.value or 0) * (factor.value or 0))


def _factors(seen: Mapping[str, Seen]) -> Iterator[Relation]:
    """The power factor is P over S."""
    factor, power, apparent = (
        whole(seen, quantity)
        for quantity in (Quantity.POWER_FACTOR, Quantity.ACTIVE_POWER, Quantity.APPARENT_POWER)
    )
    if factor is None or power is None or apparent is None:
        return
    if not factor.value or not power.value or not apparent.value or abs(apparent.value) < _IDLE_VA:
        return
    ratio = abs(power.value / apparent.value / factor.value)
    text = f"{power.name} / {apparent.name} = {short(abs(power.value / apparent.value))}, "
    names = (factor.name, power.name, apparent.name)
    agrees = True if abs(ratio - 1) <= NEAR else None  # some define it otherwise
    yield Relation("factor", names, agrees, f"{text}{factor.name} {short(factor.value)}", ratio)


def _volts(seen: Mapping[str, Seen]) -> tuple[list[Seen], float]:
    """Voltages, and the mean one between lines [V]."""
    lines = [seen[name] for name in ("voltage_l12", "voltage_l23", "voltage_l31") if name in seen]
    phases = [seen[name] for name in ("voltage_l1n", "voltage_l2n", "voltage_l3n") if name in seen]
    for points, factor in ((lines, 1.0), (phases, math.sqrt(3))):
        values = [value for value in _values([p for p in points if p.value is not None]) if value > 0]
        if values:
            return points, factor * sum(values) / len(values)
    return [], 0.0


def _volt_amperes(seen: Mapping[str, Seen]) -> Iterator[Relation]:
    """P ≈ √3 · V · I · pf: both ways where the power factor is known, else P never above V x I."""
    total = whole(seen, Quantity.ACTIVE_POWER)
    if total is None or total.value is None:
        return
    volts, line_v = _volts(seen)
    currents = _by_phase(seen, "current")
    if not line_v or not currents:
        return
    values = [abs(value) for value in _values(currents)]
    amperes = sum(values) / len(values)
    apparent = math.sqrt(3) * line_v * amperes
    factor, cosine = _power_factor(seen, total.value)
    power = abs(total.value)
    expected = apparent * (1.0 if cosine is None else cosine)
    if max(power, expected) < _IDLE_VA or (values and max(values) == 0 and power == 0):
        return
    margin = 1 + NEAR if len(values) == 3 else _LOOSE
    unknown = cosine is None
    too_much = power > expected * margin + 3 * total.step
    too_little = not unknown and power * margin + 3 * total.step < expected
    text = f"1.732 x {short(line_v / 1000)} kV x {short(amperes)} A"
    text += f" = {short(apparent / 1000)} kVA" if unknown else f" x pf {short(cosine or 0)}"
    if not unknown:
        text += f" = {short(expected / 1000)} kW"
    text += f", {total.name} {short(power / 1000)} kW"
    names = (
        total.name,
        *(point.name for point in (*volts, *currents)),
        *((factor.name,) if factor is not None else ()),
    )
    agrees: bool | None = not (too_much or too_little)
    if agrees and (unknown or len(values) < 3) and not 0.2 <= power / max(expected, 1e-9) <= 1 + NEAR:
        agrees = None  # allowed, but no support
    yield Relation("vi", names, agrees, text, power / max(expected, 1e-9))


def _power_factor(seen: Mapping[str, Seen], watts: float) -> tuple[Seen | None, float | None]:
    """The power factor as the meter says it, or as it follows from its other powers."""
    factor = whole(seen, Quantity.POWER_FACTOR)
    if factor is not None and factor.value is not None:
        return factor, min(abs(factor.value), 1.0)
    apparent, reactive = whole(seen, Quantity.APPARENT_POWER), whole(seen, Quantity.REACTIVE_POWER)
    if apparent is not None and apparent.value:
        return apparent, min(abs(watts / apparent.value), 1.0)
    if reactive is not None and reactive.value:
        return reactive, abs(watts) / math.hypot(watts, reactive.value)
    return None, None


def _direct(seen: Mapping[str, Seen]) -> Iterator[Relation]:
    power, volts, amperes = (
        whole(seen, quantity) for quantity in (Quantity.DC_POWER, Quantity.DC_VOLTAGE, Quantity.DC_CURRENT)
    )
    if power is None or volts is None or amperes is None:
        return
    if power.value is None or volts.value is None or amperes.value is None:
        return
    expected = abs(volts.value * amperes.value)
    if max(expected, abs(power.value)) < _IDLE_VA:
        return
    agrees = abs(abs(power.value) - expected) <= NEAR * expected + 3 * power.step
    text = (
        f"{short(volts.value)} V x {short(amperes.value)} A = {short(expected / 1000)} kW, "
        f"{power.name} {short(power.value / 1000)} kW"
    )
    names = (power.name, volts.name, amperes.name)
    yield Relation("vi", names, agrees, text, abs(power.value) / max(expected, 1e-9))


def _frequency(seen: Mapping[str, Seen]) -> Iterator[Relation]:
    point = whole(seen, Quantity.FREQUENCY)
    volts, line_v = _volts(seen)
    if point is not None and point.value == 0 and line_v > 40:
        names = (point.name, *(each.name for each in volts))
        yield Relation("frequency", names, False, f"0 Hz, though there are {short(line_v)} V")
