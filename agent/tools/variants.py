"""What words mean when they are read in another way (pure)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from typing import Final

from agent.modbus.decode import decode_value
from agent.modbus.plan import RegisterPoint, is_bits
from config.profile import ByteOrder, Measure, Place, ValueType, WordOrder
from core.metering.quantities import Unit

Words = Mapping[tuple[int, int], int]
"""What was read: function and address → word [0 to 65535] (a bit in functions 1 and 2)."""

_TYPES: Final = {
    1: (ValueType.INT16, ValueType.UINT16),
    2: (ValueType.INT32, ValueType.UINT32, ValueType.FLOAT32),
    3: (ValueType.INT48, ValueType.UINT48),
    4: (ValueType.INT64, ValueType.UINT64, ValueType.FLOAT64),
}
"""Types of one width that are taken for each other; decimal ones only instead of binary ones."""
_DECIMAL: Final = {
    2: (ValueType.MOD10K32, ValueType.BCD32),
    3: (ValueType.MOD10K48, ValueType.BCD48),
    4: (ValueType.MOD10K64, ValueType.BCD64),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A point as it is configured.

    Attributes
    ----------
    name
        Name inside the device.
    measure
        What a count of it means.
    register
        Where it stands and how it is encoded.
    witness
        Whether the profile has it and the configuration does not read it.
    """

    name: str
    measure: Measure
    register: RegisterPoint
    witness: bool = False

    @property
    def base_factor(self) -> float:
        """What the value is multiplied by to be in the quantity's base unit [1]."""
        return float(self.measure.unit.factor_to(self.measure.quantity.unit))


@dataclass(frozen=True, slots=True)
class Variant:
    """Another way to read a point; the default changes nothing.

    Attributes
    ----------
    shift
        Registers further on that the value really starts [words].
    factor
        Multiplies the configured scale.
    type
        Type instead of the configured one.
    function
        Function instead of the configured one.
    """

    swap_words: bool = False
    swap_bytes: bool = False
    shift: int = 0
    factor: Fraction = Fraction(1)
    type: ValueType | None = None
    function: int | None = None

    def applied(self, register: RegisterPoint) -> RegisterPoint:
        """Return the register as it is read in this way."""
        word_order, byte_order = register.word_order, register.byte_order
        if self.swap_words:
            word_order = WordOrder.LSW_FIRST if word_order is WordOrder.MSW_FIRST else WordOrder.MSW_FIRST
        if self.swap_bytes:
            byte_order = ByteOrder.LITTLE if byte_order is ByteOrder.BIG else ByteOrder.BIG
        scale = register.scale_register
        return replace(
            register,
            parts=tuple(
                Place(part.address + self.shift, self.type or part.type, part.weight)
                for part in register.parts
            ),
            word_order=word_order,
            byte_order=byte_order,
            function=self.function or register.function,
            scale_register=(
                scale and scale.model_copy(update={"address": max(0, scale.address + self.shift)})
            ),
        )


AS_CONFIGURED: Final = Variant()


@dataclass(frozen=True, slots=True)
class Number:
    """A value that was read.

    Attributes
    ----------
    read
        Whether the device gave its words.
    value
        In the point's unit [unit]; None where the words are no value.
    step
        Smallest change that the register can show [unit].
    words
        What was received, in the order of the wire, a tuple for each part.
    """

    read: bool
    value: Fraction | float | None = None
    step: float = 0.0
    words: tuple[tuple[int, ...], ...] = field(default=())


UNREAD: Final = Number(read=False)


def read_number(entry: Entry, variant: Variant, words: Words) -> Number:
    """Return what words mean for a point.

    Parameters
    ----------
    entry
        The point as configured.
    variant
        How it is read instead.
    words
        Everything that was received.
    """
    register = variant.applied(entry.register)
    if register.start < 0 or register.end > 0x10000:
        return UNREAD
    found = [words.get((register.function, at)) for at in range(register.start, register.end)]
    needed = {at - register.start for place in register.places for at in range(place.address, place.end)}
    if any(found[at] is None for at in needed):
        return UNREAD
    filled = [word or 0 for word in found]
    data = _bits(filled) if is_bits(register.function) else struct.pack(f">{len(filled)}H", *filled)
    count = decode_value(register, data)
    scale = entry.measure.scale * variant.factor
    parts = tuple(
        tuple(filled[part.address - register.start : part.end - register.start]) for part in register.parts
    )
    if count is None:
        return Number(read=True, words=parts)
    value = float(count) * float(scale) if isinstance(count, float) else Fraction(count) * scale
    return Number(True, value, _step(entry, register, count) * float(scale), parts)


def _step(entry: Entry, register: RegisterPoint, count: int | float | Decimal) -> float:
    """The register's step, which a large 32-bit float makes coarse [counts]."""
    step = float(entry.measure.resolution)
    if any(part.type is ValueType.FLOAT32 for part in register.parts) and count:
        step = max(step if step < 1 else 0.0, abs(float(count)) * 2**-23)
    elif any(part.type is ValueType.FLOAT64 for part in register.parts):
        step = step if step < 1 else 0.0
    return step


def _bits(bits: list[int]) -> bytes:
    data = bytearray((len(bits) + 7) // 8)
    for at, bit in enumerate(bits):
        data[at >> 3] |= (bit & 1) << (at & 7)
    return bytes(data)


def other_types(register: RegisterPoint) -> Iterator[ValueType]:
    """Yield the types of the same width that a point's single register could be instead."""
    kinds = {part.type for part in register.parts}
    if len(kinds) != 1:
        return
    (kind,) = kinds
    yield from (
        other for other in (*_TYPES.get(kind.words, ()), *_DECIMAL.get(kind.words, ())) if other is not kind
    )


def family(entry: Entry) -> str:
    """Return what a point is of: energy, power, voltage, current, or its quantity.

    Examples of one family are given in one unit by most devices, so a slip of a unit is in all of them.
    """
    return {
        Unit.WH: "energy",
        Unit.VARH: "energy",
        Unit.VAH: "energy",
        Unit.W: "power",
        Unit.VAR: "power",
        Unit.VA: "power",
        Unit.V: "voltage",
        Unit.A: "current",
    }.get(entry.measure.quantity.unit, entry.measure.quantity.value)
