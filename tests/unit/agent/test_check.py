"""`agent check` reads each device once and says in plain words what is silent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.broker import reach_broker
from agent.check import Report, check_connections, lines, shorten, summary
from config.agent import AgentConfig
from config.loading import load_agent
from core.errors import Unreachable
from tests.servers import BrokerProcess
from tests.unit.agent.fake_modbus import Answer, Asked, Send, fake_meter, reply

AGENT = """
agent: aoba-1
site: aoba
time_zone: Asia/Tokyo
broker: {{host: 127.0.0.1, port: {broker}}}
required_ledgers: [hq]
devices:
  - id: AOB-RCV-01
    profile: schneider_pm5xxx
    modbus: {{host: 127.0.0.1, port: {meter}, unit: 3, timeout_s: 0.2}}
    points: [active_energy_import, active_power]
    ct: 400/5
    side: secondary
"""
WORDS = {3203: [0x0000, 0x0001, 0xF56A, 0x13E0], 3059: [0x4377, 0x8000]}


def answers(memory: dict[int, list[int]]) -> Answer:
    async def answer(asked: Asked, send: Send) -> None:
        if asked.unit == 3:
            send(reply(asked, memory[asked.address]))

    return answer


def configured(tmp_path: Path, *, meter: int, broker: int) -> AgentConfig:
    path = tmp_path / "agent.yaml"
    path.write_text(AGENT.format(meter=meter, broker=broker), encoding="utf-8")
    return load_agent(path)


async def checked(config: AgentConfig) -> Report:
    async def welcome() -> None:
        pass

    return await check_connections(config, now_ms=lambda: 1_000, reach_broker=welcome)


async def test_a_device_that_answers_is_shown_with_values_and_units(tmp_path: Path) -> None:
    async with fake_meter(answers(WORDS)) as meter:
        config = configured(tmp_path, meter=meter.port, broker=1883)
        report = await checked(config)
    assert report.exit_code == 0
    shown = list(lines(report))
    assert shown == [
        f"AOB-RCV-01           127.0.0.1:{meter.port} unit 3",
        "  schneider_pm5xxx, CT 400/5 A, secondary side",
        "  active_energy_import            8,412,337.12 kWh   modbus 3203 int64",
        "  active_power                            247.5 kW   modbus 3059 float32",
        "broker               127.0.0.1:1883",
        "  answers",
    ]
    assert max(map(len, shown)) <= 80
    assert summary(config) == "aoba-1 at aoba: good; 1 device, 1 register and 1 sample"


async def test_a_point_without_a_value_is_the_answer_no(tmp_path: Path) -> None:
    async with fake_meter(answers(WORDS | {3059: [0xFFC0, 0x0000]})) as meter:
        report = await checked(configured(tmp_path, meter=meter.port, broker=1883))
    assert (report.silent, report.without_value, report.exit_code) == (0, 1, 1)
    assert any("active_power" in line and "no value" in line for line in lines(report))


async def test_a_silent_meter_says_what_to_look_at(tmp_path: Path) -> None:
    async def nothing(asked: Asked, send: Send) -> None:
        pass

    async with fake_meter(nothing) as meter:
        report = await checked(configured(tmp_path, meter=meter.port, broker=1883))
    assert report.exit_code == 3
    told = "\n".join(lines(report))
    assert "FAULT No reply" in told
    assert f"where 127.0.0.1:{meter.port} unit 3" in told
    assert "unit number" in told


async def test_a_silent_broker_does_not_hide_the_meters(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    async with fake_meter(answers(WORDS)) as meter:
        config = configured(tmp_path, meter=meter.port, broker=port)
        report = await check_connections(
            config, now_ms=lambda: 0, reach_broker=lambda: reach_broker("127.0.0.1", port)
        )
    assert report.exit_code == 3
    told = "\n".join(lines(report))
    assert "247.5 kW" in told
    assert "The broker does not welcome us" in told
    assert f"nc -vz 127.0.0.1 {port}" in told


async def test_real_brokers_welcome_us(broker: BrokerProcess) -> None:
    await reach_broker(broker.host, broker.port)


@pytest.mark.parametrize("answer", [bytes.fromhex("20020005"), b"HTTP/1.1 400", b""])
async def test_what_does_not_welcome_us_as_a_broker_does_is_said_so(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(14)
        writer.write(answer)
        writer.close()

    peer = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with peer:
        with pytest.raises(Unreachable, match="does not welcome us") as caught:
            await reach_broker("127.0.0.1", peer.sockets[0].getsockname()[1])
    assert caught.value.evidence
    assert caught.value.next.startswith("nc -vz 127.0.0.1")


@pytest.mark.parametrize(
    ("exact", "shown"), [("0", "0"), ("1000", "1,000"), ("0.0004", "0"), ("-0.5", "-0.5"), ("1/3", "0.333")]
)
def test_numbers_are_shortened_for_people(exact: str, shown: str) -> None:
    assert shorten(exact) == shown


async def test_buses_are_read_side_by_side(tmp_path: Path) -> None:
    """The first meter answers only when the second, on another bus, has been asked."""
    second_asked = asyncio.Event()

    async def first(asked: Asked, send: Send) -> None:
        await second_asked.wait()
        send(reply(asked, WORDS[asked.address]))

    async def second(asked: Asked, send: Send) -> None:
        second_asked.set()
        send(reply(asked, WORDS[asked.address]))

    async with fake_meter(first) as one, fake_meter(second) as two:
        text = AGENT.format(meter=one.port, broker=1883)
        device = (
            text[text.index("  - id") :].replace("AOB-RCV-01", "AOB-2").replace(str(one.port), str(two.port))
        )
        path = tmp_path / "agent.yaml"
        path.write_text(text + device, encoding="utf-8")
        report = await checked(load_agent(path))
    assert [(each.device, each.fault) for each in report.devices] == [("AOB-RCV-01", None), ("AOB-2", None)]
