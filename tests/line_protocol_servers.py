"""Engines of other makes that take line protocol, on loopback: InfluxDB 1.x and VictoriaMetrics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from urllib.parse import urlencode

import httpx

from collector.stores.base import EnergyRow, Outcome, Rows, StoreRow
from collector.stores.http import LineHttp, Words
from core.timeline import Interval
from tests.parts import INFLUXD_1, VICTORIA, require
from tests.servers import LOOPBACK, ServerProcess, free_port


class InfluxOneServer(ServerProcess):
    """An InfluxDB 1.x as Debian has it; with a password, only its administrator may do anything."""

    username = "seiren"

    def __init__(self, folder: Path, *, password: str = "") -> None:
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        self.password = password
        self._databases = 0
        config = folder / "influxdb.conf"
        config.write_text(
            f"""reporting-disabled = true
bind-address = "{LOOPBACK}:{free_port()}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[http]
  bind-address = "{LOOPBACK}:{port}"
  auth-enabled = {str(bool(password)).lower()}
  log-enabled = false
[logging]
  level = "warn"
"""
        )
        super().__init__([str(require(INFLUXD_1)), "-config", str(config)], folder=folder, port=port)

    def answers(self) -> bool:
        """Return whether the server says that it is there."""
        try:
            return httpx.get(f"{self.url}/ping", timeout=1).status_code == httpx.codes.NO_CONTENT
        except httpx.TransportError:
            return False

    def set_up(self) -> None:
        """Make the administrator, once after the first start."""
        self.query(f"CREATE USER {self.username} WITH PASSWORD '{self.password}' WITH ALL PRIVILEGES")

    def query(self, text: str, database: str = "") -> list[dict[str, object]]:
        """Return the rows of a statement's only series; times in milliseconds."""
        asked = {"q": text, "db": database, "epoch": "ms"}
        auth = (self.username, self.password) if self.password else None
        answer = httpx.post(f"{self.url}/query", data=asked, auth=auth, timeout=30).raise_for_status()
        (result,) = answer.json()["results"]
        assert "error" not in result, result
        return [
            dict(zip(series["columns"], row, strict=True))
            for series in result.get("series", ())
            for row in series["values"]
        ]

    def new_database(self, keep: str = "INF") -> str:
        """Make an empty database that keeps its readings for so long, and return its name."""
        self._databases += 1
        name = f"readings{self._databases}"
        self.query(f'CREATE DATABASE "{name}" WITH DURATION {keep}')
        return name


class VictoriaServer(ServerProcess):
    """A single-node VictoriaMetrics."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        self._databases = 0
        command = [
            str(require(VICTORIA)),
            f"-storageDataPath={folder}/data",
            f"-httpListenAddr={LOOPBACK}:{port}",
            "-retentionPeriod=100y",
            "-loggerLevel=ERROR",
        ]
        super().__init__(command, folder=folder, port=port)

    def answers(self) -> bool:
        """Return whether the server says that it is healthy."""
        try:
            return httpx.get(f"{self.url}/health", timeout=1).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def new_database(self) -> str:
        """Return a name that nobody has used; VictoriaMetrics makes it a label."""
        self._databases += 1
        return f"readings{self._databases}"


class VictoriaStore:
    """VictoriaMetrics as far as it can be a reading store; nothing but the contract suite uses it."""

    def __init__(self, *, url: str, database: str) -> None:
        self._url = url
        self._database = database
        write = f"/write?{urlencode({'db': database, 'precision': 'ms'})}"
        self._http = LineHttp(url, write, {}, Words("VictoriaMetrics", url, "", ""))

    @property
    def identity(self) -> str:
        return f"victoria:{self._url}/{self._database}"

    @property
    def retention_ms(self) -> int | None:
        return None

    async def open(self) -> None:
        await self._http.ask("GET", "/health")

    async def write(self, rows: Rows) -> Outcome:
        return await self._http.write(rows)

    async def read(self, point: str, interval: Interval) -> tuple[StoreRow, ...]:
        found = await self._fields("reading", point, interval)
        rows = []
        for time_ms, values in found:
            bad = values.get("quality") == 2
            count = None if bad else values.get("count")
            exact = None if count is None else int(count) if count == int(count) else Decimal(str(count))
            value = None if bad else values.get("value")
            rows.append(StoreRow(point, time_ms, exact, value, int(values.get("quality", 0))))
        return tuple(rows)

    async def energies(self, point: str, interval: Interval) -> list[EnergyRow]:
        """Return the half-hours of a point; their texts are gone."""
        found = await self._fields("energy_interval", point, interval)
        return [
            EnergyRow(point, time_ms, int(values["wh"]), int(values["unproven_wh"]), "", "", "")
            for time_ms, values in found
        ]

    async def close(self) -> None:
        await self._http.close()

    async def _fields(
        self, measurement: str, point: str, interval: Interval
    ) -> Sequence[tuple[int, dict[str, float]]]:
        """Return times and fields, once for each time that a field has more than once."""
        meter, _, quantity = point.partition(".")
        name = f'{{__name__=~"{measurement}_.*",db="{self._database}",meter="{meter}",quantity="{quantity}"}}'
        asked = {"match[]": name, "start": interval.start_ms / 1000, "end": (interval.end_ms - 1) / 1000}
        await self._http.ask("GET", "/internal/force_flush")  # else it shows what it got a second later
        answer = await self._http.ask("GET", f"/api/v1/export?{urlencode(asked)}")
        columns: dict[tuple[int, int], dict[str, float]] = {}
        for line in answer.text.splitlines():
            series = json.loads(line)
            field = series["metric"]["__name__"].removeprefix(f"{measurement}_")
            seen: dict[int, int] = {}
            for time_ms, value in zip(series["timestamps"], series["values"], strict=True):
                seen[time_ms] = seen.get(time_ms, 0) + 1
                columns.setdefault((time_ms, seen[time_ms]), {})[field] = value
        return [(time_ms, fields) for (time_ms, _), fields in sorted(columns.items(), key=itemgetter(0))]
