"""Gateways with meters for the edge's load: fixed replies at once, and every request's moment kept.

Run by bench/edge.py as ``gateways.py FIRST_PORT GATEWAYS UNITS DEAD``: on each gateway the units from 1 on
live, the last DEAD of them are silent. A line ``report`` on standard input is answered by one line of JSON,
``reset`` forgets what was seen.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from array import array
from functools import partial
from typing import Any, cast

import uvloop

PERIOD_S = 1.0
COUNTER = 60
"""Where the one counter stands [word]."""
_HEAD = struct.Struct(">HHHBB")
_ASKED = struct.Struct(">HHHBBHH")


class Load:
    """What was asked, by gateway and unit, and the reply of the moment."""

    def __init__(self, gateways: int, units: int, dead: int) -> None:
        self.living = units - dead
        self.times = {(g, u): array("d") for g in range(gateways) for u in range(1, units + 1)}
        self._data = [self._registers(step) for step in range(64)]
        self._steps = 0

    @staticmethod
    def _registers(step: int) -> bytes:
        """Registers 0 to 125: ten float32, ten int32, ten uint16, and an uint64 at 60; all of them move."""
        floats = struct.pack(">10f", *(229.5 + place + step / 7 for place in range(10)))
        wides = struct.pack(">10i", *(4_000_000 * place + 1_237 * step for place in range(10)))
        words = struct.pack(">10H", *(1_000 * place + step for place in range(10)))
        return (floats + wides + words + bytes(20) + struct.pack(">Q", 918_442_137_204 + step)).ljust(
            252, b"\0"
        )

    def reply(self, gateway: int, request: bytes) -> bytes | None:
        """Return the reply to a whole request; None from a dead unit."""
        number, _, _, unit, function, address, count = _ASKED.unpack_from(request)
        times = self.times.get((gateway, unit))
        if times is None:
            return None
        if address < COUNTER or unit > self.living:  # the counter is asked for on another grid
            times.append(time.time())
        if unit > self.living:
            return None
        if function not in (3, 4):
            return _HEAD.pack(number, 0, 3, unit, function | 0x80) + b"\x01"
        self._steps += 1
        data = self._data[self._steps & 63][2 * address : 2 * (address + count)]
        return _HEAD.pack(number, 0, 3 + len(data), unit, function) + bytes((len(data),)) + data

    def report(self) -> dict[str, Any]:
        """Return requests by unit, and how far they strayed from each unit's own grid."""
        late: list[float] = []
        counts = {True: 0, False: 0}
        units = 0
        for (_, unit), times in self.times.items():
            lives = unit <= self.living
            counts[lives] += len(times)
            units += lives
            if lives and len(times) > 2:
                middle = sorted(t % PERIOD_S for t in times)[len(times) // 2]
                strays = sorted((t - middle + PERIOD_S / 2) % PERIOD_S - PERIOD_S / 2 for t in times)
                late.extend(1000 * (stray - strays[len(strays) // 100]) for stray in strays)
        late.sort()
        return {
            "living_units": units,
            "requests_to_living": counts[True],
            "requests_to_dead": counts[False],
            "ms_after_own_grid": {
                "p50": round(late[len(late) // 2], 2),
                "p99": round(late[len(late) * 99 // 100], 2),
                "max": round(late[-1], 2),
            }
            if late
            else None,
        }

    def reset(self) -> None:
        """Forget what was seen."""
        for times in self.times.values():
            del times[:]


class Gateway(asyncio.Protocol):
    """One connection to a gateway."""

    def __init__(self, load: Load, gateway: int) -> None:
        self._load, self._gateway = load, gateway
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._held += data
        while len(self._held) >= 12:
            request, self._held = self._held[:12], self._held[12:]
            reply = self._load.reply(self._gateway, request)
            if reply is not None:
                self._transport.write(reply)


async def serve(first_port: int, gateways: int, units: int, dead: int) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    load = Load(gateways, units, dead)
    for gateway in range(gateways):
        await loop.create_server(partial(Gateway, load, gateway), "127.0.0.1", first_port + gateway)
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        if line == "reset\n":
            load.reset()
            print("reset", flush=True)
        else:
            print(json.dumps(load.report()), flush=True)


if __name__ == "__main__":
    uvloop.run(serve(*(int(word) for word in sys.argv[1:5])))
