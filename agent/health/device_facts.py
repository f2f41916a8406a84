"""How one device fares: its state, its register and power, and its points that are not good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from agent.board import DeviceState
from agent.health.facts import DeviceFacts, Fault, PointFacts
from agent.modbus.device import ModbusDevice
from agent.points import point_id
from agent.readings import Scan, Shape, Source, Value
from config.agent import AgentConfig, Device
from config.profile import Measure, ProfilePoint
from core.delivery.payload import BAD
from core.metering.quantities import Kind, Quantity, Unit

_BAD_POINTS = 20
_ENERGY = (Quantity.ACTIVE_ENERGY_IMPORT, Quantity.DC_ENERGY)
_POWER = (Quantity.ACTIVE_POWER, Quantity.DC_POWER)


@dataclass(frozen=True, slots=True)
class _Main:
    """A device's main register or power: its point, what a count is worth, and where it wraps."""

    point: str
    worth: float
    wrap_at: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What does not change of a device; `ratio` is what CT and VT multiply by at the secondary side [1]."""

    device: Device
    where: str
    bus: str
    unit: int | None
    ratio: float
    full_scale_kw: float | None
    points: int
    units: Mapping[str, tuple[str, float]]
    energy: _Main | None
    power: _Main | None
    has_counter: bool
    volatile: bool


def device_facts(known: Known, state: DeviceState | None, source: Source) -> DeviceFacts:
    """Return how a device fares.

    Parameters
    ----------
    known
        What does not change of it.
    state
        What the board shows; None before it was asked.
    source
        What it is read from.
    """
    device = known.device
    shown = state or DeviceState(device.id, known.where, source.bus)
    round_trip_ms = None
    if isinstance(source, ModbusDevice) and known.unit is not None:
        round_trip_ms = source.stats.round_trip_ms(known.unit)
    power, _ = _value(shown, known.power)
    register, midnight = _value(shown, known.energy)
    bad = tuple(_bad_points(shown, known.units))
    return DeviceFacts(
        id=device.id,
        where=shown.where,
        bus=known.bus,
        unit=known.unit,
        state=shown.state,
        silent_since_ms=shown.silent_since_ms,
        last_ok_ms=shown.last_ok_ms,
        next_try_ms=shown.next_try_ms,
        tries=shown.tries,
        fault=Fault.of(shown.fault) if shown.fault is not None else None,
        serial_number=shown.identity.serial_number if shown.identity is not None else "",
        points_good=0 if shown.state == "silent" else _read(shown) - len(bad),
        points_all=known.points,
        has_counter=known.has_counter,
        volatile=known.volatile,
        power_kw=_times(power, known.power, known.ratio),
        full_scale_kw=known.full_scale_kw,
        register_kwh=_times(register, known.energy, 1),
        today_kwh=_times(_risen(register, midnight, known.energy), known.energy, known.ratio),
        round_trip_ms=round_trip_ms,
        points=bad[:_BAD_POINTS],
    )


def known_of(config: AgentConfig, device: Device) -> Known:
    """Return what does not change of a device."""
    measures = device.measures()
    ratio = device.ct.factor * device.vt.factor if device.side == "secondary" else Fraction(1)
    full_scale = device.limit_kw()
    return Known(
        device=device,
        where=config.where(device),
        bus=config.link(device).name if device.modbus is not None else config.where(device),
        unit=device.modbus.unit if device.modbus is not None else None,
        ratio=float(ratio),
        full_scale_kw=None if full_scale is None else float(full_scale),
        points=len(measures),
        units={
            point_id(device, name): (measure.unit.value, float(measure.scale))
            for name, measure in measures.items()
        },
        energy=_main(device, measures, _ENERGY, Unit.KWH),
        power=_main(device, measures, _POWER, Unit.KW),
        has_counter=any(measure.quantity.kind is Kind.COUNTER for measure in measures.values()),
        volatile=any(isinstance(one, ProfilePoint) and one.volatile for one in measures.values()),
    )


def _main(
    device: Device, measures: Mapping[str, Measure], wanted: tuple[Quantity, ...], unit: Unit
) -> _Main | None:
    """The whole of a quantity is the point of its name; one phase stands for it only where it is alone."""
    for quantity in wanted:
        named = [name for name, measure in measures.items() if measure.quantity is quantity]
        if quantity.value in named or len(named) == 1:
            name = quantity.value if quantity.value in named else named[0]
            measure = measures[name]
            worth = measure.scale * measure.unit.factor_to(unit)
            return _Main(point_id(device, name), float(worth), measure.wrap_at)
    return None


def _place(shape: Shape, point: str) -> int | None:
    return shape.points.index(point) if point in shape.points else None


def _value(shown: DeviceState, main: _Main | None) -> tuple[Value, Value]:
    """The value of a point, and the first of the site's day [counts]; None where it is not good."""
    for block in shown.blocks.values() if main is not None else ():
        assert main is not None
        at = _place(block.last.shape, main.point)
        if at is not None:
            good = not _is_bad(block.last, at)
            first = block.first_of_day
            return block.last.values[at] if good else None, None if _is_bad(first, at) else first.values[at]
    return None, None


def _risen(value: Value, midnight: Value, main: _Main | None) -> Value:
    """How far a register has risen today [counts]; None where it has not."""
    if value is None or midnight is None or main is None:
        return None
    rise = float(value) - float(midnight)
    if rise < 0 and main.wrap_at is not None:
        rise += main.wrap_at
    return None if rise < 0 else rise


def _times(value: Value, main: _Main | None, ratio: float) -> float | None:
    return None if value is None or main is None else float(value) * main.worth * ratio


def _is_bad(scan: Scan, at: int) -> bool:
    return scan.values[at] is None or (scan.qualities is not None and scan.qualities[at] == BAD)


def _read(shown: DeviceState) -> int:
    return sum(len(block.last.values) for block in shown.blocks.values())


def _bad_points(shown: DeviceState, units: Mapping[str, tuple[str, float]]) -> list[PointFacts]:
    """The points that are not good, with what they show and why they are not."""
    found: list[PointFacts] = []
    for block in shown.blocks.values():
        last = block.last
        if not shown.reasons and last.qualities is None and None not in last.values:
            continue
        for at, (point, value) in enumerate(zip(last.shape.points, last.values, strict=True)):
            if not _is_bad(last, at) and point not in shown.reasons:
                continue
            unit, scale = units.get(point, ("", 1.0))
            found.append(
                PointFacts(
                    point=point,
                    unit=unit,
                    value=None if value is None else float(value) * scale,
                    time_ms=last.time_ms,
                    good=False,
                    reason=shown.reasons.get(point, "no value" if value is None else ""),
                )
            )
    return found
