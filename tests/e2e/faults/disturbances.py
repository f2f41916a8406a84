"""What can happen to a site between its meters and its ledgers, each by name."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from types import MappingProxyType

import yaml

from tests.e2e.faults.echo import Echo
from tests.e2e.faults.site import AGENT, Site

Disturbance = Callable[[Site, Random], AbstractAsyncContextManager[None]]
"""Begins when it is entered; when it is left, what it broke works again."""

BACKUP = "backup.sqlite"


def _a_line(site: Site, random: Random) -> str:
    return random.choice([AGENT, *site.ledgers])


@asynccontextmanager
async def broker_killed(site: Site, _random: Random) -> AsyncIterator[None]:
    """The broker is killed, and away for the whole stage."""
    await asyncio.to_thread(site.broker.kill)
    yield
    await site.start_broker()


@asynccontextmanager
async def broker_wiped(site: Site, _random: Random) -> AsyncIterator[None]:
    """The broker is killed and comes back at once, with an empty disk."""
    await asyncio.to_thread(site.broker.kill)
    for path in site.broker.log.parent.iterdir():
        if path.suffix == ".db":
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
    await site.start_broker()
    yield


@asynccontextmanager
async def line_cut(site: Site, random: Random) -> AsyncIterator[None]:
    """One side cannot reach the broker."""
    line = site.lines[_a_line(site, random)]
    line.cut()
    yield
    line.heal()


@asynccontextmanager
async def line_torn(site: Site, random: Random) -> AsyncIterator[None]:
    """Connections are reset in the middle of messages, again and again."""
    line = site.lines[_a_line(site, random)]

    async def tear() -> None:
        while True:
            line.tear(after_bytes=int(2 ** random.uniform(0, 14)))
            await asyncio.sleep(0.3)

    tearing = asyncio.create_task(tear())
    yield
    tearing.cancel()
    line.heal()


@asynccontextmanager
async def line_silent(site: Site, random: Random) -> AsyncIterator[None]:
    """Connections are half-open: what is sent is lost, and nobody is told."""
    line = site.lines[_a_line(site, random)]
    line.fall_silent()
    yield
    line.heal()


@asynccontextmanager
async def line_slow(site: Site, random: Random) -> AsyncIterator[None]:
    """One side has a line of 8 kB/s."""
    line = site.lines[_a_line(site, random)]
    line.bytes_per_s = 8_000
    yield
    line.heal()


@asynccontextmanager
async def line_far(site: Site, random: Random) -> AsyncIterator[None]:
    """Both sides are 0.15 s away from the broker."""
    for line in site.lines.values():
        line.latency_s = 0.15
    yield
    for line in site.lines.values():
        line.heal()


@asynccontextmanager
async def agent_away(site: Site, _random: Random) -> AsyncIterator[None]:
    """The agent is killed by the operating system, wherever it is."""
    await site.kill(AGENT)
    await site.rejoinable()
    site.start(AGENT)
    yield


@asynccontextmanager
async def collector_away(site: Site, random: Random) -> AsyncIterator[None]:
    """A collector is killed, and away for the whole stage."""
    name = random.choice(site.ledgers)
    await site.kill(name)
    yield
    site.start(name)


@asynccontextmanager
async def ledger_restored(site: Site, _random: Random) -> AsyncIterator[None]:
    """A ledger comes back as it was when its last backup was made."""
    backup = site.folder / BACKUP
    name = site.ledgers[0]
    await site.kill(name)
    if backup.exists():
        site.restore(backup, name)
    site.start(name)
    yield


@asynccontextmanager
async def repeated(site: Site, random: Random) -> AsyncIterator[None]:
    """A stranger says everything again, late and out of order, and forges acknowledgements."""
    if not await asyncio.to_thread(site.broker.answers):
        yield
        return
    with Echo(site.broker.port, random):
        yield


@asynccontextmanager
async def spool_damaged(site: Site, random: Random) -> AsyncIterator[None]:
    """Bits of the agent's disk turn over while it is off."""
    await site.kill(AGENT)
    files = sorted(site.spool.glob("*.frames"))
    for path in random.sample(files, min(2, len(files))):
        data = bytearray(path.read_bytes())
        if data:
            data[random.randrange(max(1, len(data) * 3 // 4))] ^= 1 << random.randrange(8)
            path.write_bytes(data)
    await site.rejoinable()
    site.start(AGENT)
    yield


@asynccontextmanager
async def configuration_changed(site: Site, _random: Random) -> AsyncIterator[None]:
    """The agent is stopped, its devices stand in another order, and it is started: other point tables."""
    await site.stop_to_configure()
    path = site.folder / "agent.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["devices"].reverse()
    for device in content["devices"]:
        device["points"].reverse()
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    await site.rejoinable()
    site.start(AGENT)
    yield


HARMLESS: Mapping[str, Disturbance] = MappingProxyType(
    {
        "broker killed": broker_killed,
        "broker wiped": broker_wiped,
        "line cut": line_cut,
        "line torn": line_torn,
        "line silent": line_silent,
        "line slow": line_slow,
        "line far": line_far,
        "agent killed": agent_away,
        "collector killed": collector_away,
        "all said again": repeated,
        "configuration changed": configuration_changed,
    }
)
"""What takes nothing away: after these, every reading is held."""

HARMFUL: Mapping[str, Disturbance] = MappingProxyType(
    {"ledger restored": ledger_restored, "spool damaged": spool_damaged}
)
"""What takes something away, or may; it must be named."""
