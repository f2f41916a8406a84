"""Which registers are read together (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.modbus.wire import MAX_WORDS
from config.profile import ValueType, WordOrder

DEFAULT_GAP = 16
"""Unused registers that are read along rather than asked around [words]."""
SINGLY = -1
"""A gap by which every point gets a request of its own."""


@dataclass(frozen=True, slots=True)
class RegisterPoint:
    """One value: where it stands, and how it is encoded; several addresses are added exactly."""

    point: str
    addresses: tuple[int, ...]
    type: ValueType
    word_order: WordOrder
    not_available: int | None = None

    @property
    def start(self) -> int:
        """First register [word]."""
        return min(self.addresses)

    @property
    def end(self) -> int:
        """First register after it [word]."""
        return max(self.addresses) + self.type.words

    @property
    def register(self) -> str:
        """Its registers as a point table names them, ``modbus 801+805 float64``."""
        return f"modbus {'+'.join(map(str, self.addresses))} {self.type.value}"


@dataclass(frozen=True, slots=True)
class Block:
    """Registers of one request, and the values in them."""

    address: int
    count: int
    points: tuple[RegisterPoint, ...]


def plan(
    points: Iterable[RegisterPoint], *, gap: int = DEFAULT_GAP, limit: int = MAX_WORDS
) -> tuple[Block, ...]:
    """Return the fewest blocks, in address order, that hold each value whole.

    Parameters
    ----------
    points
        Values of one unit and one function.
    gap
        Most unused registers to read along between two values [words]; `SINGLY` merges nothing.
    limit
        Most registers of one request [words].

    Raises
    ------
    ValueError
        If a value alone is longer than the limit.
    """
    blocks: list[list[RegisterPoint]] = []
    start = end = 0
    for point in sorted(points, key=lambda each: (each.start, each.end)):
        if point.end - point.start > limit:
            raise ValueError(f"{point.point} spans {point.end - point.start} words, more than {limit}")
        if blocks and gap != SINGLY and point.start - end <= gap and max(end, point.end) - start <= limit:
            blocks[-1].append(point)
            end = max(end, point.end)
        else:
            blocks.append([point])
            start, end = point.start, point.end
    return tuple(
        Block(first[0].start, max(point.end for point in first) - first[0].start, tuple(first))
        for first in blocks
    )
