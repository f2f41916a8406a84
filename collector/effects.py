"""What a correction would change, month by month, before anybody writes it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from sqlalchemy import Connection

from collector.corrections import Corrections, around
from collector.figures import statement_at
from collector.ledger import cells, closings, values
from collector.view import View
from config.hq import HqConfig, SiteRecord
from config.meters import MeterRecord
from core.carbon.closing import Activity
from core.metering.corrections import Correction, Enter, Exclude, Substitute
from core.metering.installations import Installation
from core.metering.readings import Count
from core.timeline import HALF_HOUR_MS, Interval, month, month_of, months

_EVER_MS = 1 << 62
_OF_READINGS = (Exclude, Enter, Substitute)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a correction would change of a month.

    Parameters
    ----------
    month
        ``2024-02``, of the site's time zone.
    before_wh, after_wh
        Energy of the meter [Wh]; None where it is missing.
    before_unproven_wh, after_unproven_wh
        What its registers leave open [Wh]; None where the energy is missing.
    before_t, after_t
        CO2 of the company's month [t], exact; None where it is not summed.
    activity
        Of a closed month the change is a proposal, which a person accepts.
    """

    month: str
    before_wh: int | None
    after_wh: int | None
    before_unproven_wh: int | None
    after_unproven_wh: int | None
    before_t: Fraction | None
    after_t: Fraction | None
    activity: Activity


def effects(
    connection: Connection, hq: HqConfig, site: SiteRecord, meter: MeterRecord, supposed: Corrections
) -> tuple[Effect, ...]:
    """Return what would change if other corrections were in force, of each month that is not as it was.

    Closed months are reckoned as if they were open, on both sides: that is what would be proposed.

    Parameters
    ----------
    connection
        A snapshot of the ledger.
    supposed
        All corrections that would be in force.

    Raises
    ------
    ConfigError, DataError
        A correction contradicts the records.
    """
    status = closings.statuses(connection)
    thawed = frozenset(status)
    before = View(connection, hq, thawed=thawed)
    after = View(connection, hq, thawed=thawed, corrections=supposed)
    touched = _touched(site, meter, before, after)
    if touched is None:
        return ()
    first, last = month_of(touched.start_ms, site.time_zone), month_of(touched.end_ms - 1, site.time_zone)
    whole = Interval(month(first, site.time_zone).start_ms, month(last, site.time_zone).end_ms)
    bounds = months(whole, site.time_zone)
    found = []
    for old, new in zip(before.series(site, meter, bounds), after.series(site, meter, bounds), strict=True):
        if (old.wh, old.unproven_wh, old.origin) == (new.wh, new.unproven_wh, new.origin):
            continue
        text = month_of(old.interval.start_ms, site.time_zone)
        found.append(
            Effect(
                month=text,
                before_wh=old.wh,
                after_wh=new.wh,
                before_unproven_wh=old.unproven_wh,
                after_unproven_wh=new.unproven_wh,
                before_t=statement_at(connection, hq, text, thawed=thawed).figures["co2"].value,
                after_t=statement_at(connection, hq, text, thawed=thawed, corrections=supposed)
                .figures["co2"]
                .value,
                activity=status[text].activity if text in status else Activity.OPEN,
            )
        )
    return tuple(found)


def _touched(site: SiteRecord, meter: MeterRecord, before: View, after: View) -> Interval | None:
    """Return the time in which energies may differ, as far as anything is known of the point."""
    connection, point = before.connection, meter.point
    old, new = before.corrections.of(meter), after.corrections.of(meter)
    different = [each for each in (*old, *new) if (each in old) != (each in new)]
    if not different and old != new:  # the same again: the later one counts
        different = [*new]
    spans = [
        *(_of(each) for each in different if isinstance(each, _OF_READINGS)),
        *_differing(before.installations(site, meter), after.installations(site, meter)),
    ]
    known = [
        *(span for span in (cells.span(connection, point), values.span(connection, point)) if span),
        *(_of(each) for each in (*old, *new) if isinstance(each, Enter | Substitute)),
    ]
    if not spans or not known:
        return None
    start_ms, end_ms = min(each.start_ms for each in spans), max(each.end_ms for each in spans)
    for corrections in (old, new):  # a boundary is as far away as the readings around it
        start_ms = min(start_ms, *_near(connection, point, start_ms, corrections))
        end_ms = max(end_ms, *_near(connection, point, end_ms, corrections))
    start_ms = max(start_ms, min(each.start_ms for each in known))
    end_ms = min(end_ms, max(each.end_ms for each in known))
    return Interval(start_ms, end_ms) if start_ms < end_ms else None


def _near(
    connection: Connection, point: str, time_ms: int, corrections: tuple[Correction, ...]
) -> tuple[int, int]:
    """Return how far the readings around an instant reach."""
    if not -_EVER_MS < time_ms < _EVER_MS:
        return time_ms, time_ms
    near = around(connection, point, Interval(time_ms, time_ms), corrections)
    return (near[0].start_ms, near[-1].start_ms + HALF_HOUR_MS) if near else (time_ms, time_ms)


def _of(each: Exclude | Enter | Substitute) -> Interval:
    return Interval(each.time_ms, each.time_ms + 1) if isinstance(each, Enter) else each.interval


def _differing(old: Collection[Installation], new: Collection[Installation]) -> Iterator[Interval]:
    """Yield the times in which another installation, or none, is on record."""
    cuts = sorted({cut for each in (*old, *new) for cut in (each.start_ms, each.end_ms or _EVER_MS)})
    for start_ms, end_ms in pairwise(cuts):
        at = Interval(start_ms, end_ms)
        was, will_be = (
            [
                replace(each, start_ms=0, end_ms=None, opening=None, closing=None)
                for each in side
                if each.overlaps(at)
            ]
            for side in (old, new)
        )
        if was != will_be:
            yield at
    for time_ms, _ in {*_indexes(old)} ^ {*_indexes(new)}:
        yield Interval(time_ms, time_ms + 1)


def _indexes(installations: Collection[Installation]) -> Iterator[tuple[int, Count]]:
    for each in installations:
        if each.opening is not None:
            yield each.start_ms, each.opening
        if each.closing is not None and each.end_ms is not None:
            yield each.end_ms, each.closing
