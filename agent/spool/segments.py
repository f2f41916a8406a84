"""Segment files: the frames of one stream from one index on, appended and unlinked as a whole."""

from __future__ import annotations

import contextlib
import re
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from agent.spool.columns import Columns
from agent.spool.files import AppendFile, rename_durably, sync_data
from agent.spool.records import (
    HEADER_BYTES,
    MARK_BYTES,
    NO_TIME,
    Header,
    frames_of,
    header_at,
    pack_mark,
    scan,
)
from core.delivery.frames import Frame, Lane, Stream, block_digest
from core.delivery.messages import Gone
from core.delivery.ranges import Ranges

SUFFIX = ".frames"

_NAME = re.compile(r"(registers|samples)-([0-9a-f]{32})-(\d+)(?:-freed-(\d+))?\.frames")


class SegmentName(NamedTuple):
    """What a segment's file name says: whose frames, from which index on, and since when it is freed."""

    stream: Stream
    first: int
    freed_ms: int | None


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
    before
        Readings of the stream before it [1].
    freed_ms
        When all of it was freed for the first time, as its name says [ms since 1970 UTC].

    Attributes
    ----------
    intact, freed, held
        Frames that are there; those that every required ledger holds; those that at least one holds.
    damaged
        Whether a frame was taken out of it, so that the file is to be set aside.
    """

    def __init__(
        self, folder: Path, stream: Stream, first: int, before: int = 0, freed_ms: int | None = None
    ) -> None:
        self.stream = stream
        self.first = first
        self.freed_ms = freed_ms
        self.path = folder / self._name()
        self.intact = Ranges()
        self.freed = Ranges()
        self.held = Ranges()
        self.damaged = False
        self.size = 0
        self._columns: Columns | None = Columns(first, before)
        self._take_columns(self._columns)
        self._file: AppendFile | None = None

    @property
    def end(self) -> int:
        """One beyond the last index in it."""
        return self.first + len(self._n)

    @property
    def is_freed(self) -> bool:
        """Whether every frame that is left in it may go."""
        return bool(self.intact) and self.freed == self.intact

    @property
    def is_held(self) -> bool:
        """Whether at least one ledger holds each frame that is left in it."""
        return bool(self.intact) and all(self.held.covers(first, end) for first, end in self.intact)

    @property
    def span_ms(self) -> int:
        """From the first time in it to the last [ms]."""
        return 0 if self._from_ms is None or self._to_ms is None else self._to_ms - self._from_ms

    @property
    def to_ms(self) -> int:
        """Last time in it, 0 where it has none [ms since 1970 UTC]."""
        return self._to_ms or 0

    def note(self, offset: int, header: Header) -> None:
        """Take note of an intact record."""
        if self._columns is None:
            raise ValueError("the segment is closed")
        end = offset + HEADER_BYTES + header.size + 4
        self._columns.add(offset, header, end)
        self._from_ms, self._to_ms = self._columns.from_ms, self._columns.to_ms
        self.intact.add(header.at, header.at + 1)

    def take(self, columns: Columns, intact: Sequence[tuple[int, int]]) -> None:
        """Take the whole contents from the columns at its end."""
        self._columns = columns
        self._take_columns(columns)
        self.intact = Ranges(intact)

    def columns(self) -> Columns:
        """Return its columns, which are forgotten with this; what is needed while it is kept stays."""
        columns, self._columns = self._columns, None
        if columns is None:
            raise ValueError("the columns are gone")
        return columns

    def open(self) -> None:
        """Make the file."""
        self._file = AppendFile(self.path, new=True)

    def append(self, records: bytes, frames: int, readings: int) -> int:
        """Write records and a mark at the end; return where they begin. They are durable after `sync`.

        Parameters
        ----------
        frames, readings
            What the stream has with them [1].
        """
        if self._file is None:
            raise ValueError("the segment is not open")
        begin = self._file.append(records + pack_mark(frames, readings))
        self.size = self._file.size
        return begin

    def sync(self) -> None:
        """Make what was appended durable."""
        if self._file is not None:
            sync_data(self._file.fileno())

    def seal(self) -> None:
        """Write the columns behind the last record, where there is room, and close the file."""
        if self._file is not None and self._columns is not None:
            with contextlib.suppress(OSError):  # they are a shortcut, and are not worth a stop
                self._file.append(self._columns.packed())
                self.size = self._file.size
        self.close()

    def close(self) -> None:
        """Close the file; nothing is appended any more."""
        if self._file is not None:
            self._file.close()
            self._file = self._columns = None

    def stamp(self, freed_ms: int) -> None:
        """Write into the file's name since when all of it is freed; durable when this returns."""
        self.freed_ms = freed_ms
        stamped = self.path.with_name(self._name())
        rename_durably(self.path, stamped)
        self.path = stamped

    def read(self, first: int, end: int) -> Iterator[Frame]:
        """Yield the frames of these indexes that are still as they were written."""
        begin = self._offsets[first - self.first]
        stop = self._offsets[end - self.first] if end < self.end else 0  # 0: behind it is damage, or nothing
        with self.path.open("rb") as file:
            file.seek(begin)
            data = file.read(stop - begin if stop else self.size - begin)
        return (frame for frame in frames_of(data, self.stream) if first <= frame.index < end)

    def header(self, at: int) -> Header | None:
        """Return the header of a frame as it stands on disk; None where it is damaged."""
        with self.path.open("rb") as file:
            file.seek(self._offsets[at - self.first])
            header = header_at(file.read(HEADER_BYTES), 0)
        return header if header is not None and header.at == at else None

    def as_freed(self) -> Iterator[Gone]:
        """Yield the ranges that say that all that is intact in it was freed; a ledger held each of them."""
        return (self._gone(first, end, "freed", None) for first, end in self.intact)

    def as_dropped(self) -> Iterator[Gone]:
        """Yield what is lost with it, with the digests of the ids, and what in it was freed already."""
        ids = {found.header.at: found.header.id for found in scan(self.path.read_bytes())}
        for first, end in self.intact:
            for a, b in self.freed.within(first, end):
                yield self._gone(a, b, "freed", None)
            for a, b in self.freed.missing(first, end):
                known = [ids[at] for at in range(a, b) if at in ids]
                digest = block_digest(b"".join(known)) if len(known) == b - a else None
                yield self._gone(a, b, "disk_full", digest)

    def lose(self, at: int, reason: Literal["damaged", "refused"], frame_id: str | None) -> Gone:
        """Take a frame out, whose file is then to be set aside; return the range that names it."""
        gone = self._gone(at, at + 1, reason, None)
        header = self.header(at)
        if header is not None:
            frame_id = frame_id or header.id.hex()
            if header.from_ms != NO_TIME:
                gone = gone._replace(from_ms=header.from_ms, to_ms=header.to_ms)
        self.intact.remove(at, at + 1)
        self.freed.remove(at, at + 1)
        self.held.remove(at, at + 1)
        self.damaged = True
        return gone._replace(digest=block_digest(bytes.fromhex(frame_id)) if frame_id else None)

    def _gone(
        self,
        first: int,
        end: int,
        reason: Literal["freed", "damaged", "disk_full", "refused"],
        digest: str | None,
    ) -> Gone:
        """A range of it that no longer exists; its times are those of the segment."""
        readings = sum(self._n[first - self.first : end - self.first])
        return Gone(
            self.stream.epoch, first, end - first, readings, reason, digest, self._from_ms, self._to_ms
        )

    def _take_columns(self, columns: Columns) -> None:
        """Share the columns that are needed as long as the segment is there: eight bytes a frame."""
        self._offsets: array[int] = columns.offsets
        self._n: array[int] = columns.n
        self._from_ms, self._to_ms = columns.from_ms, columns.to_ms

    def _name(self) -> str:
        freed = "" if self.freed_ms is None else f"-freed-{self.freed_ms}"
        return f"{self.stream.lane}-{self.stream.epoch}-{self.first:012d}{freed}{SUFFIX}"


def append_bytes(records: Sequence[bytes]) -> int:
    """Return what an append of records takes on disk [bytes]."""
    return sum(map(len, records)) + MARK_BYTES


def parse_name(path: Path, agent: str) -> SegmentName | None:
    """Return what a segment file's name says, or None where it is no segment's."""
    found = _NAME.fullmatch(path.name)
    if found is None:
        return None
    lane, epoch, first, freed_ms = found.groups()
    stream = Stream(agent, Lane(lane), epoch)
    return SegmentName(stream, int(first), None if freed_ms is None else int(freed_ms))
