"""Half-hours of energy for a reading store: which of them new registers touch, and what they are worth now.

A half-hour is written once something was read on both sides of it; what becomes of it by late data, another
record or a correction replaces it. Mostly registers rise, and new readings bear on what lies between the last
reading before them and themselves. Where a register did anything else, they bear on all that is not settled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from sqlalchemy import Connection

from collector.ledger import cells, decisions
from collector.stores.base import EnergyRow
from collector.view import View
from config.hq import HqConfig, SiteRecord
from config.meters import MeterRecord
from core.metering.cells import Cell
from core.metering.counters import Counter, EventKind, counter_of_cells, counter_spec
from core.metering.energy import IntervalEnergy, series
from core.metering.following import RETURN_MS, STILL_MS
from core.metering.readings import Count, Quality
from core.timeline import HALF_HOUR_MS, Interval, half_hours, month

Times: TypeAlias = tuple[int, int]
"""First and last time of some readings [ms since 1970 UTC]."""

_FORM = "seiren.half_hours/2"
_DAY_MS = 86_400_000
_SPAN_MS = 20 * _DAY_MS
_MONTH = "month "
_EVER = Interval(-(1 << 62), 1 << 62)


class HalfHours:
    """The half-hours of the meters on record.

    Parameters
    ----------
    hq
        What headquarters has on record; nothing without it.
    """

    def __init__(self, hq: HqConfig | None) -> None:
        self._hq = hq
        sites = () if hq is None else hq.sites
        self._meters = {meter.point: (site, meter) for site in sites for meter in site.meters}
        self._marks: dict[str, int] = {}
        self._decided: int | None = None
        self._plain_to_ms: dict[str, int] = {}

    def look(self, connection: Connection) -> bool:
        """Learn what people have decided; tell whether there is anything new."""
        newest = decisions.head(connection)[0]
        if newest == self._decided or self._hq is None:
            return False
        view = View(connection, self._hq)
        self._marks = {point: _mark(view, *record) for point, record in self._meters.items()}
        self._marks |= {f"{_MONTH}{month}": closing.revision for month, closing in view.closed.items()}
        self._decided = newest
        self._plain_to_ms.clear()
        return True

    @property
    def months(self) -> tuple[str, ...]:
        """Names of the closed months, beside those of points."""
        return tuple(name for name in self._marks if name.startswith(_MONTH))

    def mark(self, name: str) -> int | None:
        """Return the number that stands for a meter's record or a closed month.

        None for a point that is not on record; 0 for a month that is not closed.
        """
        return self._marks.get(name, 0 if name.startswith(_MONTH) else None)

    def view(self, connection: Connection) -> View:
        """Return a snapshot of the ledger seen through the plan; only where there is one."""
        assert self._hq is not None
        return View(connection, self._hq)

    def touched(self, view: View, point: str, first_ms: int, last_ms: int) -> list[EnergyRow]:
        """Return the half-hours that readings bear on.

        Parameters
        ----------
        view
            The ledger as it is with these readings.
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
        if first_ms > self._plain_to_ms.get(point, first_ms):
            rows = self._plainly(view, site, meter, first_ms, last_ms)
            if rows is not None:
                return rows
        from_ms, to_ms = first_ms - 1 - STILL_MS - RETURN_MS, last_ms + RETURN_MS
        counter = view.counter_at(site, meter, (from_ms, first_ms, last_ms, to_ms))
        if _plain(counter):
            rows = self._plainly(view, site, meter, first_ms, last_ms)
            if rows is not None:
                return rows
        self._plain_to_ms.pop(point, None)
        return self._rows(view, site, meter, _unsettled(view.connection, counter, first_ms, last_ms))

    def all_of(self, view: View, name: str, since_ms: int) -> Iterator[list[EnergyRow]]:
        """Yield all half-hours of a point from an instant on [ms since 1970 UTC], some days at a time.

        Of a month, which has fixed the registers at its two ends, those that lie there.

        Raises
        ------
        ConfigError, DataError
            Records or cells contradict each other.
        """
        if name.startswith(_MONTH):
            yield from self._ends_of(view, name.removeprefix(_MONTH))
            return
        whole = cells.span(view.connection, name)
        if name not in self._meters or whole is None:
            return
        for start_ms in range(max(whole.start_ms, since_ms - since_ms % _SPAN_MS), whole.end_ms, _SPAN_MS):
            span = Interval(start_ms, min(start_ms + _SPAN_MS, whole.end_ms))
            yield self._rows(view, *self._meters[name], span)

    def _ends_of(self, view: View, month_text: str) -> Iterator[list[EnergyRow]]:
        for site, meter in self._meters.values():
            span = month(month_text, site.time_zone)
            for time_ms in (span.start_ms, span.end_ms):
                counter = view.counter_at(site, meter, (time_ms - _DAY_MS, time_ms, time_ms + _DAY_MS))
                yield self._rows(view, site, meter, _unsettled(view.connection, counter, time_ms, time_ms))

    def _rows(self, view: View, site: SiteRecord, meter: MeterRecord, span: Interval) -> list[EnergyRow]:
        """Return the half-hours of a span, of whole half-hours, on both sides of which something was read."""
        first = cells.after(view.connection, meter.point, _EVER.start_ms, _usable)
        last = cells.before(view.connection, meter.point, _EVER.end_ms, _usable)
        if not first or not last:
            return []
        start_ms = max(span.start_ms, -(-_times(first)[0] // HALF_HOUR_MS) * HALF_HOUR_MS)
        end_ms = min(span.end_ms, _times(last)[-1] // HALF_HOUR_MS * HALF_HOUR_MS)
        if start_ms >= end_ms:
            return []
        known = half_hours(Interval(start_ms, end_ms))
        return [_row(each, site, meter) for each in view.series(site, meter, known)]

    def _plainly(
        self, view: View, site: SiteRecord, meter: MeterRecord, first_ms: int, last_ms: int
    ) -> list[EnergyRow] | None:
        """Return the half-hours of a register that is only rising; None where more must be looked at."""
        point = meter.point
        near = cells.around(view.connection, point, _half_hours_of(first_ms, last_ms + 1))
        if any(Quality.UNCERTAIN in cell.grades for cell in near):
            return None
        times = _times(near)
        if not times or times[-1] > last_ms:
            return None
        before_ms = max((time_ms for time_ms in times if time_ms < first_ms), default=first_ms)
        span = _half_hours_of(before_ms, last_ms)
        if not view.by_registers_alone(meter, span):
            return None
        installations = view.installations(site, meter)
        counter = counter_of_cells(near, counter_spec(point, installations))
        if not _plain(counter):
            return None
        self._plain_to_ms[point] = times[-1]
        earliest_ms = -(-times[0] // HALF_HOUR_MS) * HALF_HOUR_MS
        inside = (max(span.start_ms, earliest_ms), last_ms // HALF_HOUR_MS * HALF_HOUR_MS)
        if inside[0] >= inside[1]:
            return []
        return [
            _row(each, site, meter) for each in series(counter, installations, half_hours(Interval(*inside)))
        ]


def joined(spans: Iterable[Times]) -> list[Times]:
    """Return times of cells with those of neighbouring cells joined."""
    together: list[Times] = []
    for first_ms, last_ms in sorted(spans):
        if together and first_ms // HALF_HOUR_MS <= together[-1][1] // HALF_HOUR_MS + 1:
            together[-1] = (together[-1][0], max(last_ms, together[-1][1]))
        else:
            together.append((first_ms, last_ms))
    return together


def _mark(view: View, site: SiteRecord, meter: MeterRecord) -> int:
    """All that a half-hour is made of besides its readings."""
    text = repr((_FORM, site.id, meter.parent, view.facts(site, meter)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def _half_hours_of(first_ms: int, end_ms: int) -> Interval:
    """Return the half-hours that hold a time."""
    return Interval(first_ms // HALF_HOUR_MS * HALF_HOUR_MS, -(-end_ms // HALF_HOUR_MS) * HALF_HOUR_MS)


def _usable(cell: Cell) -> bool:
    return bool(cell.usable)


def _times(found: Sequence[Cell]) -> list[int]:
    return [time_ms for cell in found for time_ms, _ in cell.usable]


def _plain(counter: Counter) -> bool:
    return not counter.held and all(each.kind is EventKind.ROLLOVER for each in counter.events)


def _unsettled(connection: Connection, counter: Counter, first_ms: int, last_ms: int) -> Interval:
    """Return what readings bear on where the register may have done anything but rise."""
    seen = sorted((*zip(counter.times_ms, counter.counts, strict=True), *counter.held))
    before_ms = _since_it_stood(seen, first_ms) - RETURN_MS
    before_ms = max((time_ms for time_ms in counter.times_ms if time_ms <= before_ms), default=before_ms)
    after_ms = _when_it_moved(connection, counter, last_ms) + RETURN_MS
    from_ms = after_ms // HALF_HOUR_MS * HALF_HOUR_MS
    following = cells.after(connection, counter.spec.point, from_ms, _usable)
    return _half_hours_of(before_ms, max((after_ms, *_times(following))))


def _since_it_stood(seen: Sequence[tuple[int, Count]], first_ms: int) -> int:
    """Return the last reading before the register stood as it did before an instant [ms since 1970 UTC]."""
    earlier = [row for row in seen if row[0] < first_ms]
    if not earlier:
        return first_ms
    last_ms, stood = earlier[-1]
    return next((time_ms for time_ms, count in reversed(earlier) if count != stood), last_ms)


def _when_it_moved(connection: Connection, counter: Counter, last_ms: int) -> int:
    """Return when the register first moved after the next reading: what comes later is judged by that one."""
    stood: Count | None = None
    after_ms, point = last_ms, counter.spec.point
    start_ms = last_ms // HALF_HOUR_MS * HALF_HOUR_MS
    for day_ms in range(start_ms, start_ms + STILL_MS + _DAY_MS, _DAY_MS):
        for cell in cells.read(connection, point, Interval(day_ms, day_ms + _DAY_MS)):
            for time_ms, count in cell.usable:
                if time_ms > last_ms:
                    after_ms = time_ms
                    steps = counter.spec.register_at(time_ms).steps(count)
                    if stood not in (None, steps):
                        return after_ms
                    stood = steps
    return after_ms


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
