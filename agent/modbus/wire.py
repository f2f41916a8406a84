"""What may count as the reply to a read request, byte by byte (pure).

pymodbus compares unit and transaction id only, lets a transaction id of 0 pass, and takes any function
code and any number of registers for an answer; so every byte is judged here before pymodbus sees it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

_HEADER: Final = struct.Struct(">HHHBB")
_LONGEST: Final = 254
MAX_WORDS: Final = 125
"""Most registers that one request may ask for (Modbus Application Protocol 1.1b3, 6.3) [words]."""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A request for registers; `function` is 3 (holding) or 4 (input)."""

    unit: int
    function: int
    address: int
    count: int


def fault(received: bytes, request: ReadRequest, transaction_id: int) -> str | None:
    """Return why bytes cannot become the reply to a request; None while they are or still may.

    Complete replies to earlier requests are passed over: their transaction id tells them apart.

    Parameters
    ----------
    received
        Everything received since the request was sent.
    request
        The one request in flight.
    transaction_id
        Its number, 1 to 65535.

    Examples
    --------
    >>> fault(bytes.fromhex("0001 0000 0005 0B 03 02 0001"), ReadRequest(11, 3, 0, 1), 1)
    >>> fault(bytes.fromhex("0001 0000 0005 0C 03 02 0001"), ReadRequest(11, 3, 0, 1), 1)
    'unit 12 answered for unit 11'
    """
    at = 0
    while len(received) - at >= _HEADER.size:
        number, protocol, length, unit, function = _HEADER.unpack_from(received, at)
        if protocol:
            return f"protocol id {protocol} instead of 0"
        if not 3 <= length <= _LONGEST:
            return f"impossible length {length}"
        if number == 0:
            return f"transaction id 0 instead of {transaction_id}"
        if number != transaction_id:
            at += 6 + length
            continue
        if unit != request.unit:
            return f"unit {unit} answered for unit {request.unit}"
        if function == request.function | 0x80:
            return None if length == 3 else f"exception reply of length {length}"
        if function != request.function:
            return f"function {function} answered to function {request.function}"
        if length != 3 + 2 * request.count:
            return f"{(length - 3) / 2:g} registers instead of {request.count}"
        if len(received) - at > 8 and received[at + 8] != 2 * request.count:
            return f"byte count {received[at + 8]} instead of {2 * request.count}"
        return None
    return None
