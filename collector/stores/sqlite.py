"""The embedded reading store: one SQLite file that other processes of its owner may read."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import TypeVar, cast

from collector.stores.base import (
    DeliveryRow,
    EnergyRow,
    Outcome,
    PointRow,
    Rejection,
    Row,
    Rows,
    StoreRow,
    split_writable,
)
from core.errors import OutsideError, Unreachable
from core.timeline import Interval

_T = TypeVar("_T")

# `count` has no declared type, so that SQLite keeps an integer as an integer and a text as a text.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY,
    point TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS readings (
    series INTEGER NOT NULL REFERENCES series (id),
    time_ms INTEGER NOT NULL,
    count,
    value REAL,
    quality INTEGER NOT NULL,
    PRIMARY KEY (series, time_ms)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS energy_intervals (
    point TEXT NOT NULL,
    start_ms INTEGER NOT NULL,
    wh INTEGER,
    unproven_wh INTEGER,
    origin TEXT NOT NULL,
    site TEXT NOT NULL,
    parent TEXT NOT NULL,
    PRIMARY KEY (point, start_ms)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS points (
    point TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    factor REAL NOT NULL,
    unit TEXT NOT NULL,
    site TEXT NOT NULL,
    PRIMARY KEY (point, time_ms)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS delivery (
    agent TEXT NOT NULL,
    lane TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    taken INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    quarantined INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    owed INTEGER NOT NULL,
    age_ms INTEGER,
    PRIMARY KEY (agent, lane, time_ms)
) WITHOUT ROWID;
"""

_UPSERT = """
INSERT INTO readings (series, time_ms, count, value, quality) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (series, time_ms) DO UPDATE
SET count = excluded.count, value = excluded.value, quality = excluded.quality
WHERE count IS NOT excluded.count OR value IS NOT excluded.value OR quality <> excluded.quality
"""

_REPLACE: dict[type[Row], str] = {
    EnergyRow: "INSERT OR REPLACE INTO energy_intervals VALUES (?, ?, ?, ?, ?, ?, ?)",
    DeliveryRow: "INSERT OR REPLACE INTO delivery VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    PointRow: "INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?)",
}

_KEY = itemgetter(0, 1)
_INT64 = range(-(2**63), 2**63)
_BUSY_TIMEOUT_S = 10.0


class SqliteStore:
    """Readings in one file, in WAL mode; a write is on the disk when it returns."""

    def __init__(self, path: Path, *, busy_timeout_s: float = _BUSY_TIMEOUT_S) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        # One thread owns the connection: SQLite has one writer, and the event loop never waits for a disk.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reading-store")
        self._database: sqlite3.Connection | None = None
        self._series: dict[str, int] = {}

    @property
    def identity(self) -> str:
        return f"sqlite:{self._path.name}"

    @property
    def retention_ms(self) -> int | None:
        return None

    async def open(self) -> None:
        await self._in_thread(self._open)

    async def write(self, rows: Rows) -> Outcome:
        try:
            rejected = await self._in_thread(lambda: self._write(rows))
        except OutsideError as trouble:
            return Outcome(0, retry=rows, trouble=trouble)
        return Outcome(len(rows) - len(rejected), tuple(rejected))

    async def read(self, point: str, interval: Interval) -> tuple[StoreRow, ...]:
        return await self._in_thread(lambda: self._read(point, interval))

    async def close(self) -> None:
        await self._in_thread(self._close)
        self._thread.shutdown()

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            self._series.clear()  # may hold ids of a transaction that was rolled back
            raise _readable(error, self._path) from error

    def _open(self) -> None:
        with suppress(OSError):  # that it cannot be made, SQLite says as well
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
            self._path.chmod(0o600)  # SQLite gives its other files the mode of the first
        database = sqlite3.connect(
            self._path, timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=True
        )
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(_SCHEMA)
        self._database = database

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            self._open()
        assert self._database is not None
        return self._database

    def _write(self, rows: Rows) -> list[Rejection]:
        with _Transaction(database := self._opened()):
            if not rows or isinstance(rows[0], StoreRow):
                return self._write_readings(database, cast(Sequence[StoreRow], rows))
            database.executemany(_REPLACE[type(rows[0])], rows)
        return []

    def _write_readings(self, database: sqlite3.Connection, rows: Sequence[StoreRow]) -> list[Rejection]:
        writable, rejected = split_writable(rows)
        series = self._series_of(database, {row[0] for row in writable})
        stored = [
            (series[point], time_ms, count if count is None else _stored_count(count), value, quality)
            for point, time_ms, count, value, quality in writable
        ]
        stored.sort(key=_KEY)  # neighbours share a page: a third less work than in the order of time
        database.executemany(_UPSERT, stored)
        return rejected

    def _series_of(self, database: sqlite3.Connection, points: set[str]) -> dict[str, int]:
        unknown = points - self._series.keys()
        for point in sorted(unknown):
            database.execute("INSERT INTO series (point) VALUES (?) ON CONFLICT DO NOTHING", (point,))
            row = database.execute("SELECT id FROM series WHERE point = ?", (point,)).fetchone()
            self._series[point] = row[0]
        return self._series

    def _read(self, point: str, interval: Interval) -> tuple[StoreRow, ...]:
        found = self._opened().execute(
            "SELECT time_ms, count, value, quality FROM readings"
            " WHERE series = (SELECT id FROM series WHERE point = ?) AND time_ms >= ? AND time_ms < ?"
            " ORDER BY time_ms",
            (point, interval.start_ms, interval.end_ms),
        )
        return tuple(
            StoreRow(point, time_ms, _exact_count(count), value, quality)
            for time_ms, count, value, quality in found
        )

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


class _Transaction:
    """Commit at the end, roll back on any exception."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._database.execute("COMMIT")
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")


def _readable(error: sqlite3.Error, path: Path) -> OutsideError:
    if isinstance(error, sqlite3.OperationalError):
        return Unreachable(
            "the reading store's file cannot be used now",
            where=str(path),
            evidence=str(error),
            cause="another program holds it, or the disk is full or read-only",
            next="free the file or the disk; the collector goes on by itself",
        )
    return OutsideError(
        "the reading store's file is not usable",
        where=str(path),
        evidence=str(error),
        cause="the file is damaged or was not made by Seiren",
        next="set the file aside and start again; registers come back from the ledger",
    )


def _stored_count(count: int | Decimal | None) -> int | str | None:
    if count is None or (isinstance(count, int) and count in _INT64):
        return count
    return str(count) if isinstance(count, Decimal) else f"{count}i"


def _exact_count(stored: int | str | None) -> int | Decimal | None:
    if stored is None or isinstance(stored, int):
        return stored
    return int(stored[:-1]) if stored.endswith("i") else Decimal(stored)
