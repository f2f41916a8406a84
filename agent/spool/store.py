"""Frames in their segment files, and the epoch table that says what became of those that are not."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from agent.spool.ballast import Ballast
from agent.spool.collection import Segments
from agent.spool.cutting import Cut
from agent.spool.epochs import EpochTable
from agent.spool.files import FULL, disk_errors, make_private
from agent.spool.limits import Room, SpoolLimits, disk_space
from agent.spool.point_tables import PointTableFiles
from agent.spool.records import NO_TIME
from agent.spool.recovery import recover
from agent.spool.room import DAY_MS, RoomMaker
from agent.spool.runs import Runs
from agent.spool.segments import Segment, append_bytes
from core.delivery.frames import Frame, Lane, Stream
from core.delivery.messages import Gone
from core.delivery.ranges import Span
from core.delivery.shelf import Written
from core.delivery.tables import PointTable

log = logging.getLogger(__name__)
T = TypeVar("T")

SEGMENT_BYTES = 4 * 1024 * 1024
TABLE_BYTES = 1_000_000
"""More than a point table takes [bytes]."""

_TIDY_MS = 600_000


def wall_ms() -> int:
    """Return the machine's time [ms since 1970 UTC]."""
    return time.time_ns() // 1_000_000


class FrameStore:
    """The frames that an agent has on disk.

    Parameters
    ----------
    path
        The spool's folder, which exists.
    agent
        The agent's name.
    epoch
        The name of this run, 32 hex digits.
    now_ms
        The time, by which registers are kept [ms since 1970 UTC].
    limits
        What it may take of the disk.
    segment_bytes
        Size at which a segment file is full [bytes].

    Attributes
    ----------
    runs
        What each run wrote and what became of it; `epochs`, `gone`, `heads` and `lost_readings` are its.
    damage
        What was found damaged when it was opened.
    newest_ms
        Time of the newest reading that was on disk when it was opened [ms since 1970 UTC]; 0: none.
    appended_bytes
        What this run has made durable, by lane [bytes].

    Raises
    ------
    OutsideError
        If the disk refuses; so do all methods.
    """

    def __init__(
        self,
        path: Path,
        agent: str,
        epoch: str,
        *,
        now_ms: Callable[[], int] = wall_ms,
        limits: SpoolLimits | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._path, self._agent, self._epoch = path, agent, epoch
        self._segment_bytes = segment_bytes
        self._now_ms, self._tidy_ms = now_ms, 0
        self.appended_bytes = dict.fromkeys(Lane, 0)
        limits = limits or SpoolLimits()
        with disk_errors(path):
            for folder in (path, path / "tables", path / "set-aside"):
                make_private(folder)
            self._ballast = Ballast(path / "ballast")
            self._table = EpochTable(path, self._ballast.release)
            recovered = recover(path, agent, self._table)
            self._tables = PointTableFiles(path / "tables", path / "set-aside")
            self.runs = runs = Runs(self._table, epoch)
            self.epochs, self.gone, self.heads = runs.epochs, runs.gone, runs.heads
            self.lost_readings = runs.lost_readings
            self._backlog = recovered.segments
            self.newest_ms = max((segment.to_ms for segment in recovered.segments), default=0)
            self.damage: tuple[tuple[Stream, Gone], ...] = tuple(recovered.damage)
            self._segments = Segments(path, self.runs.enter, now_ms, limits.keep_registers_days * DAY_MS)
            for segment in recovered.segments:
                self._segments.add(segment)
            self._segments.remove_empty()
            self._room = RoomMaker(path, self._segments, limits)
            self._ballast.take(disk_space(path).free)

    def take_backlog(self) -> Iterator[Written]:
        """Yield the frames that were on disk when the store was opened; a second call yields none."""
        backlog, self._backlog = self._backlog, []
        for segment in backlog:
            if segment.intact:
                yield from segment.columns().written(segment.stream, segment.intact)

    def end(self, lane: Lane) -> tuple[int, int]:
        """Return how many frames and readings this run has made durable in a lane [1]."""
        return self.runs.ends[lane]

    def keep_table(self, table: PointTable) -> None:
        """Write a point table, if it is not on disk yet; it is durable when this returns."""
        self._with_room(Lane.REGISTERS, TABLE_BYTES, lambda: self._tables.keep(table))

    def append(self, lane: Lane, cuts: Sequence[Cut]) -> tuple[Segment, int]:
        """Append frames to the lane's segment; return it, and where in it they begin.

        Raises
        ------
        SpoolFull
            If there is no room, and nothing may go.
        OSError
            If the disk refuses.
        """
        records = [one.record for one in cuts]
        frames, readings = self.runs.ends[lane]
        ends = frames + len(cuts), readings + sum(one.header.n for one in cuts)
        need = append_bytes(records)
        self._tidy()
        self._room.make(lane, need)

        def write() -> tuple[Segment, int]:
            active = self._segments.active.get(lane)
            if active is None or active.size >= self._room.segment_bytes(self._segment_bytes):
                self._segments.start(Stream(self._agent, lane, self._epoch), frames, readings)
            segment = self._segments.active[lane]
            return segment, segment.append(b"".join(records), *ends)

        segment, begin = self._with_room(lane, need, write)
        self._segments.bytes[lane] += need
        return segment, begin

    def account(self, lane: Lane, segment: Segment, offset: int, cuts: Sequence[Cut]) -> None:
        """Take note of frames that are durable now."""
        self.appended_bytes[lane] += append_bytes([one.record for one in cuts])
        for one in cuts:
            segment.note(offset, one.header)
            offset += len(one.record)
        frames, readings = self.runs.ends[lane]
        self.runs.ends[lane] = (frames + len(cuts), readings + sum(one.header.n for one in cuts))

    @property
    def path(self) -> Path:
        """The folder."""
        return self._path

    @property
    def bytes_on_disk(self) -> int:
        """Size of all segment files [bytes]."""
        return sum(self._segments.bytes.values())

    @property
    def room(self) -> Room:
        """How much the spool takes, may take and can still take."""
        with disk_errors(self._path):
            return self._room.look()

    def time_of(self, lane: Lane, epoch: str, at: int) -> int | None:
        """Return the first time in a frame [ms since 1970 UTC]; None where it is not known."""
        with disk_errors(self._path):
            for segment, first, _ in self._segments.within(Stream(self._agent, lane, epoch), at, at + 1):
                header = segment.header(first)
                return None if header is None or header.from_ms == NO_TIME else header.from_ms
        return None

    def read(self, lane: Lane, epoch: str, spans: Iterable[Span]) -> list[Frame]:
        """Return frames; one that is found damaged is named lost and left out."""
        frames: list[Frame] = []
        with disk_errors(self._path):
            for first, end in spans:
                for segment, a, b in tuple(
                    self._segments.within(Stream(self._agent, lane, epoch), first, end)
                ):
                    found = {frame.index: frame for frame in segment.read(a, b)}
                    frames += found.values()
                    for at in range(a, b):
                        if at not in found:
                            log.error(
                                "a frame on the disk is damaged; the collector will be told what is lost",
                                extra={
                                    "where": f"{segment.path}, frame {at}",
                                    "next": "the file will be kept in the spool's folder set-aside",
                                },
                            )
                            self._segments.lose(segment, at, "damaged", None)
        return frames

    def free(self, lane: Lane, epoch: str, first: int, end: int) -> None:
        """Let frames go that every required ledger holds; registers stay for their time."""
        self.hold(lane, epoch, first, end)
        with disk_errors(self._path):
            for segment, a, b in tuple(self._segments.within(Stream(self._agent, lane, epoch), first, end)):
                segment.freed.add(a, b)
                if segment.is_freed:
                    self._segments.let_go(segment)

    def hold(self, lane: Lane, epoch: str, first: int, end: int) -> None:
        """Take note of frames that at least one required ledger holds: if need be, they may go."""
        for segment, a, b in self._segments.within(Stream(self._agent, lane, epoch), first, end):
            segment.held.add(a, b)

    def unhold(self) -> None:
        """Forget what is held: a ledger in another life may lack it."""
        for segment in self._segments:
            segment.freed.clear()
            segment.held.clear()

    def give_up(self, lane: Lane, epoch: str, at: int, frame_id: str) -> None:
        """Name a frame lost that every life of the collector refused; its file is set aside, not deleted."""
        with disk_errors(self._path):
            for segment, _, _ in tuple(self._segments.within(Stream(self._agent, lane, epoch), at, at + 1)):
                self._segments.lose(segment, at, "refused", frame_id)

    def table(self, digest: str) -> PointTable | None:
        """Return a point table that a frame on disk uses, or None where its files are gone or damaged."""
        return self._tables.get(digest)

    def close(self) -> None:
        """Enter this run as ended in order, and close the files."""
        with disk_errors(self._path):
            self.runs.end()
            for lane in Lane:
                self._segments.retire(lane, full=False)
            self._table.close()

    def _with_room(self, lane: Lane, need: int, write: Callable[[], T]) -> T:
        """Write; where the disk says that it is full, let go what may go and try again."""
        while True:
            try:
                return write()
            except OSError as error:
                if error.errno not in FULL:
                    raise
                self._room.make(lane, need, refused=True)

    def _tidy(self) -> None:
        """Now and then let the registers go that were kept long enough."""
        now_ms = self._now_ms()
        if now_ms >= self._tidy_ms:
            self._tidy_ms = now_ms + _TIDY_MS
            self._segments.expire()
            self._ballast.take(disk_space(self._path).free)
