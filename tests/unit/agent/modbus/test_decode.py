"""Replies become counts exactly, and an invalid pattern never a number."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.modbus.decode import BlockDecoder, decode_text, decode_value
from agent.modbus.plan import RegisterPoint, plan
from agent.readings import Value
from config.profile import ByteOrder, Place, ScaleRegister, ValueType, WordOrder

CODES = {
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}
NUMBERS = [kind for kind in ValueType if kind.words and kind is not ValueType.BIT]
WHOLE = [kind for kind in NUMBERS if kind.value.startswith(("int", "uint")) and not kind.is_half]
HALVES = [kind for kind in NUMBERS if kind.is_half]
ORDERS = [(word, byte) for word in WordOrder for byte in ByteOrder]


def big(value: float, kind: ValueType) -> bytes:
    """A number as a device sends it that keeps to the usual order."""
    if kind.is_half:
        byte = bytes((int(value) & 0xFF,))
        return byte + b"\x5a" if kind.value.endswith("_high") else b"\x5a" + byte
    if kind.value.startswith("bcd"):
        return bytes.fromhex(f"{value:0{4 * kind.words}}")
    if kind.value.startswith("mod10k"):
        rest, words = int(value), []
        for _ in range(kind.words - 1):
            rest, word = divmod(rest, 10_000)
            words.append(word)
        return struct.pack(f">h{len(words)}H", rest, *reversed(words))
    if kind.value in CODES:
        return struct.pack(f">{CODES[kind.value]}", value)
    return int(value).to_bytes(2 * kind.words, "big", signed=kind.limits[0] < 0)


def sent(raw: bytes, word_order: WordOrder, byte_order: ByteOrder) -> bytes:
    """The same in another order."""
    words = [raw[at : at + 2] for at in range(0, len(raw), 2)]
    if word_order is WordOrder.LSW_FIRST:
        words.reverse()
    return b"".join(word[::-1] if byte_order is ByteOrder.LITTLE else word for word in words)


def decoded(raw: bytes, kind: ValueType, *addresses: int, **how: Any) -> Value:
    parts = tuple(Place(at, kind, 1) for at in addresses or (0,))
    return decode_value(RegisterPoint("p", parts, **how), raw)


def decoded_in(
    order: tuple[WordOrder, ByteOrder], raw: bytes, kind: ValueType, not_available: Iterable[int] = ()
) -> Value:
    word, byte = order
    how: dict[str, Any] = {"word_order": word, "byte_order": byte, "not_available": tuple(not_available)}
    return decoded(sent(raw, word, byte), kind, **how)


@given(st.data(), st.sampled_from([kind for kind in NUMBERS if not kind.is_float]), st.sampled_from(ORDERS))
def test_every_whole_number_of_every_type_and_order_comes_back(
    data: st.DataObject, kind: ValueType, order: tuple[WordOrder, ByteOrder]
) -> None:
    value = data.draw(st.integers(*kind.limits))
    assert decoded_in(order, big(value, kind), kind) == value


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(ORDERS))
def test_every_float64_comes_back(value: float, order: tuple[WordOrder, ByteOrder]) -> None:
    assert decoded_in(order, big(value, ValueType.FLOAT64), ValueType.FLOAT64) == value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(ORDERS))
def test_every_float32_comes_back(value: float, order: tuple[WordOrder, ByteOrder]) -> None:
    assert decoded_in(order, big(value, ValueType.FLOAT32), ValueType.FLOAT32) == value


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        (ValueType.FLOAT32, "7fc00000"),
        (ValueType.FLOAT32, "ffc00000"),
        (ValueType.FLOAT32, "7fa00001"),  # signalling, with a payload
        (ValueType.FLOAT32, "7f800000"),
        (ValueType.FLOAT32, "ff800000"),
        (ValueType.FLOAT64, "7ff0000000000001"),
        (ValueType.FLOAT64, "fff8000000000000"),
        (ValueType.FLOAT64, "7ff0000000000000"),
        (ValueType.FLOAT64, "fff0000000000000"),
    ],
)
def test_nan_and_infinity_are_no_value(
    kind: ValueType, pattern: str, order: tuple[WordOrder, ByteOrder]
) -> None:
    assert decoded_in(order, bytes.fromhex(pattern), kind) is None


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("leading", ["7f", "80", "ff"])
def test_a_pattern_that_is_no_value_is_as_wide_as_its_type_and_no_wider(
    kind: ValueType, leading: str, order: tuple[WordOrder, ByteOrder]
) -> None:
    size = 2 * kind.words
    pattern = int.from_bytes(
        bytes.fromhex(leading) + (size - 1) * (b"\0" if leading == "80" else b"\xff"), "big"
    )

    def value_of(raw: int) -> Value:
        return decoded_in(order, raw.to_bytes(size, "big"), kind, [pattern])

    assert value_of(pattern) is None
    for near in {0, 1, pattern - 1, pattern ^ 1, pattern >> 8, pattern >> 16, 0xFFFF, 0x7FFF, 0x8000} - {
        pattern
    }:
        raw = near.to_bytes(size, "big")
        assert value_of(near) == int.from_bytes(raw, "big", signed=kind.value.startswith("int"))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", HALVES)
def test_a_pattern_of_one_byte_looks_at_that_byte_alone(
    kind: ValueType, order: tuple[WordOrder, ByteOrder]
) -> None:
    assert decoded_in(order, big(-1, kind), kind, [0xFF]) is None
    assert decoded_in(order, big(0x5A, kind), kind, [0xFF, 0xA5]) == 0x5A
    assert decoded_in(order, big(1, kind), kind, [0x5A]) == 1  # it is the other byte that holds 0x5A


def test_a_float_is_compared_bit_by_bit_so_that_a_sentinel_of_minus_zero_spares_zero() -> None:
    how = {"not_available": (0x80000000, 0x7F7FFFFF)}
    assert decoded(bytes.fromhex("80000000"), ValueType.FLOAT32, **how) is None
    assert decoded(bytes.fromhex("7f7fffff"), ValueType.FLOAT32, **how) is None
    assert decoded(bytes.fromhex("00000000"), ValueType.FLOAT32, **how) == 0
    assert decoded(bytes.fromhex("7f7ffffe"), ValueType.FLOAT32, **how) is not None


def test_a_value_that_looks_like_the_sentinel_of_a_neighbour_is_kept() -> None:
    narrow = RegisterPoint("narrow", (Place(0, ValueType.UINT16, 1),), not_available=(0xFFFF,))
    wide = RegisterPoint("wide", (Place(1, ValueType.UINT32, 1),), not_available=(0xFFFFFFFF,))
    (block,) = plan([narrow, wide], gap=0, limit=125)
    assert BlockDecoder(block).values(bytes.fromhex("ffff0000ffff")) == [None, 0xFFFF]
    assert BlockDecoder(block).values(bytes.fromhex("7fffffffffff")) == [0x7FFF, None]


@pytest.mark.parametrize(
    ("kind", "words", "value"),
    [
        ("bcd16", "9876", 9_876),
        ("bcd16", "987a", None),
        ("bcd32", "12345678", 12_345_678),
        ("bcd32", "f2345678", None),
        ("bcd48", "000012345678", 12_345_678),
        ("bcd64", "9999999999999999", 9_999_999_999_999_999),
        ("bcd64", "99999999c9999999", None),
        ("mod10k32", "04d2162e", 12_345_678),
        ("mod10k32", "04d22710", None),  # 10,000
        ("mod10k32", "270f270f", 99_999_999),
        ("mod10k32", "7fff270f", 327_679_999),
        ("mod10k32", "ffff162e", -10_000 + 5_678),
        ("mod10k32", "ffffffff", None),
        ("mod10k48", "7fffffff270f", None),
        ("mod10k48", "000104d2162e", 112_345_678),
        ("mod10k64", "270f270f270f270f", 9_999_999_999_999_999),
        ("mod10k64", "270f270fffff270f", None),
        ("int48", "ffffffffffff", -1),
        ("uint48", "ffffffffffff", 2**48 - 1),
    ],
)
def test_what_is_no_digit_is_no_value(kind: str, words: str, value: int | None) -> None:
    assert decoded(bytes.fromhex(words), ValueType(kind)) == value


@given(st.binary(min_size=8, max_size=8), st.sampled_from(NUMBERS), st.sampled_from(ORDERS))
def test_whatever_the_bytes_a_value_is_within_its_type_or_none(
    raw: bytes, kind: ValueType, order: tuple[WordOrder, ByteOrder]
) -> None:
    value = decoded_in(order, raw[: 2 * kind.words], kind)
    if isinstance(value, float):
        assert math.isfinite(value)
    elif value is not None:
        low, high = kind.limits
        assert low <= value <= high


@pytest.mark.parametrize("bit", range(16))
@pytest.mark.parametrize("byte_order", ByteOrder)
def test_a_bit_of_a_register(bit: int, byte_order: ByteOrder) -> None:
    raw = sent((1 << bit).to_bytes(2, "big"), WordOrder.MSW_FIRST, byte_order)
    points = [
        RegisterPoint(f"{each:02}", (Place(0, ValueType.BIT, 1),), bit=each, byte_order=byte_order)
        for each in range(16)
    ]
    (block,) = plan(points, gap=0, limit=125)
    assert BlockDecoder(block).values(raw) == [int(each == bit) for each in range(16)]


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(0, 60_000))
def test_coils_come_lowest_bit_first(coils: list[bool], first: int) -> None:
    points = [
        RegisterPoint(f"{at:02}", (Place(first + at, ValueType.BIT, 1),), function=1)
        for at in range(len(coils))
    ]
    packed = sum(coil << at for at, coil in enumerate(coils)).to_bytes((len(coils) + 7) // 8, "little")
    (block,) = plan(points, gap=0, limit=125)
    assert BlockDecoder(block).values(packed) == [int(coil) for coil in coils]


def summed(raw: bytes, *parts: Place) -> Value:
    return decode_value(RegisterPoint("p", parts), raw)


def test_parts_are_added_exactly_whatever_their_size() -> None:
    float64, uint64 = ValueType.FLOAT64, ValueType.UINT64
    raw = big(1e15, float64) + big(0.1, float64)
    assert summed(raw, Place(0, float64, 1), Place(4, float64, 1)) == Decimal("1000000000000000.1")
    raw = big(2**63, uint64) * 2
    assert summed(raw, Place(0, uint64, 1), Place(4, uint64, 1)) == 2**64


def test_parts_have_weights_and_types_of_their_own() -> None:
    """GWh and Wh: 7 × 10⁹ + 123,456,789, then with kWh in 16 bits between them."""
    raw = big(7, ValueType.UINT16) + big(5, ValueType.UINT16) + big(123_456_789, ValueType.UINT32)
    gwh, kwh, wh = (
        Place(0, ValueType.UINT16, 10**9),
        Place(1, ValueType.UINT16, 1_000),
        Place(2, ValueType.UINT32, 1),
    )
    assert summed(raw, gwh, wh) == 7_123_456_789
    assert summed(raw, wh, kwh, gwh) == 7_123_461_789
    assert decoded(
        big(1.5, ValueType.FLOAT32) + big(2.25, ValueType.FLOAT32), ValueType.FLOAT32, 0, 2
    ) == Decimal("3.75")


def test_a_part_in_32_bits_is_its_shortest_decimal() -> None:
    single = Place(0, ValueType.FLOAT32, 10)
    assert summed(big(0.1, ValueType.FLOAT32) + bytes(2), single, Place(2, ValueType.UINT16, 1)) == 1


@given(*[st.floats(allow_nan=False, allow_infinity=False, width=64)] * 2, st.integers(1, 10**9))
def test_a_sum_of_floats_is_the_weighted_sum_of_their_decimals(one: float, other: float, weight: int) -> None:
    raw = big(one, ValueType.FLOAT64) + big(other, ValueType.FLOAT64)
    total = Fraction(repr(one)) * weight + Fraction(repr(other))
    if abs(total) < 10**310:
        found = summed(raw, Place(0, ValueType.FLOAT64, weight), Place(4, ValueType.FLOAT64, 1))
        assert found is not None
        assert Fraction(found) == total


def test_a_sum_with_a_part_that_has_no_value_has_none() -> None:
    raw = big(1.0, ValueType.FLOAT64) + big(math.nan, ValueType.FLOAT64)
    assert decoded(raw, ValueType.FLOAT64, 0, 4) is None
    assert decoded(raw, ValueType.FLOAT64, 4, 0) is None
    assert decoded(bytes.fromhex("0001ffff"), ValueType.UINT16, 0, 1, not_available=(0xFFFF,)) is None


def power_of_ten(raw: str, exponents: tuple[int, int], **more: Any) -> Value:
    register = ScaleRegister(address=1, type=ValueType.INT16, exponents=exponents, **more)
    point = RegisterPoint(
        "p", (Place(0, ValueType.INT16, 1),), not_available=(0x8000,), scale_register=register
    )
    return decode_value(point, bytes.fromhex(raw))


@pytest.mark.parametrize(
    ("raw", "count"),
    [
        ("3039 fffd", 12_345),  # × 10^-3, what one count is worth
        ("3039 fffe", 123_450),
        ("3039 0000", 12_345_000),
        ("3039 0002", 1_234_500_000),
        ("cfc7 ffff", -1_234_500),
        ("3039 0003", None),  # above the highest
        ("3039 fffc", None),  # below the lowest
        ("3039 8000", None),  # not implemented
        ("8000 0000", None),
        ("8000 8000", None),
    ],
)
def test_a_count_is_told_in_the_smallest_power_of_ten(raw: str, count: int | None) -> None:
    assert power_of_ten(raw, (-3, 2), not_available=(0x8000,)) == count


def test_a_power_of_ten_that_is_marked_as_no_value_leaves_none_although_it_is_allowed() -> None:
    assert power_of_ten("0001 0001", (0, 4)) == 10
    assert power_of_ten("0001 0001", (0, 4), not_available=(0x0001,)) is None


def test_exponents_are_told_by_point_and_only_those_that_are_allowed() -> None:
    register = ScaleRegister(address=2, type=ValueType.INT16, exponents=(-3, 3))
    points = [
        RegisterPoint("a", (Place(0, ValueType.UINT16, 1),), scale_register=register),
        RegisterPoint("b", (Place(1, ValueType.UINT16, 1),), scale_register=register),
        RegisterPoint("c", (Place(3, ValueType.UINT16, 1),)),
    ]
    (block,) = plan(points, gap=0, limit=125)
    decoder = BlockDecoder(block)
    assert decoder.is_scaled
    assert decoder.values(bytes.fromhex("00010002fffe0005")) == [10, 20, 5]
    assert decoder.exponents(bytes.fromhex("00010002fffe0005")) == {"a": -2, "b": -2}
    assert decoder.exponents(bytes.fromhex("0001000280000005")) == {}


@st.composite
def a_block(draw: st.DrawFn) -> tuple[list[RegisterPoint], bytes]:
    """Values of any type and order one after another, with gaps, two of them perhaps on one register."""
    points, at = [], draw(st.integers(0, 9))
    for number in range(draw(st.integers(1, 20))):
        kind = draw(st.sampled_from(NUMBERS))
        word, byte = draw(st.sampled_from(ORDERS))
        patterns = draw(st.lists(st.integers(0, 2**kind.pattern_bits - 1), max_size=2))
        points.append(
            RegisterPoint(
                f"{number:02}",
                (Place(at, kind, 1),),
                word_order=word,
                byte_order=byte,
                not_available=tuple(patterns),
            )
        )
        at += draw(st.integers(0, kind.words + 2))
    end = max(point.end for point in points)
    return points, draw(st.binary(min_size=2 * end, max_size=2 * end))


@given(a_block())
def test_a_block_at_once_holds_what_its_values_hold_one_by_one(
    made: tuple[list[RegisterPoint], bytes],
) -> None:
    points, memory = made
    for block in plan(points, gap=16, limit=125):
        decoder = BlockDecoder(block)
        values = decoder.values(memory[2 * block.address : 2 * block.end])
        assert decoder.shape.points == tuple(point.point for point in block.points)
        for point, value, single in zip(block.points, values, decoder.shape.singles, strict=True):
            assert value == decode_value(point, memory[2 * point.start : 2 * point.end])
            assert single is (point.parts[0].type is ValueType.FLOAT32)


def test_a_reply_of_another_length_is_no_block() -> None:
    with pytest.raises(ValueError, match="2 bytes for a block of 4"):
        decoded(bytes(2), ValueType.UINT32)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"PM5560\0\0", "PM5560"),
        (b"  A44 552-100    ", "A44 552-100"),
        (b"B23\0rest of it", "B23"),
        (b"1.4\xb2\0", "1.4²"),
        (b"\0" * 8, ""),
        (b"\xff\xff", "ÿÿ"),
        (b"a\x07b\n", "ab"),
    ],
)
def test_a_text_is_freed_of_what_fills_it_up(raw: bytes, text: str) -> None:
    assert decode_text(raw) == text
