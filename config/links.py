"""How a Modbus unit is reached: sockets, serial lines, and the gateways that several units share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from config.strict import Host, Id, Model, Port, Wrong
from config.tls import Tls

Framing = Literal["tcp", "rtu"]
Parity = Literal["none", "even", "odd"]
ReplySeconds = Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)]
PauseMs = Annotated[int, Field(ge=0, le=60_000)]

_TLS_PORT: Final = 802


def _unit(value: int) -> int:
    if value == 0:
        raise Wrong(
            "must be at least 1: 0 is the broadcast, which no meter answers",
            cause="some gateways answer unit 0 with whatever meter comes first",
            next="write the number set at the meter, 1 to 247; 255 or 1 for one with an IP of its own",
        )
    if not 1 <= value <= 255:
        raise Wrong("must be a unit number, 1 to 255", next="read it off the meter's communication menu")
    return value


class Gateway(Model):
    """What several units share: a socket or a serial line.

    Attributes
    ----------
    framing
        How requests are written; None: `tcp` on a socket, `rtu` on a serial line.
    timeout_s
        Deadline of a whole reply [s].
    gap_ms, settle_ms
        Pause after a reply, and after connecting [ms].
    connections
        Sockets that are used at a time [1].
    max_registers
        Most registers of one request [words].
    """

    host: Host | None = None
    port: Port = 502
    serial: Annotated[str, Field(min_length=1)] | None = None
    baud: int = 9600
    parity: Parity = "even"
    stop_bits: Literal[1, 2] = 1
    framing: Framing | None = None
    tls: Tls | None = None
    timeout_s: ReplySeconds = 3
    gap_ms: PauseMs = 0
    settle_ms: PauseMs = 0
    connections: Annotated[int, Field(ge=1, le=8)] = 1
    max_registers: Annotated[int, Field(ge=1, le=125)] = 125

    @property
    def is_placed(self) -> bool:
        """Whether it is clear where this is: either a socket or a serial line."""
        return (self.host is None) != (self.serial is None)

    @property
    def wire(self) -> Framing:
        """The framing that is spoken."""
        return self.framing or ("rtu" if self.serial is not None else "tcp")

    @property
    def socket_port(self) -> int:
        """TCP port: as given, else 502, or 802 with TLS."""
        return _TLS_PORT if self.tls is not None and "port" not in self.model_fields_set else self.port

    @property
    def place(self) -> tuple[str, int]:
        """What tells this bus from others: host and port, or the serial line and 0."""
        return (self.serial, 0) if self.serial is not None else ((self.host or "").lower(), self.socket_port)

    def link(self, name: str = "") -> ModbusLink:
        """Return the connection that this describes."""
        on_line = self.serial is not None
        return ModbusLink(
            host=None if on_line else self.host,
            port=None if on_line else self.socket_port,
            serial=self.serial,
            baud=self.baud,
            parity=self.parity,
            stop_bits=self.stop_bits,
            framing=self.wire,
            tls=self.tls,
            timeout_s=self.timeout_s,
            gap_ms=self.gap_ms,
            settle_ms=self.settle_ms,
            connections=self.connections,
            max_registers=self.max_registers,
            gateway=name,
        )


class Modbus(Gateway):
    """A unit: on a gateway by its id, or with the address written here."""

    gateway: Id | None = None
    unit: Annotated[int, AfterValidator(_unit)]


@dataclass(frozen=True, slots=True)
class ModbusLink:
    """A bus: what is connected to, and how; equal for devices that share it.

    Attributes
    ----------
    host, port, serial
        A socket, or a serial line.
    baud, parity, stop_bits
        Of the serial line; [bit/s] and [1].
    timeout_s
        Deadline of a whole reply [s].
    gap_ms, settle_ms
        Pause after a reply, and after connecting [ms].
    connections
        Sockets that are used at a time [1].
    max_registers
        Most registers of one request [words].
    gateway
        Its id in the configuration; empty where it has none.
    """

    host: str | None
    port: int | None
    serial: str | None
    baud: int
    parity: Parity
    stop_bits: int
    framing: Framing
    tls: Tls | None
    timeout_s: float
    gap_ms: int
    settle_ms: int
    connections: int
    max_registers: int
    gateway: str = field(default="", compare=False)

    @property
    def where(self) -> str:
        """The socket or line, ``192.0.2.12:502``."""
        return self.serial if self.serial is not None else f"{self.host}:{self.port}"

    @property
    def name(self) -> str:
        """What people call it: the gateway's id, or the socket or line."""
        return self.gateway or self.where


def shared_link(units: Iterable[Gateway]) -> ModbusLink:
    """Return the one bus of units that are written with the same address, at the pace of the slowest."""
    links = [unit.link() for unit in units]
    return replace(
        links[0],
        timeout_s=max(link.timeout_s for link in links),
        gap_ms=max(link.gap_ms for link in links),
        settle_ms=max(link.settle_ms for link in links),
        connections=min(link.connections for link in links),
        max_registers=min(link.max_registers for link in links),
    )
