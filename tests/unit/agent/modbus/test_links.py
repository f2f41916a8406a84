"""Transports on both kinds of event loop, their socket options, and how long a unit is waited for."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from agent.modbus.stale import FORGOTTEN_AFTER_S, Unanswered
from agent.modbus.timing import SHORTEST_S, UnitTiming
from agent.modbus.wire import IdentifyRequest, ReadRequest, encode
from core.errors import Unreachable
from tests.unit.agent.fake_modbus import Asked, Send, fake_meter, reply
from tests.unit.agent.modbus.fakes import bus_over, line_at, link_to, peer, rtu_reply, socat_pair, words
from tests.unit.agent.modbus.test_serial import station, well

REQUEST = ReadRequest(unit=7, function=3, address=100, count=2)


async def right(asked: Asked, send: Send) -> None:
    send(reply(asked, (1, 2)))


async def over_tcp(folder: Path) -> None:
    async def silence(asked: Asked, send: Send) -> None:
        pass

    async with fake_meter(right) as meter, bus_over(link_to(meter.port)) as bus:
        assert (await bus.ask(REQUEST)).data == words(1, 2)
        meter.answer = silence
        with pytest.raises(Unreachable, match="No reply"):
            await bus.ask(REQUEST, within_s=0.05)
        meter.answer = right
        assert (await bus.ask(REQUEST)).data == words(1, 2)
        meter.close_connections()
        assert (await bus.ask(REQUEST)).data == words(1, 2)
        assert meter.connections == 3


async def while_the_process_is_busy(folder: Path) -> None:
    """A reply that waits in the socket while the disk holds the process up is not late."""
    async with fake_meter(right) as meter, bus_over(link_to(meter.port)) as bus:
        await bus.ask(REQUEST)
        answered = asyncio.Event()

        async def tells(asked: Asked, send: Send) -> None:
            send(reply(asked, (1, 2)))
            answered.set()

        meter.answer = tells
        asking = asyncio.create_task(bus.ask(REQUEST, within_s=0.05))
        await answered.wait()
        time.sleep(0.1)  # noqa: ASYNC251  # that is the disk
        assert (await asking).data == words(1, 2)


async def over_rtu_in_tcp(folder: Path) -> None:
    async def answer(data: bytes, send: Callable[[bytes], None]) -> None:
        send(rtu_reply(7, 3, words(1, 2)))

    async with peer(answer) as gateway, bus_over(link_to(gateway.port, framing="rtu")) as bus:
        assert (await bus.ask(REQUEST)).data == words(1, 2)


async def over_a_line(folder: Path) -> None:
    with socat_pair(folder) as pair:
        async with bus_over(line_at(pair.ours)) as bus, station(pair.theirs, well):
            assert (await bus.ask(REQUEST)).data == words(1, 2)
            pair.unplug()
            with pytest.raises(Unreachable):
                await bus.ask(REQUEST)


async def to_nobody(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with bus_over(link_to(port)) as bus:
        with pytest.raises(Unreachable) as caught:
            await bus.ask(REQUEST)
        assert caught.value.evidence == "Connection refused"


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
@pytest.mark.parametrize(
    "scenario", [over_tcp, while_the_process_is_busy, over_rtu_in_tcp, over_a_line, to_nobody]
)
def test_each_transport_on_each_event_loop(
    run: Callable[[Coroutine[Any, Any, None]], None],
    scenario: Callable[[Path], Coroutine[Any, Any, None]],
    tmp_path: Path,
) -> None:
    run(scenario(tmp_path))


async def test_requests_leave_at_once_and_a_dead_peer_is_noticed_while_idle() -> None:
    async with fake_meter(right) as meter, bus_over(link_to(meter.port)) as bus:
        await bus.ask(REQUEST)
        channel = bus._seats[0].channel
        assert channel is not None
        assert channel._transport is not None
        sock = channel._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30


async def test_a_name_that_nobody_knows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async with bus_over(link_to(502, host="pm-1.works")) as bus:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
        with pytest.raises(Unreachable) as caught:
            await bus.ask(REQUEST)
        assert caught.value.evidence == "Name or service not known"
        assert caught.value.next.startswith("getent hosts pm-1.works")


def test_a_unit_is_waited_for_as_it_answers_and_a_stranger_for_the_whole_timeout() -> None:
    timing = UnitTiming(3.0)
    for _ in range(7):
        timing.answered(0.02)
    assert timing.deadline_s == 3.0
    timing.answered(0.02)
    assert timing.deadline_s == SHORTEST_S
    timing.answered(0.2)
    assert timing.deadline_s == pytest.approx(0.8)  # it rises at once
    for _ in range(100):
        timing.answered(0.02)
    assert timing.deadline_s == pytest.approx(0.8)  # and forgets only with its window
    for _ in range(200):
        timing.answered(0.02)
    assert timing.deadline_s == SHORTEST_S
    for expected in (0.5, 1.0, 2.0, 3.0, 3.0):
        timing.silent()
        assert timing.deadline_s == expected
    for _ in range(8):
        timing.answered(0.02)
    assert timing.deadline_s == SHORTEST_S
    assert (timing.percentile_ms(0.5), timing.percentile_ms(0.99)) == (20.0, 20.0)
    timing.answered(2.0)
    assert timing.deadline_s == 3.0


def test_what_a_unit_may_still_owe() -> None:
    owed = Unanswered()
    assert owed.to_ask_first(REQUEST, 0.0) is None
    owed.gave_up(REQUEST, 0.0)
    same_length = ReadRequest(7, 3, 500, 2)
    assert owed.to_ask_first(ReadRequest(7, 3, 100, 3), 1.0) is None  # its reply has another length
    assert owed.to_ask_first(ReadRequest(7, 4, 100, 2), 1.0) is None
    assert owed.to_ask_first(IdentifyRequest(7), 1.0) is None
    assert owed.to_ask_first(same_length, 1.0) == ReadRequest(7, 3, 500, 1)
    owed.gave_up(ReadRequest(7, 3, 500, 1), 1.0)
    assert owed.to_ask_first(same_length, 2.0) == ReadRequest(7, 3, 500, 3)
    owed.answered(ReadRequest(7, 3, 500, 3), 2.0, refused=False)  # whatever was asked before is past
    assert owed.to_ask_first(same_length, 2.0) is None
    owed.gave_up(REQUEST, 3.0)
    assert owed.to_ask_first(same_length, 3.0 + FORGOTTEN_AFTER_S) is None


def test_an_exception_may_be_the_old_reply_so_the_new_one_is_still_owed() -> None:
    owed = Unanswered()
    owed.answered(REQUEST, 0.0, refused=True)
    assert owed.to_ask_first(REQUEST, 0.0) is None
    owed.gave_up(REQUEST, 0.0)
    other = owed.to_ask_first(REQUEST, 1.0)
    assert other is not None
    owed.answered(other, 1.0, refused=True)
    assert owed.to_ask_first(REQUEST, 1.0) is None
    assert owed.to_ask_first(other, 1.0) is not None


@pytest.mark.parametrize(
    "request_",
    [
        ReadRequest(7, 3, 65_535, 1),
        ReadRequest(7, 3, 0, 125),
        ReadRequest(7, 1, 0, 1),
        ReadRequest(7, 1, 9, 2000),
        ReadRequest(7, 2, 65_535, 1),
    ],
)
def test_something_else_to_ask_can_be_sent(request_: ReadRequest) -> None:
    owed = Unanswered()
    owed.gave_up(request_, 0.0)
    for now in range(20):
        other = owed.to_ask_first(request_, float(now))
        assert other is not None
        assert encode(other)
        assert other.size != request_.size
        owed.gave_up(other, float(now))
