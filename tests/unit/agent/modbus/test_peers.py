"""Servers of other makes, over each transport; a server and a client of one library share their mistakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pymodbus import FramerType, ModbusDeviceIdentification
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from pyModbusTCP.server import DeviceIdentification, ModbusServer  # type: ignore[import-untyped]  # no stubs

from agent.modbus.bus import Bus, RefusedError
from agent.modbus.wire import IdentifyRequest, ReadRequest
from config.links import ModbusLink
from core.errors import Unreachable
from tests.unit.agent.modbus.fakes import bus_over, line_at, link_to, socat_pair, words

REGISTERS = [(31 * n) % 65_536 for n in range(130)]
BITS = [n % 3 == 0 for n in range(40)]
AS_BYTES = bytes(sum(bit << n for n, bit in enumerate(BITS[at : at + 8])) for at in range(0, 40, 8))
OBJECTS = b"\x00\x05Works\x01\x04PM-1\x02\x032.7"


@contextmanager
def py_modbus_tcp(port: int) -> Iterator[None]:
    """A server of pyModbusTCP, in its own threads."""
    identity = DeviceIdentification(vendor_name=b"Works", product_code=b"PM-1", major_minor_revision=b"2.7")
    running = ModbusServer(host="127.0.0.1", port=port, no_block=True, device_id=identity)
    running.data_bank.set_holding_registers(100, REGISTERS)
    running.data_bank.set_input_registers(100, REGISTERS[::-1])
    running.data_bank.set_coils(8, BITS)
    running.data_bank.set_discrete_inputs(8, BITS)
    running.start()
    try:
        yield
    finally:
        running.stop()


def pymodbus_device() -> tuple[SimDevice, ModbusDeviceIdentification]:
    """What a server of pymodbus serves: unit 7, registers only."""
    device = SimDevice(7, simdata=[SimData(100, values=REGISTERS, datatype=DataType.REGISTERS)])
    names = {"VendorName": "Works", "ProductCode": "PM-1", "MajorMinorRevision": "2.7"}
    return device, ModbusDeviceIdentification(info_name=names)  # type: ignore[no-untyped-call]  # not annotated


@asynccontextmanager
async def serving(server: Any) -> AsyncIterator[None]:
    await server.serve_forever(background=True)
    try:
        yield
    finally:
        await server.shutdown()


async def read_registers(bus: Bus) -> None:
    """Read what every server here has."""
    for count in (1, 2, 125):
        assert (await bus.ask(ReadRequest(7, 3, 100, count))).data == words(*REGISTERS[:count])
    assert (await bus.ask(ReadRequest(7, 3, 105, 125))).data == words(*REGISTERS[5:])
    identity = (await bus.ask(IdentifyRequest(7))).data
    assert identity[0] == 1  # basic, as asked
    assert identity[4:] == b"\x03" + OBJECTS


@pytest.mark.parametrize("connections", [1, 2])
async def test_py_modbus_tcp(unused_tcp_port: int, connections: int) -> None:
    with py_modbus_tcp(unused_tcp_port):
        async with bus_over(link_to(unused_tcp_port, connections=connections)) as bus:
            await read_registers(bus)
            assert (await bus.ask(ReadRequest(7, 4, 100, 3))).data == words(*REGISTERS[:-4:-1])
            for function in (1, 2):
                assert (await bus.ask(ReadRequest(7, function, 8, 40))).data == AS_BYTES
                assert (await bus.ask(ReadRequest(7, function, 8, 1))).data == b"\x01"
            assert (await bus.ask(ReadRequest(7, 1, 0, 2000))).data[1:6] == AS_BYTES


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
async def test_pymodbus_over_tcp(unused_tcp_port: int, framing: str) -> None:
    device, identity = pymodbus_device()
    server = ModbusTcpServer(
        device,
        framer=FramerType.RTU if framing == "rtu" else FramerType.SOCKET,
        identity=identity,
        address=("127.0.0.1", unused_tcp_port),
        ignore_missing_devices=True,
    )
    async with serving(server), bus_over(link_to(unused_tcp_port, framing=framing)) as bus:
        await read_registers(bus)
        with pytest.raises(RefusedError, match="registers 200 to 324") as caught:
            await bus.ask(ReadRequest(7, 3, 200, 125))
        assert caught.value.code == 2
        with pytest.raises(Unreachable):
            await bus.ask(ReadRequest(8, 3, 100, 1), within_s=0.05)
        await read_registers(bus)


async def test_pymodbus_on_a_serial_line(tmp_path: Path) -> None:
    device, identity = pymodbus_device()
    with socat_pair(tmp_path) as pair:
        server = ModbusSerialServer(device, identity=identity, port=str(pair.theirs), baudrate=115_200)
        async with serving(server), bus_over(line_at(pair.ours)) as bus:
            await read_registers(bus)
            with pytest.raises(RefusedError):
                await bus.ask(ReadRequest(7, 3, 200, 125))
            await read_registers(bus)
            assert bus.stats.connects == 1


@pytest.mark.parametrize("wrong", ["tcp", "rtu"])
async def test_the_wrong_framing_reads_nothing(unused_tcp_port: int, wrong: str) -> None:
    device, identity = pymodbus_device()
    framer = FramerType.RTU if wrong == "tcp" else FramerType.SOCKET
    server = ModbusTcpServer(device, framer=framer, identity=identity, address=("127.0.0.1", unused_tcp_port))
    link: ModbusLink = link_to(unused_tcp_port, framing=wrong)
    async with serving(server), bus_over(link) as bus:
        for _ in range(3):
            with pytest.raises(Unreachable):
                await bus.ask(ReadRequest(7, 3, 100, 2), within_s=0.1)
            await asyncio.sleep(0)
