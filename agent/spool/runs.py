"""This run of the agent in the epoch table, beside those before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from agent.spool.epochs import Entry, EpochTable
from core.delivery.frames import Lane, Stream
from core.delivery.messages import Ended, Gone, LaneHead


class Runs:
    """What each run wrote and what became of it; this run goes on.

    Parameters
    ----------
    table
        The durable epoch table, in which all earlier runs have ended.
    epoch
        The name of this run, 32 hex digits.

    Attributes
    ----------
    ends
        Frames and readings that this run has made durable, by lane [1].
    on_gone
        Called with lane, epoch, first index and one beyond the last of what no longer exists.
    """

    def __init__(self, table: EpochTable, epoch: str) -> None:
        self._table, self._epoch = table, epoch
        self._before = {lane: sum(entry.readings for entry in table if entry.lane == lane) for lane in Lane}
        self.ends = dict.fromkeys(Lane, (0, 0))
        self.on_gone: Callable[[Lane, str, int, int], None] | None = None

    def begin(self) -> None:
        """Enter this run, if it is not there yet."""
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

    def end(self) -> None:
        """Enter this run as ended in order."""
        ours = [entry for entry in self._table if entry.epoch == self._epoch]
        self._table.put(*(replace(self._so_far(entry), ended=True, clean=True) for entry in ours))

    def enter(self, stream: Stream, ranges: Sequence[Gone]) -> None:
        """Enter ranges that no longer exist, durably, and tell of them."""
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

    def epochs(self, lane: Lane) -> tuple[Ended, ...]:
        """Return the entries of a lane, oldest first."""
        return tuple(self._so_far(entry).as_ended() for entry in self._table if entry.lane == lane)

    def gone(self, lane: Lane) -> tuple[Gone, ...]:
        """Return the ranges of a lane that no longer exist, with their reasons."""
        return tuple(gone for entry in self._table if entry.lane == lane for gone in entry.gone)

    def lost_readings(self, lane: Lane) -> Mapping[str, int]:
        """Return the readings that are named lost, by reason [1]."""
        lost: dict[str, int] = {}
        for gone in self.gone(lane):
            if gone.reason != "freed":
                lost[gone.reason] = lost.get(gone.reason, 0) + gone.readings
        return lost

    def heads(self) -> dict[Lane, LaneHead]:
        """Return how far the durable frames of each lane go; a lane that has none is left out."""
        heads: dict[Lane, LaneHead] = {}
        for entry in map(self._so_far, self._table):
            if entry.frames:
                total = self._before[entry.lane] + self.ends[entry.lane][1]
                heads[entry.lane] = LaneHead(entry.epoch, entry.frames, entry.readings, total)
        return heads

    def _so_far(self, entry: Entry) -> Entry:
        """An entry as it stands now: that of this run goes on."""
        if entry.epoch != self._epoch:
            return entry
        frames, readings = self.ends[entry.lane]
        return replace(entry, frames=frames, readings=readings)
