"""From words to counts (pure): an invalid pattern never becomes a number."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from decimal import Context, Decimal
from typing import Final

from agent.counts import count_of_float
from agent.modbus.plan import Block
from config.profile import ValueType, WordOrder
from core.metering.readings import Count, canonical_count

_CODES: Final = {
    ValueType.INT16: "h",
    ValueType.UINT16: "H",
    ValueType.INT32: "i",
    ValueType.UINT32: "I",
    ValueType.INT64: "q",
    ValueType.UINT64: "Q",
    ValueType.FLOAT32: "f",
    ValueType.FLOAT64: "d",
}
_EXACT: Final = Context(prec=700)
"""Wide enough to add any two 64-bit floats without rounding."""


class _Value:
    """One encoded number inside a block."""

    __slots__ = ("_is_float", "_not_available", "_offset", "_single", "_size", "_struct", "_swap")

    def __init__(self, offset: int, kind: ValueType, order: WordOrder, not_available: int | None) -> None:
        self._struct = struct.Struct(f">{_CODES[kind]}")
        self._offset = 2 * offset
        self._size = 2 * kind.words
        self._swap = order is WordOrder.LSW_FIRST and kind.words > 1
        self._is_float = kind.is_float
        self._single = kind is ValueType.FLOAT32
        self._not_available = not_available

    def count(self, raw: bytes) -> Count | None:
        if self._swap:
            words = raw[self._offset : self._offset + self._size]
            swapped = b"".join(words[at : at + 2] for at in range(self._size - 2, -2, -2))
            (value,) = self._struct.unpack(swapped)
        else:
            (value,) = self._struct.unpack_from(raw, self._offset)
        if self._is_float:
            return count_of_float(value, single=self._single)
        return None if value == self._not_available else int(value)


class BlockDecoder:
    """Decodes one block; everything that does not depend on the words is prepared once."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self._pack = struct.Struct(f">{block.count}H").pack
        self._points = tuple(
            (
                point.point,
                tuple(
                    _Value(address - block.address, point.type, point.word_order, point.not_available)
                    for address in point.addresses
                ),
            )
            for point in block.points
        )

    def counts(self, words: Sequence[int]) -> list[tuple[str, Count | None]]:
        """Return each point's count [counts], None where the device says that it has no value.

        Parameters
        ----------
        words
            The block's registers, exactly as many as it has [0 to 65535].
        """
        raw = self._pack(*words)
        return [
            (point, values[0].count(raw) if len(values) == 1 else _sum(values, raw))
            for point, values in self._points
        ]


def _sum(values: Sequence[_Value], raw: bytes) -> Count | None:
    counts = [value.count(raw) for value in values]
    total: Count = 0
    for count in counts:
        if count is None:
            return None
        if isinstance(total, int) and isinstance(count, int):
            total += count
        else:
            total = canonical_count(_EXACT.add(Decimal(total), Decimal(count)))
    return total
