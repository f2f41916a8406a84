"""InfluxDB 1 as a reading store: one database and its default retention policy, read by InfluxQL."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from collector.stores.base import StoreRow
from collector.stores.http import LineHttp, Words
from collector.stores.line_store import LineStore, stored_row
from core.errors import ConfigError, OutsideError
from core.timeline import Interval

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


class InfluxOneStore(LineStore):
    """Readings in one database of an InfluxDB 1.x."""

    def __init__(self, *, url: str, database: str, username: str = "", password: str = "") -> None:
        self._url = url.rstrip("/")
        self._database = database
        where = f"{self._url} database {database}"
        basic = b64encode(f"{username}:{password}".encode()).decode("ascii")
        http = LineHttp(
            url,
            f"/write?{urlencode({'db': database, 'precision': 'ms'})}",
            {"Authorization": f"Basic {basic}"} if username else {},
            Words(
                engine="InfluxDB",
                where=where,
                alive=f"curl -sS -i {self._url}/ping",
                rights="look at username and password_file, and at SHOW GRANTS in `influx`",
            ),
        )
        super().__init__(http, where)

    @property
    def identity(self) -> str:
        return f"influxdb1:{self._url}/{self._database}"

    async def open(self) -> None:
        version = (await self._http.ask("GET", "/ping")).headers.get("X-Influxdb-Version", "")
        if not version.removeprefix("v").startswith("1."):
            raise ConfigError(
                "what answers is no InfluxDB 1",
                where=self._where,
                evidence=f"it says of its version: {version or 'nothing'}",
                cause="other engines take line protocol too, and lose digits or texts: docs/stores.md",
                next="use InfluxDB 1.x here, kind: influxdb for InfluxDB 2, or kind: sqlite",
            )
        policies = await self._query(f"SHOW RETENTION POLICIES ON {_identifier(self._database)}")
        default = next((each for each in policies if each["default"]), None)
        if default is None:
            raise ConfigError(
                f"the database {self._database!r} has no default retention policy", where=self._where
            )
        name = f"{_identifier(default['name'])} ON {_identifier(self._database)}"
        self._keeps(
            _duration(default["duration"]),
            f"the database {self._database!r}",
            f"in `influx`: ALTER RETENTION POLICY {name} DURATION INF",
        )

    async def read(self, point: str, interval: Interval) -> tuple[StoreRow, ...]:
        meter, _, quantity = point.partition(".")
        found = await self._query(
            'SELECT quality, value, "count", count_text FROM reading'
            f" WHERE meter = {_literal(meter)} AND quantity = {_literal(quantity)}"
            f" AND time >= {interval.start_ms}ms AND time < {interval.end_ms}ms"
        )
        return tuple(
            stored_row(point, each["time"], each["quality"], each["value"], each["count"], each["count_text"])
            for each in found
        )

    async def _query(self, text: str) -> list[dict[str, Any]]:
        """Return the rows of a query's only series."""
        asked = urlencode({"db": self._database, "epoch": "ms", "q": text})
        results = (await self._http.ask_json(f"/query?{asked}")).get("results")
        result: dict[str, Any] = results[0] if results else {}
        if missing := result.get("error"):
            if "database not found" in missing:
                raise ConfigError(
                    f"the InfluxDB has no database {self._database!r}",
                    where=self._where,
                    evidence=missing,
                    next=f"in `influx`: CREATE DATABASE {_identifier(self._database)}",
                )
            raise OutsideError("the InfluxDB refuses the query", where=self._where, evidence=missing)
        return [
            dict(zip(series["columns"], row, strict=True))
            for series in result.get("series", ())
            for row in series.get("values", ())
        ]


def _duration(text: str) -> timedelta | None:
    """Return a Go duration such as ``2400h0m0s``; None for 0, which is for ever."""
    parts = _DURATION.fullmatch(text)
    hours, minutes, seconds = (int(part or 0) for part in parts.groups()) if parts else (0, 0, 0)
    return timedelta(hours=hours, minutes=minutes, seconds=seconds) or None


def _identifier(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
