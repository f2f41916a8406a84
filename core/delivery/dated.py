"""The count by time: each place of a stream in the period in which its frame was taken.

Most frames carry the times of their readings. One that does not (only events, raw bytes, a frame that is
not in the ledger) was taken after the one before it, so it is dated by that. A range stands where it
begins. The sum over all periods is the whole count, whatever the periods are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from core.delivery.count import Count, Part, count_epoch
from core.delivery.holdings import EpochRow, FrameState, HeldBlock, HeldFrame, LaneRow
from core.delivery.messages import Gone
from core.delivery.ranges import Ranges


class DatedFrame(NamedTuple):
    """A frame that a ledger keeps, and the time of its first reading [ms since 1970 UTC], if it has one."""

    held: HeldFrame
    first_ms: int | None


class DatedBlock(NamedTuple):
    """A block without ids, and the time of its first reading [ms since 1970 UTC], if it has one."""

    held: HeldBlock
    first_ms: int | None


@dataclass(slots=True)
class _Sums:
    """What stands in one period [1]."""

    stored: int = 0
    quarantined: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    waiting: int = 0
    owed: int = 0
    extra: int = 0
    frames: int = 0
    waiting_frames: int = 0
    owed_frames: int = 0
    unexplained: int = 0

    def keep(self, state: FrameState, readings: int, frames: int) -> None:
        """Add what the ledger keeps."""
        self.frames += frames
        if state is FrameState.QUARANTINED:
            self.quarantined += readings
        else:
            self.stored += readings

    def miss(self, part: Part) -> None:
        """Add what it does not."""
        self.frames += part.frames
        if part.kind == "waiting":
            self.waiting += part.readings
            self.waiting_frames += part.frames
        elif part.kind == "owed":
            self.owed += part.readings
            self.owed_frames += part.frames
        else:
            self.lost[part.kind] = self.lost.get(part.kind, 0) + part.readings

    def count(self, row: EpochRow) -> Count:
        """Return the period's count; it adds up where the whole one does."""
        found = self.stored + self.quarantined + sum(self.lost.values()) + self.waiting + self.owed
        return Count(
            *row.stream,
            taken=found + self.unexplained,
            stored=self.stored,
            quarantined=self.quarantined,
            lost=self.lost,
            waiting=self.waiting,
            owed=self.owed,
            extra=self.extra,
            frames=self.frames,
            waiting_frames=self.waiting_frames,
            owed_frames=self.owed_frames,
        )


class _Dates:
    """When the frames of a stream were taken, as far as that is known."""

    def __init__(self, known: Iterable[tuple[int, int | None]], before_ms: int | None) -> None:
        dated = {at: time_ms for at, time_ms in known if time_ms is not None}
        self._at = sorted(dated)
        self._times = [dated[at] for at in self._at]
        self._before_ms = before_ms

    def of(self, place: int) -> int | None:
        """Return when the frame of a place was taken [ms since 1970 UTC], or the one before it."""
        number = bisect_right(self._at, place)
        if number:
            return self._times[number - 1]
        return self._times[0] if self._times else self._before_ms

    @property
    def newest_ms(self) -> int | None:
        """The newest time that is known [ms since 1970 UTC]."""
        return max(self._times, default=self._before_ms)


def count_by_period(
    row: EpochRow,
    lane: LaneRow | None,
    frames: Sequence[DatedFrame],
    gone: Sequence[Gone],
    blocks: Sequence[DatedBlock],
    *,
    bounds: Sequence[int],
    before_ms: int | None = None,
) -> tuple[tuple[Count | None, ...], int | None]:
    """Count one epoch of one lane, period by period.

    Parameters
    ----------
    row, lane, frames, gone, blocks
        As for `count_epoch`.
    bounds
        Begin of the first period, of the second, …, end of the last [ms since 1970 UTC].
    before_ms
        Newest time of the epochs before, for an epoch without any [ms since 1970 UTC].

    Returns
    -------
    tuple
        One count for each period, None where nothing was taken in it; and the newest time so far.
    """
    sums: dict[int, _Sums] = {}
    first = {each.held.at: each for each in reversed(frames)}  # a second frame at one place: extra
    blurred = Ranges(_spans(blocks))
    own = [each for place, each in first.items() if place not in blurred]
    dates = _Dates(
        # of two times of one place the frame's own is the later word
        sorted((each.first, each.from_ms) for each in gone if each.from_ms is not None)
        + [(each.held.first, each.first_ms) for each in blocks]
        + [(each.held.at, each.first_ms) for each in own],
        before_ms,
    )

    def at(time_ms: int | None) -> _Sums:
        period = -1 if time_ms is None else bisect_right(bounds, time_ms) - 1
        return sums.setdefault(period, _Sums())

    def miss(part: Part) -> None:
        at(dates.of(part.first) if part.from_ms is None else part.from_ms).miss(part)

    whole = count_epoch(
        row, lane, [each.held for each in frames], gone, [each.held for each in blocks], note=miss
    )
    for block in blocks:
        at(dates.of(block.held.first)).keep(block.held.state, block.held.readings, block.held.frames)
    for frame in own:
        at(dates.of(frame.held.at)).keep(frame.held.state, frame.held.n, 1)
    newest = at(dates.newest_ms)
    newest.extra += whole.extra
    newest.unexplained += whole.taken - (
        whole.stored + whole.quarantined + sum(whole.lost.values()) + whole.waiting + whole.owed
    )
    found = (sums.get(period) for period in range(len(bounds) - 1))
    return tuple(None if each is None else each.count(row) for each in found), dates.newest_ms


def _spans(blocks: Iterable[DatedBlock]) -> list[tuple[int, int]]:
    return [(each.held.first, each.held.end) for each in blocks]
