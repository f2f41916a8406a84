"""A TCP relay on loopback whose line can be made slow, silent or broken while it carries."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import Self

LOOPBACK = "127.0.0.1"
PIECE_BYTES = 16_384
WAITING_BYTES = 65_536
"""What a direction holds of a line that is slow or far, as a modem does [bytes]."""

_RESET = struct.pack("ii", 1, 0)  # linger for 0 s: the peer hears a reset, not an end


class FaultProxy:
    """A relay to one port; its attributes may be set at any time.

    Parameters
    ----------
    target
        Port on loopback that it relays to.

    Attributes
    ----------
    port
        Where it listens, once entered.
    latency_s
        How long each byte is under way [s].
    bytes_per_s
        What each direction carries, over all connections [bytes/s]; None: all.
    accepted
        How many connections were made to it [1].
    carried_bytes
        What it delivered, in both directions [bytes].
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.latency_s = 0.0
        self.bytes_per_s: float | None = None
        self.accepted = 0
        self.carried_bytes = 0
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_cut = self._is_silent = False
        self._tear_after: int | None = None
        self._free_s = [0.0, 0.0]
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._begin, LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        self.reset()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def cut(self) -> None:
        """End all connections, and each new one at once, until `heal`."""
        self._is_cut = True
        for link in tuple(self._links):
            link.close()

    def reset(self) -> None:
        """Reset all connections; new ones are carried."""
        for link in tuple(self._links):
            link.close(_RESET)

    def tear(self, after_bytes: int) -> None:
        """Reset all connections once so many more bytes were carried, wherever in a message that is."""
        self._tear_after = after_bytes

    def fall_silent(self) -> None:
        """Carry nothing, and tell nobody: both sides keep connections whose other end is gone.

        After `heal` new connections are carried; those of before stay dead until their ends let go.
        """
        self._is_silent = True
        for link in self._links:
            link.is_silent = True

    def heal(self) -> None:
        """Carry everything at once again."""
        self._is_cut = self._is_silent = False
        self._tear_after = self.bytes_per_s = None
        self.latency_s = 0.0
        self._free_s = [0.0, 0.0]

    def due_s(self, direction: int, size: int, now_s: float) -> float:
        """Return when a piece that comes now leaves the line [s of the loop's time]."""
        if self.bytes_per_s is not None:
            self._free_s[direction] = max(self._free_s[direction], now_s) + size / self.bytes_per_s
        return max(self._free_s[direction], now_s) + self.latency_s

    def piece_bytes(self) -> int:
        """Return how much is taken off a connection at a time, so that a slow line flows [bytes]."""
        return (
            PIECE_BYTES if self.bytes_per_s is None else max(1, min(PIECE_BYTES, int(self.bytes_per_s / 8)))
        )

    def carried(self, data: bytes) -> bytes:
        """Take note of what is about to be delivered; return what of it is, before the line tears."""
        if self._tear_after is not None:
            data = data[: self._tear_after]
            self._tear_after -= len(data)
        self.carried_bytes += len(data)
        return data

    @property
    def is_torn(self) -> bool:
        """Whether the line is to be reset now."""
        return self._tear_after == 0

    def torn(self) -> None:
        """Reset the line, once."""
        self._tear_after = None
        self.reset()

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._accept(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        link = _Link(self, writer)
        if self._is_cut:
            link.close()
            return
        self._links.add(link)
        link.is_silent = self._is_silent
        try:
            if link.is_silent:  # nobody beyond hears of it; it ends when its end gives up
                await reader.read()
                return
            onward, back = await asyncio.open_connection(LOOPBACK, self.target)
            link.writers.append(back)
            await asyncio.wait(
                [
                    asyncio.ensure_future(link.pump(reader, back, 0)),
                    asyncio.ensure_future(link.pump(onward, writer, 1)),
                ]
            )
        except OSError:
            pass  # the target does not listen: the line ends, as it would without a relay
        finally:
            link.close()
            self._links.discard(link)


class _Link:
    """One connection through the relay: a socket to each side."""

    def __init__(self, proxy: FaultProxy, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self.writers = [writer]
        self.is_silent = False

    def close(self, linger: bytes | None = None) -> None:
        """Let go of both sides, in order or with a reset."""
        for writer in self.writers:
            if linger is not None and (sock := writer.get_extra_info("socket")) is not None:
                with suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort() if linger is not None else writer.close()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: int) -> None:
        """Carry one direction until it ends; an end is passed on only while the line is not silent."""
        line: deque[tuple[float, bytes]] = deque()
        waiting = 0
        filled, drained = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        async def take() -> None:
            nonlocal waiting
            with suppress(ConnectionError):
                while data := await reader.read(self._proxy.piece_bytes()):
                    line.append((self._proxy.due_s(direction, len(data), loop.time()), data))
                    waiting += len(data)
                    filled.set()
                    while waiting > WAITING_BYTES:
                        drained.clear()
                        await drained.wait()
            line.append((loop.time() + self._proxy.latency_s, b""))
            filled.set()

        taking = asyncio.ensure_future(take())
        try:
            while True:
                while not line:
                    filled.clear()
                    await filled.wait()
                due_s, data = line.popleft()
                if (wait_s := due_s - loop.time()) > 0:
                    await asyncio.sleep(wait_s)
                waiting -= len(data)
                drained.set()
                if self.is_silent:
                    if not data:
                        return
                    continue
                if not data:
                    self.close()
                    return
                writer.write(self._proxy.carried(data))
                await writer.drain()
                if self._proxy.is_torn:
                    self._proxy.torn()
        except ConnectionError:
            if not self.is_silent:
                self.close(_RESET)
        finally:
            taking.cancel()
