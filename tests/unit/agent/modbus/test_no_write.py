"""Whatever a unit does, what leaves the bus is a request to read."""

from __future__ import annotations

import random

import pytest

from agent.modbus.bus import RefusedError
from agent.modbus.framing import Mbap, Rtu
from agent.modbus.stale import Unanswered
from agent.modbus.wire import IdentifyRequest, ReadRequest, Request, encode
from core.errors import Unreachable
from tests.unit.agent.modbus.fakes import bus_over, link_to, peer

READING = {1, 2, 3, 4, 43}


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
async def test_only_reading_leaves_the_bus_whatever_comes_back(framing: str) -> None:
    rng = random.Random(1)
    at = 7 if framing == "tcp" else 1

    async def anything(data: bytes, send: object) -> None:
        assert callable(send)
        send(data[:at] + rng.randbytes(rng.randrange(12)))

    async with peer(anything) as device, bus_over(link_to(device.port, framing=framing)) as bus:
        requests: list[Request] = [ReadRequest(7, function, 100, 2) for function in (1, 2, 3, 4)]
        for request in [*requests, IdentifyRequest(7)] * 8:
            with pytest.raises((Unreachable, RefusedError)):
                await bus.ask(request, within_s=0.01)
        assert len(device.heard) >= 30
        for data in device.heard:
            assert data[at] in READING
            assert len(data) == (11 if data[at] == 43 else 12) - (0 if framing == "tcp" else 4)
            assert data[at] != 43 or data[at + 1] == 14


def test_no_request_can_be_made_that_is_framed_as_a_write() -> None:
    rng = random.Random(2)
    for _ in range(2_000):
        request = ReadRequest(rng.randint(1, 247), rng.choice((1, 2, 3, 4)), rng.randrange(65_000), 1)
        owed = Unanswered()
        owed.gave_up(request, 0.0)
        other = owed.to_ask_first(request, 0.0)
        assert other is not None
        for each in (request, other):
            adu = encode(each)
            assert adu[1] in READING
            assert Mbap.frame(adu, 1)[7] == Rtu.frame(adu, 1)[1] == adu[1]
