"""Faults of the line: what goes over the wire instead of the right reply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any, NamedTuple

from simulators.modbus.faults import GARBLED, Fault, Switch
from simulators.modbus.framing import Framing, Request, RtuFraming
from simulators.modbus.meter import refused

_REFUSING = (Fault.GATEWAY_BUSY, Fault.REGISTER_REFUSED)
_SILENT = (Fault.METER_SILENT, Fault.HALF_OPEN)


class Answered(NamedTuple):
    """A request and the PDU that answers it."""

    request: Request
    pdu: bytes


class Send(NamedTuple):
    """Bytes that go out after a delay [s]."""

    after_s: float
    data: bytes


def sends(
    framing: Framing,
    answered: Answered,
    before: Answered | None,
    switches: Iterable[Switch],
    time_ms: int,
) -> list[Send]:
    """Return what goes out for a request under faults.

    Parameters
    ----------
    framing
        Of the line.
    answered
        The request, and its right reply.
    before
        The same of the request before it on this connection.
    switches
        The faults that act.
    time_ms
        The moment, from which chance follows [ms since 1970-01-01 UTC].
    """
    request, pdu = answered
    delay_s, bytes_per_s, garbled = 0.0, 0.0, None
    for fault, settings in ((switch.fault, switch.settings) for switch in switches):
        if fault in _SILENT:
            return []
        if fault in _REFUSING and _touches(request.pdu, settings):
            pdu = refused(request.pdu[0], int(settings["code"]))
        elif fault is Fault.LATE_REPLIES:
            delay_s = settings["delay_ms"] / 1000
        elif fault is Fault.DRIPPING_REPLY:
            bytes_per_s = settings["bytes_per_s"]
        elif fault is Fault.EARLIER_REPLY:
            if before is None:
                return []
            request, pdu = before
        elif fault is Fault.WRONG_TRANSACTION:
            request = request._replace(transaction=(request.transaction + 1) & 0xFFFF)
        elif fault is Fault.GARBLED_REPLIES or fault in GARBLED:
            garbled = (
                fault,
                Random(f"{settings.get('seed', 1)}/{time_ms}/{request.pdu.hex()}/{request.transaction}"),
            )
    data = framing.pack(request.unit, pdu, request.transaction)
    if garbled is not None:
        fault, random = garbled
        if fault is Fault.GARBLED_REPLIES:
            fault = random.choice(GARBLED)
        data = _garbled(framing, request, pdu, fault, random)
    if bytes_per_s:
        return [Send(delay_s + place / bytes_per_s, data[place : place + 1]) for place in range(len(data))]
    return [Send(delay_s, data)]


def _touches(pdu: bytes, settings: Mapping[str, Any]) -> bool:
    """Return whether a request asks for one of the addresses of a fault that names some."""
    if "first" not in settings or len(pdu) != 5:
        return True
    address, count = int.from_bytes(pdu[1:3]), int.from_bytes(pdu[3:5])
    return bool(address <= settings["last"] and settings["first"] < address + count)


def _garbled(framing: Framing, request: Request, pdu: bytes, fault: Fault, random: Random) -> bytes:
    """Return a reply that must never be taken for the right one."""
    unit, transaction = request.unit, request.transaction
    serial = isinstance(framing, RtuFraming)
    if fault is Fault.NOISE:
        return random.randbytes(random.randint(1, 40))
    if fault is Fault.WRONG_UNIT:
        unit = unit % 247 + 1
    elif fault is Fault.WRONG_FUNCTION:
        pdu = bytes((pdu[0] ^ 0x07,)) + pdu[1:]
    elif fault is Fault.SHORT_REPLY and len(pdu) >= 4 and pdu[0] < 0x80:
        pdu = bytes((pdu[0], pdu[1] - 2)) + pdu[2:-2]
    elif fault is Fault.WRONG_LENGTH and serial and pdu[0] < 0x80:
        pdu = bytes((pdu[0], (pdu[1] + 4) & 0xFF)) + pdu[2:]
    data = bytearray(framing.pack(unit, pdu, transaction))
    if fault is Fault.WRONG_LENGTH and not serial:
        data[5] += 4
    elif fault is Fault.BAD_CHECKSUM:
        data[-1 if serial else 2] ^= 0x5A
    return bytes(data)
