"""What a segment knows of its frames; a full segment ends with it, so that opening reads no more.

The columns stand behind the last record: a magic, their length, a line of JSON, four columns, CRC-32, and
length and magic again, by which they are found from the end of the file. They are only a shortcut: where they
are missing or damaged the records themselves are read.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.spool.records import NO_TIME, Header
from core.delivery.frames import Stream, block_digest
from core.delivery.ranges import Ranges
from core.delivery.shelf import Written

ID_BYTES = 16

_MAGIC = b"SRN\x03" if sys.byteorder == "little" else b"SRN\x04"
_FRAME = struct.Struct("<4sI")
_CRC = struct.Struct("<I")
_AROUND = 2 * _FRAME.size + _CRC.size


class Columns:
    """One entry for each index from `first` on; zeros where there is no intact frame.

    Parameters
    ----------
    first
        Index of the first frame [1].
    before
        Readings of the stream before it [1].

    Attributes
    ----------
    offsets, sizes, n, ids
        Where each record begins, bytes of its payload, its readings, its id (16 bytes).
    tables
        Point tables by the first index that uses each.
    from_ms, to_ms
        First and last time in all of them, None where there is none [ms since 1970 UTC].
    end_bytes
        Where the last record ends [bytes].
    """

    __slots__ = ("before", "end_bytes", "first", "from_ms", "ids", "n", "offsets", "sizes", "tables", "to_ms")

    def __init__(self, first: int, before: int = 0) -> None:
        self.first, self.before = first, before
        self.offsets, self.sizes, self.n = array("I"), array("I"), array("I")
        self.ids = bytearray()
        self.tables: list[tuple[int, str]] = []
        self.from_ms: int | None = None
        self.to_ms: int | None = None
        self.end_bytes = 0

    @property
    def end(self) -> int:
        """One beyond the last index."""
        return self.first + len(self.n)

    @property
    def readings(self) -> int:
        """Readings of all frames [1]."""
        return sum(self.n)

    def add(self, offset: int, header: Header, end: int) -> None:
        """Take an intact record, behind a gap where those before it are not."""
        gap = header.at - self.end
        for column, value in ((self.offsets, offset), (self.sizes, header.size), (self.n, header.n)):
            if gap:
                column.extend([0] * gap)
            column.append(value)
        if gap:
            self.ids.extend(bytes(gap * ID_BYTES))
        self.ids.extend(header.id)
        table = header.table.hex()
        if not self.tables or self.tables[-1][1] != table:
            self.tables.append((header.at, table))
        if header.from_ms != NO_TIME:
            self.from_ms = header.from_ms if self.from_ms is None else min(self.from_ms, header.from_ms)
            self.to_ms = header.to_ms if self.to_ms is None else max(self.to_ms, header.to_ms)
        self.end_bytes = end

    def digest(self, first: int, end: int) -> str:
        """Return the digest over the ids of consecutive frames."""
        return block_digest(bytes(self.ids[(first - self.first) * ID_BYTES : (end - self.first) * ID_BYTES]))

    def written(self, stream: Stream, intact: Ranges) -> Iterator[Written]:
        """Yield the intact frames as the sender wants them."""
        for number, (start, table) in enumerate(self.tables):
            stop = self.tables[number + 1][0] if number + 1 < len(self.tables) else self.end
            for first, end in intact.within(start, stop):
                for at in range(first, end):
                    here = at - self.first
                    frame_id = self.ids[here * ID_BYTES : (here + 1) * ID_BYTES].hex()
                    yield Written(
                        stream.lane, stream.epoch, at, self.n[here], frame_id, table, self.sizes[here]
                    )

    def packed(self) -> bytes:
        """Return the columns as they stand at the end of a segment."""
        head = {
            "first": self.first,
            "before": self.before,
            "frames": len(self.n),
            "tables": self.tables,
            "from_ms": self.from_ms,
            "to_ms": self.to_ms,
            "end_bytes": self.end_bytes,
        }
        body = b"".join(
            (
                json.dumps(head, separators=(",", ":")).encode(),
                b"\n",
                self.offsets.tobytes(),
                self.sizes.tobytes(),
                self.n.tobytes(),
                bytes(self.ids),
            )
        )
        frame = _FRAME.pack(_MAGIC, len(body))
        return b"".join((frame, body, _CRC.pack(zlib.crc32(body)), frame))


def columns_at_end(path: Path) -> Columns | None:
    """Return the columns at the end of a segment file, or None where there are no intact ones.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if size < _AROUND:
            return None
        file.seek(size - _FRAME.size)
        magic, length = _FRAME.unpack(file.read(_FRAME.size))
        if magic != _MAGIC or length + _AROUND > size:
            return None
        file.seek(size - length - _AROUND)
        whole = file.read(length + _AROUND)
    body, crc = whole[_FRAME.size : _FRAME.size + length], whole[_FRAME.size + length : -_FRAME.size]
    if whole[: _FRAME.size] != whole[-_FRAME.size :] or _CRC.unpack(crc)[0] != zlib.crc32(body):
        return None
    columns = _parsed(body)
    return columns if columns.end_bytes <= size - length - _AROUND else None


def _parsed(body: bytes) -> Columns:
    """The columns of a body whose CRC is right."""
    line, _, data = body.partition(b"\n")
    head: dict[str, Any] = json.loads(line)
    columns = Columns(head["first"], head["before"])
    columns.tables = [(at, digest) for at, digest in head["tables"]]
    columns.from_ms, columns.to_ms, columns.end_bytes = head["from_ms"], head["to_ms"], head["end_bytes"]
    width = head["frames"] * columns.n.itemsize
    for number, column in enumerate((columns.offsets, columns.sizes, columns.n)):
        column.frombytes(data[number * width : (number + 1) * width])
    columns.ids = bytearray(data[3 * width :])
    return columns
