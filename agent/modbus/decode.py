"""From the bytes of a reply to counts (pure): an invalid pattern never becomes a number.

A block is unpacked by one prepared `struct` that skips what is not wanted. Byte and word orders cost
nothing then: little-endian formats read values whose every byte is reversed, and for the two mixed orders
the bytes of all words are swapped first.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

from agent.modbus.cells import Cell, Recipe, cells_of, getter, swapped
from agent.modbus.plan import Block, RegisterPoint, is_bits
from agent.readings import Shape, Value
from config.profile import ByteOrder, ValueType


def decode_value(point: RegisterPoint, data: bytes) -> Value:
    """Return the count of one point [counts], None where the device says that it has no value.

    Parameters
    ----------
    point
        Where its parts stand, and how they are encoded.
    data
        The registers from the point's first to its last, as they came.

    Raises
    ------
    ValueError
        If there are more or fewer registers.
    """
    return BlockDecoder(Block.of((point,))).values(data)[0]


def decode_text(data: bytes, byte_order: ByteOrder = ByteOrder.BIG) -> str:
    r"""Return the text in registers, without the zeros and spaces that fill it up.

    Examples
    --------
    >>> decode_text(b"EM24-DIN\0\0"), decode_text(b"ME42", ByteOrder.LITTLE)
    ('EM24-DIN', 'EM24')
    """
    raw = data if byte_order is ByteOrder.BIG else bytes(swapped(data))
    text = raw.split(b"\0", 1)[0].decode("latin-1")
    return "".join(letter for letter in text if letter.isprintable()).strip()


class BlockDecoder:
    """Decodes one block; everything that does not depend on the reply is prepared once.

    Parameters
    ----------
    block
        What is read.

    Attributes
    ----------
    block
        The same.
    shape
        The points whose values come out, in their order.
    """

    def __init__(self, block: Block) -> None:
        self.block = block
        self.shape = Shape(
            tuple(point.point for point in block.points),
            tuple(point.parts[0].type is ValueType.FLOAT32 for point in block.points),
        )
        self.is_scaled = any(point.scale_register is not None for point in block.points)
        self._bits = is_bits(block.function)
        self._size = (block.count + 7) // 8 if self._bits else 2 * block.count
        self._cells: tuple[Cell, ...] = ()
        self._layers: tuple[tuple[bool, Callable[[Any], tuple[Any, ...]]], ...] = ()
        if not self._bits:
            self._prepare()

    def _prepare(self) -> None:
        wanted = [cells_of(point, self.block.address) for point in self.block.points]
        layers = _layers(sorted({cell for each in wanted for cell in each}, key=lambda cell: cell.offset))
        cells = self._cells = tuple(cell for layer in layers for cell in layer)
        self._layers = tuple((layer[0].swap, _unpacker(layer, self._size)) for layer in layers)
        at = {cell: number for number, cell in enumerate(cells)}
        recipes = [
            Recipe(point, [at[cell] for cell in own])
            for point, own in zip(self.block.points, wanted, strict=True)
        ]
        first = [recipe.at[0] for recipe in recipes]
        self._pick = None if first == [*range(len(cells))] else getter(first)
        self._combined = [(number, recipe) for number, recipe in enumerate(recipes) if not recipe.plain]
        self._odd = not all(cell.code for cell in cells)
        self._suspects = frozenset(number for cell in cells for number in cell.suspects)
        floats = [number for number, cell in enumerate(cells) if cell.type.is_float]
        self._has_floats = bool(floats)
        self._floats = None if len(floats) == len(cells) else getter(floats)

    def values(self, data: bytes) -> list[Value]:
        """Return each point's value [counts], None where the device says that it has none.

        Parameters
        ----------
        data
            The block's registers or bits as they came on the wire.

        Raises
        ------
        ValueError
            If there are more or fewer bytes than the block has.
        """
        if len(data) != self._size:
            raise ValueError(f"{len(data)} bytes for a block of {self._size}")
        if self._bits:
            return [self._bit(point, data) for point in self.block.points]
        cells = self._unpacked(data)
        if self._doubtful(cells):
            cells = self._judged(cells)
        values: list[Value] = list(cells if self._pick is None else self._pick(cells))
        for number, recipe in self._combined:
            values[number] = recipe.count(cells)
        return values

    def exponents(self, data: bytes) -> dict[str, int]:
        """Return the powers of ten that a reply holds, by point; those that are not allowed are left out."""
        cells = self._judged(self._unpacked(data))
        found = ((self.shape.points[number], recipe.exponent(cells)) for number, recipe in self._combined)
        return {point: exponent for point, exponent in found if exponent is not None}

    def _unpacked(self, data: bytes) -> tuple[Any, ...]:
        raw: tuple[Any, ...] = ()
        for swap, unpack in self._layers:
            raw += unpack(swapped(data) if swap else data)
        return raw

    def _doubtful(self, cells: Sequence[Any]) -> bool:
        """Whether a cell may hold no number: a sum is finite only if everything that was added is."""
        if self._odd or not self._suspects.isdisjoint(cells):
            return True
        return self._has_floats and not math.isfinite(
            sum(cells if self._floats is None else self._floats(cells))
        )

    def _judged(self, cells: Sequence[Any]) -> tuple[Value, ...]:
        return tuple(cell.judged(raw) for cell, raw in zip(self._cells, cells, strict=True))

    def _bit(self, point: RegisterPoint, data: bytes) -> Value:
        at = point.parts[0].address - self.block.address
        bit = data[at >> 3] >> (at & 7) & 1
        return None if bit in point.not_available else bit


def _layers(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Cells by offset as few lists of one order each, in which none overlaps the next."""
    layers: list[list[Cell]] = []
    for cell in cells:
        for layer in layers:
            last = layer[-1]
            same_order = (last.swap, last.little) == (cell.swap, cell.little)
            if same_order and last.offset + last.size <= cell.offset:
                layer.append(cell)
                break
        else:
            layers.append([cell])
    return layers


def _unpacker(layer: Sequence[Cell], size: int) -> Callable[[Any], tuple[Any, ...]]:
    """One `struct` for all cells of a layer, with pad bytes between them."""
    form, end = "<" if layer[0].little else ">", 0
    for cell in layer:
        form += f"{cell.offset - end}x{cell.code or f'{cell.size}s'}"
        end = cell.offset + cell.size
    return struct.Struct(f"{form}{size - end}x").unpack
