"""From the configuration to the rules by which a device's readings are judged."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from fractions import Fraction
from math import inf

from agent.points import point_id
from agent.rules import TOLERANCE, CounterRule, PowerRule, Rule
from config.agent import Device
from config.profile import Measure, fits
from core.metering.quantities import Kind, Quantity, Unit

_LEAST_SHARE = Fraction(1, 50)
_LEAST_KW = Fraction(1, 10)
_POWERS = (Quantity.ACTIVE_POWER, Quantity.DC_POWER)
_IMPORTS = (Quantity.ACTIVE_ENERGY_IMPORT, Quantity.DC_ENERGY)


def device_rules(device: Device) -> dict[str, Rule]:
    """Return the rules of a device's points by point id; most gauges need none."""
    rules: dict[str, Rule] = {}
    ratio = device.ct.factor * device.vt.factor if device.side == "secondary" else Fraction(1)
    limit_kw = device.limit_kw()
    measures = device.measures()
    for name, measure in measures.items():
        if measure.quantity.kind is Kind.COUNTER:
            rules[point_id(device, name)] = _counter(measure, ratio, limit_kw)
        elif measure.quantity in _POWERS:
            rules[point_id(device, name)] = _power(name, measure, ratio, limit_kw, measures)
    return rules


def _counter(measure: Measure, ratio: Fraction, limit_kw: Fraction | None) -> CounterRule:
    most_per_ms, flow, kwh = inf, 0, 0.0
    if fits(measure.unit, Quantity.ACTIVE_ENERGY_IMPORT):
        each_kwh = measure.scale * measure.unit.factor_to(Unit.KWH) * ratio
        kwh = float(each_kwh)
        flow = 1 if measure.quantity in _IMPORTS else -1
        if limit_kw is not None:
            most_per_ms = float(limit_kw * TOLERANCE / each_kwh / 3_600_000)
    meaning = f"{measure.quantity} {measure.unit} {measure.scale} {measure.wrap_at} {most_per_ms}"
    return CounterRule(
        most_per_ms=most_per_ms,
        resolution=float(measure.resolution),
        wrap_at=measure.wrap_at,
        volatile=bool(getattr(measure, "volatile", False)),
        warmup_ms=round(1000 * getattr(measure, "warmup_s", 0)),
        flow=flow,
        kwh=kwh,
        digest=hashlib.sha256(meaning.encode()).hexdigest()[:16],
    )


def _power(
    name: str, measure: Measure, ratio: Fraction, limit_kw: Fraction | None, measures: Mapping[str, Measure]
) -> PowerRule:
    each_kw = measure.scale * measure.unit.factor_to(Unit.KW) * ratio
    most = inf if limit_kw is None else float(limit_kw * TOLERANCE / each_kw + measure.resolution)
    least_kw = _LEAST_KW if limit_kw is None else limit_kw * _LEAST_SHARE
    same = [other for other, each in measures.items() if each.quantity is measure.quantity]
    total = name == measure.quantity.value or len(same) == 1
    return PowerRule(most, float(each_kw), float(least_kw), total)
