"""What a meter can see at most, and what contradicts it: transformers, full scale, wrap time."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from config.profile import Measure, fits
from config.strict import DIRECT, Loc, Problem, Ratio
from core.carbon.rounding import exact_text
from core.metering.quantities import Quantity, Unit

_PREFERRED: Final = frozenset(
    map(Fraction, ("1", "1.2", "1.25", "1.5", "1.6", "2", "2.5", "3", "4", "5", "6", "7.5", "8"))
)
"""Leading digits of the primary currents that are made (IEC 61869-2, JIS C 1731-1)."""


def rated_kw(ct: Ratio, vt: Ratio) -> Fraction | None:
    """Return the most power that CT and VT show [kW], 1.2 × √3 × VT × CT; None where one is missing."""
    if DIRECT in (ct, vt):
        return None
    return ct.primary * vt.primary * Fraction(2079, 1000) / 1000


def wrap_problem(
    loc: Loc, name: str, point: Measure, *, limit_kw: Fraction, ratios: Fraction, every_s: float
) -> Iterator[Problem]:
    """Yield a counter that can wrap unseen.

    Parameters
    ----------
    loc
        The device.
    name, point
        The counter.
    limit_kw
        Most power that the meter can see [kW].
    ratios
        What Seiren multiplies by, CT × VT [1].
    every_s
        Polling period [s].
    """
    if point.wrap_at is None or not fits(point.unit, Quantity.ACTIVE_ENERGY_IMPORT):
        return
    kwh = point.wrap_at * point.scale * point.unit.factor_to(Unit.KWH) * ratios
    wrap_s = float(kwh / limit_kw * 3600)
    if every_s > wrap_s / 2:
        yield Problem(
            loc,
            f"{name} can wrap unseen: half its wrap time is shorter than the polling period.",
            evidence=f"read every {every_s:g} s; wraps every {wrap_s:.0f} s at {float(limit_kw):,.0f} kW",
            next="read more often (registers.every_s), or use a wider register",
        )


def rating_warnings(loc: Loc, ct: Ratio, vt: Ratio, full_scale_kw: Fraction | None) -> Iterator[Problem]:
    """Yield transformers as nobody makes them, and a full scale that they contradict."""
    for key, ratio in (("ct", ct), ("vt", vt)):
        if ratio != DIRECT and ratio.factor == 1:
            yield Problem(
                (*loc, key),
                "This transformer transforms nothing.",
                evidence=f"{exact_text(ratio.primary)}/{exact_text(ratio.secondary)}",
                cause="a meter in the conductor itself has no transformer",
                next=f"remove {key}, or read the nameplate again",
            )
    digits = ct.primary
    while digits >= 10:
        digits /= 10
    if ct != DIRECT and digits not in _PREFERRED:
        yield Problem(
            (*loc, "ct"),
            "No current transformer is made with this primary current.",
            evidence=f"{exact_text(ct.primary)} A",
            cause="a slip of the pen, or the breaker's rating",
            next="read the CT's nameplate again",
        )
    rated = rated_kw(ct, vt)
    if full_scale_kw is None or rated is None:
        return
    share = full_scale_kw / rated
    if share > 2 or share < Fraction(1, 100):
        yield Problem(
            (*loc, "full_scale_kw"),
            "The full scale does not fit the transformers.",
            evidence=f"{exact_text(full_scale_kw)} kW; CT and VT show up to {float(rated):,.0f} kW",
            cause="W or MW in the place of kW" if share > 100 or share < 1 else "another circuit's value",
            next="write the most power that the circuit can carry [kW]",
        )
