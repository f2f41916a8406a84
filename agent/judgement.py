"""Whether a reading can be true, judged at the edge (pure): nothing is altered, what cannot be is set aside.

A reading that is set aside keeps its count, and its quality is bad. So no reading is lost, and none that is
implausible becomes energy. What is judged, and why: docs/polling.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Final

from agent.counters import CounterLine, Event, Verdict
from agent.readings import Scan, Shape, Value
from agent.rules import CounterRule, PowerRule, Rule
from core.delivery.payload import BAD, GOOD

_TELL_AGAIN_MS: Final = 600_000
_LONGEST_STEP_MS: Final = 300_000  # power is not carried over a longer silence
_KWMS_PER_KWH: Final = 3_600_000


class _Power:
    """An active power, and the last that was plausible."""

    __slots__ = ("kw", "kw_each", "least_kw", "most", "point", "reason", "time_ms", "total")

    def __init__(self, point: str, rule: PowerRule) -> None:
        self.point = point
        self.most, self.kw_each, self.least_kw, self.total = rule.most, rule.kw, rule.least_kw, rule.total
        self.kw = 0.0
        self.time_ms: int | None = None
        self.reason = ""


@dataclass(frozen=True, slots=True)
class _Judged:
    """What of a block is judged: places and what is known of them."""

    powers: tuple[tuple[int, _Power], ...]
    counters: tuple[tuple[int, CounterLine], ...]


class Judge:
    """Judges the readings of one device.

    Parameters
    ----------
    rules
        Rules of its points, by point id.
    kept
        What `keep` returned in an earlier run.

    Attributes
    ----------
    reasons
        Why points are not good now, by point.
    is_doubtful
        Whether a counter fell or jumped since this was last set to False: another meter, perhaps.
    """

    def __init__(self, rules: Mapping[str, Rule], kept: Mapping[str, object] | None = None) -> None:
        self.reasons: dict[str, str] = {}
        self.is_doubtful = False
        self._lines: dict[str, CounterLine] = {}
        self._powers: dict[str, _Power] = {}
        for point, rule in rules.items():
            if isinstance(rule, CounterRule):
                self._lines[point] = CounterLine(point, rule, (kept or {}).get(point))
            else:
                self._powers[point] = _Power(point, rule)
        self._shapes: dict[Shape, _Judged] = {}
        self._told_ms: dict[tuple[str, object], int] = {}
        self._flows = [0.0, 0.0, 0.0]  # by flow: of nothing, of positive, of negative power [kWh]

    def appeared(self, time_ms: int) -> None:
        """Hear that the device answers for the first time, or again after silence [ms since 1970 UTC]."""
        for line in self._lines.values():
            line.appeared_ms = time_ms
        for power in self._powers.values():
            power.time_ms = None

    def replaced(self) -> None:
        """Hear that another meter answers: each of its counters begins anew with its next reading."""
        for line in self._lines.values():
            line.is_new, line.is_plain = True, False

    def keep(self) -> dict[str, object]:
        """Return what the next run must know, as JSON."""
        return {point: line.kept() for point, line in self._lines.items() if line.count is not None}

    def judge(self, scan: Scan) -> list[Event]:
        """Mark what of a scan is not good, and return what there is to tell."""
        judged = self._shapes.get(scan.shape)
        if judged is None:
            judged = self._prepare(scan.shape)
        events: list[Event] = []
        values, time_ms, given = scan.values, scan.time_ms, scan.qualities
        for at, power in judged.powers:
            value = values[at]
            if (
                given is None
                and not power.reason
                and (value.__class__ is int or value.__class__ is float)
                and -power.most <= value <= power.most
            ):
                if power.total:
                    self._flow(power, value, time_ms)
                continue
            number = _number(value)
            if number is not None and (given is None or given[at] != BAD):
                self._mark(scan, at, power, self._judge_power(power, number, time_ms), events)
        flows = self._flows
        for at, line in judged.counters:
            value = values[at]
            if line.is_plain and given is None and (value.__class__ is int or value.__class__ is float):
                # nearly every reading is a plain rise, or none where none is due
                rise = value - line.count  # type: ignore[operator]  # a plain line has a count
                if 0 < rise <= line.most_per_ms * (time_ms - line.good_ms):
                    line.count = value
                    line.good_ms = line.moved_ms = time_ms
                    line.flowed_kwh = flows[line.flow]
                    continue
                if rise == 0 and flows[line.flow] - line.flowed_kwh <= line.patience_kwh:
                    line.good_ms = time_ms
                    continue
            number = _number(value)
            if number is not None and (given is None or given[at] != BAD):
                before = line.reason
                verdict = line.judge(number, time_ms, flows[line.flow])
                if before or verdict.reason or verdict.event:
                    self._mark(scan, at, line, verdict, events)
        return events

    def _judge_power(self, power: _Power, number: float, time_ms: int) -> Verdict:
        if -power.most <= number <= power.most:
            power.reason = ""
            if power.total:
                self._flow(power, number, time_ms)
            return Verdict(GOOD)
        power.time_ms = None
        event: Event | None = None
        if not power.reason:
            power.reason = "full_scale"
            event = {"event": "set_aside", "time_ms": time_ms, "point": power.point, "is": number}
            event |= {"reason": "full_scale", "most": power.most}
        return Verdict(BAD, "full_scale", event)

    def _flow(self, power: _Power, number: float, time_ms: int) -> None:
        """Add what a power has brought since its last reading; of the two, the smaller counts."""
        kw, before_kw, before_ms = number * power.kw_each, power.kw, power.time_ms
        power.kw, power.time_ms = kw, time_ms
        if before_ms is not None and kw * before_kw > 0:
            least_kw = min(abs(kw), abs(before_kw))
            if least_kw > power.least_kw:
                step_ms = min(time_ms - before_ms, _LONGEST_STEP_MS)
                self._flows[1 if kw > 0 else -1] += least_kw * step_ms / _KWMS_PER_KWH

    def _mark(
        self, scan: Scan, at: int, state: CounterLine | _Power, verdict: Verdict, events: list[Event]
    ) -> None:
        """Enter a verdict into the scan and the reasons; the same is told once in ten minutes at most."""
        if verdict.reason:
            self.reasons[state.point] = verdict.reason
            if scan.qualities is None:
                scan.qualities = [BAD if value is None else GOOD for value in scan.values]
            scan.qualities[at] = max(scan.qualities[at], verdict.quality)
            if verdict.event is not None and verdict.quality == BAD and isinstance(state, CounterLine):
                self.is_doubtful = True
        elif self.reasons:
            self.reasons.pop(state.point, None)
        if (event := verdict.event) is not None:
            what = (state.point, f"{event['event']} {event.get('reason')}")
            told_ms = self._told_ms.get(what)
            if told_ms is None or not 0 <= scan.time_ms - told_ms < _TELL_AGAIN_MS:
                self._told_ms[what] = scan.time_ms
                events.append(event)

    def _prepare(self, shape: Shape) -> _Judged:
        """Look the points of a new block up; those of the blocks that it takes the place of are let go."""
        points = set(shape.points)
        for known in [known for known in self._shapes if not points.isdisjoint(known.points)]:
            del self._shapes[known]
        for point, single in zip(shape.points, shape.singles, strict=True):
            if point in self._lines:
                self._lines[point].single = single
        judged = self._shapes[shape] = _Judged(
            tuple((at, self._powers[p]) for at, p in enumerate(shape.points) if p in self._powers),
            tuple((at, self._lines[p]) for at, p in enumerate(shape.points) if p in self._lines),
        )
        return judged


def _number(value: Value) -> float | None:
    """A value as a number, None where it is none."""
    if value is None or value.__class__ is int:
        return value
    if isinstance(value, Decimal):
        return float(value) if value.is_finite() else None
    return value if isfinite(value) else None
