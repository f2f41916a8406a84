"""The account of a local day: readings that were due, and what became of them (pure).

It is told as one event when the day is over, and when the agent stops. It outlives the process in the
spool's folder, so that what was due while no agent ran is in it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.counters import Event
from agent.schedule import Schedule
from core.delivery.frames import Lane

KIND: Final = "polled"
LONGEST_MS: Final = 62 * 86_400_000
"""Of a time without an agent, no more than this is accounted for [ms]."""
_DEVICES_TOLD: Final = 15


@dataclass(slots=True)
class LaneAccount:
    """Readings of a lane [1]; those of silent devices are due, and none of the others.

    Attributes
    ----------
    due, taken, skipped, stopped
        Those that were due; that came; that were left out because the one before took too long; that were
        due while no agent ran.
    missing
        Due and not taken, by device.
    """

    due: int = 0
    taken: int = 0
    skipped: int = 0
    stopped: int = 0
    missing: dict[str, int] = field(default_factory=dict)

    @property
    def silent(self) -> int:
        """Due, and not answered [1]."""
        return self.due - self.taken - self.skipped - self.stopped

    def told(self) -> Event:
        """What an event says of it."""
        most = sorted(self.missing.items(), key=lambda item: (-item[1], item[0]))[:_DEVICES_TOLD]
        return {
            "due": self.due,
            "taken": self.taken,
            "skipped": self.skipped,
            "silent": self.silent,
            "stopped": self.stopped,
            "missing": dict(most),
        }


class Tally:
    """The account of the day at hand.

    Parameters
    ----------
    zone
        Time zone of the site, whose midnight ends a day.
    on_day
        Called with the event of a day that is over.
    before_day_ends
        Called with an instant [ms since 1970 UTC]: what was due to silent devices until then is to be added.
    """

    def __init__(
        self, zone: ZoneInfo, *, on_day: Callable[[Event], None], before_day_ends: Callable[[int], None]
    ) -> None:
        self._zone, self._on_day, self._before_day_ends = zone, on_day, before_day_ends
        self._lanes = {lane: LaneAccount() for lane in Lane}
        self._since_ms: int | None = None
        self._ends_ms = 0

    def begin(self, now_ms: int) -> None:
        """Begin the account now [ms since 1970 UTC]; what was added before belongs to it.

        Nothing ends a day before: while the machine does not know the time, there are no days.
        """
        self._since_ms, self._ends_ms = now_ms, self._day(now_ms)[1]

    @property
    def begun(self) -> bool:
        """Whether the time is known, and with it the day."""
        return self._since_ms is not None

    def add(self, device: str, lane: Lane, *, due: int = 0, taken: int = 0, skipped: int = 0) -> None:
        """Add readings of a device [1]."""
        account = self._lanes[lane]
        account.due += due
        account.taken += taken
        account.skipped += skipped
        if due != taken:
            account.missing[device] = account.missing.get(device, 0) + due - taken

    def turn(self, now_ms: int) -> None:
        """End the days that are over [ms since 1970 UTC]."""
        while self._since_ms is not None and now_ms >= self._ends_ms:
            self._before_day_ends(self._ends_ms - 1)
            event = self.event(self._ends_ms)
            self._start(self._ends_ms)
            if event is not None:
                self._on_day(event)

    def event(self, until_ms: int) -> Event | None:
        """Return what is to be told of the day so far; None where nothing was due, or time is unknown.

        Parameters
        ----------
        until_ms
            End of what is told [ms since 1970 UTC].
        """
        if self._since_ms is None or not any(account.due for account in self._lanes.values()):
            return None
        return {
            "event": KIND,
            "time_ms": until_ms,
            "since_ms": self._since_ms,
            "day": self._day(self._since_ms)[0],
            "lanes": {lane.value: account.told() for lane, account in self._lanes.items()},
        }

    def keep(self, now_ms: int) -> Mapping[str, object]:
        """Return what the next run must know, if this one ends now."""
        if self._since_ms is None:
            return {}
        return {
            "since_ms": self._since_ms,
            "until_ms": now_ms,
            "lanes": {
                lane.value: [account.due, account.taken, account.skipped, account.stopped, account.missing]
                for lane, account in self._lanes.items()
            },
        }

    def resume(
        self,
        kept: Mapping[str, Any],
        rounds: Mapping[tuple[str, Lane], tuple[Schedule, int]],
        newest_ms: int,
        now_ms: int | None,
    ) -> None:
        """Go on with the account of an earlier run, and add what was due while no agent ran.

        Parameters
        ----------
        kept
            What that run kept; of a wrong form, or of another time, it is as if there was none.
        rounds
            Schedule, and readings of a round [1], of each device and lane.
        newest_ms
            Time of the newest reading on disk: what was due between the account and it is in neither, for
            after a kill nobody knows what of it was taken [ms since 1970 UTC].
        now_ms
            When this run begins [ms since 1970 UTC]; None where the time is not known: then the earlier
            account is told as it is, and the new one begins with `begin`.
        """
        try:
            since_ms, until_ms = int(kept["since_ms"]), int(kept["until_ms"])
            lanes = {Lane(name): LaneAccount(*account) for name, account in kept["lanes"].items()}
        except (KeyError, TypeError, ValueError, AttributeError):
            since_ms, until_ms, lanes = 0, -1, {}
        if since_ms > until_ms or (now_ms is not None and until_ms > now_ms):
            if now_ms is not None:
                self.begin(now_ms)
            return
        self._lanes |= lanes
        self.begin(since_ms)
        if now_ms is None:
            event = self.event(until_ms)
            self._since_ms, self._lanes = None, {lane: LaneAccount() for lane in Lane}
            if event is not None:
                self._on_day(event)
            return
        stopped_ms = max(until_ms, newest_ms + 1, now_ms - LONGEST_MS)
        for start_ms, end_ms in self._parts(stopped_ms, now_ms):
            self.turn(start_ms)
            for (device, lane), (schedule, readings) in rounds.items():
                due = readings * schedule.count(start_ms - 1, end_ms - 1)
                self.add(device, lane, due=due)
                self._lanes[lane].stopped += due
        self.turn(now_ms)

    def _start(self, at_ms: int) -> None:
        self._lanes = {lane: LaneAccount() for lane in Lane}
        self.begin(at_ms)

    def _parts(self, start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
        """A span of time, cut at midnight."""
        while start_ms < end_ms:
            until_ms = min(self._day(start_ms)[1], end_ms)
            yield start_ms, until_ms
            start_ms = until_ms

    def _day(self, time_ms: int) -> tuple[str, int]:
        """The local day of an instant, and when it ends [ms since 1970 UTC]."""
        day = datetime.fromtimestamp(time_ms / 1000, self._zone).date()
        after = day + timedelta(days=1)
        midnight = datetime(after.year, after.month, after.day, tzinfo=self._zone)
        return day.isoformat(), round(midnight.timestamp() * 1000)
