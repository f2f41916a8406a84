"""What each fault does to the words or to the wire; and that nothing is done without one."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from core.errors import UsageError
from simulators.cells import Cell, TextCell, constant
from simulators.modbus import Fault, Faults, Meter, serve_meters
from simulators.modbus.faults import GARBLED, KINDS
from simulators.modbus.framing import crc16
from simulators.modbus.line import Line
from simulators.modbus.switchboard import Switchboard, fault_of, serve_switchboard
from simulators.products import product_meter
from tests.unit.simulators.peer import HOUR_MS, UNBALANCED, Constant, Peer, Time, peer, read

ENERGY = Cell("uint32", lambda time_ms: 1000 + time_ms // 1000, counter=True)
METER = Meter(
    {
        0: ENERGY,
        2: Cell("float32", lambda _: 2.5),
        4: Cell("int16", lambda _: -7),
        5: constant(0xABCD),
        6: Cell("float64", lambda time_ms: 10.0 + time_ms / 1000, counter=True),
        10: Cell("uint32", lambda time_ms: 9_999_990 + time_ms // 1000, True, part=lambda n: n % 10_000_000),
        12: TextCell("SN1", 4, serial=True),
        16: TextCell("Maker", 4),
        20: Cell("mod10k32", lambda time_ms: 1000 + time_ms // 1000, counter=True),
    }
)
ALL = read(0, 22)


@asynccontextmanager
async def served(time: Time, framing: str = "tcp") -> AsyncIterator[tuple[Line, Peer]]:
    units = {1: METER, 2: METER}
    async with (
        serve_meters(units, port=0, now_ms=time.get, framing="rtu" if framing == "rtu" else "tcp") as line,
        peer(line.port) as client,
    ):
        yield line, client


def as_values(words: tuple[int, ...]) -> dict[str, object]:
    """The registers of `METER`, decoded here."""
    data = struct.pack(">22H", *words)
    energy, power, signed, plain, double, part, serial, maker, high, low = struct.unpack(
        ">IfhHdI8s8sHH", data
    )
    return {
        "energy": energy,
        "power": power,
        "signed": signed,
        "plain": plain,
        "double": double,
        "part": part,
        "serial": serial.rstrip(b"\0").decode(errors="replace"),
        "maker": maker.rstrip(b"\0").decode(errors="replace"),
        "mod10k": high * 10_000 + low,
    }


GOOD = {
    "energy": 1000 + 7200,
    "power": 2.5,
    "signed": -7,
    "plain": 0xABCD,
    "double": 7210.0,
    "part": 7190,
    "serial": "SN1",
    "maker": "Maker",
    "mod10k": 8200,
}
"""After two hours."""


@pytest.mark.parametrize(
    ("fault", "settings", "changed"),
    [
        (Fault.FROZEN_REGISTER, {}, {"energy": 4600, "double": 3610.0, "part": 3590, "mod10k": 4600}),
        (Fault.REGISTER_RESET, {}, {"energy": 3600, "double": 3600.0, "part": 3600, "mod10k": 3600}),
        (
            Fault.METER_REPLACED,
            {"serial": "SN2", "opening": 50},
            {"energy": 3650, "double": 3650.0, "part": 3650, "mod10k": 3650, "serial": "SN2"},
        ),
        (Fault.REGISTER_DIP, {}, {"energy": 0, "double": 0.0, "part": 0, "mod10k": 0}),
        (
            Fault.REGISTER_BACK,
            {"counts": 90},
            {"energy": 8110, "double": 7120.0, "part": 7100, "mod10k": 8110},
        ),
        (
            Fault.SCALE_CHANGED,
            {"factor": 10},
            {"energy": 82_000, "double": 72_100.0, "part": 71_900, "mod10k": 82_000},
        ),
    ],
)
async def test_faults_of_registers_act_on_counters_alone_and_pass(
    fault: Fault, settings: dict[str, Any], changed: dict[str, object]
) -> None:
    if fault is Fault.SCALE_CHANGED:
        changed = {**changed, "part": (10 * (9_999_990 + 7200)) % 10_000_000}
    time = Time()
    async with served(time) as (line, client):
        line.of(1).set(fault, from_ms=HOUR_MS, until_ms=3 * HOUR_MS, **settings)
        time.ms = HOUR_MS - 1
        before = as_values(await client.words(0, 22))
        assert (before["energy"], before["serial"]) == (4599, "SN1")
        time.ms = 2 * HOUR_MS
        assert as_values(await client.words(0, 22)) == {**GOOD, **changed}
        assert as_values(await client.words(0, 22, unit=2)) == GOOD
        assert as_values(await client.words(0, 22)) == {**GOOD, **changed}  # from the moment alone
        time.ms = 3 * HOUR_MS
        assert as_values(await client.words(0, 22))["energy"] == 11_800


async def test_a_register_rolls_over_at_its_width_or_where_it_is_told() -> None:
    time = Time()
    async with served(time) as (line, client):
        line.of(1).set(Fault.REGISTER_ROLLOVER, from_ms=0, left=10)
        for seconds, expected in ((9, 2**32 - 1), (10, 0), (11, 1)):
            time.ms = seconds * 1000
            assert struct.unpack(">I", struct.pack(">2H", *await client.words(0, 2))) == (expected,)
        assert await client.words(20, 2) == (0, 1)
        time.ms = 9000
        assert await client.words(20, 2) == (9999, 9999)
        line.of(1).set(Fault.REGISTER_ROLLOVER, from_ms=0, left=10, at=5000)
        time.ms = 13_500
        assert struct.unpack(">d", struct.pack(">4H", *await client.words(6, 4))) == (3.5,)


async def test_no_value_is_as_wide_as_its_type_and_no_wider() -> None:
    async with served(Time()) as (line, client):
        line.of(1).set(Fault.NO_VALUE)
        words = await client.words(0, 12)
        assert words == (
            *(0xFFFF, 0xFFFF),
            *(0xFFC0, 0),
            0x7FFF,
            0xFFFF,
            *(0xFFF8, 0, 0, 0),
            *(0xFFFF, 0xFFFF),
        )


async def test_swapped_words() -> None:
    async with served(Time()) as (line, client):
        right = await client.words(0, 12)
        line.of(1).set(Fault.WORD_ORDER_SWAPPED)
        swapped = await client.words(0, 12)
    places = (range(2), range(2, 4), range(4, 5), range(5, 6), range(6, 10), range(10, 12))
    assert swapped == tuple(right[place] for part in places for place in reversed(part))
    assert swapped != right


async def test_a_silent_unit_leaves_its_neighbour_alone() -> None:
    async with served(Time()) as (line, client):
        line.of(1).set(Fault.METER_SILENT)
        assert await client.raw(ALL) == b""
        assert (await client.words(0, 1, unit=2)) == (0,)
        line.of(1).clear()
        assert (await client.words(0, 1)) == (0,)


async def test_a_line_that_is_half_open_takes_all_and_answers_nothing() -> None:
    async with served(Time()) as (line, client):
        line.faults.set(Fault.HALF_OPEN)
        assert await client.raw(ALL) == b""
        async with peer(line.port) as other:
            other.writer.write_eof()
            assert await other.heard(0.1) == b""
            assert line.connections == 2  # it has not noticed that the other is gone
        line.faults.clear(Fault.HALF_OPEN)
        assert (await client.words(0, 1)) == (0,)


@pytest.mark.parametrize("code", [1, 2, 3, 5, 6, 10, 11])
async def test_refusals(code: int) -> None:
    async with served(Time()) as (line, client):
        line.of(1).set(Fault.GATEWAY_BUSY, code=code)
        assert await client.ask(ALL) == bytes((0x83, code))


async def test_only_the_register_that_is_refused_is_refused() -> None:
    async with served(Time()) as (line, client):
        line.of(1).set(Fault.REGISTER_REFUSED, first=4, last=5)
        assert await client.ask(read(2, 3)) == b"\x83\x02"
        assert await client.ask(read(5, 5)) == b"\x83\x02"
        assert (await client.ask(read(2, 2)))[0] == (await client.ask(read(6, 4)))[0] == 3


async def bytes_under(fault: str, framing: str, pdu: bytes, **settings: Any) -> tuple[bytes, bytes]:
    """What comes back without and with a fault."""
    async with served(Time(), framing) as (line, client):

        async def heard() -> bytes:
            if framing == "tcp":
                return await client.raw(pdu, transaction=0x0102)
            client.writer.write(b"\x01" + pdu + crc16(b"\x01" + pdu))
            return await client.heard(0.15)

        right = await heard()
        line.of(1).set(fault, **settings)
        return right, await heard()


@pytest.mark.parametrize(
    ("fault", "framing", "expected"),
    [
        (Fault.BAD_CHECKSUM, "tcp", "0102 5a00 0005 01 03 02 abcd"),
        (Fault.WRONG_LENGTH, "tcp", "0102 0000 0009 01 03 02 abcd"),
        (Fault.WRONG_UNIT, "tcp", "0102 0000 0005 02 03 02 abcd"),
        (Fault.WRONG_FUNCTION, "tcp", "0102 0000 0005 01 04 02 abcd"),
        (Fault.SHORT_REPLY, "tcp", "0102 0000 0003 01 03 00"),
        (Fault.WRONG_TRANSACTION, "tcp", "0103 0000 0005 01 03 02 abcd"),
        (Fault.WRONG_UNIT, "rtu", "02 03 02 abcd"),
        (Fault.WRONG_FUNCTION, "rtu", "01 04 02 abcd"),
        (Fault.SHORT_REPLY, "rtu", "01 03 00"),
        (Fault.WRONG_LENGTH, "rtu", "01 03 06 abcd"),
    ],
)
async def test_garbled_bytes(fault: Fault, framing: str, expected: str) -> None:
    right, wrong = await bytes_under(fault, framing, read(5, 1))
    data = bytes.fromhex(expected)
    if framing == "rtu":
        assert right == b"\x01\x03\x02\xab\xcd" + crc16(b"\x01\x03\x02\xab\xcd")
        data += crc16(data)
    else:
        assert right == bytes.fromhex("0102 0000 0005 01 03 02 abcd")
    assert wrong == data


async def test_a_bad_checksum_on_a_serial_line_is_one_bit_pattern_off() -> None:
    right, wrong = await bytes_under(Fault.BAD_CHECKSUM, "rtu", read(5, 1))
    assert wrong[:-1] == right[:-1] and wrong[-1] == right[-1] ^ 0x5A


async def test_noise_is_the_same_for_the_same_seed_and_garbled_is_any_of_them() -> None:
    async with served(Time()) as (line, client):
        seen = set()
        for seed in range(60):
            line.of(1).set(Fault.GARBLED_REPLIES, seed=seed)
            seen.add(await client.raw(read(5, 1), within_s=0.004))
        assert len(seen) >= len(GARBLED)
        assert bytes.fromhex("0001 0000 0005 01 03 02 abcd") not in seen
    first, again, other = [(await bytes_under(Fault.NOISE, "tcp", ALL, seed=seed))[1] for seed in (3, 3, 4)]
    assert first == again != other


async def test_a_dripping_reply_takes_its_time() -> None:
    async with served(Time()) as (line, client):
        line.of(1).set(Fault.DRIPPING_REPLY, bytes_per_s=200.0)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        assert (await client.words(5, 1)) == (0xABCD,)
        assert 10 / 200 <= loop.time() - began_s < 1


async def test_a_late_reply_is_right_and_a_reply_to_the_request_before_is_not() -> None:
    async with served(Time()) as (line, client):
        line.of(1).set(Fault.LATE_REPLIES, delay_ms=60)
        assert await client.raw(read(5, 1), within_s=0.03) == b""
        assert (await client.heard(0.1))[-2:] == b"\xab\xcd"
        line.of(1).clear()
        line.of(1).set(Fault.EARLIER_REPLY)
        client.send(read(4, 1), transaction=50)
        assert (await client.heard(0.05))[:2] == b"\x00\x01"  # of the late one
        assert (await client.raw(read(5, 1), transaction=51, within_s=0.05))[:2] == b"\x00\x32"


async def test_a_meter_is_deaf_after_its_reply_and_after_a_connection() -> None:
    async with served(Time()) as (line, client):
        line.of(1).set(Fault.NEEDS_GAP, gap_ms=80)
        line.of(2).set(Fault.NEEDS_SETTLE, settle_ms=120)
        assert await client.raw(read(5, 1), unit=2, within_s=0.02) == b""
        assert len(await client.raw(read(5, 1), within_s=0.02)) == 11
        assert await client.raw(read(5, 1), within_s=0.02) == b""
        await asyncio.sleep(0.1)  # because the gap is real time, as on a wire
        assert len(await client.raw(read(5, 1), within_s=0.02)) == 11
        await asyncio.sleep(0.1)
        assert len(await client.raw(read(5, 1), unit=2, within_s=0.02)) == 11


def test_a_fault_or_setting_that_there_is_not_is_named() -> None:
    faults = Faults(lambda: 0)
    with pytest.raises(UsageError, match="Not a fault") as caught:
        faults.set("meteor")
    assert "meter-silent" in caught.value.next
    with pytest.raises(UsageError) as caught:
        faults.set(Fault.LATE_REPLIES, delay_s=2)
    assert (caught.value.evidence, caught.value.next) == ("delay_s", "it has: delay_ms")
    assert set(KINDS) == set(Fault)


async def test_faults_are_switched_from_another_process() -> None:
    faults = Faults(lambda: 77)
    async with serve_switchboard(Switchboard({"M": faults}), port=0) as port, peer(port) as other:

        async def ask(text: str) -> str:
            other.writer.write(f"{text}\n".encode())
            return (await asyncio.wait_for(other.reader.readline(), 1)).decode().strip()

        assert await ask("set M late-replies delay_ms=50.5 until_ms=99") == "ok"
        assert await ask("set M meter-replaced serial=ab opening=7") == "ok"
        assert await ask("show") == '{"M": ["late-replies", "meter-replaced"]}'
        (late, replaced) = faults
        assert (late.from_ms, late.until_ms, late.settings) == (77, 99, {"delay_ms": 50.5})
        assert dict(replaced.settings) == {"serial": "ab", "opening": 7}
        assert await ask("clear M late-replies") == "ok"
        assert [each.fault for each in faults] == ["meter-replaced"]
        for wrong in ("set N noise", "set M meteor", "set M noise seed", "dance"):
            assert (await ask(wrong)).startswith("refused ")


def test_a_fault_of_a_command_line() -> None:
    assert fault_of("late-replies:delay_ms=5,x=y") == ("late-replies", {"delay_ms": 5, "x": "y"})
    assert fault_of("meter-silent") == ("meter-silent", {})


async def test_a_replaced_sunspec_meter_tells_another_serial_number() -> None:
    meter = product_meter("sunspec_201_204", Constant(), UNBALANCED, serial="S-1")
    async with serve_meters({1: meter}, port=0, now_ms=Time().get) as line, peer(line.port) as client:
        assert (await client.words(40_052, 2)) == struct.unpack(">2H", b"S-1\0")
        line.of(1).set(Fault.METER_REPLACED, serial="S-2")
        assert (await client.words(40_052, 2)) == struct.unpack(">2H", b"S-2\0")
