"""What devices share, a socket or a serial line: who is asked, who answers, what is remembered."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from core.errors import UsageError
from simulators.cells import RegisterMap
from simulators.modbus.disturbance import Answered, sends
from simulators.modbus.faults import KINDS, Fault, Faults, Switch
from simulators.modbus.framing import Framing, Request
from simulators.modbus.meter import Memory, Meter, refused

NO_REPLY = 0x0B
"""What a gateway answers for a unit that does not: gateway target device failed to respond."""

_REMEMBERED = 20_000
_READS = (1, 2, 3, 4)
_PART_AGES_S = 0.5
"""The beginning of a request is dropped if the rest takes longer than this [s]."""


@dataclass(slots=True)
class Asked:
    """A request as it arrived."""

    unit: int
    function: int
    address: int
    count: int
    time_ms: int
    """The plant's time [ms since 1970-01-01 UTC]."""
    at_s: float
    """The machine's monotonic time [s]."""


class Line:
    """The devices of one socket or serial line.

    Parameters
    ----------
    units
        Unit number → registers, or a whole meter.
    framing
        How frames travel.
    now_ms
        The plant's time [ms since 1970-01-01 UTC].
    gateway
        Whether a unit that is not there, or silent, is answered for with exception 0x0B.

    Attributes
    ----------
    asked
        The latest requests.
    requests, connects, connections
        How many requests there were, how many connections were made, and how many are open.
    refused_connections
        How many were more than allowed.
    writes
        The PDU of every request that was no read; all are refused.
    faults
        Switches of the line itself; those of its units by `of`.
    """

    def __init__(
        self,
        units: Mapping[int, RegisterMap | Meter],
        framing: Framing,
        now_ms: Callable[[], int],
        *,
        gateway: bool = False,
    ) -> None:
        self.framing = framing
        self.gateway = gateway
        self.asked: deque[Asked] = deque(maxlen=_REMEMBERED)
        self.writes: list[bytes] = []
        self.requests = self.connects = self.connections = self.refused_connections = 0
        self.port = 0
        self.faults = Faults(now_ms)
        self._now_ms = now_ms
        self._memories = {
            unit: Memory(meter if isinstance(meter, Meter) else Meter(meter), now_ms())
            for unit, meter in units.items()
        }
        self._faults = {unit: Faults(now_ms) for unit in units}

    @property
    def units(self) -> tuple[int, ...]:
        """Return the numbers of the units that are there."""
        return tuple(self._memories)

    def of(self, unit: int) -> Faults:
        """Return the switches of a unit.

        Raises
        ------
        UsageError
            If there is no such unit.
        """
        if unit not in self._faults:
            raise UsageError("No such unit", evidence=str(unit), next=f"one of: {self.units}")
        return self._faults[unit]

    def acting(self, unit: int, time_ms: int) -> tuple[Switch, ...]:
        """Return the faults that act on a unit's replies at a time [ms since 1970-01-01 UTC]."""
        faults = self._faults.get(unit)
        if not self.faults and not faults:
            return ()
        return self.faults.acting(time_ms) + (faults.acting(time_ms) if faults is not None else ())

    def answer(self, request: Request, switches: tuple[Switch, ...], time_ms: int) -> bytes | None:
        """Return the PDU that answers a request, None for silence."""
        memory = self._memories.get(request.unit)
        silent = memory is None or any(switch.fault is Fault.METER_SILENT for switch in switches)
        if memory is None or silent:
            return refused(request.pdu[0], NO_REPLY) if self.gateway else None
        return memory.answer(
            request.pdu, time_ms, tuple(each for each in switches if KINDS[each.fault].of_registers)
        )

    def remember(self, request: Request, time_ms: int, at_s: float) -> None:
        """Keep a request for who wants to look at it."""
        pdu = request.pdu
        self.requests += 1
        if pdu[0] in _READS and len(pdu) == 5:
            words = int.from_bytes(pdu[1:3]), int.from_bytes(pdu[3:5])
        else:
            words = 0, 0
            if pdu[0] != 0x2B:
                self.writes.append(pdu)
        self.asked.append(Asked(request.unit, pdu[0], *words, time_ms, at_s))

    def now_ms(self) -> int:
        """Return the plant's time [ms since 1970-01-01 UTC]."""
        return self._now_ms()


class Station:
    """One open connection of a line: bytes in, bytes out.

    Parameters
    ----------
    line
        Who answers.
    write
        Sends bytes, if the connection is still there.
    loop
        The running loop, for what is sent later.
    """

    def __init__(self, line: Line, write: Callable[[bytes], object], loop: asyncio.AbstractEventLoop) -> None:
        self._line = line
        self._write = write
        self._loop = loop
        self._buffer = bytearray()
        self._made_s = loop.time()
        self._heard_s = self._made_s
        self._replied_s = float("-inf")
        self._before: Answered | None = None
        self._later: set[asyncio.TimerHandle] = set()

    def received(self, data: bytes) -> None:
        """Answer the requests that are complete with these bytes."""
        now_s = self._loop.time()
        if self._buffer and now_s - self._heard_s > _PART_AGES_S:
            self._buffer.clear()
        self._heard_s = now_s
        self._buffer += data
        while self._buffer and (request := self._line.framing.cut(self._buffer)) is not None:
            if request.pdu:
                self._answer(request, now_s)

    def close(self) -> None:
        """Send nothing more."""
        for handle in self._later:
            handle.cancel()

    def _answer(self, request: Request, now_s: float) -> None:
        line = self._line
        time_ms = line.now_ms()
        line.remember(request, time_ms, now_s)
        switches = line.acting(request.unit, time_ms)
        if switches and self._deaf(switches, now_s):
            return
        pdu = line.answer(request, switches, time_ms)
        if pdu is None:
            return
        if not switches:
            self._send(line.framing.pack(request.unit, pdu, request.transaction))
            return
        answered = Answered(request, pdu)
        others = [each for each in switches if not (line.gateway and each.fault is Fault.METER_SILENT)]
        for after_s, data in sends(line.framing, answered, self._before, others, time_ms):
            if after_s:
                self._send_later(after_s, data)
            else:
                self._send(data)
        self._before = answered

    def _deaf(self, switches: tuple[Switch, ...], now_s: float) -> bool:
        for switch in switches:
            if switch.fault is Fault.NEEDS_GAP and now_s - self._replied_s < switch.settings["gap_ms"] / 1000:
                return True
            if (
                switch.fault is Fault.NEEDS_SETTLE
                and now_s - self._made_s < switch.settings["settle_ms"] / 1000
            ):
                return True
        return False

    def _send(self, data: bytes) -> None:
        self._replied_s = self._loop.time()
        with suppress(OSError):
            self._write(data)

    def _send_later(self, after_s: float, data: bytes) -> None:
        def send() -> None:
            self._later.discard(handle)
            self._send(data)

        handle = self._loop.call_later(after_s, send)
        self._later.add(handle)
