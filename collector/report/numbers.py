"""Figures as a terminal shows them."""

from __future__ import annotations

from fractions import Fraction

from core.carbon.rounding import Rounding, printed

WIDTH = 80
"""Of a terminal [characters]."""


def grouped(text: str) -> str:
    """Put thousands separators into plain decimal text.

    Examples
    --------
    >>> grouped("-20952864.5")
    '-20,952,864.5'
    """
    sign = text[:1] if text[:1] in ("-", "+") else ""
    whole, point, part = text.removeprefix(sign).partition(".")
    return f"{sign}{int(whole):,}{point}{part}"


def shown(value: Fraction | None, digits: int = 0, rounding: Rounding = Rounding.HALF_UP) -> str:
    """Write an exact figure with separators, ``-`` where it is missing.

    Examples
    --------
    >>> shown(Fraction(27877, 2)), shown(None)
    ('13,939', '-')
    """
    return "-" if value is None else grouped(printed(value, digits, rounding=rounding))


def written_out(value: Fraction, digits: int = 9) -> str:
    """Write an exact figure as a decimal, all of it where it ends, else `digits` decimals and ``...``.

    Examples
    --------
    >>> written_out(Fraction(421, 1000)), written_out(Fraction(11, 3), 5)
    ('0.421', '3.66667...')
    """
    for used in range(digits + 1):
        if (value * 10**used).denominator == 1:
            return grouped(printed(value, used))
    return f"{grouped(printed(value, digits))}..."
