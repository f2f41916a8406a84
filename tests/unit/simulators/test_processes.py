from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import OutsideError
from simulators.processes import Children

SLEEPER = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('here', flush=True); time.sleep(60)",
]
# A shell starts what runs in its background deaf to Ctrl-C, and that is inherited: so it is said here.
PARENT = """
import asyncio, signal, sys
from pathlib import Path
from simulators.processes import Children

signal.signal(signal.SIGINT, signal.default_int_handler)

async def main():
    async with Children(Path(sys.argv[1])) as children:
        child = await children.start("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"])
        print(child.process.pid, flush=True)
        await children.guard(asyncio.sleep(60))

asyncio.run(main())
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def eventually(condition: Callable[[], bool], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


async def test_leaving_ends_all_children_in_good_order_also_after_a_failure(tmp_path: Path) -> None:
    started = []
    with pytest.raises(RuntimeError, match="mishap"):
        async with Children(tmp_path) as children:
            for name in ("one", "two"):
                started.append(await children.start(name, SLEEPER))
            raise RuntimeError("mishap")
    assert [child.process.returncode for child in started] == [-signal.SIGTERM] * 2
    assert not any(alive(child.process.pid) for child in started)


async def test_a_child_that_will_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulators.processes.STOP_GRACE_S", 0.2)
    async with Children(tmp_path) as children:
        child = await children.start("stubborn", STUBBORN)
        assert await asyncio.to_thread(eventually, lambda: "here" in child.log_tail())
    assert child.process.returncode == -signal.SIGKILL


async def test_work_is_stopped_when_a_child_ends_by_itself_and_its_last_lines_are_shown(
    tmp_path: Path,
) -> None:
    async with Children(tmp_path) as children:
        code = "import sys; print('disk is full'); sys.exit(3)"
        await children.start("short", [sys.executable, "-c", code])
        with pytest.raises(OutsideError, match="The short ended by itself") as caught:
            await children.guard(asyncio.sleep(60))
    assert "exit 3" in caught.value.evidence and "disk is full" in caught.value.evidence
    assert caught.value.where == str(tmp_path / "short.log")


async def test_the_child_that_ended_is_named_also_when_the_work_fails_of_it(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        await children.start("short", [sys.executable, "-c", "import time; time.sleep(0.2); exit(3)"])

        async def ask() -> None:
            await asyncio.sleep(0.1)
            raise OutsideError("no answer")

        with pytest.raises(OutsideError, match="The short ended by itself"):
            await children.guard(ask())


async def test_a_kill_on_purpose_is_no_failure_and_the_restarted_child_is_watched(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        first = await children.start("sleeper", SLEEPER)

        async def disturb() -> None:
            await children.kill("sleeper")
            await asyncio.sleep(0.05)
            second = await children.restart("sleeper")
            assert second.process.pid != first.process.pid
            os.killpg(second.process.pid, signal.SIGKILL)
            await asyncio.sleep(60)

        with pytest.raises(OutsideError, match="sleeper"):
            await children.guard(disturb())
        assert first.process.returncode == -signal.SIGKILL


async def test_guard_returns_the_works_result_and_raises_its_error(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        await children.start("sleeper", SLEEPER)
        assert await children.guard(asyncio.sleep(0, result=7)) == 7

        async def fail() -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await children.guard(fail())


async def test_a_command_that_fails_says_what_it_wrote(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        assert await children.run("greet", [sys.executable, "-c", "print('good')"]) == "good\n"
        with pytest.raises(OutsideError) as caught:
            await children.run("greet", [sys.executable, "-c", "import sys; sys.exit('bad')"])
        assert "bad" in caught.value.evidence


async def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        with pytest.raises(OutsideError, match="cannot be started"):
            await children.start("ghost", [str(tmp_path / "ghost")])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_the_parent_is_interrupted_or_killed(
    tmp_path: Path, number: signal.Signals
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[3],
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.send_signal(number)
        parent.wait(10)
    assert eventually(lambda: not alive(child))
