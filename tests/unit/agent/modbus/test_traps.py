"""What a general client takes for an answer, and ours does not: each trap is first shown to be one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusIOException

from agent.modbus.bus import RefusedError
from agent.modbus.wire import ReadRequest
from core.errors import Unreachable
from tests.unit.agent.fake_modbus import Answer, Asked, Send, fake_meter, refusal, reply
from tests.unit.agent.modbus.fakes import bus_over, link_to, peer, rtu_reply, words

RIGHT = (1, 2)
WRONG = (9, 9)
REQUEST = ReadRequest(unit=7, function=3, address=100, count=2)


@asynccontextmanager
async def general_client(port: int, **options: Any) -> AsyncIterator[AsyncModbusTcpClient]:
    """Return a pymodbus client."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port, **{"timeout": 0.2, "retries": 0} | options)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


async def right(asked: Asked, send: Send) -> None:
    send(reply(asked, RIGHT))


async def silence(asked: Asked, send: Send) -> None:
    pass


async def test_an_exception_is_raised_and_cannot_be_mistaken_for_registers() -> None:
    async def refuse(asked: Asked, send: Send) -> None:
        send(refusal(asked, 2))

    async with fake_meter(refuse) as meter:
        async with general_client(meter.port) as client:
            assert (await client.read_holding_registers(100, count=2, device_id=7)).isError()  # returned
        async with bus_over(link_to(meter.port)) as bus:
            with pytest.raises(RefusedError):
                await bus.ask(REQUEST)


async def wrong_function(asked: Asked, send: Send) -> None:
    send(reply(asked, WRONG, function=4))


async def fewer_registers(asked: Asked, send: Send) -> None:
    send(reply(asked, WRONG[:1]))


async def no_transaction(asked: Asked, send: Send) -> None:
    send(reply(asked, WRONG, transaction_id=0))


@pytest.mark.parametrize("answer", [wrong_function, fewer_registers, no_transaction])
async def test_a_reply_with_the_wrong_function_length_or_number_is_none(answer: Answer) -> None:
    async with fake_meter(answer) as meter:
        async with general_client(meter.port) as client:
            taken = await client.read_holding_registers(100, count=2, device_id=7)
            assert taken.registers[0] == WRONG[0]  # taken for an answer
        async with bus_over(link_to(meter.port)) as bus:
            with pytest.raises(Unreachable, match="wrong reply"):
                await bus.ask(REQUEST)


async def test_unit_0_is_never_asked_for_any_unit_may_answer_it() -> None:
    async def another(asked: Asked, send: Send) -> None:
        send(reply(asked, WRONG, unit=9))

    async with fake_meter(another) as meter:
        async with general_client(meter.port) as client:
            taken = await client.read_holding_registers(100, count=2, device_id=0, no_response_expected=False)
            assert list(taken.registers) == list(WRONG)
        async with bus_over(link_to(meter.port)) as bus:
            with pytest.raises(ValueError, match="not a request"):
                await bus.ask(ReadRequest(0, 3, 100, 2))


async def test_a_silent_unit_costs_one_request_and_one_deadline() -> None:
    async with fake_meter(silence) as meter:
        async with general_client(meter.port, timeout=0.05, retries=3) as client:
            with pytest.raises(ModbusIOException):
                await client.read_holding_registers(100, count=2, device_id=7)
            tries = [asked.transaction_id for asked in meter.asked]
            assert tries == tries[:1] * 4  # four deadlines under one lock, and one number for all
        meter.asked.clear()
        async with bus_over(link_to(meter.port)) as bus:
            for _ in range(2):
                with pytest.raises(Unreachable, match="No reply"):
                    await bus.ask(REQUEST, within_s=0.05)
            tries = [asked.transaction_id for asked in meter.asked]
            assert len(tries) == len(set(tries)) == 2


async def test_silent_units_do_not_cost_the_others_their_connection() -> None:
    async def seven_is_silent(asked: Asked, send: Send) -> None:
        if asked.unit != 7:
            send(reply(asked, RIGHT))

    async with fake_meter(seven_is_silent) as meter:
        async with general_client(meter.port, timeout=0.02, reconnect_delay=300) as client:
            with pytest.raises(ConnectionException):  # closed, and not opened again for a long time
                for _ in range(20):
                    with contextlib.suppress(ModbusIOException):
                        await client.read_holding_registers(100, count=2, device_id=7)
        async with bus_over(link_to(meter.port)) as bus:
            for _ in range(8):
                with pytest.raises(Unreachable):
                    await bus.ask(REQUEST, within_s=0.02)
                assert (await bus.ask(ReadRequest(8, 3, 100, 2))).data == words(*RIGHT)


async def test_a_cancelled_request_on_a_line_without_numbers_never_answers_the_next() -> None:
    turn = asyncio.Lock()
    first = True

    async def in_order(data: bytes, send: Send) -> None:
        nonlocal first
        unit, function, address, count = struct.unpack(">BBHH", data[:6])
        async with turn:
            if first:
                first = False
                await asyncio.sleep(0.08)
            gateway.say(rtu_reply(unit, function, words(*([address] * count))))

    async with peer(in_order) as gateway:
        async with general_client(gateway.port, framer=FramerType.RTU) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.read_holding_registers(100, count=2, device_id=7), 0.03)
            taken = await client.read_holding_registers(200, count=2, device_id=7)
            assert list(taken.registers) == [100, 100]  # of other registers
        first = True
        async with bus_over(link_to(gateway.port, framing="rtu")) as bus:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(bus.ask(REQUEST), 0.03)
            for _ in range(20):
                try:
                    got = await bus.ask(ReadRequest(7, 3, 200, 2), within_s=0.2)
                except Unreachable:
                    continue
                assert got.data == words(200, 200)
                return
            pytest.fail("it never answers again")


async def test_nothing_is_logged_per_request(caplog: pytest.LogCaptureFixture) -> None:
    async with fake_meter(right) as meter, bus_over(link_to(meter.port)) as bus:
        with caplog.at_level(logging.DEBUG):
            for _ in range(3):
                await bus.ask(REQUEST)
        assert [record for record in caplog.records if record.name.startswith("agent")] == []
