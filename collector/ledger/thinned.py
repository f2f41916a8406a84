"""Thinned days in the ledger: made from cells, and never older than these.

Whoever changes a cell takes the day away that was made from it, in the same transaction. Whoever has thinned
a day keeps it only if its cells are still those that it was made from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from struct import Struct

from sqlalchemy import Connection, bindparam, delete, insert, select

from collector.ledger import cells, engines
from collector.ledger.record_tables import thinned as table
from core.metering.readings import Count
from core.metering.thinning import ThinDay
from core.timeline import Interval

_NEEDS_ALL = b""
_COLUMNS = 1
_FITS = 1 << 63

_WITHIN = select(table.c.day_ms, table.c.key, table.c.data).where(
    table.c.point == bindparam("of_point"),
    table.c.day_ms >= bindparam("first_ms"),
    table.c.day_ms < bindparam("end_ms"),
)
_INSERT = insert(table)
_DROP = delete(table).where(table.c.point == bindparam("of_point"), table.c.day_ms == bindparam("of_day_ms"))


@dataclass(frozen=True, slots=True)
class Made:
    """A day that was thinned, and what it was made from.

    Parameters
    ----------
    key
        Stands for all that it was made by besides its cells.
    cells
        `cells_digest` of the cells that it was made from.
    thinned
        None where it needs all its readings.
    """

    point: str
    day: Interval
    key: int
    cells: bytes
    thinned: ThinDay | None


def read(connection: Connection, point: str, keys: Mapping[int, int]) -> dict[int, ThinDay | None]:
    """Return the days of a point that are kept, by their beginning [ms since 1970 UTC].

    Parameters
    ----------
    keys
        Key by beginning of the day; a day that is kept under another key is not given. At least one.
    """
    asked = {"of_point": point, "first_ms": min(keys), "end_ms": max(keys) + 1}
    return {
        day_ms: _unpacked(day_ms, data)
        for day_ms, key, data in connection.execute(_WITHIN, asked)
        if keys.get(day_ms) == key
    }


def keep(connection: Connection, made: Iterable[Made]) -> int:
    """Keep thinned days whose cells have not changed meanwhile; return how many were kept [1].

    Parameters
    ----------
    connection
        Inside a transaction that writes.
    """
    engines.lock_thinned(connection, alone=True)
    rows = [
        {
            "point": each.point,
            "day_ms": each.day.start_ms,
            "key": each.key,
            "data": _packed(each.day.start_ms, each.thinned),
        }
        for each in made
        if cells_digest(cells.packed(connection, each.point, each.day)) == each.cells
    ]
    if rows:
        connection.execute(_DROP, [{"of_point": row["point"], "of_day_ms": row["day_ms"]} for row in rows])
        connection.execute(_INSERT, rows)
    return len(rows)


def cells_digest(packed: Iterable[tuple[int, bytes]]) -> bytes:
    """Return the SHA-256 of packed cells of one point, start and bytes, in time order."""
    digest = sha256()
    for start_ms, data in packed:
        digest.update(b"%d %d\n%b" % (start_ms, len(data), data))
    return digest.digest()


def _packed(day_ms: int, day: ThinDay | None) -> bytes:
    """Return a day as bytes.

    Where all counts are whole and fit: the number of readings and, column by column, time after the day's
    beginning [ms], count, and 1 where others were left out after it. Else the same rows as JSON, a count with
    decimals as text.
    """
    if day is None:
        return _NEEDS_ALL
    after_ms = [time_ms - day_ms for time_ms in day.times_ms]
    followed = [int(time_ms in day.left_out) for time_ms in day.times_ms]
    counts = day.counts
    if all(isinstance(count, int) and -_FITS <= count < _FITS for count in counts) and len(counts) < 256:
        columns = _columns(len(counts)).pack(*after_ms, *counts, *followed)
        return bytes((_COLUMNS, len(counts))) + columns
    shown = [count if isinstance(count, int) else str(count) for count in counts]
    return json.dumps(list(zip(after_ms, shown, followed, strict=True)), separators=(",", ":")).encode()


def _unpacked(day_ms: int, data: bytes) -> ThinDay | None:
    if data == _NEEDS_ALL:
        return None
    if data[0] == _COLUMNS:
        n = data[1]
        values = _columns(n).unpack_from(data, 2)
        times = tuple([day_ms + after_ms for after_ms in values[:n]])
        left_out = frozenset([times[index] for index in range(n) if values[2 * n + index]])
        return ThinDay(times, values[n : 2 * n], left_out)
    rows: Sequence[tuple[int, int | str, int]] = json.loads(data)
    return ThinDay(
        tuple(day_ms + after_ms for after_ms, _, _ in rows),
        tuple(_count(count) for _, count, _ in rows),
        frozenset(day_ms + after_ms for after_ms, _, followed in rows if followed),
    )


@lru_cache(maxsize=256)
def _columns(n: int) -> Struct:
    return Struct(f"<{n}I{n}q{n}B")


def _count(count: int | str) -> Count:
    return Decimal(count) if isinstance(count, str) else count
