"""Faults that strike a works: which meter and when, and how they get there."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config.loading import load_agent
from core.errors import OutsideError, UsageError
from core.timeline import month
from simulators.conductor import Conductor
from simulators.control import control
from simulators.folder import free_ports, site_folder
from simulators.modbus import Faults
from simulators.modbus.switchboard import Switchboard
from simulators.options import FAULTS, KILLS
from simulators.plant import Works, serve
from simulators.run import PlantTime
from simulators.single import Wanted, serve_one
from simulators.strikes import LASTING_MIN, strikes
from tests.unit.simulators.peer import HOUR_MS, peer, read
from tests.unit.simulators.test_servers import moved

TOKYO = ZoneInfo("Asia/Tokyo")
FEBRUARY = month("2024-02", TOKYO)
AGENTS = tuple(load_agent(path) for path in sorted(site_folder("demo").glob("agent*.yaml")))


@pytest.mark.parametrize("seed", range(20))
def test_each_fault_strikes_one_modbus_meter_well_inside_the_month(seed: int) -> None:
    found = strikes(FAULTS, AGENTS, FEBRUARY, seed)
    assert [strike.fault for strike in found] == list(LASTING_MIN)
    for strike in found:
        assert strike.meter.startswith("AOB-") and strike.meter != "AOB-CEL-DC"
        assert FEBRUARY.start_ms + 48 * HOUR_MS < strike.from_ms
        assert (strike.until_ms or strike.from_ms) < FEBRUARY.end_ms - 48 * HOUR_MS
    assert found == strikes(FAULTS, AGENTS, FEBRUARY, seed)
    assert strikes(KILLS, AGENTS, FEBRUARY, seed) == ()


def test_seeds_strike_different_meters_at_different_times() -> None:
    found = [strikes(("meter-silent",), AGENTS, FEBRUARY, seed)[0] for seed in range(30)]
    assert len({strike.meter for strike in found}) == 5
    assert len({strike.from_ms for strike in found}) == 30


async def test_the_plant_gives_a_switch_for_each_modbus_meter() -> None:
    agent, ports = moved(AGENTS[0])
    time = PlantTime(FEBRUARY.start_ms)
    async with serve(Works.build(FEBRUARY, TOKYO, 1).plant(), (agent,), time.get) as switches:
        assert set(switches) == {device.id for device in agent.devices}
        switches["AOB-KLN-01"].set(
            "meter-silent", from_ms=FEBRUARY.start_ms + 1, until_ms=FEBRUARY.start_ms + 2
        )
        async with peer(ports["AOB-KLN-01"]) as client:
            for shift, silent in ((0, False), (1, True), (2, False)):
                time.set(FEBRUARY.start_ms + shift)
                assert (await client.raw(read(3203, 4), unit=7) == b"") is silent
                assert (await client.words(3203, 4, unit=8)) != ()


async def test_faults_pass_through_the_conductor() -> None:
    faults = Faults(lambda: 5)
    (port,) = free_ports(1)
    board = Switchboard({"M": faults})
    async with (
        Conductor(0, 1000, expected=("a",), on_time=lambda _: None, port=port, on_fault=board.obey),
        control(port) as watcher,
    ):
        await watcher.fault("set M register-dip until_ms=9")
        assert [(each.fault, each.from_ms, each.until_ms) for each in faults] == [("register-dip", 5, 9)]
        with pytest.raises(UsageError) as caught:
            await watcher.fault("set M meteor")
        assert "meteor" in caught.value.evidence
        await watcher.fault("clear M")
        assert not faults


async def test_a_single_meter_of_a_product_in_real_time_with_a_switch() -> None:
    wanted = Wanted("schneider_pm5xxx", 9, 250.0, faults=("late-replies:delay_ms=20",))
    async with serve_one(wanted) as facts:
        facts = json.loads(json.dumps(facts))
        assert facts["unit"] == 9
        async with peer(facts["port"]) as client, peer(facts["control_port"]) as switch:
            began_s = asyncio.get_running_loop().time()
            assert (await client.words(3059, 2, unit=9)) == (0x437A, 0)  # 250.0 kW
            assert asyncio.get_running_loop().time() - began_s >= 0.02
            switch.writer.write(b"set meter meter-silent\n")
            assert await asyncio.wait_for(switch.reader.readline(), 1) == b"ok\n"
            assert await client.raw(read(3059, 2), unit=9) == b""


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        (Wanted("abacus", 1, 1.0), UsageError),
        (Wanted("schneider_pm5xxx", 1, 1.0, faults=("meteor",)), UsageError),
        (Wanted("schneider_pm5xxx", 1, 1.0, serial=Path("/dev/nothing-here")), OutsideError),
    ],
)
async def test_what_cannot_be_served_is_told(wanted: Wanted, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        async with serve_one(wanted):
            pass
