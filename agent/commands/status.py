"""`seiren agent status`: what the running agent tells of itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.options import Form
from agent.health.ask import ask
from agent.health.render_status import is_good, lines
from agent.health.spool_look import look
from config.agent import AgentConfig
from config.loading import load_agent
from core.runtime.words import folded, stamp

Running = Annotated[Path, typer.Argument(metavar="[CONFIG]", help="The agent's configuration.")]

NOT_TOLD = {
    "not_running": "the agent {agent} is not running",
    "silent": "the agent {agent} runs, and does not answer on port {port}",
    "switched_off": "the agent {agent} runs, and tells nothing: metrics_port is off",
    "somebody_else": "port {port} is answered by somebody else, not by {agent}",
}
"""Why there is no answer."""


def status(
    config: Running = Path("agent.yaml"),
    form: Annotated[Form, typer.Option("--format", help="For people, or as JSON.")] = Form.TABLE,
) -> None:
    """Show what the running agent tells of itself.

    Exit codes: 0 good, 1 a device, the broker or a ledger is silent, 3 the agent does not answer.
    """
    settings = load_agent(config)
    answer, facts = ask(settings)
    if facts is None:
        for line in absent(settings, config, answer):
            typer.echo(line, err=form is Form.JSON)
        raise typer.Exit(3)
    if form is Form.JSON:
        typer.echo(facts.model_dump_json(indent=2))
    else:
        for line in lines(facts):
            typer.echo(line)
    if not is_good(facts):
        raise typer.Exit(1)


def absent(settings: AgentConfig, path: Path, answer: str) -> Iterator[str]:
    """Yield why there is no answer, what to do, and what the spool holds."""
    what = NOT_TOLD[answer].format(agent=settings.agent, port=settings.metrics_port)
    yield from folded("FAULT", what)
    if answer == "not_running":
        yield from folded(" do", f"systemctl status seiren-agent, or start it: seiren agent run {path}")
    else:
        yield from folded(" do", f"see its log, and metrics_port in {path}")
    held = look(settings.spool, settings.agent)
    if held.problem:
        yield from folded(" spool", f"{held.path}: {held.problem}")
        return
    newest = "" if held.newest_ms is None else f", the newest of {stamp(held.newest_ms, settings.time_zone)}"
    yield from folded(
        " spool", f"at most {held.readings:,} readings in {held.frames:,} frames wait on the disk{newest}"
    )
