"""Energies of many intervals: kept exact, rounded by the day, settled whatever their order."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import DataError
from core.metering.interval_data import DAY_MS, Amount, Run, rank, runs_of, settled, values_of
from core.metering.sources import Origin

POINT = "A.active_energy_import"
STEP_MS = 300_000
DAY = 19_754 * DAY_MS


def run(first: int, amounts: Sequence[str], *, method: str = "", document: str = "f") -> Run:
    origin = Origin.SUBSTITUTED if method else Origin.MEASURED
    start_ms = DAY + first * STEP_MS
    end_ms = start_ms + len(amounts) * STEP_MS
    return Run(POINT, start_ms, end_ms, " ".join(amounts), origin, method, document)


def told(amounts: Sequence[Amount]) -> list[tuple[int, int, Decimal]]:
    return [each[:3] for each in amounts]


AMOUNTS = st.decimals(min_value=0, max_value=5000, places=4).map(lambda number: f"{number:f}")


@given(st.lists(AMOUNTS, min_size=1, max_size=600))
def test_a_day_is_off_by_half_a_wh_at_most(amounts: list[str]) -> None:
    values = values_of(run(0, amounts).amounts_in_time())
    for day in {value.interval.start_ms // DAY_MS for value in values}:
        exact = sum(
            (each.wh for each in run(0, amounts).amounts_in_time() if each.start_ms // DAY_MS == day),
            Decimal(0),
        )
        whole = sum(value.wh for value in values if value.interval.start_ms // DAY_MS == day)
        assert abs(whole - exact) <= Decimal("0.5")


def test_small_amounts_are_not_rounded_away() -> None:
    assert sum(value.wh for value in values_of(run(0, ["0.3"] * 288).amounts_in_time())) == 86


@given(st.lists(AMOUNTS, min_size=1, max_size=40), st.permutations(range(5)))
def test_any_order_and_any_repetition_settle_to_the_same(amounts: list[str], order: list[int]) -> None:
    whole = run(0, amounts)
    estimate = run(0, ["1"] * len(amounts), method="estimate (x)")
    other = run(3, ["7"], method="substitute (x)", document="g")
    straddling = Run(POINT, DAY + STEP_MS // 2, DAY + 3 * STEP_MS // 2, "9", Origin.MANUAL)
    runs = [whole, estimate, other, straddling, whole]
    assert told(settled(runs[each] for each in order)) == told(settled(runs))
    found = {each[:2]: each for each in settled(runs)}
    for each in whole.amounts_in_time():
        assert found[each[:2]].wh == each.wh  # measured, so the others give way
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(settled(runs)))


@given(st.lists(AMOUNTS, min_size=1, max_size=400))
def test_runs_give_back_what_they_are_made_of(amounts: list[str]) -> None:
    given_ = tuple(run(0, amounts).amounts_in_time())
    runs = runs_of(given_)
    assert told([each for one in runs for each in one.amounts_in_time()]) == told(given_)
    assert len(runs) == len({each.start_ms // DAY_MS for each in given_})


def test_a_hole_and_another_source_part_runs() -> None:
    first, second = run(0, ["1", "2"]), run(3, ["3"])
    late = run(4, ["4"], method="final substitute (x)")
    amounts = [each for one in (first, second, late) for each in one.amounts_in_time()]
    assert [one.amounts for one in runs_of(amounts)] == ["1 2", "3", "4"]


def test_what_a_provider_puts_in_place_of_a_measurement_ranks_behind_it() -> None:
    ranks = [
        rank(Origin.MEASURED, ""),
        rank(Origin.MANUAL, ""),
        rank(Origin.SUBSTITUTED, "final substitute (NEM12 F19)"),
        rank(Origin.SUBSTITUTED, "substitute (NEM12 S14)"),
        rank(Origin.SUBSTITUTED, "estimate (NEM12 E52)"),
    ]
    assert ranks == sorted(set(ranks))


def test_a_run_is_named_by_all_that_stands_in_it() -> None:
    base = run(0, ["1", "2"])
    others = [
        run(1, ["1", "2"]),
        run(0, ["1", "3"]),
        run(0, ["1", "2"], method="substitute"),
        run(0, ["1", "2"], document="g"),
    ]
    assert len({base.id, *(each.id for each in others)}) == 5
    assert run(0, ["1", "2"]).id == base.id


def test_a_run_has_whole_milliseconds() -> None:
    with pytest.raises(DataError):
        Run(POINT, 0, 1000, "1 2 3", Origin.MEASURED)
