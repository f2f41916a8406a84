"""What stands between a month and its closing, each thing by name."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from collector import plans
from collector.report.sheet import Sheet
from config.hq import HqConfig
from core.timeline import format_local, month


def obstacles(connection: Connection, hq: HqConfig, sheet: Sheet, time_ms: int) -> tuple[str, ...]:
    """Return what keeps a month from being submitted or closed, in words; empty where nothing does.

    Parameters
    ----------
    connection
        The snapshot of the ledger that the statement was made from.
    hq
        The plan.
    sheet
        The month's statement, as that of a closed month.
    time_ms
        Now [ms since 1970 UTC].
    """
    return (*_time(hq, sheet, time_ms), *_plan(connection, hq), *_missing(sheet))


def _time(hq: HqConfig, sheet: Sheet, time_ms: int) -> Iterator[str]:
    for site in hq.sites:
        interval = month(sheet.month, site.time_zone)
        if time_ms < interval.end_ms:
            yield f"the month lasts until {format_local(interval.end_ms, site.time_zone)}"
            return


def _plan(connection: Connection, hq: HqConfig) -> Iterator[str]:
    if plans.cited(connection, hq).version is None:
        yield "hq.yaml is not the adopted plan (seiren plan diff, then seiren plan adopt)"


def _missing(sheet: Sheet) -> Iterator[str]:
    """Yield what keeps the month's CO2 from being summed."""
    if sheet.total.value is None:
        yield str(sheet.total.facts["not_summed"])
