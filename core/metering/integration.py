"""Energy of half-hours from power readings, for a meter that has no register.

Nothing proves it: what the load did between two readings is not known. So its values say that they are
integrated, and are bounded by full scale.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from core.metering.cells import Cell, union
from core.metering.installations import Installation, in_order
from core.metering.readings import Count
from core.metering.sources import IntervalValue, Origin
from core.timeline import HALF_HOUR_MS, Interval

LONGEST_MS = 15 * 60_000
"""Between two readings that are further apart nothing is integrated [ms]."""
DAY_MS = 86_400_000
_HOUR_MS = 3_600_000


def integrated(
    cells: Iterable[Cell], installations: Iterable[Installation], interval: Interval
) -> tuple[IntervalValue, ...]:
    """Return the energies of the half-hours of an interval that power readings give, in time order.

    Between two readings at most 15 minutes apart the power is taken to change evenly. A half-hour (UTC) has a
    value when readings give all of it. What was integrated since the beginning of the day (UTC) is rounded
    down at both ends of it, so no value depends on which interval is asked, and roundings do not add up.
    Power against the meter's direction counts nothing.

    Parameters
    ----------
    cells
        Readings of the point's power, in any order, of `days_of` the interval and 15 minutes around them.
    installations
        Installations of the point, whose `wh_per_count` is what a count of the power is worth [W/count].
    interval
        Half-hours that reach into it are given.

    Raises
    ------
    DataError
        If two installations are in force at the same time.
    """
    installed = in_order(installations)
    rows = [row for cell in union(cells) for row in cell.usable]
    if not installed or not rows:
        return ()
    runs = list(_runs(rows, installed))
    starts = [run.times_ms[0] for run in runs]
    values: list[IntervalValue] = []
    span = days_of(interval)
    reached = Fraction(0)
    for start_ms in range(span.start_ms, span.end_ms, HALF_HOUR_MS):
        if not start_ms % DAY_MS:
            reached = Fraction(0)
        each = Interval(start_ms, start_ms + HALF_HOUR_MS)
        run = runs[max(bisect_right(starts, start_ms) - 1, 0)]
        if not run.times_ms[0] <= start_ms < each.end_ms <= run.times_ms[-1]:
            continue
        before, reached = reached, reached + run.wh(each.end_ms) - run.wh(start_ms)
        if start_ms < interval.end_ms and each.end_ms > interval.start_ms:
            wh = floor(reached) - floor(before)
            values.append(
                IntervalValue(installed[0].point, each, wh, Origin.INTEGRATED, method="power_integrated")
            )
    return tuple(values)


def days_of(interval: Interval) -> Interval:
    """Return the whole days (UTC) that an interval reaches into."""
    return Interval(interval.start_ms // DAY_MS * DAY_MS, -(-interval.end_ms // DAY_MS) * DAY_MS)


@dataclass(slots=True)
class _Run:
    """Readings that follow each other closely: instants, power [W], and what was integrated so far [Wh]."""

    times_ms: list[int]
    watts: list[Fraction]
    reached_wh: list[Fraction]

    def add(self, time_ms: int, watts: Fraction) -> None:
        mean = (self.watts[-1] + watts) / 2
        self.reached_wh.append(self.reached_wh[-1] + mean * (time_ms - self.times_ms[-1]) / _HOUR_MS)
        self.times_ms.append(time_ms)
        self.watts.append(watts)

    def wh(self, time_ms: int) -> Fraction:
        """Return what was integrated up to an instant between two readings [Wh]."""
        at = bisect_right(self.times_ms, time_ms) - 1
        since_ms = time_ms - self.times_ms[at]
        if not since_ms:
            return self.reached_wh[at]
        rise = (self.watts[at + 1] - self.watts[at]) * since_ms / (self.times_ms[at + 1] - self.times_ms[at])
        return self.reached_wh[at] + (self.watts[at] + rise / 2) * since_ms / _HOUR_MS


def _runs(rows: Sequence[tuple[int, Count]], installed: Sequence[Installation]) -> Iterator[_Run]:
    run: _Run | None = None
    for time_ms, count in rows:
        watts = _watts(time_ms, count, installed)
        if run is not None and watts is not None and time_ms - run.times_ms[-1] <= LONGEST_MS:
            run.add(time_ms, watts)
            continue
        if run is not None:
            yield run
        run = None if watts is None else _Run([time_ms], [watts], [Fraction(0)])
    if run is not None:
        yield run


def _watts(time_ms: int, count: Count, installed: Sequence[Installation]) -> Fraction | None:
    """Return a power [W], 0 or more; None where no installation is on record."""
    at = bisect_right(installed, time_ms, key=lambda each: each.start_ms) - 1
    if at < 0 or not installed[at].overlaps(Interval(time_ms, time_ms)):
        return None
    return max(Fraction(count) * installed[at].multiplier, Fraction(0))
