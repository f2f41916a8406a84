"""Frames of both kinds, and what may count as the reply to a request, byte by byte (pure).

A reply is judged as it comes: it is whole, or more is to come, or a sentence says why what came can no
longer become the reply.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple, TypeAlias

from agent.modbus.wire import IdentifyRequest, ReadRequest, Request, encode

_HEADER: Final = struct.Struct(">HHHBB")
_LONGEST: Final = 254
_MOST_PASSED_OVER: Final = 16_384  # [bytes] in other transactions' replies while one reply is due


class Answer(NamedTuple):
    """A whole reply: its data without byte count, or the code of an exception; `end` is where it ends."""

    data: bytes
    exception: int
    end: int


Verdict: TypeAlias = Answer | str | None
"""A whole reply, why there can be none, or None while more is to come."""


def _wrong_reply(request: Request, unit: int, function: int) -> str | None:
    if unit != request.unit:
        return f"unit {unit} answered for unit {request.unit}"
    if function & 0x7F != request.function:
        return f"function {function} answered to function {request.function}"
    return None


def _wrong_size(request: ReadRequest, size: int) -> str:
    if request.function < 3:
        return f"{size} bytes of bits instead of {request.size}"
    return f"{size / 2:g} registers instead of {request.count}"


def _identity_end(body: bytes, request: IdentifyRequest) -> int | str | None:
    """Return how long an identification is from its MEI type on [bytes]; None while that cannot be told."""
    if body[:1] not in (b"", b"\x0e"):
        return f"MEI type {body[0]} instead of 14"
    if body[1:2] not in (b"", bytes((request.code,))):
        return f"identification of kind {body[1]} instead of {request.code}"
    if len(body) < 6:
        return None
    at = 6
    for _ in range(body[5]):
        if at > _LONGEST:
            return f"{body[5]} objects, longer than any frame"
        if len(body) < at + 2:
            return None
        at += 2 + body[at + 1]
    return at


class Mbap:
    """Modbus over TCP: a header with a transaction id and a length."""

    name: Final = "tcp"

    @staticmethod
    def frame(adu: bytes, number: int) -> bytes:
        """Return an encoded request with its header; `number` is its transaction id, 1 to 65535."""
        return struct.pack(">HHH", number, 0, len(adu)) + adu

    @staticmethod
    def judge(received: bytes, request: Request, number: int) -> Verdict:
        """Return what bytes are to a request.

        Complete replies to earlier requests are passed over: their transaction id tells them apart.

        Parameters
        ----------
        received
            Everything received since the request was sent.
        request
            The one request in flight.
        number
            Its transaction id, 1 to 65535.

        Examples
        --------
        >>> ask = ReadRequest(11, 3, 0, 1)
        >>> Mbap.judge(bytes.fromhex("0001 0000 0005 0B 03 02 0001"), ask, 1)
        Answer(data=b'\\x00\\x01', exception=0, end=11)
        >>> Mbap.judge(bytes.fromhex("0001 0000 0005 0B 03"), ask, 1)
        >>> Mbap.judge(bytes.fromhex("0001 0000 0005 0C 03 02 0001"), ask, 1)
        'unit 12 answered for unit 11'
        """
        at = 0
        while len(received) - at >= 8:
            transaction, protocol, length, unit, function = _HEADER.unpack_from(received, at)
            if protocol:
                return f"protocol id {protocol} instead of 0"
            if not 3 <= length <= _LONGEST:
                return f"impossible length {length}"
            if transaction == 0:
                return f"transaction id 0 instead of {number}"
            end = at + 6 + length
            if transaction != number:
                if end > _MOST_PASSED_OVER:
                    return f"{end} bytes, and nothing but replies to other requests"
                at = end
                continue
            if unit != request.unit or function != request.function:
                if (fault := _wrong_reply(request, unit, function)) is not None:
                    return fault
                if length != 3:
                    return f"exception reply of length {length}"
                return Answer(b"", received[at + 8], end) if len(received) >= end else None
            if isinstance(request, ReadRequest):
                size = request.size
                if length != 3 + size:
                    return _wrong_size(request, length - 3)
                if len(received) > at + 8 and received[at + 8] != size:
                    return f"byte count {received[at + 8]} instead of {size}"
                return Answer(received[at + 9 : end], 0, end) if len(received) >= end else None
            inner = _identity_end(received[at + 8 : end], request)
            if isinstance(inner, str):
                return inner
            if len(received) < end:
                return None
            if inner != length - 2:
                return f"identification of {inner or 'more than'} {length - 2} bytes"
            return Answer(received[at + 9 : end], 0, end)
        return None


class Rtu:
    """Modbus as on a serial line: unit, function, data, checksum; nothing says to which request."""

    name: Final = "rtu"

    @staticmethod
    def frame(adu: bytes, number: int) -> bytes:
        """Return an encoded request with its checksum; there is no place for a transaction id.

        Examples
        --------
        >>> Rtu.frame(encode(ReadRequest(17, 3, 107, 3)), 1).hex(" ")
        '11 03 00 6b 00 03 76 87'
        """
        return adu + crc16(adu).to_bytes(2, "little")

    @staticmethod
    def judge(received: bytes, request: Request, number: int) -> Verdict:
        """Return what bytes are to a request; one byte too many is a fault, for nothing tells whose it is.

        Parameters
        ----------
        received
            Everything received since the request was sent.
        request
            The one request in flight.
        number
            Without meaning here.
        """
        if len(received) < 2:
            return None if received[:1] in (b"", bytes((request.unit,))) else _foreign(received, request)
        unit, function = received[0], received[1]
        if (fault := _wrong_reply(request, unit, function)) is not None:
            return fault
        if function != request.function:
            end: int | None = 5
        elif isinstance(request, ReadRequest):
            if len(received) < 3:
                return None
            if received[2] != request.size:
                sent = Rtu.frame(encode(request), number)
                if not sent.startswith(received[:8]):
                    return _wrong_size(request, received[2])
                return "the request itself came back" if len(received) >= 8 else None
            end = 5 + request.size
        else:
            inner = _identity_end(received[2:], request)
            if isinstance(inner, str):
                return inner
            end = inner and inner + 4
        if end is None or len(received) < end:
            return None
        if crc16(received[:end]):
            return f"wrong checksum {received[end - 2 : end].hex()}"
        if len(received) > end:
            return f"{len(received) - end} bytes more than the reply has"
        if function != request.function:
            return Answer(b"", received[2], end)
        return Answer(received[3 : end - 2], 0, end)


def _foreign(received: bytes, request: Request) -> str:
    return f"unit {received[0]} answered for unit {request.unit}"


Framing: TypeAlias = type[Mbap] | type[Rtu]


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
        table.append(crc)
    return tuple(table)


_CRC: Final = _crc_table()


def crc16(data: bytes) -> int:
    """Return the checksum of a serial frame; over a frame with its checksum it is 0.

    References
    ----------
    MODBUS over Serial Line, Specification and Implementation Guide V1.02 (2006), 6.2.2.

    Examples
    --------
    >>> f"{crc16(bytes.fromhex('0207')):04x}"
    '1241'
    """
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc
