"""Rows as line protocol, times in milliseconds: measurements ``reading``, ``energy_interval`` and more.

docs/stores.md describes their tags and fields. A row that line protocol cannot express is an empty text.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import isfinite
from typing import cast

from collector.stores.base import DeliveryRow, EnergyRow, PointRow, Rows, StoreRow
from collector.stores.rows import Scale, scaled
from collector.stores.samples import Samples
from core.delivery.payload import BAD, GOOD

_INT64 = range(-(2**63), 2**63)
_TAG_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_TEXT_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\""})


class _Series(dict[str, str]):
    """Measurement and tags of each point, made once; empty where line protocol cannot express it."""

    def __init__(self, measurement: str, field: str = "") -> None:
        super().__init__()
        self._measurement = measurement
        self._field = field
        self.has_empty = False

    def __missing__(self, point: str) -> str:
        start = _series(self._measurement, point)
        self.has_empty |= not start
        self[point] = start and start + self._field
        return self[point]


class LineWriter:
    """Writes lines; measurement and tags of each series are made once."""

    def __init__(self) -> None:
        self._readings = _Series("reading", "quality=")
        self._samples = _Series("reading", f"quality={GOOD}i,value=")
        self._energies = _Series("energy_interval")
        self._points = _Series("point")

    def lines(self, rows: Rows) -> list[str]:
        """Return one line for each row, in order."""
        if isinstance(rows, Samples):
            return self._sample_lines(rows)
        if isinstance(rows[0], StoreRow):
            return self._reading_lines(cast(Sequence[StoreRow], rows))
        if isinstance(rows[0], EnergyRow):
            return [self._energy_line(row) for row in cast(Sequence[EnergyRow], rows)]
        if isinstance(rows[0], PointRow):
            return [self._point_line(row) for row in cast(Sequence[PointRow], rows)]
        return [_delivery_line(row) for row in cast(Sequence[DeliveryRow], rows)]

    def _sample_lines(self, samples: Samples) -> list[str]:
        """Return lines of samples, of which there are most; most are good, and whole counts."""
        series, scale, other = self._samples, samples.scale, self._sample_line
        try:
            lines = [
                f"{series[point]}{count * (worth := scale[point])[0] / worth[1]!r} {time_ms}"
                if type(count) is int and quality == GOOD
                else other(point, time_ms, count, quality, scale[point])
                for point, time_ms, count, quality in samples.readings
            ]
        except OverflowError:  # a count beyond all floats
            return self._reading_lines(list(samples))
        if series.has_empty:
            lines = [
                line if series[reading[0]] else ""
                for line, reading in zip(lines, samples.readings, strict=True)
            ]
        return lines

    def _sample_line(
        self, point: str, time_ms: int, count: int | Decimal | None, quality: int, scale: Scale
    ) -> str:
        value = None if count is None or quality == BAD else scaled(count, scale)
        if value is not None and not isfinite(value):
            return ""
        return self._reading_line(point, time_ms, None, value, BAD if value is None else quality)

    def _reading_lines(self, rows: Sequence[StoreRow]) -> list[str]:
        series = self._readings
        lines = [self._reading_line(*row) for row in rows]
        if series.has_empty or not isfinite(sum([row[3] or 0.0 for row in rows])):
            for at, row in enumerate(rows):
                if not series[row.point] or not isfinite(row.value or 0.0):
                    lines[at] = ""
        return lines

    def _reading_line(
        self, point: str, time_ms: int, count: int | Decimal | None, value: float | None, quality: int
    ) -> str:
        fields = f"{self._readings[point]}{quality}i"
        if value is not None:
            fields += f",value={value!r}"
        if count is not None:
            whole = type(count) is int and count in _INT64
            fields += f",count={count}i" if whole else f',count_text="{count}"'
        return f"{fields} {time_ms}"

    def _energy_line(self, row: EnergyRow) -> str:
        start = self._energies[row.point]
        if not start:
            return ""
        fields = f'origin="{row.origin}",site="{_text(row.site)}",parent="{_text(row.parent)}"'
        if row.wh is not None:
            fields += f",wh={row.wh}i,unproven_wh={row.unproven_wh or 0}i"
        return f"{start}{fields} {row.time_ms}"

    def _point_line(self, row: PointRow) -> str:
        start = self._points[row.point]
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
