"""The time that readings carry: never back, never at rest, and known to be unknown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.runtime.steady import BUILT_MS, Anchor, Boot, SteadyClock, boot_id, since_start_ns

START_MS = BUILT_MS + 1_000_000_000
MS = 1_000_000
BOOT = "6453a651587745ae"


class Machine:
    """A wall clock that anybody sets, and one that nobody can."""

    def __init__(self, wall_ms: int = START_MS, *, synchronised: bool = True) -> None:
        self.wall_ms, self.steady_ms, self.synchronised = wall_ms, 5_000, synchronised

    def clock(self, *, wait_for_sync: bool = False) -> SteadyClock:
        return SteadyClock(
            wait_for_sync=wait_for_sync,
            wall_ns=lambda: self.wall_ms * MS,
            steady_ns=lambda: self.steady_ms * MS,
            boot=BOOT,
            is_synchronised=lambda: self.synchronised,
        )

    def passes(self, ms: int, *, set_by_ms: int = 0) -> None:
        self.steady_ms += ms
        self.wall_ms += ms + set_by_ms


def test_a_right_clock_is_followed_exactly() -> None:
    machine = Machine()
    clock = machine.clock()
    for ms in (1, 1_000, 86_400_000):
        machine.passes(ms)
        assert clock.now_ms() == machine.wall_ms
    assert (clock.unknown, clock.jumps) == (None, 0)


def test_set_forward_it_follows_at_once_and_counts_a_jump() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.passes(1_000, set_by_ms=3_600_000)
    assert clock.now_ms() == machine.wall_ms
    machine.passes(1_000, set_by_ms=499)
    assert clock.now_ms() == machine.wall_ms
    assert clock.jumps == 1


def test_set_back_it_goes_on_at_half_speed_until_the_wall_has_caught_up() -> None:
    machine = Machine()
    clock = machine.clock()
    before_ms = clock.now_ms()
    machine.passes(0, set_by_ms=-3_600_000)
    machine.passes(60_000)
    assert clock.now_ms() == before_ms + 30_000
    machine.passes(7_200_000 - 60_000)
    assert clock.now_ms() == machine.wall_ms == before_ms + 3_600_000
    assert clock.jumps == 0


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(-100_000, 100_000)), max_size=60))
def test_it_never_goes_back_and_never_stops(steps: list[tuple[int, int]]) -> None:
    machine = Machine(START_MS + 10_000_000)
    clock = machine.clock()
    for passed_ms, set_by_ms in steps:
        before_ms = clock.now_ms()
        machine.passes(passed_ms, set_by_ms=set_by_ms)
        now_ms = clock.now_ms()
        assert now_ms >= before_ms + passed_ms // 2
        assert now_ms >= machine.wall_ms
    machine.passes(2 * 100_000 * len(steps) + 1)
    assert clock.now_ms() == machine.wall_ms


def test_in_1970_time_is_counted_from_the_start_of_the_machine_until_it_is_known() -> None:
    machine = Machine(wall_ms=30_000)
    clock = machine.clock()
    assert clock.unknown == Boot(BOOT, BUILT_MS)
    assert clock.now_ms() == BUILT_MS + 5_000
    machine.passes(60_000)
    assert not clock.becomes_known()
    assert clock.now_ms() == BUILT_MS + 65_000
    machine.passes(0, set_by_ms=START_MS)
    assert clock.now_ms() == BUILT_MS + 65_000, "until somebody looks"
    assert clock.becomes_known()
    assert (clock.now_ms(), clock.jumps) == (machine.wall_ms, 1)
    assert clock.anchor() == Anchor(BOOT, 65_000, machine.wall_ms)
    assert not clock.becomes_known()


def test_the_kernel_may_have_to_say_that_the_clock_is_right() -> None:
    machine = Machine(synchronised=False)
    assert machine.clock().unknown is None
    clock = machine.clock(wait_for_sync=True)
    assert clock.unknown is not None
    machine.synchronised = True
    assert clock.becomes_known()


def test_this_machine_tells_its_run_and_the_time_since_its_start() -> None:
    assert len(bytes.fromhex(boot_id())) == 8
    assert since_start_ns() <= since_start_ns()
    assert SteadyClock().unknown is None
