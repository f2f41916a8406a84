"""The agent can read meters and nothing else: no other request can be written down, and none is sent."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import signal
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path

from pymodbus.client import AsyncModbusTcpClient
from pyModbusTCP.server import ModbusServer  # type: ignore[import-untyped]  # it has no stubs

import agent
from agent.modbus import wire
from agent.modbus.bus import Bus
from agent.service import serve
from config.loading import load_agent
from config.profile import profile_ids
from core.runtime.clock import WallClock

READING = {1, 2, 3, 4, 43}
AGENT = Path(agent.__file__).parent


def imports(tree: ast.AST) -> set[str]:
    """Return the modules that a file imports, wherever it does."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module)
    return found


def test_no_part_of_the_agent_brings_code_that_can_write_registers() -> None:
    others = {"pymodbus", "pyModbusTCP", "umodbus", "minimalmodbus", "modbus_tk", "serial.rs485"}
    importers = {
        str(path.relative_to(AGENT)): names & others
        for path in AGENT.rglob("*.py")
        if (names := {each.split(".")[0] for each in imports(ast.parse(path.read_text("utf-8")))}) & others
    }
    assert importers == {}
    assert imports(ast.parse("if x:\n    from pymodbus.client import y")) == {
        "pymodbus.client"
    }  # it would see


def test_only_one_function_makes_requests_and_it_makes_reading_ones() -> None:
    written = set()
    for function in range(256):
        try:
            written.add(wire.encode(wire.ReadRequest(1, function, 0, 1))[1])
        except ValueError:
            continue
    written.add(wire.encode(wire.IdentifyRequest(1))[1])
    assert written == READING
    assert {each.name for each in fields(wire.ReadRequest)} == {"unit", "function", "address", "count"}
    assert {each.name for each in fields(wire.IdentifyRequest)} == {"unit", "code", "object_id"}
    # What is sent goes through `encode`: nothing else in the package hands bytes to a frame or a transport.
    senders = {
        path.name
        for path in (AGENT / "modbus").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"write", "writelines", "send", "sendall"}
    }
    assert senders == {"channel.py", "serial_line.py"}
    framed = [
        name
        for name, part in inspect.getmembers(Bus, inspect.isfunction)
        if "._frame(" in inspect.getsource(part) or "encode(" in inspect.getsource(part)
    ]
    assert set(framed) == {"ask", "_outdate", "_once"}


@dataclass
class Recording:
    """What passed through a proxy."""

    port: int = 0
    connections: list[bytearray] = field(default_factory=list)  # what was asked over each

    def requests(self) -> list[tuple[int, int]]:
        """Return unit and function of each request."""
        found = []
        for asked in self.connections:
            at = 0
            while at < len(asked):
                found.append((asked[at + 6], asked[at + 7]))
                at += 6 + struct.unpack_from(">H", asked, at + 4)[0]
            assert at == len(asked), "a request that does not fill its frame"
        return found


@asynccontextmanager
async def recording(port: int) -> AsyncIterator[Recording]:
    """Pass everything on to a port, and keep what was asked."""
    record = Recording()
    writers: list[asyncio.StreamWriter] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keep: bytearray) -> None:
        try:
            while data := await reader.read(4096):
                keep += data
                writer.write(data)
        except OSError:
            pass
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        record.connections.append(asked := bytearray())
        there_reader, there = await asyncio.open_connection("127.0.0.1", port)
        writers.extend((writer, there))
        await asyncio.gather(copy(reader, there, asked), copy(there_reader, writer, bytearray()))

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    record.port = proxy.sockets[0].getsockname()[1]
    try:
        yield record
    finally:
        proxy.close()
        for writer in writers:
            writer.close()
        await proxy.wait_closed()


CONFIG = """
agent: aoba-1
site: aoba
time_zone: Asia/Tokyo
broker: {{host: 127.0.0.1, port: {broker}}}
required_ledgers: [hq]
metrics_port: null
registers: {{every_s: 1, boundary_margin_ms: 0, spread: false}}
samples: {{every_s: 1, spread: false}}
gateways:
  gw: {{host: 127.0.0.1, port: {port}}}
devices:
"""


async def test_an_agent_with_every_profile_sends_nothing_but_reading_requests(
    free_port: Callable[[], int], tmp_path: Path
) -> None:
    """Both lanes are polled and each unit is asked what it is, until every unit was asked often."""
    port = free_port()
    server = ModbusServer(host="127.0.0.1", port=port, no_block=True)
    server.start()
    try:
        async with recording(port) as record, asyncio.timeout(60):
            units = list(enumerate(sorted(profile_ids()), 1))
            lines = [CONFIG.format(broker=free_port(), port=record.port)] + [
                f"  - {{id: D{unit}, profile: {profile}, modbus: {{gateway: gw, unit: {unit}}}}}\n"
                for unit, profile in units
            ]
            (tmp_path / "agent.yaml").write_text("".join(lines), encoding="utf-8")
            running = asyncio.create_task(serve(load_agent(tmp_path / "agent.yaml"), WallClock()))
            while len(asked := record.requests()) < 200 or {unit for unit, _ in asked} < {
                u for u, _ in units
            }:
                await asyncio.sleep(0.05)
                assert not running.done()
            os.kill(os.getpid(), signal.SIGTERM)
            await running
            functions = {function for _, function in record.requests()}
            assert functions <= READING
            assert functions >= {3, 4, 43}

            client = AsyncModbusTcpClient("127.0.0.1", port=record.port)  # the negative control
            await client.connect()
            await client.write_register(100, 1, device_id=1)
            client.close()
            assert {function for _, function in record.requests()} - READING == {6}
    finally:
        server.stop()
