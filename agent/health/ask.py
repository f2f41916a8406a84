"""Asking the running agent, and looking at everything that can be looked at from outside."""

from __future__ import annotations

import http.client
from collections.abc import Callable

from pydantic import ValidationError

from agent.health.certificates import certificates, secrets
from agent.health.clock_check import ClockState, read_clock
from agent.health.evidence import Answer, Evidence
from agent.health.facts import Facts
from agent.health.reach import Reach, free_bytes, holder, reach
from agent.health.spool_look import look
from config.agent import AgentConfig
from core.runtime.certificates import readable_by_others
from core.runtime.endpoint import ask_page


def ask(config: AgentConfig) -> tuple[Answer, Facts | None]:
    """Ask the agent how it fares; without an answer, return what is known of it."""
    held = holder(config.spool / "lock") is not None
    if config.metrics_port is None:
        return ("switched_off" if held else "not_running"), None
    try:
        facts = Facts.model_validate_json(ask_page(config.metrics_port, "/status"))
    except (OSError, http.client.HTTPException):
        return ("silent" if held else "not_running"), None
    except ValidationError:
        return "somebody_else", None
    if (facts.agent, facts.site) != (config.agent, config.site):
        return "somebody_else", None
    return "told", facts


def gather(
    config: AgentConfig,
    path: str,
    *,
    now_ms: int,
    clock: Callable[[], ClockState] = read_clock,
    reached: Callable[[str, int], Reach] = reach,
) -> Evidence:
    """Look at everything, and change nothing.

    Parameters
    ----------
    config, path
        The agent's configuration, and its file as people name it.
    now_ms
        Now [ms since 1970 UTC].
    clock, reached
        How the clock and the broker's port are looked at.
    """
    answer, facts = ask(config)
    broker = config.broker
    return Evidence(
        agent=config.agent,
        time_zone=config.time_zone.key,
        now_ms=now_ms,
        config=path,
        broker=f"{broker.host}:{broker.port}",
        metrics_port=config.metrics_port,
        answer=answer,
        facts=facts,
        reach=reached(broker.host, broker.port),
        clock=clock(),
        pid=holder(config.spool / "lock"),
        free_bytes=free_bytes(config.spool),
        look=look(config.spool, config.agent) if facts is None else None,
        certificates=certificates(config),
        exposed=tuple(
            (str(path), mode) for path in secrets(config).values() if (mode := readable_by_others(path))
        ),
    )
