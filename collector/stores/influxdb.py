"""InfluxDB 2 as a reading store: one bucket, written by line protocol and read by Flux."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

from collector.stores.base import MIN_RETENTION_DAYS, Outcome, Rows, StoreRow
from collector.stores.http import LineHttp, Words
from core.errors import ConfigError, OutsideError
from core.timeline import Interval


class InfluxStore:
    """Readings in one bucket of an InfluxDB 2."""

    def __init__(self, *, url: str, org: str, bucket: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._org = org
        self._bucket = bucket
        self._where = f"{self._url} org {org} bucket {bucket}"
        self._http = LineHttp(
            url,
            f"/api/v2/write?{urlencode({'org': org, 'bucket': bucket, 'precision': 'ms'})}",
            {"Authorization": f"Token {token}"},
            Words(
                engine="InfluxDB",
                where=self._where,
                alive=f"curl -sS {self._url}/health",
                rights="look at the token in token_file and at `influx bucket list`",
            ),
        )
        self._retention: timedelta | None = None

    @property
    def identity(self) -> str:
        return f"influxdb:{self._url}/{self._org}/{self._bucket}"

    @property
    def retention_ms(self) -> int | None:
        return None if self._retention is None else self._retention // _MILLISECOND

    async def open(self) -> None:
        query = urlencode({"org": self._org, "name": self._bucket})
        try:
            found = (await self._http.ask_json(f"/api/v2/buckets?{query}")).get("buckets")
        except OutsideError as error:
            if not re.search(r'bucket ".*" not found', error.evidence):
                raise
            found = None
        if not found:
            raise ConfigError(
                f"the InfluxDB has no bucket {self._bucket!r}",
                where=self._where,
                evidence=f"the token can see no bucket of this name in {self._org}",
                cause="the bucket was not made, or the token may not read it",
                next=f"influx bucket create --org {self._org} --name {self._bucket} --retention 0",
            )
        kept = [timedelta(seconds=rule["everySeconds"]) for rule in found[0]["retentionRules"]]
        self._retention = min((each for each in kept if each), default=None)
        if self._retention is not None and self._retention < timedelta(days=MIN_RETENTION_DAYS):
            raise ConfigError(
                f"the bucket {self._bucket!r} forgets readings before late ones can arrive",
                where=self._where,
                evidence=f"retention {self._retention.days} days, of at least {MIN_RETENTION_DAYS}",
                cause="an agent may deliver after an outage of 90 days",
                next=f"influx bucket update --id {found[0]['id']} --retention 0",
            )

    async def write(self, rows: Rows) -> Outcome:
        return await self._http.write(rows)

    async def read(self, point: str, interval: Interval) -> tuple[StoreRow, ...]:
        meter, _, quantity = point.partition(".")
        query = (
            f"from(bucket: {_flux(self._bucket)})"
            f" |> range(start: {_flux_time(interval.start_ms)}, stop: {_flux_time(interval.end_ms)})"
            f' |> filter(fn: (r) => r._measurement == "reading"'
            f" and r.meter == {_flux(meter)} and r.quantity == {_flux(quantity)})"
            ' |> keep(columns: ["_time", "_field", "_value"])'
        )
        asked = {"query": query, "dialect": {"header": True, "annotations": []}}
        path = f"/api/v2/query?{urlencode({'org': self._org})}"
        return _rows(point, (await self._http.ask("POST", path, asked)).text)

    async def close(self) -> None:
        await self._http.close()


def _rows(point: str, answer: str) -> tuple[StoreRow, ...]:
    """Merge the fields of a query's answer to rows in time order."""
    fields: dict[str, dict[str, str]] = {}
    header: list[str] = []
    for record in csv.reader(io.StringIO(answer)):
        if "_time" in record:  # each table begins with its header
            header = record
        elif record:
            cells = dict(zip(header, record, strict=True))
            fields.setdefault(cells["_time"], {})[cells["_field"]] = cells["_value"]
    return tuple(
        sorted(
            stored_row(
                point,
                (datetime.fromisoformat(time) - _EPOCH) // _MILLISECOND,
                int(found["quality"]),
                found.get("value"),
                found.get("count"),
                found.get("count_text"),
            )
            for time, found in fields.items()
        )
    )


def stored_row(
    point: str,
    time_ms: int,
    quality: int,
    value: float | str | None,
    count: int | str | None,
    count_text: str | None,
) -> StoreRow:
    """Return a reading from the fields that an InfluxDB keeps of it."""
    if quality == 2 or value is None:  # fields of an earlier, good row at the same key stay in InfluxDB
        return StoreRow(point, time_ms, None, None, quality)
    exact: int | Decimal | None = None
    if count is not None:
        exact = int(count)
    elif count_text:
        exact = int(count_text) if count_text.lstrip("-").isdigit() else Decimal(count_text)
    return StoreRow(point, time_ms, exact, float(value), quality)


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MILLISECOND = timedelta(milliseconds=1)


def _flux(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'"{escaped}"'


def _flux_time(time_ms: int) -> str:
    return (_EPOCH + time_ms * _MILLISECOND).isoformat()
