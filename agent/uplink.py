"""Between spool and broker: carries out what the sender decides, and tells it what happens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
import time
from collections.abc import Sequence

from agent.spool import Spool
from config.agent import AgentConfig
from core.delivery import topics
from core.delivery.actions import (
    Action,
    Free,
    GiveUp,
    SenderSettings,
    SendFrames,
    SendHead,
    SendInventory,
    SendTable,
    Unhold,
)
from core.delivery.frames import Lane
from core.delivery.messages import (
    Ack,
    Data,
    Head,
    Inventory,
    Life,
    Message,
    Status,
    Table,
    Want,
    decode,
    encode,
)
from core.delivery.outbox import Waiting
from core.delivery.sender import Sender
from core.delivery.shelf import Written
from core.delivery.topics import TopicKind
from core.errors import ConfigError, Unreachable, WireError
from core.runtime.logs import facts
from core.runtime.mqtt import MqttSession, Publication

_LOG = logging.getLogger(__name__)
_LEAVE_WITHIN_S = 2.0


class Uplink:
    """Delivers what is in the spool to the required ledger.

    Parameters
    ----------
    config
        The agent's configuration.
    spool
        Its frames; the uplink hears of new ones by itself.
    settings
        How hard to send.

    Raises
    ------
    ConfigError
        If more than one ledger is required.
    """

    def __init__(self, config: AgentConfig, spool: Spool, *, settings: SenderSettings | None = None) -> None:
        if len(config.required_ledgers) != 1:
            raise ConfigError(
                "an agent delivers to exactly one ledger in this release",
                where="required_ledgers",
                evidence=", ".join(config.required_ledgers),
            )
        (ledger,) = config.required_ledgers
        self._site, self._agent = config.site, config.agent
        self._spool = spool
        self._store = spool.store
        self._stirred = asyncio.Event()
        self._garbage = 0
        self._changed_ms = _now_ms()
        self._heard_ms: int | None = None
        self._sender = Sender(
            ledger, draw=lambda: secrets.token_hex(8), jitter=random.random, settings=settings
        )
        self._session = MqttSession(
            config.broker.host,
            config.broker.port,
            f"{config.agent}-{spool.epoch[:8]}",  # so that a clone is seen rather than thrown off in turns
            subscriptions=(
                topics.ack(self._site, self._agent, ledger),
                topics.collector_status(ledger),
            ),
            on_message=self._hear,
            will=lambda: self._status("gone"),
            on_connected=self._connected,
            on_disconnected=self._disconnected,
            security=config.broker.security,
        )

    @property
    def undelivered(self) -> int:
        """Frames on disk that the ledger has not named in its present life [1]."""
        return self._sender.unheld

    @property
    def connected(self) -> bool:
        """Whether the broker is reached now."""
        return self._session.connected

    @property
    def since_s(self) -> float:
        """How long the broker has been reached, or has not [s]."""
        return (_now_ms() - self._changed_ms) / 1000

    @property
    def fault(self) -> Unreachable | None:
        """Why the broker is not reached."""
        return self._session.fault

    @property
    def ledger_alive(self) -> bool:
        """Whether the ledger's collector said lately that it is there."""
        return self._sender.is_alive(_now_ms())

    @property
    def heard_s_ago(self) -> float | None:
        """How long ago the ledger's collector said something [s]; None: never in this run."""
        return None if self._heard_ms is None else (_now_ms() - self._heard_ms) / 1000

    def waiting(self, lane: Lane) -> Waiting:
        """Return what waits on disk for the ledger in a lane."""
        return self._sender.waiting(lane)

    async def run(self) -> None:
        """Deliver until cancelled; then take leave of the broker.

        Raises
        ------
        OutsideError
            If the disk refuses, or the broker refuses the subscriptions.
        """
        self._name_damage()
        self._spool.listen(self._written, self._sender.on_gone)
        session = asyncio.create_task(self._session.run(), name="uplink session")
        work = asyncio.create_task(self._work(), name="uplink work")
        try:
            done, _ = await asyncio.wait({session, work}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._spool.listen(None, None)
            work.cancel()
            await self._take_leave()
            session.cancel()
            await asyncio.gather(session, work, return_exceptions=True)

    async def _work(self) -> None:
        """Do what is due, then wait until something happens or is due."""
        while True:
            self._stirred.clear()
            for action in self._sender.due(_now_ms()):
                self._do(action)
                if isinstance(action, SendFrames):
                    await asyncio.sleep(0)  # a backlog must not hold up the polling
            wake_ms = self._sender.wake_ms(_now_ms())
            patience_s = None if wake_ms is None else max(0, wake_ms - _now_ms()) / 1000
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self._stirred.wait()

    def _do(self, action: Action) -> None:
        """Carry out one action."""
        match action:
            case SendFrames(lane, epoch, spans):
                frames = self._store.read(lane, epoch, spans)
                if frames:
                    self._send(lane, Data.of(frames))
            case SendTable(lane, digest):
                table = self._store.table(digest)
                if table is None:
                    _LOG.error("a point table is gone from the spool", extra={"where": digest})
                else:
                    self._send(lane, Table(digest=digest, points=table.rows))
            case SendInventory(lane, number, sequence, blocks):
                self._send(
                    lane,
                    Inventory(
                        number=number,
                        process=self._spool.epoch,
                        sequence=sequence,
                        epochs=self._store.epochs(lane),
                        blocks=blocks,
                        gone=self._store.gone(lane),
                    ),
                )
            case SendHead():
                self._send_head()
            case Free(lane, epoch, first, end):
                self._store.free(lane, epoch, first, end)
            case Unhold():
                self._store.unhold()
            case GiveUp(lane, epoch, at, frame_id, why):
                _LOG.error(
                    "a frame is set aside that every life of the collector refused",
                    extra={"where": f"{lane} {epoch} {at}", "seen": why},
                )
                self._store.give_up(lane, epoch, at, frame_id)

    def _send(self, lane: Lane, message: Message) -> None:
        self._publish(topics.data(self._site, self._agent, lane), message)

    def _send_head(self) -> None:
        heads = self._store.heads()
        if heads:
            self._publish(topics.head(self._site, self._agent), Head(lanes=heads), retain=True)

    def _publish(self, topic: str, message: Message, *, retain: bool = False) -> None:
        """Put a message on its way; what the broker says to it proves nothing."""
        with contextlib.suppress(Unreachable):  # the session tells of it, and the sender takes all back
            self._session.publish(topic, encode(message), retain=retain)

    def _status(self, state: str) -> Publication:
        message = Status.model_validate({"process": self._spool.epoch, "state": state})
        return Publication(topics.status(self._site, self._agent), encode(message), retain=True)

    async def _connected(self) -> None:
        status = self._status("online")
        await self._session.publish(status.topic, status.payload, retain=True)
        self._changed_ms = _now_ms()
        self._sender.on_connected(self._changed_ms)
        self._stirred.set()

    def _disconnected(self) -> None:
        self._changed_ms = _now_ms()
        self._sender.on_disconnected()
        self._stirred.set()

    def _written(self, frames: Sequence[Written]) -> None:
        self._sender.on_written(frames, _now_ms())
        self._stirred.set()

    def _hear(self, topic: str, payload: bytes) -> None:
        """Hear a collector; what breaks the protocol is told once and otherwise ignored."""
        try:
            kind, message = topics.parse(topic).kind, decode(payload)
        except WireError as error:
            if self._garbage == 0:
                _LOG.warning("ignored: %s", error.what, extra={**facts(error), "where": topic})
            self._garbage += 1
            return
        if not isinstance(message, Life) or message.alive:  # a last will is the broker's word
            self._heard_ms = _now_ms()
        match kind, message:
            case TopicKind.COLLECTOR_STATUS, Life():
                self._sender.on_life(message, _now_ms())
            case TopicKind.ACK, Ack():
                self._sender.on_ack(message)
            case TopicKind.ACK, Want():
                self._sender.on_want(message)
            case _:
                self._garbage += 1
        self._stirred.set()

    async def _take_leave(self) -> None:
        """Tell how far the frames go and that the end is meant, as far as the broker is there."""
        if self._session.connected:
            self._send_head()
            with contextlib.suppress(Unreachable, TimeoutError):
                async with asyncio.timeout(_LEAVE_WITHIN_S):
                    status = self._status("stopped")
                    await self._session.publish(status.topic, status.payload, retain=True)
        await self._session.close()

    def _name_damage(self) -> None:
        for stream, gone in self._store.damage:
            _LOG.error(
                "a part of the spool is damaged; the collector will be told what is lost",
                extra={
                    "where": f"{stream.lane} {stream.epoch}, frame {gone.first} and on",
                    "seen": f"{gone.frames} frames, {gone.readings} readings",
                    "next": "the file is kept in the spool's folder set-aside",
                },
            )


def _now_ms() -> int:
    """Real time, for delivery's own timers [ms]."""
    return time.monotonic_ns() // 1_000_000
