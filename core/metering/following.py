"""What a register did from reading to reading: it rose, rolled over, fell and came back, or began again.

The rules stand, numbered, in docs/metering.md. A decision looks at most six hours and one reading ahead and
seven days back, so that part of the readings around an instant decides as all of them do.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from math import floor
from operator import sub

from core.metering.events import CounterEvent, EventKind, Segment, SegmentKind
from core.metering.readings import Count
from core.metering.registers import Register

RETURN_MS = 6 * 3_600_000
"""A register that falls or jumps and is back within this time, or at the next reading, was out [ms]."""
STILL_MS = 7 * 86_400_000
"""A register that stood still may make up for at most this time [ms]."""

_HOUR_MS = 3_600_000


@dataclass(slots=True)
class Followed:
    """What became of the readings of one register.

    Parameters
    ----------
    accumulated
        Steps with turns, of the readings that count [steps].
    segments
        By the index of a reading among those that count.
    events
        In no order.
    held
        Indexes of the readings that do not count.
    """

    accumulated: tuple[int, ...]
    segments: tuple[Segment, ...]
    events: list[CounterEvent] = field(default_factory=list)
    held: set[int] = field(default_factory=set)


def follow(
    times_ms: Sequence[int], counts: Sequence[Count], register: Register, *, others_follow: bool = False
) -> Followed:
    """Follow a register from reading to reading; only where it may not plainly have risen is it judged.

    Parameters
    ----------
    times_ms
        Instants of its readings, rising [ms since 1970 UTC]; at least one.
    counts
        What it held at each [counts].
    register
        What is known of it.
    others_follow
        Whether another register is on record after it, so that nothing of this one is still to come.
    """
    whole = [count for count in counts if isinstance(count, int)] if register.resolution == 1 else []
    steps = whole if len(whole) == len(counts) else [register.steps(count) for count in counts]
    odd = _odd(times_ms, steps, register)
    if not odd:
        return Followed(tuple(steps), (Segment(SegmentKind.FIRST, 0, len(steps) - 1),))
    return _Follower(times_ms, counts, steps, register, others_follow).follow(odd)


def _odd(times_ms: Sequence[int], steps: Sequence[int], register: Register) -> list[int]:
    """Return the readings before which the register may have done anything but rise."""
    found: set[int] = set()
    rises = list(map(sub, islice(steps, 1, None), steps))
    plain = register.most_steps(0)
    if rises and (min(rises) < 0 or max(rises) > plain):
        found.update(index for index, rise in enumerate(rises, 1) if not 0 <= rise <= plain)
    turn_ms = _turn_ms(register)
    if turn_ms is not None:
        waits = list(map(sub, islice(times_ms, 1, None), times_ms))
        if waits and max(waits) >= turn_ms:
            found.update(index for index, wait_ms in enumerate(waits, 1) if wait_ms >= turn_ms)
    return sorted(found)


def _turn_ms(register: Register) -> int | None:
    """Return the time in which the register could make a whole turn [ms]; None where that is not known."""
    if register.wrap_steps is None or not register.counts_per_hour:
        return None
    return floor((register.wrap_steps - 1) * register.resolution * _HOUR_MS / register.counts_per_hour)


class _Follower:
    """Goes through the readings once; what is decided stands."""

    def __init__(
        self,
        times_ms: Sequence[int],
        counts: Sequence[Count],
        steps: Sequence[int],
        register: Register,
        others_follow: bool,
    ) -> None:
        self._times, self._counts, self._steps, self._register = times_ms, counts, steps, register
        self._others_follow = others_follow
        self._first = 0  # of the segment
        self._cuts: list[tuple[int, SegmentKind]] = []
        self._turns: list[int] = []
        self._lows: dict[int, int] = {}  # first reading after a fall, by the one at which it is back
        self._found = Followed((), ())

    def follow(self, odd: Sequence[int]) -> Followed:
        reached = 0
        for index in odd:
            if index > reached:
                reached = self._step(index - 1, index)
        return self._finished()

    def _step(self, last: int, index: int) -> int:
        """Decide what happened between two readings; return up to which reading all is decided."""
        change = self._change(last, index)
        if change is None:
            return index
        if change is EventKind.FROZEN:
            return self._thaw(last, index)
        if change is EventKind.SILENCE:
            return self._cut(index, SegmentKind.SILENCE, last)
        if change is EventKind.ROLLOVER:
            back = self._back(last, index, rising=True)
            if back is None or self._may_climb(index, back):
                self._turns.append(index)
                self._tell(change, index, last, index)
                return index
        else:
            back = self._back(last, index, rising=change is EventKind.FALL)
        if back is not None:
            return self._hold_out(last, index, back, change)
        if not self._settled(index):
            self._found.held.update(range(index, len(self._times)))
            self._tell(EventKind.OPEN, index, last, index, held=len(self._times) - index)
            return len(self._times)
        if self._was_wrong(last, index, change):
            return index
        if change is EventKind.FALL and self._may_restart(last, index):
            change = EventKind.RESET
        return self._cut(index, SegmentKind(change), last)

    def _change(self, last: int, index: int) -> EventKind | None:
        """Tell what a fall, or a rise over a long silence, is by itself; None for a plain rise."""
        steps, register = self._steps, self._register
        wrap = register.wrap_steps
        rise, duration_ms = steps[index] - steps[last], self._times[index] - self._times[last]
        if rise > register.most_steps(duration_ms):
            since_ms = self._times[self._moved(last)]
            frozen = rise <= register.most_steps(self._times[index] - since_ms)
            return EventKind.FROZEN if frozen else EventKind.JUMP
        if wrap is None:
            return EventKind.FALL if rise < 0 else None
        increment = rise % wrap
        plausible = wrap // 2
        if register.counts_per_hour is not None:
            plausible = floor(register.counts_per_hour * duration_ms / (_HOUR_MS * register.resolution)) + 1
            if increment + wrap <= plausible:
                return EventKind.SILENCE
        if rise >= 0:
            return None
        return EventKind.ROLLOVER if increment <= plausible else EventKind.FALL

    def _moved(self, last: int) -> int:
        """Return the reading from which on a register may have stood still: the last that differs."""
        earliest_ms = self._times[last] - STILL_MS
        stood = last
        while (before := self._before(stood)) is not None and self._times[before] >= earliest_ms:
            stood = before
            if self._steps[before] != self._steps[last]:
                break
        return stood

    def _thaw(self, last: int, index: int) -> int:
        """Set the readings aside that a register showed while it stood still."""
        moved = self._moved(last)
        flat = [each for each in range(moved + 1, last + 1) if each not in self._found.held]
        if flat:
            self._found.held.update(flat)
            self._tell(EventKind.FROZEN, flat[0], moved, flat[0], index, held=len(flat))
        return index

    def _may_climb(self, index: int, back: int) -> bool:
        """Tell whether the circuit can carry a rise."""
        rise, duration_ms = self._steps[back] - self._steps[index], self._times[back] - self._times[index]
        return rise <= self._register.most_steps(duration_ms)

    def _may_restart(self, last: int, index: int) -> bool:
        """Tell whether the register may have begun at 0 between two readings and come this far."""
        most = self._register.most_steps(self._times[index] - self._times[last])
        return self._register.counts_per_hour is not None and 0 <= self._steps[index] <= most

    def _before(self, index: int) -> int | None:
        """Return the reading before one in its segment; None where it is the first."""
        index -= 1
        while index in self._found.held:
            index -= 1
        return index if index >= self._first else None

    def _back(self, last: int, index: int, *, rising: bool) -> int | None:
        """Return the reading at which the register is back where it can have come to plainly."""
        steps, base = self._steps, self._steps[last]
        end = bisect_right(self._times, self._times[index] + RETURN_MS)
        for each in range(index + 1, min(max(end, index + 2), len(steps))):
            near = steps[each] >= base and (rising or steps[each] < steps[each - 1])
            if near and self._change(last, each) in (None, EventKind.FROZEN):
                return each
        return None

    def _settled(self, index: int) -> bool:
        return self._others_follow or self._times[-1] > self._times[index] + RETURN_MS

    def _hold_out(self, last: int, index: int, back: int, change: EventKind) -> int:
        """Set the readings aside that were out; where it may have begun again instead, cut as well."""
        self._found.held.update(range(index, back))
        kind = EventKind.SPIKE if change is EventKind.JUMP else EventKind.DIP
        self._tell(kind, index, last, index, back, held=back - index)
        known = self._register.counts_per_hour is not None
        if kind is EventKind.DIP and known and self._may_climb(index, back):
            self._lows[back] = index
            return self._cut(back, SegmentKind.DIP, last, tell=False)
        if self._change(last, back) is EventKind.FROZEN:
            return self._thaw(last, back)
        return back

    def _was_wrong(self, last: int, index: int, change: EventKind) -> bool:
        """Set the one reading before a change aside, if without it there is none."""
        before = self._before(last)
        turned = bool(self._turns) and self._turns[-1] == last
        if (
            before is None
            or self._change(before, index) is not None
            or (change is EventKind.JUMP and not turned)
        ):
            return False
        if turned:
            self._turns.pop()
        self._found.held.add(last)
        if change is EventKind.FALL and self._may_restart(last, index):
            self._cut(index, SegmentKind.SPIKE, before, tell=False)
        self._tell(EventKind.SPIKE, last, before, last, index, held=1)
        return True

    def _cut(self, index: int, kind: SegmentKind, last: int, *, tell: bool = True) -> int:
        self._cuts.append((index, kind))
        self._first = index
        if tell:
            self._tell(EventKind(kind), index, last, index)
        return index

    def _tell(self, kind: EventKind, at: int, *seen: int, held: int = 0) -> None:
        text = ", then ".join(str(self._counts[index]) for index in seen)
        if held:
            text += f" ({held} set aside)"
        self._found.events.append(CounterEvent(kind, self._times[at], text))

    def _finished(self) -> Followed:
        """Return the readings that count, with their turns, in segments."""
        held, wrap = self._found.held, self._register.wrap_steps or 0
        kept: Sequence[int] = range(len(self._steps))
        if held:
            kept = [index for index in kept if index not in held]
        accumulated: list[int] = []
        segments: list[Segment] = []
        begun, turned = Segment(SegmentKind.FIRST, 0, 0), 0
        changes = sorted([*self._cuts, *((index, None) for index in self._turns)])
        for index, cut in changes:
            at = bisect_left(kept, index)
            accumulated += [self._steps[each] + turned for each in kept[len(accumulated) : at]]
            turned += wrap
            if cut is not None:
                segments.append(replace(begun, last=at - 1))
                low = self._lows.get(index)
                begun = Segment(cut, at, at)
                if low is not None:
                    begun = replace(begun, low_ms=self._times[low], low=self._steps[low])
                turned = 0
        accumulated += [self._steps[each] + turned for each in kept[len(accumulated) :]]
        segments.append(replace(begun, last=len(kept) - 1))
        self._found.accumulated, self._found.segments = tuple(accumulated), tuple(segments)
        return self._found
