"""What the judgement must know of a point, in the register's own counts (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import inf

from agent.points import point_id
from config.agent import Device
from config.profile import Measure, fits
from core.metering.quantities import Kind, Quantity, Unit

TOLERANCE = Fraction(6, 5)
"""How far beyond full scale a reading may be before it is set aside [1]."""

_LEAST_SHARE = Fraction(1, 50)
_LEAST_KW = Fraction(1, 10)
_POWERS = (Quantity.ACTIVE_POWER, Quantity.DC_POWER)
_IMPORTS = (Quantity.ACTIVE_ENERGY_IMPORT, Quantity.DC_ENERGY)


@dataclass(frozen=True, slots=True)
class CounterRule:
    """A counter.

    Parameters
    ----------
    most_per_ms
        Fastest plausible rise [counts/ms]; infinite where full scale is not known.
    resolution
        Smallest step [counts].
    wrap_at
        Where it starts again from 0 [counts], or None.
    volatile
        Whether it restarts at 0 when the meter loses power.
    warmup_ms
        How long after the meter's start its zeros mean nothing [ms].
    flow
        1 where it counts what positive power brings, -1 for negative power, 0 for anything else.
    kwh
        What a count is worth [kWh]; 0 where `flow` is 0.
    digest
        Changes whenever a count means something else.
    """

    most_per_ms: float = inf
    resolution: float = 1
    wrap_at: int | None = None
    volatile: bool = False
    warmup_ms: int = 0
    flow: int = 0
    kwh: float = 0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class PowerRule:
    """An active power: `most` is the largest plausible [counts], `least_kw` what counts as a load [kW]."""

    most: float = inf
    kw: float = 1
    least_kw: float = 0.1
    total: bool = True


Rule = CounterRule | PowerRule


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
