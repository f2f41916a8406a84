"""What the values of each point mean at the plant, for those who read them in the reading store.

A value is stored as the meter shows it. Unit and transformers stand beside it, so that a wrong ratio is
mended in one place, also for the readings that came while it was wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from sqlalchemy import Connection, func, select

from collector.ledger.holdings import LedgerHoldings
from collector.ledger.tables import frames, point_tables
from collector.stores.base import PointRow
from config.hq import HqConfig, SiteRecord
from config.meters import MeterRecord
from core.delivery import tables
from core.errors import DataError
from core.metering.installations import Installation, Side
from core.metering.quantities import Quantity, Unit


def known_tables(connection: Connection) -> frozenset[str]:
    """Return the digests of all point tables."""
    return frozenset(connection.scalars(select(point_tables.c.digest)))


def point_rows(connection: Connection, hq: HqConfig | None) -> list[PointRow]:
    """Return the rows of all points that any table names: one per installation of its meter."""
    order = _in_order_of_use(connection)
    found = LedgerHoldings(connection).tables(order)
    newest = {row.point: row for digest in order for row in found[digest].rows}
    sites = () if hq is None else hq.sites
    meters = {meter.id: (site, meter) for site in sites for meter in site.meters}
    return [
        row for point in newest.values() for row in _rows(point, meters.get(point.point.partition(".")[0]))
    ]


def _in_order_of_use(connection: Connection) -> tuple[str, ...]:
    newest = select(frames.c.point_table, func.max(frames.c.number).label("last"))
    used = {row.point_table: row.last for row in connection.execute(newest.group_by(frames.c.point_table))}
    return tuple(sorted(known_tables(connection), key=lambda digest: (used.get(digest, 0), digest)))


def _rows(point: tables.PointRow, record: tuple[SiteRecord, MeterRecord] | None) -> Iterator[PointRow]:
    unit, factor = _in_base_unit(point)
    if record is None:
        yield PointRow(point.point, 0, float(factor), unit, "")
        return
    site, meter = record
    for installed in meter.dated(site.time_zone):
        primary = factor * _transformers(unit, installed)
        yield PointRow(point.point, installed.start_ms, float(primary), unit, site.id)


def _in_base_unit(point: tables.PointRow) -> tuple[str, Fraction]:
    """Return the base unit of a point's quantity and what one of the point's unit is in it."""
    try:
        base = Quantity(point.quantity).unit
        return base.value, Unit(point.unit).factor_to(base)
    except (ValueError, DataError):  # a quantity of its own, or a unit of another agent's release
        return point.unit, Fraction(1)


def _transformers(unit: str, installed: Installation) -> Fraction:
    """Return by what current and voltage transformers make a value of a unit smaller."""
    if installed.side is Side.PRIMARY:
        return Fraction(1)
    ratio = Fraction(1)
    if unit in _BEHIND_VT:
        ratio *= installed.vt
    if unit in _BEHIND_CT:
        ratio *= installed.ct
    return ratio


_POWERS = {Unit.W, Unit.VAR, Unit.VA, Unit.WH, Unit.VARH, Unit.VAH}
_BEHIND_VT = {*_POWERS, Unit.V}
_BEHIND_CT = {*_POWERS, Unit.A, Unit.AH}
