"""Simulated devices over every transport, read by a bare client and by programs of other makes."""

from __future__ import annotations

import asyncio
import re
import ssl
import struct
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pyModbusTCP.client import ModbusClient  # type: ignore[import-untyped]  # it ships no types

from simulators.cells import Cell, RegisterMap, constant
from simulators.modbus import Meter, ServerTls, serve_meters, serve_serial
from simulators.modbus.framing import RtuFraming, crc16
from simulators.products import product_meter
from tests.parts import MBPOLL, SOCAT, require
from tests.unit.simulators.peer import UNBALANCED, Constant, Time, peer, read

NOW = Time()
COUNTING = Cell("uint32", lambda time_ms: 70_000 + time_ms, counter=True)


def some_meter() -> Meter:
    return Meter(
        {100: COUNTING, 105: constant(1, 2, 3), 200: constant(9)},
        bits={10: lambda _: True, 11: lambda _: False, 12: lambda time_ms: time_ms > 0, 18: lambda _: True},
        identity={0: "Maker", 1: "M-1", 2: "2.0", 4: "A" * 200, 5: "B" * 200},
        longest_gap=3,
    )


async def test_registers_are_computed_for_the_moment_and_short_gaps_are_read_along() -> None:
    time = Time(5)
    async with serve_meters({1: some_meter()}, port=0, now_ms=time.get) as line, peer(line.port) as client:
        assert await client.words(100, 2) == (1, 70_005 - 65_536)
        time.ms = 1_000_000
        assert await client.words(100, 8) == (*divmod(1_070_000, 65_536), 0xFFFF, 0xFFFF, 0xFFFF, 1, 2, 3)
        assert await client.words(101, 6, function=4) == (1_070_000 % 65_536, *[0xFFFF] * 3, 1, 2)
        assert [
            (each.unit, each.function, each.address, each.count, each.time_ms) for each in line.asked
        ] == [
            (1, 3, 100, 2, 5),
            (1, 3, 100, 8, 1_000_000),
            (1, 4, 101, 6, 1_000_000),
        ]


@pytest.mark.parametrize(
    ("pdu", "code"),
    [
        (read(99, 1), 2),
        (read(107, 2), 2),
        (read(150, 1), 2),
        (read(65_535, 2), 2),
        (read(100, 0), 3),
        (read(100, 126), 3),
        (read(0, 2001, function=1), 3),
        (read(10, 4, function=2), 2),
        (struct.pack(">BHH", 6, 100, 1), 1),
        (struct.pack(">BHHBH", 16, 100, 1, 2, 1), 1),
        (b"\x2b\x0d\x00", 1),
        (b"\x2b\x0e\x07\x00", 3),
        (b"\x2b\x0e\x04\x09", 2),
        (b"\x07", 1),
    ],
)
async def test_what_a_real_device_refuses_is_refused(pdu: bytes, code: int) -> None:
    async with serve_meters({1: some_meter()}, port=0, now_ms=NOW.get) as line, peer(line.port) as client:
        assert await client.ask(pdu) == bytes((pdu[0] | 0x80, code))
        assert line.writes == ([pdu] if pdu[0] in (6, 7, 16) else [])


async def test_a_product_knows_its_own_function_and_no_other() -> None:
    meter = product_meter("eastron_sdm630", Constant(), UNBALANCED)
    async with serve_meters({1: meter}, port=0, now_ms=NOW.get) as line, peer(line.port) as client:
        assert await client.ask(read(0, 2)) == b"\x83\x01"
        assert (await client.ask(read(0, 2, function=4)))[0] == 4


async def test_a_meter_whose_addresses_number_values_of_two_words() -> None:
    meter = product_meter("omron_km50", Constant(opening=12_345_678_901), UNBALANCED)
    async with serve_meters({1: meter}, port=0, now_ms=NOW.get) as line, peer(line.port) as client:
        both = await client.words(0x20, 4)
        assert both == (0, 12, *divmod(345_678_901, 65_536))
        assert await client.words(0x21, 2) == both[2:]
        assert await client.ask(read(0, 22)) == b"\x83\x03"
        assert await client.ask(read(0x42, 2)) == b"\x83\x02"


async def test_bits_are_packed_from_the_lowest_on() -> None:
    async with serve_meters({1: some_meter()}, port=0, now_ms=Time(1).get) as line, peer(line.port) as client:
        assert await client.ask(read(10, 3, function=1)) == b"\x01\x01\x05"
        assert await client.ask(read(18, 1, function=2)) == b"\x02\x01\x01"


async def test_identification_goes_on_where_a_reply_is_full() -> None:
    async with serve_meters({1: some_meter()}, port=0, now_ms=NOW.get) as line, peer(line.port) as client:
        basic = await client.ask(b"\x2b\x0e\x01\x00")
        assert basic == b"\x2b\x0e\x01\x83\x00\x00\x03" + b"\x00\x05Maker\x01\x03M-1\x02\x032.0"
        regular = await client.ask(b"\x2b\x0e\x02\x00")
        assert regular[4:7] == b"\xff\x05\x04"  # more follows, from object 5; four are told
        rest = await client.ask(b"\x2b\x0e\x02\x05")
        assert rest == b"\x2b\x0e\x02\x83\x00\x00\x01\x05\xc8" + b"B" * 200
        assert await client.ask(b"\x2b\x0e\x04\x01") == b"\x2b\x0e\x04\x83\x00\x00\x01\x01\x03M-1"


async def test_units_share_a_socket_and_a_dead_one_is_silent_or_answered_for() -> None:
    units: dict[int, RegisterMap] = {7: {0: constant(70)}, 8: {0: constant(80)}}
    async with serve_meters(units, port=0, now_ms=NOW.get) as line, peer(line.port) as client:
        assert await client.words(0, 1, unit=7) == (70,)
        assert await client.raw(read(0, 1), unit=9) == b""
        assert await client.words(0, 1, unit=8) == (80,)
    async with serve_meters(units, port=0, now_ms=NOW.get, gateway=True) as line, peer(line.port) as client:
        assert await client.ask(read(0, 1), unit=9) == b"\x83\x0b"


async def test_requests_in_pieces_and_in_one_piece_are_all_answered_in_order() -> None:
    async with serve_meters({1: some_meter()}, port=0, now_ms=NOW.get) as line, peer(line.port) as client:
        frame = struct.pack(">HHHB", 9, 0, 6, 1) + read(200, 1)
        for byte in frame:
            client.writer.write(bytes((byte,)))
            await client.writer.drain()
            await asyncio.sleep(0)
        assert await client.heard(0.05) == bytes.fromhex("0009 0000 0005 01 03 02 0009")
        client.writer.write(frame * 3)
        assert len(await client.heard(0.05)) == 3 * 11
        client.writer.write(b"GET / HTTP/1.1\r\n\r\n")  # no Modbus: dropped
        assert await client.heard(0.05) == b""
        assert await client.words(200, 1) == (9,)


async def test_a_gateway_takes_so_many_sockets_and_no_more() -> None:
    async with serve_meters({1: some_meter()}, port=0, now_ms=NOW.get, max_sockets=1) as line:
        async with peer(line.port) as first, peer(line.port) as second:
            assert await first.words(200, 1) == (9,)
            assert await asyncio.wait_for(second.reader.read(), 1) == b""
            assert (line.connections, line.refused_connections) == (1, 1)
        await asyncio.sleep(0.01)
        async with peer(line.port) as third:
            assert await third.words(200, 1) == (9,)


async def test_rtu_over_tcp_answers_what_has_a_right_checksum() -> None:
    async with serve_meters({1: some_meter()}, port=0, now_ms=NOW.get, framing="rtu") as line:
        async with peer(line.port) as client:
            good = b"\x01" + read(200, 1)
            client.writer.write(good + b"\x00\x00")
            assert await client.heard(0.05) == b""
            client.writer.write(b"\xff\x01" + good + crc16(good))  # noise before it
            assert await client.heard(0.05) == b"\x01\x03\x02\x00\x09" + crc16(b"\x01\x03\x02\x00\x09")
        other = AsyncModbusTcpClient("127.0.0.1", port=line.port, framer=FramerType.RTU, timeout=1)
        await other.connect()
        try:
            reply = await other.read_holding_registers(105, count=3, device_id=1)
            assert reply.registers == [1, 2, 3]
            written = await other.write_register(105, 7, device_id=1)
            assert written.isError() and line.writes == [b"\x06\x00\x69\x00\x07"]
        finally:
            other.close()


def test_a_write_of_many_registers_is_cut_by_its_own_length() -> None:
    frame = b"\x01" + struct.pack(">BHHB2H", 16, 100, 2, 4, 1, 2)
    buffer = bytearray(frame + crc16(frame) + b"\x01")
    request = RtuFraming().cut(buffer)
    assert request is not None and request.pdu == frame[1:]
    assert buffer == b"\x01"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, its key, and another such pair."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("server", "client"):
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
                *("-nodes", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem", "-days", "2"),
                *("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
            ],
            check=True,
            capture_output=True,
        )
    return folder


async def test_tls_demands_a_certificate_that_it_knows(certificates: Path) -> None:
    tls = ServerTls(
        certificates / "server.pem", certificates / "server.key", clients_ca=certificates / "client.pem"
    )
    context = ssl.create_default_context(cafile=certificates / "server.pem")
    async with asyncio.timeout(10), serve_meters({1: some_meter()}, port=0, now_ms=NOW.get, tls=tls) as line:
        frame = struct.pack(">HHHB", 9, 0, 6, 1) + read(200, 1)
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            reader, writer = await asyncio.open_connection("127.0.0.1", line.port, ssl=context)
            writer.write(frame)
            await reader.readexactly(11)
        context.load_cert_chain(certificates / "client.pem", certificates / "client.key")
        reader, writer = await asyncio.open_connection("127.0.0.1", line.port, ssl=context)
        writer.write(frame)
        assert (await reader.readexactly(11))[-2:] == b"\x00\x09"
        writer.close()


@pytest.fixture
def serial_pair(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Two ends of a serial line."""
    ends = tmp_path / "meter", tmp_path / "client"
    command = [str(require(SOCAT)), *(f"pty,raw,echo=0,link={end}" for end in ends)]
    with subprocess.Popen(command) as socat:
        for _ in range(500):
            if all(end.exists() for end in ends):
                break
            subprocess.run(["sleep", "0.01"], check=True)  # because socat makes its ends in its own time
        yield ends
        socat.terminate()


async def test_a_serial_line_is_read_by_pymodbus_and_mbpoll(serial_pair: tuple[Path, Path]) -> None:
    async with serve_serial({1: some_meter()}, path=serial_pair[0], now_ms=NOW.get, parity="none") as line:
        client = AsyncModbusSerialClient(str(serial_pair[1]), baudrate=9600, timeout=1)
        await client.connect()
        try:
            reply = await client.read_holding_registers(100, count=8, device_id=1)
            assert reply.registers[5:] == [1, 2, 3]
        finally:
            client.close()
        program = require(MBPOLL)
        shown = await asyncio.to_thread(
            mbpoll, [program, "-m", "rtu", "-b", "9600", "-P", "none", "-r", "105", "-c", "3", serial_pair[1]]
        )
        assert shown == {105: "1", 106: "2", 107: "3"}
        assert line.requests == 2


def mbpoll(command: list[object]) -> dict[int, str]:
    """Return what mbpoll shows, by reference."""
    options = ["-a", "1", "-0", "-1"]
    done = subprocess.run(
        [str(command[0]), *options, *map(str, command[1:])],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {int(key): value for key, value in re.findall(r"^\[(\d+)\]:\s+(\S+)", done.stdout, re.M)}


async def test_mbpoll_reads_floats_and_integers_of_products() -> None:
    program = require(MBPOLL)
    source = Constant()
    units = {
        1: product_meter("schneider_pm5xxx", source, UNBALANCED),
    }
    async with serve_meters(units, port=0, now_ms=NOW.get) as line:
        at = ["-p", str(line.port), "127.0.0.1"]
        shown = await asyncio.to_thread(
            mbpoll, [program, "-t", "4:float", "-B", "-r", "3059", "-c", "1", *at]
        )
        assert float(shown[3059]) == pytest.approx(source.watts / 1000, rel=1e-5)
    units = {1: product_meter("carlo_gavazzi_em24_rtu", source, UNBALANCED)}
    async with serve_meters(units, port=0, now_ms=NOW.get) as line:  # without -B: low word first
        shown = await asyncio.to_thread(
            mbpoll, [program, "-t", "3:int", "-r", str(0x42), "-c", "1", "-p", str(line.port), "127.0.0.1"]
        )
        assert int(shown[0x42]) == source.opening // 100  # Wh to tenths of a kWh


async def test_pymodbustcp_reads_and_is_refused() -> None:
    async with serve_meters({1: some_meter()}, port=0, now_ms=NOW.get) as line:

        def ask() -> tuple[object, object, int]:
            client = ModbusClient("127.0.0.1", line.port, unit_id=1, timeout=1)
            good, hole = client.read_holding_registers(105, 3), client.read_holding_registers(300, 1)
            client.close()
            return good, hole, client.last_except

        assert await asyncio.to_thread(ask) == ([1, 2, 3], None, 2)


async def test_500_devices_on_50_gateways_all_answer() -> None:
    async with AsyncExitStack() as stack:
        ports = []
        for gateway in range(50):
            units = {
                unit: product_meter("schneider_pm5xxx", Constant(opening=100 * gateway + unit), UNBALANCED)
                for unit in range(1, 11)
            }
            line = await stack.enter_async_context(serve_meters(units, port=0, now_ms=NOW.get))
            ports.append(line.port)

        async def ask(port: int) -> list[int]:
            async with peer(port) as client:
                return [(await client.words(3203, 4, unit=unit))[-1] for unit in range(1, 11)]

        async with asyncio.timeout(20):
            found = await asyncio.gather(*map(ask, ports))
    assert found == [[100 * gateway + unit for unit in range(1, 11)] for gateway in range(50)]
