"""One counter at the edge (pure): what it may do next, and what it did that cannot be.

A line is a run of readings of one register that only rose or rolled over. A reading off the line is set
aside; the line goes on with the next one that fits, and a new line begins where a fall proves lasting, or
another meter answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, ulp
from typing import Final, NamedTuple

from agent.rules import CounterRule
from core.delivery.payload import BAD, GOOD
from core.metering.readings import Quality

Event = dict[str, object]

RENEWAL_MS: Final = 2_000
"""A meter renews its registers once a second or so: what it counted may be older than its reading [ms]."""
LUMP_MS: Final = 300_000
"""Longest time for which a register may stand still and then rise by all that was counted [ms]."""
RESET_MS: Final = 900_000
"""How long a fallen register must rise plausibly until it is a new line [ms]."""
STALE_MS: Final = 60_000
STALE_READINGS: Final = 3
"""How long, and how often, a register must be read unmoved before it can be called stale [ms], [1]."""

_SINGLE_ULPS: Final = 2.0**29  # a 32-bit float has 29 bits less


class Verdict(NamedTuple):
    """Quality of a reading, why it is not good, and what there is to tell the first time."""

    quality: int
    reason: str = ""
    event: Event | None = None


@dataclass(slots=True)
class _Fall:
    """A fall that is not decided: since when and to where, and the line that may come of it."""

    since_ms: int
    lowest: float
    first: float
    first_ms: int
    last: float
    last_ms: int


class CounterLine:
    """The line of one counter.

    Parameters
    ----------
    point
        Its id.
    rule
        What is plausible for it.
    single
        Whether it is a 32-bit float, whose steps grow with the count.
    kept
        What `kept` returned in an earlier run; it is forgotten when a count means something else now.

    Attributes
    ----------
    count
        Last good count [counts].
    good_ms, moved_ms
        When it was last good, and when it last rose [ms since 1970 UTC].
    flowed_kwh
        What the device's own power had brought when it last rose [kWh].
    patience_kwh
        How much more it may bring until the count must rise [kWh].
    is_plain
        Whether nothing is odd: a reading that rises plausibly is then simply good.
    """

    __slots__ = (
        "_fall",
        "_flat",
        "_step",
        "appeared_ms",
        "count",
        "flow",
        "flowed_kwh",
        "good_ms",
        "is_new",
        "is_plain",
        "most_per_ms",
        "moved_ms",
        "patience_kwh",
        "point",
        "reason",
        "rule",
        "single",
    )

    def __init__(self, point: str, rule: CounterRule, kept: object = None) -> None:
        self.point, self.rule, self.single = point, rule, False
        self.most_per_ms, self.flow = rule.most_per_ms, rule.flow
        self.patience_kwh = 3 * rule.resolution * rule.kwh if rule.flow else inf
        self.count: float | None = None
        self.good_ms = self.moved_ms = 0
        self.flowed_kwh = 0.0
        self.appeared_ms = -inf
        self.reason = ""
        self.is_plain = self.is_new = False
        self._step = rule.resolution
        self._fall: _Fall | None = None
        self._flat = 0
        match kept:
            case [int() | float() as count, int(good_ms), int(moved_ms), rule.digest]:
                self.count, self.good_ms, self.moved_ms = count, good_ms, moved_ms
                self.is_plain = True

    def kept(self) -> list[object]:
        """Return what the next run must know, as JSON."""
        return [self.count, self.good_ms, self.moved_ms, self.rule.digest]

    def judge(self, count: float, time_ms: int, flowed_kwh: float) -> Verdict:
        """Judge a reading.

        Parameters
        ----------
        count
            What the register held [counts].
        time_ms
            When [ms since 1970 UTC].
        flowed_kwh
            What the device's own power has brought in this counter's direction [kWh].
        """
        if count == 0 and self.count != 0 and time_ms - self.appeared_ms < self.rule.warmup_ms:
            return self._aside("warmup", count, time_ms)
        if self.count is None or self.is_new:
            return self._begin(count, time_ms, flowed_kwh)
        if self.single:
            self._step = max(self.rule.resolution, ulp(float(count)) * _SINGLE_ULPS)
        rise = count - self.count
        most = self._most(max(self.moved_ms, self.good_ms - LUMP_MS), time_ms)
        if 0 <= rise <= most:
            return self._fits(count, time_ms, flowed_kwh)
        if rise > 0:
            return self._aside("full_scale", count, time_ms)
        if self._rolls_over(count, rise, most):
            return self._fits(count, time_ms, flowed_kwh)
        if self.rule.volatile:
            event = self._event("reset", count, time_ms, first=count, first_ms=time_ms, volatile=True)
            return self._begin(count, time_ms, flowed_kwh, event)
        return self._falls(count, time_ms, flowed_kwh)

    def _fits(self, count: float, time_ms: int, flowed_kwh: float) -> Verdict:
        """The line goes on."""
        assert self.count is not None
        event: Event | None = None
        if (fall := self._fall) is not None:
            event = self._event("dip", count, time_ms, lowest=fall.lowest, since_ms=fall.since_ms)
        if count != self.count or fall is not None:
            self._go_on(count, time_ms, flowed_kwh)
            return Verdict(GOOD, event=event)
        self.good_ms = time_ms
        if flowed_kwh - self.flowed_kwh > max(self.patience_kwh, 3 * self._step * self.rule.kwh):
            self._flat += 1
            if self._flat >= STALE_READINGS and time_ms - self.moved_ms > STALE_MS:
                if self.reason != "stale":
                    kwh = round(flowed_kwh - self.flowed_kwh, 6)
                    event = self._event("stale", count, time_ms, moved_ms=self.moved_ms, kwh=kwh)
                self.reason, self.is_plain = "stale", False
                return Verdict(Quality.UNCERTAIN, "stale", event)
        self.reason, self.is_plain = "", True
        return Verdict(GOOD)

    def _falls(self, count: float, time_ms: int, flowed_kwh: float) -> Verdict:
        """It stands below its line: a dip, or the beginning of a new line."""
        fall = self._fall
        if fall is None:
            fall = self._fall = _Fall(time_ms, count, count, time_ms, count, time_ms)
        elif 0 <= count - fall.last <= self._most(fall.last_ms, time_ms):
            fall.last, fall.last_ms = count, time_ms
        else:
            fall.first, fall.first_ms, fall.last, fall.last_ms = count, time_ms, count, time_ms
        fall.lowest = min(fall.lowest, count)
        if time_ms - fall.first_ms >= RESET_MS and count > fall.first:
            event = self._event("reset", count, time_ms, first=fall.first, first_ms=fall.first_ms)
            return self._begin(count, time_ms, flowed_kwh, event)
        return self._aside("fell", count, time_ms)

    def _rolls_over(self, count: float, rise: float, most: float) -> bool:
        """Whether a fall is the register's start from 0: by full scale, or else from end to beginning."""
        wrap = self.rule.wrap_at
        if wrap is None:
            return False
        if most == inf:
            return count <= wrap // 10 and count - rise >= wrap - wrap // 10
        return rise + wrap <= most

    def _begin(self, count: float, time_ms: int, flowed_kwh: float, event: Event | None = None) -> Verdict:
        """A new line."""
        self.is_new = False
        self._go_on(count, time_ms, flowed_kwh)
        return Verdict(GOOD, event=event)

    def _go_on(self, count: float, time_ms: int, flowed_kwh: float) -> None:
        self.count, self.flowed_kwh = count, flowed_kwh
        self.good_ms = self.moved_ms = time_ms
        self.reason, self.is_plain = "", True
        self._fall, self._flat = None, 0

    def _aside(self, reason: str, count: float, time_ms: int) -> Verdict:
        event = None
        if reason != self.reason:
            event = self._event("set_aside", count, time_ms, reason=reason)
            self.reason, self.is_plain = reason, False
        return Verdict(BAD, reason, event)

    def _most(self, since_ms: int, time_ms: int) -> float:
        """The largest plausible rise [counts]; any, where the clock was set back between two runs."""
        if time_ms < since_ms:
            return inf
        return self.most_per_ms * (time_ms - since_ms + RENEWAL_MS) + self._step

    def _event(self, kind: str, count: float, time_ms: int, **more: object) -> Event:
        was: Event = {} if self.count is None else {"was": self.count, "was_ms": self.good_ms}
        return {"event": kind, "time_ms": time_ms, "point": self.point, "is": count} | was | more
