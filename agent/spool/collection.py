"""All segments of a spool: which are written, which may go, and how each leaves: the reason first."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from agent.spool.files import FULL, rename_durably, sync_folder
from agent.spool.segments import Segment
from core.delivery.frames import Lane, Stream
from core.delivery.messages import Gone

log = logging.getLogger(__name__)


class Segments:
    """The segment files of a folder, oldest first.

    Parameters
    ----------
    folder
        The spool's folder.
    enter
        Makes it durable, before anything else happens, that ranges of a stream no longer exist, and why.
    now_ms
        The time [ms since 1970 UTC].
    keep_registers_ms
        How long registers stay that every required ledger holds [ms].

    Attributes
    ----------
    active
        The segment of each lane that is being written.
    bytes
        Size of each lane's files [bytes].
    given_back
        Size of all that was unlinked because it was freed, by lane [bytes].
    """

    def __init__(
        self,
        folder: Path,
        enter: Callable[[Stream, Sequence[Gone]], None],
        now_ms: Callable[[], int],
        keep_registers_ms: float,
    ) -> None:
        self._folder, self._enter = folder, enter
        self._now_ms, self._keep_ms = now_ms, keep_registers_ms
        self._by_stream: dict[Stream, list[Segment]] = {}
        self.active: dict[Lane, Segment] = {}
        self.bytes = dict.fromkeys(Lane, 0)
        self.given_back = dict.fromkeys(Lane, 0)

    def __iter__(self) -> Iterator[Segment]:
        return (segment for segments in tuple(self._by_stream.values()) for segment in tuple(segments))

    def of(self, lane: Lane) -> Iterator[Segment]:
        """Yield the segments of a lane."""
        return (segment for segment in self if segment.stream.lane is lane)

    def newest(self, lane: Lane) -> Iterator[Segment]:
        """Yield the segments of a lane, newest first."""
        for stream, segments in reversed(self._by_stream.items()):
            if stream.lane is lane:
                yield from reversed(segments)

    def add(self, segment: Segment) -> None:
        """Take a segment that is on disk."""
        self._by_stream.setdefault(segment.stream, []).append(segment)
        self.bytes[segment.stream.lane] += segment.size

    def start(self, stream: Stream, first: int, before: int) -> None:
        """Let a lane be written into a new segment from now on."""
        segment = Segment(self._folder, stream, first, before)
        segment.open()
        sync_folder(self._folder)
        self.retire(stream.lane)
        self.add(segment)
        self.active[stream.lane] = segment

    def retire(self, lane: Lane, *, full: bool = True) -> None:
        """Write no more into the segment of a lane; one that is full gets its columns."""
        segment = self.active.pop(lane, None)
        if segment is None:
            return
        before = segment.size
        if full:
            segment.seal()
        else:
            segment.close()
        self.bytes[lane] += segment.size - before
        if segment.is_freed:
            self.let_go(segment)

    def within(self, stream: Stream, first: int, end: int) -> Iterator[tuple[Segment, int, int]]:
        """Yield the segments that hold places of a range, each with the part that it holds."""
        segments = self._by_stream.get(stream, [])
        start = max(0, bisect_right(segments, first, key=lambda segment: segment.first) - 1)
        for segment in segments[start:]:
            if segment.first >= end:
                return
            for a, b in segment.intact.within(first, end):
                yield segment, a, b

    def is_active(self, segment: Segment) -> bool:
        """Tell whether a segment is being written."""
        return self.active.get(segment.stream.lane) is segment

    def let_go(self, segment: Segment) -> None:
        """Unlink a segment all of which is freed; registers only after they were kept long enough."""
        if self.is_active(segment):
            return
        if segment.stream.lane is Lane.REGISTERS and self._keep_ms > 0:
            if segment.freed_ms is None:
                self._stamp(segment)
            if segment.freed_ms is None or self._now_ms() - segment.freed_ms < self._keep_ms:
                return
        self.dispose(segment)

    def expire(self) -> None:
        """Unlink the registers that were kept long enough."""
        for segment in tuple(self.of(Lane.REGISTERS)):
            if segment.is_freed:
                self.let_go(segment)

    def dispose(self, segment: Segment) -> None:
        """Enter durably that all of a segment is freed, and only then unlink it."""
        self._enter(segment.stream, tuple(segment.as_freed()))
        self.given_back[segment.stream.lane] += segment.size
        self._remove(segment)

    def drop(self, segment: Segment) -> None:
        """Enter durably that a segment is lost to the full disk, and only then unlink it."""
        if self.is_active(segment):
            self.retire(segment.stream.lane, full=False)
            if segment not in self._by_stream[segment.stream]:
                return  # every ledger holds it, and it has gone as freed
        ranges = tuple(segment.as_dropped())
        self._enter(segment.stream, ranges)
        self._remove(segment)
        lost = sum(gone.readings for gone in ranges if gone.reason == "disk_full")
        log.error(
            "the spool is full: the oldest %s were dropped",
            segment.stream.lane.value,
            extra={
                "where": str(segment.path),
                "seen": f"{lost:,} readings, named lost",
                "next": "free space on this disk, or give the spool more; never delete its files",
            },
        )

    def lose(
        self, segment: Segment, at: int, reason: Literal["damaged", "refused"], frame_id: str | None
    ) -> None:
        """Enter a loss with its reason; the file stays until the rest is freed, and is then set aside."""
        self._enter(segment.stream, (segment.lose(at, reason, frame_id),))
        if not segment.intact and not self.is_active(segment):
            self._remove(segment)

    def remove_empty(self) -> None:
        """Unlink what the process before did not get to: it ended between a reason and the unlinking."""
        for segment in tuple(self):
            if not segment.intact:
                self._remove(segment)

    def _stamp(self, segment: Segment) -> None:
        """Note durably since when a segment is freed: in its name, for ever, whatever lives come."""
        try:
            segment.stamp(max(self._now_ms(), segment.to_ms))
        except OSError as error:
            if error.errno not in FULL:
                raise
            segment.freed_ms = None  # the next life lets it be tried again

    def _remove(self, segment: Segment) -> None:
        """Unlink a segment, or set it aside where a part of it was damaged."""
        self._by_stream[segment.stream].remove(segment)
        self.bytes[segment.stream.lane] -= segment.size
        if segment.damaged:
            rename_durably(segment.path, self._folder / "set-aside" / segment.path.name)
        else:
            segment.path.unlink()
