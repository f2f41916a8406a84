"""A file's contents beside the ledger's: nothing is written, and what would change is told."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from math import floor
from zoneinfo import ZoneInfo

from collector.imports.findings import MonthChange, Pace, PointFindings, SetAside
from collector.imports.gather import Energies, Registers, overlapping
from collector.ledger import cells, values
from collector.view import View
from config.hq import SiteRecord
from config.meters import MeterRecord
from core.errors import DataError
from core.metering.cells import Cell, content_hash, union
from core.metering.corrections import corrected_cells, entered, interval_values
from core.metering.counters import Counter, counter_of_cells, counter_spec
from core.metering.energy import IntervalEnergy, series
from core.metering.interval_data import DAY_MS, EXACT, Amount, Run, plain, runs_of, settled, values_of
from core.metering.readings import Count
from core.timeline import HALF_HOUR_MS, UTC_ZONE, Interval, format_local, month, month_of, months

_TOGETHER_MS = 31 * DAY_MS
_EVENTS_KEPT = 1000


def registers(view: View, site: SiteRecord, meter: MeterRecord, file: Registers) -> PointFindings:
    """Return what a file's readings of a point would add."""
    zone = site.time_zone
    found = PointFindings(meter.point, zone.key)
    pace = Pace()
    finer = False
    spec = counter_spec(meter.point, view.installations(site, meter))
    for together in _chunks(file.cells(meter.point)):
        first_ms, end_ms = together[0].start_ms, together[-1].start_ms + HALF_HOUR_MS
        held = {
            cell.start_ms: cell
            for cell in cells.read(view.connection, meter.point, Interval(first_ms, end_ms))
        }
        for cell in together:
            other = held.get(cell.start_ms)
            new = set(cell.readings) - set(other.readings if other else ())
            found.added += len(new)
            found.known += len(cell.readings) - len(new)
            if new:
                before = dict(other.conflicts) if other else {}
                found.conflicts += (
                    (time_ms, " and ".join(map(str, counts)))
                    for time_ms, counts in (cell | other if other else cell).conflicts
                    if before.get(time_ms) != counts
                )
            for time_ms in dict.fromkeys(cell.times_ms):
                pace.at(time_ms)
            resolution = spec.register_at(cell.start_ms).resolution
            finer = finer or any(count is not None and _is_finer(count, resolution) for _, count, _ in new)
    assert pace.first_ms is not None  # a point without readings is not asked for
    found.first_ms, found.last_ms, found.step_ms = pace.first_ms, pace.last_ms, pace.step_ms
    found.gaps = tuple(pace.gaps())
    if finer:
        found.notes += (
            "the file is finer than the register's resolution on record: its steps are rounded down",
        )
    found.hash = content_hash(file.cells(meter.point))
    bounds = _month_bounds(found, zone)
    counter, then = _with_cells(view, site, meter, file, bounds)
    found.months = _months(zone, bounds, view.series(site, meter, bounds), then)
    span = Interval(found.first_ms, found.last_ms + 1)
    ends = (found.first_ms, found.last_ms)
    found.total_wh = series(counter, view.installations(site, meter), ends)[0].wh
    found.events = tuple(each for each in counter.events if each.time_ms in span)[:_EVENTS_KEPT]
    return found


def energies(
    view: View, site: SiteRecord, meter: MeterRecord, file: Energies, aside: SetAside
) -> tuple[PointFindings, tuple[Run, ...]]:
    """Return what a file's intervals of a point would add, and the runs to be written."""
    zone = site.time_zone
    found = PointFindings(meter.point, zone.key)
    span = file.span(meter.point)
    found.first_ms, found.last_ms = span.start_ms, span.end_ms
    pace, gaps = Pace(), list[Interval]()
    runs: dict[int, list[Run]] = {}
    reached_ms, total = span.start_ms, Decimal(0)
    for number, together in _by_month_of_days(file.amounts(meter.point), aside):
        held = settled(values.runs(view.connection, meter.point, _days_of(number)))
        fresh: list[Amount] = []
        for amount, told in _beside(together, held):
            if isinstance(told, DataError):
                aside.add(told)
                continue
            pace.at(amount.start_ms)
            if amount.start_ms > reached_ms:
                gaps.append(Interval(reached_ms, amount.start_ms))
            reached_ms, total = amount.end_ms, EXACT.add(total, amount.wh)
            if told is None:
                fresh.append(amount)
            else:
                found.known += 1
        found.added += len(fresh)
        runs[number] = list(runs_of(fresh))
    found.step_ms, found.gaps = pace.step_ms, tuple(gaps)
    found.total_wh = floor(EXACT.add(total, Decimal("0.5")))
    brought = tuple(run for some in runs.values() for run in some)
    ids = "\n".join(sorted(run.id for run in brought))
    found.hash = hashlib.sha256(ids.encode()).hexdigest()
    bounds = _month_bounds(found, zone)
    now = view.series(site, meter, bounds)
    found.months = _months(zone, bounds, now, _with_values(view, site, meter, runs, bounds))
    return found, brought


def _with_cells(
    view: View, site: SiteRecord, meter: MeterRecord, file: Registers, bounds: Sequence[int]
) -> tuple[Counter, tuple[IntervalEnergy, ...]]:
    """Return the register with a file's readings, and its energies."""
    whole = Interval(bounds[0], bounds[-1])
    installations = view.installations(site, meter)
    corrections = view.corrections.of(meter)
    near = union((*cells.around(view.connection, meter.point, whole), *file.cells(meter.point)))
    counter = counter_of_cells(
        corrected_cells(near, corrections),
        counter_spec(meter.point, installations),
        entered=entered(corrections),
    )
    then = series(
        counter,
        installations,
        bounds,
        values=view.values(meter, whole),
        fixed=view.fixed(meter, whole),
    )
    return counter, then


def _with_values(
    view: View, site: SiteRecord, meter: MeterRecord, runs: Mapping[int, Sequence[Run]], bounds: Sequence[int]
) -> tuple[IntervalEnergy, ...]:
    """Return the energies of a meter with a file's intervals."""
    whole = Interval(bounds[0], bounds[-1])
    alone = cells.span(view.connection, meter.point) is None
    found = list(interval_values(view.corrections.of(meter)))
    alone = alone and not found
    for number in range(whole.start_ms // _TOGETHER_MS - 1, whole.end_ms // _TOGETHER_MS + 1):
        within = _days_of(number)
        held = values.runs(view.connection, meter.point, within)
        of_days: Iterable[Amount] = settled((*held, *runs.get(number, ())))
        if alone:
            of_days = _joined(of_days, frozenset(bounds))
        found += values_of(amount for amount in of_days if amount.start_ms in within)
    return series(
        view.counter(site, meter, whole),
        view.installations(site, meter),
        bounds,
        values=found,
        fixed=view.fixed(meter, whole),
    )


def _joined(amounts: Iterable[Amount], bounds: Collection[int]) -> Iterator[Amount]:
    """Yield energies joined within days and months: without a register nothing parts them there."""
    together: Amount | None = None
    for amount in amounts:
        if together is None:
            together = amount
        elif (
            together.end_ms == amount.start_ms
            and together.end_ms % DAY_MS
            and together.end_ms not in bounds
            and (together.run.origin, together.run.method) == (amount.run.origin, amount.run.method)
        ):
            wh = EXACT.add(together.wh, amount.wh)
            together = Amount(together.start_ms, amount.end_ms, wh, together.run)
        else:
            yield together
            together = amount
    if together is not None:
        yield together


def _beside(
    together: Sequence[Amount], held: Sequence[Amount]
) -> Iterator[tuple[Amount, Amount | DataError | None]]:
    """Yield each energy, with the same one where the ledger has it, or an error where it has another."""
    known = {each[:2]: each for each in held}
    index = 0
    for amount in together:
        other = known.get(amount[:2])
        if other is None:
            while index < len(held) and held[index].end_ms <= amount.start_ms:
                index += 1
            overlaps = index < len(held) and held[index].start_ms < amount.end_ms
            yield amount, overlapping(amount, amount.run.document, "the ledger") if overlaps else None
        elif amount.run.rank < other.run.rank:
            yield amount, None
        elif amount.wh == other.wh or amount.run.rank > other.run.rank:
            yield amount, other
        else:
            yield amount, _contradiction(amount, other)


def _contradiction(amount: Amount, other: Amount) -> DataError:
    start, end = (format_local(each, UTC_ZONE) for each in amount[:2])
    return DataError(
        "the ledger has another value of this interval",
        where=f"{amount.run.document}: {amount.run.point}",
        evidence=f"{start} to {end}: {plain(amount.wh)} Wh, and {plain(other.wh)} Wh of {other.run.document}",
        next="if the file is right: seiren correct substitute",
    )


def _chunks(cells_in_time: Iterable[Cell]) -> Iterator[list[Cell]]:
    together: list[Cell] = []
    for cell in cells_in_time:
        if together and cell.start_ms - together[0].start_ms > _TOGETHER_MS:
            yield together
            together = []
        together.append(cell)
    if together:
        yield together


def _by_month_of_days(
    amounts: Iterable[Amount | DataError], aside: SetAside
) -> Iterator[tuple[int, list[Amount]]]:
    """Yield energies by the 31 UTC days in which they start."""

    def good() -> Iterator[Amount]:
        for amount in amounts:
            if isinstance(amount, DataError):
                aside.add(amount)
            else:
                yield amount

    for number, together in groupby(good(), key=lambda amount: amount.start_ms // _TOGETHER_MS):
        yield number, list(together)


def _days_of(number: int) -> Interval:
    return Interval(number * _TOGETHER_MS, (number + 1) * _TOGETHER_MS)


def _is_finer(count: Count, resolution: Fraction) -> bool:
    if resolution == 1:
        return not isinstance(count, int)
    return (Fraction(count) / resolution).denominator != 1


def _month_bounds(found: PointFindings, zone: ZoneInfo) -> tuple[int, ...]:
    """Return the ends of the months that something reaches into [ms since 1970 UTC]."""
    first = month(month_of(found.first_ms, zone), zone).start_ms
    last = month(month_of(max(found.first_ms, found.last_ms - 1), zone), zone).end_ms
    return months(Interval(first, last), zone)


def _months(
    zone: ZoneInfo, bounds: Sequence[int], now: Sequence[IntervalEnergy], then: Sequence[IntervalEnergy]
) -> tuple[MonthChange, ...]:
    return tuple(
        MonthChange(month_of(start_ms, zone), before.wh, after.wh, after.unproven_wh)
        for start_ms, before, after in zip(bounds, now, then, strict=False)
    )
