"""The energy of a meter times a factor, such as losses, with each register still rounded once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction

from core.metering.boundaries import Boundary
from core.metering.installations import Installation
from core.metering.sources import IntervalValue


def scaled(installations: Iterable[Installation], factor: Fraction) -> tuple[Installation, ...]:
    """Return installations under which each count is worth `factor` times as much [1], above 0.

    Full scale grows with it: how fast the register can rise stays as it is.
    """
    if factor == 1:
        return tuple(installations)
    return tuple(
        replace(
            each,
            wh_per_count=each.wh_per_count * factor,
            full_scale_kw=None if each.full_scale_kw is None else each.full_scale_kw * factor,
        )
        for each in installations
    )


def scaled_values(values: Iterable[IntervalValue], factor: Fraction) -> tuple[IntervalValue, ...]:
    """Return energies from elsewhere times a factor [1], each rounded down to whole Wh."""
    if factor == 1:
        return tuple(values)
    return tuple(replace(each, wh=each.wh * factor.numerator // factor.denominator) for each in values)


def scaled_boundaries(boundaries: Mapping[int, Boundary], factor: Fraction) -> Mapping[int, Boundary]:
    """Return registers whose energy beyond their readings is multiplied with a factor [1]."""
    if factor == 1:
        return boundaries
    return {
        time_ms: replace(each, wh_beyond=each.wh_beyond * factor.numerator // factor.denominator)
        for time_ms, each in boundaries.items()
    }
