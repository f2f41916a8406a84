"""`seiren agent probe`: what does one device really say, and is it read right?"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Final

import typer

from agent.commands.options import Form
from agent.tools.display import Display
from agent.tools.evidence import evidence, keep, said
from agent.tools.places import Places
from agent.tools.probe import Examined, Silent, chosen, examine
from agent.tools.render import head, silent, table, tail
from agent.tools.report import Report, as_facts, report
from agent.tools.running import refuse_beside_agent
from config.agent import AgentConfig
from config.loading import load_agent
from core.errors import UsageError
from core.runtime.clock import WallClock


def probe(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="Id of the device in the configuration.")],
    config: Annotated[Path, typer.Option(help="The agent's configuration.")] = Path("agent.yaml"),
    display: Annotated[
        str | None, typer.Option(metavar="KWH", help="What the meter's own display shows [kWh].")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0, max=600, help="Between the two readings [s]; 0 reads once.")
    ] = 5,
    while_running: Annotated[
        bool, typer.Option("--while-running", help="Probe although the agent of this configuration runs.")
    ] = False,
    form: Annotated[Form, typer.Option("--format", help="For people, or as JSON.")] = Form.TABLE,
) -> None:
    """Read everything of one device, and say what is wrong with the way it is read.

    Exit codes: 0 all good, 1 a mistake was found, 2 wrong use, 3 the device is silent.
    """
    settings = load_agent(config)
    chosen_device = chosen(settings, device)
    places = Places(config, chosen_device)
    shown = None if display is None else _display(display)
    if not while_running:
        asyncio.run(refuse_beside_agent(settings, f"seiren agent probe {device}"))
    now_ms = WallClock().now_ms
    found = asyncio.run(examine(settings, chosen_device, seconds=seconds, now_ms=now_ms, pause=asyncio.sleep))
    if isinstance(found, Silent):
        _say_silent(found, form)
        raise typer.Exit(3)
    asked = shown is None and form is Form.TABLE and _at_terminal() and found.case.energy is not None
    result = report(found, shown, places)
    if form is Form.TABLE:
        _say(head(result))
        _say(table(result))
    if asked and (shown := _ask()) is not None:
        result = _again(result, found, shown, places)
    kept = ""
    if shown is not None:
        kept = _keep(config, settings, result, shown, now_ms())
    if form is Form.JSON:
        typer.echo(json.dumps(as_facts(result), ensure_ascii=False, indent=2))
    else:
        _say(tail(result, kept))
    if result.exit_code:
        raise typer.Exit(result.exit_code)


def _again(before: Report, found: Examined, shown: Display, places: Places) -> Report:
    """Diagnose with the display; where that changes the reading, the table is shown anew."""
    result = report(found, shown, places)
    if result.diagnosis.world != before.diagnosis.world:
        _say(table(result))
    return result


def _keep(config: Path, settings: AgentConfig, result: Report, shown: Display, time_ms: int) -> str:
    keep(config.resolve().parent, evidence(result, shown, time_ms))
    return said(shown, time_ms, settings.time_zone)


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def _ask() -> Display | None:
    typed = typer.prompt(" display of the meter [kWh], empty to skip", default="", show_default=False)
    return _display(typed) if typed.strip() else None


_THOUSANDS: Final = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?")


def _display(text: str) -> Display:
    plain = "".join(text.split())
    if _THOUSANDS.fullmatch(plain):  # 8,412,337.1; in 8412337,1 the comma may be a decimal point
        plain = plain.replace(",", "")
    try:
        number = Decimal(plain)
    except InvalidOperation:
        number = Decimal(-1)
    if not number.is_finite() or number < 0:
        raise UsageError(
            "The display's figure is no number of kWh",
            evidence=text,
            next="type it as the meter shows it, such as 8412337.1",
        )
    return Display(number)


def _say_silent(found: Silent, form: Form) -> None:
    if form is Form.TABLE:
        _say(silent(found))
        return
    fault = found.fault
    told = {"what": fault.what, "where": fault.where, "seen": fault.evidence, "cause": fault.cause}
    facts = {"device": found.device.id, "where": found.where, "fault": {**told, "next": fault.next}}
    typer.echo(json.dumps({**facts, "others": dict(found.others), "exit": 3}, ensure_ascii=False, indent=2))


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)
