"""What becomes of the clock is recorded: steps, and the anchor that gives earlier readings their time."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.clock_watch import ClockWatch
from agent.memory import Memory
from tests.unit.core.runtime.test_steady import BOOT, START_MS, Machine


def test_a_clock_that_is_set_is_recorded_once_and_one_that_is_disciplined_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine()
    watch = ClockWatch(machine.clock(), Memory(tmp_path))
    found = []
    for ms, set_by_ms in [(1_000, 0), (1_000, 1), (1_000, -3_601_000), (1_000, 0), (1_000, 8_000)]:
        machine.passes(ms, set_by_ms=set_by_ms)
        found += [event["by_ms"] for event in watch.look()]
    assert found == [-3_601_000, 8_000]
    assert caplog.text.count("the clock was set by") == 2
    assert "half speed" in vars(caplog.records[0])["seen"]


def test_the_anchor_is_recorded_when_time_becomes_known(tmp_path: Path) -> None:
    machine = Machine(wall_ms=0)
    watch = ClockWatch(machine.clock(), Memory(tmp_path))
    machine.passes(2_000)
    assert not list(watch.look())
    machine.passes(1_000, set_by_ms=START_MS)
    assert list(watch.look()) == [
        {"event": "anchor", "boot": BOOT, "mono_ms": 8_000, "time_ms": START_MS + 3_000}
    ]
    assert not list(watch.look())


@pytest.mark.parametrize("same_run", [True, False])
def test_a_later_process_gives_them_their_time_if_the_machine_still_runs(
    same_run: bool, tmp_path: Path
) -> None:
    machine = Machine(wall_ms=0)
    memory = Memory(tmp_path)
    ClockWatch(machine.clock(), memory)
    machine.passes(5_000, set_by_ms=START_MS)
    later = Memory(tmp_path)
    if not same_run:
        later.waits_for_boot = "0123456789abcdef"
    watch = ClockWatch(machine.clock(), later)
    assert [event["event"] for event in watch.look()] == ["anchor"] * same_run
