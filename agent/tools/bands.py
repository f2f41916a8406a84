"""What a value of a quantity can be, and why (pure): by the transformers, or by physics.

All values here are on the meter's side, in the quantity's base unit (V, A, W, Wh): what the register says
times its scale, before CT and VT are applied to a meter that does not apply them itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

from agent.tools.figures import short
from config.agent import Device, Side
from config.strict import DIRECT, Ratio
from core.carbon.rounding import exact_text
from core.metering.quantities import Kind, Quantity, Unit

OVERLOAD: Final = 1.2
"""What a current transformer carries for long, of its rating (IEC 61869-2, 5.204) [1]."""
_HIGHEST: Final = 1.1
"""Highest voltage of a grid, of its rated one (IEC 60038: 7.2 kV for 6.6 kV, 72 kV for 66 kV) [1]."""
_TINY: Final = 1e-9
_YEARS_H: Final = 40 * 8766
_LOW_VOLTAGE: Final = (40.0, 1000.0)
_MEDIUM_NOMINALS: Final = (
    3000, 3300, 6000, 6600, 10_000, 11_000, 13_800, 15_000, 20_000, 22_000, 30_000, 33_000, 35_000, 66_000,
    77_000, 110_000, 132_000, 154_000, 220_000, 275_000,
)  # fmt: skip
"""Rated voltages between lines, of Japan and of IEC 60038 [V]."""


class Sense(StrEnum):
    """Whether a value can be."""

    OK = "ok"
    ZERO = "zero"
    NO_VALUE = "no value"
    OPEN = "open"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether a value can be, and why; `band` is the same in 17 characters."""

    sense: Sense
    why: str
    band: str = ""


@dataclass(frozen=True, slots=True)
class Setup:
    """What the configuration says stands between meter and conductor.

    Attributes
    ----------
    ct, vt
        Transformers; `DIRECT` where there is none.
    side
        ``primary``: the meter multiplies by CT and VT itself.
    full_scale_kw
        Most power of the circuit [kW].
    slack
        How much more the circuit may carry than the transformers say [1]; 1 but where they are doubted.
    """

    ct: Ratio = DIRECT
    vt: Ratio = DIRECT
    side: Side = "primary"
    full_scale_kw: Fraction | None = None
    slack: float = 1.0

    @classmethod
    def of(cls, device: Device) -> Setup:
        """Return a device's."""
        return cls(device.ct, device.vt, device.side, device.full_scale_kw)

    @property
    def factor(self) -> float:
        """What a value of the meter is multiplied by to be that of the circuit [1]."""
        return float(self.ct.factor * self.vt.factor) if self.side == "secondary" else 1.0

    def current_limit(self) -> tuple[float, str]:
        """Return the most current that a register can show [A], and why."""
        if self.ct == DIRECT:
            return 20_000.0, "no AC feeder carries 20 kA"
        rated = self.ct.primary if self.side == "primary" else self.ct.secondary
        what = "CT" if self.side == "primary" else "secondary side:"
        limit = OVERLOAD * float(rated) * self.slack
        return limit, f"at most 1.2 x {what} {exact_text(rated)} A"

    def nominal(self) -> tuple[float, str] | None:
        """Return the rated voltage between lines on the meter's side [V], and why; None without a VT."""
        if self.vt == DIRECT:
            return None
        rated = self.vt.primary if self.side == "primary" else self.vt.secondary
        return float(rated), f"VT {exact_text(rated)} V" + (
            "" if self.side == "primary" else ", secondary side"
        )

    def power_limit(self) -> tuple[float, str]:
        """Return the most power that a register can show [W], and why."""
        if self.full_scale_kw is not None:
            return (
                float(self.full_scale_kw) * 1000 / self.factor * self.slack,
                f"full scale {short(float(self.full_scale_kw))} kW",
            )
        if self.ct == DIRECT:
            return 1e9, "no feeder carries 1 GW"
        volts = self.nominal()
        limit = math.sqrt(3) * (volts[0] if volts else _LOW_VOLTAGE[1]) * self.current_limit()[0]
        return limit, f"at most {short(limit / 1000)} kW by CT and VT"


def judge(quantity: Quantity, value: float | None, setup: Setup) -> Judged:
    """Say whether a value can be.

    Parameters
    ----------
    quantity
        What it is.
    value
        In the quantity's base unit, on the meter's side; None where the device has no value.
    setup
        Transformers and full scale.

    Examples
    --------
    >>> judge(Quantity.FREQUENCY, 50.02, Setup()).sense.value, judge(Quantity.FREQUENCY, 5002.0, Setup()).why
    ('ok', 'a grid has 45 to 65 Hz')
    """
    if value is None:
        return Judged(
            Sense.NO_VALUE,
            "the device says that it has no value: model or wiring lacks it",
            "not on this one",
        )
    if not math.isfinite(value):
        return Judged(Sense.NO, "not a number", "a number")
    if value == 0:
        return Judged(Sense.ZERO, "zero says nothing", "says nothing")
    if abs(value) < _TINY:
        return Judged(Sense.NO, "the exponent of no measurement", ">= 10^-9 or 0")
    return _judge(quantity, value, setup)


def _judge(quantity: Quantity, value: float, setup: Setup) -> Judged:
    unit = quantity.unit
    if quantity is Quantity.FREQUENCY:
        return _within(45 <= value <= 65, "a grid has 45 to 65 Hz", "45 to 65 Hz")
    if quantity is Quantity.POWER_FACTOR:
        return _within(abs(value) <= 1.001, "a power factor is at most 1", "-1 to 1")
    if quantity is Quantity.TEMPERATURE:
        return _within(-60 <= value <= 200, "a meter lives at -60 to 200 degC", "-60 to 200 degC")
    if quantity.kind is Kind.COUNTER:
        return _counter(unit, value, setup)
    if unit is Unit.V:
        return _voltage(quantity, value, setup)
    if unit is Unit.A:
        limit, why = (
            (1e6, "no rectifier carries 1 MA") if quantity is Quantity.DC_CURRENT else setup.current_limit()
        )
        return _within(abs(value) <= limit, why, f"<= {short(limit)} A")
    if unit in (Unit.W, Unit.VAR, Unit.VA):
        limit, why = setup.power_limit()
        if unit is not Unit.W and setup.full_scale_kw is not None:
            limit, why = 2 * limit, f"twice the {why}"
        return _within(abs(value) <= limit, why, f"<= {short(limit / 1000)} k{unit.value}")
    return Judged(Sense.OPEN, "nothing is known of this quantity", "not judged")


def _within(holds: bool, why: str, band: str) -> Judged:
    return Judged(Sense.OK if holds else Sense.NO, why, band)


def _counter(unit: Unit, value: float, setup: Setup) -> Judged:
    if value < 0:
        return Judged(Sense.NO, "a register does not go below 0")
    if unit not in (Unit.WH, Unit.VARH, Unit.VAH):
        return _within(value < 1e15, "no meter counts to 10^15", "0 to 10^15")
    power, why = setup.power_limit()
    limit = power * _YEARS_H
    return _within(
        value <= limit, f"40 years at full load, {why}", f"0 to {_exponent(limit / 1000)} k{unit.value}"
    )


def _exponent(value: float) -> str:
    """A bound in few characters, rounded up."""
    return short(value) if value < 1e5 else f"10^{math.ceil(math.log10(value))}"


def _voltage(quantity: Quantity, value: float, setup: Setup) -> Judged:
    if quantity is Quantity.DC_VOLTAGE:
        return _within(abs(value) <= 5000, "at most 5 kV DC", "<= 5,000 V")
    nominal = setup.nominal()
    if nominal is None:
        low, high = _LOW_VOLTAGE
        return _within(low <= value <= high, "40 to 1,000 V without a VT", "40 to 1,000 V")
    rated, why = nominal
    between_lines = quantity in (Quantity.VOLTAGE_L12, Quantity.VOLTAGE_L23, Quantity.VOLTAGE_L31)
    low = 0.8 * rated if between_lines else 0.8 * rated / math.sqrt(3)
    high = _HIGHEST * rated
    band = f"{round(low):,} to {round(high):,} V"
    # in a three-wire circuit many meters show the voltage between lines as that of a phase
    return _within(low <= value <= high, f"{band} by {why}", band)


def next_rated_voltage(volts: float) -> int | None:
    """Return the rated voltage between lines that is as good as a value [V], if there is one."""
    nearest = min(_MEDIUM_NOMINALS, key=lambda rated: abs(volts / rated - 1))
    return nearest if abs(volts / nearest - 1) <= 0.003 else None


def rated_voltage(quantity: Quantity, value: float) -> int | None:
    """Return the rated voltage between lines that a measured voltage belongs to [V], if there is one.

    Examples
    --------
    >>> rated_voltage(Quantity.VOLTAGE_L1N, 3817.3), rated_voltage(Quantity.VOLTAGE_L12, 6590.0)
    (6600, 6600)
    """
    between_lines = quantity in (Quantity.VOLTAGE_L12, Quantity.VOLTAGE_L23, Quantity.VOLTAGE_L31)
    wanted = value if between_lines else value * math.sqrt(3)
    nearest = min(_MEDIUM_NOMINALS, key=lambda rated: abs(math.log(abs(wanted) / rated)))
    return nearest if abs(wanted / nearest - 1) <= 0.06 else None
