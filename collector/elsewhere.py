"""Energies of a meter from elsewhere than its register: substituted, billed, imported, from its power."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from collector import power
from collector.bills import Metered, billed
from collector.ledger import values
from config.hq import HqConfig
from config.meters import MeterRecord
from core.metering.corrections import Correction, interval_values
from core.metering.sources import IntervalValue
from core.timeline import Interval


def energies(
    connection: Connection,
    hq: HqConfig,
    meter: MeterRecord,
    corrections: Iterable[Correction],
    interval: Interval,
    *,
    by_bills: Metered | None,
) -> tuple[IntervalValue, ...]:
    """Return the energies of a meter from elsewhere that bear on an interval, the first to count first.

    Parameters
    ----------
    corrections
        Those of the meter: what a person substituted counts before all else.
    by_bills
        Where bills stand in the place of all that the meter gives: its own energies, by which each bill is
        parted. None: they do not, and what was imported counts, then what its power gives.

    Raises
    ------
    ConfigError, DataError
        Records or cells contradict each other.
    """
    found = [
        each
        for each in interval_values(corrections)
        if each.interval.start_ms < interval.end_ms and each.interval.end_ms > interval.start_ms
    ]
    if by_bills is not None:
        site = next(site for site in hq.sites if meter in site.meters)
        return (*found, *billed(connection, site, meter, interval, by_bills))
    imported = values.of(connection, meter.point, interval)
    return (*found, *imported, *power.values(connection, hq, meter, interval))
