"""Cutting frames: what was taken since the last flush becomes immutable, numbered records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from agent.spool.records import NO_TIME, Header, pack
from agent.spool.texts import FRAME_READINGS, Group
from core.delivery.frames import Frame, Stream
from core.delivery.payload import payload_of
from core.delivery.shelf import Written
from core.delivery.tables import PointTable


@dataclass(slots=True)
class Pending:
    """Readings and events of one point table that no frame holds yet, as they will stand in it."""

    table: PointTable
    groups: list[Group] = field(default_factory=list)
    events: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Cut:
    """A frame's record, its header and what the sender must know of it."""

    record: bytes
    header: Header
    written: Written


def cut(stream: Stream, at: int, before: int, parts: Iterable[Pending]) -> Iterator[Cut]:
    """Yield the frames of what is pending, numbered from `at`, with `before` readings before them."""
    for part in parts:
        for groups, events in _contents(part):
            n = sum(group.n for group in groups) + len(events)
            payload = payload_of([group.text for group in groups], events)
            frame = Frame(*stream, at, n, part.table.digest, payload)
            yield _cut(frame, before, [group.time_ms for group in groups])
            at, before = at + 1, before + n


def _contents(part: Pending) -> Iterator[tuple[list[Group], list[str]]]:
    """Share groups out to frames, in their order; the events stand in the last."""
    groups: list[Group] = []
    n = 0
    for group in part.groups:
        if n + group.n > FRAME_READINGS:
            yield groups, []
            groups, n = [], 0
        groups.append(group)
        n += group.n
    if groups or part.events:
        yield groups, part.events


def _cut(frame: Frame, before: int, times_ms: Sequence[int]) -> Cut:
    """The record of a frame."""
    payload = frame.payload.encode()
    header = Header(
        len(payload),
        frame.index,
        frame.n,
        before,
        min(times_ms, default=NO_TIME),
        max(times_ms, default=NO_TIME),
        bytes.fromhex(frame.id),
        bytes.fromhex(frame.table),
    )
    written = Written(frame.lane, frame.epoch, frame.index, frame.n, frame.id, frame.table, header.size)
    return Cut(pack(header, payload), header, written)
