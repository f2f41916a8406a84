"""From spool to ledger over a real broker, and back: acks free, kills delay, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.spool import Spool
from agent.uplink import Uplink
from config.agent import AgentConfig
from core.delivery import topics
from core.delivery.actions import SenderSettings
from core.delivery.frames import Lane
from core.delivery.messages import Ack, Data, Head, Inventory, Life, Status, Table, decode, encode
from core.delivery.payload import TakenReading
from core.delivery.receiver import Arrival, decide
from core.delivery.tables import PointRow, PointTable
from core.errors import ConfigError
from core.runtime.mqtt import MqttSession, Publication
from tests.servers import BrokerProcess
from tests.unit.agent.scans import scans
from tests.unit.core.delivery.ledgers import MemoryLedger

POINT = "M-1.active_energy_import"
TABLE = PointTable((PointRow(POINT, "active_energy_import", "Wh", "1", "1", None, "primary", "", "", ""),))
QUICK = SenderSettings(timeout_ms=500, longest_ms=1000, linger_ms=50, head_ms=50, spread_ms=10)


def configuration(broker: BrokerProcess, *ledgers: str) -> AgentConfig:
    return AgentConfig.model_validate(
        {
            "agent": "aoba-1",
            "site": "aoba",
            "time_zone": "Asia/Tokyo",
            "broker": {"host": broker.host, "port": broker.port},
            "required_ledgers": ledgers or ("hq",),
            "devices": (
                {
                    "id": "M-1",
                    "profile": "abb_b23",
                    "modbus": {"host": "127.0.0.1", "unit": 1},
                },
            ),
        }
    )


class Collector:
    """The real receiver over a ledger in memory, with a life per connection."""

    def __init__(self, broker: BrokerProcess, ledger: MemoryLedger) -> None:
        self.ledger = ledger
        self.status: list[str] = []
        self.life = secrets.token_hex(16)
        self.mute = False
        self._stirred = asyncio.Event()
        self._session = MqttSession(
            broker.host,
            broker.port,
            f"collector-{self.life[:8]}",
            subscriptions=topics.subscriptions_of_collector(),
            on_message=self._hear,
            will=lambda: self._life(alive=False),
            on_connected=self._connected,
        )

    def _life(self, *, alive: bool = True) -> Publication:
        message = Life(ledger="hq", ledger_id="0" * 32, life=self.life, time_ms=0, alive=alive)
        return Publication(topics.collector_status("hq"), encode(message), retain=True)

    async def _connected(self) -> None:
        life = self._life()
        await self._session.publish(life.topic, life.payload, retain=True)

    def _hear(self, topic: str, payload: bytes) -> None:
        heard, message = topics.parse(topic), decode(payload)
        self._stirred.set()
        if isinstance(message, Status):
            self.status.append(message.state)
        elif isinstance(message, Data | Table | Inventory | Head) and not self.mute:
            decision = decide([Arrival(heard.site, heard.agent, heard.lane, message)], self.ledger, self.life)
            self.ledger.commit(decision)
            for answer in decision.answers:
                topic = topics.ack(answer.site, answer.agent, "hq")
                self._session.publish(topic, encode(answer.message))

    async def run(self) -> None:
        await self._session.run()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self._stirred.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stirred.wait(), 0.1)


@asynccontextmanager
async def running(part: Collector | Uplink) -> AsyncIterator[None]:
    task = asyncio.create_task(part.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def write(spool: Spool, first: int, readings: int) -> None:
    """Write readings, ten to a frame."""
    for start in range(first, first + readings, 10):
        lane = Lane.REGISTERS if start % 20 else Lane.SAMPLES
        spool.add(lane, TABLE, scans(TakenReading(POINT, i, i) for i in range(start, start + 10)))
        await spool.flush()


async def test_what_is_in_the_spool_reaches_the_ledger_and_is_freed(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool", "aoba-1")
    await write(spool, 0, 100)
    uplink, collector = (
        Uplink(configuration(broker), spool, settings=QUICK),
        Collector(broker, MemoryLedger()),
    )
    async with running(collector):
        async with running(uplink):
            await collector.until(lambda: len(collector.ledger.readings()) == 100)
            await write(spool, 100, 100)
            await collector.until(lambda: len(collector.ledger.readings()) == 200 and uplink.undelivered == 0)
        await collector.until(lambda: "stopped" in collector.status)
        counts = collector.ledger.counts()
    assert "gone" not in collector.status
    assert [(count.taken, count.stored, count.complete) for count in counts] == [(100, 100, True)] * 2
    await spool.close()
    assert not list((tmp_path / "spool").glob("*.frames"))


async def test_a_killed_broker_and_a_killed_agent_only_delay(
    mosquitto: BrokerProcess, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool", "aoba-1")
    collector = Collector(mosquitto, MemoryLedger())
    async with running(collector):
        async with running(Uplink(configuration(mosquitto), spool, settings=QUICK)):
            await write(spool, 0, 100)
            await collector.until(lambda: len(collector.ledger.readings()) > 0)
            await asyncio.to_thread(mosquitto.kill)
            await write(spool, 100, 100)
            await asyncio.to_thread(mosquitto.start)
            await collector.until(lambda: len(collector.ledger.readings()) == 200)
            collector.mute = True
            await write(spool, 200, 100)
        await spool.close()
        collector.mute = False
        spool = Spool(tmp_path / "spool", "aoba-1")
        await write(spool, 300, 20)
        uplink = Uplink(configuration(mosquitto), spool, settings=QUICK)
        async with running(uplink):
            await collector.until(lambda: len(collector.ledger.readings()) == 320 and uplink.undelivered == 0)
    assert all(count.complete for count in collector.ledger.counts())
    await spool.close()


async def test_a_collector_that_lost_everything_is_given_what_is_still_there(
    mosquitto: BrokerProcess, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool", "aoba-1")
    uplink = Uplink(configuration(mosquitto), spool, settings=QUICK)
    async with running(uplink):
        first = Collector(mosquitto, MemoryLedger())
        async with running(first):
            await write(spool, 0, 60)
            await first.until(lambda: len(first.ledger.readings()) == 60 and uplink.undelivered == 0)
        empty = Collector(mosquitto, MemoryLedger())
        async with running(empty):
            await empty.until(lambda: len(empty.ledger.readings()) == 60 and uplink.undelivered == 0)
    await spool.close()


async def test_what_a_restored_collector_lacks_and_is_gone_is_named_trimmed(
    mosquitto: BrokerProcess, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool", "aoba-1", segment_bytes=200)
    uplink = Uplink(configuration(mosquitto), spool, settings=QUICK)
    async with running(uplink):
        first = Collector(mosquitto, MemoryLedger())
        async with running(first):
            await write(spool, 0, 60)
            await first.until(lambda: len(first.ledger.readings()) == 60 and uplink.undelivered == 0)
        empty = Collector(mosquitto, MemoryLedger())
        async with running(empty):
            await empty.until(lambda: uplink.undelivered == 0 and len(empty.ledger.counts()) == 2)
            counts = empty.ledger.counts()
    assert [(count.taken, count.stored + count.lost["trimmed"]) for count in counts] == [(30, 30)] * 2
    assert all(count.lost["trimmed"] for count in counts)
    await spool.close()


async def test_garbage_and_forged_acks_free_nothing(
    mosquitto: BrokerProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path / "spool", "aoba-1")
    await write(spool, 0, 20)
    uplink, collector = (
        Uplink(configuration(mosquitto), spool, settings=QUICK),
        Collector(mosquitto, MemoryLedger()),
    )
    collector.mute = True
    ids = [frame.id for lane in Lane for frame in spool.store.read(lane, spool.epoch, ((0, 1),))]
    async with running(collector), running(uplink):
        await collector.until(lambda: "online" in collector.status)
        topic = topics.ack("aoba", "aoba-1", "hq")
        forged = [Ack(life="f" * 32, lane=lane, ids=tuple(ids)) for lane in Lane]
        for payload in (b"\x00", b"{}", *map(encode, forged)):
            await collector._session.publish(topic, payload)
        collector.mute = False
        await collector.until(lambda: len(collector.ledger.readings()) == 20 and uplink.undelivered == 0)
    assert "ignored" in caplog.text
    await spool.close()


async def test_two_required_ledgers_are_refused(tmp_path: Path, mosquitto: BrokerProcess) -> None:
    spool = Spool(tmp_path / "spool", "aoba-1")
    with pytest.raises(ConfigError, match="one ledger"):
        Uplink(configuration(mosquitto, "hq", "backup"), spool)
    await spool.close()
