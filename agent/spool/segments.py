"""Segment files: the frames of one stream from one index on, appended and unlinked as a whole."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from agent.spool.files import sync_data
from agent.spool.records import HEADER_BYTES, NO_TIME, Header, frames_of, header_at
from core.delivery.frames import Frame, Lane, Stream, block_digest
from core.delivery.messages import Gone
from core.delivery.ranges import Ranges

SUFFIX = ".frames"


class Segment:
    """One segment file and what is in it.

    Parameters
    ----------
    folder
        The spool's folder.
    stream
        Whose frames they are.
    first
        Index of the first frame [1].
    """

    def __init__(self, folder: Path, stream: Stream, first: int) -> None:
        self.path = folder / f"{stream.lane}-{stream.epoch}-{first:012d}{SUFFIX}"
        self.stream = stream
        self.first = first
        self.intact = Ranges()
        self.freed = Ranges()
        self.damaged = False
        self.size = 0
        self._from_ms: int | None = None
        self._to_ms: int | None = None
        self._offsets = array("Q")
        self._n = array("Q")
        self._descriptor: int | None = None

    @property
    def end(self) -> int:
        """One beyond the last index in it."""
        return self.first + len(self._offsets)

    @property
    def is_freed(self) -> bool:
        """Whether every frame that is left in it may go."""
        return bool(self.intact) and self.freed == self.intact

    def note(self, offset: int, header: Header) -> None:
        """Take note of an intact record."""
        gap = header.at - self.end
        self._offsets.extend([0] * gap)
        self._offsets.append(offset)
        self._n.extend([0] * gap)
        self._n.append(header.n)
        self.intact.add(header.at, header.at + 1)
        if header.from_ms != NO_TIME:
            self._from_ms = min(header.from_ms, self._from_ms or header.from_ms)
            self._to_ms = max(header.to_ms, self._to_ms or header.to_ms)

    def open(self) -> None:
        """Make the file."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(self.path, flags, 0o600)

    def append(self, records: bytes) -> int:
        """Write records at the end; return where they begin. They are durable after `sync`."""
        if self._descriptor is None:
            raise ValueError("the segment is not open")
        begin = self.size
        rest = memoryview(records)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self.size += len(records)
        return begin

    def sync(self) -> None:
        """Make what was appended durable."""
        if self._descriptor is not None:
            sync_data(self._descriptor)

    def close(self) -> None:
        """Close the file; nothing is appended any more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def read(self, first: int, end: int) -> Iterator[Frame]:
        """Yield the frames of these indexes that are still as they were written."""
        begin = self._offsets[first - self.first]
        stop = self._offsets[end - self.first] if end < self.end else 0  # 0: behind it is damage, or nothing
        with self.path.open("rb") as file:
            file.seek(begin)
            data = file.read(stop - begin if stop else self.size - begin)
        return (frame for frame in frames_of(data, self.stream) if first <= frame.index < end)

    def time_of(self, at: int) -> int | None:
        """Return the first time in a frame [ms since 1970 UTC]; None where its record does not say."""
        with self.path.open("rb") as file:
            file.seek(self._offsets[at - self.first])
            header = header_at(file.read(HEADER_BYTES), 0)
        return None if header is None or header.from_ms == NO_TIME else header.from_ms

    def as_freed(self) -> Iterator[Gone]:
        """Yield the ranges that say that all that is intact in it was freed; a ledger held each of them."""
        for first, end in self.intact:
            readings = sum(self._n[first - self.first : end - self.first])
            yield Gone(
                self.stream.epoch, first, end - first, readings, "freed", None, self._from_ms, self._to_ms
            )

    def lose(self, at: int, reason: Literal["damaged", "refused"], frame_id: str | None) -> Gone:
        """Take a frame out, whose file is then to be set aside; return the range that names it."""
        self.intact.remove(at, at + 1)
        self.freed.remove(at, at + 1)
        self.damaged = True
        digest = block_digest(bytes.fromhex(frame_id)) if frame_id else None
        n = self._n[at - self.first]
        return Gone(self.stream.epoch, at, 1, n, reason, digest, self._from_ms, self._to_ms)


def parse_name(path: Path, agent: str) -> tuple[Stream, int] | None:
    """Return stream and first index that a segment file's name says, or None."""
    lane, _, rest = path.name.removesuffix(SUFFIX).partition("-")
    epoch, _, first = rest.partition("-")
    if path.suffix != SUFFIX or lane not in tuple(Lane) or len(epoch) != 32 or not first.isdecimal():
        return None
    return Stream(agent, Lane(lane), epoch), int(first)
