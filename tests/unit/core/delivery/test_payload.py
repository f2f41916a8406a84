"""What is encoded is decoded as it was; what is not of the form is refused and named."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.delivery.frames import Frame, Lane
from core.delivery.payload import (
    BAD,
    TakenReading,
    TimeUnknown,
    anchor_of,
    decode_payload,
    encode_payload,
    since_start,
)
from core.errors import WireError
from tests.unit.core.delivery.machine import POINTS

POINT = POINTS.rows[0].point
COUNTS = st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
TIMES = st.integers(0, 7_258_118_399_999)
GOOD_OR_NOT = st.builds(
    TakenReading, st.sampled_from([row.point for row in POINTS.rows]), TIMES, COUNTS, st.integers(0, 2)
)
UNREAD = st.builds(TakenReading, st.just(POINT), TIMES, st.none(), st.just(BAD))


def frame(payload: str, n: int) -> Frame:
    return Frame("aoba-1", Lane.REGISTERS, "e" * 32, 0, n, POINTS.digest, payload)


@given(st.lists(GOOD_OR_NOT | UNREAD, min_size=1))
def test_readings_come_back_as_they_were(readings: list[TakenReading]) -> None:
    payload = encode_payload(readings, POINTS)
    assert decode_payload(frame(payload, len(readings)), POINTS) == (tuple(readings), ())
    assert '"' not in payload
    json.loads(payload)


def test_a_decimal_keeps_its_digits_and_its_kind() -> None:
    counts: list[int | Decimal] = [Decimal("1.10"), Decimal("3"), Decimal("1E+5"), 2**64, -1]
    readings = [TakenReading(POINT, 1, count) for count in counts]
    decoded, _ = decode_payload(frame(encode_payload(readings, POINTS), 5), POINTS)
    assert [str(reading.count) for reading in decoded] == ["1.10", "3.0", "1E+5", str(2**64), "-1"]
    assert [type(reading.count) for reading in decoded] == [Decimal, Decimal, Decimal, int, int]


def test_events_count_like_readings() -> None:
    events = [{"event": "clock_step", "time_ms": 5, "by_ms": -400}]
    payload = encode_payload([TakenReading(POINT, 1, 1)], POINTS, events)
    readings, decoded = decode_payload(frame(payload, 2), POINTS)
    assert (len(readings), list(decoded)) == (1, events)


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "{}",
        "[[1,[[0,1]]]",
        "[[1,[[0]]]]",
        "[[1,[[0,1,0,0]]]]",
        "[[1,[[7,1]]]]",
        "[[1,[[-1,1]]]]",
        "[[1,[[true,1]]]]",
        "[[1,[[0,true]]]]",
        "[[1,[[0,null]]]]",
        "[[1,[[0,null,1]]]]",
        "[[1,[[0,1,3]]]]",
        "[[1,[[0,1,true]]]]",
        '[[1,[[0,"1"]]]]',
        "[[1.0,[[0,1]]]]",
        "[[-1,[[0,1]]]]",
        "[[99999999999999,[[0,1]]]]",
        "[[1,[[0,NaN]]]]",
        "[[1,[[0,Infinity]]]]",
        "[[1,[[0,1e99999999999999999999]]]]",
        '[{"event":1}]',
        '[{"vent":"x"}]',
        "[" * 100_000,
        "[[1,[[0,1],[0,2]]]]",
    ],
    ids=lambda payload: payload[:20] or "nothing",
)
def test_a_payload_that_is_not_of_the_form_is_refused(payload: str) -> None:
    with pytest.raises(WireError):
        decode_payload(frame(payload, 1), POINTS)


@pytest.mark.parametrize(
    "reading",
    [
        TakenReading("M-9.active_power", 1, 1),
        TakenReading(POINT, 1, None),
        TakenReading(POINT, 1, Decimal("NaN")),
        TakenReading(POINT, 1, Decimal("Infinity")),
    ],
)
def test_what_cannot_be_encoded_is_refused_before_it_is_taken(reading: TakenReading) -> None:
    with pytest.raises(WireError):
        encode_payload([reading], POINTS)


BOOT = "6453a651587745ae"
ANCHOR = {"event": "anchor", "boot": BOOT, "mono_ms": 60_000, "time_ms": 1_800_000_060_000}


@given(st.lists(GOOD_OR_NOT, min_size=1, max_size=3), st.integers(0, 10**9))
def test_a_group_without_time_gets_it_from_the_anchor(readings: list[TakenReading], mono_ms: int) -> None:
    readings = [TakenReading(each.point, mono_ms, each.count, each.quality) for each in readings]
    group = encode_payload(readings, POINTS)[1:-1]
    payload = f"[{since_start(group, mono_ms, BOOT, 0)}]"
    waiting = frame(payload, len(readings))
    with pytest.raises(TimeUnknown) as unknown:
        decode_payload(waiting, POINTS)
    assert unknown.value.boot == BOOT
    with pytest.raises(TimeUnknown):
        decode_payload(waiting, POINTS, {"0" * 16: 5})
    taken, events = decode_payload(waiting, POINTS, {BOOT: 1_800_000_000_000})
    assert (taken, events) == (
        tuple(
            TakenReading(each.point, 1_800_000_000_000 + mono_ms, each.count, each.quality)
            for each in readings
        ),
        (),
    )


def test_a_frame_may_hold_its_own_anchor() -> None:
    payload = json.dumps([[BOOT, 500, [[0, 7]]], ANCHOR])
    (reading,), (event,) = decode_payload(frame(payload, 2), POINTS)
    assert (reading.time_ms, event) == (1_800_000_000_500, ANCHOR)


@pytest.mark.parametrize(
    "wrong",
    [
        {"event": "clock_step"},
        {"boot": "xyz"},
        {"boot": BOOT.upper()},
        {"mono_ms": -1},
        {"mono_ms": "1"},
        {"time_ms": 5},
        {"time_ms": 10**15},
        {"time_ms": None},
    ],
)
def test_what_is_no_anchor_anchors_nothing(wrong: dict[str, object]) -> None:
    assert anchor_of(ANCHOR) == (BOOT, 1_800_000_000_000)
    assert anchor_of(ANCHOR | wrong) is None


@pytest.mark.parametrize(
    "group",
    [
        ["xyz", 5, []],
        [BOOT, -1, []],
        [BOOT, 1.5, []],
        [BOOT, True, [[0, 1]]],
        [BOOT, 5],
        [5, BOOT, []],
        [BOOT, 5_500_000_000_000, [[0, 1]]],  # the anchor makes it a time that no database need take
        [BOOT, 10**30, [[0, 1]]],
    ],
)
def test_a_group_without_time_of_the_wrong_form_is_refused(group: list[object]) -> None:
    with pytest.raises(WireError) as error:
        decode_payload(frame(json.dumps([group, ANCHOR]), 2), POINTS)
    assert not isinstance(error.value, TimeUnknown)
