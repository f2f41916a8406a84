"""Due times lie on a grid of their own, whatever happened before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.schedule import Schedule, phase_of
from core.timeline import HALF_HOUR_MS

REGISTERS = Schedule(every_ms=60_000, margin_ms=2_000)


def due_times(schedule: Schedule, after_ms: int, until_ms: int) -> list[int]:
    found = []
    while (after_ms := schedule.next_after(after_ms)) <= until_ms:
        found.append(after_ms)
    return found


def test_registers_are_due_each_minute_and_on_both_sides_of_the_half_hour() -> None:
    around = due_times(REGISTERS, HALF_HOUR_MS - 61_000, HALF_HOUR_MS + 60_000)
    assert [time_ms - HALF_HOUR_MS for time_ms in around] == [-60_000, -2_000, 2_000, 60_000]


def test_a_day_has_96_sides_and_the_minutes_that_are_not_between_two_of_them() -> None:
    assert len(due_times(REGISTERS, 86_400_000, 2 * 86_400_000)) == 96 + 1_440 - 48


def test_without_a_margin_a_half_hour_is_read_once() -> None:
    once = Schedule(every_ms=HALF_HOUR_MS, margin_ms=0)
    assert due_times(once, 0, 2 * HALF_HOUR_MS) == [HALF_HOUR_MS, 2 * HALF_HOUR_MS]


@given(
    st.integers(0, 2**42),
    st.integers(1, 7_200_000),
    st.none() | st.integers(0, 60_000),
    st.integers(0, 7_199_999),
)
def test_the_next_due_time_is_the_first_of_its_set(
    time_ms: int, every_ms: int, margin_ms: int | None, phase_ms: int
) -> None:
    phase_ms %= every_ms
    schedule = Schedule(every_ms=every_ms, margin_ms=margin_ms, phase_ms=phase_ms)

    def is_due(at: int) -> bool:
        to_boundary_ms = min(at % HALF_HOUR_MS, -at % HALF_HOUR_MS)
        if (at - phase_ms) % every_ms == 0 and (margin_ms is None or to_boundary_ms >= margin_ms):
            return True
        return (margin_ms is not None and (at - margin_ms) % HALF_HOUR_MS == 0) or (
            margin_ms is not None and (at + margin_ms) % HALF_HOUR_MS == 0
        )

    due = schedule.next_after(time_ms)
    assert due > time_ms
    assert is_due(due)
    edges = [due - 1, time_ms + 1, ((time_ms - phase_ms) // every_ms + 1) * every_ms + phase_ms]
    for half_hour in range(time_ms // HALF_HOUR_MS, due // HALF_HOUR_MS + 2):
        edges += [half_hour * HALF_HOUR_MS + side * (margin_ms or 0) for side in (-1, 1)]
    assert not any(is_due(at) for at in edges if time_ms < at < due)


def test_with_a_slow_grid_the_boundaries_are_still_read_on_both_sides() -> None:
    hourly = Schedule(every_ms=3_600_000, margin_ms=2_000)
    assert due_times(hourly, 0, HALF_HOUR_MS + 2_000) == [2_000, HALF_HOUR_MS - 2_000, HALF_HOUR_MS + 2_000]


def test_a_phase_shifts_the_grid_and_never_the_half_hours() -> None:
    shifted = Schedule(every_ms=60_000, margin_ms=2_000, phase_ms=17_000)
    around = due_times(shifted, HALF_HOUR_MS - 61_000, HALF_HOUR_MS + 60_000)
    assert [time_ms - HALF_HOUR_MS for time_ms in around] == [-43_000, -2_000, 2_000, 17_000]


@given(
    st.integers(1_000, 4_000_000),
    st.none() | st.integers(0, 60_000),
    st.integers(0, 10**7),
    st.integers(0, 10**7),
)
def test_due_times_are_counted_as_they_come(
    every_ms: int, margin_ms: int | None, after_ms: int, for_ms: int
) -> None:
    schedule = Schedule(every_ms, margin_ms, phase_of("M", every_ms))
    until_ms = after_ms + min(for_ms, 500 * every_ms)
    assert schedule.count(after_ms, until_ms) == len(due_times(schedule, after_ms, until_ms))


def test_phases_are_fixed_spread_and_within_the_grid() -> None:
    phases = [phase_of(f"AOB-{number:03}", 1_000) for number in range(500)]
    assert phases == [phase_of(f"AOB-{number:03}", 1_000) for number in range(500)]
    assert set(phases) == set(range(0, 1_000, 250))
    assert max(map(phases.count, phases)) < 160, "of 500, 125 on average"
    assert all(0 <= phase_of(f"AOB-{number}", 7) < 7 for number in range(100))
