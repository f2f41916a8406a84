"""A loopback endpoint on which a program tells how it fares: GET of a few pages, and nothing else.

It is served in the program's own event loop, to this machine only. Requests are judged strictly: what is
longer than a few lines, slower than a few seconds, or names another host (a browser that was led here) is
refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import logging
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

LOOPBACK: Final = "127.0.0.1"
MOST_BYTES: Final = 4096
"""Longest request [bytes]."""
MOST_AT_ONCE: Final = 8
"""Most connections at a time [1]."""
WITHIN_S: Final = 5.0
"""Longest time for a request, and for taking the reply [s]."""
ANSWER_WITHIN_S: Final = 10.0
"""How long whoever asks waits [s]."""

_LOG = logging.getLogger(__name__)
_REQUEST = re.compile(rb"([A-Z]+) (/[!-~]*) HTTP/1\.[01]\r\n((?:[!-9;-~]+:[\t -~\x80-\xff]*\r\n)*)\r\n")
_HOST = re.compile(rb"^host:[\t ]*(127\.0\.0\.1|localhost)(:\d{1,5})?[\t ]*\r?$", re.I | re.M)

JSON: Final = "application/json"
Page = Callable[[], Awaitable[tuple[str, bytes]]]
"""Makes a page: its content type and its body."""


@asynccontextmanager
async def serve_pages(port: int, pages: Mapping[str, Page], *, who: str) -> AsyncIterator[None]:
    """Answer GET for each of the pages on a loopback port, or go on without it where it is taken.

    Parameters
    ----------
    port
        TCP port of the loopback interface.
    pages
        Path, such as ``/status`` → what makes its content type and body when it is asked for.
    who
        Who would be asked, for the log: ``agent``.
    """
    endpoint = _Endpoint(pages)
    try:
        server = await asyncio.start_server(endpoint.serve, LOOPBACK, port, limit=MOST_BYTES)
    except OSError as error:
        _LOG.warning(
            "nobody can ask this %s how it fares; it goes on all the same",
            who,
            extra={
                "where": f"{LOOPBACK}:{port}",
                "seen": os.strerror(error.errno) if error.errno and error.errno > 0 else str(error),
                "cause": f"another {who} or program has this port",
                "next": f"give this {who} another metrics_port, or null",
            },
        )
        yield
        return
    try:
        yield
    finally:
        server.close()
        await endpoint.close()


def ask_page(port: int, path: str) -> bytes:
    """Return a page of a program on this machine.

    Raises
    ------
    OSError, http.client.HTTPException
        Nobody answers there, or nobody who speaks HTTP.
    """
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=ANSWER_WITHIN_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


class _Endpoint:
    """Answers one request for each connection."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        self._pages = {path.encode(): page for path, page in pages.items()}
        self._serving: set[asyncio.Task[object]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        if task is None or len(self._serving) >= MOST_AT_ONCE:
            writer.transport.abort()
            return
        self._serving.add(task)
        try:
            async with asyncio.timeout(WITHIN_S):
                writer.write(await self._reply(await _read(reader)))
                await writer.drain()
        except (TimeoutError, ConnectionError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._serving.discard(task)
            writer.close()

    async def close(self) -> None:
        """End what is being served."""
        serving = tuple(self._serving)
        for task in serving:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*serving, return_exceptions=True)

    async def _reply(self, request: bytes | None) -> bytes:
        whole = None if request is None else _REQUEST.fullmatch(request)
        if whole is None:
            return _answer(HTTPStatus.BAD_REQUEST, "this is no request\n")
        method, path, headers = whole.groups()
        if method != b"GET":
            return _answer(HTTPStatus.METHOD_NOT_ALLOWED, "only GET\n", Allow="GET")
        if _HOST.search(headers) is None and b"host:" in headers.lower():
            return _answer(HTTPStatus.FORBIDDEN, "only for this machine\n")
        page = self._pages.get(path)
        if page is None:
            return _answer(HTTPStatus.NOT_FOUND, b" or ".join(self._pages) + b"\n")
        type, body = await page()
        return _answer(HTTPStatus.OK, body, type=type)


async def _read(reader: asyncio.StreamReader) -> bytes | None:
    """A request up to the empty line; None where it is too long or ends before."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None


def _answer(
    status: HTTPStatus, body: bytes | str, *, type: str = "text/plain; charset=utf-8", **more: str
) -> bytes:
    content = body.encode() if isinstance(body, str) else body
    headers = {
        "Content-Type": type,
        "Content-Length": str(len(content)),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
        **more,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{head}\r\n".encode() + content
