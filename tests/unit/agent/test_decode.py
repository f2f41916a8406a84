"""Words become counts exactly, and an invalid pattern never a number."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.counts import count_of_float
from agent.modbus.decode import BlockDecoder
from agent.modbus.plan import RegisterPoint, plan
from config.profile import ValueType, WordOrder
from core.metering.readings import Count

CODES = dict(zip(ValueType, "hHiIqQfd", strict=True))


def decoded(
    words: list[int],
    kind: ValueType,
    *,
    order: WordOrder = WordOrder.MSW_FIRST,
    not_available: int | None = None,
    addresses: tuple[int, ...] = (0,),
) -> Count | None:
    (block,) = plan([RegisterPoint("p", addresses, kind, order, not_available)])
    ((_, count),) = BlockDecoder(block).counts(words)
    return count


def words_of(value: float, kind: ValueType, order: WordOrder = WordOrder.MSW_FIRST) -> list[int]:
    raw = struct.pack(f">{CODES[kind]}", value)
    words = list(struct.unpack(f">{len(raw) // 2}H", raw))
    return words if order is WordOrder.MSW_FIRST else words[::-1]


@given(
    st.data(), st.sampled_from([kind for kind in ValueType if not kind.is_float]), st.sampled_from(WordOrder)
)
def test_every_integer_of_every_type_comes_back(
    data: st.DataObject, kind: ValueType, order: WordOrder
) -> None:
    value = data.draw(st.integers(*kind.limits))
    assert decoded(words_of(value, kind, order), kind, order=order) == value


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(WordOrder))
def test_a_float64_becomes_the_shortest_decimal_that_round_trips(value: float, order: WordOrder) -> None:
    count = decoded(words_of(value, ValueType.FLOAT64, order), ValueType.FLOAT64, order=order)
    assert count is not None
    assert float(count) == value
    assert count == Decimal(repr(value))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float32_becomes_a_decimal_of_at_most_nine_digits_that_round_trips(value: float) -> None:
    count = decoded(words_of(value, ValueType.FLOAT32), ValueType.FLOAT32)
    assert count is not None
    assert struct.pack(">f", float(count)) == struct.pack(">f", value + 0.0)
    assert len(Decimal(count).normalize().as_tuple().digits) <= 9


@given(st.decimals(min_value=-9_999, max_value=9_999, places=2))
def test_a_float32_shows_the_digits_that_the_meter_shows(shown: Decimal) -> None:
    assert count_of_float(struct.unpack(">f", struct.pack(">f", shown))[0], single=True) == shown


@pytest.mark.parametrize("kind", [ValueType.FLOAT32, ValueType.FLOAT64])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_has_no_count(kind: ValueType, value: float) -> None:
    assert decoded(words_of(value, kind), kind) is None


def test_a_signalling_nan_and_one_with_a_payload_have_no_count() -> None:
    assert decoded([0x7FA0, 0x0001], ValueType.FLOAT32) is None
    assert decoded([0xFFC0, 0x0000], ValueType.FLOAT32) is None
    assert decoded([0x7FF0, 0, 0, 1], ValueType.FLOAT64) is None


@pytest.mark.parametrize(
    ("kind", "sentinel"),
    [
        (ValueType.INT16, 0x7FFF),
        (ValueType.INT16, -0x8000),
        (ValueType.UINT16, 0xFFFF),
        (ValueType.INT32, 0x7FFFFFFF),
        (ValueType.UINT32, 0xFFFFFFFF),
        (ValueType.INT64, -(2**63)),
        (ValueType.UINT64, 2**64 - 1),
    ],
)
@pytest.mark.parametrize("order", WordOrder)
def test_a_sentinel_is_as_wide_as_its_type_and_no_wider(
    kind: ValueType, sentinel: int, order: WordOrder
) -> None:
    def count_of(value: int) -> Count | None:
        return decoded(words_of(value, kind, order), kind, order=order, not_available=sentinel)

    assert count_of(sentinel) is None
    low, high = kind.limits
    for near in (sentinel - 1, sentinel + 1, 0, 0xFFFF, 0x7FFF, 0xFFFFFFFF):
        if low <= near <= high and near != sentinel:
            assert count_of(near) == near


def test_registers_of_a_sum_are_added_exactly() -> None:
    words = words_of(1e15, ValueType.FLOAT64) + words_of(0.1, ValueType.FLOAT64)
    assert decoded(words, ValueType.FLOAT64, addresses=(0, 4)) == Decimal("1000000000000000.1")
    words = words_of(2**63, ValueType.UINT64) + words_of(2**63, ValueType.UINT64)
    assert decoded(words, ValueType.UINT64, addresses=(0, 4)) == 2**64


@given(*[st.floats(allow_nan=False, allow_infinity=False, width=64)] * 2)
def test_a_sum_of_floats_is_the_sum_of_their_decimals(one: float, other: float) -> None:
    words = words_of(one, ValueType.FLOAT64) + words_of(other, ValueType.FLOAT64)
    total = decoded(words, ValueType.FLOAT64, addresses=(0, 4))
    assert total is not None
    assert Fraction(total) == Fraction(repr(one)) + Fraction(repr(other))


def test_a_sum_with_a_part_that_has_no_value_has_none() -> None:
    words = words_of(1.0, ValueType.FLOAT64) + words_of(math.nan, ValueType.FLOAT64)
    assert decoded(words, ValueType.FLOAT64, addresses=(0, 4)) is None
