"""From spool to ledger over a real broker, and back: acks free, kills delay, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.known_ledgers import Known, KnownLedgers
from agent.spool import Spool, SpoolLimits
from agent.uplink import Uplink
from config.agent import AgentConfig
from core.delivery import topics
from core.delivery.actions import SenderSettings
from core.delivery.frames import Lane
from core.delivery.messages import Ack, Data, Head, Inventory, Life, Status, Table, decode, encode
from core.delivery.payload import TakenReading
from core.delivery.receiver import Arrival, decide
from core.delivery.tables import PointRow, PointTable
from core.runtime.mqtt import MqttSession, Publication
from tests.servers import BrokerProcess
from tests.unit.agent.scans import scans
from tests.unit.core.delivery.ledgers import MemoryLedger

POINT = "M-1.active_energy_import"
TABLE = PointTable((PointRow(POINT, "active_energy_import", "Wh", "1", "1", None, "primary", "", "", ""),))
CONFIGURATION = """\
agent: aoba-1
site: aoba
time_zone: Asia/Tokyo
broker: {{host: 127.0.0.1, port: {port}}}
required_ledgers: [hq]
devices:
  - id: M-1
    profile: abb_b23
    modbus: {{host: 127.0.0.1, unit: 1}}
"""
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

    def __init__(
        self, broker: BrokerProcess, ledger: MemoryLedger, *, name: str = "hq", ledger_id: str = "0"
    ) -> None:
        self.ledger = ledger
        self.name, self.ledger_id = name, ledger_id * 32
        self.status: list[str] = []
        self.life = secrets.token_hex(16)
        self.mute = False
        self.said = 0
        self.heard_bytes: list[int] = []
        self._stirred = asyncio.Event()
        self._session = MqttSession(
            broker.host,
            broker.port,
            f"collector-{self.life[:8]}",
            subscriptions=topics.subscriptions_of_collector(),
            on_message=self._hear,
            will=lambda: self._life(alive=False),
            on_connected=self.say_life,
        )

    def _life(self, *, alive: bool = True) -> Publication:
        message = Life(
            ledger=self.name, ledger_id=self.ledger_id, life=self.life, time_ms=self.said, alive=alive
        )
        self.said += 1
        return Publication(topics.collector_status(self.name), encode(message), retain=True)

    async def say_life(self) -> None:
        life = self._life()
        await self._session.publish(life.topic, life.payload, retain=True)

    def _hear(self, topic: str, payload: bytes) -> None:
        heard, message = topics.parse(topic), decode(payload)
        if heard.lane is not None:
            self.heard_bytes.append(len(topic) + len(payload))
        self._stirred.set()
        if isinstance(message, Status):
            self.status.append(message.state)
        elif isinstance(message, Data | Table | Inventory | Head) and not self.mute:
            decision = decide([Arrival(heard.site, heard.agent, heard.lane, message)], self.ledger, self.life)
            self.ledger.commit(decision)
            for answer in decision.answers:
                topic = topics.ack(answer.site, answer.agent, self.name)
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
    kept = {path.name.partition("-")[0] for path in (tmp_path / "spool").glob("*.frames")}
    assert kept == {"registers"}, "which stay for ledgers that may be restored from a backup"


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
    spool = Spool(tmp_path / "spool", "aoba-1", segment_bytes=200, limits=SpoolLimits(keep_registers_days=0))
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


async def test_two_required_ledgers_are_each_given_all_and_free_together(
    mosquitto: BrokerProcess, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool", "aoba-1")
    uplink = Uplink(configuration(mosquitto, "hq", "backup"), spool, settings=QUICK)
    hq = Collector(mosquitto, MemoryLedger())
    backup = Collector(mosquitto, MemoryLedger(), name="backup", ledger_id="b")
    async with running(uplink), running(hq):
        await write(spool, 0, 60)
        await hq.until(lambda: len(hq.ledger.readings()) == 60)
        assert uplink.undelivered == 6
        async with running(backup):
            await backup.until(lambda: uplink.undelivered == 0)
            assert backup.ledger.readings() == hq.ledger.readings()
            await write(spool, 60, 20)
            await backup.until(lambda: len(backup.ledger.readings()) == 80 and uplink.undelivered == 0)
    await spool.close()


async def test_another_ledger_under_the_name_frees_nothing_until_it_is_trusted(
    mosquitto: BrokerProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path / "spool", "aoba-1")
    config = configuration(mosquitto).model_copy(update={"spool": tmp_path / "spool"})
    (tmp_path / "agent.yaml").write_text(CONFIGURATION.format(port=mosquitto.port))
    uplink = Uplink(config, spool, settings=QUICK)
    async with running(uplink):
        first = Collector(mosquitto, MemoryLedger())
        async with running(first):
            await write(spool, 0, 20)
            await first.until(lambda: len(first.ledger.readings()) == 20 and uplink.undelivered == 0)
        other = Collector(mosquitto, MemoryLedger(), ledger_id="b")
        async with running(other):
            await write(spool, 20, 20)
            await other.until(lambda: uplink.ledgers()["hq"].untrusted_id == "b" * 32)
            await other.until(lambda: uplink.undelivered == 0)
            samples = (tmp_path / "spool").glob("samples-*")
            assert sum(path.stat().st_size for path in samples), "delivered, and nothing is freed"
            assert "another ledger than before" in caplog.text
            told = CliRunner().invoke(app, ["trust", "hq", str(tmp_path / "agent.yaml"), "--id", "b" * 32])
            assert told.exit_code == 0, told.output
            await other.say_life()
            await other.until(lambda: uplink.ledgers()["hq"].untrusted_id is None)
        await write(spool, 40, 20)
    await spool.close()
    again = KnownLedgers(tmp_path / "spool")
    assert again.read() == {"hq": Known(("0" * 32, "b" * 32))}


async def test_two_collectors_of_one_name_are_told_of(
    mosquitto: BrokerProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path / "spool", "aoba-1")
    uplink = Uplink(configuration(mosquitto), spool, settings=QUICK)
    ledger = MemoryLedger()
    one, copy = Collector(mosquitto, ledger), Collector(mosquitto, ledger.backup())
    async with running(uplink), running(one), running(copy):
        await write(spool, 0, 20)
        await one.until(lambda: len(one.ledger.readings()) == len(copy.ledger.readings()) == 20)
        for _ in range(3):
            for each in (one, copy):
                await each.say_life()
                await asyncio.sleep(0.05)
        await one.until(lambda: uplink.ledgers()["hq"].in_turn)
    assert "two collectors call themselves hq" in caplog.text
    await spool.close()


async def test_the_byte_rate_of_the_configuration_is_kept(mosquitto: BrokerProcess, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", "aoba-1")
    config = configuration(mosquitto)
    broker = config.broker.model_copy(update={"max_bytes_per_s": 2_000})
    uplink = Uplink(config.model_copy(update={"broker": broker}), spool, settings=QUICK)
    collector = Collector(mosquitto, MemoryLedger())
    await write(spool, 0, 1000)
    async with running(collector), running(uplink):
        start_s = asyncio.get_running_loop().time()
        await collector.until(lambda: len(collector.ledger.readings()) == 1000)
        took_s = asyncio.get_running_loop().time() - start_s
        *before, _ = collector.heard_bytes
    assert len(before) >= 3
    assert took_s >= sum(before) / 2_000
    await spool.close()
