from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from core.errors import OutsideError
from core.runtime.clock import SteppedClock, open_clock
from simulators.conductor import Conductor


async def join(conductor: Conductor, name: str) -> SteppedClock:
    clock = await asyncio.to_thread(open_clock, f"stepped:127.0.0.1:{conductor.port}", name)
    assert isinstance(clock, SteppedClock)
    return clock


def poll(clock: SteppedClock, every_ms: int, seen: list[int], work_s: float = 0) -> asyncio.Task[None]:
    async def run() -> None:
        with clock.pacer():
            while True:
                next_ms = clock.now_ms() // every_ms * every_ms + every_ms
                await clock.sleep_until(next_ms)
                await asyncio.sleep(work_s)
                assert clock.now_ms() == next_ms, "time went on while a pacer was awake"
                seen.append(next_ms)

    return asyncio.create_task(run())


class Control:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, line: str) -> str:
        self.writer.write(f"{line}\n".encode())
        return (await asyncio.wait_for(self.reader.readline(), 2)).decode().strip()


@asynccontextmanager
async def control(conductor: Conductor) -> AsyncIterator[Control]:
    reader, writer = await asyncio.open_connection("127.0.0.1", conductor.port)
    writer.write(b"control\n")
    yield Control(reader, writer)
    writer.close()


async def test_everybody_is_led_through_all_moments_in_order_and_the_plant_first() -> None:
    plant: list[int] = []
    async with Conductor(start_ms=0, end_ms=600, expected=("a", "b"), on_time=plant.append) as conductor:
        a, b = await join(conductor, "a"), await join(conductor, "b")
        seen_a: list[int] = []
        seen_b: list[int] = []
        tasks = (poll(a, 20, seen_a), poll(b, 30, seen_b, work_s=0.001))
        await asyncio.wait_for(conductor.wait_ended(), 5)
        assert seen_a == list(range(20, 601, 20))
        assert seen_b == list(range(30, 601, 30))
        moments = sorted({*seen_a, *seen_b})
        assert plant == [0, *moments, 600]
        assert conductor.steps == len(moments)
        assert conductor.state == "ended"
        for task in tasks:
            task.cancel()
        await a.close()
        await b.close()


async def test_time_waits_for_the_expected_and_for_one_that_was_killed() -> None:
    async with Conductor(
        start_ms=0, end_ms=1_000_000, expected=("a", "b"), on_time=lambda _: None
    ) as conductor:
        a = await join(conductor, "a")
        task_a = poll(a, 10, [])
        await asyncio.sleep(0.03)
        assert (conductor.now_ms, conductor.state, conductor.absent) == (0, "waiting", ("b",))
        b = await join(conductor, "b")
        task_b = poll(b, 10, [])
        await asyncio.sleep(0.03)
        assert conductor.now_ms > 0
        task_b.cancel()
        await b.close()
        await asyncio.sleep(0.03)
        stood_ms = conductor.now_ms
        await asyncio.sleep(0.03)
        assert conductor.now_ms == stood_ms
        b = await join(conductor, "b")
        assert b.now_ms() == stood_ms
        task_b = poll(b, 10, [])
        await asyncio.sleep(0.03)
        assert conductor.now_ms > stood_ms
        for task in (task_a, task_b):
            task.cancel()
        await a.close()
        await b.close()


async def test_a_stranger_and_a_second_of_one_name_are_refused() -> None:
    async with Conductor(start_ms=0, end_ms=10, expected=("a",), on_time=lambda _: None) as conductor:
        a = await join(conductor, "a")
        for name, why in (("a", "already"), ("c", "not expected")):
            with pytest.raises(OutsideError) as caught:
                await join(conductor, name)
            assert why in caught.value.evidence
        await a.close()


async def test_a_controller_sees_pauses_and_is_told_of_a_moment() -> None:
    async with (
        Conductor(start_ms=0, end_ms=10_000_000, expected=("a",), on_time=lambda _: None) as conductor,
        control(conductor) as watcher,
    ):
        a = await join(conductor, "a")
        assert await watcher.ask("pause") == "ok"
        task = poll(a, 10, [])
        await asyncio.sleep(0.02)
        status = json.loads((await watcher.ask("status")).removeprefix("status "))
        assert (status["state"], status["time_ms"], status["absent"]) == ("paused", 0, [])
        watcher.writer.write(b"resume\n")
        assert (await watcher.reader.readline()) == b"ok\n"
        assert await watcher.ask("notify 500") == "reached 500"
        assert conductor.now_ms >= 500
        assert (await watcher.ask("dance")).startswith("unknown")
        task.cancel()
        await a.close()
