"""A register that stood still for longer than a day is told of, once."""

from __future__ import annotations

from fractions import Fraction

from core.metering.counters import EventKind, build_counter, counter_spec
from core.metering.energy import energy
from core.metering.installations import Installation, Side
from core.metering.readings import Reading
from core.timeline import Interval

HOUR_MS = 3_600_000
POINT = "AOB-RCV-01.active_energy_import"
INSTALLED = Installation(POINT, 0, None, "SYN-1", Fraction(1), Fraction(1), Side.PRIMARY, Fraction(1))


def told(still_from: int, still_to: int, hours: int = 100) -> list[tuple[int, str]]:
    """Return hour and evidence of each standstill of a register that is read hourly and rises otherwise."""
    counts = [
        hour if hour < still_from else max(still_from, hour - still_to + still_from) for hour in range(hours)
    ]
    readings = [Reading(POINT, hour * HOUR_MS, count) for hour, count in enumerate(counts)]
    counter = build_counter(readings, counter_spec(POINT, [INSTALLED]))
    found = energy(counter, [INSTALLED], Interval(0, (hours - 1) * HOUR_MS)).events
    assert {event.kind for event in found} <= {EventKind.STOOD_STILL}
    return [(event.time_ms // HOUR_MS, event.evidence) for event in found]


def test_a_standstill_is_told_once() -> None:
    assert told(10, 50) == [(10, "10 for 40 h, by its step less than 1 W")]


def test_a_night_is_no_standstill() -> None:
    assert told(10, 35) == []
