"""InfluxDB 2 as a reading store.

Measurement ``reading``, tags ``meter`` and ``quantity``, precision milliseconds, fields:

=============== ======== ===========================================================
``quality``     integer  0 good, 1 uncertain, 2 bad
``value``       float    the reading in its point's unit; absent where it is bad
``count``       integer  what the register held, up to 64 bits signed
``count_text``  string   the same where an integer field cannot hold it exactly
=============== ======== ===========================================================

One line that the engine cannot parse refuses a whole request, and a field of another type or a time
outside the retention comes as 400, 422 or 500. So a refusal is known by its text, the request is halved
until the line stands alone, and the others are written.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import aiohttp
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.domain.dialect import Dialect
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.service.buckets_service import BucketsService

from collector.stores.base import Outcome, Rejection, StoreRow, split_writable
from core.errors import ConfigError, OutsideError, Unreachable
from core.timeline import Interval

_T = TypeVar("_T")

# An agent delivers registers for up to 90 days of outage; a shorter retention would refuse what comes late.
MIN_RETENTION_DAYS = 100

_LINES_PER_REQUEST = 5_000
_TIMEOUT_MS = 30_000
_PRECISION: Any = WritePrecision.MS  # the library calls its own type what is a text
_INT64 = range(-(2**63), 2**63)
_TAG_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})

# What InfluxDB says of lines that it will never take, whatever the status.
_LINE_REFUSALS = (
    "partial write",
    "unable to parse",
    "field type conflict",
    "retention policy",
    "time outside range",
    "max key size exceeded",
)


class _LineError(Exception):
    """The engine refuses at least one line of the request for good."""


class InfluxStore:
    """Readings in one bucket of an InfluxDB 2."""

    def __init__(self, *, url: str, org: str, bucket: str, token: str) -> None:
        self._url = url
        self._org = org
        self._bucket = bucket
        self._token = token
        self._client: InfluxDBClientAsync | None = None
        self._prefixes: dict[str, str] = {}

    @property
    def identity(self) -> str:
        return f"influxdb:{self._url}/{self._org}/{self._bucket}"

    async def open(self) -> None:
        buckets = BucketsService(self._opened().api_client)  # type: ignore[no-untyped-call]  # generated code
        request = buckets.get_buckets_async(name=self._bucket)  # type: ignore[no-untyped-call]  # generated
        found: Any = await self._ask(request)
        if not found.buckets:
            raise ConfigError(
                f"the InfluxDB has no bucket {self._bucket!r}",
                where=self._where,
                evidence="the token can see no bucket of this name",
                cause="the bucket was not made, or the token may not read it",
                next=f"influx bucket create --org {self._org} --name {self._bucket} --retention 0",
            )
        for rule in found.buckets[0].retention_rules:
            kept = timedelta(seconds=rule.every_seconds)
            if kept and kept < timedelta(days=MIN_RETENTION_DAYS):
                raise ConfigError(
                    f"the bucket {self._bucket!r} forgets readings before late ones can arrive",
                    where=self._where,
                    evidence=f"retention {kept}, at least {MIN_RETENTION_DAYS} days are needed",
                    cause="an agent may deliver after an outage of 90 days",
                    next=f"influx bucket update --id {found.buckets[0].id} --retention 0",
                )

    async def write(self, rows: Sequence[StoreRow]) -> Outcome:
        writable, rejected = split_writable(rows)
        lines: list[tuple[StoreRow, str]] = []
        for row in writable:
            line = self._line(row)
            if line is None:
                rejected.append(Rejection(row, "line protocol cannot express the name of this point"))
            else:
                lines.append((row, line))
        for start in range(0, len(lines), _LINES_PER_REQUEST):
            rejected += await self._write(lines[start : start + _LINES_PER_REQUEST])
        return Outcome(accepted=len(rows) - len(rejected), rejected=tuple(rejected))

    async def read(self, point: str, interval: Interval) -> tuple[StoreRow, ...]:
        meter, _, quantity = point.partition(".")
        query = (
            f"from(bucket: {_flux(self._bucket)})"
            f" |> range(start: {_flux_time(interval.start_ms)}, stop: {_flux_time(interval.end_ms)})"
            f' |> filter(fn: (r) => r._measurement == "reading"'
            f" and r.meter == {_flux(meter)} and r.quantity == {_flux(quantity)})"
            ' |> keep(columns: ["_time", "_field", "_value"])'
        )
        dialect = Dialect(header=True, annotations=[])  # type: ignore[no-untyped-call]  # generated code
        answer = await self._ask(self._opened().query_api().query_raw(query, dialect=dialect))
        return _rows(point, answer)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()  # type: ignore[no-untyped-call]  # the library leaves it untyped
            self._client = None

    @property
    def _where(self) -> str:
        return f"{self._url} org {self._org} bucket {self._bucket}"

    def _opened(self) -> InfluxDBClientAsync:
        if self._client is None:
            self._client = InfluxDBClientAsync(
                url=self._url, token=self._token, org=self._org, timeout=_TIMEOUT_MS, enable_gzip=True
            )
        return self._client

    async def _write(self, lines: list[tuple[StoreRow, str]]) -> list[Rejection]:
        """Write lines, halving what is refused until each refused line stands alone."""
        body = "\n".join([line for _, line in lines])
        request = self._opened().write_api().write(self._bucket, record=body, write_precision=_PRECISION)
        try:
            await self._ask(request)
        except _LineError as refusal:
            if len(lines) == 1:
                return [Rejection(lines[0][0], str(refusal))]
            middle = len(lines) // 2
            return await self._write(lines[:middle]) + await self._write(lines[middle:])
        return []

    async def _ask(self, request: Awaitable[_T]) -> _T:
        """Await a request; the one place where foreign exceptions become our own."""
        try:
            return await request
        except InfluxDBError as error:
            raise self._refusal(error) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(
                "the InfluxDB does not answer",
                where=self._where,
                evidence=f"{type(error).__name__}: {error}",
                cause="it is stopped, overloaded, or the address is wrong",
                next=f"curl -sS {self._url}/health",
            ) from error

    def _refusal(self, error: InfluxDBError) -> Exception:
        status = getattr(error, "status", None)
        text = str(error.message)
        if status == 413 or any(known in text for known in _LINE_REFUSALS):
            return _LineError(f"{status} {text}")
        evidence = f"HTTP {status}: {text}"
        if status == 429 or status is None or status >= 500:
            return Unreachable(
                "the InfluxDB cannot take readings now",
                where=self._where,
                evidence=evidence,
                cause="it is overloaded, starting or out of disk",
                next=f"curl -sS {self._url}/health",
            )
        return OutsideError(
            "the InfluxDB refuses the request",
            where=self._where,
            evidence=evidence,
            cause="the token may not do this, or the bucket or the organisation is gone",
            next="look at the token in token_file and at `influx bucket list`",
        )

    def _line(self, row: StoreRow) -> str | None:
        point, time_ms, count, value, quality = row
        prefix = self._prefixes.get(point) or self._prefix(point)
        if not prefix:
            return None
        fields = f"quality={quality}i"
        if value is not None:
            fields += f",value={value!r}"
        if count is not None:
            whole = isinstance(count, int) and count in _INT64
            fields += f",count={count}i" if whole else f',count_text="{count}"'
        return f"{prefix}{fields} {time_ms}"

    def _prefix(self, point: str) -> str:
        """Return measurement and tags of a point; empty when they cannot be written."""
        meter, _, quantity = point.partition(".")
        if not meter or not quantity or not point.isprintable() or point.endswith("\\"):
            return ""
        tags = f"meter={meter.translate(_TAG_ESCAPES)},quantity={quantity.translate(_TAG_ESCAPES)}"
        self._prefixes[point] = f"reading,{tags} "
        return self._prefixes[point]


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
    return tuple(sorted(_row(point, time, found) for time, found in fields.items()))


def _row(point: str, time: str, fields: dict[str, str]) -> StoreRow:
    time_ms = (datetime.fromisoformat(time) - _EPOCH) // _MILLISECOND
    quality = int(fields["quality"])
    if quality == 2:  # fields of an earlier, good row at the same key stay in InfluxDB
        return StoreRow(point, time_ms, None, None, quality)
    count: int | Decimal | None = None
    if "count" in fields:
        count = int(fields["count"])
    elif text := fields.get("count_text"):
        count = int(text) if text.lstrip("-").isdigit() else Decimal(text)
    return StoreRow(point, time_ms, count, float(fields["value"]), quality)


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MILLISECOND = timedelta(milliseconds=1)


def _flux(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'"{escaped}"'


def _flux_time(time_ms: int) -> str:
    return (_EPOCH + time_ms * _MILLISECOND).isoformat()
