"""The figure on the meter's own display against its register (pure): the decisive check."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from agent.tools.bands import Setup
from agent.tools.figures import plain, short
from config.strict import DIRECT, Ratio

_READING_S: Final = 300.0
"""Time in which the register may run on while a person types [s]."""
_TOLERANCE: Final = 5e-4
_FEW: Final = 50
"""A display of fewer steps than this proves nothing [1]."""
_STANDARD: Final = (10, 12.5, 15, 20, 25, 30, 40, 50, 60, 75)
"""Rated primary currents of IEC 61869-2 and their decimal multiples [A]."""


@dataclass(frozen=True, slots=True)
class Display:
    """What the engineer read off the meter [kWh]; its decimals say how exact it is."""

    shown: Decimal

    @property
    def step(self) -> float:
        """Its last digit [kWh]."""
        exponent = self.shown.as_tuple().exponent
        return 10.0 ** (exponent if isinstance(exponent, int) else 0)


@dataclass(frozen=True, slots=True)
class Match:
    """What the display says of a register.

    Attributes
    ----------
    agrees
        Whether they say the same; None where the display has too few digits to tell.
    proves_side
        Whether one of them is before, the other behind the transformers, as configured.
    text
        The comparison.
    """

    agrees: bool | None
    proves_side: bool
    text: str


def compare(display: Display, energy_kwh: float, power_kw: float, setup: Setup) -> Match:
    """Compare a display with a register.

    Parameters
    ----------
    display
        As typed, of either side of the transformers.
    energy_kwh
        The register on the meter's side [kWh].
    power_kw
        Power on the meter's side, by which the register runs on [kW].
    setup
        Transformers as configured.
    """
    shown = float(display.shown)
    text = f"display {plain(display.shown)} kWh"
    if shown < _FEW * display.step or energy_kwh <= 0:
        if shown <= 2 * display.step and energy_kwh * setup.factor <= 2 * display.step:
            return Match(None, False, f"{text}: a fresh meter, too few digits to tell")
        if shown > 0:
            return Match(None, False, f"{text}: too few digits to tell")
    if matches(display, energy_kwh, power_kw, 1.0):
        return Match(True, False, f"{text} = register")
    ratio = float(setup.ct.factor * setup.vt.factor)
    if ratio != 1 and setup.side == "secondary" and matches(display, energy_kwh, power_kw, ratio):
        return Match(True, True, f"{text} = register x {short(ratio)} (CT x VT)")
    if ratio != 1 and setup.side == "primary" and matches(display, energy_kwh, power_kw, 1 / ratio):
        return Match(True, True, f"{text} = register / {short(ratio)} (CT x VT)")
    times = short(shown / energy_kwh) if energy_kwh else "no"
    return Match(False, False, f"{text} = register x {times}")


def matches(display: Display, energy_kwh: float, power_kw: float, factor: float) -> bool:
    """Return whether a register times a factor could be what was on the display."""
    shown = float(display.shown)
    run_on = abs(power_kw) * factor * _READING_S / 3600
    wanted = energy_kwh * factor
    margin = display.step + _TOLERANCE * abs(wanted)
    return wanted - run_on - margin <= shown <= wanted + run_on + margin


def implied_ct(display: Display, energy_kwh: float, setup: Setup) -> Ratio | None:
    """Return the CT ratio that would make display and register agree, if there is such a transformer."""
    if setup.side != "secondary" or setup.ct == DIRECT or energy_kwh <= 0:
        return None
    return standard_ct(float(display.shown) / energy_kwh / float(setup.vt.factor), setup.ct)


def standard_ct(factor: float, configured: Ratio) -> Ratio | None:
    """Return a CT of a rated primary current with about this ratio, other than the configured one.

    Examples
    --------
    >>> from fractions import Fraction
    >>> standard_ct(29.98, Ratio(Fraction(100), Fraction(5))).text("A")
    '150/5 A'
    """
    wanted = factor * float(configured.secondary)
    if not 5 <= wanted <= 20_000:
        return None
    nearest = min(
        (rated * 10**power for rated in _STANDARD for power in (0, 1, 2, 3)),
        key=lambda rated: abs(rated - wanted),
    )
    if abs(wanted / nearest - 1) > 0.02:
        return None
    ratio = Ratio(type(configured.primary)(str(nearest)), configured.secondary)
    return None if ratio == configured else ratio
