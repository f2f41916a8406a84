"""A unit is read in few requests; what it refuses costs that alone, and is learned once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.modbus.device import ModbusDevice
from agent.modbus.learned import FIRST_PAUSE_MS, LONGEST_PAUSE_MS
from agent.modbus.plan import RegisterPoint
from agent.modbus.wire import IdentifyRequest, ReadRequest, Request
from agent.readings import Identity, Scan
from config.links import Gateway
from config.profile import Place, Profile, ScaleRegister, ValueType
from core.delivery.frames import Lane
from core.delivery.payload import BAD, GOOD
from core.errors import Unreachable
from tests.unit.agent.modbus.meter import Meter, memory

LINK = Gateway(host="192.0.2.1").link()


def point(name: str, address: int, **how: Any) -> RegisterPoint:
    kind = how.pop("kind", ValueType.UINT16)
    return RegisterPoint(name, (Place(address, kind, 1),), not_available=(0xFFFF,), **how)


POINTS = (point("a", 0), point("b", 1), point("c", 10), point("far", 500))


def counting(*addresses: int) -> dict[int, int]:
    """Registers that hold their address + 1."""
    return {at: at + 1 for at in addresses}


def profile(**more: Any) -> Profile:
    described = {
        "id": "meter_x",
        "vendor": "X",
        "product": "Y",
        "trust": "single_source",
        "sources": ("a manual",),
        "function": 3,
        "word_order": "msw_first",
        "points": {
            "frequency": {"quantity": "frequency", "address": 0, "type": "uint16", "unit": "Hz", "scale": "1"}
        },
    }
    return Profile.model_validate(described | more)


def device(meter: Meter, points: Sequence[RegisterPoint] = POINTS, **more: Any) -> ModbusDevice:
    lanes: Mapping[Lane, Sequence[RegisterPoint]] = {Lane.REGISTERS: points, Lane.SAMPLES: ()}
    return ModbusDevice(meter.bus, unit=1, profile=profile(**more), link=LINK, lanes=lanes)


def flat(scans: Iterable[Scan]) -> dict[str, tuple[object, int]]:
    readings = [reading for scan in scans for reading in scan.readings()]
    assert len({reading.point for reading in readings}) == len(readings)
    return {reading.point: (reading.count, reading.quality) for reading in readings}


async def read(source: ModbusDevice, lane: Lane = Lane.REGISTERS) -> dict[str, tuple[object, int]]:
    scans: list[Scan] = []
    await source.read(lane, scans)
    return flat(scans)


ALL_GOOD: dict[str, tuple[object, int]] = {
    "a": (1, GOOD),
    "b": (2, GOOD),
    "c": (11, GOOD),
    "far": (501, GOOD),
}


async def test_points_near_each_other_are_read_together_and_carry_the_time_of_their_reply() -> None:
    meter = Meter(counting(*range(11), 500))
    source = device(meter)
    scans: list[Scan] = []
    await source.read(Lane.REGISTERS, scans)
    assert flat(scans) == ALL_GOOD
    assert meter.reads == [(0, 11), (500, 1)]
    assert {scan.time_ms for scan in scans} == {1_000}
    assert (source.lanes, source.bus) == ((Lane.REGISTERS,), "192.0.2.1:502")


async def test_the_shapes_of_two_readings_are_the_same_objects() -> None:
    source = device(Meter(counting(*range(11), 500)))
    scans: list[Scan] = []
    await source.read(Lane.REGISTERS, scans)
    await source.read(Lane.REGISTERS, scans)
    assert scans[0].shape is scans[2].shape
    assert scans[1].shape is scans[3].shape


async def test_shapes_stay_the_same_objects_whatever_is_refused() -> None:
    meter = Meter(counting(0, *range(2, 11), 500))
    source = device(meter)
    seen: list[Scan] = []
    for _ in range(50):
        await source.read(Lane.REGISTERS, seen)
        meter.time_ms += 10_000
    assert len({id(scan.shape) for scan in seen}) <= 8
    by_points = {scan.shape.points: scan.shape for scan in seen}
    assert all(by_points[scan.shape.points] is scan.shape for scan in seen)


async def test_a_probe_passes_its_bound_on_and_silence_keeps_what_was_read_before() -> None:
    meter = Meter(counting(*range(11), 500))
    meter.silent = lambda request: isinstance(request, ReadRequest) and request.address == 500
    scans: list[Scan] = []
    with pytest.raises(Unreachable):
        await device(meter).read(Lane.REGISTERS, scans, within_s=0.25)
    assert set(meter.limits) == {0.25}
    assert set(flat(scans)) == {"a", "b", "c"}


async def test_the_gap_the_limit_and_the_forbidden_ranges_are_those_of_profile_and_link() -> None:
    meter = Meter(counting(*range(11), 500))
    await read(device(meter, gap=7))
    assert meter.reads == [(0, 2), (10, 1), (500, 1)]
    await read(device(meter, max_registers=8))
    assert meter.reads == [(0, 2), (10, 1), (500, 1)]
    await read(device(meter, forbidden=((5, 6),)))
    assert meter.reads == [(0, 2), (10, 1), (500, 1)]


# M2: exceptions 01, 02 and 03 exclude one register


@pytest.mark.parametrize("code", [1, 2, 3])
async def test_only_the_missing_register_is_left_out_and_named_once(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    meter = Meter(counting(0, *range(2, 11), 500))
    meter.code = code
    source = device(meter)
    without_b = ALL_GOOD | {"b": (None, BAD)}
    with caplog.at_level(logging.INFO):
        assert await read(source) == without_b
        meter.asked.clear()
        for _ in range(3):
            assert await read(source) == without_b
    (record,) = caplog.records
    assert record.getMessage().startswith("b is left out")
    assert "modbus 1 uint16" in record.__dict__["where"]
    assert f"exception {code:02X}" in record.__dict__["seen"]
    (event,) = source.happened
    assert (event["event"], event["point"], event["time_ms"]) == ("refused", "b", 1_000)
    assert f"exception {code:02X}" in str(event["seen"])
    assert all(not at <= 1 < at + count for at, count in meter.reads)  # not even to bridge a gap


async def test_a_refused_register_is_tried_again_ever_more_slowly_and_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    meter = Meter(counting(0, *range(2, 11), 500))
    source = device(meter)
    await read(source)
    pause_ms, pauses = FIRST_PAUSE_MS, []
    for _ in range(9):
        meter.time_ms += pause_ms - 1
        meter.asked.clear()
        await read(source)
        assert (1, 1) not in meter.reads
        meter.time_ms += 1
        await read(source)
        assert meter.reads.count((1, 1)) == 1
        pauses.append(pause_ms)
        pause_ms = min(2 * pause_ms, LONGEST_PAUSE_MS)
    assert pauses[0] == 60_000
    assert pauses[-1] == 3_600_000
    meter.registers[1] = 2
    meter.time_ms += pause_ms
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert await read(source) == ALL_GOOD
    assert caplog.messages == ["b answers again"]
    meter.asked.clear()
    await read(source)
    assert meter.reads == [(0, 11), (500, 1)]


async def test_when_nothing_is_there_every_point_is_bad_and_the_device_is_asked_nothing() -> None:
    meter = Meter({})
    source = device(meter)
    assert await read(source) == dict.fromkeys(ALL_GOOD, (None, BAD))
    meter.asked.clear()
    assert await read(source) == dict.fromkeys(ALL_GOOD, (None, BAD))
    assert meter.asked == []


async def test_holes_between_the_points_are_asked_around_from_then_on_even_on_another_connection() -> None:
    meter = Meter(counting(0, 1, 10, 500))
    source = device(meter)
    assert await read(source) == ALL_GOOD
    meter.stats.connects += 1
    meter.asked.clear()
    assert await read(source) == ALL_GOOD
    assert meter.reads == [(0, 2), (10, 1), (500, 1)]


@pytest.mark.parametrize("code", [2, 3])
@pytest.mark.parametrize("longest", [1, 2, 7, 30, 60])
async def test_a_device_that_gives_few_registers_at_once_is_read_so_from_then_on(
    longest: int, code: int
) -> None:
    points = [point(f"{at:03}", at) for at in range(100)]
    meter = Meter(counting(*range(100)))
    meter.longest, meter.code = longest, code
    source = device(meter, points)
    expected = {f"{at:03}": (at + 1, GOOD) for at in range(100)}
    for _ in range(8):
        assert await read(source) == expected
    meter.asked.clear()
    assert await read(source) == expected
    assert all(count <= longest for _, count in meter.reads)
    assert longest / 2 < source.learned.limit <= longest


async def test_a_value_wider_than_what_was_learned_is_still_asked_for_alone() -> None:
    points = [point("a", 0), point("b", 1), point("wide", 2, kind=ValueType.UINT64)]
    meter = Meter(counting(*range(6)))
    meter.refuses = lambda request: isinstance(request, ReadRequest) and request.count not in (1, 4)
    source = device(meter, points)
    for _ in range(3):
        got = await read(source)
    assert {quality for _, quality in got.values()} == {GOOD}


async def test_a_refusal_that_passes_teaches_nothing() -> None:
    meter = Meter(counting(*range(11), 500))
    refusals = iter([True])
    meter.refuses = lambda request: next(refusals, False)
    source = device(meter)
    assert await read(source) == ALL_GOOD
    meter.asked.clear()
    await read(source)
    assert meter.reads == [(0, 11), (500, 1)]
    assert source.learned.limit == 125
    assert not source.learned.holes


async def test_silence_while_a_refusal_is_looked_into_is_silence() -> None:
    meter = Meter(counting(0, *range(2, 11), 500))
    meter.silent = lambda request: isinstance(request, ReadRequest) and request.count < 11
    source = device(meter)
    with pytest.raises(Unreachable):
        await source.read(Lane.REGISTERS, [])
    meter.silent = lambda request: False
    assert await read(source) == ALL_GOOD | {"b": (None, BAD)}


@given(
    st.sets(st.integers(0, 60), min_size=1, max_size=20),
    st.sets(st.integers(0, 60), max_size=12),
    st.integers(1, 61),
)
async def test_whatever_a_device_refuses_every_register_that_it_has_is_read_each_time(
    wanted: set[int], lacking: set[int], longest: int
) -> None:
    points = [point(f"{at}", at) for at in sorted(wanted)]
    meter = Meter(counting(*(set(range(61)) - lacking)))
    meter.longest = longest
    source = device(meter, points)
    expected = {f"{at}": (None, BAD) if at in lacking else (at + 1, GOOD) for at in wanted}
    for _ in range(14):
        assert await read(source) == expected
    before = len(meter.asked)
    assert await read(source) == expected
    for request in meter.asked[before:]:
        assert isinstance(request, ReadRequest)
        assert request.count <= longest
        assert not lacking & set(range(request.address, request.address + request.count))


# M8: what is no value never becomes a number


async def test_a_sentinel_is_a_bad_reading_without_a_count() -> None:
    meter = Meter({0: 0xFFFF, 1: 0xFFFE})
    assert await read(device(meter, POINTS[:2])) == {"a": (None, BAD), "b": (0xFFFE, GOOD)}


async def test_a_sentinel_of_32_bits_is_none_in_16_and_the_other_way_round() -> None:
    wide = RegisterPoint("wide", (Place(1, ValueType.UINT32, 1),), not_available=(0xFFFFFFFF,))
    meter = Meter(memory((0, "ffff 0000 ffff")))
    assert await read(device(meter, [point("a", 0), wide])) == {"a": (None, BAD), "wide": (0xFFFF, GOOD)}
    meter.registers = memory((0, "0001 ffff ffff"))
    assert await read(device(meter, [point("a", 0), wide])) == {"a": (1, GOOD), "wide": (None, BAD)}


# M13: a scale that is declared as a register is read with its value


def scaled(name: str, address: int, by: int) -> RegisterPoint:
    register = ScaleRegister(address=by, type=ValueType.INT16, exponents=(-2, 3), not_available=(0x8000,))
    return RegisterPoint(name, (Place(address, ValueType.INT16, 1),), scale_register=register)


async def test_a_power_of_ten_that_changes_changes_no_count_and_is_told() -> None:
    meter = Meter({40: 500, 45: 0, **counting(*range(41, 45))})
    source = device(meter, [scaled("power", 40, 45)])
    assert await read(source) == {"power": (50_000, GOOD)}
    assert meter.reads == [(40, 6)]
    assert source.happened == []

    meter.registers |= {40: 50, 45: 1}
    meter.time_ms = 2_000
    assert await read(source) == {"power": (50_000, GOOD)}
    assert source.happened == [
        {"event": "scale_changed", "time_ms": 2_000, "point": "power", "was": 0, "is": 1}
    ]
    source.happened.clear()

    meter.registers[45] = 0x8000
    assert await read(source) == {"power": (None, BAD)}
    meter.registers[45] = 1
    assert await read(source) == {"power": (50_000, GOOD)}
    assert source.happened == []

    meter.registers[45] = 0x8000
    await read(source)
    meter.registers[45] = 2  # it changed while nothing could be seen
    await read(source)
    assert [(event["was"], event["is"]) for event in source.happened] == [(1, 2)]


# functions 1 to 4


async def test_each_function_is_asked_for_its_own_points() -> None:
    points = [
        point("coil", 3, kind=ValueType.BIT, function=1),
        point("input", 900, kind=ValueType.BIT, function=2),
        point("holding", 0, function=3),
        point("register", 1, function=4),
    ]
    meter = Meter(counting(0, 1), bits={3: 1, 900: 0})
    source = device(meter, points)
    assert await read(source) == {
        "coil": (1, GOOD),
        "input": (0, GOOD),
        "holding": (1, GOOD),
        "register": (2, GOOD),
    }
    asked = [(each.function, each.address) for each in meter.asked if isinstance(each, ReadRequest)]
    assert asked == [(1, 3), (2, 900), (3, 0), (4, 1)]


# identity


TEXTS = {
    "serial_number": {"address": 70, "type": "uint32"},
    "model": {"address": 80, "words": 4},
    "firmware": {"address": 90, "words": 2, "function": 4},
}
OBJECTS = bytes.fromhex("01 01 00 00 03 00 03 414243 01 03 423234 02 03 312e33")  # ABC, B24, 1.3


async def test_a_device_says_who_it_is_by_its_registers_and_by_43_14() -> None:
    meter = Meter(memory((70, "075b cd15"), (80, "4234342d44000000"), (90, "31203000")))
    meter.identification = [OBJECTS]
    source = device(meter, identity=TEXTS)
    assert await source.identify() == Identity("ABC", "B44-D", "1 0", "123456789")
    assert [each for each in meter.asked if isinstance(each, ReadRequest)] == [
        ReadRequest(1, 3, 70, 2),
        ReadRequest(1, 3, 80, 4),
        ReadRequest(1, 4, 90, 2),
    ]


@pytest.mark.parametrize("nothing", ["0000", "ffff"])
async def test_a_serial_number_of_zeros_or_ones_is_none(nothing: str) -> None:
    texts = {
        "serial_number": {"address": 0, "type": "uint32"},
        "model": {"address": 2, "words": 2},
    }
    assert await device(Meter(memory((0, 4 * nothing))), identity=texts).identify() is None


async def test_what_the_profile_does_not_name_comes_from_43_14() -> None:
    meter = Meter({})
    meter.identification = [
        bytes.fromhex("01 01 ff 01 01 00 03 414243"),  # more follows, from object 1
        bytes.fromhex("01 01 00 00 02 01 03 423234 02 03 312e33"),
    ]
    assert await device(meter).identify() == Identity("ABC", "B24", "1.3", "")
    assert meter.asked == [IdentifyRequest(1), IdentifyRequest(1, 1, 1)]


async def test_a_device_that_never_comes_to_an_end_is_not_asked_for_ever() -> None:
    meter = Meter({})
    meter.identification = [bytes.fromhex(f"01 01 ff {at + 1:02x} 01 {at:02x} 01 41") for at in range(200)]
    await device(meter).identify()
    assert len(meter.asked) <= 8
    meter.asked.clear()
    meter.identification = [bytes.fromhex("01 01 ff 00 01 00 01 41")] * 200  # it starts again and again
    await device(meter).identify()
    assert len(meter.asked) == 1


@pytest.mark.parametrize("cut", range(len(OBJECTS)))
async def test_an_identification_that_is_cut_off_is_read_as_far_as_it_goes(cut: int) -> None:
    meter = Meter({})
    meter.identification = [OBJECTS[:cut]]
    found = await device(meter).identify()
    assert found is None or (found.vendor, found.model) in {("ABC", ""), ("ABC", "B24")}


@pytest.mark.parametrize("silent", [False, True])
async def test_a_device_that_does_not_know_43_14_is_no_fault_and_is_asked_once(silent: bool) -> None:
    meter = Meter(memory((70, "075b cd15")))

    def is_identification(request: Request) -> bool:
        return silent and isinstance(request, IdentifyRequest)

    meter.silent = is_identification
    source = device(meter, identity={"serial_number": TEXTS["serial_number"]})
    for _ in range(3):
        assert await source.identify() == Identity(serial_number="123456789")
        meter.time_ms += 3_600_000
        meter.stats.connects += 1
    assert sum(isinstance(each, IdentifyRequest) for each in meter.asked) == 1
    meter.time_ms += 86_400_000
    await source.identify()
    assert sum(isinstance(each, IdentifyRequest) for each in meter.asked) == 2


async def test_a_device_without_its_identity_registers_has_none_and_one_that_is_silent_is_unreachable() -> (
    None
):
    meter = Meter({})
    source = device(meter, identity=TEXTS)
    assert await source.identify() is None
    meter.silent = lambda request: True
    with pytest.raises(Unreachable):
        await source.identify()


# SunSpec: the model is where the walk leads


def sunspec(base: int, *before: tuple[int, int], model: int = 203, length: int = 105) -> dict[int, int]:
    """A SunSpec map: the common model, others of an id and length, then a meter; 0xFFFF ends it."""
    registers: dict[int, int] = memory((base, "53756e53"))
    at = base + 2
    for id_, long in ((1, 66), *before, (model, length), (0xFFFF, 0)):
        registers |= {at + 2 + each: 0 for each in range(long)} | {at: id_, at + 1: long}
        at += 2 + long
    return registers


def meter_model(registers: Mapping[int, int], model: int = 203) -> int:
    return next(at for at, word in registers.items() if word == model and registers.get(at + 1) == 105)


def sunspec_device(meter: Meter, **more: Any) -> ModbusDevice:
    energy = RegisterPoint("energy", (Place(46, ValueType.UINT32, 1),), in_model=True)
    return device(meter, [energy], sunspec=(201, 203), **more)


@pytest.mark.parametrize("base", [40_000, 0, 50_000])
@pytest.mark.parametrize("before", [(), ((103, 50),), ((103, 50), (160, 128))])
async def test_a_model_is_found_by_walking_once_and_its_registers_are_read_there(
    base: int, before: tuple[tuple[int, int], ...]
) -> None:
    registers = sunspec(base, *before)
    at = meter_model(registers)
    meter = Meter(registers | memory((at + 46, "00bc614e")))
    source = sunspec_device(meter)
    assert await read(source) == {"energy": (12_345_678, GOOD)}
    meter.asked.clear()
    assert await read(source) == {"energy": (12_345_678, GOOD)}
    assert meter.reads == [(at + 46, 2)]

    meter.stats.connects += 1  # another connection: the model is looked at before it is used
    assert await read(source) == {"energy": (12_345_678, GOOD)}
    assert meter.reads == [(at, 2), (at + 46, 2)]


async def test_a_walk_keeps_to_the_bound_of_a_probe() -> None:
    meter = Meter({})
    meter.silent = lambda request: True
    with pytest.raises(Unreachable):
        await sunspec_device(meter).read(Lane.REGISTERS, [], within_s=0.25)
    assert meter.limits == [0.25]


async def test_a_model_that_moved_is_found_again_and_nothing_is_read_where_it_was() -> None:
    one, other = sunspec(40_000), sunspec(40_000, (103, 50))
    meter = Meter(one | memory((meter_model(one) + 46, "00000001")))
    source = sunspec_device(meter)
    assert await read(source) == {"energy": (1, GOOD)}
    meter.registers = other | memory((meter_model(other) + 46, "00000002"))
    meter.stats.connects += 1
    assert await read(source) == {"energy": (2, GOOD)}
    meter.registers = dict(one) | memory((meter_model(one) + 46, "00000003"))
    del meter.registers[meter_model(other) + 46]  # where it was there is nothing now: refused
    assert await read(source) == {"energy": (None, BAD)}
    assert await read(source) == {"energy": (3, GOOD)}


@pytest.mark.parametrize(
    "registers",
    [
        {},
        memory((40_000, "53756e53")),
        memory((40_000, "53756e53 ffff0000")),
        memory((40_000, "53756e53 00010000")),  # a model without a length
        memory((40_000, "53756e53 0001fffe")),  # longer than there are registers
        memory((40_000, "53756e53 00cb0010")),  # the model, but too short to hold the value
        dict.fromkeys(range(0x10000), 1) | memory((40_000, "53756e53")),  # models of 1 register for ever
        sunspec(40_000, model=204),
        memory((40_000, "53756e53 ffff0001 0000 00cb0069")),  # nothing comes after the end
        memory((40_000, "53756e53 0001639c"), (65_504, "00cb0069")),  # it ends beyond the last register
    ],
)
async def test_where_no_walk_leads_to_the_model_no_point_has_a_value_and_the_walk_is_short(
    registers: dict[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    meter = Meter(registers)
    source = sunspec_device(meter)
    for _ in range(3):
        assert await read(source) == {"energy": (None, BAD)}
    assert len(meter.asked) <= 70
    assert [record.getMessage() for record in caplog.records] == [
        "192.0.2.1:502 unit 1 has no SunSpec model 201 or 203; its points have no value"
    ]
    found = sunspec(40_000)
    meter.registers = found | memory((meter_model(found) + 46, "00000007"))
    meter.time_ms += FIRST_PAUSE_MS
    assert await read(source) == {"energy": (7, GOOD)}


async def test_a_walk_over_zeros_is_over_at_once() -> None:
    meter = Meter(dict.fromkeys(range(0x10000), 0) | memory((40_000, "53756e53")))
    assert await read(sunspec_device(meter)) == {"energy": (None, BAD)}
    assert meter.reads == [(40_000, 2), (40_002, 2)]


async def test_a_text_beyond_the_last_register_is_none() -> None:
    models = memory((0, "53756e53 0007ffaa"), (0xFFAE, "00010002"), (0xFFB2, "00cb0040"))
    source = sunspec_device(Meter(models), identity={"serial_number": {"address": 80, "words": 16}})
    assert await source.identify() is None


async def test_the_common_model_says_who_the_device_is() -> None:
    registers = sunspec(40_000) | memory((40_002 + 50, "53 4e 34 32 00 00"), (40_002 + 18, "45 4d"))
    source = sunspec_device(
        Meter(registers),
        identity={"serial_number": {"address": 50, "words": 16}, "model": {"address": 18, "words": 16}},
    )
    assert await source.identify() == Identity(model="EM", serial_number="SN42")


async def test_closing_closes_the_bus() -> None:
    meter = Meter({})
    await device(meter).close()
    assert meter.closed == 1
