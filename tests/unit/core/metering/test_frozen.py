"""Registers at the ends of closed months come back from their texts as they were."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DataError
from core.metering.boundaries import Boundary, Method, RegisterReading, boundary
from core.metering.counters import CounterSpec, build_counter
from core.metering.frozen import frozen_boundary, frozen_text
from core.metering.readings import Reading, canonical_count

POINT = "A.active_energy_import"
COUNTS = st.one_of(st.integers(0, 10**12), st.decimals(0, 10**9, places=3).map(canonical_count))


@given(
    counts=st.lists(COUNTS, min_size=2, max_size=8).map(sorted),
    times=st.lists(st.integers(0, 10**9), min_size=8, max_size=8, unique=True).map(sorted),
    at=st.integers(0, 10**9),
)
def test_a_boundary_means_the_same_wherever_its_counter_begins(
    counts: list[int | Decimal], times: list[int], at: int
) -> None:
    rows = list(zip(times, counts, strict=False))
    whole = boundary(build_counter([Reading(POINT, *row) for row in rows], CounterSpec(POINT)), at)
    text = frozen_text(whole)
    if text is None:
        assert whole.method is Method.MISSING
        return
    back = frozen_boundary(at, text)
    assert frozen_text(back) == text
    assert (back.before, back.after, back.method, back.count) == (
        whole.before,
        whole.after,
        whole.method,
        whole.count,
    )
    assert whole.accumulated is not None and whole.lower is not None and whole.upper is not None
    assert (back.accumulated, back.lower, back.upper) == (
        whole.accumulated - whole.lower,
        0,
        whole.upper - whole.lower,
    )
    tail = [row for row in rows if whole.before is None or row[0] >= whole.before.time_ms]
    shorter = boundary(build_counter([Reading(POINT, *row) for row in tail], CounterSpec(POINT)), at)
    assert frozen_text(shorter) == text, "earlier readings leave no trace in it"


def test_a_missing_boundary_is_not_frozen() -> None:
    assert frozen_text(Boundary(0, Method.MISSING, RegisterReading(-1, 5), None)) is None


def test_energy_beyond_the_register_is_kept() -> None:
    around = RegisterReading(-1000, 5), None
    text = frozen_text(Boundary(0, Method.SUBSTITUTED, *around, 5, 5, 5, 5, 0, wh_beyond=7000))
    assert text is not None
    assert frozen_boundary(0, text).wh_beyond == 7000
    assert frozen_boundary(0, text).after is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"method":"guessed"}', "null"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="not a frozen register"):
        frozen_boundary(0, text)
