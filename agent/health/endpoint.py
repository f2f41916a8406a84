"""The agent's loopback endpoint: GET /metrics and GET /status, and nothing else.

It is served in the agent's own event loop, to this machine only. Requests are judged strictly: what is longer
than a few lines, slower than a few seconds, or names another host (a browser that was led here) is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from agent.board import Board
from agent.health.facts import Facts
from agent.health.metrics import CONTENT_TYPE, metrics_text
from agent.health.status import Status
from agent.readings import Source
from agent.sockets import reason
from agent.spool import Spool
from agent.uplink import Uplink
from config.agent import AgentConfig

LOOPBACK: Final = "127.0.0.1"
MOST_BYTES: Final = 4096
"""Longest request [bytes]."""
MOST_AT_ONCE: Final = 8
"""Most connections at a time [1]."""
WITHIN_S: Final = 5.0
"""Longest time for a request, and for taking the reply [s]."""

_LOG = logging.getLogger(__name__)
_REQUEST = re.compile(rb"([A-Z]+) (/[!-~]*) HTTP/1\.[01]\r\n((?:[!-9;-~]+:[\t -~\x80-\xff]*\r\n)*)\r\n")
_HOST = re.compile(rb"^host:[\t ]*(127\.0\.0\.1|localhost)(:\d{1,5})?[\t ]*\r?$", re.I | re.M)

Tell = Callable[[], Awaitable[Facts]]


@asynccontextmanager
async def serve_status(
    config: AgentConfig,
    *,
    board: Board,
    sources: Mapping[str, Source],
    spool: Spool,
    uplink: Uplink,
    now_ms: Callable[[], int],
) -> AsyncIterator[None]:
    """Tell how the agent fares on its loopback port, as long as the context lasts.

    Where the configuration has no port, or it is taken, the agent goes on without.

    Parameters
    ----------
    config
        The agent's configuration.
    board, sources, spool, uplink
        The agent's parts, which are only looked at.
    now_ms
        The clock that readings carry [ms since 1970 UTC].
    """
    if config.metrics_port is None:
        yield
        return
    status = Status(config, board=board, sources=sources, spool=spool, uplink=uplink, now_ms=now_ms)
    async with serve_facts(config.metrics_port, status.facts):
        yield


@asynccontextmanager
async def serve_facts(port: int, tell: Tell) -> AsyncIterator[None]:
    """Answer questions about facts on a loopback port, or go on without it where it is taken."""
    endpoint = _Endpoint(tell)
    try:
        server = await asyncio.start_server(endpoint.serve, LOOPBACK, port, limit=MOST_BYTES)
    except OSError as error:
        _LOG.warning(
            "nobody can ask this agent how it fares; it goes on all the same",
            extra={
                "where": f"{LOOPBACK}:{port}",
                "seen": reason(error),
                "cause": "another agent or program has this port",
                "next": "give this agent another metrics_port, or null",
            },
        )
        yield
        return
    try:
        yield
    finally:
        server.close()
        await endpoint.close()


class _Endpoint:
    """Answers one request for each connection."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
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
        match path:
            case b"/status":
                facts = await self._tell()
                return _answer(HTTPStatus.OK, facts.model_dump_json(), type="application/json")
            case b"/metrics":
                text = await asyncio.to_thread(metrics_text, await self._tell())  # lets the polling go on
                return _answer(HTTPStatus.OK, text, type=CONTENT_TYPE)
        return _answer(HTTPStatus.NOT_FOUND, "/metrics or /status\n")


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
