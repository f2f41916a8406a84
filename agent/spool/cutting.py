"""Cutting frames: what was taken since the last flush becomes immutable, numbered records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from agent.spool.records import NO_TIME, Header, pack
from core.delivery.frames import Frame, Stream
from core.delivery.payload import Event, TakenReading, encode_payload
from core.delivery.shelf import Written
from core.delivery.tables import PointTable

FRAME_READINGS = 1_000
"""Most readings in one frame [1]."""


@dataclass(slots=True)
class Pending:
    """Readings and events of one point table that no frame holds yet."""

    table: PointTable
    readings: list[TakenReading] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Cut:
    """A frame's record, its header and what the sender must know of it."""

    record: bytes
    header: Header
    written: Written


def cut(stream: Stream, at: int, before: int, parts: Iterable[Pending]) -> Iterator[Cut]:
    """Yield the frames of what is pending, numbered from `at`, with `before` readings before them."""
    for part in parts:
        for start in range(0, max(len(part.readings), 1), FRAME_READINGS):
            readings = part.readings[start : start + FRAME_READINGS]
            events = part.events if start + FRAME_READINGS >= len(part.readings) else []
            n = len(readings) + len(events)
            if n:
                payload = encode_payload(readings, part.table, events)
                yield _cut(Frame(*stream, at, n, part.table.digest, payload), before, readings)
                at, before = at + 1, before + n


def _cut(frame: Frame, before: int, readings: list[TakenReading]) -> Cut:
    """The record of a frame."""
    times_ms = [reading.time_ms for reading in readings] or [NO_TIME]
    header = Header(
        len(frame.payload.encode()),
        frame.index,
        frame.n,
        before,
        min(times_ms),
        max(times_ms),
        bytes.fromhex(frame.id),
        bytes.fromhex(frame.table),
    )
    written = Written(frame.lane, frame.epoch, frame.index, frame.n, frame.id, frame.table, header.size)
    return Cut(pack(header, frame.payload.encode()), header, written)
