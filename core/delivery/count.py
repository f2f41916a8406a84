"""The count: taken = stored + quarantined + lost, by reason + waiting + owed.

Every place of a stream (a frame's number in its epoch) is counted once, under the first that applies in
that order. `taken` is what the agent says it took, from whichever source says most; the other side is
added up place by place, so the two can differ, and then the count does not add up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from core.delivery.frames import Lane
from core.delivery.holdings import EpochRow, HeldBlock, HeldFrame, LaneRow
from core.delivery.messages import Gone
from core.delivery.places import Places


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
        Readings known to have been taken and found nowhere: the newest inventory no longer lists them, so
        they are presumed lost.
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


class Part(NamedTuple):
    """Readings that were accounted for together, and are not in the ledger.

    Parameters
    ----------
    kind
        ``waiting``, ``owed``, or the reason of a loss.
    first
        The first of the places.
    readings, frames
        How many [1].
    from_ms
        Time of the first reading, where the agent told it [ms since 1970 UTC].
    """

    kind: str
    first: int
    readings: int
    frames: int
    from_ms: int | None = None


def count_epoch(
    row: EpochRow,
    lane: LaneRow | None,
    frames: Iterable[HeldFrame],
    gone: Sequence[Gone],
    blocks: Sequence[HeldBlock] = (),
    *,
    note: Callable[[Part], None] = lambda part: None,
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
    blocks
        The blocks of it that are kept without ids.
    note
        Called with each part that is not in the ledger.
    """
    places = Places(frames, blocks)

    def account(kind: str, first: int, end: int, readings: int, from_ms: int | None = None) -> int:
        known = places.known.size()
        found = places.account(first, end, readings)
        if places.known.size() > known:
            note(Part(kind, first, found, places.known.size() - known, from_ms))
        return found

    lost: dict[str, int] = {}
    extra = places.extra
    for entry in gone:
        end = entry.first + entry.frames
        reason = "trimmed" if entry.reason == "freed" else entry.reason
        if not places.known.covers(entry.first, end):
            found = account(reason, entry.first, end, entry.readings, entry.from_ms)
            lost[reason] = lost.get(reason, 0) + found
        elif entry.reason != "freed" and entry.digest and places.is_other(entry.first, end, entry.digest):
            extra += entry.readings
    known = places.known.size()
    waiting = sum(
        account("waiting", block.first, block.first + block.frames, block.readings)
        for block in (lane.listed if lane is not None else ())
        if block.epoch == row.stream.epoch
    )
    newer = max(0, row.readings - row.judged_readings)  # since the newest inventory: on disk, as heads say
    waiting += account("waiting", row.judged_frames, row.frames, newer)
    waiting_frames = places.known.size() - known
    frames_written = max(row.frames, places.end)
    taken = max(row.readings, places.total)
    if places.known.covers(0, frames_written) and taken <= places.total + extra:
        taken = places.total  # a copy that took more at these places told of it: that is extra, not missing
    missing = places.known.missing(0, frames_written)
    if missing:
        owed_frames = frames_written - places.known.size()
        note(Part("owed", missing[0][0], taken - places.total, owed_frames))
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
