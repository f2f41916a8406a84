"""Whether the agent of a configuration is at work: two masters on one line disturb each other."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

from agent.spool.files import Lock
from config.agent import AgentConfig
from core.errors import OutsideError, UsageError

_PATIENCE_S = 1.0


async def refuse_beside_agent(config: AgentConfig, command: str) -> None:
    """Raise if the agent runs.

    Parameters
    ----------
    config
        Its configuration.
    command
        What the person has typed, to be said again.

    Raises
    ------
    UsageError
        If it answers on its loopback port, or its spool is in use.
    """
    evidence = await _answers(config) or _holds_spool(config)
    if evidence:
        raise UsageError(
            f"The agent {config.agent} is running, and two masters on one line disturb each other",
            evidence=evidence,
            cause="requests of both would meet: replies are lost, and this probe would measure that",
            next=f"stop the agent (systemctl stop seiren-agent), or: {command} --while-running",
        )


async def _answers(config: AgentConfig) -> str:
    if config.metrics_port is None:
        return ""
    with suppress(OSError, TimeoutError, ValueError):
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", config.metrics_port)
            try:
                writer.write(b"GET /status HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
                reply = await reader.read(-1)
            finally:
                writer.close()
        facts = json.loads(reply.partition(b"\r\n\r\n")[2])
        if isinstance(facts, dict) and facts.get("agent") == config.agent:
            return f"it answers on 127.0.0.1:{config.metrics_port}"
    return ""


def _holds_spool(config: AgentConfig) -> str:
    path = config.spool / "lock"
    if not path.exists():
        return ""
    try:
        Lock(path).release()
    except OutsideError:
        return f"its spool {config.spool} is in use"
    except OSError:
        return ""
    return ""
