"""Cutting a lane's inventory into parts, each of which fits well into a message."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from core.delivery.actions import SendInventory
from core.delivery.frames import Lane
from core.delivery.messages import Block, Ended, Gone

PART_ENTRIES = 500
"""Most entries of one part [1]; deflated they take some 20 bytes each, 10 s of the slowest link."""


class Past(NamedTuple):
    """A lane's epoch table: where each epoch ends, and the ranges that no longer exist."""

    epochs: tuple[Ended, ...]
    gone: tuple[Gone, ...]


def parts_of(
    lane: Lane, sequence: int, blocks: Sequence[Block], past: Past, draw: Callable[[], str]
) -> tuple[SendInventory, ...]:
    """Return the parts of an inventory, one at least: the epochs first, then the blocks and ranges.

    Parameters
    ----------
    lane, sequence
        Whose it is, and its number in this run of the agent.
    blocks
        All frames on disk.
    past
        The epoch table.
    draw
        Gives the number of each part.
    """
    chunks = tuple(_chunks(past.epochs, blocks, past.gone)) or (((), (), ()),)
    return tuple(
        SendInventory(lane, draw(), sequence, part, len(chunks), some_blocks, epochs, gone)
        for part, (epochs, some_blocks, gone) in enumerate(chunks)
    )


def _chunks(
    epochs: Sequence[Ended], blocks: Sequence[Block], gone: Sequence[Gone]
) -> Iterator[tuple[tuple[Ended, ...], tuple[Block, ...], tuple[Gone, ...]]]:
    """Consecutive entries of the three lists, taken for one list."""
    end_of_blocks = len(epochs) + len(blocks)
    for start in range(0, end_of_blocks + len(gone), PART_ENTRIES):
        stop = start + PART_ENTRIES
        yield (
            tuple(epochs[start:stop]),
            tuple(blocks[max(0, start - len(epochs)) : max(0, stop - len(epochs))]),
            tuple(gone[max(0, start - end_of_blocks) : max(0, stop - end_of_blocks)]),
        )
