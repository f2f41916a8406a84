"""Bills beside the meters they belong to, from one snapshot of the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from itertools import pairwise
from typing import Protocol, TypeAlias

from sqlalchemy import Connection

from collector.ledger import bills
from config.hq import HqConfig, SiteRecord
from config.meters import MeterRecord
from core.metering.bill_check import Beside, DayLoad, Reconciled, reconcile
from core.metering.bills import Bill, billed_values
from core.metering.energy import IntervalEnergy
from core.metering.sources import IntervalValue
from core.timeline import Interval, days, format_local, month

Metered: TypeAlias = Callable[[Sequence[int]], tuple[IntervalEnergy, ...]]
"""Energies of one meter by itself between successive instants."""


class Plan(Protocol):
    """A ledger seen through the plan."""

    @property
    def connection(self) -> Connection: ...

    @property
    def hq(self) -> HqConfig: ...

    def metered(
        self, site: SiteRecord, meter: MeterRecord, boundaries_ms: Sequence[int]
    ) -> tuple[IntervalEnergy, ...]: ...


def reconciled(view: Plan, month_text: str | None = None) -> tuple[Reconciled, ...]:
    """Return the outcome of every bill (of those that reach into a month), by point and in time order.

    Raises
    ------
    UsageError
        The text is not a month.
    ConfigError, DataError
        Records or cells contradict each other.
    """
    found: list[Reconciled] = []
    for site in view.hq.sites:
        for meter in site.meters:
            held = bills.read(view.connection, meter.point)
            told = reconcile([_beside(view, site, meter, bill) for bill in held])
            wanted = None if month_text is None else month(month_text, site.time_zone)
            found += (each for each in told if wanted is None or _meets(each.bill, site, wanted))
    return tuple(found)


def billed(
    connection: Connection, site: SiteRecord, meter: MeterRecord, interval: Interval, metered: Metered
) -> tuple[IntervalValue, ...]:
    """Return the billed energies of a meter that reach into an interval, in time order.

    Each bill is parted over its days as the meter's own registers have it, else by time, so that months add
    up to it.

    Parameters
    ----------
    metered
        Gives what the meter has by itself between successive instants.

    Raises
    ------
    ConfigError, DataError
        Records or cells contradict each other.
    """
    found: list[IntervalValue] = []
    for bill in bills.read(connection, meter.point):
        own = bill.interval(site.time_zone)
        if own.start_ms < interval.end_ms and own.end_ms > interval.start_ms:
            profile = metered(days(own, site.time_zone))
            found += billed_values(bill, [(each.interval, each.wh) for each in profile])
    return tuple(
        each
        for each in found
        if each.interval.start_ms < interval.end_ms and each.interval.end_ms > interval.start_ms
    )


def _beside(view: Plan, site: SiteRecord, meter: MeterRecord, bill: Bill) -> Beside:
    whole = bill.interval(site.time_zone)
    bounds = days(whole, site.time_zone)
    loads = tuple(
        DayLoad(_day(start_ms, site), each.wh, each.origin)
        for (start_ms, _), each in zip(pairwise(bounds), view.metered(site, meter, bounds), strict=True)
    )
    (energy,) = view.metered(site, meter, (whole.start_ms, whole.end_ms))
    return Beside(bill, energy, loads)


def _meets(bill: Bill, site: SiteRecord, interval: Interval) -> bool:
    own = bill.interval(site.time_zone)
    return own.start_ms < interval.end_ms and own.end_ms > interval.start_ms


def _day(time_ms: int, site: SiteRecord) -> date:
    return date.fromisoformat(format_local(time_ms, site.time_zone)[:10])
