"""A day's readings without those that its energy does not need.

Between two readings of a register that plainly rose, the ones in between say when it rose, and nothing else
that a day, a month or a year of energy asks for. A day that is not plain is not thinned: what its readings
mean is then for the counter of all of them to say.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from math import floor
from operator import sub

from core.metering.cells import Cell
from core.metering.counters import Counter, EventKind, counter_of_cells
from core.metering.readings import Count, Quality
from core.metering.registers import CounterSpec, Register
from core.timeline import HALF_HOUR_MS, Interval

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class ThinDay:
    """The readings of a day that its energy needs; all of them are good, and one per instant.

    Parameters
    ----------
    times_ms
        Instants, rising strictly [ms since 1970 UTC].
    counts
        What the register held at each [counts].
    left_out
        Instants of those after which others were left out [ms since 1970 UTC]: up to the next one the
        register is known to half-hour resolution at any instant.
    """

    times_ms: tuple[int, ...]
    counts: tuple[Count, ...]
    left_out: frozenset[int]

    def cell(self, point: str, start_ms: int) -> Cell:
        """Return the readings as a counter takes them, of a day that begins at an instant [ms]."""
        return Cell(point, start_ms, self.times_ms, self.counts)


def thin(cells: Iterable[Cell], spec: CounterSpec, day: Interval) -> ThinDay | None:
    """Return the readings of a day that its energy needs; None where it needs all.

    With the days around it, a thinned day makes the same energies between the beginnings of days as all of
    its readings, and the same count of half-hours covered. Whether it is thinned, and to what, depends on
    its own readings alone.

    Parameters
    ----------
    cells
        The point's cells; readings outside the day are not looked at.
    spec
        What is known of the point's registers; an index on record inside the day is not looked at.
    day
        Whole half-hours, from one midnight to the next.
    """
    register = _register(spec, day)
    own = tuple(cell for cell in cells if cell.start_ms in day)
    if register is None or any(Quality.UNCERTAIN in cell.grades for cell in own):
        return None
    alone = CounterSpec(spec.point, (register,))
    whole = counter_of_cells(own, alone)
    kept = _kept(whole, register) if _plain(whole) else None
    if kept is None:
        return None
    thinned = ThinDay(
        tuple(whole.times_ms[index] for index in kept),
        tuple(whole.counts[index] for index in kept),
        frozenset(whole.times_ms[index] for index, after in pairwise(kept) if after > index + 1),
    )
    counter = counter_of_cells((thinned.cell(spec.point, day.start_ms),), alone)
    return thinned if _same(counter, whole, kept) else None


def thinned_by(spec: CounterSpec, day: Interval) -> tuple[object, ...]:
    """Return what a day is thinned by, besides its readings: the same facts, the same readings kept."""
    register = _register(spec, day)
    return () if register is None else (register.wrap_at, register.resolution, register.counts_per_hour)


def _register(spec: CounterSpec, day: Interval) -> Register | None:
    """Return the one register of a day, without its indexes; None where there are two."""
    if any(day.start_ms < register.start_ms < day.end_ms for register in spec.registers[1:]):
        return None
    return replace(spec.register_at(day.start_ms), start_ms=0, indexes=())


def _plain(counter: Counter) -> bool:
    """Tell whether a register did nothing but rise and roll over."""
    return len(counter.segments) <= 1 and all(event.kind is EventKind.ROLLOVER for event in counter.events)


def _kept(counter: Counter, register: Register) -> list[int] | None:
    """Return the indexes of the readings to keep, in order; None where that is not worth it."""
    times, accumulated = counter.times_ms, counter.accumulated
    if not times:
        return []
    last = len(times) - 1
    # Since when the register stood at both ends of the day: a standstill reaches from day to day.
    stood_first = next((i for i in range(1, last + 1) if accumulated[i] != accumulated[0]), last + 1) - 1
    stood_last = next((i for i in range(last, -1, -1) if accumulated[i] != accumulated[last]), -1) + 1
    wanted = {0, stood_first, stood_last, last}
    for event in counter.events:
        rolled = bisect_left(times, event.time_ms)
        wanted |= {rolled - 1, rolled}
    waits = list(map(sub, islice(times, 1, None), times))
    if max(waits, default=0) > HALF_HOUR_MS:
        for index, wait_ms in enumerate(waits):
            if wait_ms > HALF_HOUR_MS and accumulated[index] != accumulated[index + 1]:
                wanted |= {index, index + 1}
    return _within_a_turn(times, sorted(wanted), register)


def _within_a_turn(times: Sequence[int], wanted: list[int], register: Register) -> list[int] | None:
    """Keep some more, so that none but real silences are long enough to hide a turn of the register."""
    if register.wrap_steps is None or not register.counts_per_hour:
        return wanted
    turn = (register.wrap_steps - 1) * register.resolution * _HOUR_MS / register.counts_per_hour
    half_turn_ms = floor(turn / 2)
    if half_turn_ms < HALF_HOUR_MS:
        return None
    return [*_stepping(times, wanted, half_turn_ms), *wanted[-1:]]


def _stepping(times: Sequence[int], wanted: Sequence[int], most_ms: int) -> Iterator[int]:
    """Yield indexes up to the last wanted one, with steps of at most a time where readings allow it [ms]."""
    for index, end in pairwise(wanted):
        yield index
        stepped = index
        for candidate in range(index + 1, end):
            if times[candidate + 1] - times[stepped] > most_ms:
                yield candidate
                stepped = candidate


def _same(thinned: Counter, whole: Counter, kept: Sequence[int]) -> bool:
    """Tell whether a counter of some readings says of them what that of all says."""
    return (
        len(thinned.segments) == len(whole.segments)
        and thinned.events == whole.events
        and thinned.accumulated == tuple(whole.accumulated[index] for index in kept)
    )
