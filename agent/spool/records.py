"""Records of a segment file: a header and a payload, each with its own CRC-32; a mark ends each append.

A header says where its frame stands (index, readings so far, first and last time), so that the range
between two intact headers is known exactly even if all between them is lost. A mark says how far the stream
goes once all before it is written, so that a last record whose header is damaged is told from one that was
never wholly appended.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from core.delivery.frames import Frame, Stream

MAGIC = b"SRN\x01"
MARK_MAGIC = b"SRN\x02"
_ANY = b"SRN"
_HEADER = struct.Struct("<4sIQQQqq16s16s")
_MARK = struct.Struct("<4sQQ")
_CRC = struct.Struct("<I")
HEADER_BYTES = _HEADER.size + _CRC.size
MARK_BYTES = _MARK.size + _CRC.size
CRC_BYTES = _CRC.size
NO_TIME = -1


class Header(NamedTuple):
    """Where a frame stands.

    Parameters
    ----------
    size
        Bytes of the payload [bytes].
    at, n
        Index and readings of the frame [1].
    before
        Readings of the stream before this frame [1].
    from_ms, to_ms
        First and last time in it, `NO_TIME` if there is none [ms since 1970 UTC].
    id, table
        Names of the frame and its point table, 16 bytes each.
    """

    size: int
    at: int
    n: int
    before: int
    from_ms: int
    to_ms: int
    id: bytes
    table: bytes


class Found(NamedTuple):
    """A header found in a file, and whether the payload behind it is intact."""

    offset: int
    header: Header
    intact: bool


class Mark(NamedTuple):
    """The end of an append: the frames and readings that the stream has with it [1]."""

    frames: int
    readings: int


def pack(header: Header, payload: bytes) -> bytes:
    """Return the record of a frame."""
    head = _HEADER.pack(MAGIC, *header)
    return b"".join((head, _CRC.pack(zlib.crc32(head)), payload, _CRC.pack(zlib.crc32(payload))))


def pack_mark(frames: int, readings: int) -> bytes:
    """Return the mark that ends an append."""
    mark = _MARK.pack(MARK_MAGIC, frames, readings)
    return mark + _CRC.pack(zlib.crc32(mark))


def parts(data: bytes) -> Iterator[Found | Mark]:
    """Yield every intact header and mark of a file; damage between them is skipped."""
    offset = 0
    while offset >= 0:
        if header := header_at(data, offset):
            body = offset + HEADER_BYTES
            end = body + header.size + _CRC.size
            intact = end <= len(data) and _CRC.unpack_from(data, end - _CRC.size)[0] == zlib.crc32(
                data[body : end - _CRC.size]
            )
            yield Found(offset, header, intact)
            offset = end if intact else body
        elif mark := _mark_at(data, offset):
            yield mark
            offset += MARK_BYTES
        else:
            offset = data.find(_ANY, offset + 1)


def scan(data: bytes) -> Iterator[Found]:
    """Yield every intact header of a file."""
    return (part for part in parts(data) if isinstance(part, Found))


def frames_of(data: bytes, stream: Stream) -> Iterator[Frame]:
    """Yield the frames of a piece of a file whose payload and id are what they were."""
    for offset, header, intact in scan(data):
        if intact:
            payload = data[offset + HEADER_BYTES : offset + HEADER_BYTES + header.size].decode()
            frame = Frame(*stream, header.at, header.n, header.table.hex(), payload)
            if frame.id == header.id.hex():
                yield frame


def header_at(data: bytes, offset: int) -> Header | None:
    """Return the header at an offset, or None where there is no intact one."""
    raw = data[offset : offset + HEADER_BYTES]
    if len(raw) < HEADER_BYTES or not raw.startswith(MAGIC):
        return None
    if _CRC.unpack_from(raw, _HEADER.size)[0] != zlib.crc32(raw[: _HEADER.size]):
        return None
    return Header(*_HEADER.unpack_from(raw)[1:])


def _mark_at(data: bytes, offset: int) -> Mark | None:
    """The mark at an offset, or None where there is no intact one."""
    raw = data[offset : offset + MARK_BYTES]
    if len(raw) < MARK_BYTES or not raw.startswith(MARK_MAGIC):
        return None
    if _CRC.unpack_from(raw, _MARK.size)[0] != zlib.crc32(raw[: _MARK.size]):
        return None
    return Mark(*_MARK.unpack_from(raw)[1:])
