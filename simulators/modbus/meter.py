"""One device's memory: what it holds, and what it answers to a request."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from simulators.cells import Encoder, RegisterMap
from simulators.modbus.faults import Switch
from simulators.modbus.values import shown

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3

_BITS, _REGISTERS = (1, 2), (3, 4)
_MOST_BITS = 2000
_IDENTIFY = b"\x2b\x0e"


@dataclass(frozen=True, slots=True)
class Meter:
    """A device behind a unit number.

    Parameters
    ----------
    registers
        What its registers hold.
    functions
        Which of 3 and 4 read them.
    bits
        Coils and discrete inputs by address, at a time [ms since 1970-01-01 UTC]; functions 1 and 2 read
        them.
    identity
        Object id → text that it tells of itself (function 43/14); empty: it does not know the function.
    max_registers
        The most that it gives in one reply [words].
    reserved
        What it shows between its registers; longer gaps than `longest_gap` [words] are refused.
    longest_gap
        0: nothing between its registers can be read.
    step
        How many words an address stands for; 2 in meters that number values, not words.
    """

    registers: RegisterMap
    functions: frozenset[int] = frozenset(_REGISTERS)
    bits: Mapping[int, Callable[[int], bool]] = field(default_factory=dict)
    identity: Mapping[int, str] = field(default_factory=dict)
    max_registers: int = 125
    reserved: int = 0xFFFF
    longest_gap: int = 32
    step: int = 1


class _Place(NamedTuple):
    """A cell in a read: where its words go, and which of them."""

    start: int
    skip: int
    take: int
    encoder: Encoder


class _Plan(NamedTuple):
    """How a read of some registers is answered."""

    template: tuple[int, ...]
    places: tuple[_Place, ...]
    whole: bool
    """No cell is cut by the read's ends."""
    packed: struct.Struct


class Memory:
    """A meter, ready to be asked.

    Parameters
    ----------
    meter
        The device.
    time_ms
        A moment for which its registers can be computed [ms since 1970-01-01 UTC].
    """

    def __init__(self, meter: Meter, time_ms: int) -> None:
        self.meter = meter
        self._cells = sorted(
            (address * meter.step, len(encoder(time_ms)), encoder)
            for address, encoder in meter.registers.items()
        )
        self._readable = _readable(self._cells, meter.longest_gap)
        self._plans: dict[tuple[int, int], _Plan | None] = {}

    def answer(self, pdu: bytes, time_ms: int, switches: tuple[Switch, ...] = ()) -> bytes:
        """Return the reply to a request, an exception where a real device gives one.

        Parameters
        ----------
        pdu
            Function and what follows it.
        time_ms
            The moment that the registers show [ms since 1970-01-01 UTC].
        switches
            Faults of the registers that act at that moment.
        """
        function = pdu[0]
        if function in _REGISTERS and function in self.meter.functions and len(pdu) == 5:
            _, first, count = struct.unpack(">BHH", pdu)
            if not 1 <= count <= min(self.meter.max_registers, 125):
                return refused(function, ILLEGAL_VALUE)
            plan = self._plan(first * self.meter.step, count)
            if plan is None:
                return refused(function, ILLEGAL_ADDRESS)
            return bytes((function, 2 * count)) + self._read(plan, time_ms, switches)
        if function in _BITS and self.meter.bits and len(pdu) == 5:
            return self._read_bits(pdu, time_ms)
        if pdu[:2] == _IDENTIFY and self.meter.identity and len(pdu) == 4:
            return self._identify(pdu[2], pdu[3])
        return refused(function, ILLEGAL_FUNCTION)

    def _plan(self, first: int, count: int) -> _Plan | None:
        """Return how to answer a read, None if part of it cannot be read."""
        key = first, count
        if key not in self._plans:
            end = first + count
            whole = all(address in self._readable for address in range(first, end))
            self._plans[key] = self._laid_out(first, end) if whole else None
        return self._plans[key]

    def _laid_out(self, first: int, end: int) -> _Plan:
        places, whole = [], True
        for address, words, encoder in self._cells:
            low, high = max(address, first), min(address + words, end)
            if low < high:
                places.append(_Place(low - first, low - address, high - low, encoder))
                whole &= high - low == words
        template = (self.meter.reserved,) * (end - first)
        return _Plan(template, tuple(places), whole, struct.Struct(f">{end - first}H"))

    def _read(self, plan: _Plan, time_ms: int, switches: tuple[Switch, ...]) -> bytes:
        words = list(plan.template)
        for start, skip, take, encoder in plan.places:
            value = shown(encoder, time_ms, switches) if switches else encoder(time_ms)
            words[start : start + take] = value if plan.whole else value[skip : skip + take]
        return plan.packed.pack(*words)

    def _read_bits(self, pdu: bytes, time_ms: int) -> bytes:
        function, first, count = struct.unpack(">BHH", pdu)
        if not 1 <= count <= _MOST_BITS:
            return refused(function, ILLEGAL_VALUE)
        addresses = range(first, first + count)
        if not all(address in self.meter.bits for address in addresses):
            return refused(function, ILLEGAL_ADDRESS)
        packed = sum(self.meter.bits[address](time_ms) << place for place, address in enumerate(addresses))
        size = (count + 7) // 8
        return bytes((function, size)) + packed.to_bytes(size, "little")

    def _identify(self, code: int, first: int) -> bytes:
        """Return what the device tells of itself: objects 0-2 basic, to 0x7F regular, all extended."""
        last = {1: 0x02, 2: 0x7F, 3: 0xFF}.get(code, first if code == 4 else -1)
        if last < 0:
            return refused(_IDENTIFY[0], ILLEGAL_VALUE)
        if first not in self.meter.identity:
            if code == 4:
                return refused(_IDENTIFY[0], ILLEGAL_ADDRESS)
            first = 0
        told = [
            (each, text.encode())
            for each, text in sorted(self.meter.identity.items())
            if first <= each <= last
        ]
        head, body, used = _IDENTIFY + bytes((code, 0x83)), b"", 0
        for each, text in told:
            if len(body) + 2 + len(text) > 245:  # the rest is told when it is asked for
                break
            body += bytes((each, len(text))) + text
            used += 1
        more = used < len(told)
        return head + bytes((0xFF if more else 0, told[used][0] if more else 0, used)) + body


def refused(function: int, code: int) -> bytes:
    """Return an exception reply."""
    return bytes((function | 0x80, code))


def _readable(cells: list[tuple[int, int, Encoder]], longest_gap: int) -> frozenset[int]:
    """Return the addresses that can be read: registers, and short gaps between them."""
    found: set[int] = set()
    before: int | None = None
    for address, words, _ in cells:
        if before is not None and 0 < address - before <= longest_gap:
            found.update(range(before, address))
        found.update(range(address, address + words))
        before = max(before or 0, address + words)
    return frozenset(found)
