"""Simulated meters on Modbus TCP: every reply is computed for the moment that the plant shows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from simulators.meters import RegisterMap

_READ_FUNCTIONS = (3, 4)


_RESERVED = 0xFFFF
_LONGEST_RESERVED = 32
"""Gaps in a map up to this many registers can be read and hold `_RESERVED`; longer ones are refused."""


class _Unit:
    """One meter's registers."""

    def __init__(self, registers: RegisterMap, now_ms: Callable[[], int]) -> None:
        self._registers = sorted(registers.items())
        self._now_ms = now_ms

    def device(self, unit: int) -> SimDevice:
        blocks: list[SimData] = []
        end = 0
        for address, words in self._words(0, 0x10000):
            if blocks and 0 < address - end <= _LONGEST_RESERVED:
                blocks.append(_registers(end, [_RESERVED] * (address - end)))
            blocks.append(_registers(address, list(words)))
            end = address + len(words)
        return SimDevice(unit, simdata=blocks, action=self._refresh)

    def _words(self, first: int, end: int) -> list[tuple[int, tuple[int, ...]]]:
        time_ms = self._now_ms()
        return [
            (address, encode(time_ms))
            for address, encode in self._registers
            if address + 3 >= first and address < end  # no value is longer than four words
        ]

    async def _refresh(
        self,
        function: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        if function not in _READ_FUNCTIONS or written is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        for at, words in self._words(address, address + count):
            registers[at - start : at - start + len(words)] = words
        return None


def _registers(address: int, words: list[int]) -> SimData:
    return SimData(address, values=words, datatype=DataType.REGISTERS, readonly=True)


@asynccontextmanager
async def serve_meters(
    units: Mapping[int, RegisterMap], *, port: int, now_ms: Callable[[], int]
) -> AsyncIterator[None]:
    """Serve meters as units of one Modbus TCP socket on loopback, as long as the context lasts.

    Parameters
    ----------
    units
        Unit number to register map.
    port
        Where to listen.
    now_ms
        The plant's time [ms since 1970-01-01 UTC].

    Raises
    ------
    RuntimeError
        If the port is taken.
    """
    server = ModbusTcpServer(
        [_Unit(registers, now_ms).device(unit) for unit, registers in units.items()],
        address=("127.0.0.1", port),
        ignore_missing_devices=True,  # behind a gateway a dead unit is silent
    )
    await server.serve_forever(background=True)
    try:
        yield
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus does not annotate it
