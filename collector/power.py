"""Energy of meters without a register, from the readings of their power in the ledger."""

from __future__ import annotations

from sqlalchemy import Connection

from collector.ledger import cells
from config.hq import HqConfig
from config.meters import MeterRecord
from core.metering.integration import days_of, integrated
from core.metering.sources import IntervalValue
from core.timeline import HALF_HOUR_MS, Interval


def values(
    connection: Connection, hq: HqConfig, meter: MeterRecord, interval: Interval
) -> tuple[IntervalValue, ...]:
    """Return what a meter's power makes of the half-hours of an interval; nothing where it has a register.

    Raises
    ------
    ConfigError
        A profile is unknown or does not hold the power.
    DataError
        A cell cannot be read: the database is damaged.
    """
    if meter.source != "power":
        return ()
    site = next(site for site in hq.sites if any(each.id == meter.id for each in site.meters))
    days = days_of(interval)
    around = Interval(days.start_ms - HALF_HOUR_MS, days.end_ms + HALF_HOUR_MS)
    found = cells.read(connection, meter.read_point, around)
    return integrated(found, meter.dated(site.time_zone), interval)
