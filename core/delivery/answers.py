"""What a ledger answers: acks and wants, none of them too long for a broker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.delivery.frames import BLOCK_FRAMES, Frame, Lane, block_digest
from core.delivery.messages import Ack, Block, Inventory, Range, Want
from core.delivery.ranges import runs

ENTRIES = 2000
"""Most ids, blocks or ranges in one answer, so that it stays far below the size that brokers take."""


class AckDraft:
    """What one lane of one agent will be told of its data messages."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}
        self._blocks: dict[Block, None] = {}
        self.need: dict[str, None] = {}
        self.refused: list[tuple[str, str]] = []

    def add(self, frames: Sequence[Frame]) -> None:
        """Name frames of one message: runs by a digest, single ones by id."""
        by_index: dict[int, Frame] = {}
        for frame in sorted(frames, key=lambda frame: frame.index):
            if by_index.setdefault(frame.index, frame) is not frame:
                self._ids[frame.id] = None
        for first, stop in runs(by_index):
            copies = [(by_index[at].id, by_index[at].n) for at in range(first, stop)]
            if len(copies) == 1:
                self._ids[copies[0][0]] = None
                continue
            for start in range(0, len(copies), BLOCK_FRAMES):
                part = copies[start : start + BLOCK_FRAMES]
                self._blocks[block_of(frames[0].epoch, first + start, part)] = None

    def acks(self, life: str, lane: Lane) -> Iterator[Ack]:
        """Yield the acks, none of them too long."""
        ids, blocks, refused = tuple(self._ids), tuple(self._blocks), tuple(self.refused)
        for start in range(0, max(len(ids), len(blocks), len(refused), 1), ENTRIES):
            part = slice(start, start + ENTRIES)
            yield Ack(
                life=life,
                lane=lane,
                ids=ids[part],
                held=blocks[part],
                need=tuple(self.need) if start == 0 else (),
                refused=refused[part],
            )


def on_inventory(
    message: Inventory,
    life: str,
    lane: Lane,
    *,
    held: Sequence[Block],
    wanted: Sequence[Range],
    need: Sequence[str],
) -> Iterator[Ack | Want]:
    """Yield the answers to one message of an inventory: what of it is held, what is wanted."""
    for start in range(0, max(len(held), 1), ENTRIES):
        yield Ack(
            life=life,
            lane=lane,
            inventory=message.number,
            held=tuple(held[start : start + ENTRIES]),
            need=tuple(need) if start == 0 else (),
        )
    for start in range(0, len(wanted), ENTRIES):
        ranges = tuple(wanted[start : start + ENTRIES])
        yield Want(life=life, lane=lane, inventory=message.number, ranges=ranges)


def block_of(epoch: str, first: int, copies: Sequence[tuple[str, int]]) -> Block:
    """Return the block of consecutive frames with these ids and readings."""
    ids = bytes.fromhex("".join(id for id, _ in copies))
    return Block(epoch, first, len(copies), sum(n for _, n in copies), block_digest(ids))
