"""``seiren web``: headquarters' page."""

from __future__ import annotations

import ipaddress
import signal
import socket
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from collector.folders import DEFAULT_FOLDER
from collector.report.ledger_months import LedgerMonths
from collector.web.app import create_app
from core.errors import OutsideError, UsageError


def web(
    folder: Annotated[Path, typer.Argument(help="The ledger's folder.")] = DEFAULT_FOLDER,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8080,
    host: Annotated[str, typer.Option(help="A loopback address; nobody signs in here yet.")] = "127.0.0.1",
) -> None:
    """Show headquarters' page, in Japanese and English, on this machine only."""
    with closing(LedgerMonths(folder)) as months, closing(_listen(host, port)) as listener:
        address, chosen = listener.getsockname()[:2]
        name = f"[{address}]" if ":" in address else address
        typer.echo(f"http://{name}:{chosen}/   the month as HQ sees it; Ctrl-C ends it")
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _ended)  # uvicorn ends the server, then raises the signal again
        config = uvicorn.Config(create_app(months), log_level="warning", server_header=False)
        uvicorn.Server(config).run(sockets=[listener])


def _ended(number: int, frame: object) -> None:
    """Let a signal that the server has obeyed pass."""


def _listen(host: str, port: int) -> socket.socket:
    """Open the port.

    Raises
    ------
    UsageError
        If the address is not of the loopback.
    OutsideError
        If the port cannot be had.
    """
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError as error:
        raise UsageError(f"{host} is no IP address.", next="seiren web --host 127.0.0.1") from error
    if not address.is_loopback:
        raise UsageError(
            f"The page is served on loopback only, not on {host}.",
            cause="nobody signs in yet, so whoever reaches the port would read everything",
            next="seiren web --host 127.0.0.1, and ssh -L 8080:127.0.0.1:8080 from elsewhere",
        )
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        return socket.create_server((str(address), port), family=family)
    except OSError as error:
        raise OutsideError(
            f"Port {port} cannot be opened.",
            where=f"{host}:{port}",
            evidence=error.strerror or str(error),
            cause="another program listens there",
            next=f"seiren web --port {port + 1 if port < 65535 else 8080}",
        ) from error
