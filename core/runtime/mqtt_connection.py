"""One connection to an MQTT broker: a paho client whose socket the event loop watches."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from core.errors import OutsideError, Unreachable
from core.runtime.mqtt_bounded import BoundedClient
from core.runtime.mqtt_security import MqttSecurity, NamedContext, context_for
from core.runtime.mqtt_troubles import lost, no_connection, not_welcomed, refused
from core.runtime.readable import has_more

_LOG = logging.getLogger(__name__)

MAX_IN_FLIGHT = 256
"""Messages that the broker may owe us an acknowledgement for; what is beyond waits in memory [1]."""

_ANSWER_WITHIN_S = 5.0
_MISC_EVERY_S = 1.0

_T = TypeVar("_T")


class _Socket(Protocol):
    def fileno(self) -> int: ...


class Publication(NamedTuple):
    """A message to publish; `qos` is 0 or 1."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


class Connection:
    """One connection: a paho client whose socket the event loop watches.

    Parameters
    ----------
    address
        Host and port of the broker.
    on_message
        Called with topic and payload of each message. Of one that is longer than
        `mqtt_bounded.MAX_PACKET_BYTES` only so much is handed on.
    security
        Certificates, name and password; None: none.
    """

    def __init__(
        self,
        address: tuple[str, int],
        on_message: Callable[[str, bytes], None] | None,
        *,
        security: MqttSecurity | None = None,
    ) -> None:
        self._where = f"{address[0]}:{address[1]}"
        self._address = address
        self._security = security
        self._peer = None if security is None else security.peer(*address)
        self._context: NamedContext | None = None
        self._loop = asyncio.get_running_loop()
        self._hear = on_message
        self._client: Client | None = None
        self._misc: asyncio.Task[None] | None = None
        self._published: dict[int, asyncio.Future[None]] = {}
        self._subscribed: asyncio.Future[Sequence[ReasonCode]] = self._loop.create_future()
        self._welcomed: asyncio.Future[ReasonCode] = self._loop.create_future()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.certificate_ends_ms: int | None = None
        """When the broker's certificate ends [ms since 1970 UTC]; None: it showed none."""

    async def open(self, client_id: str, keepalive_s: int, will: Publication | None) -> None:
        """Connect and be welcomed.

        Raises
        ------
        Unreachable
            If nothing answers, or one of both sides refuses the other; the error says which, and why.
        """
        client = BoundedClient(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,  # else it would connect, blocking, inside loop_read
        )
        client.max_inflight_messages = MAX_IN_FLIGHT
        client.connect_timeout = _ANSWER_WITHIN_S
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        try:
            await asyncio.to_thread(self._dial, client, keepalive_s)
        except OSError as error:
            raise no_connection(self._where, self._peer, error) from None
        self._client = client
        self._watch(client)
        sock: object = client.socket()
        try:
            code = await self._within(self._welcomed)
        except Unreachable as error:
            raise self._not_welcomed(error) from None
        if code.is_failure:
            raise refused(self._where, self._security, str(code))
        if isinstance(sock, ssl.SSLSocket) and (shown := sock.getpeercert()):
            self.certificate_ends_ms = ssl.cert_time_to_seconds(str(shown["notAfter"])) * 1000

    async def subscribe(self, filters: Sequence[str]) -> None:
        """Subscribe, and return when the broker has granted all of it."""
        if not filters or self._client is None:
            return
        self._client.subscribe([(topic, 1) for topic in filters])
        codes = await self._within(self._subscribed)
        refused = [topic for topic, code in zip(filters, codes, strict=True) if code.is_failure]
        if refused:
            raise OutsideError(
                "the broker refuses a subscription",
                where=self._where,
                evidence=", ".join(refused),
                cause="its access rules",
                next="let this client read the topic",
            )

    def publish(self, message: Publication) -> asyncio.Future[None]:
        """Hand a message to paho."""
        done: asyncio.Future[None] = self._loop.create_future()
        if self._client is None or self.ended.done():
            raise lost(self._where)
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS or self.ended.done():
            raise lost(self._where, info.rc.name)
        if message.qos:
            done.add_done_callback(_observe)
            self._published[info.mid] = done
        else:
            done.set_result(None)
        return done

    async def leave(self) -> None:
        """Disconnect in order; wait a moment for what is still to be written."""
        if self._client is not None and not self.ended.done():
            self._client.disconnect()
            await asyncio.wait([self.ended], timeout=_MISC_EVERY_S)
            self._end(None)

    def shut(self) -> None:
        """Let go of socket and client."""
        if self._misc is not None:
            self._misc.cancel()
        if self._client is not None:
            sock = self._client.socket()
            if sock is not None:
                self._unwatch(sock)
                sock.close()
            self._client.on_socket_close = None  # paho closes once more when it is collected
            self._client = None
        self._end(None)

    def _dial(self, client: Client, keepalive_s: int) -> None:
        """Connect, in a thread: files, names and handshakes take their time."""
        if self._peer is not None:
            self._context = context_for(self._peer)
            client.tls_set_context(self._context)
        if self._security is not None and self._security.username is not None:
            client.username_pw_set(self._security.username, self._security.password())
        client.connect(*self._address, keepalive=keepalive_s)

    def _not_welcomed(self, error: Unreachable) -> Unreachable:
        """Return why the broker did not welcome us: `error` where it says nothing at all."""
        if not self.ended.done():
            return error
        return not_welcomed(self._where, self._peer, None if self._context is None else self._context.trouble)

    def _watch(self, client: Client) -> None:
        """Let the event loop tell paho when its socket can be read or written."""
        client.on_socket_close = lambda _client, _data, sock: self._unwatch(sock)
        client.on_socket_register_write = lambda _client, _data, sock: self._watch_writing(client, sock)
        client.on_socket_unregister_write = lambda _client, _data, sock: self._unwatch_writing(sock)
        sock = client.socket()
        if sock is None:
            self._end(None)
            return
        self._loop.add_reader(sock.fileno(), self._read, client)
        if client.want_write():
            self._loop.add_writer(sock.fileno(), self._step, client.loop_write)
        self._misc = asyncio.create_task(self._keep_alive(client))

    def _watch_writing(self, client: Client, sock: _Socket) -> None:
        try:
            self._loop.add_writer(sock.fileno(), self._step, client.loop_write)
        except RuntimeError:  # uvloop keeps no socket that was reset
            self._end(None)

    def _unwatch(self, sock: _Socket) -> None:
        self._loop.remove_reader(sock.fileno())
        self._unwatch_writing(sock)

    def _unwatch_writing(self, sock: _Socket) -> None:
        self._loop.remove_writer(sock.fileno())

    async def _keep_alive(self, client: Client) -> None:
        while not self.ended.done():
            await asyncio.sleep(_MISC_EVERY_S)
            self._step(client.loop_misc)

    def _read(self, client: Client) -> None:
        """Read all that has come, and notice the end behind it."""
        self._step(client.loop_read)
        if not self.ended.done() and has_more(client.socket()):
            self._loop.call_soon(self._read, client)

    def _step(self, work: Callable[[], MQTTErrorCode]) -> None:
        """Let paho work; whatever it or a callback raises ends the connection, and is seen."""
        try:
            code = work()
        except Exception as error:  # noqa: BLE001 - a callback's error must reach run(), not the loop's log
            self._end(error)
            return
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        """Take note that the connection is over: what is under way fails at once, whoever waits for it."""
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)
        for done in self._published.values():
            if not done.done():
                done.set_exception(lost(self._where))
        self._published.clear()

    async def _within(self, answer: asyncio.Future[_T]) -> _T:
        """Wait for the broker's answer, but not for ever."""
        watched: tuple[asyncio.Future[Any], ...] = (answer, self.ended)
        await asyncio.wait(watched, timeout=_ANSWER_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():  # a refusal may end the connection at once
            return answer.result()
        if self.ended.done():
            self.ended.result()
            raise lost(self._where)
        raise lost(self._where, f"no answer within {_ANSWER_WITHIN_S:g} s")

    def _on_connect(
        self, _client: Client, _data: None, _flags: ConnectFlags, code: ReasonCode, _p: Properties | None
    ) -> None:
        if not self._welcomed.done():
            self._welcomed.set_result(code)

    def _on_disconnect(
        self, _client: Client, _data: None, _flags: DisconnectFlags, _code: ReasonCode, _p: Properties | None
    ) -> None:
        self._end(None)

    def _on_subscribe(
        self, _client: Client, _data: None, _mid: int, codes: list[ReasonCode], _p: Properties | None
    ) -> None:
        if not self._subscribed.done():
            self._subscribed.set_result(codes)

    def _on_publish(
        self, _client: Client, _data: None, mid: int, _code: ReasonCode, _p: Properties | None
    ) -> None:
        done = self._published.pop(mid, None)
        if done is not None and not done.done():
            done.set_result(None)

    def _on_message(self, _client: Client, _data: None, message: MQTTMessage) -> None:
        if self._hear is None:
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            _LOG.warning("ignored: a message on a topic that is no text", extra={"where": self._where})
            return
        self._hear(topic, bytes(message.payload))


def _observe(done: asyncio.Future[None]) -> None:
    """Look at an error that nobody may be waiting for."""
    if not done.cancelled():
        done.exception()
