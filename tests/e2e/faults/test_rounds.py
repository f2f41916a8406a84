"""Real processes through seeded faults: what the meters served is in the ledger, or is named lost.

A failing round is played again by its number: ``-k 'test_round[17]'``, with ``-m slow`` from 6 on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.faults import rounds
from tests.e2e.faults.brokers import make_site
from tests.e2e.faults.failpoints import AGENT_STEPS, COLLECTOR_STEPS, WHEN, Failpoint
from tests.e2e.faults.oracle import Seen
from tests.e2e.faults.processes import Nursery
from tests.e2e.faults.rounds import RARE, Round, alone, play, settle
from tests.e2e.faults.site import AGENT, T0, Site

QUICK, ALL = 6, 60
NATS_EVERY, TWO_LEDGERS_EVERY = 6, 5
"""One round in so many has nats-server as its broker; one a second ledger that the agent requires."""


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=pytest.mark.slow if seed >= QUICK else ()) for seed in range(ALL)]
)
async def test_round(seed: int, tmp_path: Path, nursery: Nursery, undisturbed: Seen) -> None:
    broker = "nats" if seed % NATS_EVERY == NATS_EVERY - 1 else "mosquitto"
    ledgers = ("hq", "hq-2") if seed % TWO_LEDGERS_EVERY == TWO_LEDGERS_EVERY - 1 else ("hq",)
    chosen = rounds.plan(seed, ledgers)
    async with make_site(tmp_path, nursery, broker, ledgers=ledgers) as site:
        await play(site, chosen)
        found = await settle(site, chosen, dict.fromkeys(ledgers, undisturbed))
        assert found == [], f"{chosen}\n{site.story()}"


@pytest.mark.slow
async def test_killed_at_every_step(tmp_path: Path, nursery: Nursery, undisturbed: Seen) -> None:
    """Each process dies once before and once after each step that leaves a trace outside it."""
    async with make_site(tmp_path, nursery) as site:
        left = {AGENT: steps(AGENT_STEPS) | {("append", "within")}, "hq": steps(COLLECTOR_STEPS)}
        for name, member in site.members.items():
            member.failpoints = lives(site, name, left[name])
        site.run()
        for step in range(1, 400):
            await asyncio.gather(site.until(T0 + step * 5_000), asyncio.sleep(0.2))
            for death in site.deaths:
                if death.why is not None:
                    left[death.name].discard((death.why.step, death.why.when))
            if not any(left.values()):
                break
        assert not any(left.values()), f"never reached: {left}\n{site.story()}"
        await site.disarm()
        await site.until(site.end_ms)
        assert await settle(site, Round(0, (), {}), {"hq": undisturbed}) == []


def lives(site: Site, name: str, left: set[tuple[str, str]]) -> Iterator[tuple[Failpoint, ...]]:
    """Yield for each life all steps at which the process has not died yet, at some early occurrence."""
    while True:
        died = {(each.why.step, each.why.when) for each in site.deaths if each.name == name and each.why}
        yield tuple(
            Failpoint(step, when, 1 if step in RARE else 1 + len(died) % 3) for step, when in left - died
        )


def steps(names: tuple[str, ...]) -> set[tuple[str, str]]:
    return {(step, when) for step in names for when in WHEN}


@pytest.mark.parametrize(
    ("who", "sabotage", "fault"),
    [(AGENT, "a puback frees", "line silent"), ("hq", "acks without commits", "line far")],
)
async def test_a_broken_rule_is_seen(
    who: str, sabotage: str, fault: str, tmp_path: Path, nursery: Nursery, undisturbed: Seen
) -> None:
    """The negative controls; that the same faults are harmless to the product itself, `test_alone` shows."""
    async with make_site(tmp_path, nursery, sabotages={who: sabotage}) as site:
        try:
            await play(site, alone(fault), within_s=4)
            found = await settle(site, alone(fault), {"hq": undisturbed}, within_s=4)
        except AssertionError as error:
            found = [str(error)]
        assert found
