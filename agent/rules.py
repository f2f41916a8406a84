"""What the judgement must know of a point, in the register's own counts (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf

TOLERANCE = Fraction(6, 5)
"""How far beyond full scale a reading may be before it is set aside [1]."""


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
