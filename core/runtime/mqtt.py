"""An MQTT 3.1.1 session on asyncio that comes back by itself: one paho client per connection.

Sessions are clean and nothing is queued here: what the broker has not acknowledged when a connection ends
is given back to the caller as an error, and whoever owns the data sends it again. So a message can neither
be lost in a hidden queue nor leave it twice, and a broker that forgot everything is no special case.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from zoneinfo import ZoneInfo

from core.errors import Unreachable
from core.runtime.certificates import Certificate, certificates_of, soon_over
from core.runtime.logs import facts
from core.runtime.mqtt_connection import Connection, Publication
from core.runtime.mqtt_security import MqttSecurity
from core.runtime.mqtt_troubles import lost, thrown_out
from core.runtime.words import stamp

__all__ = ["MqttSession", "Publication"]

_LOG = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 30.0
_BRIEF_S = 5.0
"""A connection that ends sooner was not wanted, or the line is no good: no reason to hurry [s]."""
_DAY_S = 86_400.0
_UTC = ZoneInfo("UTC")


class MqttSession:
    """A session with a broker, connected again whenever it is lost.

    Parameters
    ----------
    host, port
        Where the broker listens.
    client_id
        Names this client at the broker; two with one name throw each other out.
    subscriptions
        Topic filters, subscribed to with QoS 1 on each connection.
    on_message
        Called with topic and payload of each message, on the event loop: it must be quick. The broker has
        its acknowledgement when it returns; what it raises ends `run`.
    will
        Called before each connection: what the broker is to publish if that connection is lost.
    on_connected
        Awaited once each connection is subscribed; what it raises ends `run`, unless it is `Unreachable`.
    on_disconnected
        Called when a connection is lost.
    keepalive_s
        A silent connection is found dead after twice this time at the latest [s].
    security
        Certificates, name and password; None: none.
    """

    def __init__(
        self,
        host: str,
        port: int,
        client_id: str,
        *,
        subscriptions: Sequence[str] = (),
        on_message: Callable[[str, bytes], None] | None = None,
        will: Callable[[], Publication] | None = None,
        on_connected: Callable[[], Awaitable[None]] | None = None,
        on_disconnected: Callable[[], None] | None = None,
        keepalive_s: int = 20,
        security: MqttSecurity | None = None,
    ) -> None:
        self._where = f"{host}:{port}"
        self._security = security
        self._address = (host, port)
        self._client_id = client_id
        self._subscriptions = tuple(subscriptions)
        self._on_message = on_message
        self._will = will
        self._on_connected = on_connected
        self._on_disconnected = on_disconnected
        self._keepalive_s = keepalive_s
        self._connection: Connection | None = None
        self._closed = asyncio.Event()
        self._tell_again_s = 0.0
        self._connected_s: float | None = None
        self._brief = 0
        self.broker_certificate_ends_ms: int | None = None
        """When the certificate ends that the broker showed [ms since 1970 UTC]; None: it showed none."""
        self.fault: Unreachable | None = None
        """Why the last attempt to connect failed; None while connected."""

    @property
    def connected(self) -> bool:
        """Whether messages can be published now."""
        return self._connection is not None

    async def run(self) -> None:
        """Connect, serve, and connect again after a growing, random pause, until `close`.

        Raises
        ------
        OutsideError
            If the broker refuses a subscription.
        """
        failures = 0
        while not self._closed.is_set():
            self._connected_s = None
            try:
                await self._serve_once()
                error = None
            except Unreachable as unreachable:
                error = unreachable
            if self._connected_s is not None:
                failures, error = 0, self._ended(time.monotonic() - self._connected_s)
            elif error is not None:
                if failures == 0:
                    _LOG.warning(error.what, extra=facts(error))
                failures += 1
            self.fault = error
            if not self._closed.is_set():
                await self._pause(max(failures, self._brief))

    def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False
    ) -> asyncio.Future[None]:
        """Put a message on its way at once, in order; await the result to know that the broker has it.

        The future is done with the broker's acknowledgement (QoS 0: at once). It fails with `Unreachable`
        if the connection ends before: the message may have arrived or not.

        Raises
        ------
        Unreachable
            If there is no connection.
        """
        if self._connection is None:
            raise lost(self._where)
        return self._connection.publish(Publication(topic, payload, qos, retain))

    async def close(self) -> None:
        """Take leave of the broker, so that the last will is not published, and end `run`."""
        self._closed.set()
        if self._connection is not None:
            await self._connection.leave()

    async def _serve_once(self) -> None:
        """One connection, from connecting to its end."""
        connection = Connection(self._address, self._on_message, security=self._security)
        try:
            will = self._will() if self._will is not None else None
            await connection.open(self._client_id, self._keepalive_s, will)
            await connection.subscribe(self._subscriptions)
            self._connection, self.fault = connection, None
            self._connected_s = time.monotonic()
            if not self._thrown_out:
                self._welcome()
            if self._on_connected is not None:
                await self._on_connected()
            if self._closed.is_set():
                await connection.leave()
            if self._thrown_out:
                await asyncio.wait([connection.ended], timeout=_BRIEF_S)
                if not connection.ended.done():
                    self._welcome()
                    self._brief = 0
            while not connection.ended.done():
                await self._tell_of_certificates(connection.certificate_ends_ms)
                await asyncio.wait([connection.ended], timeout=_DAY_S)
            connection.ended.result()
        finally:
            was_connected, self._connection = self._connection is not None, None
            connection.shut()
            if was_connected and self._on_disconnected is not None:
                self._on_disconnected()

    @property
    def _thrown_out(self) -> bool:
        """Whether each connection ends as soon as it is there: told once, and tried ever more rarely."""
        return self._brief > 1

    def _welcome(self) -> None:
        _LOG.info("connected to the broker", extra={"where": self._where})

    def _ended(self, lasted_s: float) -> Unreachable | None:
        """Say that a connection has ended, and judge why."""
        if self._closed.is_set():
            return None
        self._brief = self._brief + 1 if lasted_s < _BRIEF_S else 0
        if self._brief < 2:
            _LOG.warning("the connection to the broker was lost", extra={"where": self._where})
            return None
        error = thrown_out(self._where)
        if self._brief == 2:
            _LOG.warning(error.what, extra=facts(error))
        return error

    async def _tell_of_certificates(self, broker_ends_ms: int | None) -> None:
        """Say once a day which certificates end soon."""
        self.broker_certificate_ends_ms = broker_ends_ms
        tls = None if self._security is None else self._security.tls
        if tls is None or time.monotonic() < self._tell_again_s:
            return
        self._tell_again_s = time.monotonic() + _DAY_S
        ours = await asyncio.to_thread(certificates_of, tls, "the broker")
        shown = Certificate(self._where, "the broker's own certificate", broker_ends_ms)
        for each in soon_over((*ours, shown), time.time_ns() // 1_000_000):
            _LOG.warning(
                "%s ends soon",
                each.what,
                extra={"where": each.where, "seen": f"until {stamp(each.ends_ms or 0, _UTC)} UTC"},
            )

    async def _pause(self, failures: int) -> None:
        """Wait before the next attempt: longer each time, and never all clients at once."""
        longest_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures, 16))
        try:
            await asyncio.wait_for(self._closed.wait(), longest_s * random.uniform(0.5, 1.0))
        except TimeoutError:
            return
