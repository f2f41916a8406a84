"""What several units share: a socket or a serial line, asked one thing at a time, first come, first served.

After anything but a complete reply (a deadline, a cancel, garbage, a closed socket) the socket is closed
and the next request opens a new one; a serial line is listened to until it is silent. So nothing old can
answer a new question.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final

from agent.modbus import faults
from agent.modbus.channel import Channel, Closed, Silent, Wrong
from agent.modbus.faults import RefusedError
from agent.modbus.framing import Answer, Rtu
from agent.modbus.links import framing_of, open_transport
from agent.modbus.rests import Rests
from agent.modbus.stale import Unanswered
from agent.modbus.stats import BusStats
from agent.modbus.timing import characters_s, silence_s
from agent.modbus.wire import MAX_DATA, IdentifyRequest, ReadRequest, Request, encode
from config.links import ModbusLink
from core.errors import Unreachable

__all__ = ["Bus", "BusStats", "IdentifyRequest", "ReadRequest", "RefusedError", "Reply"]

_OVERHEAD: Final = 16  # characters of a request and a reply besides its data
_BAUD_BEHIND_A_GATEWAY: Final = 9600  # nobody tells; slower ones are learned
_DRAINED_AFTER_S: Final = 0.02  # USB adapters hand bytes over up to 16 ms late
_TLS_SETTLE_S: Final = 0.05  # a refusal of our certificate comes after the handshake; a request would hide it


@dataclass(slots=True, eq=False)
class Reply:
    """What a unit answered.

    Attributes
    ----------
    data
        The bytes of registers or bits as on the wire; for 43/14 what follows the MEI type.
    time_ms
        The middle of the request [ms since 1970-01-01 UTC].
    round_trip_ms
        From sending to the last byte [ms].
    """

    data: bytes
    time_ms: int
    round_trip_ms: float


class _Seat:
    """Room for one connection, open or not."""

    __slots__ = ("channel",)

    def __init__(self) -> None:
        self.channel: Channel | None = None

    @property
    def is_open(self) -> bool:
        return self.channel is not None and not self.channel.closed


class Bus:
    """Asks the units of one link; opened when it is needed.

    Parameters
    ----------
    link
        Where, and how.
    now_ms
        The clock that readings carry [ms since 1970-01-01 UTC].
    clock
        A monotonic clock [s].
    """

    def __init__(
        self, link: ModbusLink, *, now_ms: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.where = link.where
        self.link = link
        self.now_ms = now_ms
        self._clock = clock
        framing = framing_of(link)
        self._frame = framing.frame
        self._number = 0
        serial = link.serial is not None
        seats = tuple(_Seat() for _ in range(1 if serial else link.connections))
        self._seats, self._free = seats, list(seats)
        self._waiting: deque[asyncio.Future[_Seat]] = deque()
        self._owed: dict[int, Unanswered] | None = {} if framing is Rtu else None
        self._silence_s = silence_s(link.baud) if serial else 0.0
        self._gap_s = link.gap_ms / 1000
        self._settle_s = max(link.settle_ms / 1000, _TLS_SETTLE_S if link.tls else 0.0)
        self._paced = bool(self._silence_s or self._gap_s or self._settle_s)
        self._character_s = characters_s(1, link.baud if serial else _BAUD_BEHIND_A_GATEWAY)
        self._cuts = 0
        self._rests = Rests()
        self.stats = BusStats(link.timeout_s, lambda: any(seat.is_open for seat in seats))

    async def ask(self, request: Request, *, within_s: float | None = None) -> Reply:
        """Return a unit's reply.

        Parameters
        ----------
        request
            Unit 1 to 255; functions 1 to 4 or 43/14.
        within_s
            How long it may take once it is its turn, connecting included [s]. By default connecting may
            take the link's timeout, and the reply what the unit usually takes, with a wide margin and
            never longer than the link's timeout.

        Raises
        ------
        ValueError
            If the request is not of that form.
        RefusedError
            If the device does not have what is asked for.
        Unreachable
            If there is no connection, no complete reply in time, or a wrong one.
        """
        adu = encode(request)
        seat = self._free.pop() if self._free else await self._turn()
        try:
            return await self._served(
                seat, request, adu, inf if within_s is None else self._clock() + within_s
            )
        finally:
            self._pass_on(seat)

    async def close(self) -> None:
        """Close every connection; a later request opens a new one."""
        self.cut()
        await asyncio.sleep(0)  # the loop closes a dropped transport in its next turn

    def cut(self) -> None:
        """Drop every connection at once; the request in flight fails."""
        self._cuts += 1
        for seat in self._seats:
            if seat.channel is not None:
                seat.channel.abort()
                seat.channel = None

    async def _turn(self) -> _Seat:
        """Wait in line."""
        turn: asyncio.Future[_Seat] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on(turn.result())
            raise

    def _pass_on(self, seat: _Seat) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(seat)
                return
        self._free.append(seat)

    async def _served(self, seat: _Seat, request: Request, adu: bytes, until: float) -> Reply:
        """Ask, and ask once more if the connection turns out to be gone."""
        cuts = self._cuts
        reused = seat.is_open
        while True:
            try:
                if self._owed:
                    await self._outdate(seat, request, until)
                return await self._once(seat, request, adu, until)
            except Closed as closed:
                if cuts != self._cuts:
                    raise faults.dropped(self._unit(request)) from None
                if not reused:  # else many gateways close a connection that was idle: a new one will tell
                    error = faults.broke_off(self._unit(request), self.link, closed.error)
                    self._rests.failed(error, self._clock(), jitter=random.random(), unit=request.unit)
                    raise error from None
                reused = False

    async def _outdate(self, seat: _Seat, request: Request, until: float) -> None:
        """Where an old reply could pass for the new one, first have the unit answer something else."""
        owed = self._owed and self._owed.get(request.unit)
        if owed and (other := owed.to_ask_first(request, self._clock())) is not None:
            with contextlib.suppress(RefusedError):
                await self._once(seat, other, encode(other), until)

    async def _once(self, seat: _Seat, request: Request, adu: bytes, until: float) -> Reply:
        """Ask over the open connection, or over a new one."""
        channel = seat.channel
        if channel is None or channel.closed:
            channel = await self._open(seat, request, until)
        if self._paced or channel.spoilt:
            await self._keep_pace(channel, request)
        stats, clock = self.stats, self._clock
        timing = stats.timings.get(request.unit) or stats.timing(request.unit)
        deadline_s = min(timing.deadline_s + self._transfer_s(request), self.link.timeout_s)
        if until is not inf:
            deadline_s = max(0.0, min(deadline_s, until - clock()))
        self._number = number = self._number % 0xFFFF + 1
        frame = self._frame(adu, number)
        stats.requests += 1
        answer: Answer | None = None
        sent_ms, sent = self.now_ms(), clock()
        try:
            answer = await channel.ask(request, frame, number, deadline_s)
        except Silent:
            stats.timeouts += 1
            timing.silent()
            raise faults.no_reply(self._unit(request), request, deadline_s) from None
        except Wrong as wrong:
            stats.discarded += 1
            raise faults.wrong_reply(self._unit(request), str(wrong)) from None
        finally:
            if answer is None:
                channel.spoil()
                if self._owed is not None:
                    self._owed.setdefault(request.unit, Unanswered()).gave_up(request, clock())
        round_trip_s = clock() - sent
        time_ms = (sent_ms + self.now_ms()) // 2
        self._rests.end()
        if self._gap_s:
            channel.ready_at = clock() + self._gap_s
        refused = answer.exception != 0 or not answer.data
        if self._owed and (owed := self._owed.get(request.unit)) is not None:
            owed.answered(request, clock(), refused=refused)
        if refused:
            stats.exceptions += 1
            raise faults.exception(self._unit(request), request, answer.exception)
        timing.answered(round_trip_s)
        return Reply(answer.data, time_ms, 1000 * round_trip_s)

    def _transfer_s(self, request: Request) -> float:
        """Return how long the bytes themselves may take on the line [s]."""
        data = request.size if isinstance(request, ReadRequest) else MAX_DATA
        return self._character_s * (_OVERHEAD + data)

    async def _open(self, seat: _Seat, request: Request, until: float) -> Channel:
        cuts, now = self._cuts, self._clock()
        if (fault := self._rests.fault(request.unit, now)) is not None:
            raise faults.again(fault)
        within_s = min(self.link.timeout_s, until - now)
        if within_s <= 0:
            raise faults.no_reply(self._unit(request), request, 0)
        try:
            channel = await open_transport(self.link, clock=self._clock, stats=self.stats, within_s=within_s)
        except Unreachable as error:
            if self._clock() < until:  # else only the caller was in a hurry
                self._rests.failed(error, self._clock(), jitter=random.random())
            raise
        if cuts != self._cuts:
            channel.abort()
            raise Closed(None)
        seat.channel = channel
        channel.ready_at = self._clock() + self._settle_s
        self.stats.connects += 1
        return channel

    async def _keep_pace(self, channel: Channel, request: Request) -> None:
        """Wait as long as the device needs, and after a fault until nothing old comes any more."""
        give_up = self._clock() + self.link.timeout_s
        while not channel.closed:
            silence_s = max(self._silence_s, _DRAINED_AFTER_S) if channel.spoilt else self._silence_s
            now = self._clock()
            rest_s = max(channel.ready_at, channel.heard_at + silence_s) - now
            if rest_s <= 0:
                break
            if channel.spoilt and now > give_up:
                raise faults.never_silent(self._unit(request), self.link.timeout_s)
            await asyncio.sleep(rest_s)
        channel.spoilt = False

    def _unit(self, request: Request) -> str:
        return f"{self.where} unit {request.unit}"
