"""Requests a second over 100 connections: a bare protocol client, pymodbus alone, and Seiren. Prints JSON.

Run by bench/edge.py. Each asks for the same 50 registers, one request at a time on each connection; Seiren
is measured in three steps: its bus alone; planned, decoded and judged too; and with the 30 readings of each
reply handed to a spool that is synced every second.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import cast

import uvloop
from pymodbus.client import AsyncModbusTcpClient

from agent.board import Board
from agent.devices import open_sources
from agent.memory import Memory
from agent.modbus.bus import Bus, ReadRequest
from agent.points import point_tables
from agent.readings import Scan
from agent.service import open_pollers
from agent.spool import Spool
from config.loading import load_agent
from core.delivery.frames import Lane
from core.delivery.payload import Event
from core.delivery.tables import PointTable
from core.runtime.clock import WallClock
from core.runtime.steady import Boot

HERE = Path(__file__).parent
FIRST_PORT = 22_500
CONNECTIONS = 100
WORDS = 50
SECONDS = 6.0
STEPS = ("bus", "judged", "spooled")


class Bare(asyncio.Protocol):
    """As little as a client can do: send a request, wait for as many bytes as it announces."""

    _ASKED = struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 0, WORDS)
    _BYTES = 9 + 2 * WORDS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        self._held = b""
        self._reply: asyncio.Future[bytes] | None = None

    def data_received(self, data: bytes) -> None:
        """End the request when all of its reply is there."""
        self._held += data
        if len(self._held) >= self._BYTES and self._reply is not None:
            held, self._held = self._held, b""
            self._reply.set_result(held)

    async def ask(self) -> object:
        """Return the reply."""
        self._reply = asyncio.get_running_loop().create_future()
        self._transport.write(self._ASKED)
        return await self._reply


async def rate(asks: list[Callable[[], Awaitable[object]]]) -> dict[str, float]:
    """Return how often all of `asks` together are answered, each awaited again and again."""
    loop = asyncio.get_running_loop()
    counts = [0] * len(asks)
    until_s = loop.time() + SECONDS

    async def again(place: int) -> None:
        while loop.time() < until_s:
            await asks[place]()
            counts[place] += 1

    cpu_s, started_s = time.process_time(), loop.time()
    await asyncio.gather(*(again(place) for place in range(len(asks))))
    cpu_s = time.process_time() - cpu_s
    return {
        "requests_per_s": round(sum(counts) / (loop.time() - started_s)),
        "cpu_us_per_request": round(1e6 * cpu_s / sum(counts), 1),
    }


async def bare() -> dict[str, float]:
    """The limit."""
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(Bare, "127.0.0.1", FIRST_PORT + place))[1]
        for place in range(CONNECTIONS)
    ]
    return await rate([client.ask for client in clients])


async def pymodbus() -> dict[str, float]:
    """Return what pymodbus does alone."""
    clients = [
        AsyncModbusTcpClient("127.0.0.1", port=FIRST_PORT + place, retries=0) for place in range(CONNECTIONS)
    ]
    for client in clients:
        await client.connect()
    figures = await rate(
        [partial(client.read_holding_registers, 0, count=WORDS, device_id=1) for client in clients]
    )
    for client in clients:
        client.close()
    return figures


class Nowhere(Spool):
    """A spool that takes readings and keeps nothing, to tell what the way there costs."""

    def add(
        self,
        lane: Lane,
        table: PointTable,
        scans: Iterable[Scan],
        events: Iterable[Event] = (),
        *,
        unknown: Boot | None = None,
    ) -> None:
        """Forget them."""


async def seiren(folder: Path, what: str) -> dict[str, float]:
    """Return what an agent does with meters that are always due: all but its clock and its uplink.

    `what` is ``bus`` (requests alone), ``judged`` (planned, decoded, judged) or ``spooled``.
    """
    shutil.copy(HERE / "meter_bench.yaml", folder)
    lines = [
        "{agent: bench, site: bench, time_zone: Asia/Tokyo, broker: {host: 127.0.0.1},",
        f" required_ledgers: [hq], metrics_port: null, spool: spool-{what}, devices: [",
    ]
    for place in range(CONNECTIONS):
        modbus = f"{{host: 127.0.0.1, port: {FIRST_PORT + place}, unit: 1}}"
        lines.append(f"  {{id: M-{place}, profile: ./meter_bench.yaml, modbus: {modbus}}},")
    (folder / "agent.yaml").write_text("\n".join([*lines, "]}"]) + "\n", encoding="utf-8")
    config, clock = load_agent(folder / "agent.yaml"), WallClock()
    if what == "bus":
        buses = [Bus(config.link(device), now_ms=clock.now_ms) for device in config.devices]
        figures = await rate([partial(bus.ask, ReadRequest(1, 3, 0, WORDS)) for bus in buses])
        for bus in buses:
            await bus.close()
        return figures
    spool = (Spool if what == "spooled" else Nowhere)(config.spool, config.agent, in_thread=True)
    board = Board(started_ms=clock.now_ms(), zone=config.time_zone)
    sources = open_sources(config, now_ms=clock.now_ms)
    tables = point_tables(config)
    pollers = open_pollers(config, tables, clock, spool, board, Memory(config.spool), sources)
    devices = [device for poller in pollers for device in poller.devices]
    for device in devices:
        await device.read(Lane.SAMPLES)
        device.answered(clock.now_ms())
    flushing = asyncio.create_task(flush(spool))
    figures = await rate([partial(device.read, Lane.SAMPLES) for device in devices])
    flushing.cancel()
    for poller in pollers:
        await poller.close()
    await spool.close()
    return figures


async def flush(spool: Spool) -> None:
    """Make readings durable every second."""
    while True:
        await asyncio.sleep(1)
        await spool.flush()


def main() -> None:
    """Measure one after the other, so that each has the machine for itself."""
    meters = subprocess.Popen(
        [sys.executable, HERE / "gateways.py", *map(str, (FIRST_PORT, CONNECTIONS, 1, 0))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert meters.stdout is not None
    meters.stdout.readline()
    try:
        with tempfile.TemporaryDirectory() as folder:
            figures = {
                "bare_protocol_client": uvloop.run(bare()),
                "pymodbus": uvloop.run(pymodbus()),
                **{f"seiren_{what}": uvloop.run(seiren(Path(folder), what)) for what in STEPS},
            }
    finally:
        meters.kill()
        meters.wait()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
