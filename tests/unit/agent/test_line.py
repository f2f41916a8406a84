"""A late, foreign or garbled reply never becomes a value, and nothing old answers a new question."""

from __future__ import annotations

import asyncio
import random
import struct

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from agent.modbus.line import ModbusLine, RefusedError
from agent.modbus.wire import ReadRequest
from core.errors import Unreachable
from tests.unit.agent.fake_modbus import Answer, Asked, Send, fake_meter, refusal, reply

RIGHT = (1, 2)
WRONG = (9, 9)
REQUEST = ReadRequest(unit=7, function=3, address=100, count=2)
DEADLINE_S = 0.15


async def right(asked: Asked, send: Send) -> None:
    send(reply(asked, RIGHT))


def line_to(port: int) -> ModbusLine:
    return ModbusLine("127.0.0.1", port, now_ms=lambda: 1_000)


def sends(*frames: bytes | dict[str, int]) -> Answer:
    async def answer(asked: Asked, send: Send) -> None:
        for frame in frames:
            send(reply(asked, WRONG, **frame) if isinstance(frame, dict) else frame)

    return answer


async def late(asked: Asked, send: Send) -> None:
    await asyncio.sleep(2 * DEADLINE_S)
    send(reply(asked, WRONG))


async def half_now_half_late(asked: Asked, send: Send) -> None:
    frame = reply(asked, WRONG)
    send(frame[:9])
    await asyncio.sleep(2 * DEADLINE_S)
    send(frame[9:])


async def drip(asked: Asked, send: Send) -> None:
    for byte in reply(asked, WRONG):
        send(bytes([byte]))
        await asyncio.sleep(DEADLINE_S / 5)


async def silence(asked: Asked, send: Send) -> None:
    pass


async def fewer(asked: Asked, send: Send) -> None:
    send(reply(asked, WRONG[:1]))


async def more(asked: Asked, send: Send) -> None:
    send(reply(asked, (*WRONG, 9)))


FAULTS: dict[str, tuple[Answer, str]] = {
    "late": (late, "within"),
    "half now, half late": (half_now_half_late, "within"),
    "one byte at a time": (drip, "within"),
    "no answer": (silence, "within"),
    "another transaction": (sends({"transaction_id": 0x7777}), "within"),
    "transaction 0": (sends({"transaction_id": 0}), "transaction id 0"),
    "another unit": (sends({"unit": 8}), "unit 8 answered for unit 7"),
    "unit 0": (sends({"unit": 0}), "unit 0 answered for unit 7"),
    "another function": (sends({"function": 4}), "function 4 answered to function 3"),
    "function of a write": (sends({"function": 16}), "function 16 answered"),
    "fewer registers": (fewer, "1 registers instead of 2"),
    "more registers": (more, "3 registers instead of 2"),
    "wrong byte count": (sends({"bytes": 6}), "byte count 6"),
    "another protocol": (sends({"protocol": 1}), "protocol id 1"),
    "length 0": (sends({"length": 0}), "impossible length 0"),
    "length of a whole page": (sends({"length": 5000}), "impossible length 5000"),
    "a web server": (sends(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "protocol id"),
    "RTU on a TCP port": (sends(bytes.fromhex("07 03 04 00 09 00 09 8c 37")), "protocol id"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_wrong_reply_is_no_value_and_the_next_one_comes_over_a_new_connection(name: str) -> None:
    answer, seen = FAULTS[name]
    async with fake_meter(right) as meter:
        line = line_to(meter.port)
        assert (await line.read(REQUEST, timeout_s=1))[0] == list(RIGHT)
        meter.answer = answer
        with pytest.raises(Unreachable) as caught:
            await line.read(REQUEST, timeout_s=DEADLINE_S)
        assert seen in caught.value.evidence
        assert caught.value.where == f"127.0.0.1:{meter.port} unit 7"
        meter.answer = right
        if answer in (late, half_now_half_late):
            await asyncio.sleep(1.2 * DEADLINE_S)  # the late reply is sent in this time
        assert (await line.read(REQUEST, timeout_s=1))[0] == list(RIGHT)
        assert meter.connections == 2
        line.close()


async def test_a_reply_to_an_earlier_request_is_passed_over() -> None:
    async def stale_then_right(asked: Asked, send: Send) -> None:
        send(reply(asked, WRONG, transaction_id=asked.transaction_id + 1) + reply(asked, RIGHT))

    async with fake_meter(stale_then_right) as meter:
        line = line_to(meter.port)
        assert (await line.read(REQUEST, timeout_s=1))[0] == list(RIGHT)
        line.close()


async def test_a_cancelled_request_is_never_answered_by_the_next_question() -> None:
    arrived = asyncio.Event()

    async def arrives_and_is_late(asked: Asked, send: Send) -> None:
        arrived.set()
        await late(asked, send)

    async with fake_meter(arrives_and_is_late) as meter:
        line = line_to(meter.port)
        asking = asyncio.create_task(line.read(REQUEST, timeout_s=5))
        await arrived.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        meter.answer = right
        assert (await line.read(REQUEST, timeout_s=1))[0] == list(RIGHT)
        assert meter.connections == 2
        line.close()


async def test_garbled_replies_never_become_a_value() -> None:
    rng = random.Random(20240201)

    async def garbled(asked: Asked, send: Send) -> None:
        frame = bytearray(reply(asked, WRONG))
        for _ in range(rng.randint(1, 3)):  # in the header: a flipped bit in the data cannot be seen over TCP
            frame[rng.randrange(9)] ^= 1 << rng.randrange(8)
        if frame == reply(asked, WRONG):
            frame[6] ^= 1
        send(bytes(frame))

    async with fake_meter(garbled) as meter:
        line = line_to(meter.port)
        for _ in range(200):
            with pytest.raises((Unreachable, RefusedError)):
                await line.read(REQUEST, timeout_s=0.02)
        line.close()


async def test_a_connection_that_the_gateway_closed_while_idle_costs_no_reading() -> None:
    async with fake_meter(right) as meter:
        line = line_to(meter.port)
        await line.read(REQUEST, timeout_s=1)
        meter.close_connections()
        assert (await line.read(REQUEST, timeout_s=1))[0] == list(RIGHT)
        assert meter.connections == 2
        line.close()


async def test_a_gateway_that_closes_instead_of_answering_is_noticed_at_once() -> None:
    async def close(asked: Asked, send: Send) -> None:
        meter.close_connections()

    async with fake_meter(close) as meter, asyncio.timeout(2):
        line = line_to(meter.port)
        with pytest.raises(Unreachable, match="broke off"):
            await line.read(REQUEST, timeout_s=60)
        assert meter.connections == 1
        line.close()


async def test_one_request_in_flight_and_units_take_turns() -> None:
    async def slow(asked: Asked, send: Send) -> None:
        await asyncio.sleep(0.005)
        send(reply(asked, RIGHT))

    async def poll(unit: int) -> None:
        for _ in range(4):
            await line.read(ReadRequest(unit, 3, 100, 2), timeout_s=1)

    async with fake_meter(slow) as meter:
        line = line_to(meter.port)
        await asyncio.gather(*(poll(unit) for unit in (1, 2, 3)))
        assert meter.most_in_flight == 1
        assert meter.connections == 1
        assert [asked.unit for asked in meter.asked] == [1, 2, 3] * 4
        line.close()


@pytest.mark.parametrize("code", [1, 2, 3])
async def test_what_the_device_does_not_have_is_a_refusal_that_names_the_registers(code: int) -> None:
    async def refuse(asked: Asked, send: Send) -> None:
        send(refusal(asked, code))

    async with fake_meter(refuse) as meter:
        line = line_to(meter.port)
        with pytest.raises(RefusedError, match="registers 100 to 101") as caught:
            await line.read(REQUEST, timeout_s=1)
        assert f"exception 0{code}" in caught.value.evidence
        line.close()


@pytest.mark.parametrize("code", [4, 5, 6, 10, 11])
async def test_a_busy_or_absent_unit_is_silent_and_the_connection_stays(code: int) -> None:
    async def refuse(asked: Asked, send: Send) -> None:
        send(refusal(asked, code) if asked.unit == 7 else reply(asked, RIGHT))

    async with fake_meter(refuse) as meter:
        line = line_to(meter.port)
        with pytest.raises(Unreachable, match="cannot answer now"):
            await line.read(REQUEST, timeout_s=1)
        assert (await line.read(ReadRequest(8, 3, 100, 2), timeout_s=1))[0] == list(RIGHT)
        assert meter.connections == 1
        line.close()


@pytest.mark.parametrize(
    "request_",
    [
        ReadRequest(0, 3, 0, 1),
        ReadRequest(256, 3, 0, 1),
        ReadRequest(1, 6, 0, 1),
        ReadRequest(1, 16, 0, 1),
        ReadRequest(1, 3, 0, 0),
        ReadRequest(1, 3, 0, 126),
    ],
)
async def test_other_requests_are_never_sent(request_: ReadRequest) -> None:
    async with fake_meter(right) as meter:
        with pytest.raises(ValueError, match="not a request"):
            await line_to(meter.port).read(request_, timeout_s=1)
        assert meter.connections == 0


async def test_nothing_listens(unused_tcp_port: int) -> None:
    with pytest.raises(Unreachable) as caught:
        await line_to(unused_tcp_port).read(REQUEST, timeout_s=1)
    assert caught.value.evidence == "Connection refused"
    assert caught.value.next == f"nc -vz 127.0.0.1 {unused_tcp_port}"


async def test_the_time_of_a_reading_is_the_middle_of_its_request(unused_tcp_port: int) -> None:
    times = iter([1_000, 1_501])
    async with fake_meter(right) as meter:
        line = ModbusLine("127.0.0.1", meter.port, now_ms=lambda: next(times))
        assert (await line.read(REQUEST, timeout_s=1))[1] == 1_250
        line.close()


@pytest.mark.parametrize("function", [3, 4])
async def test_a_real_server(function: int, unused_tcp_port: int) -> None:
    words = [struct.unpack(">H", struct.pack(">h", value))[0] for value in range(-60, 65)]
    device = SimDevice(7, simdata=[SimData(100, values=words, datatype=DataType.REGISTERS)])
    server = ModbusTcpServer(device, address=("127.0.0.1", unused_tcp_port))
    await server.serve_forever(background=True)
    line = line_to(unused_tcp_port)
    try:
        got, time_ms = await line.read(ReadRequest(7, function, 100, 125), timeout_s=1)
        assert (list(got), time_ms) == (words, 1_000)
        with pytest.raises(RefusedError):
            await line.read(ReadRequest(7, function, 200, 125), timeout_s=1)
        assert list((await line.read(ReadRequest(7, function, 101, 1), timeout_s=1))[0]) == words[1:2]
    finally:
        line.close()
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus does not annotate it
