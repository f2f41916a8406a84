"""A meter's place in the tree of a site's meters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

from core.metering.quantities import Quantity
from core.timeline import Interval

BEGINNING: Final = -(2**53)
"""Before everything [ms since 1970 UTC]."""


class Current(StrEnum):
    """Alternating or direct current."""

    AC = "ac"
    DC = "dc"


@dataclass(frozen=True, slots=True)
class Sum:
    """What a virtual meter is: others added and taken off, and losses that nobody meters on top.

    Parameters
    ----------
    plus, minus
        Ids of the meters, physical or virtual.
    losses
        Share that is added to what they count [1]: 0.008 where a transformer before them loses 0.8 %.
    """

    plus: tuple[str, ...]
    minus: tuple[str, ...] = ()
    losses: Fraction = Fraction(0)

    @property
    def signed(self) -> tuple[tuple[int, str], ...]:
        """The meters, each with +1 or -1."""
        return (*((1, meter) for meter in self.plus), *((-1, meter) for meter in self.minus))


@dataclass(frozen=True, slots=True)
class Node:
    """A meter's place in the network, for as long as it has it.

    Parameters
    ----------
    meter
        Id of the meter.
    quantity
        The energy it counts.
    current
        Alternating or direct.
    parent
        Id of the meter that feeds it; None at the top.
    start_ms, end_ms
        First instant in this place, and first instant after it [ms since 1970 UTC]; None where there is no
        such end.
    sum
        What it is a sum of; None for a meter with energy of its own.
    integrated
        Whether its energy is integrated from power, and is not accepted for scope 2.
    """

    meter: str
    quantity: Quantity = Quantity.ACTIVE_ENERGY_IMPORT
    current: Current = Current.AC
    parent: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    sum: Sum | None = None
    integrated: bool = False

    @property
    def point(self) -> str:
        """Id of its point."""
        return f"{self.meter}.{self.quantity}"

    @property
    def since_ms(self) -> int:
        """First instant in this place [ms since 1970 UTC]; `BEGINNING` where there is none."""
        return BEGINNING if self.start_ms is None else self.start_ms

    def stands(self, time_ms: int) -> bool:
        """Tell whether it has this place at an instant [ms since 1970 UTC]."""
        return self.since_ms <= time_ms and (self.end_ms is None or time_ms < self.end_ms)

    def within(self, interval: Interval) -> Interval | None:
        """Return the part of an interval in which it has this place; None where that is nothing."""
        start_ms = max(interval.start_ms, self.since_ms)
        end_ms = interval.end_ms if self.end_ms is None else min(interval.end_ms, self.end_ms)
        if start_ms < end_ms or (interval.duration_ms == 0 and self.stands(interval.start_ms)):
            return Interval(start_ms, end_ms)
        return None
