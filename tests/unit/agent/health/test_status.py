"""The facts of a running agent, from its real parts; and the endpoint that tells them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.board import Board, DeviceState
from agent.devices import open_sources
from agent.health.device_facts import known_of
from agent.health.endpoint import serve_facts, serve_status
from agent.health.facts import DeviceFacts, Facts
from agent.health.metrics import families
from agent.health.spool_look import look
from agent.health.status import Status
from agent.points import point_tables
from agent.readings import Identity, Scan, Shape
from agent.spool import Spool
from agent.uplink import Uplink
from config.agent import AgentConfig
from config.loading import load_agent
from core.delivery import topics
from core.delivery.frames import Lane
from core.delivery.messages import Life, encode
from core.delivery.payload import BAD, GOOD
from core.errors import Unreachable
from core.runtime.endpoint import MOST_AT_ONCE, MOST_BYTES
from core.runtime.exposition import text_of
from tests.unit.agent.health.material import at, bad_night, facts

CONFIG = """
agent: aoba-1
site: aoba
time_zone: Asia/Tokyo
broker: {{host: 127.0.0.1, port: {broker}}}
required_ledgers: [hq]
metrics_port: {port}
gateways:
  gw-1: {{host: 127.0.0.1, port: {meter}}}
devices:
  - id: AOB-RCV-01
    profile: schneider_pm5xxx
    modbus: {{gateway: gw-1, unit: 1}}
    points: [active_energy_import, active_power, voltage_l1n]
    ct: 400/5
    vt: 6600/110
    side: secondary
  - id: AOB-CMP-01
    profile: schneider_pm5xxx
    modbus: {{gateway: gw-1, unit: 7}}
    points: [active_energy_import]
"""
NOW_MS = at("2024-03-05 03:07:12")
MIDNIGHT_MS = at("2024-03-05 00:00")


@pytest.fixture
def config(tmp_path: Path, free_port: Callable[[], int]) -> AgentConfig:
    path = tmp_path / "agent.yaml"
    path.write_text(CONFIG.format(broker=free_port(), meter=free_port(), port=free_port()), encoding="utf-8")
    return load_agent(path)


class Agent:
    """The parts of an agent that does not run."""

    def __init__(self, config: AgentConfig) -> None:
        self.config = config
        self.clock_s = 1_000.0
        self.spool = Spool(config.spool, config.agent)
        self.uplink = Uplink(config, self.spool)
        self.board = Board(started_ms=NOW_MS - 3_600_000, zone=ZoneInfo("Asia/Tokyo"))
        self.sources = open_sources(config, now_ms=lambda: NOW_MS)
        for device in config.devices:
            source = self.sources[device.id]
            self.board.devices[device.id] = DeviceState(device.id, config.where(device), source.bus)
        self.status = Status(
            config,
            board=self.board,
            sources=self.sources,
            spool=self.spool,
            uplink=self.uplink,
            now_ms=lambda: NOW_MS,
            monotonic=lambda: self.clock_s,
        )

    def show(self, device: str, *scans: Scan) -> None:
        state = self.board.devices[device]
        self.board.show(state, scans)
        state.state, state.last_ok_ms = "good", NOW_MS - 2_000

    async def device(self, name: str) -> DeviceFacts:
        return next(device for device in (await self.status.facts()).devices if device.id == name)


@pytest.fixture
async def agent(config: AgentConfig) -> Agent:
    return Agent(config)


ENERGY, POWER, VOLTAGE = (
    f"AOB-RCV-01.{name}" for name in ("active_energy_import", "active_power", "voltage_l1n")
)
SHAPE = Shape((ENERGY, POWER, VOLTAGE), (False, True, True))


async def test_before_anything_was_read_nothing_is_claimed(agent: Agent) -> None:
    told = await agent.status.facts()
    assert [device.state for device in told.devices] == ["waiting", "waiting"]
    assert [(one.power_kw, one.register_kwh, one.points_good) for one in told.devices] == [
        (None, None, 0)
    ] * 2
    assert not told.broker.connected and told.spool.bytes_per_day is None
    assert [bus.name for bus in told.buses] == ["gw-1"]
    assert Facts.model_validate_json(told.model_dump_json()) == told


async def test_power_and_energy_are_the_circuits_and_the_register_is_the_meters(agent: Agent) -> None:
    """CT 400/5 and VT 6600/110 multiply by 4,800 what a meter on the secondary side shows."""
    agent.show("AOB-RCV-01", Scan(SHAPE, MIDNIGHT_MS, [8_412_337_000, 50.0, 63.5]))
    agent.show("AOB-RCV-01", Scan(SHAPE, NOW_MS, [8_412_339_500, 50.0, 63.5]))  # a count is 1 Wh, and 1 kW
    told = await agent.device("AOB-RCV-01")
    assert told.register_kwh == pytest.approx(8_412_339.5)
    assert told.power_kw == pytest.approx(50 * 4_800)
    assert told.today_kwh == pytest.approx(2.5 * 4_800)
    assert told.full_scale_kw == pytest.approx(400 * 6600 * 2.079 / 1000)
    assert (told.points_good, told.points_all, told.points) == (3, 3, ())
    assert told.has_counter


def test_the_power_of_a_device_is_its_total_wherever_that_stands_in_the_profile(config: AgentConfig) -> None:
    """In the profile of the SDM630 the power of L1 stands before the total."""
    total = config.devices[0].model_copy(update={"profile": "eastron_sdm630", "points": None})
    assert (power := known_of(config, total).power) is not None and power.point == POWER
    alone = total.model_copy(update={"points": ("active_energy_import", "active_power_l1")})
    assert (power := known_of(config, alone).power) is not None and power.point == f"{POWER}_l1"


async def test_what_is_set_aside_is_no_figure_but_is_told(agent: Agent) -> None:
    state = agent.board.devices["AOB-RCV-01"]
    agent.show("AOB-RCV-01", Scan(SHAPE, NOW_MS, [9_999_999_000, None, 63.5], [BAD, BAD, GOOD]))
    state.reasons = {ENERGY: "full_scale"}
    told = await agent.device("AOB-RCV-01")
    assert (told.register_kwh, told.power_kw, told.today_kwh, told.points_good) == (None, None, None, 1)
    assert {(point.point, point.reason) for point in told.points} == {
        (ENERGY, "full_scale"),
        (POWER, "no value"),
    }
    assert (told.points[0].value, told.points[0].unit) == (9_999_999, "kWh")


async def test_a_register_that_fell_has_no_energy_today(agent: Agent) -> None:
    agent.show("AOB-RCV-01", Scan(SHAPE, MIDNIGHT_MS, [1_000, 50.0, 63.5]))
    agent.show("AOB-RCV-01", Scan(SHAPE, NOW_MS, [10, 50.0, 63.5]))
    assert (await agent.device("AOB-RCV-01")).today_kwh is None


async def test_a_silent_device_tells_why_and_who_it_is(agent: Agent) -> None:
    state = agent.board.devices["AOB-CMP-01"]
    state.state, state.silent_since_ms = "silent", NOW_MS - 60_000
    state.fault = Unreachable("No reply", where="gw-1 unit 7", evidence="nothing", cause="a", next="b")
    state.identity = Identity(serial_number="SYN-2207")
    told = await agent.device("AOB-CMP-01")
    assert told.fault is not None and told.fault.what == "No reply"
    assert (told.unit, told.bus, told.where) == (7, "gw-1", "gw-1 unit 7")
    assert (told.serial_number, told.points_good) == ("SYN-2207", 0)


async def test_what_waits_is_counted_and_its_growth_is_measured(agent: Agent) -> None:
    agent.spool.listen(agent.uplink._written, agent.uplink._sender.on_gone)
    tables = point_tables(agent.config)
    shape = Shape((ENERGY,), (False,))
    for step in range(3):
        agent.spool.add(
            Lane.REGISTERS, tables.lanes[Lane.REGISTERS][0], [Scan(shape, NOW_MS + step * 60_000, [step])]
        )
        await agent.spool.flush()
    agent.clock_s += 59
    assert (await agent.status.facts()).spool.bytes_per_day is None
    agent.clock_s += 1
    told = await agent.status.facts()
    lane = told.lanes["registers"]
    assert (lane.waiting_frames, lane.waiting_readings, lane.oldest_ms) == (3, 3, NOW_MS)
    assert told.spool.bytes == sum(path.stat().st_size for path in agent.config.spool.glob("*.frames"))
    assert told.spool.bytes_per_day == told.spool.bytes * 1440
    assert told.spool.registers_bytes_per_day == told.spool.bytes * 720, "by the times of the readings"
    assert told.spool.waiting_bytes == told.spool.bytes and not told.spool.alarm
    seen = look(agent.config.spool, "aoba-1")
    assert (seen.frames, seen.readings, seen.bytes) == (3, 3, told.spool.bytes)
    assert (seen.oldest_ms, seen.newest_ms, seen.damaged_files) == (NOW_MS, NOW_MS + 120_000, 0)

    (epoch,) = {written.epoch for written in agent.spool.store.take_backlog()} or {agent.spool.epoch}
    outbox = agent.uplink._sender._peers["hq"].outboxes[Lane.REGISTERS]
    outbox._trays[epoch].held.add(0, 2)
    lane = (await agent.status.facts()).lanes["registers"]
    assert (lane.waiting_frames, lane.waiting_readings, lane.oldest_ms) == (1, 1, NOW_MS + 120_000)


async def test_looking_at_a_spool_changes_nothing_and_survives_damage(agent: Agent) -> None:
    tables = point_tables(agent.config)
    agent.spool.add(
        Lane.REGISTERS, tables.lanes[Lane.REGISTERS][0], [Scan(Shape((ENERGY,), (False,)), NOW_MS, [1])]
    )
    await agent.spool.close()
    (path,) = agent.config.spool.glob("*.frames")
    path.write_bytes(path.read_bytes() + b"SRN\x01 torn")
    before = {each: each.read_bytes() for each in agent.config.spool.rglob("*") if each.is_file()}
    seen = look(agent.config.spool, "aoba-1")
    assert (seen.frames, seen.damaged_files) == (1, 1)
    assert before == {each: each.read_bytes() for each in agent.config.spool.rglob("*") if each.is_file()}
    path.write_bytes(path.read_bytes()[:-50])  # within the record's payload
    assert (look(agent.config.spool, "aoba-1").frames, look(agent.config.spool, "aoba-1").damaged_files) == (
        0,
        1,
    )
    assert look(agent.config.spool / "nowhere", "aoba-1").problem == "No such file or directory"


def test_metrics_are_prometheus_text_with_units_and_bounded_labels() -> None:
    """Read by prometheus_client's own parser: counters end in _total, labels are configured names."""
    told = bad_night()
    parsed = list(text_string_to_metric_families(text_of(families(told)).decode()))
    assert {one.name for one in parsed} == {one.name for one in families(told)}
    names = {device.id for device in told.devices} | {bus.name for bus in told.buses}
    names |= {"registers", "samples", "hq", "0.5", "0.99", "1", "damaged", "disk_full", "refused"}
    for one in parsed:
        assert one.name.startswith("seiren_agent_") and one.documentation
        for sample in one.samples:
            assert sample.name.endswith("_total") is (one.type == "counter"), sample
            if one.name != "seiren_agent_info":
                assert set(sample.labels.values()) <= names
                assert set(sample.labels) <= {"lane", "bus", "device", "ledger", "quantile", "reason"}
    values = {
        (s.name, s.labels.get("device"), s.labels.get("lane")): s.value for m in parsed for s in m.samples
    }
    assert values["seiren_agent_device_up", "AOB-CMP-01", None] == 0
    assert values["seiren_agent_device_up", "AOB-RCV-01", None] == 1
    assert values["seiren_agent_waiting_readings", None, "samples"] == 21_840
    assert values["seiren_agent_waiting_age_seconds", None, "registers"] == 6_912
    assert values["seiren_agent_broker_connected", None, None] == 0


async def tell() -> Facts:
    return facts()


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()


GET = b"GET /status HTTP/1.1\r\nHost: 127.0.0.1:9464\r\n\r\n"


async def test_the_endpoint_tells_both_forms(free_port: Callable[[], int]) -> None:
    port = free_port()
    async with serve_facts(port, tell):
        head, _, body = (await ask(port, GET)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK") and b"application/json" in head
        assert Facts.model_validate_json(body) == facts()
        reply = await ask(port, b"GET /metrics HTTP/1.0\r\n\r\n")
        assert b"text/plain; version=0.0.4" in reply and b"seiren_agent_info{" in reply
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /status HTTP/1.1\r\n\r\n", b"405"),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /../etc/passwd HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /status HTTP/2.0\r\n\r\n", b"400"),
        (b"GET  /status HTTP/1.1\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
        (b"GET /status HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET /status HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"403"),
        (b"GET /status HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n\r\n", b"403"),
        (b"GET /" + b"a" * MOST_BYTES + b" HTTP/1.1\r\n\r\n", b"400"),
    ],
)
async def test_anything_else_is_refused(request_: bytes, status: bytes, free_port: Callable[[], int]) -> None:
    port = free_port()
    async with serve_facts(port, tell):
        reply = await ask(port, request_)
        assert reply.startswith(b"HTTP/1.1 " + status) or (status == b"400" and reply == b"")
        assert (await ask(port, GET)).startswith(b"HTTP/1.1 200")


async def test_only_so_many_at_a_time_and_only_on_loopback(free_port: Callable[[], int]) -> None:
    port = free_port()
    async with serve_facts(port, tell):
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_AT_ONCE)]
        await asyncio.sleep(0.05)
        assert await ask(port, GET) == b""
        for _, writer in held:
            writer.close()
        await asyncio.sleep(0.05)
        assert (await ask(port, GET)).startswith(b"HTTP/1.1 200")
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.2", port)


async def test_a_slow_asker_is_left(free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.runtime.endpoint.WITHIN_S", 0.05)
    port = free_port()
    async with serve_facts(port, tell):
        assert await ask(port, b"GET /sta") == b""


async def test_a_taken_port_is_a_warning_and_the_agent_goes_on(
    agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    port = agent.config.metrics_port
    assert port is not None
    parts = {"board": agent.board, "sources": agent.sources, "spool": agent.spool, "uplink": agent.uplink}
    async with serve_facts(port, tell):
        with caplog.at_level(logging.WARNING, logger="core"):
            async with serve_status(agent.config, now_ms=lambda: NOW_MS, **parts):  # type: ignore[arg-type]  # as said
                pass
    (record,) = caplog.records
    assert "goes on all the same" in record.message and str(port) in record.__dict__["where"]
    async with serve_status(agent.config, now_ms=lambda: NOW_MS, **parts):  # type: ignore[arg-type]  # as said
        assert (await ask(port, GET)).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("alive", [True, False])
async def test_a_last_will_is_no_word_of_the_collector(alive: bool, agent: Agent) -> None:
    life = Life(ledger="hq", ledger_id="a" * 32, life="b" * 32, time_ms=NOW_MS, alive=alive)
    agent.uplink._hear(topics.collector_status("hq"), encode(life))
    (ledger,) = (await agent.status.facts()).ledgers
    assert (ledger.heard_ms is not None, ledger.alive) == (alive, alive)
