"""From counts to rows of a reading store: the exact count beside its value in the point's unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import TypeAlias

from collector.stores.base import StoreRow
from core.delivery.payload import BAD, TakenReading
from core.delivery.tables import PointTable
from core.metering.cells import Cell, Row

Scale: TypeAlias = tuple[int, int]
"""What a count is worth, exactly: numerator and denominator [unit of the point per count]."""


def scales(table: PointTable) -> dict[str, Scale]:
    """Return what a count of each point is worth."""
    return {row.point: Fraction(row.scale).as_integer_ratio() for row in table.rows}


def sample_rows(readings: Iterable[TakenReading], scale: Mapping[str, Scale]) -> list[StoreRow]:
    """Return the rows of gauges: values alone, for a gauge's count proves nothing."""
    rows: list[StoreRow] = []
    for point, time_ms, count, quality in readings:
        if count is None or quality == BAD:
            rows.append(StoreRow(point, time_ms, None, None, BAD))
        elif type(count) is int and -_MOST < count < _MOST:  # nearly all: spares a call for each
            numerator, denominator = scale[point]
            rows.append(_row((point, time_ms, None, count * numerator / denominator, quality)))
        else:
            rows.append(_row((point, time_ms, None, scaled(count, scale[point]), quality)))
    return rows


def register_rows(
    point: str, readings: Iterable[tuple[int, int | Decimal | None, int]], scale: Scale
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


def scaled(count: int | Decimal, scale: Scale) -> float:
    """Return count × scale as the nearest float; infinite where it is beyond all floats.

    Examples
    --------
    >>> scaled(2301, (1, 10)), scaled(Decimal("1.5"), (1000, 1))
    (230.1, 1500.0)
    """
    numerator, denominator = scale
    try:
        return (count if type(count) is int else float(count)) * numerator / denominator
    except OverflowError:
        return float("inf") if count > 0 else float("-inf")


_MOST = 2**63
_row = partial(tuple.__new__, StoreRow)  # a third of what a call with arguments takes
