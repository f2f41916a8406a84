"""Which gauges of a scan are reported: those that moved, and each now and then (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.readings import Scan, Shape, Value
from core.delivery.payload import BAD, GOOD


@dataclass(slots=True)
class _Reported:
    """A gauge with a deadband [counts], and what was last reported of it."""

    band: float
    value: Value = None
    quality: int = -1
    time_ms: int = 0

    def moved(self, value: Value, quality: int) -> bool:
        if quality != self.quality:
            return True
        if value is None or self.value is None:
            return value is not self.value
        return abs(float(value) - float(self.value)) >= self.band


class Deadband:
    """Leaves out gauges that stay within their deadband of what was last reported.

    Parameters
    ----------
    bands
        Deadbands by point [counts]; points without one are always reported.
    at_least_every_ms
        Longest time without a report [ms].
    """

    def __init__(self, bands: Mapping[str, float], at_least_every_ms: int) -> None:
        self._gauges = {point: _Reported(band) for point, band in bands.items()}
        self._at_least_every_ms = at_least_every_ms
        self._shapes: dict[Shape, tuple[_Reported | None, ...]] = {}

    def select(self, scan: Scan) -> bool:
        """Leave out of a scan what need not be reported; tell whether anything is left."""
        gauges = self._shapes.get(scan.shape)
        if gauges is None:
            gauges = self._prepare(scan.shape)
        if not gauges:
            return True
        taken: list[int] = []
        values, qualities, time_ms = scan.values, scan.qualities, scan.time_ms
        for at, gauge in enumerate(gauges):
            if gauge is not None:
                value = values[at]
                quality = BAD if value is None else GOOD if qualities is None else qualities[at]
                if time_ms - gauge.time_ms < self._at_least_every_ms and not gauge.moved(value, quality):
                    continue
                gauge.value, gauge.quality, gauge.time_ms = value, quality, time_ms
            taken.append(at)
        scan.taken = taken
        return bool(taken)

    def _prepare(self, shape: Shape) -> tuple[_Reported | None, ...]:
        points = set(shape.points)
        for known in [known for known in self._shapes if not points.isdisjoint(known.points)]:
            del self._shapes[known]
        gauges = tuple(self._gauges.get(point) for point in shape.points)
        self._shapes[shape] = gauges if any(gauges) else ()
        return self._shapes[shape]
