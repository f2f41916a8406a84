"""A collector: one ledger, one reading store, one session with the broker."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from collector.ingest import Ingest
from collector.intake import Intake
from collector.ledger import Ledger
from collector.projector import Projector
from collector.records import sites_of_meters
from collector.stores import make_store
from collector.stores.base import ReadingStore
from collector.trouble import Trouble
from config.hq import HqConfig
from core.delivery import messages, topics
from core.delivery.holdings import Answer
from core.delivery.messages import Life
from core.errors import ConfigError, SeirenError, Unreachable
from core.runtime.clock import WallClock
from core.runtime.mqtt import MqttSession, Publication

_LOG = logging.getLogger(__name__)

_LIFE_EVERY_S = 30.0
_STOP_WITHIN_S = 10.0


def open_ledger(folder: Path, hq: HqConfig, *, create: bool = False) -> Ledger:
    """Open the ledger of a folder, or the one at the address that its configuration names.

    Raises
    ------
    Unreachable
        The database does not answer, or another program keeps it locked.
    OutsideError
        There is no ledger, or it is none of this release.
    """
    return Ledger.open(hq.ledger.url or folder, create=create)


async def serve(folder: Path, hq: HqConfig) -> None:
    """Run a collector until SIGTERM or Ctrl-C.

    Raises
    ------
    ConfigError
        The configuration names no broker, or a reading store that would lose readings.
    Unreachable, OutsideError
        The ledger cannot be opened, or the broker refuses what a collector needs.
    """
    if hq.broker is None:
        raise ConfigError(
            "the configuration names no broker",
            where=str(folder / "hq.yaml"),
            next="add: broker: {host: 127.0.0.1, port: 1883}",
        )
    ledger = open_ledger(folder, hq, create=True)
    store = make_store(hq.store, folder)
    try:
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
        self._clock = WallClock()
        self._life = secrets.token_hex(16)
        self._projector = Projector(ledger, store, now_ms=self._clock.now_ms)
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
        )
        self._session = MqttSession(
            host,
            port,
            f"seiren-collector-{self._name}-{secrets.token_hex(4)}",
            subscriptions=topics.subscriptions_of_collector(),
            on_message=self._ingest.hear,
            will=self._will,
            on_connected=self._proclaim,
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
        async with asyncio.TaskGroup() as tasks:
            ingest = tasks.create_task(self._ingest.run())
            projector = tasks.create_task(self._project())
            session = tasks.create_task(self._session.run())
            alive = tasks.create_task(self._stay_alive())
            await stop.wait()
            self._ingest.close()
            await _end(ingest)
            self._projector.close()
            await _end(projector)
            alive.cancel()
            self._tell(alive=False)
            await self._session.close()
            await _end(session)

    async def _project(self) -> None:
        """Open the store as soon as it answers, then let samples in and follow the ledger."""
        trouble = Trouble(_LOG, f"{self._store.identity} answers")
        while True:
            try:
                await self._store.open()
                break
            except Unreachable as error:
                await asyncio.sleep(trouble.failed(error))
        trouble.worked()
        self._ingest.let_samples_in()
        await self._projector.run()

    async def _stay_alive(self) -> None:
        while True:
            await asyncio.sleep(_LIFE_EVERY_S)
            await self._proclaim()

    def _will(self) -> Publication:
        """Begin another life with each connection; the broker tells of its end."""
        self._life = secrets.token_hex(16)
        return self._status(alive=False)

    def _renew_life(self) -> None:
        self._life = secrets.token_hex(16)
        self._tell(alive=True)

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
