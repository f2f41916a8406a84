"""Counts of float registers (pure): shared by every protocol."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from typing import Final

from core.metering.readings import Count, canonical_count

_FLOAT32: Final = struct.Struct(">f")
_WHOLE_LIMIT: Final = 2.0**53
_WHOLE_LIMIT_SINGLE: Final = 2.0**24


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
