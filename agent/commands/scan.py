"""`seiren agent scan`: who answers on a gateway or a line?"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Annotated

import typer

from agent.commands.options import Form
from agent.tools.scan import parse_units
from agent.tools.scan import scan as ask_all
from agent.tools.scan_report import exit_code, facts, lines
from config.links import Framing, Gateway, ModbusLink, Parity
from config.profile import load_profile, profile_ids
from core.errors import UsageError
from core.runtime.clock import WallClock


def scan(
    units: Annotated[str, typer.Option(metavar="RANGE", help="Units to ask, such as 1-32 or 1,3,7-9.")],
    host: Annotated[
        str | None, typer.Argument(metavar="[HOST[:PORT]]", help="Meter or gateway; port 502 by default.")
    ] = None,
    serial: Annotated[
        str | None, typer.Option(metavar="PATH", help="Instead: a serial line, by its name in by-id.")
    ] = None,
    baud: Annotated[int, typer.Option(help="Of the serial line [bit/s].")] = 9600,
    parity: Annotated[Parity, typer.Option(help="Of the serial line.")] = "even",
    stop_bits: Annotated[int, typer.Option(min=1, max=2, help="Of the serial line.")] = 1,
    framing: Annotated[Framing | None, typer.Option(help="rtu: RTU frames over TCP.")] = None,
    form: Annotated[Form, typer.Option("--format", help="For people, or as JSON.")] = Form.TABLE,
) -> None:
    """Ask a range of units who they are, one after the other.

    Exit codes: 0 all that answer are named, 1 one is not, 2 wrong use, 3 nobody answers.
    """
    link = _link(host, serial, baud, parity, stop_bits, framing)
    result = asyncio.run(
        ask_all(
            link,
            parse_units(units),
            [load_profile(name) for name in profile_ids()],
            now_ms=WallClock().now_ms,
            pause=asyncio.sleep,
            progress=_progress if sys.stderr.isatty() else None,
        )
    )
    if sys.stderr.isatty():
        typer.echo("\r" + " " * 60 + "\r", nl=False, err=True)
    if form is Form.JSON:
        typer.echo(json.dumps(facts(result), ensure_ascii=False, indent=2))
    else:
        for line in lines(result):
            typer.echo(line)
    if code := exit_code(result):
        raise typer.Exit(code)


def _progress(at: int, of: int, found: int) -> None:
    typer.echo(f"\r unit {at} of {of}, {found} found", nl=False, err=True)


def _link(
    host: str | None, serial: str | None, baud: int, parity: Parity, stop_bits: int, framing: Framing | None
) -> ModbusLink:
    if (host is None) == (serial is None):
        raise UsageError(
            "Say where to look: either HOST or --serial",
            evidence="both" if host else "neither",
            next="seiren agent scan 192.0.2.12 --units 1-32",
        )
    if serial is not None:
        return Gateway(serial=serial, baud=baud, parity=parity, stop_bits=2 if stop_bits == 2 else 1).link()
    assert host is not None
    name, _, port = host.rpartition(":")
    if not name:
        name, port = host, "502"
    name = name.strip("[]")
    if not port.isdecimal() or not 1 <= int(port) <= 65535 or not name:
        raise UsageError("This is no HOST[:PORT]", evidence=host, next="write 192.0.2.12 or gw-2:502")
    return Gateway(host=name, port=int(port), framing=framing).link()
