"""The relay does to a line what its faults are called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.fault_proxy import LOOPBACK, FaultProxy

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echoed() -> AsyncIterator[FaultProxy]:
    """A relay to a server that sends back what it hears."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(echo, LOOPBACK, 0)
    async with FaultProxy(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy
    server.close()


async def connect(proxy: FaultProxy) -> Streams:
    return await asyncio.open_connection(LOOPBACK, proxy.port)


async def said(streams: Streams, data: bytes) -> bytes:
    reader, writer = streams
    writer.write(data)
    return await asyncio.wait_for(reader.readexactly(len(data)), 5)


async def test_it_carries_much_in_both_directions() -> None:
    async with echoed() as proxy:
        streams = await connect(proxy)
        data = bytes(range(256)) * 4_000
        assert await said(streams, data) == data
        assert proxy.carried_bytes == 2 * len(data)
        streams[1].close()


async def test_latency_delays_and_does_not_throttle() -> None:
    async with echoed() as proxy:
        streams, loop = await connect(proxy), asyncio.get_running_loop()
        proxy.latency_s = 0.05
        started_s = loop.time()
        await said(streams, b"x" * 500_000)
        assert 0.1 <= loop.time() - started_s < 2
        streams[1].close()


async def test_a_slow_line_carries_its_rate() -> None:
    async with echoed() as proxy:
        streams, loop = await connect(proxy), asyncio.get_running_loop()
        proxy.bytes_per_s = 4_000
        started_s = loop.time()
        await said(streams, b"x" * 1_000)
        assert 0.25 <= loop.time() - started_s < 2
        proxy.heal()
        assert await said(streams, b"quick") == b"quick"
        streams[1].close()


async def test_a_cut_line_ends_and_takes_no_connection() -> None:
    async with echoed() as proxy:
        before = await connect(proxy)
        await said(before, b"before")
        proxy.cut()
        assert await asyncio.wait_for(before[0].read(), 5) == b""
        during = await connect(proxy)
        assert await asyncio.wait_for(during[0].read(), 5) == b""
        proxy.heal()
        after = await connect(proxy)
        assert await said(after, b"after") == b"after"
        after[1].close()


async def test_a_reset_is_heard_as_one() -> None:
    async with echoed() as proxy:
        streams = await connect(proxy)
        await said(streams, b"before")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(streams[0].read(), 5)


async def test_a_line_tears_in_the_middle() -> None:
    async with echoed() as proxy:
        reader, writer = await connect(proxy)
        proxy.tear(after_bytes=30)
        writer.write(b"x" * 20)
        assert len(await asyncio.wait_for(reader.read(20), 5)) == 10
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 5)
        again = await connect(proxy)
        assert await said(again, b"again") == b"again"
        again[1].close()


async def test_a_silent_line_says_nothing_and_stays_dead_after_it() -> None:
    async with echoed() as proxy:
        before = await connect(proxy)
        await said(before, b"before")
        proxy.fall_silent()
        before[1].write(b"lost")
        during = await connect(proxy)
        during[1].write(b"lost")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(before[0].read(1), 0.1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(during[0].read(1), 0.1)
        proxy.heal()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(before[0].read(1), 0.1)
        after = await connect(proxy)
        assert await said(after, b"after") == b"after"
        for _, writer in (before, during, after):
            writer.close()
