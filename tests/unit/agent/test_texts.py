"""A scan's text is what its readings would be, written one by one."""

from __future__ import annotations

import struct
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.counts import count_of_float, text_of_double, text_of_single
from agent.readings import Scan, Shape, Value
from agent.spool.texts import FRAME_READINGS, ShapeTexts
from core.delivery.frames import Frame, Lane
from core.delivery.payload import TakenReading, decode_payload, encode_payload, payload_of
from core.delivery.tables import PointRow, PointTable
from core.errors import WireError

TABLE = PointTable(
    tuple(
        PointRow(f"M.{at}", "active_power", "W", "1", "1", None, "primary", "", "", "") for at in range(2500)
    )
)
SINGLES = st.floats(width=32, allow_nan=False, allow_infinity=False)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
DISPLAYED = st.builds(lambda tenths, digits: round(tenths / 10, digits), st.integers(0, 10**8), st.just(1))


def single(value: float) -> float:
    return float(struct.unpack(">f", struct.pack(">f", value))[0])


@given(SINGLES | DISPLAYED.map(single))
def test_a_32_bit_float_has_the_text_of_its_count(value: float) -> None:
    count = count_of_float(value, single=True)
    assert count is not None
    expected = encode_payload([TakenReading("M.0", 1, count)], TABLE)[8:-4]
    assert text_of_single(value) == expected


def test_many_32_bit_floats_have_the_text_of_their_counts() -> None:
    random = Random(20240201)
    for _ in range(20_000):
        value = single(random.uniform(-1, 1) * 10 ** random.uniform(-4, 6))
        assert text_of_single(value) == str(count_of_float(value, single=True))


@given(DOUBLES | DISPLAYED)
def test_a_64_bit_float_has_the_text_of_its_count(value: float) -> None:
    count = count_of_float(value, single=False)
    assert count is not None
    expected = encode_payload([TakenReading("M.0", 1, count)], TABLE)[8:-4]
    assert text_of_double(value) == expected


VALUES = st.none() | st.integers() | SINGLES | st.decimals(allow_nan=False, allow_infinity=False)
ROWS = st.lists(st.tuples(VALUES, st.integers(0, 2)), min_size=1, max_size=9)


@given(st.lists(ROWS, min_size=2, max_size=2), st.booleans(), st.none() | st.sets(st.integers(0, 8)))
def test_a_scan_is_written_as_its_readings(
    rows: list[list[tuple[Value, int]]], graded: bool, taken: set[int] | None
) -> None:
    points = min(map(len, rows))
    shape = Shape(tuple(f"M.{7 * at}" for at in range(points)), (True,) * points)
    texts = ShapeTexts(shape, TABLE)
    some = None if taken is None else sorted(at for at in taken if at < points)
    for time_ms, row in enumerate((*rows, rows[0])):
        values = [value for value, _ in row[:points]]
        scan = Scan(
            shape, time_ms, values, [quality for _, quality in row[:points]] if graded else None, some
        )
        readings = list(scan.readings())
        groups = list(texts.groups(scan))
        assert sum(group.n for group in groups) == len(readings)
        assert payload_of(group.text for group in groups) == encode_payload(readings, TABLE)


def test_a_block_larger_than_a_frame_becomes_several_groups() -> None:
    shape = Shape(tuple(row.point for row in TABLE.rows), (False,) * 2500)
    scan = Scan(shape, 5, range(2500))
    groups = list(ShapeTexts(shape, TABLE).groups(scan))
    assert [group.n for group in groups] == [FRAME_READINGS, FRAME_READINGS, 500]
    payload = payload_of(group.text for group in groups)
    frame = Frame("aoba-1", Lane.SAMPLES, "e" * 32, 0, 2500, TABLE.digest, payload)
    assert decode_payload(frame, TABLE)[0] == tuple(scan.readings())


def test_no_value_that_is_no_number_is_written_as_one() -> None:
    shape = Shape(("M.1", "M.2"), (False, True))
    texts = ShapeTexts(shape, TABLE)
    (group,) = texts.groups(Scan(shape, 1, [float("nan"), float("-inf")]))
    assert group.text == "[1,[[1,null,2],[2,null,2]]]"
    for wrong in (Decimal("NaN"), True, "7"):
        with pytest.raises(WireError):
            list(texts.groups(Scan(shape, 1, [1, wrong])))  # type: ignore[list-item]  # on purpose
    with pytest.raises(WireError):
        list(texts.groups(Scan(shape, 1, [1])))
    with pytest.raises(WireError, match="not in its table"):
        ShapeTexts(Shape(("M.x",), (False,)), TABLE)
