"""Which registers are read together (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from agent.modbus.wire import MAX_BITS
from config.profile import ByteOrder, Place, ScaleRegister, WordOrder


@dataclass(frozen=True, slots=True)
class RegisterPoint:
    """One value: where it stands, and how it is encoded.

    Parameters
    ----------
    point
        Id of the point.
    parts
        Registers whose weighted sum is the count, each in a type of its own; one for most points.
    word_order, byte_order
        Of every part.
    function
        Modbus function 1 to 4; in 1 and 2 an address counts bits.
    bit
        Which bit of the register, 0 to 15; None: all of them.
    not_available
        Bit patterns, unsigned and as wide as the type, that are no number.
    scale_register
        The power of ten beside the value, read with it.
    in_model
        Whether addresses are offsets in a SunSpec model.
    """

    point: str
    parts: tuple[Place, ...]
    word_order: WordOrder = WordOrder.MSW_FIRST
    byte_order: ByteOrder = ByteOrder.BIG
    function: int = 3
    bit: int | None = None
    not_available: tuple[int, ...] = ()
    scale_register: ScaleRegister | None = None
    in_model: bool = False

    @property
    def places(self) -> tuple[Place, ...]:
        """All registers that it needs, its power of ten among them."""
        register = self.scale_register
        return self.parts if register is None else (*self.parts, Place(register.address, register.type, 1))

    @property
    def start(self) -> int:
        """First register [word], or bit in functions 1 and 2."""
        return min(place.address for place in self.places)

    @property
    def end(self) -> int:
        """First register after it [word], or bit in functions 1 and 2."""
        return max(place.end for place in self.places)

    @property
    def register(self) -> str:
        """Its registers as a point table names them, ``modbus 801+805 float64``."""
        kinds = {part.type for part in self.parts}
        terms = [
            f"{'sunspec+' if self.in_model and at == 0 else ''}{part.address}"
            f"{f' {part.type.value}' if len(kinds) > 1 else ''}"
            f"{f'*{part.weight}' if part.weight != 1 else ''}"
            for at, part in enumerate(self.parts)
        ]
        text = "modbus " + "+".join(terms)
        if len(kinds) == 1:
            text += f" {self.parts[0].type.value}"
        if self.bit is not None:
            text += f" {self.bit}"
        return text if self.scale_register is None else f"{text} scaled by {self.scale_register.address}"


@dataclass(frozen=True, slots=True)
class Block:
    """Registers (bits in functions 1 and 2) of one request, and the values in them."""

    function: int
    address: int
    count: int
    points: tuple[RegisterPoint, ...]

    @classmethod
    def of(cls, points: Sequence[RegisterPoint]) -> Block:
        """Return the shortest block that holds some points of one function."""
        start = min(point.start for point in points)
        return cls(points[0].function, start, max(point.end for point in points) - start, tuple(points))

    @property
    def end(self) -> int:
        """First register after it [word], or bit in functions 1 and 2."""
        return self.address + self.count


class Hole(NamedTuple):
    """Registers from `first` to before `end` that a device refuses."""

    function: int
    first: int
    end: int


def plan(
    points: Iterable[RegisterPoint],
    *,
    gap: int,
    limit: int,
    bit_limit: int = MAX_BITS,
    forbidden: Sequence[tuple[int, int]] = (),
    holes: Iterable[Hole] = (),
) -> tuple[Block, ...]:
    """Return the fewest blocks, by function and address, that hold each value whole.

    Parameters
    ----------
    points
        Values of one unit.
    gap
        Most unused registers to read along between two values [words].
    limit, bit_limit
        Most registers of one request [words], and most bits of functions 1 and 2 [1].
    forbidden
        First and last register of ranges that are never read.
    holes
        Registers that are not read along; a value of which they are part is still asked for.

    Raises
    ------
    ValueError
        If a value alone is longer than the limit, or touches a forbidden range.
    """
    barriers = [*holes, *(Hole(each, first, last + 1) for first, last in forbidden for each in range(1, 5))]
    ordered = sorted(points, key=lambda each: (each.function, each.start, each.end, each.point))
    blocks: list[Block] = []
    for function, group in groupby(ordered, key=lambda each: each.function):
        longest = bit_limit if is_bits(function) else limit
        own = [barrier for barrier in barriers if barrier.function == function]
        blocks += _joined(group, gap=gap, longest=longest, barriers=own)
    for block in blocks:
        for first, last in forbidden:
            if block.address <= last and first < block.end:
                raise ValueError(f"{block.points[0].point} needs registers in {first} to {last}: forbidden")
    return tuple(blocks)


def _joined(
    points: Iterable[RegisterPoint], *, gap: int, longest: int, barriers: list[Hole]
) -> Iterator[Block]:
    """Yield the blocks of one function: each takes all values, in order, that it may.

    No value crosses a barrier, and a value that fits into a block already left also fits into the next
    one, which starts not after it; so there is no way with fewer blocks.
    """
    taken: list[RegisterPoint] = []
    start = end = 0
    for point in points:
        if point.end - point.start > longest:
            raise ValueError(f"{point.point} spans {point.end - point.start} registers, more than {longest}")
        if taken and not (
            point.start - end <= gap
            and max(end, point.end) - start <= longest
            and all(barrier.end <= end or point.start <= barrier.first for barrier in barriers)
        ):
            yield Block.of(taken)
            taken = []
        if not taken:
            start = end = point.start
        taken.append(point)
        end = max(end, point.end)
    if taken:
        yield Block.of(taken)


def is_bits(function: int) -> bool:
    """Return whether a function reads single bits instead of registers."""
    return function in (1, 2)
