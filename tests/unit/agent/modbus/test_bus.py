"""A late, foreign or garbled reply never becomes a value, and nothing old answers a new question."""

from __future__ import annotations

import asyncio
import itertools
import random
import struct
from typing import Any

import pytest

import agent.modbus.bus as bus_module
from agent.modbus.bus import Bus, RefusedError, Reply
from agent.modbus.channel import Channel
from agent.modbus.links import open_transport
from agent.modbus.stale import Unanswered
from agent.modbus.wire import IdentifyRequest, ReadRequest
from core.errors import Unreachable
from tests.unit.agent.fake_modbus import Answer, Asked, Send, fake_meter, refusal, reply
from tests.unit.agent.modbus.fakes import bus_over, checked, link_to, peer, rtu_reply, words

RIGHT = (1, 2)
WRONG = (9, 9)
REQUEST = ReadRequest(unit=7, function=3, address=100, count=2)
DEADLINE_S = 0.15


async def right(asked: Asked, send: Send) -> None:
    send(reply(asked, RIGHT))


async def silence(asked: Asked, send: Send) -> None:
    pass


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


async def fewer(asked: Asked, send: Send) -> None:
    send(reply(asked, WRONG[:1]))


async def more(asked: Asked, send: Send) -> None:
    send(reply(asked, (*WRONG, 9)))


def sends(*frames: bytes | dict[str, int]) -> Answer:
    async def answer(asked: Asked, send: Send) -> None:
        for frame in frames:
            send(reply(asked, WRONG, **frame) if isinstance(frame, dict) else frame)

    return answer


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
    async with fake_meter(right) as meter, bus_over(link_to(meter.port)) as bus:
        assert (await bus.ask(REQUEST)).data == words(*RIGHT)
        meter.answer = answer
        with pytest.raises(Unreachable) as caught:
            await bus.ask(REQUEST, within_s=DEADLINE_S)
        assert seen in caught.value.evidence
        assert caught.value.where == f"127.0.0.1:{meter.port} unit 7"
        meter.answer = right
        if answer in (late, half_now_half_late):
            await asyncio.sleep(1.2 * DEADLINE_S)  # the late reply is sent in this time
        assert (await bus.ask(REQUEST)).data == words(*RIGHT)
        assert meter.connections == 2
        assert bus.stats.timeouts + bus.stats.discarded == 1
        assert (bus.stats.timeouts == 1) == (seen == "within")


async def test_a_reply_to_an_earlier_request_is_passed_over() -> None:
    async def stale_then_right(asked: Asked, send: Send) -> None:
        send(reply(asked, WRONG, transaction_id=asked.transaction_id + 1) + reply(asked, RIGHT))

    async with fake_meter(stale_then_right) as meter, bus_over(link_to(meter.port)) as bus:
        assert (await bus.ask(REQUEST)).data == words(*RIGHT)


@pytest.mark.parametrize("pause_s", [0, 0.02])
async def test_what_nobody_asked_for_is_counted_and_answers_nothing(pause_s: float) -> None:
    async def right_and_more(asked: Asked, send: Send) -> None:
        send(reply(asked, RIGHT))
        await asyncio.sleep(pause_s)
        send(reply(asked, WRONG, transaction_id=asked.transaction_id + 1))

    async with fake_meter(right_and_more) as meter, bus_over(link_to(meter.port)) as bus:
        for _ in range(3):
            assert (await bus.ask(REQUEST)).data == words(*RIGHT)
            await asyncio.sleep(2 * pause_s + 0.01)
        assert bus.stats.discarded == 3
        assert meter.connections == 3


async def test_each_request_has_its_own_transaction_id_also_when_it_is_sent_again() -> None:
    async with fake_meter(right) as meter, bus_over(link_to(meter.port)) as bus:
        for _ in range(3):
            await bus.ask(REQUEST)
            meter.close_connections()
        meter.answer = silence
        with pytest.raises(Unreachable):
            await bus.ask(REQUEST, within_s=0.02)
        meter.answer = right
        await bus.ask(REQUEST)
        numbers = [asked.transaction_id for asked in meter.asked]
        assert numbers == sorted(set(numbers))
        bus._number = 0xFFFE
        await bus.ask(REQUEST)
        await bus.ask(REQUEST)
        assert [asked.transaction_id for asked in meter.asked][-2:] == [0xFFFF, 1]


async def test_a_cancelled_request_is_never_answered_by_the_next_question() -> None:
    arrived = asyncio.Event()

    async def arrives_and_is_late(asked: Asked, send: Send) -> None:
        arrived.set()
        await late(asked, send)

    async with fake_meter(arrives_and_is_late) as meter, bus_over(link_to(meter.port)) as bus:
        asking = asyncio.create_task(bus.ask(REQUEST))
        await arrived.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        meter.answer = right
        assert (await bus.ask(REQUEST)).data == words(*RIGHT)
        assert meter.connections == 2


async def test_cancels_at_any_moment_lose_no_turn_and_no_order() -> None:
    rng = random.Random(7)
    pending: set[asyncio.Task[Reply]] = set()

    async def answer(asked: Asked, send: Send) -> None:
        if rng.random() < 0.3 and pending:  # in the same turn of the loop in which the reply comes
            rng.choice(sorted(pending, key=id)).cancel()
        send(reply(asked, (asked.address, asked.unit)))

    async with fake_meter(answer) as meter, bus_over(link_to(meter.port, connections=2)) as bus:
        answers = 0
        for round_ in range(60):
            asking = {
                asyncio.create_task(bus.ask(ReadRequest(unit, 3, round_, 2))): unit for unit in range(1, 6)
            }
            pending |= asking.keys()
            await asyncio.sleep(0)
            rng.choice(sorted(asking, key=id)).cancel()
            await asyncio.wait(asking)
            pending -= asking.keys()
            for task, unit in asking.items():
                if not task.cancelled():
                    answers += 1
                    assert task.result().data == words(round_, unit)
        assert answers > 100
        assert len(bus._free) == 2
        assert not bus._waiting
        assert meter.most_in_flight <= 2


async def test_one_who_is_cancelled_when_the_turn_comes_passes_it_on() -> None:
    async with fake_meter(right) as meter, bus_over(link_to(meter.port)) as bus:

        async def first() -> None:
            await bus.ask(REQUEST)
            second.cancel()  # it has been given the turn, and has not yet run

        asking = asyncio.create_task(first())
        await asyncio.sleep(0)
        second = asyncio.create_task(bus.ask(REQUEST))
        await asyncio.wait([asking, second])
        assert second.cancelled()
        async with asyncio.timeout(2):
            assert (await bus.ask(REQUEST)).data == words(*RIGHT)


async def test_garbled_replies_never_become_a_value() -> None:
    rng = random.Random(20240201)

    async def garbled(asked: Asked, send: Send) -> None:
        frame = bytearray(reply(asked, WRONG))
        for _ in range(rng.randint(1, 3)):  # in the header: a flipped bit in the data cannot be seen over TCP
            frame[rng.randrange(9)] ^= 1 << rng.randrange(8)
        if frame == reply(asked, WRONG):
            frame[6] ^= 1
        send(bytes(frame))

    async with fake_meter(garbled) as meter, bus_over(link_to(meter.port)) as bus:
        for _ in range(200):
            with pytest.raises((Unreachable, RefusedError)):
                await bus.ask(REQUEST, within_s=0.02)


async def test_a_connection_that_the_gateway_closed_while_idle_costs_no_reading() -> None:
    async with fake_meter(right) as meter, bus_over(link_to(meter.port)) as bus:
        await bus.ask(REQUEST)
        meter.close_connections()
        assert (await bus.ask(REQUEST)).data == words(*RIGHT)
        assert meter.connections == 2


async def test_a_gateway_that_closes_instead_of_answering_is_noticed_at_once() -> None:
    async def close(asked: Asked, send: Send) -> None:
        meter.close_connections()

    async with (
        fake_meter(close) as meter,
        asyncio.timeout(2),
        bus_over(link_to(meter.port, timeout_s=60)) as bus,
    ):
        with pytest.raises(Unreachable, match="broke off"):
            await bus.ask(REQUEST)
        assert meter.connections == 1


async def test_a_half_open_connection_is_noticed_within_the_deadline() -> None:
    async with fake_meter(right) as meter, bus_over(link_to(meter.port)) as bus:
        for _ in range(8):
            await bus.ask(REQUEST)
        meter.answer = silence  # the other side is gone without a word
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(Unreachable, match="No reply"):
            await bus.ask(REQUEST)
        assert 0.2 < loop.time() - began < 0.9  # far from the 2 s that a stranger gets
        meter.answer = right
        assert (await bus.ask(REQUEST)).data == words(*RIGHT)


async def test_a_gateway_with_one_socket_never_sees_two_and_is_not_hammered_while_another_has_it() -> None:
    async def answer(data: bytes, send: Send) -> None:
        if data[9] != 13:  # the dead register
            send(data[:2] + bytes.fromhex("0000 0007 07 03 04 0001 0002"))

    async with peer(answer, allows=1) as gateway, bus_over(link_to(gateway.port)) as bus:
        for _ in range(4):
            assert (await bus.ask(REQUEST)).data == words(*RIGHT)
            with pytest.raises(Unreachable):
                await bus.ask(ReadRequest(7, 3, 13, 2), within_s=0.02)
            await asyncio.sleep(0.01)
        assert gateway.most_open == 1
        _, other = await asyncio.open_connection("127.0.0.1", gateway.port)
        await asyncio.sleep(0.02)
        before = gateway.connections
        for _ in range(50):
            with pytest.raises(Unreachable, match="broke off") as caught:
                await bus.ask(REQUEST)
            assert "allows fewer connections" in caught.value.cause
        assert gateway.connections - before <= 4
        other.close()
        async with asyncio.timeout(5):  # it lives again as soon as the pause is over
            while True:
                try:
                    assert (await bus.ask(REQUEST)).data == words(*RIGHT)
                    break
                except Unreachable:
                    await asyncio.sleep(0.02)


async def test_units_on_which_a_gateway_closes_never_keep_it_from_the_others() -> None:
    """Some gateways close the connection where others answer exception 0B."""

    async def answer(asked: Asked, send: Send) -> None:
        if asked.unit == REQUEST.unit:
            await right(asked, send)
        else:
            meter.close_connections()

    async with fake_meter(answer) as meter, bus_over(link_to(meter.port)) as bus:
        for number in range(40):
            with pytest.raises(Unreachable, match="broke off") as caught:
                await bus.ask(ReadRequest(100 + number % 4, 3, 13, 2))
            assert caught.value.where.endswith(f"unit {100 + number % 4}")
        assert meter.connections <= 4 * 4, "each is left alone for a while"
        assert (await bus.ask(REQUEST)).data == words(*RIGHT)


async def test_a_dead_gateway_is_left_alone_for_longer_each_time(
    unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def counted(*args: Any, **options: Any) -> Channel:
        tries.append(now)
        return await open_transport(*args, **options)

    monkeypatch.setattr(bus_module, "open_transport", counted)
    now = 0.0
    bus = Bus(link_to(unused_tcp_port), now_ms=lambda: 1_000, clock=lambda: now)
    tries: list[float] = []
    for tick in range(600):  # a minute, asked ten times a second
        now = tick / 10
        with pytest.raises(Unreachable) as caught:
            await bus.ask(REQUEST)
        assert caught.value.evidence == "Connection refused"
    pauses = [b - a for a, b in itertools.pairwise(tries)]
    assert pauses[0] < 0.5
    assert pauses[:5] == sorted(pauses[:5])
    assert all(3.7 <= pause <= 5.1 for pause in pauses[5:])
    async with fake_meter(right) as meter:
        bus.link = link_to(meter.port)
        now += 5.1
        assert (await bus.ask(REQUEST)).data == words(*RIGHT)
        await bus.close()


async def test_a_silent_unit_of_a_gateway_that_then_closes_does_not_stop_its_neighbours() -> None:
    async def closes_for_7(asked: Asked, send: Send) -> None:
        if asked.unit == 7:
            meter.close_connections()
        else:
            await right(asked, send)

    async with fake_meter(closes_for_7) as meter, bus_over(link_to(meter.port)) as bus:
        for _ in range(10):
            with pytest.raises(Unreachable, match="broke off"):
                await bus.ask(REQUEST)
            assert (await bus.ask(ReadRequest(8, 3, 100, 2))).data == words(*RIGHT)


async def test_one_request_in_flight_and_units_take_turns() -> None:
    async def slow(asked: Asked, send: Send) -> None:
        await asyncio.sleep(0.005)
        send(reply(asked, RIGHT))

    async def poll(bus: Bus, unit: int) -> None:
        for _ in range(4):
            await bus.ask(ReadRequest(unit, 3, 100, 2))

    async with fake_meter(slow) as meter, bus_over(link_to(meter.port)) as bus:
        await asyncio.gather(*(poll(bus, unit) for unit in (1, 2, 3)))
        assert meter.most_in_flight == 1
        assert meter.connections == 1
        assert [asked.unit for asked in meter.asked] == [1, 2, 3] * 4


async def test_a_gateway_that_allows_more_gets_as_many_requests_as_it_allows() -> None:
    async def slow(asked: Asked, send: Send) -> None:
        await asyncio.sleep(0.01)
        send(reply(asked, RIGHT))

    async with fake_meter(slow) as meter, bus_over(link_to(meter.port, connections=3)) as bus:
        assert (await bus.ask(REQUEST)).data == words(*RIGHT)
        assert meter.connections == 1
        await asyncio.gather(*(bus.ask(ReadRequest(unit, 3, 100, 2)) for unit in range(1, 10)))
        assert (meter.most_in_flight, meter.connections) == (3, 3)


@pytest.mark.parametrize("code", [1, 2, 3])
async def test_what_the_device_does_not_have_is_a_refusal_that_names_the_registers(code: int) -> None:
    async def refuse(asked: Asked, send: Send) -> None:
        send(refusal(asked, code))

    async with fake_meter(refuse) as meter, bus_over(link_to(meter.port)) as bus:
        with pytest.raises(RefusedError, match="registers 100 to 101") as caught:
            await bus.ask(REQUEST)
        assert f"exception 0{code}" in caught.value.evidence
        assert caught.value.code == code
        assert bus.stats.exceptions == 1


@pytest.mark.parametrize("code", [0, 4, 5, 6, 8, 10, 11, 255])
async def test_a_busy_or_absent_unit_is_silent_and_the_connection_stays(code: int) -> None:
    async def refuse(asked: Asked, send: Send) -> None:
        send(refusal(asked, code) if asked.unit == 7 else reply(asked, RIGHT))

    async with fake_meter(refuse) as meter, bus_over(link_to(meter.port)) as bus:
        with pytest.raises(Unreachable, match="cannot answer now"):
            await bus.ask(REQUEST)
        assert (await bus.ask(ReadRequest(8, 3, 100, 2))).data == words(*RIGHT)
        assert meter.connections == 1


@pytest.mark.parametrize(
    "request_",
    [
        ReadRequest(0, 3, 0, 1),
        ReadRequest(256, 3, 0, 1),
        ReadRequest(1, 6, 0, 1),
        ReadRequest(1, 16, 0, 1),
        ReadRequest(1, 3, 0, 0),
        ReadRequest(1, 3, 0, 126),
        ReadRequest(1, 3, 65_535, 2),
        ReadRequest(1, 1, 0, 2001),
        IdentifyRequest(0),
        IdentifyRequest(1, code=4),
    ],
)
async def test_other_requests_are_never_sent(request_: ReadRequest | IdentifyRequest) -> None:
    async with fake_meter(right) as meter, bus_over(link_to(meter.port)) as bus:
        with pytest.raises(ValueError, match="not a request"):
            await bus.ask(request_)
        assert meter.connections == 0


async def test_nothing_listens(unused_tcp_port: int) -> None:
    async with bus_over(link_to(unused_tcp_port)) as bus:
        with pytest.raises(Unreachable) as caught:
            await bus.ask(REQUEST)
        assert caught.value.evidence == "Connection refused"
        assert caught.value.next == f"nc -vz 127.0.0.1 {unused_tcp_port}"
        assert not bus.stats.connected


async def test_the_time_of_a_reading_is_the_middle_of_its_request() -> None:
    times = iter([1_000, 1_501])
    async with fake_meter(right) as meter, bus_over(link_to(meter.port), now_ms=lambda: next(times)) as bus:
        answer = await bus.ask(REQUEST)
        assert answer.time_ms == 1_250
        assert 0 < answer.round_trip_ms < 2_000
        assert bus.stats.round_trip_ms(7) == (answer.round_trip_ms, answer.round_trip_ms)


async def test_the_deadline_is_for_the_whole_reply_and_rises_when_there_was_none() -> None:
    async with fake_meter(right) as meter, bus_over(link_to(meter.port)) as bus:
        assert bus.stats.deadline_s(7) == 2
        for _ in range(8):
            await bus.ask(REQUEST)
        assert bus.stats.deadline_s(7) < 0.7
        assert bus.stats.deadline_s(8) == 2
        before = bus.stats.deadline_s(7)
        meter.answer = silence
        with pytest.raises(Unreachable):
            await bus.ask(REQUEST, within_s=0.01)
        assert bus.stats.deadline_s(7) == 2 * before


async def test_closing_fails_the_request_in_flight_and_a_later_one_opens_anew() -> None:
    arrived = asyncio.Event()

    async def arrives(asked: Asked, send: Send) -> None:
        arrived.set()

    async with fake_meter(arrives) as meter, bus_over(link_to(meter.port)) as bus:
        asking = asyncio.create_task(bus.ask(REQUEST))
        await arrived.wait()
        assert bus.stats.connected
        bus.cut()
        assert not bus.stats.connected
        with pytest.raises(Unreachable, match="dropped"):
            await asking
        assert meter.connections == 1
        meter.answer = right
        assert (await bus.ask(REQUEST)).data == words(*RIGHT)


@pytest.mark.parametrize("what", ["gap_ms", "settle_ms"])
async def test_a_device_that_needs_a_pause_is_given_it(what: str) -> None:
    pause_s = 0.03
    loop = asyncio.get_running_loop()
    heard_at = float("-inf")

    async def deaf_for_a_while(asked: Asked, send: Send) -> None:
        nonlocal heard_at
        since, heard_at = heard_at, loop.time()
        if what == "gap_ms" and heard_at - since < pause_s:
            return
        if what == "settle_ms" and heard_at - meter.connected_at < pause_s:
            return
        send(reply(asked, RIGHT))

    async def ask_three_times(**paced: int) -> int:
        answers = 0
        async with bus_over(link_to(meter.port, **paced)) as bus:
            for _ in range(3):
                try:
                    answers += (await bus.ask(REQUEST, within_s=0.1)).data == words(*RIGHT)
                except Unreachable:
                    bus.cut()
        return answers

    async with fake_meter(deaf_for_a_while) as meter:
        assert await ask_three_times(**{what: 40}) == 3
        heard_at = loop.time() - (1 if what == "settle_ms" else 0)
        assert await ask_three_times() < 3


# --- RTU over TCP: no transaction id ---


async def test_rtu_over_tcp() -> None:
    async def answer(data: bytes, send: Send) -> None:
        assert data == checked(bytes.fromhex("07 03 0064 0002"))
        send(rtu_reply(7, 3, words(*RIGHT)))

    async with peer(answer) as gateway, bus_over(link_to(gateway.port, framing="rtu")) as bus:
        for _ in range(3):
            assert (await bus.ask(REQUEST)).data == words(*RIGHT)
        assert gateway.connections == 1


GOOD = rtu_reply(7, 3, words(*WRONG))
RTU_FAULTS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "within"),
    "half": (GOOD[:6], "within"),
    "wrong checksum": (GOOD[:-1] + bytes((GOOD[-1] ^ 1,)), "wrong checksum"),
    "flipped bit": (GOOD[:4] + bytes((GOOD[4] ^ 1,)) + GOOD[5:], "wrong checksum"),
    "another unit": (rtu_reply(8, 3, words(*WRONG)), "unit 8 answered for unit 7"),
    "unit 0": (rtu_reply(0, 3, words(*WRONG)), "unit 0 answered for unit 7"),
    "another function": (rtu_reply(7, 4, words(*WRONG)), "function 4 answered to function 3"),
    "fewer registers": (rtu_reply(7, 3, words(9)), "1 registers instead of 2"),
    "odd registers": (rtu_reply(7, 3, b"123"), "1.5 registers instead of 2"),
    "two replies": (GOOD + GOOD, "9 bytes more"),
    "echo": (checked(bytes.fromhex("07 03 0064 0002")), "the request itself came back"),
    "noise": (b"\xff\x00\xff", "unit 255 answered"),
}


@pytest.mark.parametrize("name", RTU_FAULTS)
async def test_a_wrong_serial_frame_is_no_value(name: str) -> None:
    frame, seen = RTU_FAULTS[name]

    async def answer(data: bytes, send: Send) -> None:
        send(frame)

    async def well(data: bytes, send: Send) -> None:
        send(rtu_reply(7, 3, words(*([1] * data[5]))))

    async with peer(answer) as gateway, bus_over(link_to(gateway.port, framing="rtu")) as bus:
        with pytest.raises(Unreachable) as caught:
            await bus.ask(REQUEST, within_s=0.05)
        assert seen in caught.value.evidence
        gateway.hear = well
        assert (await bus.ask(REQUEST)).data == words(1, 1)
        assert gateway.connections == 2


async def late_on_a_line_without_numbers(bus_port: int) -> bytes:
    """Ask for 100, give up; ask for 200 while the line still carries the reply for 100."""
    async with bus_over(link_to(bus_port, framing="rtu")) as bus:
        with pytest.raises(Unreachable):
            await bus.ask(REQUEST, within_s=0.03)
        for _ in range(20):
            try:
                return (await bus.ask(ReadRequest(7, 3, 200, 2), within_s=0.2)).data
            except Unreachable:
                await asyncio.sleep(0.01)
        raise AssertionError("it never answers again")


class SlowLine:
    """A gateway that copies a serial line, with a meter that answers in order, each time after a while."""

    def __init__(self, first_after_s: float) -> None:
        self.after_s = first_after_s
        self.turn = asyncio.Lock()
        self.answered: list[int] = []
        self.gateway: object = None

    async def hear(self, data: bytes, send: Send) -> None:
        unit, function, address, count = struct.unpack(">BBHH", data[:6])
        async with self.turn:
            after_s, self.after_s = self.after_s, 0.0
            await asyncio.sleep(after_s)
            self.answered.append(address)
            self.gateway.say(rtu_reply(unit, function, words(*([address] * count))))  # type: ignore[attr-defined]  # a Peer


@pytest.mark.parametrize("late_s", [0.04, 0.06, 0.1])
async def test_a_late_reply_on_a_line_without_numbers_never_answers_the_next_question(late_s: float) -> None:
    line = SlowLine(late_s)
    async with peer(line.hear) as gateway:
        line.gateway = gateway
        assert await late_on_a_line_without_numbers(gateway.port) == words(200, 200)


async def test_it_would_without_asking_something_else_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Unanswered, "to_ask_first", lambda *_: None)  # the negative control
    line = SlowLine(0.1)
    async with peer(line.hear) as gateway:
        line.gateway = gateway
        assert await late_on_a_line_without_numbers(gateway.port) == words(100, 100)
