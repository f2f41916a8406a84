"""The session against real brokers: it comes back by itself, and hides nothing."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from paho.mqtt.client import MQTTMessage

from core.delivery.messages import MAX_MESSAGE_BYTES
from core.errors import Unreachable
from core.runtime.mqtt import MqttSession, Publication
from core.runtime.mqtt_bounded import MAX_PACKET_BYTES, BoundedClient
from tests.ears import Ear
from tests.servers import BrokerProcess


@asynccontextmanager
async def running(broker: BrokerProcess, name: str, **options: Any) -> AsyncIterator[MqttSession]:
    """A session that is connected."""
    ready = asyncio.Event()
    then: Callable[[], Awaitable[None]] | None = options.pop("on_connected", None)

    async def connected() -> None:
        if then is not None:
            await then()
        ready.set()

    session = MqttSession(broker.host, broker.port, name, on_connected=connected, **options)
    task = asyncio.create_task(session.run())
    try:
        async with asyncio.timeout(15):
            await ready.wait()
        yield session
    finally:
        await session.close()
        await task
        gc.collect()  # what paho's client does when it is collected must raise nothing


async def test_messages_arrive_once_in_order_and_are_acknowledged(broker: BrokerProcess) -> None:
    ear = Ear()
    async with (
        running(broker, "ear", subscriptions=["t/+"], on_message=ear),
        running(broker, "mouth") as mouth,
    ):
        await asyncio.gather(*(mouth.publish("t/a", b"%d" % i) for i in range(500)))
        await ear.until(lambda: len(ear.heard) >= 500)
    assert ear.heard == [("t/a", b"%d" % i) for i in range(500)]


async def test_a_killed_broker_loses_the_connection_and_gets_its_subscribers_back(
    broker: BrokerProcess,
) -> None:
    ear = Ear()
    connections = 0
    lost = asyncio.Event()

    async def greet() -> None:
        nonlocal connections
        connections += 1
        if connections > 1:
            await session.publish("t/a", b"again")

    async with running(
        broker, "ear", subscriptions=["t/+"], on_message=ear, on_connected=greet, on_disconnected=lost.set
    ) as session:
        await session.publish("t/a", b"once")
        await ear.until(lambda: ("t/a", b"once") in ear.heard)
        await asyncio.to_thread(broker.kill)
        await asyncio.wait_for(lost.wait(), 5)
        assert not session.connected
        with pytest.raises(Unreachable):
            session.publish("t/a", b"into the void")
        await asyncio.to_thread(broker.start)
        await ear.until(lambda: ("t/a", b"again") in ear.heard)
    assert ("t/a", b"into the void") not in ear.heard
    assert connections == 2


async def test_a_publication_under_way_when_the_connection_ends_fails(mosquitto: BrokerProcess) -> None:
    async with running(mosquitto, "mouth") as session:
        publication = session.publish("t/a", b"x" * 20_000_000)
        await asyncio.to_thread(mosquitto.kill)
        with pytest.raises(Unreachable):
            await publication
        await asyncio.to_thread(mosquitto.start)


async def test_a_broker_that_ends_each_connection_is_told_once_and_tried_ever_more_rarely(
    mosquitto: BrokerProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: dict[MqttSession, list[int]] = {}
    enough = asyncio.Event()

    async def no_longer(session: MqttSession, failures: int) -> None:
        pauses.setdefault(session, []).append(failures)
        if failures >= 5:
            enough.set()
        await asyncio.sleep(0.01)

    monkeypatch.setattr(MqttSession, "_pause", no_longer)
    caplog.set_level("INFO", "core.runtime.mqtt")
    sessions = [MqttSession(mosquitto.host, mosquitto.port, "one name for two") for _ in range(2)]
    tasks = [asyncio.create_task(session.run()) for session in sessions]
    await asyncio.wait_for(enough.wait(), 20)
    said = [record.message for record in caplog.records]
    assert 1 <= said.count("the broker ends each connection soon after it has begun") <= 2  # once by each
    assert said.count("connected to the broker") <= 4
    for each in pauses.values():
        assert each == list(range(1, len(each) + 1))
    thrown_out, other = sorted(sessions, key=lambda session: len(pauses[session]), reverse=True)
    await other.close()
    monkeypatch.setattr("core.runtime.mqtt._BRIEF_S", 0.05)
    lasts = asyncio.Event()
    monkeypatch.setattr(MqttSession, "_welcome", lambda session: lasts.set())
    await asyncio.wait_for(lasts.wait(), 20)
    assert thrown_out.connected and thrown_out.fault is None
    await thrown_out.close()
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("in_order", [True, False])
async def test_the_will_is_published_when_the_connection_is_cut_and_not_on_leave(
    mosquitto: BrokerProcess, in_order: bool
) -> None:
    ear = Ear()
    async with running(mosquitto, "ear", subscriptions=["t/+"], on_message=ear) as other:
        ready = asyncio.Event()

        async def connected() -> None:
            ready.set()

        session = MqttSession(
            mosquitto.host,
            mosquitto.port,
            "mortal",
            will=lambda: Publication("t/will", b"gone", retain=True),
            on_connected=connected,
        )
        task = asyncio.create_task(session.run())
        await asyncio.wait_for(ready.wait(), 10)
        if in_order:
            await session.close()
            await task
            await other.publish("t/end", b"")
            await ear.until(lambda: ("t/end", b"") in ear.heard)
        else:
            task.cancel()
            await asyncio.wait([task])
            await ear.until(lambda: bool(ear.heard))
    assert (("t/will", b"gone") in ear.heard) is not in_order


async def test_an_error_in_a_callback_ends_the_run_and_is_not_swallowed(mosquitto: BrokerProcess) -> None:
    def stumble(topic: str, payload: bytes) -> None:
        raise ZeroDivisionError(topic)

    async def provoke() -> None:
        session.publish("t/a", b"")

    session = MqttSession(
        mosquitto.host,
        mosquitto.port,
        "clumsy",
        subscriptions=["t/+"],
        on_message=stumble,
        on_connected=provoke,
    )
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(session.run(), 10)


async def test_nobody_there_is_tried_again_until_somebody_is(mosquitto: BrokerProcess) -> None:
    mosquitto.kill()
    ready = asyncio.Event()

    async def connected() -> None:
        ready.set()

    session = MqttSession(mosquitto.host, mosquitto.port, "patient", on_connected=connected)
    task = asyncio.create_task(session.run())
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ready.wait(), 0.3)
    await asyncio.to_thread(mosquitto.start)
    await asyncio.wait_for(ready.wait(), 10)
    await session.close()
    await asyncio.wait_for(task, 5)


@pytest.mark.parametrize("retain", [False, True])
async def test_no_message_fills_the_memory_or_blocks_the_way_for_others(
    mosquitto: BrokerProcess, retain: bool
) -> None:
    largest = 0

    class Watched(BoundedClient):
        def _sock_recv(self, bufsize: int) -> bytes:
            nonlocal largest
            got = super()._sock_recv(bufsize)
            largest = max(largest, len(self._in_packet["packet"]) + len(got))
            return got

    ear = Ear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.runtime.mqtt_connection.BoundedClient", Watched)
        async with (
            running(mosquitto, "mouth") as mouth,
            running(mosquitto, "ear", subscriptions=["t/+"], on_message=ear),
        ):
            await mouth.publish("t/bomb", b"x" * 30_000_000, retain=retain)
            await mouth.publish("t/a", b"after it")
            await ear.until(lambda: ("t/a", b"after it") in ear.heard)
        async with running(mosquitto, "ear", subscriptions=["t/+"], on_message=ear):
            await ear.until(lambda: not retain or len(ear.heard) >= 3)
    sizes = {len(payload) for topic, payload in ear.heard if topic == "t/bomb"}
    assert min(sizes) > MAX_MESSAGE_BYTES, "it is still known to be too long"
    assert max(sizes) <= 2 * MAX_PACKET_BYTES
    assert largest <= 2 * MAX_PACKET_BYTES + len("t/bomb") + 100


async def test_a_topic_that_is_no_text_is_passed_over(
    mosquitto: BrokerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear = Ear()
    real = MQTTMessage.topic

    def topic(message: MQTTMessage) -> str:
        text: str = real.fget(message)  # type: ignore[attr-defined]  # a property
        return b"\xff".decode() if text == "t/odd" else text

    monkeypatch.setattr(MQTTMessage, "topic", property(topic))
    async with (
        running(mosquitto, "ear", subscriptions=["t/+"], on_message=ear),
        running(mosquitto, "mouth") as mouth,
    ):
        await mouth.publish("t/odd", b"poison")
        await mouth.publish("t/a", b"good")
        await ear.until(lambda: bool(ear.heard))
    assert ear.heard == [("t/a", b"good")]
