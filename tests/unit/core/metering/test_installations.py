from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from core.errors import DataError
from core.metering.counters import counter_spec
from core.metering.installations import Installation, Side, class_error, in_order, ratio
from core.timeline import Interval

FIRST = Installation(
    point="AOB-RCV-01.active_energy_import",
    start_ms=0,
    end_ms=100,
    serial="SYN-0417",
    ct=ratio("400/5"),
    vt=ratio("66000/110"),
    side=Side.SECONDARY,
    wh_per_count=Fraction(1),
    full_scale_kw=Fraction(48_000),
)
LATER = replace(FIRST, start_ms=100, end_ms=None)


def test_a_secondary_register_is_multiplied_by_both_ratios() -> None:
    assert FIRST.multiplier == 48_000
    assert replace(FIRST, side=Side.PRIMARY).multiplier == 1
    assert FIRST.counts_per_hour == 1_000
    assert replace(FIRST, full_scale_kw=None).counts_per_hour is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("400/5 A", 80),
        ("66000/110 V", 600),
        ("400/5", 80),
        ("80", 80),
        ("22000 / 110", 200),
        ("7.5/5", Fraction(3, 2)),
    ],
)
def test_a_ratio_is_read_from_its_plate(text: str, value: Fraction) -> None:
    assert ratio(text) == value


@pytest.mark.parametrize(
    "text", ["", "400:5", "400/0", "0/5", "-400/5", "4e2/5", "400/5/1", "400/5 W", "４００/5"]
)
def test_what_is_no_ratio_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="not the ratio"):
        ratio(text)


def test_classes_of_both_standards() -> None:
    names = ("0.2S", "0.5", "1", "2", "A", "B", "C")
    assert [class_error(name) for name in names] == [
        Fraction(percent) / 100 for percent in ("0.2", "0.5", "1", "2", "2", "1", "0.5")
    ]
    for text in ("", "D", "0", "0.5T", "-1"):
        with pytest.raises(DataError, match="not an accuracy class"):
            class_error(text)


def test_two_at_the_same_time_are_refused_by_name() -> None:
    assert in_order([LATER, FIRST]) == (FIRST, LATER)
    with pytest.raises(DataError, match="same time"):
        in_order([FIRST, replace(LATER, start_ms=99)])
    with pytest.raises(DataError, match="same time"):
        in_order([replace(FIRST, end_ms=None), LATER])


@pytest.mark.parametrize("change", [{"ct": Fraction(0)}, {"wh_per_count": Fraction(-1)}, {"end_ms": 0}])
def test_impossible_facts_are_refused(change: dict[str, Fraction | int]) -> None:
    with pytest.raises(DataError):
        replace(FIRST, **change)  # type: ignore[arg-type]  # one of several fields


def test_only_another_serial_is_an_exchange() -> None:
    assert len(counter_spec("P", [LATER, FIRST]).registers) == 1
    other = counter_spec("P", [replace(LATER, serial="SYN-0900"), FIRST])
    assert [register.start_ms for register in other.registers] == [FIRST.start_ms, 100]


def test_in_force_within_an_interval() -> None:
    assert FIRST.overlaps(Interval(99, 200)) and not FIRST.overlaps(Interval(100, 200))
    assert LATER.overlaps(Interval(0, 101)) and not LATER.overlaps(Interval(0, 100))
    assert LATER.overlaps(Interval(100, 100)) and not FIRST.overlaps(Interval(100, 100))
