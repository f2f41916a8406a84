"""A whole collector with a real broker: lives, answers, garbage, and a broker that comes late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from collector.ledger import Ledger
from collector.service import Collector
from collector.stores.sqlite import SqliteStore
from collector.tail import follow
from config.hq import HqConfig, load_hq
from core.delivery import messages, topics
from core.delivery.messages import Ack, Life
from core.runtime.mqtt import MqttSession
from tests.servers import BrokerProcess
from tests.unit.collector.material import (
    AGENT,
    HQ,
    POINT,
    SITE,
    data,
    folder_with,
    frame,
    minutes,
    table,
)


class Peer:
    """An agent's side of the broker: what it heard, and a way to say something."""

    def __init__(self, port: int) -> None:
        self.acks: list[Ack] = []
        self.lives: list[Life] = []
        self.session = MqttSession(
            "127.0.0.1",
            port,
            "peer",
            subscriptions=[topics.ack(SITE, AGENT, "hq"), topics.collector_status("hq")],
            on_message=self.hear,
        )

    def hear(self, _topic: str, payload: bytes) -> None:
        message = messages.decode(payload)
        if isinstance(message, Ack):
            self.acks.append(message)
        elif isinstance(message, Life):
            self.lives.append(message)

    def acked(self) -> set[str]:
        return {id for ack in self.acks for id in ack.ids}

    async def say(self, *spoken: tuple[str, bytes]) -> None:
        for topic, payload in spoken:
            await self.session.publish(topic, payload)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(15):
        while not true():  # noqa: ASYNC110  only another program's answer can tell
            await asyncio.sleep(0.01)


@asynccontextmanager
async def peer(port: int) -> AsyncIterator[Peer]:
    made = Peer(port)
    running = asyncio.create_task(made.session.run())
    await until(lambda: made.session.connected)
    try:
        yield made
    finally:
        await made.session.close()
        await running


def forget(folder: Path) -> None:
    """Restore the oldest backup that there can be."""
    for file in folder.glob("ledger.sqlite*"):
        file.unlink()


def hq_at(folder: Path, port: int) -> HqConfig:
    return load_hq(folder_with(folder, HQ.replace("port: 1}", f"port: {port}}}")))


@asynccontextmanager
async def collector(folder: Path, port: int) -> AsyncIterator[Ledger]:
    ledger = Ledger.open(folder, create=True)
    store = SqliteStore(folder / "readings.sqlite")
    hq = hq_at(folder, port)
    stop = asyncio.Event()
    made = Collector(ledger, store, hq, host="127.0.0.1", port=port)
    running = asyncio.create_task(made.run(stop))
    try:
        yield ledger
    finally:
        stop.set()
        await running
        await store.close()
        ledger.close()


async def test_a_life_from_start_to_end(tmp_path: Path, mosquitto: BrokerProcess) -> None:
    one = frame(0, minutes(0, 5))
    async with peer(mosquitto.port) as agent:
        async with collector(tmp_path, mosquitto.port) as ledger:
            await until(lambda: agent.lives)
            garbage = f"seiren/v1/{SITE}/{AGENT}/registers"
            await agent.say((garbage, b"hello"), table(), data(one))
            await until(lambda: one.id in agent.acked())
            assert [count.stored for count in ledger.counts()] == [5]
            assert [kept.source for kept in ledger.quarantined()] == [garbage]
            life = agent.lives[-1]
            assert (life.ledger, life.ledger_id, life.alive) == ("hq", ledger.id, True)
            assert {ack.life for ack in agent.acks} == {life.life}
        await until(lambda: not agent.lives[-1].alive)
        assert agent.lives[-1].life == life.life


async def test_each_connection_is_another_life(tmp_path: Path, mosquitto: BrokerProcess) -> None:
    async with collector(tmp_path, mosquitto.port), peer(mosquitto.port) as agent:
        await until(lambda: agent.lives and agent.lives[-1].alive)
        first = agent.lives[-1].life
        mosquitto.kill()
        mosquitto.start()
        await until(lambda: any(life.alive and life.life != first for life in agent.lives))


async def test_a_broker_that_comes_late_is_waited_for_and_told_once(
    tmp_path: Path, mosquitto: BrokerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    mosquitto.stop()
    async with collector(tmp_path, mosquitto.port):
        await asyncio.sleep(1.0)  # long enough for a second attempt
        assert [record.getMessage() for record in caplog.records].count("the broker does not answer") == 1
        mosquitto.start()
        async with peer(mosquitto.port) as agent:
            await until(lambda: agent.lives and agent.lives[-1].alive)


async def test_a_restored_ledger_is_told_by_its_life_and_refilled(
    tmp_path: Path, mosquitto: BrokerProcess
) -> None:
    one = frame(0, minutes(0, 5))
    async with peer(mosquitto.port) as agent:
        async with collector(tmp_path, mosquitto.port):
            await until(lambda: agent.lives and agent.lives[-1].alive)
            await agent.say(table(), data(one))
            await until(lambda: one.id in agent.acked())
        forget(tmp_path)
        lives = {life.life for life in agent.lives}
        agent.acks.clear()
        async with collector(tmp_path, mosquitto.port) as ledger:
            await until(lambda: agent.lives[-1].alive and agent.lives[-1].life not in lives)
            await agent.say(table(), data(one))
            await until(lambda: one.id in agent.acked())
            assert len(ledger.cells(POINT)[0].readings) == 5


async def test_tail_shows_what_passes(tmp_path: Path, mosquitto: BrokerProcess) -> None:
    lines: list[str] = []
    hq = hq_at(tmp_path, mosquitto.port)
    watching = asyncio.create_task(follow(tmp_path, hq, lines.append, limit=2))
    async with peer(mosquitto.port) as agent:
        while not watching.done():
            await agent.say(table(), (f"seiren/v1/{SITE}/{AGENT}/registers", b"hello"))
            await asyncio.sleep(0.05)
    await watching
    assert len(lines) == 2
    assert any("point table" in line for line in lines)
    assert any("NOT OF THE PROTOCOL" in line for line in lines)
