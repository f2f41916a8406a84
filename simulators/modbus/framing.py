"""Frames on the wire as a device sees them: requests cut out of a stream, replies packed."""

from __future__ import annotations

import struct
from typing import NamedTuple, Protocol

_HEADER = struct.Struct(">HHHB")
_LONGEST = 260

_FIXED = {1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8, 7: 4, 8: 8, 11: 4, 12: 4, 17: 4, 43: 7}
"""Length of a request on a serial line by function, checksum included [bytes]."""


class Request(NamedTuple):
    """A request that arrived whole: unit, PDU, and what its reply must carry back."""

    unit: int
    pdu: bytes
    transaction: int


class Framing(Protocol):
    """How a unit's number and a PDU travel."""

    def cut(self, buffer: bytearray) -> Request | None:
        """Take the first whole request out of a buffer; what cannot be one is dropped."""
        ...

    def pack(self, unit: int, pdu: bytes, transaction: int) -> bytes:
        """Return a reply as it goes over the wire."""
        ...


class TcpFraming:
    """Seven bytes of header, no checksum."""

    def cut(self, buffer: bytearray) -> Request | None:
        """Take the first whole request out of a buffer; all is dropped if it is not Modbus."""
        if len(buffer) < 8:
            return None
        transaction, protocol, length, unit = _HEADER.unpack_from(buffer)
        if protocol != 0 or not 2 <= length <= _LONGEST - 6:
            buffer.clear()
            return None
        end = 6 + length
        if len(buffer) < end:
            return None
        pdu = bytes(buffer[7:end])
        del buffer[:end]
        return Request(unit, pdu, transaction)

    def pack(self, unit: int, pdu: bytes, transaction: int) -> bytes:
        """Return a reply with its header."""
        return _HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu


class RtuFraming:
    """Unit, PDU and checksum, as on a serial line; whose ends follow from the function."""

    def cut(self, buffer: bytearray) -> Request | None:
        """Take the first whole request out of a buffer; bytes before it are dropped."""
        while len(buffer) >= 4:
            end = _FIXED.get(buffer[1], 0)
            if buffer[1] in (15, 16):
                if len(buffer) < 7:
                    return None
                end = 9 + buffer[6]
            if end and len(buffer) < end:
                return None
            if end and crc16(buffer[: end - 2]) == buffer[end - 2 : end]:
                request = Request(buffer[0], bytes(buffer[1 : end - 2]), 0)
                del buffer[:end]
                return request
            del buffer[0]
        return None

    def pack(self, unit: int, pdu: bytes, transaction: int) -> bytes:
        """Return a reply with its checksum; `transaction` does not travel."""
        frame = bytes((unit,)) + pdu
        return frame + crc16(frame)


def _table() -> tuple[int, ...]:
    entries = []
    for entry in range(256):
        for _ in range(8):
            entry = entry >> 1 ^ (0xA001 if entry & 1 else 0)  # the polynomial 0x8005, bits reversed
        entries.append(entry)
    return tuple(entries)


_CRC = _table()


def crc16(frame: bytes | bytearray) -> bytes:
    """Return the checksum of a serial line's frame, as it is sent (low byte first).

    Examples
    --------
    >>> crc16(bytes.fromhex("010300000001")).hex()
    '840a'
    """
    crc = 0xFFFF
    for byte in frame:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")
