"""The plant over real sockets, read by bare clients."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from pymodbus.client import AsyncModbusTcpClient

from config.loading import AgentConfig, load_agent
from core.errors import ConfigError
from core.timeline import month
from simulators.opcua import NAMESPACE
from simulators.plant import Plant, Works, serve
from simulators.run import PlantTime

SITES = Path(__file__).parents[3] / "config" / "sites"
TOKYO = ZoneInfo("Asia/Tokyo")
FEBRUARY = month("2024-02", TOKYO)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def moved(agent: AgentConfig) -> tuple[AgentConfig, dict[str, int]]:
    """Return the configuration with free ports, and the port of each device."""
    ports: dict[object, int] = {}
    devices = []
    for device in agent.devices:
        if device.modbus is not None:
            port = ports.setdefault(device.modbus.port, free_port())
            modbus = device.modbus.model_copy(update={"port": port})
            devices.append(device.model_copy(update={"modbus": modbus}))
        elif device.opcua is not None:
            port = ports.setdefault(device.opcua.url, free_port())
            opcua = device.opcua.model_copy(update={"url": f"opc.tcp://127.0.0.1:{port}"})
            devices.append(device.model_copy(update={"opcua": opcua}))
        ports[device.id] = port
    config = agent.model_copy(update={"devices": tuple(devices)})
    return config, {device.id: ports[device.id] for device in devices}


@pytest.fixture(scope="module")
def works() -> Works:
    return Works.build(FEBRUARY, TOKYO, 1)


@pytest.fixture(scope="module")
def plant(works: Works) -> Plant:
    return works.plant()


@asynccontextmanager
async def served(plant: Plant, name: str) -> AsyncIterator[tuple[PlantTime, dict[str, int]]]:
    agent, ports = moved(load_agent(SITES / "demo" / name))
    time = PlantTime(FEBRUARY.start_ms)
    async with serve(plant, (agent,), time.get):
        yield time, ports


@asynccontextmanager
async def modbus(port: int) -> AsyncIterator[AsyncModbusTcpClient]:
    client = AsyncModbusTcpClient("127.0.0.1", port=port, retries=0, timeout=0.3)
    await client.connect()
    yield client
    client.close()


async def read(client: AsyncModbusTcpClient, address: int, count: int, unit: int = 1) -> bytes:
    reply = await client.read_holding_registers(address, count=count, device_id=unit)
    assert not reply.isError()
    return struct.pack(f">{count}H", *reply.registers)


async def test_registers_follow_the_plants_time(plant: Plant, works: Works) -> None:
    async with served(plant, "agent-aoba-1.yaml") as (time, ports):
        async with modbus(ports["AOB-FUR-01"]) as client:
            (before,) = struct.unpack(">q", await read(client, 3203, 4))
            time.set(FEBRUARY.start_ms + 600_000)
            (after,) = struct.unpack(">q", await read(client, 3203, 4))
            (kilowatts,) = struct.unpack(">f", await read(client, 3059, 2))
        mj = works.furnace.energy_mj(FEBRUARY.start_ms + 600_000) - works.furnace.energy_mj(FEBRUARY.start_ms)
        assert abs((after - before) * 3_600_000 - mj) < 3_600_000
        assert kilowatts == pytest.approx(works.furnace.power_w(time.now_ms) / 1000)


async def test_both_tariffs_of_the_intake_add_up_to_its_secondary_energy(plant: Plant, works: Works) -> None:
    async with served(plant, "agent-aoba-1.yaml") as (time, ports), modbus(ports["AOB-RCV-01"]) as client:
        totals = []
        for time_ms in (FEBRUARY.start_ms, FEBRUARY.end_ms):
            time.set(time_ms)
            day, night = struct.unpack(">2d", await read(client, 801, 8))
            assert day == int(day) and night == int(night)
            totals.append(int(day + night))
        mj = works.intake.energy_mj(FEBRUARY.end_ms) - works.intake.energy_mj(FEBRUARY.start_ms)
        wh_per_count = 80 * 600
        assert abs((totals[1] - totals[0]) * wh_per_count - mj // 3_600_000) <= wh_per_count


async def test_two_units_share_the_gateway_and_a_third_is_silent(plant: Plant) -> None:
    async with served(plant, "agent-aoba-1.yaml") as (_, ports):
        assert ports["AOB-KLN-01"] == ports["AOB-UTL-01"]
        async with modbus(ports["AOB-KLN-01"]) as client:
            kiln = struct.unpack(">q", await read(client, 3203, 4, unit=7))
            utilities = struct.unpack(">q", await read(client, 3203, 4, unit=8))
            assert kiln != utilities


async def test_reserved_registers_are_read_along_and_unknown_or_written_ones_refused(plant: Plant) -> None:
    async with (
        served(plant, "agent-aoba-1.yaml") as (_, ports),
        modbus(ports["AOB-CEL-01"]) as client,
    ):
        words = await read(client, 0x5B00, 24)
        assert words[12:24] == b"\xff" * 12  # between the voltages and the currents
        assert (await client.read_holding_registers(0x4000, count=2, device_id=1)).isError()
        assert (await client.write_registers(0x5000, [0, 0, 0, 0], device_id=1)).isError()


async def test_the_rectifier_tells_values_and_source_time_of_the_plants_moment(
    plant: Plant, works: Works
) -> None:
    async with served(plant, "agent-aoba-2.yaml") as (time, ports):
        async with Client(f"opc.tcp://127.0.0.1:{ports['AOB-CEL-DC']}") as client:
            index = await client.get_namespace_index(NAMESPACE)
            nodes = [
                ua.NodeId.from_string(f"ns={index};s=Rectifier.{name}")
                for name in ("Energy", "Power", "Voltage", "Current")
            ]
            seen = []
            for time_ms in (FEBRUARY.start_ms, FEBRUARY.end_ms):
                time.set(time_ms)
                values = await client.uaclient.read_attributes(nodes, AttributeIds.Value)
                assert all(value.StatusCode is not None and value.StatusCode.is_good() for value in values)
                source = values[0].SourceTimestamp
                assert source is not None
                assert source.replace(tzinfo=UTC).timestamp() * 1000 == time_ms
                seen.append([value.Value.Value for value in values if value.Value is not None])
        alternating = works.cells.energy_mj(FEBRUARY.end_ms) - works.cells.energy_mj(FEBRUARY.start_ms)
        direct_wh = seen[1][0] - seen[0][0]
        assert 0.94 < direct_wh * 3_600_000 / alternating < 0.96
        assert seen[0][1] * 1000 == pytest.approx(seen[0][2] * seen[0][3])


async def test_a_meter_that_the_plant_does_not_have_is_named(plant: Plant) -> None:
    replay = load_agent(SITES / "replay" / "agent-replay.yaml")
    with pytest.raises(ConfigError) as caught:
        async with serve(plant, (replay,), PlantTime().get):
            pass
    assert caught.value.evidence == "RPL-01"
