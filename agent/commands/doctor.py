"""`seiren agent doctor`: is energy safe, until when, and what is to be done?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.options import Form
from agent.commands.status import Running
from agent.health.ask import gather
from agent.health.diagnosis import diagnose
from agent.health.render_doctor import lines
from config.loading import load_agent
from core.runtime.clock import WallClock


def doctor(
    config: Running = Path("agent.yaml"),
    form: Annotated[Form, typer.Option("--format", help="For people, or as JSON.")] = Form.TABLE,
) -> None:
    """Say whether energy is safe, until when, and what to do about each fault.

    Looks only: at the running agent, the clock, the disk, the broker's port and the certificates.

    Exit codes: 0 no fault, 1 a fault, 2 the configuration is wrong, 3 the agent could not be asked.
    """
    settings = load_agent(config)
    evidence = gather(settings, str(config), now_ms=WallClock().now_ms())
    diagnosis = diagnose(evidence)
    if form is Form.JSON:
        facts = evidence.facts.model_dump(mode="json") if evidence.facts is not None else None
        told = {**asdict(diagnosis), "exit_code": diagnosis.exit_code, "facts": facts}
        typer.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        for line in lines(diagnosis):
            typer.echo(line)
    if diagnosis.exit_code:
        raise typer.Exit(diagnosis.exit_code)
