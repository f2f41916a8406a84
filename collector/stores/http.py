"""Line protocol over HTTP: awaited writes, and what became of each line.

One line that an engine cannot take refuses a whole request, or leaves the good ones stored and says so in
words that may be wrong; and the same refusal comes as 400, 422 or 500. So a refusal is known by its text,
the request is halved until each refused line stands alone, and the others are written again.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import aiohttp

from collector.stores.base import Outcome, Rejection, Row, Rows, StoreRow
from collector.stores.lines import LineWriter
from core.errors import OutsideError, Unreachable

_LINES_PER_REQUEST = 5_000
_TIMEOUT_S = 30.0
_LONGEST_REST_S = 300.0
_FASTEST, _GZIP = 1, 31  # a quarter of the work of zlib's own choice, and as good on lines

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


@dataclass(frozen=True, slots=True)
class Words:
    """What people are told of an engine: its name, where it is, and what to look at."""

    engine: str
    where: str
    alive: str
    rights: str


class LineHttp:
    """One engine at one address.

    Parameters
    ----------
    url
        Address, without a path.
    write
        Path and query of a request that writes lines.
    headers
        Sent with each request; they carry the secret.
    words
        For errors.
    """

    def __init__(self, url: str, write: str, headers: Mapping[str, str], words: Words) -> None:
        self._url = url.rstrip("/")
        self.zips = self._url.startswith(
            "https:"
        )  # it leaves the house: a tenth of the bytes is worth the work
        self._write_path = write
        self._headers = headers
        self._words = words
        self._writer = LineWriter()
        self._session: aiohttp.ClientSession | None = None

    async def write(self, rows: Rows) -> Outcome:
        """Write rows; what was accepted is durable when this returns."""
        rejected: list[Rejection] = []
        for start in range(0, len(rows), _LINES_PER_REQUEST):
            try:
                rejected += await self._write(rows[start : start + _LINES_PER_REQUEST])
            except OutsideError as trouble:
                return Outcome(start - len(rejected), tuple(rejected), rows[start:], trouble)
        return Outcome(len(rows) - len(rejected), tuple(rejected))

    async def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """Return the answer to a request with a JSON body, or to one without.

        Raises
        ------
        Unreachable
            The engine does not answer, or is overloaded.
        OutsideError
            It refuses.
        """
        try:
            return await self._send(method, path, None if body is None else json.dumps(body).encode(), {})
        except _LineError as refusal:
            raise self._refused(str(refusal)) from refusal

    async def ask_json(self, path: str) -> dict[str, Any]:
        """Return the JSON object that answers a GET.

        Raises
        ------
        Unreachable
            The engine does not answer, or is overloaded.
        OutsideError
            It refuses, or answers something else.
        """
        answer = await self.ask("GET", path)
        try:
            told = json.loads(answer.text)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise OutsideError(
                f"what answers is no {self._words.engine}",
                where=self._words.where,
                evidence=repr(answer.text[:80]),
                cause="another program listens there, or a proxy answers in its place",
                next=self._words.alive,
            )
        return told

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _write(self, rows: Rows) -> list[Rejection]:
        if not rows:
            return []
        lines = self._writer.lines(rows)
        if "" not in lines:
            return await self._halve(rows, lines)
        pairs = list(zip(cast(Sequence[Row], rows), lines, strict=True))
        rejected = [Rejection(row, _why_no_line(row)) for row, line in pairs if not line]
        some = [row for row, line in pairs if line]
        if some:
            rejected += await self._halve(cast(Rows, some), [line for line in lines if line])
        return rejected

    async def _halve(self, rows: Rows, lines: Sequence[str]) -> list[Rejection]:
        """Write lines, halving what is refused until each refused line stands alone."""
        body, headers = "\n".join(lines).encode(), {}
        if self.zips:
            zipped = zlib.compressobj(_FASTEST, wbits=_GZIP)
            body, headers = zipped.compress(body) + zipped.flush(), {"Content-Encoding": "gzip"}
        try:
            await self._send("POST", self._write_path, body, headers)
        except _LineError as refusal:
            if len(rows) == 1:
                return [Rejection(rows[0], str(refusal))]
            middle = len(rows) // 2
            first = await self._halve(rows[:middle], lines[:middle])
            return first + await self._halve(rows[middle:], lines[middle:])
        return []

    async def _send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Send a request; the one place where foreign exceptions become our own."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        try:
            request = self._session.request(method, self._url + path, data=body, headers=headers)
            async with request as response:
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(
                f"the {self._words.engine} does not answer",
                where=self._words.where,
                evidence=f"{type(error).__name__}: {error}",
                cause="it is stopped, overloaded, or the address is wrong",
                next=self._words.alive,
            ) from error
        if response.status >= 300:
            raise self._refusal(response.status, _message(text), response.headers.get("Retry-After", ""))
        return Answer(text, response.headers)

    def _refusal(self, status: int, text: str, retry_after: str) -> Exception:
        if status == 413 or any(known in text for known in _LINE_REFUSALS):
            return _LineError(f"HTTP {status}: {text}")
        evidence = f"HTTP {status}: {text}"
        if status == 429 or status >= 500:
            away = Unreachable(
                f"the {self._words.engine} cannot take readings now",
                where=self._words.where,
                evidence=evidence,
                cause="it is overloaded, starting or out of disk",
                next=self._words.alive,
            )
            if retry_after.isdigit():
                away.retry_after_s = min(float(retry_after), _LONGEST_REST_S)
            return away
        return self._refused(evidence)

    def _refused(self, evidence: str) -> OutsideError:
        return OutsideError(
            f"the {self._words.engine} refuses the request",
            where=self._words.where,
            evidence=evidence,
            cause="the secret may not do this, or what it should write to is gone",
            next=self._words.rights,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply's text and headers."""

    text: str
    headers: Mapping[str, str]


def _message(text: str) -> str:
    """Return what a refusal says: 2.x calls it ``message``, 1.x ``error``."""
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    if isinstance(told, dict):
        text = str(told.get("message") or told.get("error") or text)
    return text.strip()[:500]


def _why_no_line(row: Row) -> str:
    if isinstance(row, StoreRow) and row.value is not None and not math.isfinite(row.value):
        return f"the value {row.value} is not finite"
    return "line protocol cannot express the name of this point"
