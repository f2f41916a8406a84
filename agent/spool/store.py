"""Frames in their segment files, and the epoch table that says what became of those that are not."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from agent.spool.cutting import Cut
from agent.spool.epochs import Entry, EpochTable
from agent.spool.files import disk_errors, rename_durably, sync_data, sync_folder
from agent.spool.recovery import recover
from agent.spool.segments import Segment
from core.delivery.frames import Frame, Lane, Stream
from core.delivery.messages import Ended, Gone, LaneHead
from core.delivery.ranges import Span
from core.delivery.shelf import Written
from core.delivery.tables import PointRow, PointTable

SEGMENT_BYTES = 4 * 1024 * 1024


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
    segment_bytes
        Size at which a segment file is full [bytes].

    Raises
    ------
    OutsideError
        If the disk refuses; so do all methods.
    """

    def __init__(self, path: Path, agent: str, epoch: str, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._path = path
        self._agent = agent
        self._epoch = epoch
        self._segment_bytes = segment_bytes
        self._segments: dict[Stream, list[Segment]] = {}
        self._active: dict[Lane, Segment] = {}
        self._ends = dict.fromkeys(Lane, (0, 0))
        self.appended_bytes = 0
        self.on_gone: Callable[[Lane, str, int, int], None] | None = None
        with disk_errors(path):
            for folder in (path / "tables", path / "set-aside"):
                folder.mkdir(mode=0o700, exist_ok=True)
            self._table = EpochTable(path / "epochs.log")
            recovered = recover(path, agent, self._table)
            self._readings_before = {
                lane: sum(entry.readings for entry in self._table if entry.lane == lane) for lane in Lane
            }
            self._kept_tables = {file.stem for file in (path / "tables").glob("*.json")}
            self._backlog = recovered.written
            self.damage: tuple[tuple[Stream, Gone], ...] = tuple(recovered.damage)
            for segment in recovered.segments:
                self._segments.setdefault(segment.stream, []).append(segment)
            for segment in recovered.segments:
                if not segment.intact:  # the process ended between the reason and the unlinking
                    self._remove(segment)

    def take_backlog(self) -> list[Written]:
        """Return the frames that were on disk when the store was opened; a second call returns none."""
        backlog, self._backlog = self._backlog, []
        return backlog

    def end(self, lane: Lane) -> tuple[int, int]:
        """Return how many frames and readings this run has made durable in a lane [1]."""
        return self._ends[lane]

    def begin_epoch(self) -> None:
        """Enter this run into the epoch table, if it is not there yet."""
        if self._table.get(self._epoch, Lane.REGISTERS) is not None:
            return
        prev = self._table.last_epoch()
        entries = []
        for lane in Lane:
            before = self._table.get(prev, lane) if prev else None
            entry = Entry(self._epoch, lane, prev=prev)
            if before is not None:
                entry = replace(
                    entry,
                    prev_frames=before.frames,
                    prev_readings=before.readings,
                    prev_clean=before.clean,
                )
            entries.append(entry)
        self._table.put(*entries)

    def keep_table(self, table: PointTable) -> None:
        """Write a point table, if it is not on disk yet; it is durable when this returns."""
        if table.digest in self._kept_tables:
            return
        path = self._path / "tables" / f"{table.digest}.json"
        fresh = path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            file.write(json.dumps([row.as_dict() for row in table.rows], ensure_ascii=False))
            file.flush()
            sync_data(file.fileno())
        rename_durably(fresh, path)
        self._kept_tables.add(table.digest)

    def append(self, lane: Lane, cuts: Sequence[Cut]) -> tuple[Segment, int]:
        """Append frames to the lane's segment; return it, and where in it they begin."""
        full = self._active.get(lane)
        if full is None or full.size >= self._segment_bytes:
            segment = Segment(self._path, Stream(self._agent, lane, self._epoch), cuts[0].header.at)
            segment.open()
            sync_folder(self._path)
            self._segments.setdefault(segment.stream, []).append(segment)
            self._active[lane] = segment
            if full is not None:
                full.close()
                if full.is_freed:
                    self._dispose(full)
        segment = self._active[lane]
        return segment, segment.append(b"".join(one.record for one in cuts))

    def account(self, lane: Lane, segment: Segment, offset: int, cuts: Sequence[Cut]) -> None:
        """Take note of frames that are durable now."""
        for one in cuts:
            segment.note(offset, one.header)
            offset += len(one.record)
            self.appended_bytes += len(one.record)
        frames, readings = self._ends[lane]
        self._ends[lane] = (frames + len(cuts), readings + sum(one.header.n for one in cuts))

    @property
    def path(self) -> Path:
        """The folder."""
        return self._path

    @property
    def bytes_on_disk(self) -> int:
        """Size of all segment files [bytes]."""
        return sum(segment.size for segments in self._segments.values() for segment in segments)

    def time_of(self, lane: Lane, epoch: str, at: int) -> int | None:
        """Return the first time in a frame [ms since 1970 UTC]; None where it is not known."""
        with disk_errors(self._path):
            for segment, first, _ in self._within(Stream(self._agent, lane, epoch), at, at + 1):
                return segment.time_of(first)
        return None

    def lost_readings(self, lane: Lane) -> int:
        """Return the readings that are named lost, whatever the reason [1]."""
        return sum(gone.readings for gone in self.gone(lane) if gone.reason != "freed")

    def read(self, lane: Lane, epoch: str, spans: Iterable[Span]) -> list[Frame]:
        """Return frames; one that is found damaged is named lost and left out."""
        frames: list[Frame] = []
        with disk_errors(self._path):
            for first, end in spans:
                for segment, a, b in tuple(self._within(Stream(self._agent, lane, epoch), first, end)):
                    found = {frame.index: frame for frame in segment.read(a, b)}
                    frames += found.values()
                    for at in range(a, b):
                        if at not in found:
                            self._lose(segment, segment.lose(at, "damaged", None))
        return frames

    def free(self, lane: Lane, epoch: str, first: int, end: int) -> None:
        """Let frames go that a ledger holds; a segment is unlinked once all its frames may go."""
        with disk_errors(self._path):
            for segment, a, b in tuple(self._within(Stream(self._agent, lane, epoch), first, end)):
                segment.freed.add(a, b)
                if segment.is_freed and segment is not self._active.get(lane):
                    self._dispose(segment)

    def unhold(self) -> None:
        """Forget what may go: a ledger in another life may lack it."""
        for segments in self._segments.values():
            for segment in segments:
                segment.freed.clear()

    def give_up(self, lane: Lane, epoch: str, at: int, frame_id: str) -> None:
        """Name a frame lost that every life of the collector refused; its file is set aside, not deleted."""
        with disk_errors(self._path):
            for segment, _, _ in tuple(self._within(Stream(self._agent, lane, epoch), at, at + 1)):
                self._lose(segment, segment.lose(at, "refused", frame_id))

    def table(self, digest: str) -> PointTable | None:
        """Return a point table that a frame on disk uses, or None where its file is gone or damaged."""
        try:
            rows = json.loads((self._path / "tables" / f"{digest}.json").read_bytes())
            table = PointTable(tuple(PointRow(**row) for row in rows))
        except (OSError, ValueError, TypeError):
            return None
        return table if table.digest == digest else None

    def epochs(self, lane: Lane) -> tuple[Ended, ...]:
        """Return the epoch table's entries of a lane, oldest first."""
        return tuple(self._so_far(entry).as_ended() for entry in self._table if entry.lane == lane)

    def gone(self, lane: Lane) -> tuple[Gone, ...]:
        """Return the ranges of a lane that no longer exist, with their reasons."""
        return tuple(gone for entry in self._table if entry.lane == lane for gone in entry.gone)

    def heads(self) -> dict[Lane, LaneHead]:
        """Return how far the durable frames of each lane go; a lane that has none is left out."""
        heads: dict[Lane, LaneHead] = {}
        for entry in map(self._so_far, self._table):
            if entry.frames:
                total = self._readings_before[entry.lane] + self._ends[entry.lane][1]
                heads[entry.lane] = LaneHead(entry.epoch, entry.frames, entry.readings, total)
        return heads

    def close(self) -> None:
        """Enter this run as ended in order, and close the files."""
        with disk_errors(self._path):
            ended = [
                replace(self._so_far(entry), ended=True, clean=True)
                for entry in self._table
                if entry.epoch == self._epoch
            ]
            self._table.put(*ended)
            active, self._active = tuple(self._active.values()), {}
            for segment in active:
                segment.close()
                if segment.is_freed:
                    self._dispose(segment)
            self._table.close()

    def _so_far(self, entry: Entry) -> Entry:
        """An entry as it stands now: that of this run goes on."""
        if entry.epoch != self._epoch:
            return entry
        frames, readings = self._ends[entry.lane]
        return replace(entry, frames=frames, readings=readings)

    def _within(self, stream: Stream, first: int, end: int) -> Iterator[tuple[Segment, int, int]]:
        """The segments that hold places of a range, each with the part that it holds."""
        segments = self._segments.get(stream, [])
        start = max(0, bisect_right(segments, first, key=lambda segment: segment.first) - 1)
        for segment in segments[start:]:
            if segment.first >= end:
                return
            for a, b in segment.intact.within(first, end):
                yield segment, a, b

    def _lose(self, segment: Segment, gone: Gone) -> None:
        """Enter a loss with its reason; the file stays until the rest is freed, and is then set aside."""
        self._enter(segment.stream, (gone,))
        if not segment.intact and segment is not self._active.get(segment.stream.lane):
            self._remove(segment)

    def _dispose(self, segment: Segment) -> None:
        """Enter the reason durably, and only then unlink."""
        self._enter(segment.stream, tuple(segment.as_freed()))
        self._remove(segment)

    def _enter(self, stream: Stream, ranges: Sequence[Gone]) -> None:
        """Enter ranges that no longer exist into the epoch table, and tell of them."""
        entry = self._table.get(stream.epoch, stream.lane)
        if entry is None:
            raise AssertionError("a segment without an entry in the epoch table")
        entry = self._so_far(entry)
        for gone in ranges:
            entry = entry.with_gone(gone)
        self._table.put(entry)
        if self.on_gone is not None:
            for gone in ranges:
                self.on_gone(stream.lane, stream.epoch, gone.first, gone.first + gone.frames)

    def _remove(self, segment: Segment) -> None:
        """Unlink a segment, or set it aside where a part of it was damaged."""
        self._segments[segment.stream].remove(segment)
        if segment.damaged:
            rename_durably(segment.path, self._path / "set-aside" / segment.path.name)
        else:
            segment.path.unlink()
