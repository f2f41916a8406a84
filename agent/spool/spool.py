"""The spool: what the agent takes is cut into frames and made durable before anybody hears of it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from agent.readings import Scan, Shape
from agent.spool.cutting import Cut, Pending, cut
from agent.spool.files import Lock, disk_errors, make_private
from agent.spool.limits import Room, SpoolLimits
from agent.spool.segments import Segment
from agent.spool.store import SEGMENT_BYTES, FrameStore, wall_ms
from agent.spool.texts import Group, ShapeTexts, event_since_start, without_time
from core.delivery.frames import Lane, Stream
from core.delivery.payload import Event, event_text
from core.delivery.shelf import Written
from core.delivery.tables import PointTable
from core.errors import OutsideError
from core.runtime.steady import Boot

TOLD_AT_ONCE = 4_096
"""Frames of a backlog that are told in one go [1]."""


class Spool:
    """Frames on the agent's disk, and those that the next flush will cut.

    A new spool object is a new epoch: the numbers of an earlier run are never used again. Frames of
    earlier runs are kept until a ledger holds them; what of them is damaged is named when they are opened.

    Parameters
    ----------
    path
        Its folder; it is made where there is none.
    agent
        Name of the agent.
    epoch
        Random name of this run, 32 hex digits; drawn where none is given.
    in_thread
        Sync files in a thread, so that a slow disk delays nobody else; it costs some 0.1 ms per flush.
    now_ms
        The time, by which registers are kept [ms since 1970 UTC].
    limits
        What it may take of the disk.
    segment_bytes
        Size at which a segment file is full [bytes].

    Raises
    ------
    OutsideError
        If another process uses the folder, or the disk refuses.
    """

    def __init__(
        self,
        path: Path,
        agent: str,
        *,
        epoch: str | None = None,
        in_thread: bool = False,
        now_ms: Callable[[], int] = wall_ms,
        limits: SpoolLimits | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self.agent = agent
        self.epoch = epoch or secrets.token_hex(16)
        self._tell: Callable[[Sequence[Written]], None] | None = None
        self._in_thread = in_thread
        self._pending: dict[Lane, dict[str, Pending]] = {lane: {} for lane in Lane}
        self._texts: dict[Shape, tuple[PointTable, ShapeTexts]] = {}
        self._flushing = asyncio.Lock()
        self._failed: OutsideError | None = None
        with disk_errors(path):
            make_private(path)
            self._lock = Lock(path / "lock")
        self._path = path
        self.store = FrameStore(
            path, agent, self.epoch, now_ms=now_ms, limits=limits, segment_bytes=segment_bytes
        )
        self._untold: list[Written] = []

    def listen(
        self,
        on_written: Callable[[Sequence[Written]], None] | None,
        on_gone: Callable[[Lane, str, int, int], None] | None,
    ) -> None:
        """Have frames told as they become durable and as they go; first those on disk that nobody heard of.

        Parameters
        ----------
        on_written
            Called with frames, those of a lane and epoch by index; None to hear no more.
        on_gone
            Called with lane, epoch, first index and one beyond the last; None to hear no more.
        """
        self._tell, self.store.runs.on_gone = on_written, on_gone
        if on_written is not None:
            backlog = self.store.take_backlog()
            while some := list(islice(backlog, TOLD_AT_ONCE)):  # a long backlog is never in memory as a whole
                on_written(some)
            untold, self._untold = self._untold, []
            on_written(untold)

    def add(
        self,
        lane: Lane,
        table: PointTable,
        scans: Iterable[Scan],
        events: Iterable[Event] = (),
        *,
        unknown: Boot | None = None,
    ) -> None:
        """Take scans and events for the next frame; they are safe when `flush` has returned.

        Parameters
        ----------
        unknown
            The run of the machine whose time is not known yet: they are kept with the time since its start.

        Raises
        ------
        WireError
            If a reading or event could not be encoded; then none of these is taken.
        """
        groups: list[Group] = []
        for scan in scans:
            texts = self._texts.get(scan.shape)
            if texts is None or texts[0] is not table:
                texts = self._texts[scan.shape] = (table, ShapeTexts(scan.shape, table))
            groups.extend(texts[1].groups(scan))
        if unknown is not None:
            groups = [without_time(group, unknown) for group in groups]
            events = [event_since_start(event, unknown) for event in events]
        happened = [event_text(event) for event in events]
        parts = self._pending[lane]
        part = parts.get(table.digest)
        if part is None:
            part = parts[table.digest] = Pending(table)
        part.groups += groups
        part.events += happened

    @property
    def room(self) -> Room:
        """How much it takes of its disk, may take, and can still take."""
        return self.store.room

    async def flush(self, lanes: Iterable[Lane] = tuple(Lane)) -> None:
        """Cut frames of all that was added to lanes, and return when they are durable.

        Raises
        ------
        OutsideError
            If the disk refuses, or there is no room. The process must end then: a failed sync is never
            tried again, for the system may have dropped the data and call the next sync good.
        """
        async with self._flushing:
            if self._failed is not None:
                raise self._failed
            pending = {lane: tuple(self._pending[lane].values()) for lane in lanes if self._pending[lane]}
            if not pending:
                return
            self._pending |= {lane: {} for lane in pending}
            try:
                await self._make_durable(pending)
            except OutsideError as error:
                self._failed = error
                raise

    async def close(self) -> None:
        """Flush, enter this run as ended in order, and let others use the folder.

        Raises
        ------
        OutsideError
            If the disk refuses.
        """
        try:
            await self.flush()
            self.store.close()
        finally:
            self._lock.release()

    async def _make_durable(self, pending: Mapping[Lane, Sequence[Pending]]) -> None:
        """Append one group of frames, sync it, and only then account for it and tell of it."""
        with disk_errors(self._path):
            self.store.runs.begin()
            appended: list[tuple[Lane, Segment, int, tuple[Cut, ...]]] = []
            for lane, parts in pending.items():
                for part in parts:
                    self.store.keep_table(part.table)
                stream = Stream(self.agent, lane, self.epoch)
                cuts = tuple(cut(stream, *self.store.end(lane), parts))
                if cuts:
                    appended.append((lane, *self.store.append(lane, cuts), cuts))
            cancelled = await self._sync([segment for _, segment, _, _ in appended])
            for lane, segment, offset, cuts in appended:
                self.store.account(lane, segment, offset, cuts)
        written = [one.written for _, _, _, cuts in appended for one in cuts]
        if self._tell is not None:
            self._tell(written)
        else:
            self._untold += written
        if cancelled:
            raise asyncio.CancelledError

    async def _sync(self, segments: Sequence[Segment]) -> bool:
        """Sync segments; return whether this was cancelled meanwhile: their numbers are used all the same."""
        if not self._in_thread:
            _sync_all(segments)
            return False
        syncing = asyncio.ensure_future(asyncio.to_thread(_sync_all, segments))
        try:
            await asyncio.shield(syncing)
        except asyncio.CancelledError:
            await asyncio.wait([syncing])
            syncing.result()
            return True
        return False


def _sync_all(segments: Sequence[Segment]) -> None:
    for segment in segments:
        segment.sync()
