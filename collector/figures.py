"""From the ledger to figures: energies of an interval, series, and the month's statement."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from collector import records
from collector.corrections import Corrections
from collector.ledger import Ledger, activity, cells
from collector.view import View
from config.factors import load_electricity_series, load_fuel_factors
from config.hq import HqConfig, SiteRecord
from config.meters import MeterRecord
from core.carbon.inputs import Meter, SiteInputs, StatementInputs
from core.carbon.statement import Statement, build
from core.carbon.targets import MonthTarget
from core.metering.energy import IntervalEnergy
from core.timeline import month, month_of


def energies(ledger: Ledger, hq: HqConfig, month_text: str) -> dict[str, IntervalEnergy]:
    """Return the month's energy of every meter on record, by point.

    Raises
    ------
    UsageError
        The text is not a month.
    ConfigError, DataError
        Records or cells contradict each other.
    Unreachable, OutsideError
        The ledger failed.
    """
    with ledger.reading() as connection:
        view = View(connection, hq)
        found: dict[str, IntervalEnergy] = {}
        for site in hq.sites:
            found |= view.energies(site, month(month_text, site.time_zone))
        return found


def energy_series(
    ledger: Ledger, hq: HqConfig, site: SiteRecord, meter: MeterRecord, boundaries_ms: Sequence[int]
) -> tuple[IntervalEnergy, ...]:
    """Return the energies of a meter between successive instants; they add up to that of the whole.

    Parameters
    ----------
    boundaries_ms
        n + 1 instants in time order for n intervals [ms since 1970 UTC].

    Raises
    ------
    UsageError
        The instants are not in time order.
    ConfigError, DataError
        Records or cells contradict each other.
    Unreachable, OutsideError
        The ledger failed.
    """
    with ledger.reading() as connection:
        return View(connection, hq).series(site, meter, boundaries_ms)


def statement_for(ledger: Ledger, hq: HqConfig, month_text: str) -> Statement:
    """Return the month's statement, from one snapshot of the ledger.

    Raises
    ------
    UsageError
        The text is not a month.
    ConfigError, DataError
        Records, cells or activity contradict each other.
    Unreachable, OutsideError
        The ledger failed.
    """
    with ledger.reading() as connection:
        return statement_at(connection, hq, month_text)


def statement_at(
    connection: Connection,
    hq: HqConfig,
    month_text: str,
    *,
    closed: bool = False,
    thawed: Collection[str] = (),
    corrections: Corrections | None = None,
) -> Statement:
    """Return the month's statement.

    Parameters
    ----------
    connection
        A snapshot of the ledger.
    hq, month_text
        The plan, and the month, ``2024-02``.
    closed
        Whether it is that of a closed month, which takes no unverified factors.
    thawed
        Closed months whose registers do not stand any more, because they are to be restated.
    corrections
        Those that are taken to be in force; None: those that are.

    Raises
    ------
    UsageError
        The text is not a month.
    ConfigError, DataError
        Records, cells or activity contradict each other.
    """
    return build(
        inputs_at(View(connection, hq, thawed=thawed, corrections=corrections), month_text, closed=closed)
    )


def inputs_at(view: View, month_text: str, *, closed: bool = False) -> StatementInputs:
    """Return what a month's statement is made from.

    Parameters
    ----------
    view
        The ledger as it is seen.
    month_text
        ``2024-02``.
    closed
        Whether the statement is that of a closed month, which takes no unverified factors.

    Raises
    ------
    UsageError
        The text is not a month.
    ConfigError, DataError
        Records, cells or activity contradict each other.
    """
    connection, hq = view.connection, view.hq
    sites = tuple(
        SiteInputs(
            id=site.id,
            name=records.label(site.name),
            tz=site.time_zone,
            network=view.network(site).during(month(month_text, site.time_zone)),
            meters=tuple(Meter(each.id, records.label(each.name), each.process) for each in site.named),
            energies=view.energies(site, month(month_text, site.time_zone)),
            allocation=records.allocation(site),
        )
        for site in hq.sites
    )
    return StatementInputs(
        month=month_text,
        company=records.label(hq.company),
        synthetic=hq.synthetic,
        sites=sites,
        products={name: records.label(names) for name, names in hq.products.items()},
        fuels=activity.fuels_of(connection, month_text),
        production=activity.production_of(connection, month_text),
        fuel_factors=load_fuel_factors(),
        electricity=load_electricity_series(hq.electricity_factor),
        targets=tuple(MonthTarget(each, value) for each, value in hq.targets.items()),
        closed=closed,
    )


def months_with_data(ledger: Ledger, hq: HqConfig) -> tuple[str, ...]:
    """Return the months ``YYYY-MM`` that the ledger knows something of, oldest first.

    A month counts when it has activity, or when a meter on record has readings in two of its half-hours: a
    reading just past its beginning only bounds the month before.
    """
    with ledger.reading() as connection:
        found = activity.months(connection)
        for site in hq.sites:
            for meter in site.meters:
                span = cells.span(connection, meter.point)
                at_ms = span.start_ms if span else 0
                while span and at_ms < span.end_ms:
                    text = month_of(at_ms, site.time_zone)
                    whole = month(text, site.time_zone)
                    if text not in found and cells.has_two(connection, meter.point, whole):
                        found.add(text)
                    at_ms = whole.end_ms
    return tuple(sorted(found))
