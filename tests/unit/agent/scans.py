"""Scans made of single readings, for tests that care for readings and not for blocks."""

from __future__ import annotations

from collections.abc import Iterable

from agent.readings import Scan, Shape
from core.delivery.payload import TakenReading


def scans(readings: Iterable[TakenReading]) -> list[Scan]:
    """One scan for each reading."""
    shapes: dict[str, Shape] = {}
    return [
        Scan(
            shapes.setdefault(reading.point, Shape((reading.point,), (False,))),
            reading.time_ms,
            (reading.count,),
            [reading.quality],
        )
        for reading in readings
    ]
