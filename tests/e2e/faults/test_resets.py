"""A connection that is reset while something waits in it ends at once, on any event loop."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

import pytest

from core.errors import Unreachable
from core.runtime.loops import loop_factory
from core.runtime.mqtt import MqttSession

CONNACK, SUBACK = b"\x20\x02\x00\x00", b"\x90\x03\x00\x01\x01"
MESSAGE = b"\x30\x05\x00\x01aok"
NOTICED_WITHIN_S = 2.0


@pytest.mark.parametrize("publishes", [False, True])
@pytest.mark.parametrize("factory", [None, loop_factory()])
def test_a_reset_behind_a_message_is_noticed(
    factory: Callable[[], asyncio.AbstractEventLoop] | None, publishes: bool
) -> None:
    """A broker that is killed with unread bytes sends a reset, and its last message waits before it."""
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_noticed(publishes=publishes))


async def _noticed(*, publishes: bool) -> None:
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    heard: list[bytes] = []
    connected, lost = asyncio.Event(), asyncio.Event()

    def hear(_topic: str, payload: bytes) -> None:
        heard.append(payload)

    async def on_connected() -> None:
        connected.set()

    session = MqttSession(
        "127.0.0.1",
        listener.getsockname()[1],
        "x",
        subscriptions=("a",),
        on_message=hear,
        on_connected=on_connected,
        on_disconnected=lost.set,
    )
    running = asyncio.ensure_future(session.run())
    broker, _ = await loop.sock_accept(listener)
    broker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # the message is to arrive before the reset
    await loop.sock_recv(broker, 100)
    await loop.sock_sendall(broker, CONNACK)
    await loop.sock_recv(broker, 100)
    await loop.sock_sendall(broker, SUBACK)
    await connected.wait()
    broker.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    broker.send(MESSAGE)
    broker.close()
    if publishes:
        with pytest.raises(Unreachable):
            while True:
                await asyncio.sleep(0)
                session.publish("b", b"x")
    async with asyncio.timeout(NOTICED_WITHIN_S):
        await lost.wait()
    assert publishes or heard == [b"ok"]
    listener.close()
    running.cancel()
    await asyncio.wait([running])
