"""Geometry of the drawings, in pixels; templates draw it as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

_LABEL = 52.0
_REACH = 46.0


@dataclass(frozen=True, slots=True)
class VarianceBar:
    """A difference to target as a bar left (under) or right (over) of zero.

    Attributes
    ----------
    width, zero
        Width of the drawing and place of the target's line [px].
    start, length
        The bar [px]; its end away from zero carries the label.
    label, anchor
        Place [px] and ``text-anchor`` of the label.
    """

    width: float
    zero: float
    start: float
    length: float
    label: float
    anchor: str


def variance_bar(percent: Fraction, scale_percent: Fraction) -> VarianceBar:
    """Lay out a difference of `percent` [%] on a scale that reaches to ±`scale_percent` [%]."""
    zero = _LABEL + _REACH
    length = round(float(abs(percent) / scale_percent) * _REACH, 1)
    if percent < 0:
        return VarianceBar(2 * zero, zero, zero - length, length, zero - length - 5, "end")
    return VarianceBar(2 * zero, zero, zero, length, zero + length + 5, "start")


def variance_scale(*percents: Fraction) -> Fraction:
    """Return the reach of one scale for all rows [%]; small differences are not blown up beyond 2 %."""
    return max(Fraction(2), *map(abs, percents))


@dataclass(frozen=True, slots=True)
class Bracket:
    """A boundary between two readings, drawn to scale: time runs from left to right.

    Attributes
    ----------
    width
        Width of the drawing [px].
    before, boundary, after
        Places on the time axis [px]; None where there is no reading.
    label
        Place of the boundary's label [px], kept inside the drawing.
    """

    width: float
    before: float | None
    boundary: float
    after: float | None
    label: float


def bracket(time_ms: int, before_ms: int | None, after_ms: int | None, width: float = 276) -> Bracket:
    """Lay out a boundary and the readings around it; the two readings lie at the ends of the line."""
    margin = 14.0
    first, last = margin, width - margin
    if before_ms is None or after_ms is None or before_ms == after_ms:
        middle = width / 2
        exact = before_ms == after_ms is not None
        return Bracket(
            width,
            middle if exact else None if before_ms is None else first,
            middle,
            middle if exact else None if after_ms is None else last,
            middle,
        )
    place = round(first + (last - first) * (time_ms - before_ms) / (after_ms - before_ms), 1)
    return Bracket(width, first, place, last, min(max(place, 34.0), width - 34.0))


@dataclass(frozen=True, slots=True)
class DayBar:
    """One day's energy; `height` is 0 where it is missing [px]."""

    day: int
    x: float
    width: float
    height: float
    least: bool


@dataclass(frozen=True, slots=True)
class DayBars:
    """The days of a month as bars from zero, all on one scale [px]."""

    width: float
    height: float
    bars: tuple[DayBar, ...]


def day_bars(values: Sequence[Fraction | None], width: float, height: float = 44) -> DayBars:
    """Lay out the energy of days in order; a missing day is a gap, not a bar of 0."""
    known = [value for value in values if value is not None]
    most, least = max(known, default=Fraction(0)), min(known, default=None)
    pitch = width / max(len(values), 1)
    bars = tuple(
        DayBar(
            day,
            round((day - 1) * pitch, 1),
            round(pitch - 1.5, 1),
            round(float(max(value, Fraction(0)) / most) * height, 1) if value is not None and most else 0.0,
            value is not None and value == least,
        )
        for day, value in enumerate(values, start=1)
    )
    return DayBars(width, height, bars)
