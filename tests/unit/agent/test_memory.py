"""What one run leaves to the next, and whether the clock was set."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.clock_watch import ClockWatch
from agent.memory import Memory


def test_the_next_run_knows_what_was_kept(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    assert (memory.serial_number("M"), memory.counters("M")) == ("", {})
    memory.keep("M", "A-1", {"M.energy": [1, 2, 3, "d"]})
    memory.save()
    again = Memory(tmp_path)
    assert (again.serial_number("M"), again.counters("M")) == ("A-1", {"M.energy": [1, 2, 3, "d"]})
    assert [path.name for path in tmp_path.iterdir()] == ["meters.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"M": 1}', b'{"M": {"counters": 1}}'])
def test_a_damaged_file_is_as_good_as_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "meters.json").write_bytes(content)
    memory = Memory(tmp_path)
    assert (memory.serial_number("M"), memory.counters("M")) == ("", {})


def test_a_disk_that_refuses_is_said_and_no_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    memory = Memory(tmp_path / "gone")
    memory.save()
    assert "are not kept" in caplog.text


def test_a_clock_that_is_set_is_noticed_once_and_one_that_is_disciplined_is_not() -> None:
    wall, steady = 10**12, 5
    watch = ClockWatch(lambda: wall, lambda: steady)
    found = []
    for wall_ms, steady_ms in [
        (1_000, 1_000),
        (1_001, 1_000),
        (-3_600_000, 1_000),
        (1_000, 1_000),
        (9_000, 1_000),
    ]:
        wall, steady = wall + wall_ms, steady + steady_ms
        found.append(watch.look())
    assert found == [0, 0, -3_601_000, 0, 8_000]
