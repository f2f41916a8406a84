"""Rows as line protocol, times in milliseconds: measurements ``reading``, ``energy_interval`` and more.

docs/stores.md describes their tags and fields. A row that line protocol cannot express is an empty text.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import cast

from collector.stores.base import DeliveryRow, EnergyRow, PointRow, Rows, StoreRow

_INT64 = range(-(2**63), 2**63)
_TAG_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_TEXT_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\""})


class LineWriter:
    """Writes lines; measurement and tags of each series are made once."""

    def __init__(self) -> None:
        self._readings: dict[str, str] = {}
        self._energies: dict[str, str] = {}

    def lines(self, rows: Rows) -> list[str]:
        """Return one line for each row, in order."""
        if isinstance(rows[0], StoreRow):
            return self._reading_lines(cast(Sequence[StoreRow], rows))
        if isinstance(rows[0], EnergyRow):
            return [self._energy_line(row) for row in cast(Sequence[EnergyRow], rows)]
        if isinstance(rows[0], PointRow):
            return [_point_line(row) for row in cast(Sequence[PointRow], rows)]
        return [_delivery_line(row) for row in cast(Sequence[DeliveryRow], rows)]

    def _reading_lines(self, rows: Sequence[StoreRow]) -> list[str]:
        series, lines = self._readings, []
        for point, time_ms, count, value, quality in rows:
            start = series.get(point)
            if start is None:
                start = series[point] = _series("reading", point)
            if not start or (value is not None and not isfinite(value)):
                lines.append("")
            elif count is None:
                fields = f"quality={quality}i" if value is None else f"quality={quality}i,value={value!r}"
                lines.append(f"{start}{fields} {time_ms}")
            elif type(count) is int and count in _INT64:
                lines.append(f"{start}quality={quality}i,value={value!r},count={count}i {time_ms}")
            else:
                lines.append(f'{start}quality={quality}i,value={value!r},count_text="{count}" {time_ms}')
        return lines

    def _energy_line(self, row: EnergyRow) -> str:
        start = self._energies.get(row.point)
        if start is None:
            start = self._energies[row.point] = _series("energy_interval", row.point)
        if not start:
            return ""
        fields = f'origin="{row.origin}",site="{_text(row.site)}",parent="{_text(row.parent)}"'
        if row.wh is not None:
            fields += f",wh={row.wh}i,unproven_wh={row.unproven_wh or 0}i"
        return f"{start}{fields} {row.time_ms}"


def _point_line(row: PointRow) -> str:
    start = _series("point", row.point)
    fields = f'factor={row.factor!r},unit="{_text(row.unit)}",site="{_text(row.site)}"'
    return f"{start}{fields} {row.time_ms}" if start else ""


def _delivery_line(row: DeliveryRow) -> str:
    tags = f"agent={row.agent.translate(_TAG_ESCAPES)},lane={row.lane}"
    counted = ("taken", "stored", "quarantined", "lost", "waiting", "owed")
    fields = ",".join(f"{name}={getattr(row, name)}i" for name in counted)
    if row.age_ms is not None:
        fields += f",age_ms={row.age_ms}i"
    return f"delivery,{tags} {fields} {row.time_ms}"


def _series(measurement: str, point: str) -> str:
    """Return measurement and tags of a point; empty when they cannot be written."""
    meter, _, quantity = point.partition(".")
    if not meter or not quantity or not point.isprintable() or point.endswith("\\"):
        return ""
    return f"{measurement},meter={meter.translate(_TAG_ESCAPES)},quantity={quantity.translate(_TAG_ESCAPES)} "


def _text(text: str) -> str:
    return text.translate(_TEXT_ESCAPES)
