"""`seiren agent check`: is the configuration right, and does everything in it answer?"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.broker import reach_broker
from agent.check import Report, check_connections, lines, ratio, summary
from agent.commands.options import Form
from agent.profile_report import profile_report
from agent.setup.findings import Findings, find_in_agent, find_in_profile, finding_lines
from config.agent import AgentConfig
from config.profile_facts import to_know
from core.errors import SeirenError, UsageError
from core.runtime.clock import WallClock
from core.runtime.logs import start_logging
from core.runtime.words import counted


def check(
    config: Annotated[
        Path | None, typer.Argument(metavar="CONFIG", help="The agent's configuration, agent.yaml.")
    ] = None,
    profile: Annotated[
        Path | None, typer.Option("--profile", help="Check a profile of your own instead.")
    ] = None,
    connect: Annotated[
        bool, typer.Option("--connect", help="Also read each device once and reach the broker.")
    ] = False,
    form: Annotated[Form, typer.Option("--format", help="For people, or as JSON.")] = Form.TABLE,
) -> None:
    """Check a configuration, or a profile; with --connect also its devices and its broker.

    Exit codes: 0 good, 1 a point has no value, 2 the file is wrong, 3 a device or broker is silent.
    """
    if (config is None) == (profile is None):
        raise UsageError(
            "Which file is to be checked?",
            evidence="none" if config is None else "both CONFIG and --profile",
            next="seiren agent check agent.yaml, or seiren agent check --profile meter.yaml",
        )
    if profile is not None:
        if connect:
            raise UsageError(
                "A profile has no address to connect to.", next="seiren agent check agent.yaml --connect"
            )
        _check_profile(profile, form)
    elif config is not None:
        _check_agent(config, form, connect=connect)


def _check_agent(path: Path, form: Form, *, connect: bool) -> None:
    found = find_in_agent(path)
    settings = found.document
    if settings is None:
        _print(found, form, "", {"agent": None, "devices": []})
        raise typer.Exit(2)
    if not connect:
        _print(found, form, summary(settings), {"agent": settings.agent, "devices": _described(settings)})
        return
    start_logging()
    broker = partial(reach_broker, settings.broker.host, settings.broker.port, settings.broker.security)
    report = asyncio.run(check_connections(settings, now_ms=WallClock().now_ms, reach_broker=broker))
    _print(found, form, summary(settings), {"agent": settings.agent, **asdict(report)})
    if form is Form.TABLE:
        for line in lines(report):
            typer.echo(line)
        typer.echo(_verdict(report))
    if code := report.exit_code:
        raise typer.Exit(code)


def _check_profile(path: Path, form: Form) -> None:
    found = find_in_profile(path)
    profile = found.document
    if profile is None:
        _print(found, form, "", {"profile": None})
        raise typer.Exit(2)
    _print(
        found, form, "\n".join(profile_report(path)), {"profile": profile.id, "to_know": [*to_know(profile)]}
    )


def _print(found: Findings[Any], form: Form, verdict: str, facts: dict[str, Any]) -> None:
    if form is Form.JSON:
        told = found.as_dict() | facts
        typer.echo(json.dumps(told, default=_plain, ensure_ascii=False, indent=2))
    else:
        for line in finding_lines(found, verdict):
            typer.echo(line)


def _described(config: AgentConfig) -> list[dict[str, str]]:
    return [
        {
            "device": device.id,
            "peer": config.where(device),
            "profile": device.profile or "",
            "ratio": ratio(device),
        }
        for device in config.devices
    ]


def _verdict(report: Report) -> str:
    if report.silent:
        return f"{report.silent} of {len(report.devices) + 1} do not answer (exit 3)"
    if report.without_value:
        return f"all answer; {report.without_value} points have no value (exit 1)"
    return f"{counted(len(report.devices), 'device')} and the broker: all answer"


def _plain(value: object) -> Any:
    if isinstance(value, SeirenError):
        return {
            "what": value.what,
            "where": value.where,
            "seen": value.evidence,
            "cause": value.cause,
            "next": value.next,
        }
    return str(value)
