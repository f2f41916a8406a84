"""Serving a line: on a TCP socket, with or without TLS, or on a serial line."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import serial

from simulators.cells import RegisterMap
from simulators.modbus.faults import Fault
from simulators.modbus.framing import RtuFraming, TcpFraming
from simulators.modbus.line import Line, Station
from simulators.modbus.meter import Meter


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Modbus/TCP Security: files in PEM.

    Parameters
    ----------
    certificate, key
        The server's own.
    clients_ca
        Who signs the clients' certificates, which are demanded then; None: anybody may ask.
    """

    certificate: Path
    key: Path
    clients_ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return the context of a server."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.clients_ca)
        context.load_cert_chain(self.certificate, self.key)
        context.verify_mode = ssl.CERT_NONE if self.clients_ca is None else ssl.CERT_REQUIRED
        return context


class _Connection(asyncio.Protocol):
    def __init__(self, line: Line, most: int | None, open_now: set[asyncio.Transport]) -> None:
        self._line = line
        self._most = most
        self._open = open_now
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._most is not None and self._line.connections >= self._most:
            self._line.refused_connections += 1
            self._transport.close()
            self._transport = None
            return
        self._line.connects += 1
        self._line.connections += 1
        self._open.add(self._transport)
        self._station = Station(self._line, self._transport.write, asyncio.get_running_loop())

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._station.received(data)

    def eof_received(self) -> bool:
        """Keep a half-open line open: it does not notice that the other side has gone."""
        return any(
            switch.fault is Fault.HALF_OPEN for switch in self._line.faults.acting(self._line.now_ms())
        )

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._line.connections -= 1
            self._open.discard(self._transport)
            self._station.close()
            self._transport = None


@asynccontextmanager
async def serve_meters(
    units: Mapping[int, RegisterMap | Meter],
    *,
    port: int,
    now_ms: Callable[[], int],
    framing: Literal["tcp", "rtu"] = "tcp",
    tls: ServerTls | None = None,
    max_sockets: int | None = None,
    gateway: bool = False,
) -> AsyncIterator[Line]:
    """Serve devices as units of one socket on loopback, as long as the context lasts.

    Parameters
    ----------
    units
        Unit number to register map, or to a whole meter.
    port
        Where to listen; 0: any free port, see `Line.port`.
    now_ms
        The plant's time [ms since 1970-01-01 UTC].
    framing
        ``rtu``: frames of a serial line over TCP.
    tls
        Certificates, for Modbus/TCP Security.
    max_sockets
        Connections beyond so many are closed at once; None: any number.
    gateway
        Whether a unit that does not answer is answered for with exception 0x0B; else it is silent.

    Raises
    ------
    OSError
        If the port is taken.
    """
    line = Line(units, TcpFraming() if framing == "tcp" else RtuFraming(), now_ms, gateway=gateway)
    open_now: set[asyncio.Transport] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(line, max_sockets, open_now),
        "127.0.0.1",
        port,
        ssl=None if tls is None else tls.context(),
    )
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        server.close()
        for transport in tuple(open_now):
            transport.abort()


@asynccontextmanager
async def serve_serial(
    units: Mapping[int, RegisterMap | Meter],
    *,
    path: Path,
    now_ms: Callable[[], int],
    baud: int = 9600,
    parity: Literal["none", "even", "odd"] = "even",
) -> AsyncIterator[Line]:
    """Serve devices on a serial line as long as the context lasts.

    Parameters
    ----------
    units
        Unit number to register map, or to a whole meter.
    path
        The serial device.
    now_ms
        The plant's time [ms since 1970-01-01 UTC].
    baud
        Speed [bit/s].
    parity
        Of each character.

    Raises
    ------
    OSError
        If the device cannot be opened.
    """
    line = Line(units, RtuFraming(), now_ms)
    loop = asyncio.get_running_loop()
    with serial.Serial(str(path), baudrate=baud, parity=parity[0].upper(), timeout=0) as wire:
        line.connects = line.connections = 1
        station = Station(line, wire.write, loop)
        loop.add_reader(wire.fileno(), lambda: station.received(wire.read(4096)))
        try:
            yield line
        finally:
            loop.remove_reader(wire.fileno())
            station.close()
