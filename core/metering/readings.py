"""One point at one instant: what its register held, and how far that may be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import TypeAlias

from core.errors import DataError

Count: TypeAlias = int | Decimal
"""What a register held, unscaled [counts]; a Decimal only where a float register had a fraction."""

_LIMIT = 10**310
"""Beyond every finite 64-bit float, so that whatever a register can hold is kept."""
_SMALLEST_EXPONENT = -400


class Quality(IntEnum):
    """How far a reading may be trusted; the lower, the better."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2


@dataclass(frozen=True, slots=True)
class Reading:
    """One point at one instant.

    Parameters
    ----------
    point
        Id of the point, ``{meter}.{quantity}``.
    time_ms
        Instant of the reading [ms since 1970 UTC].
    count
        What the register held, unscaled [counts], kept in its one canonical form; None where a reading
        was due and the register could not be used, which is bad.
    quality
        How far it may be trusted.

    Raises
    ------
    DataError
        If the count is not a finite number, or missing without bad quality.
    """

    point: str
    time_ms: int
    count: Count | None
    quality: Quality = Quality.GOOD

    def __post_init__(self) -> None:
        count = self.count
        if count is None:
            if self.quality is not Quality.BAD:
                raise DataError("a reading without a count that is not bad", where=self.point)
        elif type(count) is not int or not -_LIMIT < count < _LIMIT:
            object.__setattr__(self, "count", canonical_count(count))


def canonical_count(count: Count) -> Count:
    """Return the one form in which a count is kept: an int where it is whole, else no trailing zero.

    Parameters
    ----------
    count
        Any finite count [counts].

    Raises
    ------
    DataError
        If it is not a finite number of the size a register can hold.

    Examples
    --------
    >>> canonical_count(Decimal("61204417.0")), canonical_count(Decimal("15125.3390"))
    (61204417, Decimal('15125.339'))
    """
    if type(count) is int and -_LIMIT < count < _LIMIT:
        return count
    if not isinstance(count, Decimal) or not count.is_finite() or count.adjusted() >= 310:
        raise DataError("not a count that a register can hold", evidence=str(count)[:80])
    sign, digits, exponent = count.as_tuple()
    assert isinstance(exponent, int)  # finite, so not one of "n", "N", "F"
    zeros = 0  # cut once: a hostile count has a million of them
    while exponent + zeros < 0 and zeros < len(digits) and digits[-1 - zeros] == 0:
        zeros += 1
    digits, exponent = digits[: len(digits) - zeros], exponent + zeros
    if not digits or count.is_zero():
        return 0
    if exponent >= 0:
        return int(count)
    if exponent < _SMALLEST_EXPONENT:
        raise DataError("not a count that a register can hold", evidence=str(count)[:80])
    return Decimal((sign, digits, exponent))
