"""Readings as CSV, a hundred thousand in a moment: an instant is written once for its half-hour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from core.metering.cells import Cell
from core.metering.readings import Count
from core.timeline import HALF_HOUR_MS

HEADER = "time,count,quality\n"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_csv(cells: Iterable[Cell], zone: ZoneInfo) -> str:
    """Return the readings of cells as CSV: local time with offset, count, quality.

    Quality is 0 for good, 1 for uncertain, 2 for bad. A count that is not there is empty; one with a
    fraction is written out.
    """
    return HEADER + "".join(line for cell in cells for line in _lines(cell, zone))


def _lines(cell: Cell, zone: ZoneInfo) -> Iterator[str]:
    start = (_EPOCH + timedelta(milliseconds=cell.start_ms)).astimezone(zone)
    last = (_EPOCH + timedelta(milliseconds=cell.start_ms + HALF_HOUR_MS - 1)).astimezone(zone)
    hour, offset = start.isoformat()[:14], start.isoformat()[19:]
    if last.isoformat()[:14] == hour and last.isoformat()[-len(offset) :] == offset:
        first_ms = cell.start_ms - (start.minute * 60 + start.second) * 1000
        for time_ms, count, quality in cell.readings:
            seconds, ms = divmod(time_ms - first_ms, 1000)
            part = f".{ms:03d}" if ms else ""
            clock = f"{seconds // 60:02d}:{seconds % 60:02d}{part}"
            yield f"{hour}{clock}{offset},{_text(count)},{int(quality)}\n"
        return
    for (
        time_ms,
        count,
        quality,
    ) in cell.readings:  # over a local hour, or a change of the clock
        at = (_EPOCH + timedelta(milliseconds=time_ms)).astimezone(zone)
        precise = at.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds")
        yield f"{precise},{_text(count)},{int(quality)}\n"


def _text(count: Count | None) -> str:
    if count is None:
        return ""
    return str(count) if isinstance(count, int) else f"{count:f}"
