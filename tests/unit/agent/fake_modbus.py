"""A Modbus TCP peer on a raw socket that answers as no real server would."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Asked:
    """A read request as it arrived."""

    transaction_id: int
    unit: int
    function: int
    address: int
    count: int


Send = Callable[[bytes], None]
Answer = Callable[[Asked, Send], Awaitable[None]]


def reply(asked: Asked, words: Sequence[int], **wrong: int) -> bytes:
    """Return the right reply, but for what `wrong` says of its header."""
    data = struct.pack(f">{len(words)}H", *words)
    return (
        struct.pack(
            ">HHHBBB",
            wrong.get("transaction_id", asked.transaction_id),
            wrong.get("protocol", 0),
            wrong.get("length", 3 + len(data)),
            wrong.get("unit", asked.unit),
            wrong.get("function", asked.function),
            wrong.get("bytes", len(data)),
        )
        + data
    )


def refusal(asked: Asked, code: int) -> bytes:
    """Return an exception reply."""
    return struct.pack(">HHHBBB", asked.transaction_id, 0, 3, asked.unit, asked.function | 0x80, code)


@dataclass
class FakeMeter:
    """Where it listens, what it was asked, and over how many connections."""

    port: int = 0
    answer: Answer | None = None
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    connected_at: float = 0.0
    in_flight: int = 0
    most_in_flight: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def close_connections(self) -> None:
        """Close every connection; a new one is welcome."""
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def fake_meter(answer: Answer) -> AsyncIterator[FakeMeter]:
    """Serve on loopback; `answer` (which a test may exchange) is awaited for each request."""
    meter = FakeMeter(answer=answer)

    async def one(asked: Asked, writer: asyncio.StreamWriter) -> None:
        assert meter.answer is not None
        try:
            await meter.answer(asked, writer.write)
        finally:
            meter.in_flight -= 1

    serving: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        meter.connections += 1
        meter.connected_at = asyncio.get_running_loop().time()
        if (task := asyncio.current_task()) is not None:
            serving.add(task)
        meter._writers.append(writer)
        tasks: list[asyncio.Task[None]] = []
        try:
            while True:
                frame = await reader.readexactly(12)
                number, _, _, unit, function, address, count = struct.unpack(">HHHBBHH", frame)
                meter.asked.append(Asked(number, unit, function, address, count))
                meter.in_flight += 1
                meter.most_in_flight = max(meter.most_in_flight, meter.in_flight)
                tasks.append(asyncio.create_task(one(meter.asked[-1], writer)))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            await asyncio.gather(*tasks, return_exceptions=True)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    meter.port = server.sockets[0].getsockname()[1]
    try:
        yield meter
    finally:
        server.close()
        meter.close_connections()
        await server.wait_closed()
        await asyncio.gather(*serving)
