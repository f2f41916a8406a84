from __future__ import annotations

import struct
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.timeline import month, parse_local
from simulators.cells import integer
from simulators.loads import MINUTE_MS, MJ_PER_WH, Load, Span
from simulators.meters import Electrical, Measured, Tariffs
from simulators.plant import Works
from simulators.products import product_map

TOKYO = ZoneInfo("Asia/Tokyo")
FEBRUARY = month("2024-02", TOKYO)
START_MS = FEBRUARY.start_ms
LOADS = ("furnace", "cells", "kiln", "utilities")


@pytest.fixture(scope="module")
def works() -> Works:
    return Works.build(FEBRUARY, TOKYO, 1)


def month_mwh(load: Load) -> float:
    return (load.energy_mj(FEBRUARY.end_ms) - load.energy_mj(FEBRUARY.start_ms)) / MJ_PER_WH / 1e6


def test_energy_is_the_integral_of_power_to_the_millisecond() -> None:
    load = Load(Span(0, 3, TOKYO), [60, 0, 7])
    assert [load.energy_mj(t) for t in (0, 1, 60_000, 119_999, 120_001)] == [
        0,
        60,
        3_600_000,
        3_600_000,
        3_600_007,
    ]


@given(st.lists(st.integers(0, 40_000_000), min_size=1, max_size=20), st.data())
def test_energy_never_falls_and_adds_up(power_w: list[int], data: st.DataObject) -> None:
    load = Load(Span(0, len(power_w), TOKYO), power_w)
    times = sorted(data.draw(st.lists(st.integers(0, len(power_w) * MINUTE_MS), min_size=2)))
    energies = [load.energy_mj(t) for t in times]
    assert energies == sorted(energies)
    assert load.energy_mj(len(power_w) * MINUTE_MS) == sum(power_w) * MINUTE_MS


def test_the_same_seed_is_the_same_works_and_another_seed_is_another(works: Works) -> None:
    again, other = Works.build(FEBRUARY, TOKYO, 1), Works.build(FEBRUARY, TOKYO, 2)
    for name in LOADS:
        assert getattr(again, name).minutes_w == getattr(works, name).minutes_w
        assert getattr(other, name).minutes_w != getattr(works, name).minutes_w


def test_a_moment_is_the_same_whatever_was_asked_before(works: Works) -> None:
    late = works.furnace.energy_mj(FEBRUARY.end_ms)
    early = works.furnace.energy_mj(START_MS)
    assert (works.furnace.energy_mj(START_MS), works.furnace.energy_mj(FEBRUARY.end_ms)) == (early, late)


def test_the_month_has_the_size_of_a_works(works: Works) -> None:
    assert month_mwh(works.furnace) == pytest.approx(15_310, rel=0.01)
    assert month_mwh(works.cells) == pytest.approx(3_320, rel=0.01)
    assert month_mwh(works.kiln) == pytest.approx(1_275, rel=0.01)
    assert month_mwh(works.utilities) == pytest.approx(960, rel=0.01)
    assert month_mwh(works.intake) == pytest.approx(20_950, rel=0.01)


def test_the_intake_is_its_children_and_a_small_loss_at_every_moment(works: Works) -> None:
    children = (works.furnace, works.cells, works.kiln, works.utilities)
    intake = works.intake
    loss_mwh = month_mwh(intake) - sum(month_mwh(load) for load in children)
    assert 0.003 < loss_mwh / month_mwh(intake) < 0.005
    for time_ms in range(START_MS, FEBRUARY.end_ms, 7_777_777):
        assert 0 < intake.power_w(time_ms) - sum(load.power_w(time_ms) for load in children) < 160_000


def test_the_electrode_repair_takes_the_furnace_down_on_the_12th(works: Works) -> None:
    repair = works.furnace.power_w(parse_local("2024-02-12T10:00", TOKYO))
    assert repair < 600_000 < 10_000_000 < works.furnace.power_w(parse_local("2024-02-13T10:00", TOKYO))


@given(st.fractions(Fraction(1, 1000), 1000), st.fractions(1, 100_000), st.integers(0, 20 * MINUTE_MS))
def test_a_register_is_the_true_energy_within_one_count(
    wh_per_count: Fraction, ratio: Fraction, time_ms: int
) -> None:
    load = Load(Span(0, 20, TOKYO), [30_000_000 + 1_000_003 * k for k in range(20)])
    meter = Measured(load, wh_per_count, ratio, 1000)
    shown_mj = (meter.count(time_ms) - 1000) * wh_per_count * ratio * MJ_PER_WH
    assert 0 <= load.energy_mj(time_ms) - shown_mj < wh_per_count * ratio * MJ_PER_WH


def test_tariffs_split_by_local_time_and_always_add_up(works: Works) -> None:
    source = Measured(works.intake, Fraction(1), Fraction(48_000), 61_204_385)
    tariffs = Tariffs(source, works.intake.span)
    for time_ms in range(START_MS, FEBRUARY.end_ms, 1_234_567):
        assert tariffs.day(time_ms) + tariffs.night(time_ms) == source.count(time_ms)
    at = {hour: parse_local(f"2024-02-05T{hour:02}:00", TOKYO) for hour in (6, 8, 22, 23)}
    assert tariffs.day(at[6]) == tariffs.day(at[8]) < tariffs.day(at[22]) == tariffs.day(at[23])
    assert tariffs.night(at[8]) == tariffs.night(at[22])


def test_words_are_high_word_first_and_cut_to_the_registers_width() -> None:
    assert integer(0x0001_0002_0003, 4) == (0, 1, 2, 3)
    assert integer(0x1_FFFF, 1) == (0xFFFF,)
    assert integer(-1, 2) == (0xFFFF, 0xFFFF)


def test_the_maps_hold_power_where_the_manuals_say(works: Works) -> None:
    source = Measured(works.cells, Fraction(10), Fraction(18_000), 5)
    watts = source.power_w(START_MS)
    b23 = product_map("abb_b23_b24_a44", source, Electrical(110, 0.93))
    assert b23[0x5B14](START_MS) == integer(watts * 100, 2)
    assert b23[0x5000](START_MS) == integer(source.count(START_MS), 4)
    pm5 = product_map("schneider_pm5xxx", source, Electrical(110, 0.93))
    (kilowatts,) = struct.unpack(">f", struct.pack(">2H", *pm5[3059](START_MS)))
    assert kilowatts == pytest.approx(watts / 1000)
