"""Half-hours of energy for a reading store: which of them new registers touch, and what they are worth now.

A register reading bears on every half-hour from the last reading before it to the first one after it. A
half-hour is written once both its ends are known; what becomes of it by late data or another record replaces
it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from sqlalchemy import Connection

from collector.ledger import cells
from collector.stores.base import EnergyRow
from config.hq import HqConfig, SiteRecord
from config.meters import MeterRecord
from core.metering.cells import Cell
from core.metering.counters import counter_of_cells, counter_spec
from core.metering.energy import IntervalEnergy, series
from core.metering.readings import Count
from core.timeline import HALF_HOUR_MS, Interval, half_hours

Times: TypeAlias = tuple[int, int]
"""First and last time of some readings [ms since 1970 UTC]."""
Steps: TypeAlias = Callable[[Count], int]

_FORM = "seiren.half_hours/1"
_DAY_MS = 86_400_000
_MOST_DAYS_STILL = 7
_SPAN_MS = 20 * _DAY_MS


class HalfHours:
    """The half-hours of the meters on record.

    Parameters
    ----------
    hq
        What headquarters has on record; nothing without it.
    """

    def __init__(self, hq: HqConfig | None) -> None:
        sites = () if hq is None else hq.sites
        self._meters = {meter.point: (site, meter) for site in sites for meter in site.meters}
        self._marks = {point: _mark(*record) for point, record in self._meters.items()}

    def mark(self, point: str) -> int | None:
        """Return the number that stands for a meter's record; None for a point that is not on record."""
        return self._marks.get(point)

    def touched(self, connection: Connection, point: str, first_ms: int, last_ms: int) -> list[EnergyRow]:
        """Return the half-hours that readings bear on.

        Parameters
        ----------
        first_ms, last_ms
            First and last time of the readings [ms since 1970 UTC].

        Raises
        ------
        ConfigError, DataError
            Records or cells contradict each other.
        """
        if point not in self._meters:
            return []
        site, meter = self._meters[point]
        steps = counter_spec(point, meter.dated(site.time_zone)).registers[-1].steps
        near = cells.around(connection, point, _half_hours_of(first_ms, last_ms + 1))
        times_ms = [time_ms for cell in near for time_ms, _ in cell.usable]
        before_ms = max((time_ms for time_ms in times_ms if time_ms < first_ms), default=first_ms)
        after_ms = _when_it_moved(connection, near, last_ms, steps)
        span = _half_hours_of(before_ms, after_ms)
        return self._rows(connection, point, cells.around(connection, point, span), span)

    def all_of(self, connection: Connection, point: str, since_ms: int) -> Iterator[list[EnergyRow]]:
        """Yield all half-hours of a point from an instant on [ms since 1970 UTC], some days at a time.

        Raises
        ------
        ConfigError, DataError
            Records or cells contradict each other.
        """
        whole = cells.span(connection, point)
        if point not in self._meters or whole is None:
            return
        for start_ms in range(max(whole.start_ms, since_ms - since_ms % _SPAN_MS), whole.end_ms, _SPAN_MS):
            span = Interval(start_ms, min(start_ms + _SPAN_MS, whole.end_ms))
            if near := cells.around(connection, point, span):
                yield self._rows(connection, point, near, span)

    def _rows(
        self, connection: Connection, point: str, near: tuple[Cell, ...], span: Interval
    ) -> list[EnergyRow]:
        site, meter = self._meters[point]
        installed = meter.dated(site.time_zone)
        spec = counter_spec(point, installed)
        steps = spec.registers[-1].steps
        counter = counter_of_cells((*_while_it_stood(connection, near, steps), *near), spec)
        found = series(counter, installed, half_hours(span))
        return [_row(each, site, meter) for each in found if _has_both_ends(each)]


def joined(spans: Iterable[Times]) -> list[Times]:
    """Return times of cells with those of neighbouring cells joined."""
    together: list[Times] = []
    for first_ms, last_ms in sorted(spans):
        if together and first_ms // HALF_HOUR_MS <= together[-1][1] // HALF_HOUR_MS + 1:
            together[-1] = (together[-1][0], max(last_ms, together[-1][1]))
        else:
            together.append((first_ms, last_ms))
    return together


def _mark(site: SiteRecord, meter: MeterRecord) -> int:
    """All that a half-hour is made of besides its readings."""
    text = repr((_FORM, site.id, meter.parent, meter.dated(site.time_zone)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def _half_hours_of(first_ms: int, end_ms: int) -> Interval:
    """Return the half-hours that hold a time."""
    return Interval(first_ms // HALF_HOUR_MS * HALF_HOUR_MS, -(-end_ms // HALF_HOUR_MS) * HALF_HOUR_MS)


def _while_it_stood(connection: Connection, near: tuple[Cell, ...], steps: Steps) -> tuple[Cell, ...]:
    """Return earlier cells, back to where the register last moved.

    How far a register may rise at once depends on how long it stood still before.
    """
    seen = {steps(count) for _, count in near[0].usable}
    earlier: tuple[Cell, ...] = ()
    end_ms = near[0].start_ms
    for _ in range(_MOST_DAYS_STILL):
        if len(seen) > 1:
            break
        day = cells.read(connection, near[0].point, Interval(end_ms - _DAY_MS, end_ms))
        earlier, end_ms = (*day, *earlier), end_ms - _DAY_MS
        seen |= {steps(count) for cell in day for _, count in cell.usable}
    return earlier


def _when_it_moved(connection: Connection, near: tuple[Cell, ...], last_ms: int, steps: Steps) -> int:
    """Return when the register first moved after the next reading: what comes later is judged by that one."""
    stood: int | None = None
    after_ms = last_ms
    for _ in range(_MOST_DAYS_STILL):
        for time_ms, count in (row for cell in near for row in cell.usable):
            if time_ms > last_ms:
                after_ms = time_ms
                if stood not in (None, steps(count)):
                    return after_ms
                stood = steps(count)
        if not near:
            break
        start_ms = near[-1].start_ms + HALF_HOUR_MS
        near = cells.read(connection, near[-1].point, Interval(start_ms, start_ms + _DAY_MS))
    return after_ms


def _has_both_ends(energy: IntervalEnergy) -> bool:
    return energy.start.before is not None and energy.end.after is not None


def _row(energy: IntervalEnergy, site: SiteRecord, meter: MeterRecord) -> EnergyRow:
    return EnergyRow(
        point=energy.point,
        time_ms=energy.interval.start_ms,
        wh=energy.wh,
        unproven_wh=energy.unproven_wh,
        origin=energy.origin.value,
        site=site.id,
        parent=meter.parent or "",
    )
