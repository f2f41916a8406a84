"""What every electricity figure rests on: boundary registers and installations."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from core.carbon.figures import Json, optional_text
from core.carbon.rounding import exact_text
from core.metering.boundaries import Boundary, RegisterReading
from core.metering.energy import IntervalEnergy, Origin, ValuePart
from core.metering.gaps import Gap
from core.metering.installations import Installation
from core.metering.readings import Count
from core.timeline import format_local


def register_facts(energy: IntervalEnergy | None, half_hours: int, tz: ZoneInfo) -> dict[str, Json]:
    """Return what proves an energy.

    Parameters
    ----------
    energy
        `None` where no register of the point was ever read.
    half_hours
        How many half-hours the month has [1].
    tz
        Time zone that times are written in.
    """
    if energy is None:
        return {
            "wh": None,
            "origin": Origin.MISSING.value,
            "unproven_wh": None,
            "half_hours": {"covered": 0, "expected": half_hours},
            "resolution": None,
            "boundaries": [],
            "changes": [],
            "gaps": [],
            "values": [],
            "events": [],
            "installations": [],
        }
    return {
        "wh": energy.wh,
        "origin": energy.origin.value,
        "unproven_wh": energy.unproven_wh,
        "half_hours": {"covered": energy.half_hours_covered, "expected": energy.half_hours},
        "resolution": exact_text(energy.resolution),
        "boundaries": [_boundary(energy.start, tz), _boundary(energy.end, tz)],
        "changes": [_boundary(change, tz) for change in energy.changes],
        "gaps": [_gap(gap, tz) for gap in energy.gaps],
        "values": [_value(part, tz) for part in energy.values],
        "events": [
            {
                "kind": event.kind.value,
                "time": format_local(event.time_ms, tz),
                "time_ms": event.time_ms,
                "evidence": event.evidence,
                "explanation": event.kind.explanation,
            }
            for event in energy.events
        ],
        "installations": [_installation(installation, tz) for installation in energy.installations],
    }


def lacks(energy: IntervalEnergy | None, tz: ZoneInfo) -> str:
    """Return in words why an energy has no value."""
    if energy is None:
        return "no reading of its register"
    return ", ".join(f"{each.lack} {format_local(each.time_ms, tz)}" for each in energy.missing)


def newest_ms(energies: Iterable[IntervalEnergy]) -> int | None:
    """Return the time of the newest register that some energies rest on [ms since 1970 UTC]."""
    sides = (
        side
        for energy in energies
        for end in (energy.start, *energy.changes, energy.end)
        for side in (end.before, end.after)
    )
    return max((side.time_ms for side in sides if side is not None), default=None)


def _boundary(boundary: Boundary, tz: ZoneInfo) -> dict[str, Json]:
    return {
        "time": format_local(boundary.time_ms, tz),
        "time_ms": boundary.time_ms,
        "method": boundary.method.value,
        "count": boundary.count,
        "accumulated": boundary.accumulated,
        "lower": boundary.lower,
        "upper": boundary.upper,
        "wh_beyond": boundary.wh_beyond,
        "before": _side(boundary.before, tz),
        "after": _side(boundary.after, tz),
    }


def _side(side: RegisterReading | None, tz: ZoneInfo) -> dict[str, Json] | None:
    if side is None:
        return None
    return {
        "time": format_local(side.time_ms, tz),
        "time_ms": side.time_ms,
        "count": _count(side.count),
        "quality": side.quality.name.lower(),
    }


def _gap(gap: Gap, tz: ZoneInfo) -> dict[str, Json]:
    return {
        "kind": gap.kind.value,
        "from": format_local(gap.start_ms, tz),
        "to": format_local(gap.end_ms, tz),
        "least_wh": exact_text(gap.least),
        "most_wh": optional_text(gap.most),
    }


def _value(part: ValuePart, tz: ZoneInfo) -> dict[str, Json]:
    value = part.value
    return {
        "from": format_local(part.interval.start_ms, tz),
        "to": format_local(part.interval.end_ms, tz),
        "wh": part.wh,
        "of_wh": value.wh,
        "of_from": format_local(value.interval.start_ms, tz),
        "of_to": format_local(value.interval.end_ms, tz),
        "origin": value.origin.value,
        "method": value.method,
        "document": value.document,
        "sha256": value.sha256,
        "reader": value.reader,
        "note": value.note,
    }


def _count(count: Count) -> int | str:
    """Return a whole count as a number, another as decimal text: a statement has no floats."""
    return count if isinstance(count, int) else f"{count:f}"


def _installation(installation: Installation, tz: ZoneInfo) -> dict[str, Json]:
    until = installation.calibration_until
    return {
        "from": format_local(installation.start_ms, tz),
        "serial": installation.serial,
        "ct": installation.ct_text,
        "vt": installation.vt_text,
        "side": installation.side.value,
        "profile": installation.profile,
        "accuracy_class": installation.accuracy_class,
        "full_scale_kw": optional_text(installation.full_scale_kw),
        "calibration_until": None if until is None else until.isoformat(),
        "wh_per_count": exact_text(installation.wh_per_count),
        "multiplier_wh": exact_text(installation.multiplier),
        "resolution": exact_text(installation.resolution),
        "wrap_at": installation.wrap_at,
        "opening": None if installation.opening is None else _count(installation.opening),
        "closing": None if installation.closing is None else _count(installation.closing),
        "evidence": installation.evidence,
    }
