"""Meters as they are sold and wired: what a count is worth, where a register turns, what it can show."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from core.metering.installations import Installation, Side
from core.metering.readings import Count

POINT = "AOB-RCV-01.active_energy_import"
HOURS_PER_MONTH = 720

_WRAPS: tuple[tuple[int | None, Fraction], ...] = (
    (1 << 16, Fraction(1)),
    (1 << 32, Fraction(1)),
    (1 << 48, Fraction(1)),
    (1 << 64, Fraction(1)),
    (10**5, Fraction(1)),
    (10**8, Fraction(1)),
    (10**5, Fraction(1, 10)),
    (10**6, Fraction(1, 100)),
    (10**6, Fraction(1, 1000)),
    (10**9, Fraction(10)),
    (None, Fraction(1, 1000)),
    (None, Fraction(1)),
)
_WORTHS = tuple(Fraction(text) for text in ("1", "1", "10", "100", "1000", "1/10", "5/2", "1000/3"))
_CURRENTS = (Fraction(1), Fraction(80), Fraction(120), Fraction(300), Fraction(200, 3))
_VOLTAGES = (Fraction(1), Fraction(60), Fraction(600))


@dataclass(frozen=True)
class Meter:
    """A meter behind its transformers.

    Parameters
    ----------
    serial
        Its number.
    wrap_at
        Count at which it starts again at 0 [counts].
    resolution
        Step of its display [counts].
    wh_per_count
        Energy of a count at its terminals [Wh/count].
    ct, vt
        Ratios [1].
    side
        Whether it multiplies by them itself.
    """

    serial: str
    wrap_at: int | None
    resolution: Fraction
    wh_per_count: Fraction
    ct: Fraction
    vt: Fraction
    side: Side

    @property
    def wh_per_step(self) -> Fraction:
        """Primary energy of a step of its display [Wh/step]."""
        ratio = self.ct * self.vt if self.side is Side.SECONDARY else 1
        return self.wh_per_count * ratio * self.resolution

    @property
    def wrap_steps(self) -> int | None:
        """How many steps one turn has [steps]."""
        return None if self.wrap_at is None else int(self.wrap_at / self.resolution)

    def count(self, steps: int) -> Count:
        """Return what the display shows after so many steps [counts]."""
        value = steps * self.resolution
        return int(value) if value.denominator == 1 else Decimal(value.numerator) / Decimal(value.denominator)

    def installation(
        self,
        start_ms: int,
        end_ms: int | None,
        *,
        full_scale_mw: int | None,
        opening: Count | None = None,
        closing: Count | None = None,
    ) -> Installation:
        """Return the record of it."""
        return Installation(
            POINT,
            start_ms,
            end_ms,
            self.serial,
            self.ct,
            self.vt,
            self.side,
            self.wh_per_count,
            full_scale_kw=None if full_scale_mw is None else Fraction(full_scale_mw, 1_000_000),
            resolution=self.resolution,
            wrap_at=self.wrap_at,
            opening=opening,
            closing=closing,
        )


def any_meter(dice: random.Random, serial: str) -> Meter:
    """Return a meter of any kind."""
    wrap_at, resolution = dice.choice(_WRAPS)
    return Meter(
        serial,
        wrap_at,
        resolution,
        dice.choice(_WORTHS),
        dice.choice(_CURRENTS),
        dice.choice(_VOLTAGES),
        dice.choice(tuple(Side)),
    )


def suiting(dice: random.Random, serial: str, full_scale_mw: int) -> Meter:
    """Return a meter that a circuit would get: its display moves, and does not race.

    Parameters
    ----------
    dice
        To choose by.
    serial
        Its number.
    full_scale_mw
        What the circuit carries [mW].
    """
    while True:
        meter = any_meter(dice, serial)
        steps = Fraction(full_scale_mw * HOURS_PER_MONTH, 1000) / meter.wh_per_step
        if 20 <= steps <= 10**9 and (meter.wrap_steps is None or steps <= 400 * meter.wrap_steps):
            return meter
