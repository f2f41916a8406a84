"""Between spool and broker: carries out what the sender decides, and tells it what happens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.compose import compose
from agent.known_ledgers import KnownLedgers
from agent.ledger_alarms import LedgerAlarms, LedgerState
from agent.spool import Spool
from config.agent import AgentConfig
from core.delivery import topics
from core.delivery.access import access_of_agent
from core.delivery.actions import (
    Action,
    Free,
    GiveUp,
    Held,
    Send,
    SenderSettings,
    SendFrames,
    SendHead,
    SendInventory,
    SendTable,
    Trust,
    Unhold,
)
from core.delivery.frames import Lane
from core.delivery.inventory import Past
from core.delivery.messages import Ack, Life, Status, Want, decode, encode
from core.delivery.sender import Sender
from core.delivery.shelf import Written
from core.delivery.stock import Waiting
from core.delivery.topics import TopicKind
from core.errors import Unreachable, WireError
from core.runtime.logs import facts
from core.runtime.mqtt import MqttSession, Publication

_LOG = logging.getLogger(__name__)
_LEAVE_WITHIN_S = 2.0


class Uplink:
    """Delivers what is in the spool to the required ledgers.

    Parameters
    ----------
    config
        The agent's configuration.
    spool
        Its frames; the uplink hears of new ones by itself.
    settings
        How hard to send; the byte rate is the configuration's.

    Raises
    ------
    OutsideError
        If the disk refuses.
    """

    def __init__(self, config: AgentConfig, spool: Spool, *, settings: SenderSettings | None = None) -> None:
        self._site, self._agent = config.site, config.agent
        self._ledgers = config.required_ledgers
        self._spool = spool
        self._store = spool.store
        self._stirred = asyncio.Event()
        self._garbage = 0
        self._changed_ms = _now_ms()
        self._heard_ms: dict[str, int] = {}
        self._known = KnownLedgers(spool.store.path)
        self._alarms = LedgerAlarms(self._known)
        self._sender = Sender(
            self._ledgers,
            trusted=self._known.open(self._ledgers),
            past=lambda lane: Past(self._store.epochs(lane), self._store.gone(lane)),
            draw=lambda: secrets.token_hex(8),
            jitter=random.random,
            settings=replace(settings or SenderSettings(), bytes_per_s=config.broker.max_bytes_per_s),
        )
        self._session = MqttSession(
            config.broker.host,
            config.broker.port,
            f"{config.agent}-{spool.epoch[:8]}",  # so that a clone is seen rather than thrown off in turns
            subscriptions=access_of_agent(self._site, self._agent, self._ledgers).reads,
            on_message=self._hear,
            will=lambda: self._status("gone"),
            on_connected=self._connected,
            on_disconnected=self._disconnected,
            security=config.broker.security,
        )

    @property
    def undelivered(self) -> int:
        """Frames on disk that some required ledger has not named in its present life [1]."""
        return self._sender.unheld

    @property
    def connected(self) -> bool:
        """Whether the broker is reached now."""
        return self._session.connected

    @property
    def certificate_ends_ms(self) -> int | None:
        """When the broker's certificate ends [ms since 1970 UTC]; None: it shows none."""
        return self._session.broker_certificate_ends_ms

    @property
    def since_s(self) -> float:
        """How long the broker has been reached, or has not [s]."""
        return (_now_ms() - self._changed_ms) / 1000

    @property
    def fault(self) -> Unreachable | None:
        """Why the broker is not reached."""
        return self._session.fault

    def ledgers(self) -> Mapping[str, LedgerState]:
        """Return how each required ledger is."""
        now_ms = _now_ms()
        return {
            name: LedgerState(
                alive=self._sender.is_alive(name, now_ms),
                heard_s_ago=(now_ms - self._heard_ms[name]) / 1000 if name in self._heard_ms else None,
                untrusted_id=self._sender.untrusted.get(name),
                in_turn=name in self._sender.rivals(now_ms),
            )
            for name in self._ledgers
        }

    def waiting(self, lane: Lane) -> Waiting:
        """Return what waits on disk in a lane: some required ledger has not named it in its present life."""
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
            case SendFrames() | SendTable() | SendInventory() | SendHead():
                self._send(action)
            case Free(lane, epoch, first, end):
                self._store.free(lane, epoch, first, end)
            case Held(lane, epoch, first, end):
                self._store.hold(lane, epoch, first, end)
            case Unhold():
                self._store.unhold()
            case Trust(ledger, ledger_id):
                self._known.trust(ledger, ledger_id)
                _LOG.info("the first ledger %s is trusted from now on", ledger, extra={"seen": ledger_id})
            case GiveUp(lane, epoch, at, frame_id, why):
                _LOG.error(
                    "a frame is set aside that every life of the collector refused",
                    extra={"where": f"{lane} {epoch} {at}", "seen": why},
                )
                self._store.give_up(lane, epoch, at, frame_id)

    def _send(self, action: Send) -> None:
        """Put a message on its way; the broker's word that it has it paces what follows, and no more."""
        message = compose(action, self._store, self._spool.epoch)
        if message is None:
            self._sender.on_passed(action, 0, _now_ms())
            return
        topic = (
            topics.head(self._site, self._agent)
            if isinstance(action, SendHead)
            else topics.data(self._site, self._agent, action.lane)
        )
        payload = encode(message)

        def passed(future: asyncio.Future[None]) -> None:
            if not future.cancelled() and future.exception() is None:
                self._sender.on_passed(action, len(topic) + len(payload), _now_ms())
                self._stirred.set()

        with contextlib.suppress(Unreachable):  # the session tells of it, and the sender takes all back
            sent = self._session.publish(topic, payload, retain=isinstance(action, SendHead))
            sent.add_done_callback(passed)

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
            heard, message = topics.parse(topic), decode(payload)
        except WireError as error:
            if self._garbage == 0:
                _LOG.warning("ignored: %s", error.what, extra={**facts(error), "where": topic})
            self._garbage += 1
            return
        match heard.kind, message:
            case TopicKind.COLLECTOR_STATUS, Life() if message.ledger == heard.ledger:
                self._sender.on_life(message, _now_ms())
                self._look_up_trust()
            case TopicKind.ACK, Ack():
                self._sender.on_ack(heard.ledger, message)
            case TopicKind.ACK, Want():
                self._sender.on_want(heard.ledger, message)
            case _:
                self._garbage += 1
                return
        if not isinstance(message, Life) or message.alive:  # a last will is the broker's word
            self._heard_ms[heard.ledger] = _now_ms()
        for action in self._sender.decisions():
            self._do(action)
        self._alarms.look(
            self._sender.untrusted, self._sender.rivals(_now_ms()), self._sender.strange_answers
        )
        self._stirred.set()

    def _look_up_trust(self) -> None:
        """Take over what `seiren agent trust` has written since."""
        for name, ids in (self._known.changed() or {}).items():
            self._sender.on_trust(name, ids)

    async def _take_leave(self) -> None:
        """Tell how far the frames go and that the end is meant, as far as the broker is there."""
        if self._session.connected:
            self._send(SendHead())
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
