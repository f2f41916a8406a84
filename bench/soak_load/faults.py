"""What happens to the soak's works, by chance from a seed, and how long it takes to be as before."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from bench.soak_load.works import AGENT, BROKER, COLLECTOR, Works

CALM_S = (15.0, 45.0)
"""Between two faults [s]."""
KILLS_SHARE = 0.4
"""Processes of ours are killed in this part of the run; then each lives long enough to show a slope [1]."""
DRAINED_S = 4.0
"""A backlog is gone when no more waits than is taken in this time [s]."""
BACK_WITHIN_S = 300.0
_LOOK_EVERY_S = 0.25

Fault = Callable[[Works, Random], Awaitable[None]]


async def agent_killed(works: Works, _random: Random) -> None:
    """The agent is killed and started at once."""
    await works.kill(AGENT)
    await works.start(AGENT)


async def collector_killed(works: Works, random: Random) -> None:
    """The collector is killed, and away for a while."""
    await works.kill(COLLECTOR)
    await asyncio.sleep(random.uniform(0, 20))
    await works.start(COLLECTOR)


async def collector_stands_still(works: Works, random: Random) -> None:
    """The collector's machine gives it no time for a while."""
    works.processes[COLLECTOR].send_signal(signal.SIGSTOP)
    await asyncio.sleep(random.uniform(2, 30))
    works.processes[COLLECTOR].send_signal(signal.SIGCONT)


async def broker_killed(works: Works, random: Random) -> None:
    """The broker is killed, and away for a while."""
    await works.kill(BROKER)
    await asyncio.sleep(random.uniform(5, 20))
    await works.start(BROKER)


async def broker_wiped(works: Works, _random: Random) -> None:
    """The broker is killed and comes back with an empty disk."""
    await works.kill(BROKER)
    works.wipe_broker()
    await works.start(BROKER)


async def line_cut(works: Works, random: Random) -> None:
    """A side cannot reach the broker for a while."""
    line = works.lines[random.choice((AGENT, COLLECTOR))]
    line.cut()
    await asyncio.sleep(random.uniform(10, 40))
    line.heal()


async def line_silent(works: Works, random: Random) -> None:
    """A side's connection is half-open for a while, and stays dead after it."""
    line = works.lines[random.choice((AGENT, COLLECTOR))]
    line.fall_silent()
    await asyncio.sleep(random.uniform(10, 50))
    line.heal()


async def line_torn(works: Works, random: Random) -> None:
    """A side's connection is reset in the middle of a message, five times."""
    line = works.lines[random.choice((AGENT, COLLECTOR))]
    for _ in range(5):
        line.tear(after_bytes=int(2 ** random.uniform(0, 15)))
        await asyncio.sleep(2)
    line.heal()


async def line_slow(works: Works, random: Random) -> None:
    """The agent's line carries 10 kB/s for a while."""
    line = works.lines[AGENT]
    line.bytes_per_s = 10_000
    await asyncio.sleep(random.uniform(10, 40))
    line.heal()


async def line_far(works: Works, random: Random) -> None:
    """Both sides are 0.3 s away from the broker for a while."""
    for line in works.lines.values():
        line.latency_s = 0.3
    await asyncio.sleep(random.uniform(10, 40))
    for line in works.lines.values():
        line.heal()


KILLS: tuple[Fault, ...] = (agent_killed, collector_killed)
OTHERS: tuple[Fault, ...] = (
    collector_stands_still,
    broker_killed,
    broker_wiped,
    line_cut,
    line_silent,
    line_torn,
    line_slow,
    line_far,
)


async def disturb(works: Works, seed: int, seconds: float) -> list[dict[str, Any]]:
    """Let faults happen until the time is over; return what they were, and how long all was not as before."""
    random = Random(f"soak {seed}")
    started_s = time.monotonic()
    told: list[dict[str, Any]] = []
    deck: list[Fault] = []
    while True:
        await asyncio.sleep(random.uniform(*CALM_S))
        passed_s = time.monotonic() - started_s
        if passed_s > seconds:
            return told
        works.check()
        if not deck:
            kills = KILLS if passed_s < KILLS_SHARE * seconds else ()
            deck = random.sample([*kills, *OTHERS], len(kills) + len(OTHERS))
        fault = deck.pop()
        began_s = time.monotonic()
        await fault(works, random)
        lasted_s = time.monotonic() - began_s
        told.append(
            {
                "fault": fault.__name__,
                "at_s": round(passed_s, 1),
                "lasted_s": round(lasted_s, 1),
                **await _back(works),
            }
        )


async def _back(works: Works) -> dict[str, float | None]:
    """How long it took from the end of a fault to the first frame in the ledger, and to no backlog [s]."""
    healed_s = time.monotonic()
    before = await asyncio.to_thread(works.newest_frame)
    found: dict[str, float | None] = {"first_frame_after_s": None, "backlog_gone_after_s": None}
    while (passed_s := time.monotonic() - healed_s) < BACK_WITHIN_S:
        if found["first_frame_after_s"] is None:
            if await asyncio.to_thread(works.newest_frame) > before:
                found["first_frame_after_s"] = round(passed_s, 2)
        elif await asyncio.to_thread(works.has_drained, DRAINED_S):
            found["backlog_gone_after_s"] = round(passed_s, 2)
            return found
        await asyncio.sleep(_LOOK_EVERY_S)
    return found
