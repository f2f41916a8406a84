"""A round: what happens to a site in which stage, from its seed alone; and what is wrong after it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random

from core.delivery.frames import Lane
from tests.e2e.faults import oracle
from tests.e2e.faults.disturbances import BACKUP, HARMFUL, HARMLESS
from tests.e2e.faults.failpoints import AGENT_STEPS, COLLECTOR_STEPS, WHEN, Failpoint
from tests.e2e.faults.oracle import Seen
from tests.e2e.faults.site import AGENT, DRAINS_WITHIN_S, T0, Site

STAGES = 4
STAGE_S = 0.5
"""A stage takes so long at least, for delivery goes on in real time [s]."""
LIVES, IN_A_LIFE = 6, 4
"""Lives of a process that end at a failpoint in each round, and out of how many each finds its own [1]."""
RARE = {
    "rename",
    "unlink",
    "sync table",
    "sync epochs",
    "sync folder",
    "publish table",
    "hear table",
    "store",
}

MAY_BE_LOST: Mapping[str, Mapping[Lane, Sequence[str]]] = {
    "ledger restored": {Lane.SAMPLES: ("trimmed",)},
    "spool damaged": {Lane.REGISTERS: ("damaged",), Lane.SAMPLES: ("damaged",)},
}
"""What may be named lost after what."""


@dataclass(frozen=True, slots=True)
class Round:
    """What happens in each stage, and at which steps processes kill themselves."""

    seed: int
    stages: tuple[tuple[str, ...], ...]
    failpoints: Mapping[str, tuple[tuple[Failpoint, ...], ...]]

    def __str__(self) -> str:
        return f"round {self.seed}: {', '.join(' and '.join(names) for names in self.stages)}"

    @property
    def may_be_lost(self) -> dict[Lane, set[str]]:
        """Reasons for which readings of a lane may be named lost after this round."""
        reasons: dict[Lane, set[str]] = {lane: set() for lane in Lane}
        for stage in self.stages:
            for name in stage:
                for lane, allowed in MAY_BE_LOST.get(name, {}).items():
                    reasons[lane].update(allowed)
        return reasons


def plan(seed: int, ledgers: Sequence[str] = ("hq",)) -> Round:
    """Return the round of a seed: every disturbance once, in random company."""
    random = Random(f"round {seed}")
    deck = [*HARMLESS, *HARMFUL]
    random.shuffle(deck)
    stages = tuple(tuple(deck[at::STAGES]) for at in range(STAGES))
    failpoints = {AGENT: _draw(AGENT_STEPS, random)}
    failpoints |= {name: _draw(COLLECTOR_STEPS, random) for name in ledgers}
    return Round(seed, stages, failpoints)


def _draw(steps: Sequence[str], random: Random) -> tuple[tuple[Failpoint, ...], ...]:
    """Failpoints of each life; the first that is reached ends it."""
    return tuple(tuple(_one(steps, random) for _ in range(IN_A_LIFE)) for _ in range(LIVES))


def _one(steps: Sequence[str], random: Random) -> Failpoint:
    step = random.choice(steps)
    when = random.choice((*WHEN, "within") if step == "append" else WHEN)
    return Failpoint(step, when, random.randint(1, 2) if step in RARE else 1 + int(random.expovariate(0.1)))


def alone(name: str) -> Round:
    """Return a round of one disturbance, which strikes when all is well."""
    return Round(0, ((), (name,)), {})


async def play(site: Site, plan: Round, within_s: float = DRAINS_WITHIN_S) -> None:
    """Let a round happen; when this returns, nothing disturbs any more."""
    random = Random(f"play {plan.seed}")
    for name, failpoints in plan.failpoints.items():
        site.members[name].failpoints = iter(failpoints)
    site.run()
    span_ms = (site.end_ms - T0) // (len(plan.stages) + 1)
    for number, names in enumerate(plan.stages, 1):
        async with AsyncExitStack() as stack:
            for name in names:
                disturbance = HARMLESS.get(name) or HARMFUL[name]
                await stack.enter_async_context(disturbance(site, random))
            await asyncio.gather(site.until(T0 + number * span_ms), asyncio.sleep(STAGE_S))
        if not names:
            await site.drained(lambda: all_newest(site), within_s)
        if not (site.folder / BACKUP).exists() and site.counts():
            site.back_up(site.folder / BACKUP)
    await site.disarm()
    await site.until(site.end_ms)


async def all_newest(site: Site) -> bool:
    """Tell whether the newest registers are in all ledgers, and in their reading stores."""
    return all([await oracle.has_newest(site, name) for name in site.ledgers])


async def settle(
    site: Site, plan: Round, undisturbed: Mapping[str, Seen], within_s: float = DRAINS_WITHIN_S
) -> list[str]:
    """Wait until all is delivered, end all processes, and return what is wrong, for each ledger.

    Parameters
    ----------
    undisturbed
        What a run without faults left, by ledger.
    within_s
        How long the rest may take to arrive [s].
    """

    await site.drained(lambda: all_newest(site), within_s)
    found = [f"{name} ended with {code}" for name in site.members if (code := await site.stop(name)) != 0]
    for name in site.ledgers:
        code, printed = await site.count_command(name)
        if code != 0:
            found.append(f"seiren count ended with {code}: {printed}")
        seen = await oracle.look(site, name)
        found += oracle.wrong(site, seen, undisturbed.get(name), plan.may_be_lost)
    return found
