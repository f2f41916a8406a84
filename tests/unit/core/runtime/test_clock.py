"""The stepped clock as its users see it; the conductor's side is tested in tests/unit/simulators."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from core.errors import OutsideError, UsageError
from core.runtime.clock import Clock, SteppedClock, WallClock, open_clock


class ScriptedConductor:
    """Answers hello with a first line and lets the test say the rest."""

    def __init__(self, first: str = "time 1000") -> None:
        self.first = first
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        assert (await reader.readline()).startswith(b"hello ")
        writer.write(f"{self.first}\n".encode())
        while line := await reader.readline():
            self.heard.put_nowait(line.decode().strip())
        writer.close()

    def say(self, line: str) -> None:
        assert self.writer is not None
        self.writer.write(f"{line}\n".encode())


@asynccontextmanager
async def stepped(first: str = "time 1000") -> AsyncIterator[tuple[ScriptedConductor, SteppedClock]]:
    conductor = ScriptedConductor(first)
    server = await asyncio.start_server(conductor.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    clock = await asyncio.to_thread(open_clock, f"stepped:127.0.0.1:{port}", "a")
    assert isinstance(clock, SteppedClock)
    try:
        yield conductor, clock
    finally:
        await clock.close()
        server.close()


async def heard(conductor: ScriptedConductor) -> str:
    return await asyncio.wait_for(conductor.heard.get(), 2)


def pace(
    clock: Clock, times_ms: tuple[int, ...], each: Callable[[int], Awaitable[None]]
) -> asyncio.Task[None]:
    async def run() -> None:
        with clock.pacer():
            for time_ms in times_ms:
                await clock.sleep_until(time_ms)
                await each(clock.now_ms())

    return asyncio.create_task(run())


async def nothing(_now_ms: int) -> None:
    pass


def test_the_wall_clock_is_the_default_and_tells_the_machines_time() -> None:
    clock = open_clock(None, "a")
    assert isinstance(clock, WallClock)
    assert abs(clock.now_ms() - time.time() * 1000) < 2000


async def test_the_wall_clock_does_not_wait_for_the_past() -> None:
    clock = WallClock()
    with clock.pacer():
        await asyncio.wait_for(clock.sleep_until(clock.now_ms() - 5), 1)
        await asyncio.wait_for(clock.sleep_until(clock.now_ms() + 5), 1)


@pytest.mark.parametrize(
    "text", ["", "sundial", "stepped", "stepped:", "stepped:host", "stepped:host:x", "wall:h:1"]
)
def test_a_text_that_names_no_clock_is_wrong_use(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_clock(text, "a")
    assert caught.value.where == "--clock"


def test_without_a_conductor_the_error_says_where() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(OutsideError) as caught:
        open_clock(f"stepped:127.0.0.1:{port}", "a")
    assert str(port) in caught.value.where


async def test_a_refused_name_is_an_error_with_the_reason() -> None:
    with pytest.raises(OutsideError) as caught:
        async with stepped("refused a is already here"):
            pass
    assert caught.value.evidence == "a is already here"


async def test_the_time_is_known_at_once_and_the_past_is_not_waited_for() -> None:
    async with stepped() as (_, clock):
        assert clock.now_ms() == 1000
        await asyncio.wait_for(clock.sleep_until(1000), 1)


async def test_idle_is_told_when_all_pacers_sleep_and_names_the_first_moment() -> None:
    async with stepped() as (conductor, clock):
        gate = asyncio.Event()

        async def busy(_now_ms: int) -> None:
            await gate.wait()

        slow = pace(clock, (1000, 3000), busy)  # 1000 is now: awake until the gate opens
        quick = pace(clock, (2000, 9000), nothing)
        await asyncio.sleep(0.02)
        assert conductor.heard.empty()
        gate.set()
        assert await heard(conductor) == "idle 2000"
        conductor.say("time 2000")
        assert await heard(conductor) == "idle 3000"
        slow.cancel()
        quick.cancel()


async def test_a_step_that_wakes_nobody_is_not_answered() -> None:
    async with stepped() as (conductor, clock):
        task = pace(clock, (5000, 6000), nothing)
        assert await heard(conductor) == "idle 5000"
        conductor.say("time 2000")
        await asyncio.sleep(0.02)
        assert clock.now_ms() == 2000
        assert conductor.heard.empty()
        conductor.say("time 5000")
        assert await heard(conductor) == "idle 6000"
        task.cancel()


async def test_hooks_end_before_idle_is_told() -> None:
    async with stepped() as (conductor, clock):
        gate = asyncio.Event()
        clock.before_advance(_waiter(gate))
        task = pace(clock, (2000,), nothing)
        await asyncio.sleep(0.02)
        assert conductor.heard.empty()
        gate.set()
        assert await heard(conductor) == "idle 2000"
        task.cancel()


def _waiter(gate: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def wait() -> None:
        await gate.wait()

    return wait


async def test_hooks_run_again_for_work_that_was_done_while_they_ran() -> None:
    async with stepped() as (conductor, clock):
        work: list[int] = []
        flushed: list[int] = []
        gate = asyncio.Event()

        async def flush() -> None:
            flushed.extend(work)
            work.clear()
            await gate.wait()

        async def note(now_ms: int) -> None:
            work.append(now_ms)

        clock.before_advance(flush)
        first = pace(clock, (2000,), nothing)
        await asyncio.sleep(0.02)
        second = pace(clock, (1000, 4000), note)  # works at once, while the hook hangs
        await asyncio.sleep(0.02)
        gate.set()
        assert await heard(conductor) == "idle 2000"
        assert flushed == [1000]
        first.cancel()
        second.cancel()


async def test_what_a_hook_raises_reaches_the_pacers() -> None:
    async with stepped() as (conductor, clock):

        async def fail() -> None:
            raise OSError("no space left on device")

        clock.before_advance(fail)
        with pytest.raises(OSError, match="no space"):
            await asyncio.wait_for(pace(clock, (2000,), nothing), 2)
        assert conductor.heard.empty()


async def test_beyond_the_end_sleep_never_returns() -> None:
    async with stepped() as (conductor, clock):
        task = pace(clock, (2000,), nothing)
        assert await heard(conductor) == "idle 2000"
        conductor.say("end 1500")
        await asyncio.sleep(0.02)
        assert clock.now_ms() == 1500
        assert not task.done()
        task.cancel()


async def test_a_conductor_that_vanishes_is_an_error_in_every_pacer() -> None:
    async with stepped() as (conductor, clock):
        task = pace(clock, (2000,), nothing)
        await heard(conductor)
        assert conductor.writer is not None
        conductor.writer.close()
        with pytest.raises(OutsideError, match="gone"):
            await asyncio.wait_for(task, 2)
        with pytest.raises(OutsideError, match="gone"):
            await clock.sleep_until(3000)
