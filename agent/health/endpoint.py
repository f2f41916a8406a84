"""What the agent tells on its loopback port: its facts as JSON, and as Prometheus' text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from agent.board import Board
from agent.health.facts import Facts
from agent.health.metrics import families
from agent.health.status import Status
from agent.readings import Source
from agent.spool import Spool
from agent.uplink import Uplink
from config.agent import AgentConfig
from core.runtime.endpoint import JSON, serve_pages
from core.runtime.exposition import CONTENT_TYPE, text_of

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

    async def status() -> tuple[str, bytes]:
        return JSON, (await tell()).model_dump_json().encode()

    async def metrics() -> tuple[str, bytes]:
        facts = await tell()
        return CONTENT_TYPE, await asyncio.to_thread(text_of, families(facts))  # lets the polling go on

    async with serve_pages(port, {"/metrics": metrics, "/status": status}, who="agent"):
        yield
