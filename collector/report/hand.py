"""The month's CO2 once more, the way one does it with a pocket calculator.

It starts from what stands on paper (boundary registers, CT and VT, slips, published factors), not from
the statement's own sums, and works in decimals instead of rationals, so that a slip in the one is not
repeated in the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from typing import Any

from collector.report.sheet import Figure, Sheet
from core.metering.quantities import Unit

_TOLERANCE_T = Decimal("0.001")
"""Floors of registers to whole Wh stay below 1e-6 t each [t]."""


@dataclass(frozen=True, slots=True)
class HandCalculation:
    """CO2 by hand [t]: electricity, fuel, and whether the statement's total agrees."""

    electricity_t: Decimal
    fuel_t: Decimal
    agrees: bool

    @property
    def total_t(self) -> Decimal:
        return self.electricity_t + self.fuel_t


def by_hand(sheet: Sheet) -> HandCalculation | None:
    """Recompute a month's CO2 from its leaves; None where the statement has no sum."""
    total = sheet.total.value
    if total is None:
        return None
    with localcontext(Context(prec=28)):
        sums = {"energy": Decimal(0), "fuel": Decimal(0)}
        for emission in sheet.figures():
            if emission.kind == "emission":
                amount = sheet.figure(emission.facts["amount"])
                factor = sheet.figure(emission.facts["factor"])
                sums[amount.kind] += _emission_t(amount, factor)
        exact = Decimal(total.numerator) / Decimal(total.denominator)
        agrees = abs(sum(sums.values()) - exact) < _TOLERANCE_T
    return HandCalculation(sums["energy"], sums["fuel"], agrees)


def _emission_t(amount: Figure, factor: Figure) -> Decimal:
    if amount.kind == "energy":
        return _energy_wh(amount.facts) / 1000 * Decimal(factor.facts["value"]) / 1000
    quantity = sum((_in_unit(line, amount.unit) for line in amount.facts["lines"]), Decimal(0))
    return quantity * Decimal(factor.facts["gcv"]) * Decimal(factor.facts["carbon"]) * 44 / 12


def _in_unit(line: Mapping[str, Any], unit: str) -> Decimal:
    """A slip's quantity in the unit of its fuel's factor: slips in kg beside a factor per t."""
    worth = Unit(line["unit"]).factor_to(Unit(unit))
    return Decimal(line["quantity"]) * worth.numerator / worth.denominator


def _energy_wh(energy: Mapping[str, Any]) -> Decimal:
    if len(energy["installations"]) != 1:  # exchanged inside the month: the registers do not subtract
        return Decimal(energy["wh"])
    start, end = (Decimal(str(boundary["accumulated"])) for boundary in energy["boundaries"])
    step_wh = Decimal(energy["resolution"]) * Decimal(energy["installations"][0]["multiplier_wh"])
    return (end - start) * step_wh
