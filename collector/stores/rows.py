"""From counts to rows of a reading store: the exact count beside its value in the point's unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

from collector.stores.base import StoreRow
from core.delivery.payload import BAD, TakenReading
from core.delivery.tables import PointTable
from core.metering.cells import Cell, Row


def scales(table: PointTable) -> dict[str, Fraction]:
    """Return what a count of each point is worth [unit of the point per count]."""
    return {row.point: Fraction(row.scale) for row in table.rows}


def sample_rows(readings: Iterable[TakenReading], scale: Mapping[str, Fraction]) -> Iterator[StoreRow]:
    """Yield the rows of gauges: values alone, for a gauge's count proves nothing."""
    for taken in readings:
        if taken.count is None or taken.quality == BAD:
            yield StoreRow(taken.point, taken.time_ms, None, None, BAD)
        else:
            value = scaled(taken.count, scale[taken.point])
            yield StoreRow(taken.point, taken.time_ms, None, value, taken.quality)


def register_rows(
    point: str, readings: Iterable[tuple[int, int | Decimal | None, int]], scale: Fraction
) -> Iterator[StoreRow]:
    """Yield the rows of a counter's readings: instant [ms since 1970 UTC], count [counts], quality [1]."""
    for time_ms, count, quality in readings:
        if count is None or quality == BAD:
            yield StoreRow(point, time_ms, None, None, BAD)
        else:
            yield StoreRow(point, time_ms, count, scaled(count, scale), int(quality))


def chosen(cell: Cell) -> Iterable[Row]:
    """Return one reading per instant: where there are several, the one that figures use."""
    if not cell.conflicts:
        return cell.readings
    usable = dict(cell.usable)
    at = {row[0]: row for row in cell.readings}
    at |= {row[0]: row for row in reversed(cell.readings) if usable.get(row[0]) == row[1]}
    return at.values()


def scaled(count: int | Decimal, scale: Fraction) -> float:
    """Return count × scale as the nearest float; infinite where it is beyond all floats.

    Examples
    --------
    >>> scaled(2301, Fraction("0.1")), scaled(Decimal("1.5"), Fraction(1000))
    (230.1, 1500.0)
    """
    exact = count if isinstance(count, int) else float(count)
    try:
        return exact * scale.numerator / scale.denominator
    except OverflowError:
        return float("inf") if count > 0 else float("-inf")
