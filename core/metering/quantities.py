"""Quantities and units in one table.

Only units of one dimension convert into each other. Electricity and heat, and gas volumes at different
conditions, are dimensions of their own: between them stands a regime's factor, not arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from core.errors import DataError


class Unit(StrEnum):
    """A unit as it is written in profiles, files and figures."""

    WH = "Wh"
    KWH = "kWh"
    MWH = "MWh"
    GWH = "GWh"
    VARH = "varh"
    KVARH = "kvarh"
    MVARH = "Mvarh"
    VAH = "VAh"
    KVAH = "kVAh"
    W = "W"
    KW = "kW"
    MW = "MW"
    VAR = "var"
    KVAR = "kvar"
    MVAR = "Mvar"
    VA = "VA"
    KVA = "kVA"
    MVA = "MVA"
    V = "V"
    KV = "kV"
    A = "A"
    KA = "kA"
    AH = "Ah"
    HZ = "Hz"
    ONE = "1"
    PERCENT = "%"
    CELSIUS = "degC"
    KG = "kg"
    T = "t"
    L = "L"
    KL = "kL"
    M3 = "m3"
    NM3 = "Nm3"
    K_NM3 = "1000 Nm3"
    SATP_M3 = "SATP m3"
    K_SATP_M3 = "1000 SATP m3"
    MJ = "MJ"
    GJ = "GJ"
    PULSE = "pulse"

    def factor_to(self, other: Unit) -> Fraction:
        """Return what one of this unit is in another.

        Raises
        ------
        DataError
            If the two do not measure the same.

        Examples
        --------
        >>> Unit.KWH.factor_to(Unit.WH)
        Fraction(1000, 1)
        """
        (dimension, size), (wanted, base) = _UNITS[self], _UNITS[other]
        if dimension != wanted:
            raise DataError(
                f"{self} does not convert to {other}", evidence=f"{self} is {dimension}, {other} is {wanted}"
            )
        return size / base


def _scaled(dimension: str, **sizes: Fraction | int) -> dict[Unit, tuple[str, Fraction]]:
    return {Unit[name]: (dimension, Fraction(size)) for name, size in sizes.items()}


_UNITS: Mapping[Unit, tuple[str, Fraction]] = MappingProxyType(
    _scaled("active energy", WH=1, KWH=1000, MWH=10**6, GWH=10**9)
    | _scaled("reactive energy", VARH=1, KVARH=1000, MVARH=10**6)
    | _scaled("apparent energy", VAH=1, KVAH=1000)
    | _scaled("active power", W=1, KW=1000, MW=10**6)
    | _scaled("reactive power", VAR=1, KVAR=1000, MVAR=10**6)
    | _scaled("apparent power", VA=1, KVA=1000, MVA=10**6)
    | _scaled("voltage", V=1, KV=1000)
    | _scaled("current", A=1, KA=1000)
    | _scaled("charge", AH=1)
    | _scaled("frequency", HZ=1)
    | _scaled("ratio", ONE=1, PERCENT=Fraction(1, 100))
    | _scaled("temperature", CELSIUS=1)
    | _scaled("mass", KG=1, T=1000)
    | _scaled("volume of liquid", L=1, KL=1000)
    | _scaled("volume", M3=1)
    | _scaled("gas at 0 degC and 1 atm", NM3=1, K_NM3=1000)
    | _scaled("gas at 25 degC and 1 bar", SATP_M3=1, K_SATP_M3=1000)
    | _scaled("heat", MJ=1, GJ=1000)
    | _scaled("pulses", PULSE=1)
)


class Kind(StrEnum):
    """Whether a quantity accumulates or is instantaneous."""

    COUNTER = "counter"
    GAUGE = "gauge"


class Quantity(StrEnum):
    """A physical kind of measurement, as it stands in a point's id."""

    ACTIVE_ENERGY_IMPORT = "active_energy_import"
    ACTIVE_ENERGY_EXPORT = "active_energy_export"
    ACTIVE_ENERGY_TOTAL = "active_energy_total"
    REACTIVE_ENERGY_IMPORT = "reactive_energy_import"
    REACTIVE_ENERGY_EXPORT = "reactive_energy_export"
    REACTIVE_ENERGY_LEADING = "reactive_energy_leading"
    REACTIVE_ENERGY_LAGGING = "reactive_energy_lagging"
    APPARENT_ENERGY = "apparent_energy"
    DC_ENERGY = "dc_energy"
    DC_ENERGY_EXPORT = "dc_energy_export"
    CHARGE = "charge"
    PULSES = "pulses"
    VOLUME = "volume"
    GAS_VOLUME = "gas_volume"
    MASS = "mass"
    HEAT = "heat"
    ACTIVE_POWER = "active_power"
    REACTIVE_POWER = "reactive_power"
    APPARENT_POWER = "apparent_power"
    DC_POWER = "dc_power"
    VOLTAGE = "voltage"
    VOLTAGE_L1N = "voltage_l1n"
    VOLTAGE_L2N = "voltage_l2n"
    VOLTAGE_L3N = "voltage_l3n"
    VOLTAGE_L12 = "voltage_l12"
    VOLTAGE_L23 = "voltage_l23"
    VOLTAGE_L31 = "voltage_l31"
    DC_VOLTAGE = "dc_voltage"
    CURRENT = "current"
    CURRENT_L1 = "current_l1"
    CURRENT_L2 = "current_l2"
    CURRENT_L3 = "current_l3"
    DC_CURRENT = "dc_current"
    FREQUENCY = "frequency"
    POWER_FACTOR = "power_factor"
    TEMPERATURE = "temperature"
    STATE = "state"

    @property
    def kind(self) -> Kind:
        """Counter or gauge."""
        return _QUANTITIES[self].kind

    @property
    def unit(self) -> Unit:
        """The base unit that its figures are kept in."""
        return _QUANTITIES[self].unit

    @property
    def ja(self) -> str:
        """Its name in Japanese."""
        return _QUANTITIES[self].ja

    @property
    def en(self) -> str:
        """Its name in English."""
        return _QUANTITIES[self].en


class _Facts(NamedTuple):
    kind: Kind
    unit: Unit
    ja: str
    en: str


_QUANTITIES: Mapping[Quantity, _Facts] = MappingProxyType(
    {
        Quantity.ACTIVE_ENERGY_IMPORT: _Facts(
            Kind.COUNTER, Unit.WH, "有効電力量(受電)", "active energy import"
        ),
        Quantity.ACTIVE_ENERGY_EXPORT: _Facts(
            Kind.COUNTER, Unit.WH, "有効電力量(逆潮流)", "active energy export"
        ),
        Quantity.ACTIVE_ENERGY_TOTAL: _Facts(
            Kind.COUNTER, Unit.WH, "有効電力量(受電と逆潮流の和)", "active energy, both ways"
        ),
        Quantity.REACTIVE_ENERGY_IMPORT: _Facts(
            Kind.COUNTER, Unit.VARH, "無効電力量(受電)", "reactive energy import"
        ),
        Quantity.REACTIVE_ENERGY_EXPORT: _Facts(
            Kind.COUNTER, Unit.VARH, "無効電力量(逆潮流)", "reactive energy export"
        ),
        Quantity.REACTIVE_ENERGY_LEADING: _Facts(
            Kind.COUNTER, Unit.VARH, "無効電力量(進み)", "leading reactive energy"
        ),
        Quantity.REACTIVE_ENERGY_LAGGING: _Facts(
            Kind.COUNTER, Unit.VARH, "無効電力量(遅れ)", "lagging reactive energy"
        ),
        Quantity.APPARENT_ENERGY: _Facts(Kind.COUNTER, Unit.VAH, "皮相電力量", "apparent energy"),
        Quantity.DC_ENERGY: _Facts(Kind.COUNTER, Unit.WH, "直流電力量", "DC energy"),
        Quantity.DC_ENERGY_EXPORT: _Facts(
            Kind.COUNTER, Unit.WH, "直流電力量(逆方向)", "DC energy, other way"
        ),
        Quantity.CHARGE: _Facts(Kind.COUNTER, Unit.AH, "電気量", "charge"),
        Quantity.PULSES: _Facts(Kind.COUNTER, Unit.PULSE, "パルス数", "pulses"),
        Quantity.VOLUME: _Facts(Kind.COUNTER, Unit.M3, "体積", "volume"),
        Quantity.GAS_VOLUME: _Facts(
            Kind.COUNTER, Unit.NM3, "ガス体積(0 °C, 1 atm)", "gas volume at 0 degC and 1 atm"
        ),
        Quantity.MASS: _Facts(Kind.COUNTER, Unit.KG, "質量", "mass"),
        Quantity.HEAT: _Facts(Kind.COUNTER, Unit.MJ, "熱量", "heat"),
        Quantity.ACTIVE_POWER: _Facts(Kind.GAUGE, Unit.W, "有効電力", "active power"),
        Quantity.REACTIVE_POWER: _Facts(Kind.GAUGE, Unit.VAR, "無効電力", "reactive power"),
        Quantity.APPARENT_POWER: _Facts(Kind.GAUGE, Unit.VA, "皮相電力", "apparent power"),
        Quantity.DC_POWER: _Facts(Kind.GAUGE, Unit.W, "直流電力", "DC power"),
        Quantity.VOLTAGE: _Facts(Kind.GAUGE, Unit.V, "電圧", "voltage"),
        Quantity.VOLTAGE_L1N: _Facts(Kind.GAUGE, Unit.V, "電圧 L1-N", "voltage L1-N"),
        Quantity.VOLTAGE_L2N: _Facts(Kind.GAUGE, Unit.V, "電圧 L2-N", "voltage L2-N"),
        Quantity.VOLTAGE_L3N: _Facts(Kind.GAUGE, Unit.V, "電圧 L3-N", "voltage L3-N"),
        Quantity.VOLTAGE_L12: _Facts(Kind.GAUGE, Unit.V, "電圧 L1-L2", "voltage L1-L2"),
        Quantity.VOLTAGE_L23: _Facts(Kind.GAUGE, Unit.V, "電圧 L2-L3", "voltage L2-L3"),
        Quantity.VOLTAGE_L31: _Facts(Kind.GAUGE, Unit.V, "電圧 L3-L1", "voltage L3-L1"),
        Quantity.DC_VOLTAGE: _Facts(Kind.GAUGE, Unit.V, "直流電圧", "DC voltage"),
        Quantity.CURRENT: _Facts(Kind.GAUGE, Unit.A, "電流", "current"),
        Quantity.CURRENT_L1: _Facts(Kind.GAUGE, Unit.A, "電流 L1", "current L1"),
        Quantity.CURRENT_L2: _Facts(Kind.GAUGE, Unit.A, "電流 L2", "current L2"),
        Quantity.CURRENT_L3: _Facts(Kind.GAUGE, Unit.A, "電流 L3", "current L3"),
        Quantity.DC_CURRENT: _Facts(Kind.GAUGE, Unit.A, "直流電流", "DC current"),
        Quantity.FREQUENCY: _Facts(Kind.GAUGE, Unit.HZ, "周波数", "frequency"),
        Quantity.POWER_FACTOR: _Facts(Kind.GAUGE, Unit.ONE, "力率", "power factor"),
        Quantity.TEMPERATURE: _Facts(Kind.GAUGE, Unit.CELSIUS, "温度", "temperature"),
        Quantity.STATE: _Facts(Kind.GAUGE, Unit.ONE, "状態", "state"),
    }
)
