"""From the ledger to figures: energies of an interval, series, and the month's statement."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from collector import plans, records
from collector.corrections import Corrections
from collector.ledger import Ledger, activity, cells, closings, values
from collector.view import View, viewing
from config.factors import load_electricity_series, load_fuel_factors
from config.hq import HqConfig, SiteRecord
from config.meters import MeterRecord
from core.carbon.inputs import Meter, SiteInputs, StatementInputs
from core.carbon.statement import Statement, build
from core.carbon.targets import MonthTarget
from core.metering.energy import IntervalEnergy
from core.timeline import Interval, month, month_of, months


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
    found: dict[str, IntervalEnergy] = {}
    with viewing(ledger, hq) as view:
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
    with viewing(ledger, hq) as view:
        return view.series(site, meter, boundaries_ms)


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
    with viewing(ledger, hq) as view:
        return build(inputs_at(view, month_text))


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
    return StatementInputs(
        month=month_text,
        company=records.label(hq.company),
        synthetic=hq.synthetic,
        sites=tuple(_site_inputs(view, site, month(month_text, site.time_zone)) for site in hq.sites),
        products={name: records.label(names) for name, names in hq.products.items()},
        fuels=activity.fuels_of(connection, month_text),
        production=activity.production_of(connection, month_text),
        fuel_factors=load_fuel_factors(),
        electricity=load_electricity_series(hq.electricity_factor),
        targets=tuple(MonthTarget(each, value) for each, value in hq.targets.items()),
        closed=closed,
        plan=plans.cited(connection, hq),
    )


def _site_inputs(view: View, site: SiteRecord, interval: Interval) -> SiteInputs:
    network = view.network(site).during(interval)
    return SiteInputs(
        id=site.id,
        name=records.label(site.name),
        tz=site.time_zone,
        network=network,
        meters=tuple(Meter(each.id, records.label(each.name), each.process) for each in site.named),
        energies=view.energies(site, interval),
        allocation=records.allocation(site, network),
    )


def months_with_data(ledger: Ledger, hq: HqConfig) -> tuple[str, ...]:
    """Return the months ``YYYY-MM`` that the ledger knows something of, oldest first.

    A month counts when it was closed, when it has activity or energy from elsewhere than registers, or when a
    meter on record has readings on both sides of it or in two of its half-hours: a reading just past its
    beginning only bounds the month before.
    """
    with ledger.reading() as connection:
        found = activity.months(connection)
        found |= {month for month, status in closings.statuses(connection).items() if status.revisions}
        for site in hq.sites:
            for meter in site.meters:
                span = cells.span(connection, meter.point)
                found |= _read_in(connection, meter.point, span, site.time_zone, found)
                found |= {
                    text
                    for text in _touched(values.span(connection, meter.point), site.time_zone) - found
                    if values.any_in(connection, meter.point, month(text, site.time_zone))
                }
    return tuple(sorted(found))


def _read_in(
    connection: Connection, point: str, span: Interval | None, zone: ZoneInfo, found: Collection[str]
) -> set[str]:
    """Return the months that a point's readings tell of: all between its first and its last one too."""
    known = _touched(span, zone)
    return {
        text
        for text in known
        if text in found
        or min(known) < text < max(known)
        or cells.has_two(connection, point, month(text, zone))
    }


def _touched(span: Interval | None, zone: ZoneInfo) -> set[str]:
    """Return the months that an interval reaches into; none without one."""
    return set() if span is None else {month_of(start_ms, zone) for start_ms in months(span, zone)[:-1]}
