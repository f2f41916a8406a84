"""Opens the transport of a link: TCP, TLS, RTU over TCP, or a serial line."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Final

from agent.modbus.channel import Channel
from agent.modbus.faults import no_connection, tls_peer
from agent.modbus.framing import Framing, Mbap, Rtu
from agent.modbus.stats import BusStats
from config.links import ModbusLink

_KEEPALIVE_S: Final = {"TCP_KEEPIDLE": 30, "TCP_KEEPALIVE": 30, "TCP_KEEPINTVL": 10}
_KEEPALIVE_PROBES: Final = 3


def framing_of(link: ModbusLink) -> Framing:
    """Return how requests are packed on a link."""
    return Rtu if link.framing == "rtu" else Mbap


async def open_transport(
    link: ModbusLink, *, clock: Callable[[], float], stats: BusStats, within_s: float
) -> Channel:
    """Return an open channel.

    Parameters
    ----------
    link
        Where, and how.
    clock
        A monotonic clock [s].
    stats
        Where the channel counts.
    within_s
        How long opening may take, name look-up and TLS handshake included [s].

    Raises
    ------
    Unreachable
        If it cannot be opened; the error says why.
    """

    def make() -> Channel:
        return Channel(framing_of(link), clock=clock, stats=stats, stays_open=link.serial is not None)

    if link.serial is not None:
        from agent.modbus.serial_line import open_serial  # a site without serial lines does without pyserial

        return open_serial(link, make)
    assert link.host is not None and link.port is not None
    context = None if link.tls is None else tls_context(link)
    server_name = None if link.tls is None else link.tls.server_name or link.host
    try:
        async with asyncio.timeout(within_s):
            transport, channel = await asyncio.get_running_loop().create_connection(
                make, link.host, link.port, ssl=context, server_hostname=server_name
            )
    except TimeoutError:
        raise no_connection(link, None, within_s) from None
    except OSError as error:
        raise no_connection(link, error, within_s) from None
    _keep_alive(transport.get_extra_info("socket"))
    return channel


def tls_context(link: ModbusLink) -> ssl.SSLContext:
    """Return what a link's TLS connection must fulfil; read anew each time, for certificates are renewed.

    Raises
    ------
    TlsTrouble
        If a file cannot be used.

    References
    ----------
    MODBUS/TCP Security Protocol Specification V36 (2021): TLS 1.2 or newer, both sides show a certificate.
    """
    return tls_peer(link).prepare(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def _keep_alive(sock: socket.socket) -> None:
    """Have the system notice a dead peer while nothing is asked; and send each request at once."""
    with contextlib.suppress(OSError):  # the peer may be gone already, which the first request will tell
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, seconds in _KEEPALIVE_S.items():
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), seconds)
        if hasattr(socket, "TCP_KEEPCNT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES)
