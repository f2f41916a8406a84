"""A collector: one ledger, one reading store, one session with the broker."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from collector.door import Door
from collector.facts import Live, Record
from collector.ingest import Ingest
from collector.intake import Intake
from collector.ledger import Ledger, open_ledger
from collector.live import live_facts, serve_live
from collector.projector import Projector
from collector.record import read_record
from collector.records import sites_of_meters
from collector.stores import make_store
from collector.stores.base import ReadingStore
from collector.trouble import Trouble
from config.hq import HqConfig
from core.delivery import messages, topics
from core.delivery.holdings import Answer
from core.delivery.messages import Life
from core.errors import ConfigError, OutsideError, SeirenError, Unreachable
from core.runtime.clock import WallClock
from core.runtime.logs import facts
from core.runtime.loops import collect_garbage_seldom
from core.runtime.mqtt import MqttSession, Publication

_LOG = logging.getLogger(__name__)

_LIFE_EVERY_S = 30.0
_STOP_WITHIN_S = 10.0
_PRUNE_AFTER_S = 60.0
_PRUNE_EVERY_S = 6 * 3600.0


async def serve(folder: Path, hq: HqConfig) -> None:
    """Run a collector until SIGTERM or Ctrl-C.

    Raises
    ------
    ConfigError
        The configuration names no broker, or a reading store that would lose readings.
    Unreachable, OutsideError
        The ledger cannot be opened, another collector has it, or the broker refuses what a collector needs.
    """
    if hq.broker is None:
        raise ConfigError(
            "the configuration names no broker",
            where=str(folder / "hq.yaml"),
            next="add: broker: {host: 127.0.0.1, port: 1883}",
        )
    collect_garbage_seldom()
    ledger = open_ledger(folder, hq, create=True)
    store = make_store(hq.store, folder)
    try:
        with ledger.lock_collector(hq.ledger.name):
            collector = Collector(ledger, store, hq, host=hq.broker.host, port=hq.broker.port)
            await collector.run(_told_to_stop())
    except* SeirenError as group:
        raise _first(group) from group
    finally:
        await store.close()
        ledger.close()


class Collector:
    """The parts of a collector, and what they tell each other.

    Parameters
    ----------
    ledger, store
        Open ledger; store that is not opened yet.
    hq
        What headquarters has on record.
    host, port
        Where the broker listens.
    """

    def __init__(self, ledger: Ledger, store: ReadingStore, hq: HqConfig, *, host: str, port: int) -> None:
        self._name = hq.ledger.name
        self._ledger = ledger
        self._store = store
        self._port = hq.metrics_port
        self._clock = WallClock()
        self._life = secrets.token_hex(16)
        self._lives = 0
        self._broker = f"{host}:{port}"
        self._started_ms = self._broker_since_ms = self._clock.now_ms()
        self._store_trouble = Trouble(_LOG, f"{store.identity} answers")
        self._store_is_open = False
        self._door = Door(hq.served, self._clock.now_ms)
        self._projector = Projector(ledger, store, hq, now_ms=self._clock.now_ms)
        intake = Intake(
            ledger,
            store_name=store.identity,
            site_of_meter=sites_of_meters(hq),
            now_ms=self._clock.now_ms,
        )
        self._ingest = Ingest(
            intake,
            store,
            life=lambda: self._life,
            publish=self._publish,
            committed=self._projector.stir,
            ledger_lost=self._renew_life,
            door=self._door,
        )
        self._session = MqttSession(
            host,
            port,
            f"seiren-collector-{self._name}-{secrets.token_hex(4)}",
            subscriptions=topics.subscriptions_of_collector(hq.sites_served),
            on_message=self._ingest.hear,
            will=self._will,
            on_connected=self._connected,
            on_disconnected=self._disconnected,
            security=None if hq.broker is None else hq.broker.security,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then through what has come, and take leave.

        Raises
        ------
        ExceptionGroup
            Of `ConfigError`: the reading store would lose readings; of `OutsideError`: the broker refuses
            what a collector needs.
        """
        _LOG.info(
            "ledger %s (%s) is open", self._name, self._ledger.id[:8], extra={"where": self._ledger.where}
        )
        telling = serve_live(self._port, self._live, self._read_record)
        async with telling, asyncio.TaskGroup() as tasks:
            ingest = tasks.create_task(self._ingest.run())
            projector = tasks.create_task(self._project())
            session = tasks.create_task(self._session.run())
            alive = tasks.create_task(self._stay_alive())
            pruning = tasks.create_task(self._prune())
            await stop.wait()
            self._ingest.close()
            await _end(ingest)
            self._projector.close()
            await _end(projector)
            alive.cancel()
            pruning.cancel()
            self._tell(alive=False)
            await self._session.close()
            await _end(session)

    async def _project(self) -> None:
        """Open the store as soon as it answers, then let samples in and follow the ledger."""
        trouble = self._store_trouble
        while True:
            try:
                await self._store.open()
                break
            except Unreachable as error:
                await asyncio.sleep(trouble.failed(error))
        trouble.worked()
        self._store_is_open = True
        self._ingest.let_samples_in()
        await self._projector.run()

    async def _stay_alive(self) -> None:
        while True:
            await asyncio.sleep(_LIFE_EVERY_S)
            await self._ingest.look_at_ledger()
            await self._proclaim()

    async def _prune(self) -> None:
        """Let the ledger forget the ids of old frames, now and then."""
        pause_s = _PRUNE_AFTER_S
        while True:
            await asyncio.sleep(pause_s)
            pause_s = _PRUNE_EVERY_S
            try:
                await asyncio.to_thread(self._ledger.prune, self._clock.now_ms())
            except OutsideError as error:
                _LOG.warning(error.what, extra=facts(error))

    def _will(self) -> Publication:
        """Begin another life with each connection; the broker tells of its end."""
        self._new_life()
        return self._status(alive=False)

    def _renew_life(self) -> None:
        self._new_life()
        self._tell(alive=True)

    def _new_life(self) -> None:
        self._life = secrets.token_hex(16)
        self._lives += 1

    async def _connected(self) -> None:
        self._broker_since_ms = self._clock.now_ms()
        await self._proclaim()

    def _disconnected(self) -> None:
        self._broker_since_ms = self._clock.now_ms()

    async def _proclaim(self) -> None:
        self._tell(alive=True)

    def _tell(self, *, alive: bool) -> None:
        """Publish the life, where there is a connection; a new connection tells it anyway."""
        if self._session.connected:
            topic, payload, qos, retain = self._status(alive=alive)
            self._session.publish(topic, payload, qos=qos, retain=retain)

    def _status(self, *, alive: bool) -> Publication:
        life = Life(
            ledger=self._name,
            ledger_id=self._ledger.id,
            life=self._life,
            time_ms=self._clock.now_ms(),
            alive=alive,
        )
        return Publication(topics.collector_status(self._name), messages.encode(life), qos=1, retain=True)

    def _live(self) -> Live:
        return live_facts(
            ledger=self._name,
            ledger_id=self._ledger.id,
            now_ms=self._clock.now_ms(),
            started_ms=self._started_ms,
            lives=(self._life, self._lives),
            broker=self._broker,
            broker_since_ms=self._broker_since_ms,
            session=self._session,
            store=self._store.identity,
            store_is_open=self._store_is_open,
            store_fault=self._store_trouble.fault or self._ingest.store_fault or self._projector.fault,
            ingest=self._ingest,
            door=self._door,
        )

    def _read_record(self) -> Record:
        return read_record(self._ledger, self._store.identity, self._clock.now_ms())

    def _publish(self, answers: Sequence[Answer]) -> None:
        """Send answers; without a connection they are dropped, for agents ask again."""
        for answer in answers:
            if not self._session.connected:
                return
            topic = topics.ack(answer.site, answer.agent, self._name)
            self._session.publish(topic, messages.encode(answer.message))


def _told_to_stop() -> asyncio.Event:
    """Return an event that SIGTERM and Ctrl-C set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        if sys.platform == "win32":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        else:
            loop.add_signal_handler(number, stop.set)
    return stop


async def _end(task: asyncio.Task[None]) -> None:
    """Wait for a task that was told to end, and cancel it when it takes too long."""
    _, late = await asyncio.wait([task], timeout=_STOP_WITHIN_S)
    for each in late:
        each.cancel()


def _first(group: BaseExceptionGroup[SeirenError]) -> SeirenError:
    """Return the first error in a group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, SeirenError)  # the group holds nothing else
    return error
