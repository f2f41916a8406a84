from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DataError
from core.metering.cells import Cell, cells_of, content_hash, union
from core.metering.readings import Count, Quality, Reading
from core.timeline import HALF_HOUR_MS

POINT = "AOB-RCV-01.active_energy_import"
START_MS = 1_706_713_200_000

counts: st.SearchStrategy[Count] = st.one_of(
    st.integers(0, 2**32),
    st.integers(-(10**40), 10**40),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: Decimal(repr(value))),
)


def readings(
    counts: st.SearchStrategy[Count], span_ms: int = HALF_HOUR_MS
) -> st.SearchStrategy[list[Reading]]:
    graded = st.builds(
        Reading,
        st.just(POINT),
        st.integers(START_MS, START_MS + span_ms - 1),
        counts,
        st.sampled_from(Quality),
    )
    bad = st.builds(
        Reading,
        st.just(POINT),
        st.integers(START_MS, START_MS + span_ms - 1),
        st.none(),
        st.just(Quality.BAD),
    )
    return st.lists(st.one_of(graded, graded, bad), min_size=1, max_size=40)


@given(readings(counts))
def test_a_packed_cell_unpacks_to_itself(taken: list[Reading]) -> None:
    cell = Cell.of(taken)
    again = Cell.unpack(POINT, START_MS, cell.pack())
    assert again == cell
    assert [repr(row) for row in again.readings] == [repr(row) for row in cell.readings]
    assert again.pack() == cell.pack()


@given(readings(counts), st.randoms(use_true_random=False))
def test_order_and_repetition_change_no_byte(taken: list[Reading], dice: random.Random) -> None:
    cell = Cell.of(taken)
    repeated = taken + dice.choices(taken, k=len(taken))
    dice.shuffle(repeated)
    assert Cell.of(repeated).pack() == cell.pack()
    cut = dice.randrange(len(repeated))
    parts = [*cells_of(repeated[:cut]), *cells_of(repeated[cut:])]
    assert union(parts) == (cell,)
    assert content_hash(parts) == content_hash([cell])


@given(readings(counts), readings(counts), readings(counts))
def test_joining_is_a_set_union(a: list[Reading], b: list[Reading], c: list[Reading]) -> None:
    x, y, z = Cell.of(a), Cell.of(b), Cell.of(c)
    assert x | y == y | x == Cell.of(a + b)
    assert (x | y) | z == x | (y | z)
    assert x | x == x
    assert set((x | y).readings) == {*x.readings, *y.readings}


@given(readings(counts, span_ms=5 * HALF_HOUR_MS), st.randoms(use_true_random=False))
def test_content_hash_is_of_the_set_of_readings(taken: list[Reading], dice: random.Random) -> None:
    cells = list(cells_of(taken))
    known = content_hash(cells)
    dice.shuffle(cells)
    assert content_hash(cells) == known
    assert content_hash(cells_of([*taken, Reading(POINT, START_MS + 7 * HALF_HOUR_MS, 1)])) != known


def test_equal_values_are_one_reading_however_they_are_written() -> None:
    cell = Cell.of(
        [Reading(POINT, START_MS, count) for count in (5, Decimal("5.0"), Decimal("0.5e1"), Decimal("5"))]
    )
    assert cell.readings == ((START_MS, 5, Quality.GOOD),)


def test_conflicting_readings_are_kept_and_the_choice_depends_on_the_set_alone() -> None:
    conflicting = [
        Reading(POINT, START_MS, 7),
        Reading(POINT, START_MS, 9),
        Reading(POINT, START_MS + 1, 1, Quality.UNCERTAIN),
        Reading(POINT, START_MS + 1, 2, Quality.GOOD),
        Reading(POINT, START_MS + 2, 3, Quality.BAD),
        Reading(POINT, START_MS + 2, 4, Quality.UNCERTAIN),
    ]
    for order in (conflicting, conflicting[::-1]):
        cell = Cell.of(order)
        assert len(cell.readings) == 6
        assert cell.usable == ((START_MS, 7), (START_MS + 1, 2), (START_MS + 2, 4))
        assert cell.conflicts == ((START_MS, (7, 9)), (START_MS + 1, (1, 2)))


def test_a_half_hour_of_minutes_takes_less_than_five_bytes_a_reading() -> None:
    taken = [Reading(POINT, START_MS + minute * 60_000 + 13, 61_204_417 + minute * 9) for minute in range(30)]
    assert len(Cell.of(taken).pack()) < 5 * 30


def test_readings_of_several_cells_are_not_one_cell() -> None:
    apart = [Reading(POINT, START_MS, 1), Reading(POINT, START_MS + HALF_HOUR_MS, 2)]
    with pytest.raises(DataError, match="2 cells"):
        Cell.of(apart)
    with pytest.raises(DataError, match="do not join"):
        Cell.of(apart[:1]) | Cell.of(apart[1:])
    assert [cell.start_ms for cell in cells_of(apart)] == [START_MS, START_MS + HALF_HOUR_MS]


@given(readings(counts), st.data())
def test_damaged_bytes_are_refused_or_at_least_stay_in_the_cell(
    taken: list[Reading], data: st.DataObject
) -> None:
    packed = bytearray(Cell.of(taken).pack())
    with pytest.raises(DataError):
        Cell.unpack(POINT, START_MS, bytes(packed[:-1]))
    with pytest.raises(DataError):
        Cell.unpack(POINT, START_MS, bytes(packed) + b"\0")
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        cell = Cell.unpack(POINT, START_MS, bytes(packed))
    except DataError:
        return
    assert all(START_MS <= time_ms < START_MS + HALF_HOUR_MS for time_ms, _, _ in cell.readings)
