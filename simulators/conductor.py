"""The conductor: leads every process of a run through one virtual time.

The other end of the line protocol in `core.runtime.clock`. Time goes on only when every expected participant
is connected and idle; then it jumps to the first moment that one of them waits for. A participant that
disconnects (killed, say) halts time until it is back. The plant is told first, so that a device never answers
with the values of an earlier moment.

A run is watched and disturbed through a second kind of connection::

    controller   control         first line
                 status          -> status {"time_ms": …, "state": "running", …}
                 notify TIME_MS  -> reached TIME_MS, as soon as time is there
                 pause, resume   -> ok
                 fault TEXT      -> what the plant's switchboard answers
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass(slots=True)
class _Participant:
    writer: asyncio.StreamWriter
    idle_until_ms: int | None = None


@dataclass(slots=True)
class _Notice:
    time_ms: int
    writer: asyncio.StreamWriter


@dataclass(slots=True)
class Conductor:
    """A server of virtual time.

    Parameters
    ----------
    start_ms, end_ms
        The run, [start, end] [ms since 1970-01-01 UTC]; a moment after the end is never reached.
    expected
        Names of the participants without whom time stands still.
    on_time
        Told each new time before any participant is [ms since 1970-01-01 UTC].
    port
        Where to listen on loopback; 0: any free port, known once entered.
    on_fault
        Switches a fault of the plant, and answers in one line.
    """

    start_ms: int
    end_ms: int
    expected: Sequence[str]
    on_time: Callable[[int], None]
    port: int = 0
    on_fault: Callable[[str], str] = lambda text: f"refused {text}"
    now_ms: int = field(init=False)
    steps: int = field(init=False, default=0)
    _present: dict[str, _Participant] = field(init=False, default_factory=dict)
    _notices: list[_Notice] = field(init=False, default_factory=list)
    _connections: set[asyncio.StreamWriter] = field(init=False, default_factory=set)
    _paused: bool = field(init=False, default=False)
    _ended: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _server: asyncio.Server | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.now_ms = self.start_ms
        self.on_time(self.now_ms)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._connections):
            writer.close()

    @property
    def state(self) -> str:
        """Return ``waiting``, ``running``, ``paused`` or ``ended``."""
        if self._ended.is_set():
            return "ended"
        if self._paused:
            return "paused"
        return "waiting" if self.absent else "running"

    @property
    def absent(self) -> tuple[str, ...]:
        """Return the expected participants that are not connected."""
        return tuple(name for name in self.expected if name not in self._present)

    async def wait_ended(self) -> None:
        """Return when all participants wait for moments beyond the end."""
        await self._ended.wait()

    def pause(self) -> None:
        """Let time stand still until `resume`."""
        self._paused = True

    def resume(self) -> None:
        """Let time go on."""
        self._paused = False
        self._advance()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        with suppress(ConnectionError):
            word, _, name = (await reader.readline()).decode(errors="replace").strip().partition(" ")
            if word == "hello":
                await self._lead(name, reader, writer)
            elif word == "control":
                await self._obey(reader, writer)
        self._connections.discard(writer)
        writer.close()

    async def _lead(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if name not in self.expected or name in self._present:
            why = "is already here" if name in self._present else "is not expected in this run"
            writer.write(f"refused {name} {why}\n".encode())
            return
        participant = self._present[name] = _Participant(writer)
        writer.write(self._time_line())
        try:
            while line := await reader.readline():
                participant.idle_until_ms = int(line.split()[1])
                self._advance()
        finally:
            del self._present[name]

    async def _obey(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                word, _, text = line.decode(errors="replace").strip().partition(" ")
                answer = "ok"
                if word == "status":
                    answer = f"status {json.dumps(self._status())}"
                elif word == "pause":
                    self.pause()
                elif word == "resume":
                    self.resume()
                elif word == "fault":
                    answer = self.on_fault(text)
                elif word == "notify" and text.isdecimal():
                    self._notices.append(_Notice(int(text), writer))
                    self._notify()
                    continue
                else:
                    answer = f"unknown {word}"
                writer.write(f"{answer}\n".encode())
        finally:
            self._notices = [notice for notice in self._notices if notice.writer is not writer]

    def _status(self) -> dict[str, object]:
        return {
            "time_ms": self.now_ms,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "state": self.state,
            "steps": self.steps,
            "absent": self.absent,
        }

    def _advance(self) -> None:
        """Step to the first moment that somebody waits for, if all are here and idle."""
        if self._paused or self._ended.is_set() or self.absent:
            return
        until_ms = [participant.idle_until_ms for participant in self._present.values()]
        known_ms = [time_ms for time_ms in until_ms if time_ms is not None]
        if len(known_ms) < len(until_ms):
            return
        next_ms = min(known_ms)
        if next_ms > self.end_ms:
            self.now_ms = self.end_ms
            self._ended.set()
        else:
            self.now_ms = max(next_ms, self.now_ms)
            self.steps += 1
        self.on_time(self.now_ms)
        self._notify()
        line = self._time_line()
        for participant in self._present.values():
            if participant.idle_until_ms is not None and participant.idle_until_ms <= self.now_ms:
                participant.idle_until_ms = None  # it wakes now, and tells when it is idle again
            participant.writer.write(line)

    def _time_line(self) -> bytes:
        return f"{'end' if self._ended.is_set() else 'time'} {self.now_ms}\n".encode()

    def _notify(self) -> None:
        for notice in tuple(self._notices):
            if notice.time_ms <= self.now_ms:
                self._notices.remove(notice)
                notice.writer.write(f"reached {notice.time_ms}\n".encode())
