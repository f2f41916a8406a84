"""What a person is told when a Modbus request was not answered."""

from __future__ import annotations

import ssl
from typing import Final

from agent.modbus.wire import ReadRequest, Request
from agent.sockets import reason
from config.links import ModbusLink
from core.errors import OutsideError, Unreachable

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
        return tls_refused(where, link, error)
    if link.tls is not None:
        return Unreachable(
            "The connection broke off",
            where=where,
            evidence="closed by the other side while a reply was due",
            cause=f"{_client_certificate(link)}; or it allows fewer connections than it has",
            next=_CLIENT_CERTIFICATE_NEXT,
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
        return tls_refused(link.where, link, error)
    if type(error).__name__ == "gaierror":
        return Unreachable(
            what,
            where=link.where,
            evidence=reason(error),
            cause="the name is not known here",
            next=f"getent hosts {link.host}, or configure the IP address",
        )
    if link.tls is not None and isinstance(error, ConnectionResetError):
        return Unreachable(
            what,
            where=link.where,
            evidence="closed by the other side during the TLS handshake",
            cause=f"{_client_certificate(link)}; or it speaks no TLS 1.2 or newer",
            next=_CLIENT_CERTIFICATE_NEXT,
        )
    return Unreachable(
        what,
        where=link.where,
        evidence=reason(error),
        cause="nothing listens there: Modbus TCP is off, or the address is another",
        next=f"nc -vz {link.host} {link.port}",
    )


_VERIFY: Final = {
    9: "the device's certificate is not valid yet",
    10: "the device's certificate has expired",
    18: "the device's certificate is signed by itself, not by the CA",
    19: "the device's certificate is from an unknown CA",
    20: "the device's certificate is from an unknown CA",
    62: "the device's certificate is for another name",
    64: "the device's certificate is for another address",
}
_ALERTS: Final = (
    ("CERTIFICATE_REQUIRED", "the device wants a client certificate"),
    ("HANDSHAKE_FAILURE", "the device wants a client certificate, or other ciphers"),
    ("UNKNOWN_CA", "the device does not know the CA of our client certificate"),
    ("CERTIFICATE_EXPIRED", "our client certificate has expired"),
    ("CERTIFICATE_REVOKED", "our client certificate was revoked"),
    ("BAD_CERTIFICATE", "the device does not accept our client certificate"),
    ("CERTIFICATE_UNKNOWN", "the device does not accept our client certificate"),
    ("ACCESS_DENIED", "the device does not let our client certificate in"),
    ("PROTOCOL", "the device does not speak TLS 1.2 or newer"),
    ("WRONG_VERSION_NUMBER", "what answers does not speak TLS"),
)


def tls_refused(where: str, link: ModbusLink, error: ssl.SSLError) -> Unreachable:
    """Return which side's certificate is at fault, and why."""
    assert link.tls is not None
    port = f"{link.host}:{link.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        code = error.verify_code
        shown = "openssl x509 -noout -dates -issuer -ext subjectAltName"
        advice = f"openssl s_client -connect {port} </dev/null | {shown}"
        cause = "the device has another certificate than expected"
        if code in (9, 10):
            cause, advice = "it was not renewed, or a clock is wrong", f"date; {advice}"
        elif code in (18, 19, 20):
            cause = f"{link.tls.ca} does not hold the CA that signed it, or another device answers"
        elif code in (62, 64):
            cause = (
                f"it should be for {link.tls.server_name or link.host}; set tls.server_name to the name in it"
            )
        return Unreachable(
            "The TLS connection is refused by this side",
            where=where,
            evidence=_VERIFY.get(code, error.verify_message),
            cause=cause,
            next=advice,
        )
    why = error.reason or str(error)
    evidence = next((text for part, text in _ALERTS if part in why), why)
    if "VERSION" in why or "PROTOCOL" in why:
        return Unreachable(
            "The TLS connection cannot be made",
            where=where,
            evidence=evidence,
            cause="another port than that of Modbus/TCP Security, or an old device",
            next=f"correct the port (usually 802; this is {link.port}), or remove tls",
        )
    return Unreachable(
        "The TLS connection is refused by the device",
        where=where,
        evidence=evidence,
        cause=_client_certificate(link),
        next=_CLIENT_CERTIFICATE_NEXT,
    )


def tls_files(link: ModbusLink, path: object, error: OSError) -> Unreachable:
    """Return the error of a certificate file that cannot be used."""
    return Unreachable(
        "A TLS file cannot be used",
        where=str(path),
        evidence=(error.reason or str(error)) if isinstance(error, ssl.SSLError) else reason(error),
        cause=f"{link.where} needs it; it is missing, unreadable, protected by a passphrase, or no PEM",
        next=f"ls -l {path}; openssl x509 -noout -subject -in {path}",
    )


_CLIENT_CERTIFICATE_NEXT: Final = "set tls.certificate and tls.key to a pair that the device trusts"


def _client_certificate(link: ModbusLink) -> str:
    if link.tls is None or link.tls.certificate is None:
        return "the device wants a client certificate, and none is configured"
    return f"the device does not accept our client certificate, {link.tls.certificate}"


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
