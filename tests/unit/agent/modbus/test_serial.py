"""A serial line: frames, silence, an adapter that is pulled out, and errors that say what to do."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
import serial

from agent.modbus.bus import Bus, BusStats
from agent.modbus.channel import Channel
from agent.modbus.framing import Rtu
from agent.modbus.serial_line import SerialTransport
from agent.modbus.timing import characters_s, silence_s
from agent.modbus.wire import ReadRequest
from core.errors import Unreachable
from tests.unit.agent.modbus.fakes import SocatPair, bus_over, checked, line_at, rtu_reply, socat_pair, words

REQUEST = ReadRequest(unit=7, function=3, address=100, count=2)
RIGHT = rtu_reply(7, 3, words(1, 2))
WRONG = rtu_reply(7, 3, words(9, 9))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[SocatPair]:
    """Two joined serial devices."""
    with socat_pair(tmp_path) as joined:
        yield joined


Reply = Callable[[bytes], list[tuple[float, bytes]]]  # what is sent, each piece after a while [s]


class Station:
    """The other end of the line."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.heard: list[tuple[float, bytes]] = []
        self.sent_at: list[float] = []


@asynccontextmanager
async def station(device: Path, reply: Reply) -> AsyncIterator[Station]:
    """Answer on a serial device."""
    loop = asyncio.get_running_loop()
    port = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    it = Station(reply)

    def send(data: bytes) -> None:
        if loop.is_running() and port in open_ports:
            it.sent_at.append(time.monotonic())
            with contextlib.suppress(OSError):  # pulled out
                os.write(port, data)

    def readable() -> None:
        try:
            data = os.read(port, 512)
        except OSError:
            loop.remove_reader(port)
            return
        it.heard.append((time.monotonic(), data))
        for after_s, piece in it.reply(data):
            loop.call_later(after_s, send, piece)

    open_ports = {port}
    loop.add_reader(port, readable)
    try:
        yield it
    finally:
        loop.remove_reader(port)
        open_ports.clear()
        os.close(port)


def well(asked: bytes) -> list[tuple[float, bytes]]:
    """Answer with the registers 1, 2, ..."""
    return [(0, rtu_reply(asked[0], asked[1], words(*range(1, asked[5] + 1))))]


def test_the_silence_between_frames() -> None:
    assert silence_s(9_600) == pytest.approx(3.5 * 11 / 9_600)
    assert silence_s(19_200) == pytest.approx(3.5 * 11 / 19_200)
    assert silence_s(38_400) == silence_s(115_200) == 0.00175
    assert characters_s(1, 1_100) == 0.01


async def test_frames_and_silence_on_the_line(pair: SocatPair) -> None:
    async with station(pair.theirs, well) as meter, bus_over(line_at(pair.ours, baud=2400)) as bus:
        for _ in range(4):
            assert (await bus.ask(REQUEST)).data == words(1, 2)
        assert {data for _, data in meter.heard} == {checked(bytes.fromhex("07 03 0064 0002"))}
        replies_and_requests = zip(meter.sent_at, meter.heard[1:], strict=False)
        pauses = [heard - sent for sent, (heard, _) in replies_and_requests]
        assert len(pauses) == 3
        assert min(pauses) >= 3.5 * 11 / 2400


async def test_a_reply_in_pieces(pair: SocatPair) -> None:
    pieces = [(0.005 * n, bytes([byte])) for n, byte in enumerate(RIGHT)]
    async with station(pair.theirs, lambda _: pieces), bus_over(line_at(pair.ours)) as bus:
        assert (await bus.ask(REQUEST)).data == words(1, 2)


async def test_the_parameters_of_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[object, ...]] = []

    def opens(port: str, baud: int, **options: object) -> None:
        opened.append((port, baud, *(options[name] for name in ("parity", "stopbits", "exclusive"))))
        raise serial.SerialException(errno.ENOENT, "no")

    monkeypatch.setattr(serial, "Serial", opens)
    for parity, stop_bits in (("none", 2), ("even", 1), ("odd", 1)):
        async with bus_over(line_at(tmp_path, baud=19_200, parity=parity, stop_bits=stop_bits)) as bus:
            with pytest.raises(Unreachable):
                await bus.ask(REQUEST)
    assert opened == [(str(tmp_path), 19_200, *how, True) for how in (("N", 2), ("E", 1), ("O", 1))]


async def test_a_device_that_does_not_know_the_parity_is_told(pair: SocatPair) -> None:
    async with bus_over(line_at(pair.ours, parity="odd")) as bus:  # a pseudo-terminal knows none
        for _ in range(2):
            with pytest.raises(Unreachable) as caught:
                await bus.ask(REQUEST, within_s=0.02)
            await bus.close()
        assert "does not know these settings" in caught.value.cause


@pytest.mark.parametrize(
    ("wrong", "seen"),
    [
        (WRONG[:-1] + b"\0", "wrong checksum"),
        (rtu_reply(8, 3, words(9, 9)), "unit 8 answered for unit 7"),
        (WRONG + b"\0", "1 bytes more"),
        (b"\xff\xff\xff", "unit 255 answered"),
        (checked(bytes.fromhex("07 03 0064 0002")), "the request itself came back"),
    ],
)
async def test_after_a_wrong_frame_the_line_is_drained_and_stays_open(
    pair: SocatPair, wrong: bytes, seen: str
) -> None:
    more = [(0.005 * n, WRONG) for n in range(1, 5)]  # it goes on for a while
    async with (
        station(pair.theirs, lambda _: [(0, wrong), *more]) as meter,
        bus_over(line_at(pair.ours)) as bus,
    ):
        with pytest.raises(Unreachable) as caught:
            await bus.ask(REQUEST)
        assert seen in caught.value.evidence
        meter.reply = well
        assert (await bus.ask(REQUEST)).data == words(1, 2)
        assert bus.stats.connects == 1


@pytest.mark.parametrize("late_s", [0.05, 0.08, 0.15])
async def test_a_late_reply_never_answers_the_next_question(pair: SocatPair, late_s: float) -> None:
    """The meter is late once; its old reply has the unit, function and length of the next question."""
    after_s = iter([late_s])
    busy_until = 0.0

    def in_order(asked: bytes) -> list[tuple[float, bytes]]:
        nonlocal busy_until
        now = time.monotonic()
        busy_until = max(now, busy_until) + next(after_s, 0.0)
        values = words(*([asked[3]] * asked[5]))
        return [(busy_until - now, rtu_reply(7, 3, values))]

    async with station(pair.theirs, in_order), bus_over(line_at(pair.ours)) as bus:
        with pytest.raises(Unreachable, match="No reply"):
            await bus.ask(REQUEST, within_s=0.04)
        for _ in range(20):
            try:
                got = await bus.ask(ReadRequest(7, 3, 200, 2), within_s=0.2)
            except Unreachable:
                continue
            assert got.data == words(200, 200)
            return
        pytest.fail("it never answers again")


async def test_a_line_on_which_others_speak_all_the_time_is_named(pair: SocatPair) -> None:
    async with (
        station(pair.theirs, lambda _: [(0.002 * n, b"\x55") for n in range(400)]),
        bus_over(line_at(pair.ours, timeout_s=0.2)) as bus,
    ):
        with pytest.raises(Unreachable):
            await bus.ask(REQUEST)
        with pytest.raises(Unreachable, match="never silent") as caught:
            await bus.ask(REQUEST)
        assert "second master" in caught.value.cause


async def test_an_adapter_that_is_pulled_out_and_put_back_is_opened_again(pair: SocatPair) -> None:
    async with bus_over(line_at(pair.ours)) as bus:
        async with station(pair.theirs, well):
            assert (await bus.ask(REQUEST)).data == words(1, 2)
            pair.unplug()
            with pytest.raises(Unreachable, match="cannot be opened") as caught:
                await bus.ask(REQUEST)
            assert caught.value.evidence == "No such file or directory"
            assert "by-id" in caught.value.next
            assert not bus.stats.connected
        pair.plug()
        async with station(pair.theirs, well), asyncio.timeout(5):
            while True:
                try:
                    assert (await bus.ask(REQUEST)).data == words(1, 2)
                    break
                except Unreachable:
                    await asyncio.sleep(0.02)
        assert bus.stats.connects == 2


async def test_pulled_out_while_a_reply_is_due_is_noticed_at_once(pair: SocatPair) -> None:
    heard = asyncio.Event()

    def silent(_: bytes) -> list[tuple[float, bytes]]:
        heard.set()
        return []

    async with bus_over(line_at(pair.ours, timeout_s=30)) as bus, station(pair.theirs, silent):
        asking = asyncio.create_task(bus.ask(REQUEST))
        async with asyncio.timeout(5):
            await heard.wait()
            pair.unplug()
            with pytest.raises(Unreachable, match="serial line is gone") as caught:
                await asking
        assert caught.value.where == f"{pair.ours} unit 7"


@pytest.mark.parametrize("number", [errno.ENODEV, errno.EIO])
async def test_a_device_that_fails_or_is_ready_with_nothing_is_gone(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of them tells that an adapter was pulled out is up to its driver."""

    def fails(*_: object) -> bytes:
        raise OSError(number, os.strerror(number))

    if number == errno.EIO:
        monkeypatch.setattr("agent.modbus.serial_line.os.read", fails)
    ours, theirs = socket.socketpair()
    lost: list[Exception | None] = []

    class Watched(Channel):
        def connection_lost(self, exc: Exception | None) -> None:
            lost.append(exc)
            gone.set()

    gone = asyncio.Event()
    stats = BusStats(1, lambda: True)
    transport = SerialTransport(
        asyncio.get_running_loop(),
        cast(serial.Serial, ours),
        Watched(Rtu, clock=time.monotonic, stats=stats, stays_open=True),
    )
    theirs.close()
    async with asyncio.timeout(2):
        await gone.wait()
    assert isinstance(lost[0], OSError)
    assert lost[0].errno == number
    assert transport.is_closing()


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def test_a_line_belongs_to_one_process(pair: SocatPair) -> None:
    other = os.open(pair.ours, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(other, fcntl.LOCK_EX)
    before = open_files()
    async with bus_over(line_at(pair.ours)) as bus:
        with pytest.raises(Unreachable) as caught:
            await bus.ask(REQUEST)
        assert caught.value.evidence == "the device is locked"
        assert caught.value.next == f"find it: sudo fuser -v {pair.ours}"
    os.close(other)
    assert open_files() < before


@pytest.mark.parametrize(
    ("number", "says"), [(errno.EACCES, "add the user to group dialout"), (errno.EBUSY, "sudo fuser")]
)
async def test_why_a_line_cannot_be_opened(
    number: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise serial.SerialException(number, "could not open port")

    monkeypatch.setattr(serial, "Serial", refuses)
    async with bus_over(line_at(tmp_path / "line")) as bus:
        with pytest.raises(Unreachable) as caught:
            await bus.ask(REQUEST)
        assert says in caught.value.next
        assert caught.value.where == str(tmp_path / "line")


async def test_a_file_is_no_serial_line(tmp_path: Path) -> None:
    (tmp_path / "line").write_text("")
    async with bus_over(line_at(tmp_path / "line")) as bus:
        with pytest.raises(Unreachable) as caught:
            await bus.ask(REQUEST)
        assert "this is no serial device" in caught.value.cause


async def test_an_event_loop_that_cannot_wait_for_a_line_is_told(
    pair: SocatPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Windows:
        def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
            self._loop = loop

        def add_reader(self, *_: object) -> None:
            raise NotImplementedError

        def __getattr__(self, name: str) -> object:
            return getattr(self._loop, name)

    loop = Windows(asyncio.get_running_loop())
    monkeypatch.setattr("agent.modbus.serial_line.asyncio.get_running_loop", lambda: loop)
    bus = Bus(line_at(pair.ours), now_ms=lambda: 0)
    with pytest.raises(Unreachable, match="Linux and macOS only"):
        await bus.ask(REQUEST)


async def test_opening_and_closing_leaves_no_descriptor_behind(pair: SocatPair) -> None:
    async with station(pair.theirs, well):
        bus = Bus(line_at(pair.ours), now_ms=lambda: 0)
        await bus.ask(REQUEST)
        await bus.close()
        before = open_files()
        for _ in range(5):
            await bus.ask(REQUEST)
            await bus.close()
        assert open_files() == before
