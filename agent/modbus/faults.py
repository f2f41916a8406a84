"""What a person is told when a Modbus request was not answered."""

from __future__ import annotations

import ssl
from typing import Final

from agent.modbus.wire import ReadRequest, Request
from agent.sockets import reason
from config.links import ModbusLink
from core.errors import OutsideError, Unreachable
from core.runtime.tls import TlsPeer

_EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge, still busy",
    6: "busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target does not respond",
}
_REFUSALS: Final = frozenset({1, 2, 3})
_TLS_PORT: Final = 802


class RefusedError(OutsideError):
    """The device answers, and does not have what was asked for: exceptions 1, 2 and 3, in `code`."""

    code: int = 0


def no_reply(where: str, request: Request, waited_s: float) -> Unreachable:
    """Return the error of a unit that was silent for so long [s]."""
    return Unreachable(
        "No reply",
        where=where,
        evidence=f"no complete reply within {waited_s:.3g} s, {_asked(request)}",
        cause="a wrong unit number, or behind a gateway the RS-485 line or the meter's power",
        next="compare the unit number with the meter's display; check A/B and the termination",
    )


def broke_off(where: str, link: ModbusLink, error: Exception | None) -> Unreachable:
    """Return the error of a connection that ended while a reply was due; `error` is the system's word."""
    if link.serial is not None:
        return Unreachable(
            "The serial line is gone",
            where=where,
            evidence=reason(error) if isinstance(error, OSError) else "the device was closed",
            cause="the USB adapter was pulled out, or lost its power",
            next=f"ls -l {link.serial}; it is opened again as soon as it is there",
        )
    if isinstance(error, ssl.SSLError):
        return tls_peer(link).refused(error, where)
    if link.tls is not None:
        return tls_peer(link).closed(
            "The connection broke off",
            where=where,
            evidence="closed by the other side while a reply was due",
            otherwise="it allows fewer connections than it has",
        )
    return Unreachable(
        "The connection broke off",
        where=where,
        evidence="closed by the other side while a reply was due",
        cause="the gateway allows fewer connections than it has, or restarts",
        next="close other Modbus clients of this gateway (many allow 1 to 3)",
    )


def dropped(where: str) -> Unreachable:
    """Return the error of a request whose connection this side has dropped."""
    return Unreachable(
        "The connection was dropped",
        where=where,
        evidence="closed by this side while a reply was due",
        cause="the agent stops, or gives the connection up",
    )


def wrong_reply(where: str, why: str) -> Unreachable:
    """Return the error of a reply that is none; `why` is the judgement."""
    if why == "the request itself came back":
        return Unreachable(
            "A wrong reply was thrown away",
            where=where,
            evidence=why,
            cause="the RS-485 adapter echoes what it sends",
            next="switch the adapter's echo off (on two-wire adapters a jumper, RE to DE)",
        )
    return Unreachable(
        "A wrong reply was thrown away",
        where=where,
        evidence=why,
        cause="two masters on one line, a gateway that mixes up replies, or no Modbus device at all",
        next="make sure that nothing else polls this line",
    )


def never_silent(where: str, waited_s: float) -> Unreachable:
    """Return the error of a line on which others speak all the time [s]."""
    return Unreachable(
        "The line is never silent",
        where=where,
        evidence=f"bytes that nobody asked for, for {waited_s:g} s",
        cause="a second master on this line, a wrong baud rate, or noise on A/B",
        next="disconnect other masters; check baud, parity, termination and bias",
    )


def exception(where: str, request: Request, code: int) -> OutsideError:
    """Return the error that an exception reply stands for."""
    evidence = f"exception {code:02X} ({_EXCEPTIONS.get(code, 'unknown')})"
    if code in _REFUSALS:
        lacks = "a device identification (function 43/14)"
        if isinstance(request, ReadRequest):
            lacks = f"{_kind(request)} {_range(request)}, function {request.function}"
        refused = RefusedError(
            f"The device does not have {lacks}",
            where=where,
            evidence=evidence,
            cause="the profile is for another model or firmware",
            next="compare the model on the nameplate with the profile in the configuration",
        )
        refused.code = code
        return refused
    return Unreachable(
        "The device or its gateway cannot answer now",
        where=where,
        evidence=f"{evidence}, {_asked(request)}",
        cause="the gateway does not reach the meter" if code in (10, 11) else "the device is busy",
        next="check the meter's power and the RS-485 line behind the gateway",
    )


def no_connection(link: ModbusLink, error: OSError | None, waited_s: float) -> Unreachable:
    """Return why there is no connection; without `error` nothing came within `waited_s` [s]."""
    what = "No connection"
    if error is None:
        return Unreachable(
            what,
            where=link.where,
            evidence=f"no answer within {waited_s:.3g} s",
            cause="no power, a cable, a firewall, or a wrong address",
            next=f"ping {link.host}, then look at the network cable and the meter's IP setting",
        )
    if isinstance(error, ssl.SSLError):
        return tls_peer(link).refused(error)
    if type(error).__name__ == "gaierror":
        return Unreachable(
            what,
            where=link.where,
            evidence=reason(error),
            cause="the name is not known here",
            next=f"getent hosts {link.host}, or configure the IP address",
        )
    if link.tls is not None and isinstance(error, ConnectionResetError):
        return tls_peer(link).closed(
            what,
            evidence="closed by the other side during the TLS handshake",
            otherwise="it speaks no TLS 1.2 or newer",
        )
    return Unreachable(
        what,
        where=link.where,
        evidence=reason(error),
        cause="nothing listens there: Modbus TCP is off, or the address is another",
        next=f"nc -vz {link.host} {link.port}",
    )


def tls_peer(link: ModbusLink) -> TlsPeer:
    """Return the other side of a link that is spoken to over TLS."""
    assert link.tls is not None and link.host is not None and link.port is not None
    return TlsPeer("device", link.host, link.port, link.tls.files, _TLS_PORT, "Modbus/TCP Security")


def again(error: Unreachable) -> Unreachable:
    """Return the same error anew, for another request that it stopped."""
    return Unreachable(
        error.what, where=error.where, evidence=error.evidence, cause=error.cause, next=error.next
    )


def _kind(request: ReadRequest) -> str:
    return {1: "coils", 2: "discrete inputs"}.get(request.function, "registers")


def _range(request: ReadRequest) -> str:
    return f"{request.address} to {request.address + request.count - 1}"


def _asked(request: Request) -> str:
    if not isinstance(request, ReadRequest):
        return "identification (function 43/14)"
    return f"{_kind(request)} {_range(request)}, function {request.function}"
