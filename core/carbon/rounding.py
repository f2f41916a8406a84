"""Exact ratios as text, and the one rounding at the end."""

from __future__ import annotations

from enum import Enum
from fractions import Fraction


class Rounding(Enum):
    """Which way a printed figure goes.

    Figures go half-up (half away from zero). A bound goes up and a covered share goes down, so that what is
    printed never claims more than was proven.
    """

    HALF_UP = "half-up"
    UP = "up"
    DOWN = "down"


def printed(
    value: Fraction, digits: int, *, rounding: Rounding = Rounding.HALF_UP, signed: bool = False
) -> str:
    """Round an exact figure once and return its digits.

    Parameters
    ----------
    value
        Exact figure, any sign.
    digits
        Digits after the decimal point [1].
    rounding
        Direction; all directions act on the magnitude.
    signed
        Whether a positive figure gets its plus, as a variance does.

    Returns
    -------
    str
        Plain ASCII digits without thousands separators; what rounds to zero carries no sign.

    Examples
    --------
    >>> printed(Fraction("13938.5"), 0), printed(Fraction(-1, 200), 2), printed(Fraction(2), 1, signed=True)
    ('13939', '-0.01', '+2.0')
    """
    scaled = abs(value) * 10**digits
    if rounding is Rounding.HALF_UP:
        units = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    elif rounding is Rounding.UP:
        units = -(-scaled.numerator // scaled.denominator)
    else:
        units = scaled.numerator // scaled.denominator
    whole, part = divmod(units, 10**digits)
    text = f"{whole}.{part:0{digits}d}" if digits else str(whole)
    if units == 0:
        return text
    return f"-{text}" if value < 0 else f"+{text}" if signed else text


def exact_text(value: Fraction) -> str:
    """Return an exact figure as decimal text if it terminates, else as ``numerator/denominator``.

    `fractions.Fraction` reads both forms back.

    Examples
    --------
    >>> exact_text(Fraction(13938239, 1000)), exact_text(Fraction(1, 3)), exact_text(Fraction(7))
    ('13938.239', '1/3', '7')
    """
    digits, rest = 0, value.denominator
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
        digits = max(digits, power)
    return printed(value, digits) if rest == 1 else f"{value.numerator}/{value.denominator}"
