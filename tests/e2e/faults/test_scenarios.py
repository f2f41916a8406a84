"""Each fault alone, and those that no seeded round can draw."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.delivery.frames import Lane
from tests.e2e.faults import oracle
from tests.e2e.faults.brokers import make_site
from tests.e2e.faults.disturbances import BACKUP, HARMFUL, HARMLESS, broker_wiped
from tests.e2e.faults.oracle import Seen
from tests.e2e.faults.processes import Nursery
from tests.e2e.faults.rounds import alone, settle
from tests.e2e.faults.rounds import play as play_round
from tests.e2e.faults.site import AGENT, T0, Site
from tests.servers import InfluxServer

MIDDLE_MS = T0 + 20 * 60_000


@pytest.mark.slow
@pytest.mark.parametrize("name", [*HARMLESS, *HARMFUL])
async def test_alone(name: str, tmp_path: Path, nursery: Nursery, undisturbed: Seen) -> None:
    async with make_site(tmp_path, nursery) as site:
        await play_round(site, alone(name))
        assert await settle(site, alone(name), {"hq": undisturbed}) == [], site.story()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["broker killed", "broker wiped"])
async def test_alone_with_nats(name: str, tmp_path: Path, nursery: Nursery, undisturbed: Seen) -> None:
    async with make_site(tmp_path, nursery, "nats") as site:
        await play_round(site, alone(name))
        assert await settle(site, alone(name), {"hq": undisturbed}) == [], site.story()


@pytest.mark.slow
async def test_a_restored_ledger_is_refilled(tmp_path: Path, nursery: Nursery, undisturbed: Seen) -> None:
    """All registers come again, also those that were acknowledged and whose segments were full."""
    async with make_site(tmp_path, nursery) as site:
        site.run()
        await site.until(T0 + 5 * 60_000)
        site.back_up(site.folder / BACKUP)
        await site.until(MIDDLE_MS)
        await site.drained(lambda: oracle.has_newest(site))
        before = await oracle.look(site)
        async with HARMFUL["ledger restored"](site, oracle.NO_CHANCE):
            await site.until(site.end_ms)
        assert await settle(site, alone("ledger restored"), {"hq": undisturbed}) == [], site.story()
        after = await oracle.look(site)
        for point, readings in before.registers.items():
            assert readings.items() <= after.registers[point].items()
        assert after.lost[Lane.REGISTERS].total() == 0


@pytest.mark.slow
async def test_a_copy_beside_the_ledger_takes_nothing_from_it(
    tmp_path: Path, nursery: Nursery, undisturbed: Seen
) -> None:
    """Two collectors call themselves hq, one on a copy: both answer for a while, then the copy is gone."""
    async with make_site(tmp_path, nursery) as site:
        site.run()
        await site.until(T0 + 10 * 60_000)
        async with twin(site):
            await site.until(T0 + 30 * 60_000)
            await asyncio.sleep(3)
        await site.until(site.end_ms)
        found = await settle(site, alone("ledger restored"), {"hq": undisturbed})
        assert found == [], site.story()
        assert "two collectors call themselves hq" in (site.folder / "a.log").read_text(encoding="utf-8")


@asynccontextmanager
async def twin(site: Site) -> AsyncIterator[None]:
    """A second collector of the same name, on a copy of its ledger."""
    copy = site.folder / "twin"
    copy.mkdir()
    (copy / "hq.yaml").write_bytes((site.hq() / "hq.yaml").read_bytes())
    site.back_up(copy / "ledger.sqlite")
    child = site.begin("twin", "collector", "run", str(copy), "--log", "json")
    yield
    child.signal(signal.SIGKILL)
    await child.ended()


@pytest.mark.slow
async def test_a_second_collector_on_one_ledger_is_refused(tmp_path: Path, nursery: Nursery) -> None:
    async with make_site(tmp_path, nursery) as site:
        site.run()
        await site.until(T0 + 60_000)
        second = site.begin("second", "collector", "run", str(site.hq()))
        assert await second.ended() == 3
        assert "another collector runs as hq" in second.log.read_text(encoding="utf-8")


@pytest.mark.slow
async def test_influxdb_is_away_for_longer_than_the_broker_keeps_anything(
    tmp_path: Path, nursery: Nursery, undisturbed: Seen
) -> None:
    """Registers go on as if nothing were; samples wait on the agent's disk, and all come in the end."""
    influx = InfluxServer(tmp_path / "influx")
    (tmp_path / "influx").mkdir()
    try:
        await asyncio.to_thread(influx.start)
        await asyncio.to_thread(influx.set_up)
        token = tmp_path / "token"
        token.write_text(influx.token)
        token.chmod(0o600)
        store = {
            "kind": "influxdb",
            "url": influx.url,
            "org": influx.org,
            "bucket": influx.bucket,
            "token_file": str(token),
        }
        async with make_site(tmp_path, nursery, store=store) as site:
            site.run()
            await site.until(T0 + 5 * 60_000)
            await site.drained(lambda: oracle.has_newest(site))
            await asyncio.to_thread(influx.kill)
            async with broker_wiped(site, oracle.NO_CHANCE):
                await site.until(MIDDLE_MS)
                await registers_come(site)
            waiting = {count.lane: count.waiting for count in site.counts() if count.waiting}
            assert set(waiting) == {Lane.SAMPLES}
            await asyncio.to_thread(influx.start)
            await site.until(site.end_ms)
            assert await settle(site, alone("line cut"), {"hq": undisturbed}) == [], site.story()
    finally:
        influx.kill()


async def registers_come(site: Site, within_s: float = 20) -> None:
    """Wait until the ledger holds all registers."""
    async with asyncio.timeout(within_s):
        while not oracle.holds_newest(site):  # noqa: ASYNC110  the ledger is in another process
            await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_registers_come_first_over_1_kb_per_s(
    tmp_path: Path, nursery: Nursery, undisturbed: Seen
) -> None:
    """A backlog over a thin line, with the product's own patience: registers are there, samples follow."""
    async with make_site(tmp_path, nursery, is_quick=False) as site:
        site.lines[AGENT].cut()
        site.run()
        await site.until(MIDDLE_MS)
        site.lines[AGENT].heal()
        site.lines[AGENT].bytes_per_s = 1_000
        await registers_come(site, 120)
        assert any(count.waiting for count in site.counts() if count.lane is Lane.SAMPLES)
        await site.until(site.end_ms)
        await site.drained(lambda: oracle.has_newest(site), within_s=200)
        site.lines[AGENT].heal()
        assert await settle(site, alone("line slow"), {"hq": undisturbed}) == [], site.story()
