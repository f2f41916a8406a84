"""The engines that the contract of a reading store is tried on, and what one of them cannot do."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from collector.stores.base import EnergyRow, ReadingStore, StoreRow
from collector.stores.influxdb import InfluxStore
from collector.stores.influxdb1 import InfluxOneStore
from collector.stores.sqlite import SqliteStore
from core.timeline import Interval
from tests.line_protocol_servers import InfluxOneServer, VictoriaServer, VictoriaStore
from tests.servers import InfluxServer, ServerProcess

TITLES = {
    "sqlite": "SQLite",
    "influxdb": "InfluxDB 2.7.12",
    "influxdb1": "InfluxDB 1.6.7",
    "victoria": "VictoriaMetrics 1.79.5",
}

_TWICE = "both are kept"

FAILS: dict[tuple[str, str], str] = {
    ("victoria", "test_a_row_comes_back_as_it_was_written"): "64-bit floats only, no texts",
    ("victoria", "test_the_same_key_is_overwritten"): _TWICE,
    ("victoria", "test_the_last_of_a_key_in_one_write_stays"): _TWICE,
    ("victoria", "test_quality_is_kept_and_bad_readings_have_no_value"): _TWICE,
    ("victoria", "test_writing_again_changes_nothing"): _TWICE,
    ("victoria", "test_fifteen_digits_survive_beside_an_outlier"): "they become 0",
    ("victoria", "test_what_was_accepted_outlives_a_kill"): "the last seconds are lost",
    ("victoria", "test_half_hours_are_written_again"): "both are kept, no origin",
}
"""What an engine is expected to fail, and why in a few words; the suite is red when it does not."""


class Engine(NamedTuple):
    """An engine with an empty place in it.

    Parameters
    ----------
    make
        Makes stores that stand on the same readings.
    energies
        Reads the half-hours of a point as anybody would.
    write_and_die
        Writes rows, then ends the engine as ``kill -9`` does, and brings it back.
    """

    make: Callable[[], ReadingStore]
    energies: Callable[[str, Interval], Awaitable[list[EnergyRow]]]
    write_and_die: Callable[[Sequence[StoreRow]], Awaitable[None]]


def sqlite_engine(folder: Path) -> Engine:
    """Return a SQLite file in a folder."""
    path = folder / "readings.sqlite"

    async def energies(point: str, interval: Interval) -> list[EnergyRow]:
        database = sqlite3.connect(path)
        found = database.execute(
            "SELECT * FROM energy_intervals WHERE point = ? AND start_ms >= ? AND start_ms < ?",
            (point, interval.start_ms, interval.end_ms),
        )
        rows = [EnergyRow(*row) for row in found]
        database.close()
        return rows

    async def write_and_die(rows: Sequence[StoreRow]) -> None:
        code = f"""
import asyncio, os, signal
from decimal import Decimal
from pathlib import Path
from collector.stores.base import StoreRow
from collector.stores.sqlite import SqliteStore
asyncio.run(SqliteStore(Path({str(path)!r})).write({list(rows)!r}))
os.kill(os.getpid(), signal.SIGKILL)
"""
        assert await asyncio.to_thread(_exit_code, code) == -signal.SIGKILL

    return Engine(lambda: SqliteStore(path), energies, write_and_die)


def influxdb_engine(server: InfluxServer) -> Engine:
    """Return a new bucket of an InfluxDB 2."""
    bucket = server.new_bucket()

    def make() -> InfluxStore:
        return InfluxStore(url=server.url, org=server.org, bucket=bucket, token=server.token)

    async def energies(point: str, interval: Interval) -> list[EnergyRow]:
        meter, _, quantity = point.partition(".")
        query = (
            f'from(bucket: "{bucket}")'
            f" |> range(start: {interval.start_ms // 1000}, stop: {interval.end_ms // 1000})"
            f' |> filter(fn: (r) => r._measurement == "energy_interval" and r.meter == "{meter}"'
            f' and r.quantity == "{quantity}")'
            ' |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
            ' |> map(fn: (r) => ({r with ms: int(v: r._time) / 1000000})) |> sort(columns: ["ms"])'
        )
        return [
            _energy(point, int(row["ms"]), row.get("wh"), row.get("unproven_wh"), row)
            for row in server.flux(query)
        ]

    return Engine(make, energies, _dying(server, make))


def influxdb1_engine(server: InfluxOneServer) -> Engine:
    """Return a new database of an InfluxDB 1."""
    database = server.new_database()

    def make() -> InfluxOneStore:
        return InfluxOneStore(url=server.url, database=database)

    async def energies(point: str, interval: Interval) -> list[EnergyRow]:
        meter, _, quantity = point.partition(".")
        text = (
            f"SELECT * FROM energy_interval WHERE meter = '{meter}' AND quantity = '{quantity}'"
            f" AND time >= {interval.start_ms}ms AND time < {interval.end_ms}ms"
        )
        return [
            _energy(point, int(str(row["time"])), row.get("wh"), row.get("unproven_wh"), row)
            for row in server.query(text, database)
        ]

    return Engine(make, energies, _dying(server, make))


def victoria_engine(server: VictoriaServer) -> Engine:
    """Return a new label of a VictoriaMetrics."""
    database = server.new_database()

    def make() -> VictoriaStore:
        return VictoriaStore(url=server.url, database=database)

    async def energies(point: str, interval: Interval) -> list[EnergyRow]:
        store = make()
        try:
            return await store.energies(point, interval)
        finally:
            await store.close()

    return Engine(make, energies, _dying(server, make))


def _exit_code(code: str) -> int:
    return subprocess.run([sys.executable, "-c", code], check=False).returncode


def _dying(
    server: ServerProcess, make: Callable[[], ReadingStore]
) -> Callable[[Sequence[StoreRow]], Awaitable[None]]:
    async def write_and_die(rows: Sequence[StoreRow]) -> None:
        store = make()
        (await store.write(rows)).settled()
        await store.close()
        server.kill()
        server.start()

    return write_and_die


def _energy(
    point: str, time_ms: int, wh: object, unproven_wh: object, fields: dict[str, object] | dict[str, str]
) -> EnergyRow:
    missing = fields["origin"] == "missing"  # numbers of an earlier, known half-hour stay in InfluxDB
    return EnergyRow(
        point,
        time_ms,
        None if missing else int(str(wh)),
        None if missing else int(str(unproven_wh)),
        str(fields["origin"]),
        str(fields["site"]),
        str(fields["parent"]),
    )
