"""InfluxDB 2 as a reading store: one bucket, written by line protocol and read by Flux."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime, timedelta
from urllib.parse import urlencode

from collector.stores.base import StoreRow
from collector.stores.http import LineHttp, Words
from collector.stores.line_store import LineStore, stored_row
from core.errors import ConfigError, OutsideError
from core.timeline import Interval


class InfluxStore(LineStore):
    """Readings in one bucket of an InfluxDB 2."""

    def __init__(self, *, url: str, org: str, bucket: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._org = org
        self._bucket = bucket
        where = f"{self._url} org {org} bucket {bucket}"
        http = LineHttp(
            url,
            f"/api/v2/write?{urlencode({'org': org, 'bucket': bucket, 'precision': 'ms'})}",
            {"Authorization": f"Token {token}"},
            Words(
                engine="InfluxDB",
                where=where,
                alive=f"curl -sS {self._url}/health",
                rights="look at the token in token_file and at `influx bucket list`",
            ),
        )
        super().__init__(http, where)

    @property
    def identity(self) -> str:
        return f"influxdb:{self._url}/{self._org}/{self._bucket}"

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
        self._keeps(
            min((each for each in kept if each), default=None),
            f"the bucket {self._bucket!r}",
            f"influx bucket update --id {found[0]['id']} --retention 0",
        )

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


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MILLISECOND = timedelta(milliseconds=1)


def _flux(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'"{escaped}"'


def _flux_time(time_ms: int) -> str:
    return (_EPOCH + time_ms * _MILLISECOND).isoformat()
