"""From activity to CO2, in exact ratios; nothing is rounded here.

References
----------
特定排出者の事業活動に伴う温室効果ガスの排出量の算定に関する省令 (2006, as amended): fuel use ×
gross calorific value × carbon per heat × 44/12; purchased electricity × its factor.
"""

from __future__ import annotations

from fractions import Fraction

from core.carbon.factors import ElectricityFactor, FuelFactor
from core.errors import DataError, FactorError
from core.metering.quantities import Unit


def convert(quantity: Fraction, unit: Unit, into: Unit) -> Fraction:
    """Return a quantity in another unit of the same kind, exactly.

    Raises
    ------
    FactorError
        If the units measure different things; Nm3 and SATP m3 do, being volumes at different conditions.
    """
    try:
        return quantity * unit.factor_to(into)
    except DataError as error:
        raise FactorError(f"{unit} is no {into}", evidence=error.what, cause=error.cause) from error


def fuel_co2_t(quantity: Fraction, unit: Unit, factor: FuelFactor) -> Fraction:
    """Return the CO2 of a fuel [t].

    Parameters
    ----------
    quantity
        Use [`unit`].
    unit
        Must convert exactly into the factor's unit.
    factor
        The fuel's factors.

    Raises
    ------
    FactorError
        If the unit does not fit the factor.
    """
    return convert(quantity, unit, factor.unit) * factor.co2_t_per_unit


def electricity_co2_t(energy_kwh: Fraction, factor: ElectricityFactor) -> Fraction:
    """Return the CO2 of purchased electricity [t] from its energy [kWh]."""
    return energy_kwh * factor.kg_per_kwh / 1000
