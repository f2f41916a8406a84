"""`seiren agent check`: is the configuration right, and does everything in it answer?"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import typer

from agent.broker import reach_broker
from agent.check import Report, check_connections, lines, summary
from agent.commands.options import Config, Form
from config.loading import load_agent
from core.errors import SeirenError
from core.runtime.clock import WallClock
from core.runtime.logs import start_logging


def check(
    config: Config,
    connect: Annotated[
        bool, typer.Option("--connect", help="Also read each device once and reach the broker.")
    ] = False,
    form: Annotated[Form, typer.Option("--format", help="For people, or as JSON.")] = Form.TABLE,
) -> None:
    """Check a configuration; with --connect also its devices and its broker.

    Exit codes: 0 good, 1 a point has no value, 2 the configuration is wrong, 3 a device or broker is silent.
    """
    settings = load_agent(config)
    if not connect:
        typer.echo(
            json.dumps({"agent": settings.agent, "good": True}) if form is Form.JSON else summary(settings)
        )
        return
    start_logging()
    broker = partial(reach_broker, settings.broker.host, settings.broker.port)
    report = asyncio.run(check_connections(settings, now_ms=WallClock().now_ms, reach_broker=broker))
    if form is Form.JSON:
        typer.echo(json.dumps(asdict(report), default=_plain, ensure_ascii=False, indent=2))
    else:
        typer.echo(summary(settings))
        for line in lines(report):
            typer.echo(line)
        typer.echo(_verdict(report))
    if code := report.exit_code:
        raise typer.Exit(code)


def _verdict(report: Report) -> str:
    if report.silent:
        return f"{report.silent} of {len(report.devices) + 1} do not answer (exit 3)"
    if report.without_value:
        return f"all answer; {report.without_value} points have no value (exit 1)"
    return f"all {len(report.devices)} devices and the broker answer"


def _plain(value: object) -> Any:
    if isinstance(value, SeirenError):
        return {"what": value.what, "where": value.where, "seen": value.evidence, "next": value.next}
    return str(value)
