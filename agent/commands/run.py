"""`seiren agent run`: read the devices on schedule until told to stop."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from agent.commands.options import Config
from agent.service import serve
from config.loading import load_agent
from core.runtime.clock import open_clock
from core.runtime.logs import start_logging
from core.runtime.loops import loop_factory
from core.runtime.steady import SteadyClock


class LogForm(StrEnum):
    """How logs are written."""

    HUMAN = "human"
    JSON = "json"


def run(
    config: Config,
    clock: Annotated[
        str | None,
        typer.Option(help="Take time from a conductor: stepped:HOST:PORT. Default: the wall clock."),
    ] = None,
    log: Annotated[LogForm, typer.Option(help="Logs for people, or as JSON lines.")] = LogForm.HUMAN,
) -> None:
    """Read the devices on schedule until told to stop (SIGTERM or Ctrl-C)."""
    start_logging(log.value)
    settings = load_agent(config)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        steady = SteadyClock(wait_for_sync=settings.clock.wait_for_sync) if clock is None else None
        runner.run(serve(settings, steady or open_clock(clock, settings.agent)))
