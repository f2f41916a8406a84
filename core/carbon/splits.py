"""Energy of a gap over an interval's end: how much of it fell to either side, and by which rule."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import floor
from typing import Final
from zoneinfo import ZoneInfo

from core.carbon.figures import Json
from core.metering.boundaries import Boundary, Method
from core.metering.energy import IntervalEnergy
from core.metering.installations import Installation
from core.timeline import format_local

LINEAR: Final = "linear in time"


def splits(energy: IntervalEnergy | None, tz: ZoneInfo) -> list[Json]:
    """Return what lay over the two ends of an interval and was split there.

    That is the energy between two readings more than 30 minutes apart, what is known to have gone through a
    cut of the register, and an energy from elsewhere of a longer interval.

    Parameters
    ----------
    energy
        None where no register was ever read.
    tz
        Time zone that times are written in.

    Returns
    -------
    list
        For each end that lies in such a gap: the instant, from when to when it lasts, the rule, and its
        energy as a whole, before the instant and after it [Wh].
    """
    return [] if energy is None or energy.wh is None else list(_splits(energy, tz))


def _splits(energy: IntervalEnergy, tz: ZoneInfo) -> Iterator[Json]:
    for mark, installed in (
        (energy.start, energy.installations[:1]),
        (energy.end, energy.installations[-1:]),
    ):
        at_ms = mark.time_ms
        for each in energy.values:
            value = each.value
            if value.interval.start_ms < at_ms < value.interval.end_ms:
                rule = f"{value.method or value.origin.value}, {LINEAR}"
                yield _shared(rule, at_ms, value.whole, tz)
        for gap in energy.gaps:
            if gap.start_ms < at_ms < gap.end_ms and mark.method is Method.INTERPOLATED:
                yield _shared(LINEAR, at_ms, gap.whole, tz)
        if installed and _in_bracket(mark):
            yield _bracket(mark, *installed, resolution=energy.resolution, tz=tz)


def _in_bracket(mark: Boundary) -> bool:
    known = None not in (mark.before, mark.after, mark.lower, mark.upper, mark.accumulated)
    return known and mark.lower != mark.upper and not mark.close


def _bracket(mark: Boundary, installed: Installation, *, resolution: Fraction, tz: ZoneInfo) -> Json:
    assert mark.before is not None and mark.after is not None  # it lies between them
    assert mark.lower is not None and mark.upper is not None and mark.accumulated is not None
    worth = installed.multiplier * resolution
    wh, wh_before = (floor((each - mark.lower) * worth) for each in (mark.upper, mark.accumulated))
    return _split(LINEAR, mark.time_ms, mark.before.time_ms, mark.after.time_ms, wh, wh_before, tz)


def _shared(rule: str, at_ms: int, whole: tuple[int, int, int], tz: ZoneInfo) -> Json:
    wh, start_ms, end_ms = whole
    wh_before = wh * (at_ms - start_ms) // (end_ms - start_ms)
    return _split(rule, at_ms, start_ms, end_ms, wh, wh_before, tz)


def _split(rule: str, at_ms: int, start_ms: int, end_ms: int, wh: int, wh_before: int, tz: ZoneInfo) -> Json:
    return {
        "at": format_local(at_ms, tz),
        "from": format_local(start_ms, tz),
        "to": format_local(end_ms, tz),
        "rule": rule,
        "wh": wh,
        "wh_before": wh_before,
        "wh_after": wh - wh_before,
    }
