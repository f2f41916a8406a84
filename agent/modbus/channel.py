"""One open connection with at most one request in flight.

What is not its whole reply in time ends the request, and leaves the channel unfit: closed where it is a
socket, to be drained where it is a serial line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from agent.modbus.framing import Answer, Framing, Mbap
from agent.modbus.stats import BusStats
from agent.modbus.wire import Request


class NoAnswer(Exception):
    """A request ended without its reply."""


class Silent(NoAnswer):
    """There was no whole reply in time."""


class Wrong(NoAnswer):
    """What came cannot be the reply; the text says why."""


class Closed(NoAnswer):
    """The connection ended; `error` is what the system said of it, if anything."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__(str(error or "closed by the other side"))
        self.error = error


class Channel(asyncio.Protocol):
    """Asks over one transport.

    Parameters
    ----------
    framing
        How requests and replies are packed.
    clock
        A monotonic clock [s].
    stats
        Where bytes that nobody had asked for are counted.
    stays_open
        Whether closing could not keep a late reply away: a serial line.

    Attributes
    ----------
    heard_at
        When the last byte came, or the channel was opened or spoiled [s].
    spoilt
        What comes next may be old: silence first.
    ready_at
        When the next request may be sent at the earliest [s].
    """

    __slots__ = (
        "_clock",
        "_ends_at",
        "_fires_at",
        "_future",
        "_judge",
        "_loop",
        "_lost",
        "_number",
        "_received",
        "_request",
        "_stats",
        "_timer",
        "_transport",
        "closed",
        "heard_at",
        "is_rtu",
        "ready_at",
        "spoilt",
        "stays_open",
    )

    def __init__(
        self, framing: Framing, *, clock: Callable[[], float], stats: BusStats, stays_open: bool
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._judge = framing.judge
        self._clock, self._stats = clock, stats
        self._transport: asyncio.WriteTransport | None = None
        self._future: asyncio.Future[Answer] | None = None
        self._request: Request | None = None
        self._number = 0
        self._received = b""
        self._timer: asyncio.TimerHandle | None = None
        self._ends_at = self._fires_at = 0.0
        self._lost: Exception | None = None
        self.is_rtu = framing is not Mbap
        self.stays_open = stays_open
        self.heard_at = self.ready_at = clock()
        self.spoilt = False
        self.closed = False

    def ask(self, request: Request, frame: bytes, number: int, deadline_s: float) -> asyncio.Future[Answer]:
        """Send a request, and return the future of its answer.

        Parameters
        ----------
        request, frame, number
            What is asked, as bytes, and its transaction id.
        deadline_s
            For the whole reply [s].
        """
        self._future = future = self._loop.create_future()
        self._request, self._number = request, number
        self._ends_at = ends_at = self._loop.time() + deadline_s
        if self._timer is None or self._fires_at > ends_at:
            self._set_timer(ends_at)
        if self._transport is None or self.closed:
            self._end(Closed(self._lost))
        else:
            self._transport.write(frame)
        return future

    def spoil(self) -> None:
        """See to it that nothing that still comes can answer the next request."""
        self._future, self._received = None, b""
        if self.stays_open:
            self.spoilt, self.heard_at = True, self._clock()
        else:
            self.abort()

    def abort(self) -> None:
        """Drop the connection at once."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
        self._end(Closed(None))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport that was opened."""
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        """Judge what came."""
        if self.is_rtu:
            self.heard_at = self._clock()
        if self._future is None or self._request is None:
            self._stray()
            return
        received = self._received + data if self._received else data
        verdict = self._judge(received, self._request, self._number)
        if verdict is None:
            self._received = received
        elif isinstance(verdict, str):
            self._end(Wrong(verdict))
        else:
            future, self._future, self._received = self._future, None, b""
            if not future.done():
                future.set_result(verdict)
            if verdict.end < len(received):
                self._stray()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the request in flight, which cannot be answered any more."""
        self.closed, self._lost = True, exc
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._end(Closed(exc))

    def _end(self, error: NoAnswer) -> None:
        future, self._future, self._received = self._future, None, b""
        if future is not None and not future.done():
            future.set_exception(error)

    def _stray(self) -> None:
        if self.closed or self.spoilt:
            return
        self._stats.discarded += 1
        if self.is_rtu:
            self.spoilt = True
        else:
            self.abort()

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fires_at = at
        self._timer = self._loop.call_at(at, self._tick)

    def _tick(self) -> None:
        """End a request that is overdue; one timer serves many requests that were answered."""
        self._timer = None
        if self._future is None:
            return
        if self._loop.time() < self._ends_at:
            self._set_timer(self._ends_at)
        else:
            self._end(Silent("no whole reply in time"))
