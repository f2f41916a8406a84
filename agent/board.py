"""What everybody may look at while the agent runs: written by the pollers, read by whoever tells people.

Nothing here is kept per reading: the last scan of each block is held as it came, and points are made of it
when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from agent.counters import Event
from agent.readings import Identity, Scan, Shape, Value
from agent.schedule import Schedule
from agent.tally import Tally
from core.delivery.frames import Lane
from core.delivery.payload import BAD, GOOD
from core.errors import Unreachable

_FINE = 1024
_COARSE_SHIFT = 6
_BUCKETS = 2048
_HOUR_MS = 3_600_000


class Lateness:
    """How late requests started: to the millisecond below a second, then in steps of 64 ms [ms].

    The figures are of the last one to two hours; `counts` are since the start.
    """

    def __init__(self) -> None:
        self.counts = dict.fromkeys(Lane, 0)
        self._now = [0] * _BUCKETS
        self._before = [0] * _BUCKETS
        self._max = [0, 0]

    def add(self, lane: Lane, late_ms: int) -> None:
        """Count a request that started so late [ms]."""
        self.counts[lane] += 1
        if late_ms > self._max[0]:
            self._max[0] = late_ms
        if late_ms >= _FINE:
            late_ms = min(_FINE + ((late_ms - _FINE) >> _COARSE_SHIFT), _BUCKETS - 1)
        self._now[max(0, late_ms)] += 1

    def turn(self) -> None:
        """Forget the hour before the last."""
        self._before, self._now = self._now, [0] * _BUCKETS
        self._max = [0, self._max[0]]

    @property
    def p50(self) -> float:
        """Half of the requests started at most so late [ms]."""
        return self._quantile(0.5)

    @property
    def p99(self) -> float:
        """99 of 100 requests started at most so late [ms]."""
        return self._quantile(0.99)

    @property
    def max(self) -> float:
        """The latest [ms]."""
        return max(self._max)

    def _quantile(self, share: float) -> float:
        both = [a + b for a, b in zip(self._now, self._before, strict=True)]
        rest = share * sum(both)
        for bucket, n in enumerate(both):
            rest -= n
            if rest <= 0 and n:
                if bucket < _FINE:
                    return bucket
                if bucket == _BUCKETS - 1:
                    return self.max
                return min(self.max, _FINE + ((bucket - _FINE + 1) << _COARSE_SHIFT) - 1)
        return 0


@dataclass(frozen=True, slots=True)
class PointState:
    """A point as it was last read.

    `reason` says why it is not good; `midnight_value` is the first value of the site's day [counts].
    """

    value: Value
    time_ms: int
    quality: int
    reason: str = ""
    midnight_value: Value = None
    midnight_ms: int | None = None


@dataclass(slots=True)
class Block:
    """The last scan of a block, and the first of the site's day."""

    last: Scan
    first_of_day: Scan
    day_ends_ms: int


@dataclass(slots=True)
class DeviceState:
    """A device as its poller sees it.

    Attributes
    ----------
    where, bus
        Its address, and what it shares with others.
    rounds
        When each lane is due, and the readings of a round [1].
    state
        ``waiting`` until its first answer or silence.
    silent_since_ms, last_ok_ms, next_try_ms
        Since when it has been silent, when it last answered, when it is tried again [ms since 1970 UTC].
    missed_since_ms
        While it is silent: since when what was due to it has not been counted [ms since 1970 UTC].
    fault
        Why it is silent.
    tries
        Tries since it has been silent [1].
    blocks
        Its points, block by block.
    reasons
        Why points are not good, by point.
    """

    id: str
    where: str
    bus: str
    rounds: Mapping[Lane, tuple[Schedule, int]] = field(default_factory=dict, repr=False)
    state: Literal["good", "silent", "waiting"] = "waiting"
    silent_since_ms: int | None = None
    missed_since_ms: int | None = None
    fault: Unreachable | None = None
    tries: int = 0
    identity: Identity | None = None
    last_ok_ms: int | None = None
    next_try_ms: int | None = None
    blocks: dict[Shape, Block] = field(default_factory=dict, repr=False)
    reasons: Mapping[str, str] = field(default_factory=dict, repr=False)


class Board:
    """The state of all devices.

    Parameters
    ----------
    started_ms
        When the agent started [ms since 1970 UTC].
    zone
        Time zone of the site, whose midnight begins a day.
    on_day
        Called with the account of each day when it is over.

    Attributes
    ----------
    lateness
        How late requests started.
    due, taken, skipped
        Rounds [1], each one reading of a device in a lane: those that were due, those that came, those left
        out because the one before took too long. What a silent device missed is due and neither.
    tally
        The account of the day, in readings.
    """

    def __init__(
        self, *, started_ms: int, zone: ZoneInfo, on_day: Callable[[Event], None] = lambda event: None
    ) -> None:
        self.started_ms = started_ms
        self.tally = Tally(zone, on_day=on_day, before_day_ends=self.settle)
        self.lateness = Lateness()
        self.due = dict.fromkeys(Lane, 0)
        self.taken = dict.fromkeys(Lane, 0)
        self.skipped = dict.fromkeys(Lane, 0)
        self.devices: dict[str, DeviceState] = {}
        self._zone = zone
        self._day_ends_ms = 0
        self._turns_ms = started_ms + _HOUR_MS

    def begin(self, kept: Mapping[str, object], newest_ms: int, now_ms: int | None) -> None:
        """Go on with the account that an earlier run kept, as `Tally.resume` says."""
        rounds = {
            (each.id, lane): each.rounds[lane] for each in self.devices.values() for lane in each.rounds
        }
        self.tally.resume(kept, rounds, newest_ms, now_ms)

    def count(
        self, device: DeviceState, lane: Lane, now_ms: int, *, due: int = 1, taken: int = 0, skipped: int = 0
    ) -> None:
        """Count rounds of a device in a lane [1]."""
        self.tally.turn(now_ms)
        self.due[lane] += due
        self.taken[lane] += taken
        self.skipped[lane] += skipped
        readings = device.rounds[lane][1]
        self.tally.add(
            device.id, lane, due=due * readings, taken=taken * readings, skipped=skipped * readings
        )

    def settle(self, until_ms: int, devices: Iterable[DeviceState] | None = None) -> None:
        """Count what silent devices have missed, up to an instant [ms since 1970 UTC]; None: all of them."""
        for device in self.devices.values() if devices is None else devices:
            if device.missed_since_ms is not None:
                for lane, (schedule, readings) in device.rounds.items():
                    due = schedule.count(device.missed_since_ms, until_ms)
                    self.due[lane] += due
                    self.tally.add(device.id, lane, due=due * readings)
                device.missed_since_ms = max(device.missed_since_ms, until_ms)

    def begin_again(self, now_ms: int) -> None:
        """Count nothing of the time by which the clock was set forward, or became known: it was never due."""
        for device in self.devices.values():
            if device.missed_since_ms is not None:
                device.missed_since_ms = max(device.missed_since_ms, now_ms)
        if not self.tally.begun:
            self.tally.begin(now_ms)

    def show(self, device: DeviceState, scans: Iterable[Scan]) -> None:
        """Show what a device has just answered."""
        blocks = device.blocks
        for scan in scans:
            block = blocks.get(scan.shape)
            if block is None:
                self._show_first(blocks, scan)
            else:
                block.last = scan
                if scan.time_ms >= block.day_ends_ms:
                    block.first_of_day, block.day_ends_ms = scan, self._day_end(scan.time_ms)

    def turn(self, now_ms: int) -> None:
        """Let old lateness and the day go; called now and then."""
        self.tally.turn(now_ms)
        self.settle(now_ms)
        if now_ms >= self._turns_ms:
            self._turns_ms = now_ms + _HOUR_MS
            self.lateness.turn()

    @property
    def points(self) -> dict[str, PointState]:
        """Every point that has been read, by its id."""
        found: dict[str, PointState] = {}
        for device in self.devices.values():
            for block in device.blocks.values():
                found.update(_points(block, device.reasons))
        return found

    def _show_first(self, blocks: dict[Shape, Block], scan: Scan) -> None:
        """Show a block that is new; a device that is read in other blocks now has new ones for all."""
        points = set(scan.shape.points)
        for shape in [shape for shape in blocks if not points.isdisjoint(shape.points)]:
            del blocks[shape]
        blocks[scan.shape] = Block(scan, scan, self._day_end(scan.time_ms))

    def _day_end(self, time_ms: int) -> int:
        """The site's midnight after an instant."""
        if not self._day_ends_ms - 82_800_000 <= time_ms < self._day_ends_ms:  # a day has 23 hours at least
            day = datetime.fromtimestamp(time_ms / 1000, self._zone).date() + timedelta(days=1)
            midnight = datetime(day.year, day.month, day.day, tzinfo=self._zone)
            self._day_ends_ms = round(midnight.timestamp() * 1000)
        return self._day_ends_ms


def _points(block: Block, reasons: Mapping[str, str]) -> Iterable[tuple[str, PointState]]:
    """The points of a block as they are."""
    last, first = block.last, block.first_of_day
    for at, (point, value) in enumerate(zip(last.shape.points, last.values, strict=True)):
        quality = BAD if value is None else GOOD if last.qualities is None else last.qualities[at]
        reason = reasons.get(point, "no value" if value is None else "")
        yield (
            point,
            PointState(value, last.time_ms, quality, reason, first.values[at], first.time_ms),
        )
