"""Requests and their bytes: only reading can be written down, functions 1, 2, 3, 4 and 43/14 (pure)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, TypeAlias

_READ: Final = struct.Struct(">BBHH")
MAX_WORDS: Final = 125
"""Most registers that one request may ask for (Modbus Application Protocol 1.1b3, 6.3) [words]."""
MAX_BITS: Final = 2000
"""Most coils or discrete inputs that one request may ask for (the same, 6.1) [1]."""
MAX_DATA: Final = 252
"""Most data of a reply [bytes]."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A request for coils (1), discrete inputs (2), holding (3) or input registers (4).

    `count` is in registers, or in bits for functions 1 and 2.
    """

    unit: int
    function: int
    address: int
    count: int

    @property
    def size(self) -> int:
        """How long the data of its reply is [bytes]."""
        return 2 * self.count if self.function > 2 else (self.count + 7) // 8


@dataclass(frozen=True, slots=True)
class IdentifyRequest:
    """A request for a device's identification: function 43, MEI type 14.

    `code` 1 is basic (vendor, product, revision), 2 regular, 3 extended; the reply starts at `object_id`.
    """

    unit: int
    code: int = 1
    object_id: int = 0

    @property
    def function(self) -> int:
        """43, encapsulated interface transport."""
        return 43


Request: TypeAlias = ReadRequest | IdentifyRequest


def encode(request: Request) -> bytes:
    """Return a request as unit, function and what belongs to it.

    Raises
    ------
    ValueError
        If it is anything but a read of one unit, 1 to 255, within its limits.

    Examples
    --------
    >>> encode(ReadRequest(11, 3, 100, 2)).hex(" ")
    '0b 03 00 64 00 02'
    >>> encode(ReadRequest(11, 6, 100, 2))
    Traceback (most recent call last):
    ...
    ValueError: not a request that may be sent: ReadRequest(unit=11, function=6, address=100, count=2)
    """
    if 1 <= request.unit <= 255:
        if isinstance(request, ReadRequest):
            function, address, count = request.function, request.address, request.count
            most = MAX_WORDS if function in (3, 4) else MAX_BITS if function in (1, 2) else 0
            if 1 <= count <= most and 0 <= address <= 0x10000 - count:
                return _READ.pack(request.unit, function, address, count)
        elif 1 <= request.code <= 3 and 0 <= request.object_id <= 255:
            return bytes((request.unit, 43, 14, request.code, request.object_id))
    raise ValueError(f"not a request that may be sent: {request}")
