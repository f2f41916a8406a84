"""What one run leaves to the next."""

from __future__ import annotations

from pathlib import Path

import pytest

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


def test_the_next_run_knows_that_readings_wait_for_their_time(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    memory.keep("M", "A-1", {})
    memory.waits_for_boot = "6453a651587745ae"
    memory.save()
    again = Memory(tmp_path)
    assert (again.waits_for_boot, again.serial_number("M")) == ("6453a651587745ae", "A-1")
    again.waits_for_boot = ""
    again.save()
    assert Memory(tmp_path).waits_for_boot == ""
