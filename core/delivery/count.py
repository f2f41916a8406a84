"""The count: taken = stored + quarantined + lost, by reason + waiting + owed.

Every place of a stream (a frame's number in its epoch) is counted once, under the first that applies in
that order. `taken` is what the agent says it took, from whichever source says most; the other side is
added up place by place, so the two can differ, and then the count does not add up.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.delivery.frames import Lane, block_digest
from core.delivery.holdings import EpochRow, FrameState, HeldFrame, LaneRow
from core.delivery.messages import Gone
from core.delivery.ranges import Ranges


@dataclass(frozen=True, slots=True)
class Count:
    """The readings of one epoch in one lane, or a sum of such [1].

    Parameters
    ----------
    agent, lane, epoch
        What was counted; the epoch is empty in a sum.
    taken
        Readings that the agent is known to have taken.
    stored
        Readings in the ledger.
    quarantined
        Readings kept as raw bytes, set aside with a reason.
    lost
        Readings given up, by reason.
    waiting
        Readings on the agent's disk.
    owed
        Readings known to have been taken and found nowhere.
    extra
        Readings of second frames at one place, which come from a copied disk; outside the sum.
    frames, waiting_frames, owed_frames
        Frames that the agent is known to have written, those still on its disk, those found nowhere.
    """

    agent: str
    lane: Lane
    epoch: str
    taken: int
    stored: int
    quarantined: int
    lost: Mapping[str, int]
    waiting: int
    owed: int
    extra: int
    frames: int
    waiting_frames: int
    owed_frames: int

    @property
    def adds_up(self) -> bool:
        """Whether what was taken is what the places sum to."""
        found = self.stored + self.quarantined + sum(self.lost.values()) + self.waiting + self.owed
        return self.taken == found

    @property
    def complete(self) -> bool:
        """Whether nothing is on its way or missing: taken = stored + named lost."""
        return self.adds_up and not (self.waiting or self.owed or self.waiting_frames or self.owed_frames)


def count_epoch(
    row: EpochRow, lane: LaneRow | None, frames: Iterable[HeldFrame], gone: Sequence[Gone]
) -> Count:
    """Count one epoch of one lane.

    Parameters
    ----------
    row
        What was ever heard of the epoch.
    lane
        The newest inventory of its lane, if any came.
    frames
        All frames that the ledger keeps of it, by index and then in order of arrival.
    gone
        The ranges of it that no longer exist at the agent.
    """
    places = _Places(frames)
    lost: dict[str, int] = {}
    extra = places.extra
    for entry in gone:
        end = entry.first + entry.frames
        reason = "trimmed" if entry.reason == "freed" else entry.reason
        if not places.known.covers(entry.first, end):
            lost[reason] = lost.get(reason, 0) + places.account(entry.first, end, entry.readings)
        elif entry.reason != "freed" and entry.digest not in (None, *places.digests(entry.first, end)):
            extra += entry.readings
    known = places.known.size()
    waiting = sum(
        places.account(block.first, block.first + block.frames, block.readings)
        for block in (lane.listed if lane is not None else ())
        if block.epoch == row.stream.epoch
    )
    taken = max(row.readings, places.total)
    unlisted = Ranges(places.known.missing(0, row.frames))
    if lane is None or lane.process in (None, row.stream.epoch):
        # written since the newest inventory, by the run that sent it: on its disk, as its head says
        newer = unlisted.within(lane.listed_frames if lane is not None else 0, row.frames)
        if unlisted and Ranges(newer) == unlisted:
            waiting += taken - places.total
            places.account(0, row.frames, taken)
    waiting_frames = places.known.size() - known
    frames_written = max(row.frames, places.end)
    return Count(
        *row.stream,
        taken=taken,
        stored=places.stored,
        quarantined=places.quarantined,
        lost=lost,
        waiting=waiting,
        owed=taken - places.total if not places.known.covers(0, frames_written) else 0,
        extra=extra,
        frames=frames_written,
        waiting_frames=waiting_frames,
        owed_frames=frames_written - places.known.size(),
    )


def total(counts: Iterable[Count], agent: str, lane: Lane) -> Count:
    """Return the sum of the counts of one agent's lane."""
    chosen = [count for count in counts if (count.agent, count.lane) == (agent, lane)]
    lost: dict[str, int] = {}
    for count in chosen:
        for reason, readings in count.lost.items():
            lost[reason] = lost.get(reason, 0) + readings
    sums = {name: sum(getattr(count, name) for count in chosen) for name in _SUMMED}
    return Count(agent, lane, "", lost=lost, **sums)


_SUMMED = (
    "taken",
    "stored",
    "quarantined",
    "waiting",
    "owed",
    "extra",
    "frames",
    "waiting_frames",
    "owed_frames",
)


class _Places:
    """The places of one stream as they are accounted for: single frames first, then whole ranges."""

    def __init__(self, frames: Iterable[HeldFrame]) -> None:
        self.stored = self.quarantined = self.extra = 0
        self.known = Ranges()
        self._at: list[int] = []
        self._upto: list[int] = [0]
        self._ids: list[str] = []
        self._ranges: list[tuple[int, int, int]] = []
        for frame in frames:
            if self._at and frame.at == self._at[-1]:
                self.extra += frame.n
                continue
            self._at.append(frame.at)
            self._ids.append(frame.id)
            self._upto.append(self._upto[-1] + frame.n)
            self.known.add(frame.at, frame.at + 1)
            if frame.state is FrameState.QUARANTINED:
                self.quarantined += frame.n
            else:
                self.stored += frame.n

    @property
    def total(self) -> int:
        """Readings accounted for."""
        return self._upto[-1] + sum(readings for _, _, readings in self._ranges)

    @property
    def end(self) -> int:
        """One beyond the last place known [frames]."""
        return max((end for _, end in self.known), default=0)

    def account(self, first: int, end: int, readings: int) -> int:
        """Account for those places of a range that are not known yet; return their readings [1].

        Parameters
        ----------
        readings
            Of the whole range; what its known places hold is taken off.
        """
        if self.known.covers(first, end):
            return 0
        low, high = bisect_left(self._at, first), bisect_left(self._at, end)
        inside = sum(r for a, b, r in self._ranges if first <= a and b <= end)
        rest = max(0, readings - (self._upto[high] - self._upto[low]) - inside)
        for a, b in self.known.missing(first, end):
            self._ranges.append((a, b, 0))
        self._ranges[-1] = (*self._ranges[-1][:2], rest)
        self.known.add(first, end)
        return rest

    def digests(self, first: int, end: int) -> tuple[str, ...]:
        """The digest of what is kept at the places, if each holds a frame."""
        low, high = bisect_left(self._at, first), bisect_left(self._at, end)
        if high - low != end - first:
            return ()
        return (block_digest(bytes.fromhex("".join(self._ids[low:high]))),)
