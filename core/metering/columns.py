"""Columns of whole numbers as bytes, each as wide as its largest needs; little-endian."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from struct import Struct

from core.metering.readings import Count

_ARRAYS = {1: "B", 2: "H", 4: "I", 8: "Q"}


def decimals_of(count: Count) -> int:
    """Return how many decimals a count has [1]."""
    if isinstance(count, int):
        return 0
    exponent = count.as_tuple().exponent
    assert isinstance(exponent, int)  # a reading's count is finite
    return max(0, -exponent)


def shifted(count: Count, decimals: int) -> int:
    """Return the count times 10 to the decimals; whole, for they suffice."""
    numerator, denominator = count.as_integer_ratio()
    return numerator * int(10**decimals) // denominator


def unshifted(value: int, decimals: int) -> Count:
    """Return the canonical count of a shifted one."""
    while decimals and value % 10 == 0:
        value, decimals = value // 10, decimals - 1
    if not decimals:
        return value
    return Decimal((int(value < 0), tuple(map(int, str(abs(value)))), -decimals))


def width_of(largest: int) -> int:
    """Return the bytes of a column: as its largest value needs, up to 8 a width that an array has."""
    width = (largest.bit_length() + 7) // 8
    return next((array for array in (0, *_ARRAYS) if array >= width), width)


@lru_cache(maxsize=512)
def array(n: int, width: int) -> Struct:
    """Return how n whole numbers of a width stand one after the other."""
    return Struct(f"<{n}{_ARRAYS[width]}")


def column(values: list[int], width: int) -> bytes:
    """Return whole numbers as bytes of a width each [bytes]."""
    if width in _ARRAYS:
        return array(len(values), width).pack(*values)
    return b"".join(value.to_bytes(width, "little") for value in values)


def values_of(data: bytes, at: int, n: int, width: int) -> tuple[int, ...]:
    """Return the n whole numbers of a column that begins at a place in some bytes."""
    if not width:
        return (0,) * n
    if width in _ARRAYS:
        return array(n, width).unpack_from(data, at)
    return tuple(int.from_bytes(data[at + i * width : at + (i + 1) * width], "little") for i in range(n))
