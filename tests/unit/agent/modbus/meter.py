"""A bus with one unit that answers from memory at once, for tests of what stands above the bus."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import cast

from agent.modbus.bus import Bus, RefusedError, Reply
from agent.modbus.wire import IdentifyRequest, ReadRequest, Request, encode
from core.errors import Unreachable

Registers = Mapping[int, int]


def memory(*runs: tuple[int, str]) -> dict[int, int]:
    """Return registers by address, from the hex of what follows each."""
    found: dict[int, int] = {}
    for address, text in runs:
        raw = bytes.fromhex(text)
        for at, (word,) in enumerate(struct.iter_unpack(">H", raw)):
            found[address + at] = word
    return found


class Meter:
    """What a unit holds, and what it was asked.

    Parameters
    ----------
    registers
        Those that it has, by address, of functions 3 and 4; all others are refused.
    bits
        Those that it has, by address, of functions 1 and 2.
    """

    def __init__(self, registers: Registers | None = None, *, bits: Registers | None = None) -> None:
        self.registers = dict(registers or {})
        self.bits = dict(bits or {})
        self.longest = 125
        self.code = 2
        self.silent: Callable[[Request], bool] = lambda request: False
        self.refuses: Callable[[Request], bool] = lambda request: False
        self.identification: list[bytes] | None = None
        self.asked: list[Request] = []
        self.limits: list[float | None] = []
        self.time_ms = 1_000
        self.where = "192.0.2.1:502"
        self.stats = SimpleNamespace(connects=1)
        self.closed = 0

    @property
    def bus(self) -> Bus:
        """The bus that it is on."""
        return cast(Bus, self)

    @property
    def reads(self) -> list[tuple[int, int]]:
        """Address and count of each read that it was asked for, and forget them."""
        found = [(each.address, each.count) for each in self.asked if isinstance(each, ReadRequest)]
        self.asked.clear()
        return found

    def now_ms(self) -> int:
        """Return the time [ms]."""
        return self.time_ms

    async def ask(self, request: Request, *, within_s: float | None = None) -> Reply:
        """Answer, refuse or be silent."""
        encode(request)  # it is one that may be sent
        self.asked.append(request)
        self.limits.append(within_s)
        if self.silent(request):
            self.stats.connects += 1
            raise Unreachable("No reply", where=self.where)
        if isinstance(request, IdentifyRequest):
            if self.identification is None:
                raise self._refusal(1)
            return Reply(self.identification.pop(0), self.time_ms, 1.0)
        return Reply(self._data(request), self.time_ms, 1.0)

    async def close(self) -> None:
        """Count it."""
        self.closed += 1

    def _data(self, request: ReadRequest) -> bytes:
        wanted: Iterable[int] = range(request.address, request.address + request.count)
        held = self.bits if request.function < 3 else self.registers
        if request.count > self.longest or self.refuses(request) or not set(wanted) <= set(held):
            raise self._refusal(self.code)
        if request.function < 3:
            packed = sum((held[at] & 1) << number for number, at in enumerate(wanted))
            return packed.to_bytes(request.size, "little")
        return b"".join(held[at].to_bytes(2, "big") for at in wanted)

    def _refusal(self, code: int) -> RefusedError:
        error = RefusedError(
            "The device does not have it", where=f"{self.where} unit 1", evidence=f"exception {code:02X}"
        )
        error.code = code
        return error
