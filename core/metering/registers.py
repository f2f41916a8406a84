"""What is known of a point's registers before they are read: their beginning, turn, step and speed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from math import inf

from core.errors import DataError
from core.metering.installations import Installation, in_order
from core.metering.readings import Count

_HOUR_MS = 3_600_000
_TOLERANCE = Fraction(6, 5)
_LUMP_MS = 302_000
"""A rise is a jump beyond 1.2 x full scale; some meters stand still for minutes and rise in a lump [ms]."""


@dataclass(frozen=True, slots=True)
class Register:
    """One meter's register behind a point.

    Parameters
    ----------
    start_ms
        First instant at which it stood behind the point [ms since 1970 UTC]; a point's first register also
        holds what was read before.
    wrap_at
        Count at which the register starts again at 0 [counts]; None where it never does.
    resolution
        Grid on which the register is counted [counts], above 0: 1 for an integer register. All its counts
        are taken as whole steps of it, rounded down.
    counts_per_hour
        Fastest that the register can rise, by the transformers or the breaker [counts/h]; None where that is
        not known.
    indexes
        Instant [ms since 1970 UTC] and count [counts] of each index on record: its opening and closing.

    Raises
    ------
    DataError
        If the resolution is not above 0, or the wrap is no whole number of steps above 1.
    """

    start_ms: int = 0
    wrap_at: int | None = None
    resolution: Fraction = Fraction(1)
    counts_per_hour: Fraction | None = None
    indexes: tuple[tuple[int, Count], ...] = ()
    _fastest: tuple[int, int] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.resolution <= 0:
            raise DataError("resolution is not above 0", evidence=str(self.resolution))
        if self.wrap_at is not None and (
            self.wrap_at / self.resolution <= 1 or (self.wrap_at / self.resolution).denominator != 1
        ):
            raise DataError(
                "wrap_at is no whole number of steps",
                evidence=f"wrap_at {self.wrap_at}, resolution {self.resolution}",
            )
        if self.counts_per_hour is not None:
            fastest = self.counts_per_hour * _TOLERANCE / (_HOUR_MS * self.resolution)
            object.__setattr__(self, "_fastest", fastest.as_integer_ratio())

    @property
    def wrap_steps(self) -> int | None:
        """Steps of one turn of the register [steps]."""
        if self.wrap_at is None:
            return None
        return self.wrap_at * self.resolution.denominator // self.resolution.numerator

    def most_steps(self, duration_ms: int) -> float:
        """Return how far the register can rise within a time [steps]; infinite where that is not known."""
        if self._fastest is None:
            return inf
        steps, per_ms = self._fastest
        return steps * (duration_ms + _LUMP_MS) // per_ms + 1

    def steps(self, count: Count) -> int:
        """Return a count as whole steps of the resolution, rounded down."""
        numerator, denominator = count.as_integer_ratio()
        return numerator * self.resolution.denominator // (denominator * self.resolution.numerator)


@dataclass(frozen=True, slots=True)
class CounterSpec:
    """What is known of a point's registers; `counter_spec` makes it from the installations.

    Parameters
    ----------
    point
        Id of the point.
    registers
        In time order, at least one.
    """

    point: str
    registers: tuple[Register, ...] = (Register(),)

    def register_at(self, time_ms: int) -> Register:
        """Return the register that stood behind the point at an instant [ms since 1970 UTC]."""
        index = bisect_right(self.registers, time_ms, key=lambda register: register.start_ms) - 1
        return self.registers[max(index, 0)]


def counter_spec(point: str, installations: Iterable[Installation]) -> CounterSpec:
    """Return what installations say of a point's registers.

    Consecutive installations of one serial number, resolution and wrap are one register: new transformers
    change what a count is worth, not what the register holds.

    Parameters
    ----------
    point
        Id of the point.
    installations
        The point's installations, in any order; without any, a register of which nothing is known.

    Raises
    ------
    DataError
        If two installations are in force at the same time, or one has an impossible register.
    """
    registers = tuple(
        _register(tuple(together))
        for _, together in groupby(
            in_order(installations), key=lambda each: (each.serial, each.resolution, each.wrap_at)
        )
    )
    return CounterSpec(point, registers or (Register(),))


def _register(installed: tuple[Installation, ...]) -> Register:
    fastest = [each.counts_per_hour for each in installed]
    known = [each for each in fastest if each is not None]
    indexes = [
        (time_ms, count)
        for each in installed
        for time_ms, count in ((each.start_ms, each.opening), (each.end_ms, each.closing))
        if time_ms is not None and count is not None
    ]
    return Register(
        start_ms=installed[0].start_ms,
        wrap_at=installed[0].wrap_at,
        resolution=installed[0].resolution,
        counts_per_hour=max(known) if len(known) == len(fastest) else None,
        indexes=tuple(dict.fromkeys(indexes)),
    )
