"""A bare client, and what the meters of these tests measure."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fractions import Fraction

from simulators.meters import Electrical

UNBALANCED = Electrical(400, 0.9, unbalance=0.06, export_share=Fraction(1, 7))
HOUR_MS = 3_600_000


@dataclass
class Constant:
    """1 count each 10 s from an opening; a constant power."""

    opening: int = 123_456_789
    watts: int = 276_543

    def count(self, time_ms: int) -> int:
        return self.opening + time_ms // 10_000

    def power_w(self, time_ms: int) -> int:
        return self.watts


@dataclass
class Time:
    """The plant's time, set by hand."""

    ms: int = 0

    def get(self) -> int:
        return self.ms


class Peer:
    """Sends and receives frames as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, pdu: bytes, unit: int = 1, transaction: int = 1) -> None:
        self.writer.write(struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu)

    async def ask(self, pdu: bytes, unit: int = 1, transaction: int = 1) -> bytes:
        """Return the PDU of the reply, whose header must be right."""
        self.send(pdu, unit, transaction)
        got, protocol, length, of = struct.unpack(
            ">HHHB", await asyncio.wait_for(self.reader.readexactly(7), 2)
        )
        assert (got, protocol, of) == (transaction, 0, unit)
        return await asyncio.wait_for(self.reader.readexactly(length - 1), 2)

    async def words(self, address: int, count: int, *, unit: int = 1, function: int = 3) -> tuple[int, ...]:
        """Return registers."""
        pdu = await self.ask(struct.pack(">BHH", function, address, count), unit)
        assert pdu[:2] == bytes((function, 2 * count)), pdu.hex()
        return struct.unpack(f">{count}H", pdu[2:])

    async def raw(self, pdu: bytes, *, unit: int = 1, transaction: int = 1, within_s: float = 0.1) -> bytes:
        """Return whatever comes within a time."""
        self.send(pdu, unit, transaction)
        return await self.heard(within_s)

    async def heard(self, within_s: float) -> bytes:
        """Return whatever comes within a time."""
        data = b""
        try:
            async with asyncio.timeout(within_s):
                while chunk := await self.reader.read(1000):
                    data += chunk
        except TimeoutError:
            pass
        return data


def read(address: int, count: int, function: int = 3) -> bytes:
    """Return the PDU that asks for registers."""
    return struct.pack(">BHH", function, address, count)


@asynccontextmanager
async def peer(port: int) -> AsyncIterator[Peer]:
    """Connect to a loopback port."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()
