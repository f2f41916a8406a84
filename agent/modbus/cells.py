"""Numbers as they stand in a block, and how counts are made of them (pure)."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from operator import itemgetter
from typing import Any, Final

from agent.counts import count_of_float
from agent.modbus.plan import RegisterPoint
from agent.readings import Value
from config.profile import ByteOrder, ValueType, WordOrder
from core.metering.readings import Count, canonical_count

_CODES: Final = {
    ValueType.INT8_HIGH: "b",
    ValueType.INT8_LOW: "b",
    ValueType.UINT8_HIGH: "B",
    ValueType.UINT8_LOW: "B",
    ValueType.INT16: "h",
    ValueType.UINT16: "H",
    ValueType.BIT: "H",  # the register that the bit stands in
    ValueType.INT32: "i",
    ValueType.UINT32: "I",
    ValueType.INT64: "q",
    ValueType.UINT64: "Q",
    ValueType.FLOAT16: "e",
    ValueType.FLOAT32: "f",
    ValueType.FLOAT64: "d",
}
"""Types that `struct` unpacks to their number; all others come as bytes."""
_EXACT: Final = Context(prec=700)
"""Wide enough to add any two 64-bit floats without rounding."""
_BASE: Final = 10_000


def swapped(data: bytes) -> array[int]:
    """Return registers with the two bytes of each word exchanged."""
    words = array("H", data)
    words.byteswap()
    return words


def getter(numbers: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """Return what picks these items of a sequence, as a tuple even where it is one."""
    if len(numbers) == 1:
        (number,) = numbers
        return lambda items: (items[number],)
    return itemgetter(*numbers) if numbers else lambda items: ()


@dataclass(frozen=True)
class Cell:
    """One number in a block.

    Parameters
    ----------
    offset
        Where it starts [bytes].
    type, word_order, byte_order
        How it is encoded.
    not_available
        Bit patterns, unsigned and as wide as the type, that are no number.
    """

    offset: int
    type: ValueType
    word_order: WordOrder
    byte_order: ByteOrder
    not_available: tuple[int, ...]

    @property
    def size(self) -> int:
        """Width [bytes]."""
        return self.type.pattern_bits // 8

    @property
    def code(self) -> str:
        """Its letter in a `struct`, empty where its bytes are taken."""
        return _CODES.get(self.type, "")

    @property
    def little(self) -> bool:
        """Whether its least significant byte comes first, once the bytes of words are in order."""
        return self.word_order is WordOrder.LSW_FIRST

    @property
    def swap(self) -> bool:
        """Whether the bytes of its words have to be exchanged first."""
        return self.little is (self.byte_order is ByteOrder.BIG)

    @property
    def suspects(self) -> tuple[float, ...]:
        """What `struct` makes of the patterns that are no number; other types are always judged."""
        if not self.code:
            return ()
        one = struct.Struct(f">{self.code}")
        return tuple(one.unpack(pattern.to_bytes(self.size, "big"))[0] for pattern in self.not_available)

    def judged(self, raw: Any) -> Value:
        """Return what was unpacked as a number [counts], None where it is none."""
        if isinstance(raw, bytes):
            raw = raw[::-1] if self.little else raw
            return None if int.from_bytes(raw, "big") in self.not_available else _number(self.type, raw)
        if self.not_available:
            pattern = struct.pack(f">{self.code}", raw)
            if int.from_bytes(pattern, "big") in self.not_available:
                return None
        number: int | float = raw
        return number if isinstance(number, int) or math.isfinite(number) else None


def _number(kind: ValueType, raw: bytes) -> int | None:
    """A number of the types that `struct` does not know, its most significant byte first."""
    if kind in (ValueType.INT48, ValueType.UINT48):
        return int.from_bytes(raw, "big", signed=kind is ValueType.INT48)
    if kind.value.startswith("bcd"):
        digits = raw.hex()
        return int(digits) if digits.isdecimal() else None
    first, *others = struct.unpack(f">h{len(raw) // 2 - 1}H", raw)
    if any(word >= _BASE for word in others):  # the leading word may use all its bits
        return None
    total: int = first
    for word in others:
        total = total * _BASE + word
    return total


class Recipe:
    """How the count of a point is made of cells.

    Parameters
    ----------
    point
        The point.
    at
        Numbers of its cells: of each part, then of its power of ten.
    """

    def __init__(self, point: RegisterPoint, at: Sequence[int]) -> None:
        self.at = at
        self._bit = point.bit
        self._parts = tuple(
            (number, part.weight, part.type is ValueType.FLOAT32)
            for number, part in zip(at, point.parts, strict=False)
        )
        self._register = point.scale_register
        self.plain = self._register is None and self._bit is None and len(at) == 1 and self._parts[0][1] == 1

    def exponent(self, cells: Sequence[Value]) -> int | None:
        """Return the power of ten beside the value, None where there is none or it is not allowed."""
        if self._register is None:
            return None
        low, high = self._register.exponents
        found = cells[self.at[-1]]
        return found if isinstance(found, int) and low <= found <= high else None

    def count(self, cells: Sequence[Value]) -> Value:
        """Return the exact sum of the parts, scaled [counts]; None where a part or the scale is."""
        if self._bit is not None:
            register = cells[self.at[0]]
            return register >> self._bit & 1 if isinstance(register, int) else None
        total: Count = 0
        for number, weight, single in self._parts:
            part = cells[number]
            count = count_of_float(part, single=single) if isinstance(part, float) else part
            if count is None:
                return None
            total = _add(total, _times(count, weight))
        if self._register is None:
            return total
        exponent = self.exponent(cells)
        return None if exponent is None else _times(total, 10 ** (exponent - self._register.exponents[0]))


def _add(one: Count, other: Count) -> Count:
    if isinstance(one, int) and isinstance(other, int):
        return one + other
    return canonical_count(_EXACT.add(Decimal(one), Decimal(other)))


def _times(count: Count, factor: int) -> Count:
    if isinstance(count, int):
        return count * factor
    return canonical_count(_EXACT.multiply(count, Decimal(factor)))


def cells_of(point: RegisterPoint, origin: int) -> list[Cell]:
    """Return the cells of a point: of each part, then of its power of ten.

    Parameters
    ----------
    point
        The point.
    origin
        First register of the block in which they stand [word].
    """
    places = [(part.address, part.type, point.not_available) for part in point.parts]
    register = point.scale_register
    if register is not None:
        places.append((register.address, register.type, register.not_available))
    return [
        Cell(
            2 * (address - origin) + _half(kind, point.word_order),
            kind,
            point.word_order,
            point.byte_order,
            no,
        )
        for address, kind, no in places
    ]


def _half(kind: ValueType, order: WordOrder) -> int:
    """Where a type of one byte stands in its word once bytes are in order [bytes]; 0 for others."""
    return int(kind.is_half and (kind.value.endswith("_low") is (order is WordOrder.MSW_FIRST)))
