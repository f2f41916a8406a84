"""What goes first when the spool's room is not enough.

Loss only ever makes room for what is to be written now. Limits that were lowered, or a disk that others have
filled, cost nothing by themselves: the spool then stays as large as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from agent.spool.collection import Segments
from agent.spool.limits import Ceiling, Room, SpoolFull, SpoolLimits, disk_space, left_to_others
from agent.spool.segments import Segment
from core.delivery.frames import Lane

DAY_MS: Final = 86_400_000

_RESERVE_SHARE: Final = 0.75
_LEAST_BYTES: Final = 65_536
_RATE_OVER_MS: Final = DAY_MS
_RATE_FROM_MS: Final = 60_000
_ALARM_DAYS: Final = 7


class RoomMaker:
    """Makes room for what is to be written.

    Parameters
    ----------
    folder
        The spool's folder.
    segments
        What is in it.
    limits
        What it may take.
    """

    def __init__(self, folder: Path, segments: Segments, limits: SpoolLimits) -> None:
        self._folder, self._segments, self._limits = folder, segments, limits
        self._total, self._samples, self._hard = Ceiling(), Ceiling(), Ceiling()
        self._seen = dict(segments.given_back)
        self._limit = self._measure().limit

    def make(self, lane: Lane, need: int, *, refused: bool = False) -> None:
        """Make room for an append: what all ledgers hold goes first, then what must be named lost.

        Parameters
        ----------
        need
            Size of the append [bytes].
        refused
            The disk has just said that it is full, whatever it was thought to have.

        Raises
        ------
        SpoolFull
            If nothing is left that may go.
        """
        now = self._measure(refused=refused)
        self._limit = now.limit
        self._drop_freed(max(need + now.kept - now.free, now.used + need - now.most))
        used = self._used
        samples = self._segments.bytes[Lane.SAMPLES]
        self._lower(used, samples, refused=refused)
        over = self._total.over(used, need, now.limit)
        if lane is Lane.SAMPLES:
            over = max(over, self._samples.over(samples, need, now.samples_limit))
        self._drop(over, self._droppable(Lane.SAMPLES))
        over = self._hard.over(used, need, now.hard_limit) - (used - self._used)
        over = self._drop(over, self._droppable(Lane.SAMPLES, active=True))
        over = self._drop(over, self._droppable(Lane.REGISTERS))
        if over > 0:
            raise SpoolFull(
                "the disk is full: nothing is read any more",
                where=str(self._folder),
                evidence=f"{self._used:,} bytes in the spool, {now.free:,} free on its disk; "
                "what is left is registers that no ledger holds, and those are never dropped",
                cause="the ledger has not been reached for long, the disk is small, or others fill it",
                next="free space on this disk, never files of the spool; then the agent goes on",
            )

    def look(self) -> Room:
        """Return the room as it is now."""
        now = self._measure()
        waiting = dict.fromkeys(Lane, 0)
        may_go = self._segments.bytes[Lane.SAMPLES]
        for segment in self._segments:
            here = _waiting_bytes(segment)
            waiting[segment.stream.lane] += here
            if segment.stream.lane is Lane.REGISTERS and segment.is_held:
                may_go += segment.size
        left = now.hard_limit - now.used + may_go
        rate, alarm_at = self.registers_bytes_per_day, self._limits.alarm_at
        alarm = (
            sum(waiting.values()) >= alarm_at * now.limit
            or waiting[Lane.SAMPLES] >= alarm_at * now.samples_limit
            or (rate is not None and left < _ALARM_DAYS * rate)
        )
        return Room(
            now.used,
            now.limit,
            now.free,
            alarm and any(waiting.values()),
            now.limit - now.samples_limit,
            sum(waiting.values()),
            max(0, left),
            max(0, min(now.samples_limit - waiting[Lane.SAMPLES], now.limit - sum(waiting.values()))),
            rate,
        )

    @property
    def registers_bytes_per_day(self) -> int | None:
        """What registers take a day, by the times in the newest of them [bytes]; None: not known yet."""
        size = span_ms = 0
        for segment in self._segments.newest(Lane.REGISTERS):
            if segment.span_ms:
                size, span_ms = size + segment.size, span_ms + segment.span_ms
            if span_ms >= _RATE_OVER_MS:
                break
        return round(size * DAY_MS / span_ms) if span_ms >= _RATE_FROM_MS else None

    def segment_bytes(self, usual: int) -> int:
        """Return the size at which a segment is full: a small spool has small ones [bytes]."""
        return min(usual, max(_LEAST_BYTES, self._limit // 32))

    @property
    def _used(self) -> int:
        return sum(self._segments.bytes.values())

    def _measure(self, *, refused: bool = False) -> _Now:
        """Look at the disk."""
        total, free = disk_space(self._folder)
        if refused:
            free = 0
        used = self._used
        kept, floor = left_to_others(total)
        most = used + free if self._limits.max_bytes is None else self._limits.max_bytes
        limit = min(most, used + max(0, free - kept))
        reserve = round((self.registers_bytes_per_day or 0) * self._limits.reserve_days)
        return _Now(
            used=used,
            free=free,
            kept=kept,
            most=most,
            limit=limit,
            hard_limit=min(most, used + max(0, free - floor)),
            samples_limit=limit - min(reserve, int(_RESERVE_SHARE * limit)),
        )

    def _drop_freed(self, over: int) -> None:
        """Unlink what every required ledger holds, oldest first, as far as space is needed."""
        if over > 0:
            for segment in tuple(self._segments):
                if over > 0 and segment.is_freed and not self._segments.is_active(segment):
                    over -= segment.size
                    self._segments.dispose(segment)

    def _drop(self, over: int, victims: Iterator[Segment]) -> int:
        """Drop segments until so much is free; return how much is missing [bytes]."""
        while over > 0 and (segment := next(victims, None)):
            over -= segment.size
            self._segments.drop(segment)
        return over

    def _droppable(self, lane: Lane, *, active: bool = False) -> Iterator[Segment]:
        """Yield what may be dropped, oldest first: samples, and registers that some ledger holds."""
        for segment in tuple(self._segments.of(lane)):
            may_go = lane is Lane.SAMPLES or segment.is_held
            is_written = self._segments.is_active(segment) and not active
            if may_go and segment.intact and not segment.damaged and not is_written:
                yield segment

    def _lower(self, used: int, samples: int, *, refused: bool) -> None:
        """Lower the ceilings by what was given back, or to what there is."""
        given = {lane: self._segments.given_back[lane] - self._seen[lane] for lane in Lane}
        self._seen = dict(self._segments.given_back)
        for ceiling in (self._total, self._hard):
            ceiling.lower(sum(given.values()), used if refused else None)
        self._samples.lower(given[Lane.SAMPLES], samples if refused else None)


class _Now(NamedTuple):
    """The disk at one moment [bytes]: `hard_limit` is the registers', who may use what is left to others."""

    used: int
    free: int
    kept: int
    most: int
    limit: int
    hard_limit: int
    samples_limit: int


def _waiting_bytes(segment: Segment) -> int:
    """What of a segment not all required ledgers hold; one that once was freed counts as held [bytes]."""
    if segment.freed_ms is not None or not segment.intact:
        return 0
    return segment.size * (segment.intact.size() - segment.freed.size()) // segment.intact.size()
