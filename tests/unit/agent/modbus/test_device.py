"""A device that lacks registers loses only those points, and they are named."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from agent.modbus.device import PROBE_AFTER_MS, ModbusDevice
from agent.modbus.line import ModbusLine
from agent.modbus.plan import RegisterPoint
from config.profile import ValueType, WordOrder
from core.delivery.frames import Lane
from core.delivery.payload import BAD, GOOD, TakenReading
from core.errors import Unreachable
from tests.unit.agent.fake_modbus import Answer, Asked, Send, fake_meter, refusal, reply


class Clock:
    def __init__(self) -> None:
        self.time_ms = 1_000

    def __call__(self) -> int:
        return self.time_ms


def point(name: str, address: int) -> RegisterPoint:
    return RegisterPoint(name, (address,), ValueType.UINT16, WordOrder.MSW_FIRST, 0xFFFF)


POINTS = (point("a", 0), point("b", 1), point("c", 10), point("far", 500))


def holds(*addresses: int, longest: int = 125) -> Answer:
    """Answer with each register's address + 1 as its value; refuse what is not held."""

    async def answer(asked: Asked, send: Send) -> None:
        wanted = range(asked.address, asked.address + asked.count)
        if asked.count > longest or not set(wanted) <= set(addresses):
            send(refusal(asked, 2))
        else:
            send(reply(asked, [at + 1 for at in wanted]))

    return answer


def device(port: int, clock: Clock, points: Sequence[RegisterPoint] = POINTS) -> ModbusDevice:
    line = ModbusLine("127.0.0.1", port, now_ms=clock)
    return ModbusDevice(
        line, unit=1, function=3, timeout_s=1, lanes={Lane.REGISTERS: points, Lane.SAMPLES: ()}
    )


async def read(source: ModbusDevice) -> dict[str, tuple[object, int]]:
    readings: list[TakenReading] = []
    await source.read(Lane.REGISTERS, readings)
    assert len({reading.point for reading in readings}) == len(readings)
    return {reading.point: (reading.count, reading.quality) for reading in readings}


ALL_GOOD = {"a": (1, GOOD), "b": (2, GOOD), "c": (11, GOOD), "far": (501, GOOD)}


async def test_points_near_each_other_are_read_together() -> None:
    async with fake_meter(holds(*range(11), 500)) as meter:
        source = device(meter.port, Clock())
        assert await read(source) == ALL_GOOD
        assert [(asked.address, asked.count) for asked in meter.asked] == [(0, 11), (500, 1)]
        await source.close()


async def test_holes_between_the_points_are_asked_around_from_then_on() -> None:
    async with fake_meter(holds(0, 1, 10, 500)) as meter:
        source = device(meter.port, Clock())
        assert await read(source) == ALL_GOOD
        meter.asked.clear()
        assert await read(source) == ALL_GOOD
        assert [(asked.address, asked.count) for asked in meter.asked] == [(0, 2), (10, 1), (500, 1)]
        await source.close()


async def test_a_device_that_answers_one_register_at_a_time_is_read_so() -> None:
    async with fake_meter(holds(0, 1, 10, 500, longest=1)) as meter:
        source = device(meter.port, Clock())
        for _ in range(3):
            assert await read(source) == ALL_GOOD
        meter.asked.clear()
        await read(source)
        assert [(asked.address, asked.count) for asked in meter.asked] == [(0, 1), (1, 1), (10, 1), (500, 1)]
        await source.close()


async def test_only_the_missing_register_is_left_out_named_and_tried_again_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    async with fake_meter(holds(0, *range(2, 11), 500)) as meter:
        source = device(meter.port, clock)
        without_b = ALL_GOOD | {"b": (None, BAD)}
        with caplog.at_level(logging.INFO):
            assert await read(source) == without_b
        (record,) = caplog.records
        assert record.getMessage().startswith("b is left out")
        assert "modbus 1 uint16" in record.__dict__["where"]
        assert "exception 02" in record.__dict__["seen"]

        meter.asked.clear()
        assert await read(source) == without_b
        assert all(asked.address != 1 for asked in meter.asked)

        meter.answer = holds(*range(11), 500)
        clock.time_ms += PROBE_AFTER_MS
        await read(source)
        assert await read(source) == ALL_GOOD
        await source.close()


async def test_what_was_read_before_the_device_fell_silent_is_kept() -> None:
    async def near_only(asked: Asked, send: Send) -> None:
        if asked.address == 0:
            send(reply(asked, [7] * asked.count))

    async with fake_meter(near_only) as meter:
        source = ModbusDevice(
            ModbusLine("127.0.0.1", meter.port, now_ms=Clock()),
            unit=1,
            function=3,
            timeout_s=0.1,
            lanes={Lane.REGISTERS: POINTS},
        )
        readings: list[TakenReading] = []
        with pytest.raises(Unreachable):
            await source.read(Lane.REGISTERS, readings)
        assert [(reading.point, reading.count) for reading in readings] == [("a", 7), ("b", 7), ("c", 7)]
        await source.close()


async def test_a_sentinel_is_a_bad_reading_without_a_count() -> None:
    async def sentinel(asked: Asked, send: Send) -> None:
        send(reply(asked, [0xFFFF] * asked.count))

    async with fake_meter(sentinel) as meter:
        source = device(meter.port, Clock(), POINTS[:1])
        assert await read(source) == {"a": (None, BAD)}
        await source.close()
