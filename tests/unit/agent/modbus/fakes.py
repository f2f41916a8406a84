"""Links to loopback, and peers on raw sockets and serial lines that behave as no real device should."""

from __future__ import annotations

import asyncio
import struct
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.modbus.bus import Bus
from config.links import ModbusLink
from tests.parts import SOCAT, require

_LINK = ModbusLink(
    host="127.0.0.1",
    port=502,
    serial=None,
    baud=9600,
    parity="even",
    stop_bits=1,
    framing="tcp",
    tls=None,
    timeout_s=2,
    gap_ms=0,
    settle_ms=0,
    connections=1,
    max_registers=125,
)


def link_to(port: int, **changes: Any) -> ModbusLink:
    """Return a link to a loopback port."""
    return replace(_LINK, port=port, **changes)


def line_at(device: Path, **changes: Any) -> ModbusLink:
    """Return a link over a serial device."""
    settings: dict[str, Any] = {"host": None, "port": None, "serial": str(device), "framing": "rtu"}
    settings |= {"baud": 115_200, "parity": "none"}  # a pseudo-terminal knows no parity
    return replace(_LINK, **settings | changes)


@asynccontextmanager
async def bus_over(link: ModbusLink, **options: Any) -> AsyncIterator[Bus]:
    """Return a bus that is closed afterwards."""
    bus = Bus(link, now_ms=options.pop("now_ms", lambda: 1_000), **options)
    try:
        yield bus
    finally:
        await bus.close()


def words(*values: int) -> bytes:
    """Return registers as on the wire."""
    return struct.pack(f">{len(values)}H", *values)


def checked(adu: bytes) -> bytes:
    """Return a serial frame: what is given, and its checksum worked out bit by bit."""
    crc = 0xFFFF
    for byte in adu:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return adu + struct.pack("<H", crc)


def rtu_reply(unit: int, function: int, data: bytes) -> bytes:
    """Return the right reply as a serial frame."""
    return checked(bytes((unit, function, len(data))) + data)


Hear = Callable[[bytes, Callable[[bytes], None]], Awaitable[None]]


@dataclass
class Peer:
    """Where it listens, what it heard, and how many connections it had."""

    port: int = 0
    hear: Hear | None = None
    heard: list[bytes] = field(default_factory=list)
    connections: int = 0
    open_now: int = 0
    most_open: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def say(self, data: bytes) -> None:
        """Send to whoever is connected now, as a gateway does that only copies a serial line."""
        self.writers[-1].write(data)


@asynccontextmanager
async def peer(hear: Hear, *, ssl: Any = None, allows: int = 99) -> AsyncIterator[Peer]:
    """Serve on loopback: `hear` is awaited with each piece that comes, in a task of its own."""
    it = Peer(hear=hear)
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        it.connections += 1
        if it.open_now >= allows:
            writer.close()
            return
        it.open_now += 1
        it.most_open = max(it.most_open, it.open_now)
        it.writers.append(writer)
        try:
            while data := await reader.read(4096):
                it.heard.append(data)
                assert it.hear is not None
                task = asyncio.ensure_future(it.hear(data, writer.write))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        except OSError:
            pass
        finally:
            it.open_now -= 1
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=ssl)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()
        for writer in it.writers:
            writer.close()
        for task in tasks:
            task.cancel()
        await server.wait_closed()
        await asyncio.sleep(0)


@dataclass
class SocatPair:
    """Two serial devices that are joined by a cable, which can be pulled out."""

    ours: Path
    theirs: Path
    process: subprocess.Popen[bytes] | None = None

    def plug(self) -> None:
        """Bring both ends up, under the same names as ever."""
        ends = [f"pty,raw,echo=0,link={end}" for end in (self.ours, self.theirs)]
        self.process = subprocess.Popen([str(require(SOCAT)), *ends])
        until = time.monotonic() + 5
        while not (self.ours.exists() and self.theirs.exists()):
            assert time.monotonic() < until, "socat does not start"
            time.sleep(0.005)

    def unplug(self) -> None:
        """Take both ends away."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(5)
            self.process = None


@contextmanager
def socat_pair(folder: Path) -> Iterator[SocatPair]:
    """Return a pair of joined serial devices."""
    pair = SocatPair(folder / "ours", folder / "theirs")
    pair.plug()
    try:
        yield pair
    finally:
        pair.unplug()
