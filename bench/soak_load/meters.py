"""Meters for the soak, which write down every number that they served.

Run by bench/soak.py as ``python -m bench.soak_load.meters FIRST_PORT GATEWAYS UNITS``. Each unit has the
registers of bench/edge_load/meter_bench.yaml; `wide_0` is the number of the request for gauges, the counter
that of the request for it, so that a reading names what it is. A line ``write PATH`` on standard input ends
the service and writes all that was served by unit: gauges and counters, of each number its time [s since
1970 UTC].
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from array import array
from functools import partial
from pathlib import Path
from typing import cast

import uvloop

SEQUENCE, COUNTER = 20, 60
"""Where the two numbers stand [word]."""

_HEAD = struct.Struct(">HHHBB")
_ASKED = struct.Struct(">HHHBBHH")


class Unit:
    """One meter."""

    def __init__(self) -> None:
        self.gauges = array("d")
        self.counters = array("d")
        self._registers = bytearray(252)

    def read(self, address: int, count: int) -> bytes:
        """Return registers, and note that they were served."""
        now_s, registers = time.time(), self._registers
        if address <= SEQUENCE < address + count:
            number = len(self.gauges)
            self.gauges.append(now_s)
            struct.pack_into(">10f", registers, 0, *(229.5 + place + number % 64 / 7 for place in range(10)))
            struct.pack_into(">10i", registers, 2 * SEQUENCE, number, *range(number, number + 9))
            struct.pack_into(">10H", registers, 80, *(1_000 * place + number % 64 for place in range(10)))
        if address <= COUNTER < address + count:
            struct.pack_into(">Q", registers, 2 * COUNTER, len(self.counters))
            self.counters.append(now_s)
        return bytes(registers[2 * address : 2 * (address + count)])


class Gateway(asyncio.Protocol):
    """One connection to a gateway."""

    def __init__(self, units: list[Unit], ended: asyncio.Event) -> None:
        self._units = units
        self._ended = ended
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        if self._ended.is_set():
            return
        self._held += data
        while len(self._held) >= _ASKED.size:
            request, self._held = self._held[: _ASKED.size], self._held[_ASKED.size :]
            number, _, _, unit, function, address, count = _ASKED.unpack(request)
            if not 1 <= unit <= len(self._units):
                continue
            if function not in (3, 4):
                self._transport.write(_HEAD.pack(number, 0, 3, unit, function | 0x80) + b"\x01")
                continue
            read = self._units[unit - 1].read(address, count)
            self._transport.write(
                _HEAD.pack(number, 0, 3 + len(read), unit, function) + bytes((len(read),)) + read
            )


async def serve(first_port: int, gateways: int, units: int) -> None:
    """Serve until standard input ends."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    meters = [[Unit() for _ in range(units)] for _ in range(gateways)]
    for gateway, behind in enumerate(meters):
        await loop.create_server(partial(Gateway, behind, ended), "127.0.0.1", first_port + gateway)
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        ended.set()
        write(meters, Path(line.split(maxsplit=1)[1].strip()))
        print("written", flush=True)


def write(meters: list[list[Unit]], path: Path) -> None:
    """Write down what was served."""
    served = {
        f"M-{gateway}-{unit}": {"gauges": list(each.gauges), "counters": list(each.counters)}
        for gateway, behind in enumerate(meters)
        for unit, each in enumerate(behind, 1)
    }
    path.write_text(json.dumps(served), encoding="ascii")


if __name__ == "__main__":
    uvloop.run(serve(*(int(word) for word in sys.argv[1:4])))
