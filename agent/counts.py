"""Counts of float registers (pure): shared by every protocol."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from functools import lru_cache
from math import floor, log10, ulp
from typing import Final

from core.delivery.payload import decimal_text
from core.metering.readings import Count, canonical_count

_FLOAT32: Final = struct.Struct(">f")
_WHOLE_LIMIT: Final = 2.0**53
_WHOLE_LIMIT_SINGLE: Final = 2.0**24
_HALF_SINGLE: Final = 2.0**28
_TENS: Final = tuple(10.0 ** (7 - exponent) for exponent in range(-3, 6))
_PLAIN_LIMIT: Final = 99_999.0
"""Below this no shortest text has an exponent, and a whole number is its own text."""


def count_of_float(value: float, *, single: bool) -> Count | None:
    """Return a float register's count: the shortest decimal that round-trips; None for NaN and Inf.

    Parameters
    ----------
    value
        What the register held [counts].
    single
        Whether it was sent as 32 bits; the shortest decimal is then that of a 32-bit float.

    Examples
    --------
    >>> count_of_float(0.10000000149011612, single=True), count_of_float(1523.0, single=False)
    (Decimal('0.1'), 1523)
    """
    if not math.isfinite(value):
        return None
    if value.is_integer() and abs(value) < (_WHOLE_LIMIT_SINGLE if single else _WHOLE_LIMIT):
        return int(value)
    return canonical_count(Decimal(_shortest_single(value) if single else repr(value)))


def text_of_double(value: float) -> str:
    """Return the count of a 64-bit float as JSON, ``null`` for NaN and Inf; it is that of `count_of_float`.

    Examples
    --------
    >>> text_of_double(0.1), text_of_double(1523.0)
    ('0.1', '1523')
    """
    if 1e-3 <= abs(value) < _PLAIN_LIMIT:
        return f"{value:.0f}" if value.is_integer() else repr(value)
    return _any_text(value, single=False)


@lru_cache(maxsize=16_384)  # meters show the same few voltages and powers again and again
def text_of_single(value: float) -> str:
    """Return the count of a 32-bit float as JSON, ``null`` for NaN and Inf; it is that of `count_of_float`.

    Examples
    --------
    >>> text_of_single(0.10000000149011612), text_of_single(1523.0)
    ('0.1', '1523')
    """
    size = abs(value)
    if 1e-3 <= size < _PLAIN_LIMIT:
        if value.is_integer():
            return f"{value:.0f}"
        # the fewest digits that lie within half the distance to the next 32-bit float
        ten = _TENS[floor(log10(size)) + 3]
        eight, half = size * ten, ulp(size) * _HALF_SINGLE * ten
        sure = half * 0.999_999  # on the edge itself, halves are rounded to the even float: not decided here
        off = abs(eight - int(eight + 0.5))
        if off < sure:
            off = abs(eight / 100 - int(eight / 100 + 0.5)) * 100
            if off < sure:
                return f"{value:.6g}"
            if off > half:
                off = abs(eight / 10 - int(eight / 10 + 0.5)) * 10
                if off < sure:
                    return f"{value:.7g}"
                if off > half:
                    return f"{value:.8g}"
        elif off > half:
            return f"{value:.9g}"
    return _any_text(value, single=True)


def _any_text(value: float, *, single: bool) -> str:
    count = count_of_float(value, single=single)
    if isinstance(count, Decimal):
        return decimal_text(count)
    return "null" if count is None else str(count)


def _shortest_single(value: float) -> str:
    wanted = _FLOAT32.pack(value)
    for digits in (6, 7, 8):
        text = f"{value:.{digits}g}"
        try:
            if _FLOAT32.pack(float(text)) == wanted:
                return text
        except OverflowError:  # rounded up beyond the largest 32-bit float
            continue
    return f"{value:.9g}"
