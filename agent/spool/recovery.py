"""What a spool holds when it is opened: intact frames, and the damage between them by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path

from agent.spool.columns import Columns, columns_at_end
from agent.spool.epochs import Entry, EpochTable
from agent.spool.records import NO_TIME, Found, Mark, parts
from agent.spool.segments import SUFFIX, Segment, parse_name
from core.delivery.frames import Stream, block_digest
from core.delivery.messages import Gone
from core.delivery.ranges import Ranges


@dataclass(slots=True)
class Recovered:
    """The segments with the frames that are on disk, and the damage."""

    segments: list[Segment] = field(default_factory=list)
    damage: list[tuple[Stream, Gone]] = field(default_factory=list)


def recover(folder: Path, agent: str, table: EpochTable) -> Recovered:
    """Read all segments, name what is damaged, and close the epochs of earlier runs in the table.

    A record that was only partly appended when the machine stopped was never counted nor sent: it is no
    damage. Of a full segment only the columns at its end are read: damage in it is found when a frame is
    read. Nothing is written to a segment again, and its epoch's numbers are never used again.

    Parameters
    ----------
    folder
        The spool's folder.
    agent
        The agent's name.
    table
        The durable epoch table.

    Raises
    ------
    OSError
        If a file cannot be read, or the table cannot be written.
    """
    recovered = Recovered()
    files: dict[Stream, list[tuple[int, int | None, Path]]] = {}
    for path in folder.glob(f"*{SUFFIX}"):
        name = parse_name(path, agent)
        if name is not None:
            files.setdefault(name.stream, []).append((name.first, name.freed_ms, path))
    for paths in files.values():
        paths.sort(key=lambda file: file[0])
    closed: list[Entry] = []
    for entry in table:
        stream = Stream(agent, entry.lane, entry.epoch)
        closed += _recover_stream(folder, stream, entry, files.pop(stream, []), recovered)
    for stream, paths in files.items():  # the table was damaged: what came before such an epoch is unknown
        closed += _recover_stream(folder, stream, Entry(stream.epoch, stream.lane), paths, recovered)
    if closed:
        table.put(*closed)
    return recovered


def _recover_stream(
    folder: Path,
    stream: Stream,
    entry: Entry,
    files: list[tuple[int, int | None, Path]],
    recovered: Recovered,
) -> Iterator[Entry]:
    """Recover one stream from its entry and its files, in order; yield the entry if it is another now."""
    gone = Ranges((g.first, g.first + g.frames) for g in entry.gone)
    walk = _Walk(stream, entry)
    segments: list[Segment] = []
    for first, freed_ms, path in files:
        segment = Segment(folder, stream, first, freed_ms=freed_ms)
        segment.path = path
        columns = columns_at_end(path)
        segment.size = path.stat().st_size
        if columns is not None and walk.may_step_over(columns):
            walk.step_over(columns)
            segment.take(columns, gone.missing(columns.first, columns.end))
        else:
            _scan(path.read_bytes(), segment, walk, entry, gone)
        segments.append(segment)
    damage = walk.finish()
    for one in damage:
        entry = entry.with_gone(one)
    if damage or not entry.ended:
        entry = replace(entry, frames=walk.frames, readings=walk.readings, ended=True)
        yield entry
    for here, after in zip_longest(segments, segments[1:]):
        until = after.first if after else entry.frames
        here.damaged = any(
            g.reason in ("damaged", "refused") and here.first <= g.first < until for g in entry.gone
        )
    recovered.segments += segments
    recovered.damage += [(stream, one) for one in damage]


def _scan(data: bytes, segment: Segment, walk: _Walk, entry: Entry, gone: Ranges) -> None:
    """Take what is intact in a segment, record by record; what was being appended at the end is no frame."""
    found = [*parts(data)]
    ends = [part.frames if isinstance(part, Mark) else part.header.at + 1 for part in found]
    whole = [isinstance(part, Mark) or part.intact for part in found]
    appended = max((end for end, is_whole in zip(ends, whole, strict=True) if is_whole), default=0)
    for part, end in zip(found, ends, strict=True):
        if end > appended and not entry.ended:
            continue
        if isinstance(part, Mark):
            if not entry.ended:
                walk.mark(part)
            continue
        at = part.header.at
        if at < max(segment.end, walk.frames) or (entry.ended and at >= entry.frames) or at in gone:
            continue
        walk.step(part)
        if part.intact:
            segment.note(part.offset, part.header)


class _Walk:
    """A walk along a stream's headers that finds what is missing between them."""

    def __init__(self, stream: Stream, entry: Entry) -> None:
        self._epoch = stream.epoch
        self._entry = entry
        self._known = Ranges((g.first, g.first + g.frames) for g in entry.gone)
        self._damage: list[Gone] = []
        self._marks: list[Mark] = []
        self._last_ms: int | None = None
        self.frames = 0
        self.readings = 0

    def step(self, found: Found) -> None:
        """Go on to the next header."""
        header = found.header
        next_ms = None if header.from_ms == NO_TIME else header.from_ms
        self._close_gap(header.at, header.before, next_ms)
        if not found.intact:
            times = (None, None) if next_ms is None else (next_ms, header.to_ms)
            digest = block_digest(header.id)
            self._damage.append(Gone(self._epoch, header.at, 1, header.n, "damaged", digest, *times))
        self._known.add(header.at, header.at + 1)
        self.frames, self.readings = header.at + 1, header.before + header.n
        self._last_ms = None if next_ms is None else header.to_ms

    def may_step_over(self, columns: Columns) -> bool:
        """Tell whether columns go on where the walk is, and not beyond the known end."""
        return columns.first >= self.frames and not (self._entry.ended and columns.end > self._entry.frames)

    def step_over(self, columns: Columns) -> None:
        """Go on behind a whole segment."""
        self._close_gap(columns.first, columns.before, columns.from_ms)
        self._known.add(columns.first, columns.end)
        self.frames, self.readings = columns.end, columns.before + columns.readings
        self._last_ms = columns.to_ms

    def mark(self, mark: Mark) -> None:
        """Take note of where the stream was when an append was whole."""
        self._marks.append(mark)

    def finish(self) -> list[Gone]:
        """Close the end: what the table knows to have been there is damage too."""
        frames = max(self.frames, self._entry.frames, *(mark.frames for mark in self._marks))
        readings = max(self.readings, self._entry.readings, *(mark.readings for mark in self._marks))
        self._close_gap(frames, readings, None)
        return self._damage

    def _close_gap(self, end: int, readings: int, next_ms: int | None) -> None:
        """Name as damaged what is missing up to an index before which there are so many readings."""
        marks, self._marks = self._marks, []
        for mark in marks:  # they say how the readings are shared out
            if self.frames < mark.frames < end:
                self._name_gap(mark.frames, mark.readings, next_ms)
        self._name_gap(end, readings, next_ms)

    def _name_gap(self, end: int, readings: int, next_ms: int | None) -> None:
        """Name what is missing, whatever marks are in it."""
        missing = self._known.missing(self.frames, end)
        inside = sum(g.readings for g in self._entry.gone if self.frames <= g.first < end)
        left = readings - self.readings - inside
        for first, stop in missing:
            self._damage.append(
                Gone(self._epoch, first, stop - first, max(0, left), "damaged", None, self._last_ms, next_ms)
            )
            self._known.add(first, stop)
            left = 0
        self.frames, self.readings = end, readings
