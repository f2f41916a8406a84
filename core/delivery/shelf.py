"""What the sender remembers of one epoch's frames: some thirty bytes each, and their state as ranges.

A `Shelf` holds what is true of the frames, a `Tray` what one ledger has said of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
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
    """The frames of one epoch in one lane that are on disk."""

    def __init__(self, epoch: str, first: int) -> None:
        self.epoch = epoch
        self.on_disk = Ranges()
        self._base = first
        self._ids = bytearray()
        self._n = array("I")
        self._sizes = array("I")
        self._tables: dict[str, int] = {}
        self._table_of = array("H")

    def add(self, frame: Written) -> None:
        """Put a frame on the shelf; frames come by index, gaps are places that no longer exist."""
        gap = frame.at - (self._base + len(self._n))
        if gap:
            self._ids.extend(bytes(gap * _ID_BYTES))
            for column in (self._n, self._sizes, self._table_of):
                column.frombytes(bytes(gap * column.itemsize))
        self._ids.extend(bytes.fromhex(frame.id))
        self._n.append(frame.n)
        self._sizes.append(frame.size + ENVELOPE_BYTES)
        self._table_of.append(self._tables.setdefault(frame.table, len(self._tables)))
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
        """Yield blocks that cover everything on disk; none crosses a multiple of `BLOCK_FRAMES`."""
        for first, end in self.on_disk:
            while first < end:
                stop = min(end, (first // BLOCK_FRAMES + 1) * BLOCK_FRAMES)
                yield self.block(first, stop)
                first = stop

    def readings(self, spans: Sequence[Span]) -> int:
        """Return the readings in frames [1]."""
        return sum(sum(self._n[first - self._base : end - self._base]) for first, end in spans)

    def size(self, first: int, end: int) -> int:
        """Return the size of consecutive frames in a message [bytes]."""
        return sum(self._sizes[first - self._base : end - self._base])

    def pack(self, places: Ranges, most_bytes: int, most_frames: int) -> tuple[tuple[Span, ...], int]:
        """Choose the first of the places for one message, one frame at least; return them and their size.

        Parameters
        ----------
        places
            Frames on the shelf.
        most_bytes, most_frames
            Bounds of the message [bytes], [1].
        """
        spans: list[Span] = []
        size = frames = 0
        for first, end in places:
            stop = first
            for more in self._sizes[first - self._base : min(end, first + most_frames) - self._base]:
                if frames and (size + more > most_bytes or frames == most_frames):
                    break
                size, frames, stop = size + more, frames + 1, stop + 1
            if stop > first:
                spans.append((first, stop))
            if stop < end:
                break
        return tuple(spans), size

    def tables(self, spans: Sequence[Span]) -> tuple[str, ...]:
        """Return the digests of the point tables that frames use."""
        numbers = {number for a, b in spans for number in self._table_of[a - self._base : b - self._base]}
        return tuple(digest for digest, number in self._tables.items() if number in numbers)

    def forget(self, first: int, end: int) -> None:
        """Take places off the shelf that are no longer on disk."""
        self.on_disk.remove(first, end)
        lowest = next((a for a, _ in self.on_disk), self._base + len(self._n))
        gone = lowest - self._base
        if gone >= _TRIM_FRAMES or not self.on_disk:
            del self._ids[: gone * _ID_BYTES], self._n[:gone], self._sizes[:gone], self._table_of[:gone]
            self._base = lowest


class Tray:
    """What one ledger has said of a shelf's frames in its present life.

    `unjudged` are those that an inventory must settle before they are sent, `todo` those to be sent, `held`
    those that the ledger has named; `given_up` are those that it refused in life after life.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.unjudged = Ranges()
        self.todo = Ranges()
        self.held = Ranges()
        self.given_up = Ranges()
        self.todo_bytes = 0

    def put(self, first: int, end: int) -> None:
        """Let those of the places that are on disk be sent."""
        for a, b in self.shelf.on_disk.within(first, end):
            for c, d in self.todo.missing(a, b):
                self.todo_bytes += self.shelf.size(c, d)
                self.todo.add(c, d)

    def take(self, first: int, end: int) -> tuple[Span, ...]:
        """Take the places out of what is to be sent; return those that were in it."""
        taken = self.todo.within(first, end)
        for a, b in taken:
            self.todo_bytes -= self.shelf.size(a, b)
        self.todo.remove(first, end)
        return taken

    def unheld(self) -> tuple[Span, ...]:
        """Return the places that are on disk and that the ledger has not named in its present life."""
        return tuple(gap for first, end in self.shelf.on_disk for gap in self.held.missing(first, end))

    def unhold(self) -> None:
        """Forget what was held and sent: an inventory must settle everything anew."""
        self.held, self.todo, self.todo_bytes = Ranges(), Ranges(), 0
        self.unjudged = Ranges(self.shelf.on_disk)

    def forget(self, first: int, end: int) -> bool:
        """Take places off that are leaving the shelf; tell whether the ledger lacks any of them."""
        lacked = any(self.held.missing(a, b) for a, b in self.shelf.on_disk.within(first, end))
        self.take(first, end)
        for ranges in (self.unjudged, self.held, self.given_up):
            ranges.remove(first, end)
        return lacked
