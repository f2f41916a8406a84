"""Numbers for people at a terminal (pure)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction


def short(value: float | Fraction) -> str:
    """Return a number in few characters: about four digits, and an exponent where it is absurd.

    Examples
    --------
    >>> short(8412337.12), short(50.02), short(0.9123), short(-2.4e-41), short(1.4e15), short(23.8)
    ('8,412,337.1', '50.02', '0.912', '-2.4e-41', '1.4e+15', '23.8')
    """
    number = float(value)
    size = abs(number)
    if number != number or size in (float("inf"),):
        return str(number)
    if size >= 1e10 or 0 < size < 5e-4:
        return f"{number:.1e}"
    decimals = 1 if size >= 100 else 2 if size >= 10 else 3
    return _strip(f"{number:,.{decimals}f}")


def _strip(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def times(factor: float) -> str:
    """Return a factor as people say it.

    Examples
    --------
    >>> times(1000), times(0.001), times(1.5)
    ('1,000 times', '1/1,000 of', '1.5 times')
    """
    return f"{short(factor)} times" if factor >= 1 else f"1/{short(1 / factor)} of"


def plain(value: Decimal | Fraction) -> str:
    """Return an exact decimal number with its thousands separated, all of its digits kept.

    Examples
    --------
    >>> plain(Decimal("8412337.10"))
    '8,412,337.10'
    """
    return f"{value:,f}" if isinstance(value, Decimal) else short(value)
