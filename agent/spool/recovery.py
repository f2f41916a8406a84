"""What a spool holds when it is opened: intact frames, and the damage between them by name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path

from agent.spool.epochs import Entry, EpochTable
from agent.spool.records import NO_TIME, Found, scan
from agent.spool.segments import SUFFIX, Segment, parse_name
from core.delivery.frames import Stream, block_digest
from core.delivery.messages import Gone
from core.delivery.ranges import Ranges
from core.delivery.shelf import Written


@dataclass(slots=True)
class Recovered:
    """The frames that are on disk, by segment, and as the sender wants them."""

    segments: list[Segment] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    damage: list[tuple[Stream, Gone]] = field(default_factory=list)


def recover(folder: Path, agent: str, table: EpochTable) -> Recovered:
    """Read all segments, name what is damaged, and close the epochs of earlier runs in the table.

    A record that was only partly appended when the machine stopped was never counted nor sent: it is no
    damage. Nothing is written to a segment again, and its epoch's numbers are never used again.

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
    files: dict[Stream, list[tuple[int, Path]]] = {}
    for path in folder.glob(f"*{SUFFIX}"):
        name = parse_name(path, agent)
        if name is not None:
            files.setdefault(name[0], []).append((name[1], path))
    for entry in table:
        stream = Stream(agent, entry.lane, entry.epoch)
        _recover_stream(folder, stream, entry, sorted(files.pop(stream, [])), table, recovered)
    for stream, paths in files.items():  # the table was damaged: what came before such an epoch is unknown
        _recover_stream(folder, stream, Entry(stream.epoch, stream.lane), sorted(paths), table, recovered)
    return recovered


def _recover_stream(
    folder: Path,
    stream: Stream,
    entry: Entry,
    files: list[tuple[int, Path]],
    table: EpochTable,
    recovered: Recovered,
) -> None:
    """Recover one stream from its entry and its files, in order."""
    gone = Ranges((g.first, g.first + g.frames) for g in entry.gone)
    walk = _Walk(stream, entry)
    segments: list[Segment] = []
    for first, path in files:
        segment = Segment(folder, stream, first)
        data = path.read_bytes()
        segment.size = len(data)
        for found in scan(data):
            at = found.header.at
            if at < max(segment.end, walk.frames) or (entry.ended and at >= entry.frames) or at in gone:
                continue
            walk.step(found)
            if found.intact:
                segment.note(found.offset, found.header)
                recovered.written.append(_written(stream, found))
        segments.append(segment)
    damage = walk.finish()
    for one in damage:
        entry = entry.with_gone(one)
    if damage or not entry.ended:
        entry = replace(entry, frames=walk.frames, readings=walk.readings, ended=True)
        table.put(entry)
    for segment, after in zip_longest(segments, segments[1:]):
        until = after.first if after else entry.frames
        segment.damaged = any(g.reason != "freed" and segment.first <= g.first < until for g in entry.gone)
    recovered.segments += segments
    recovered.damage += [(stream, one) for one in damage]


class _Walk:
    """A walk along a stream's headers that finds what is missing between them."""

    def __init__(self, stream: Stream, entry: Entry) -> None:
        self._epoch = stream.epoch
        self._entry = entry
        self._known = Ranges((g.first, g.first + g.frames) for g in entry.gone)
        self._damage: list[Gone] = []
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

    def finish(self) -> list[Gone]:
        """Close the end: what the table knows to have been there is damage too."""
        self._close_gap(max(self.frames, self._entry.frames), max(self.readings, self._entry.readings), None)
        return self._damage

    def _close_gap(self, end: int, readings: int, next_ms: int | None) -> None:
        """Name as damaged what is missing up to an index before which there are so many readings."""
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


def _written(stream: Stream, found: Found) -> Written:
    """A recovered frame as the sender wants it."""
    header = found.header
    return Written(
        stream.lane, stream.epoch, header.at, header.n, header.id.hex(), header.table.hex(), header.size
    )
