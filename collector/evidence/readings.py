"""Readings as CSV and as a hash, a hundred thousand in a moment."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from core.metering.cells import Cell
from core.metering.readings import Count

HEADER = "time,count,quality\n"
_HOUR_MS = 3_600_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_csv(cells: Iterable[Cell], zone: ZoneInfo) -> str:
    """Return the readings of cells as CSV: local time with offset, count, quality.

    Quality is 0 for good, 1 for uncertain, 2 for bad. A count that is not there is empty; one with a
    fraction is written out.
    """
    return HEADER + "".join(line for cell in cells for line in _lines(cell, zone))


def content_hash(point: str, packed: Iterable[tuple[int, bytes]]) -> str:
    """Return the SHA-256, hexadecimal, of packed cells of a point in time order, each with its start [ms]."""
    digest, name = hashlib.sha256(), point.encode()
    for start_ms, data in packed:
        digest.update(b"%d %d %d\n%b%b" % (len(name), start_ms, len(data), name, data))
    return digest.hexdigest()


def readings_in(packed: bytes) -> int:
    """Return how many readings a packed cell holds [1]."""
    return int.from_bytes(packed[3:7], "little")


def _lines(cell: Cell, zone: ZoneInfo) -> Iterator[str]:
    for hour_ms, of_hour in groupby(cell.readings, key=lambda row: row[0] // _HOUR_MS * _HOUR_MS):
        start, last = (_local(each, zone) for each in (hour_ms, hour_ms + _HOUR_MS - 1))
        hour, offset = start[:14], start[19:]
        plain = start[14:19] == "00:00" and last[:14] == hour and last.endswith(offset)
        for time_ms, count, quality in of_hour:
            if plain:
                seconds, ms = divmod(time_ms - hour_ms, 1000)
                part = f".{ms:03d}" if ms else ""
                at = f"{hour}{seconds // 60:02d}:{seconds % 60:02d}{part}{offset}"
            else:  # an hour that is none there, or in which the clock is changed
                at = _local(time_ms, zone)
            yield f"{at},{_text(count)},{int(quality)}\n"


def _local(time_ms: int, zone: ZoneInfo) -> str:
    at = (_EPOCH + timedelta(milliseconds=time_ms)).astimezone(zone)
    return at.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds")


def _text(count: Count | None) -> str:
    if count is None:
        return ""
    return str(count) if isinstance(count, int) else f"{count:f}"
