"""What the sender remembers of one epoch's frames: some forty bytes each, and their state as ranges."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from core.delivery.frames import BLOCK_FRAMES, Lane, block_digest
from core.delivery.messages import Block
from core.delivery.ranges import Ranges, Span

ENVELOPE_BYTES = 20
"""What a frame adds to a message beside its payload [bytes]."""

_ID_BYTES = 16
_TRIM_FRAMES = 4096


class Written(NamedTuple):
    """A durable frame, without its contents; `size` is its payload's [bytes]."""

    lane: Lane
    epoch: str
    at: int
    n: int
    id: str
    table: str
    size: int


class Shelf:
    """The frames of one epoch in one lane that are on disk.

    `unjudged` are those that an inventory must settle before they are sent, `todo` those to be sent,
    `held` those that the ledger has named in its present life.
    """

    def __init__(self, epoch: str, first: int) -> None:
        self.epoch = epoch
        self.on_disk = Ranges()
        self.unjudged = Ranges()
        self.todo = Ranges()
        self.held = Ranges()
        self.todo_bytes = 0
        self._base = first
        self._ids = bytearray()
        self._n = array("Q")
        self._sizes = array("Q")
        self._tables: list[tuple[int, str]] = []

    def add(self, frame: Written) -> None:
        """Put a frame on the shelf; frames come by index, gaps are places that no longer exist."""
        gap = frame.at - (self._base + len(self._n))
        if gap:
            self._ids.extend(bytes(gap * _ID_BYTES))
            self._n.extend([0] * gap)
            self._sizes.extend([0] * gap)
        self._ids.extend(bytes.fromhex(frame.id))
        self._n.append(frame.n)
        self._sizes.append(frame.size + ENVELOPE_BYTES)
        if not self._tables or self._tables[-1][1] != frame.table:
            self._tables.append((frame.at, frame.table))
        self.on_disk.add(frame.at, frame.at + 1)

    def id_of(self, at: int) -> str:
        """Return the id of a frame."""
        start = (at - self._base) * _ID_BYTES
        return self._ids[start : start + _ID_BYTES].hex()

    def block(self, first: int, end: int) -> Block:
        """Return the block of consecutive frames, by the digest of their ids."""
        start, stop = first - self._base, end - self._base
        ids = bytes(self._ids[start * _ID_BYTES : stop * _ID_BYTES])
        return Block(self.epoch, first, end - first, sum(self._n[start:stop]), block_digest(ids))

    def blocks(self) -> Iterator[Block]:
        """Yield blocks that cover everything on disk."""
        for first, end in self.on_disk:
            for start in range(first, end, BLOCK_FRAMES):
                yield self.block(start, min(start + BLOCK_FRAMES, end))

    def put(self, first: int, end: int) -> None:
        """Let those of the places that are on disk be sent."""
        for a, b in self.on_disk.within(first, end):
            for c, d in self.todo.missing(a, b):
                self.todo_bytes += self._bytes(c, d)
                self.todo.add(c, d)

    def take(self, first: int, end: int) -> None:
        """Take the places out of what is to be sent."""
        for a, b in self.todo.within(first, end):
            self.todo_bytes -= self._bytes(a, b)
        self.todo.remove(first, end)

    def next_message(self, most_bytes: int, most_frames: int) -> tuple[tuple[Span, ...], str, int]:
        """Return what to send first: places, the point table they share, and their size [bytes]."""
        spans: list[Span] = []
        table, size, frames = "", 0, 0
        for first, end in self.todo:
            stop = first
            for at in range(first, end):
                more = self._sizes[at - self._base]
                if frames and (size + more > most_bytes or frames == most_frames or self._table(at) != table):
                    break
                table = table or self._table(at)
                size, frames, stop = size + more, frames + 1, at + 1
            if stop > first:
                spans.append((first, stop))
            if stop < end:
                break
        return tuple(spans), table, size

    def unheld(self) -> Iterator[Span]:
        """Yield the places that are on disk and that the ledger has not named in its present life."""
        for first, end in self.on_disk:
            yield from self.held.missing(first, end)

    def readings(self, first: int, end: int) -> int:
        """Return the readings in consecutive frames [1]."""
        return sum(self._n[first - self._base : end - self._base])

    def unhold(self) -> None:
        """Forget what was held and sent: an inventory must settle everything anew."""
        self.held, self.todo, self.todo_bytes = Ranges(), Ranges(), 0
        self.unjudged = Ranges(self.on_disk)

    def forget(self, first: int, end: int) -> None:
        """Take places off the shelf that are no longer on disk."""
        self.take(first, end)
        for ranges in (self.on_disk, self.unjudged, self.held):
            ranges.remove(first, end)
        lowest = next((a for a, _ in self.on_disk), self._base + len(self._n))
        gone = lowest - self._base
        if gone >= _TRIM_FRAMES or not self.on_disk:
            del self._ids[: gone * _ID_BYTES], self._n[:gone], self._sizes[:gone]
            self._base = lowest

    def _table(self, at: int) -> str:
        """The point table of a frame: that of the last change before it."""
        return next(table for first, table in reversed(self._tables) if first <= at)

    def _bytes(self, first: int, end: int) -> int:
        """Size of places in a message [bytes]."""
        return sum(self._sizes[first - self._base : end - self._base])
