"""Time as agent and collector see it: the wall's, or one that a conductor steps.

A reading carries the time its clock tells. In production that is the wall clock. In a demo, a replay or a
test one conductor leads every process through virtual time: each task that paces itself by the clock
registers as a *pacer*, and when all pacers of all processes sleep, time jumps to the first moment that one of
them waits for. So time stands still while a device is being asked, and a month passes as fast as the work
allows. Delivery timers (retries, back-off) do not belong here: they use real time.

The conductor's line protocol (ASCII, loopback TCP)::

    participant  hello NAME      first line
                 idle TIME_MS    everything here sleeps, at least until TIME_MS
    conductor    time TIME_MS    it is now TIME_MS (the answer to hello, and each step)
                 end TIME_MS     it is TIME_MS, and time goes no further
                 refused TEXT    this name may not take part
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from core.errors import OutsideError, UsageError

Hook = Callable[[], Awaitable[None]]

_HANDSHAKE_TIMEOUT_S = 10.0


class Clock(Protocol):
    """What a process needs to know of time.

    `jumps` counts how often it was set forward: what was due in between was never due [1].
    """

    jumps: int

    def now_ms(self) -> int:
        """Return the time that readings carry [ms since 1970-01-01 UTC]."""
        ...

    async def sleep_until(self, time_ms: int) -> None:
        """Return when the clock shows `time_ms` [ms since 1970-01-01 UTC] or later."""
        ...

    def pacer(self) -> AbstractContextManager[None]:
        """Register the running task as one that time must wait for, as long as the context lasts.

        Between its sleeps the task may do anything, but it must sleep in `sleep_until` itself, not in a
        task that it starts.
        """
        ...

    def before_advance(self, hook: Hook) -> None:
        """Have `hook` awaited each time all pacers sleep, before time goes on (a wall clock ignores it)."""
        ...


class WallClock:
    """The machine's own time."""

    jumps = 0

    def now_ms(self) -> int:
        """Return the machine's time [ms since 1970-01-01 UTC]."""
        return time.time_ns() // 1_000_000

    async def sleep_until(self, time_ms: int) -> None:
        """Sleep until the machine's time is `time_ms` [ms since 1970-01-01 UTC], also when it is set.

        It looks again at least once a minute.
        """
        while (wait_ms := time_ms - self.now_ms()) > 0:  # noqa: ASYNC110  a clock has no event to wait for
            await asyncio.sleep(min(wait_ms / 1000, 60.0))

    def pacer(self) -> AbstractContextManager[None]:
        """Return a context that does nothing: the wall clock waits for nobody."""
        return nullcontext()

    def before_advance(self, hook: Hook) -> None:
        """Ignore `hook`: the wall clock waits for nobody."""


class SteppedClock:
    """A participant in a conductor's time.

    The constructor connects (blocking, loopback) and returns when the conductor has told the time; all
    other work happens in the running event loop.

    Parameters
    ----------
    host, port
        Where the conductor listens.
    name
        The participant's name, one that the conductor expects.

    Raises
    ------
    OutsideError
        No conductor answers there, or it refuses the name.
    """

    jumps = 0  # its steps are how it goes

    def __init__(self, host: str, port: int, name: str) -> None:
        self._where = f"conductor {host}:{port}"
        self._socket, self._now_ms, self._ended = self._join(host, port, name)
        self._pacers: set[asyncio.Task[object]] = set()
        self._sleepers: dict[asyncio.Future[None], tuple[int, asyncio.Task[object] | None]] = {}
        self._hooks: list[Hook] = []
        self._writer: asyncio.StreamWriter | None = None
        self._listener: asyncio.Task[None] | None = None
        self._settling: asyncio.Task[None] | None = None
        self._told_idle_ms: int | None = None
        self._stirred = 0  # counts what can make work for the hooks: wakings and new pacers

    def now_ms(self) -> int:
        """Return the conductor's time [ms since 1970-01-01 UTC]."""
        return self._now_ms

    async def sleep_until(self, time_ms: int) -> None:
        """Return when the conductor's time is `time_ms` [ms since 1970-01-01 UTC]; never, beyond its end.

        Raises
        ------
        OutsideError
            The conductor is gone.
        """
        if time_ms <= self._now_ms:
            return
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen(), name="stepped clock")
        elif self._listener.done():
            raise self._gone("connection closed")
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers[wake] = (time_ms, asyncio.current_task())
        self._settle()
        try:
            await wake
        finally:
            self._sleepers.pop(wake, None)

    @contextmanager
    def _pacing(self) -> Iterator[None]:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a pacer is a task of a running event loop")
        self._pacers.add(task)
        self._stirred += 1
        try:
            yield
        finally:
            self._pacers.discard(task)
            self._settle()

    def pacer(self) -> AbstractContextManager[None]:
        """Register the running task; time stands still whenever it does not sleep in `sleep_until`."""
        return self._pacing()

    def before_advance(self, hook: Hook) -> None:
        """Have `hook` awaited each time all pacers sleep, before the conductor is told so.

        What the hook raises is raised by every `sleep_until` that waits.
        """
        self._hooks.append(hook)

    async def close(self) -> None:
        """Leave the conductor's time, which then stands still until this name joins again."""
        for task in (self._settling, self._listener):
            if task is not None:
                task.cancel()
        if self._writer is not None:
            self._writer.close()
        self._socket.close()

    def _join(self, host: str, port: int, name: str) -> tuple[socket.socket, int, bool]:
        try:
            connection = socket.create_connection((host, port), timeout=_HANDSHAKE_TIMEOUT_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(f"hello {name}\n".encode())
            line = b""
            while not line.endswith(b"\n"):
                if not (byte := connection.recv(1)):
                    raise ConnectionResetError("closed before it told the time")
                line += byte
            connection.setblocking(False)
        except OSError as error:
            raise OutsideError(
                "No conductor leads the stepped clock",
                where=self._where,
                evidence=str(error),
                cause="the simulator that was to lead the time is not running, or has ended",
                next="start the run again; a stepped clock exists only inside `seiren demo`",
            ) from error
        word, _, text = line.decode().strip().partition(" ")
        if word == "refused":
            connection.close()
            raise OutsideError("The conductor refuses this participant", where=self._where, evidence=text)
        return connection, int(text), word == "end"

    async def _listen(self) -> None:
        """Follow the conductor's time until the connection ends."""
        reader, self._writer = await asyncio.open_connection(sock=self._socket)
        self._settle()
        reason = "connection closed"
        try:
            while line := await reader.readline():
                word, _, text = line.decode().strip().partition(" ")
                self._now_ms = int(text)
                self._ended = word == "end"
                self._wake_due()
        except ConnectionError as error:
            reason = str(error)
        self._fail(self._gone(reason))

    def _wake_due(self) -> None:
        for wake, (time_ms, _) in tuple(self._sleepers.items()):
            if time_ms <= self._now_ms:
                del self._sleepers[wake]
                self._told_idle_ms = None
                self._stirred += 1
                if not wake.done():
                    wake.set_result(None)

    def _all_sleep(self) -> bool:
        return bool(self._pacers) and self._pacers <= {task for _, task in self._sleepers.values()}

    def _settle(self) -> None:
        """Tell the conductor, after the hooks, when nothing here is awake any more."""
        if self._writer is None or self._ended or (self._settling and not self._settling.done()):
            return
        if self._all_sleep():
            self._settling = asyncio.create_task(self._tell_idle(), name="stepped clock, going idle")

    async def _tell_idle(self) -> None:
        stirred = -1
        while stirred != self._stirred:
            stirred = self._stirred
            try:
                for hook in self._hooks:
                    await hook()
            except Exception as error:  # noqa: BLE001  whatever a hook raises belongs to those who wait
                self._fail(error)
                return
            if not self._all_sleep():
                return
        until_ms = min(time_ms for time_ms, _ in self._sleepers.values())
        if until_ms != self._told_idle_ms and self._writer is not None:
            self._told_idle_ms = until_ms
            self._writer.write(f"idle {until_ms}\n".encode())

    def _fail(self, error: Exception) -> None:
        for wake in tuple(self._sleepers):
            if not wake.done():
                wake.set_exception(error)

    def _gone(self, reason: str) -> OutsideError:
        return OutsideError(
            "The conductor of the stepped clock is gone",
            where=self._where,
            evidence=reason,
            cause="the simulator has ended",
            next="start the run again",
        )


def open_clock(text: str | None, name: str) -> Clock:
    """Return the clock that a command line names.

    Parameters
    ----------
    text
        None for the wall clock, or ``stepped:HOST:PORT``.
    name
        The name under which to take part in a stepped clock.

    Raises
    ------
    UsageError
        The text names no clock.
    OutsideError
        No conductor answers there, or it refuses the name.
    """
    if text is None:
        return WallClock()
    kind, _, address = text.partition(":")
    host, _, port = address.rpartition(":")
    if kind != "stepped" or not host or not port.isdecimal():
        raise UsageError("Not a clock", where="--clock", evidence=text, next="--clock stepped:127.0.0.1:PORT")
    return SteppedClock(host, int(port), name)
