"""Where a SunSpec device keeps a model: found by walking from model to model."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Final

_MARKER: Final = b"SunS"
_STARTS: Final = (40_000, 0, 50_000)
_HEADER: Final = struct.Struct(">HH")
_END: Final = 0xFFFF
_MOST_MODELS: Final = 64
COMMON: Final = 1
"""The model that says who the device is."""

ReadWords = Callable[[int, int], Awaitable[bytes | None]]
"""Returns registers from an address on, and how many; None where the device refuses."""


@dataclass(frozen=True, slots=True)
class Found:
    """A model as a device has it: its id, and the address of its ID register [word]."""

    model: int
    address: int
    length: int


async def find_models(read: ReadWords, wanted: Collection[int], *, least: int = 1) -> tuple[Found, ...]:
    """Return the models from the first to the first that is wanted; empty where no walk leads to one.

    Parameters
    ----------
    read
        Reads registers.
    wanted
        Ids of the models of which one is looked for.
    least
        Length below which a model is not what it says [words].

    References
    ----------
    SunSpec Device Information Model Specification 1.1 (2022), 6: a map starts with ``SunS`` at register
    40000, 0 or 50000; each model with its ID and its length without these two; 0xFFFF ends it.
    """
    for start in _STARTS:
        if await read(start, 2) == _MARKER:
            return await _walk(read, start + 2, wanted, least)
    return ()


async def _walk(read: ReadWords, address: int, wanted: Collection[int], least: int) -> tuple[Found, ...]:
    """Walk from an ID register on: not beyond the last register, and over no model without a length."""
    passed: list[Found] = []
    while len(passed) < _MOST_MODELS and address <= 0x10000 - 2:
        header = await read(address, 2)
        if header is None:
            break
        model, length = _HEADER.unpack(header)
        if model == _END or length == 0 or address + 2 + length > 0x10000:
            break
        passed.append(Found(model, address, length))
        if model in wanted and length >= least:
            return tuple(passed)
        address += 2 + length
    return ()


class ModelAddress:
    """Keeps where a device's model is, and looks again whenever that may have changed.

    Parameters
    ----------
    models
        Ids of the models that will do.
    least
        Length below which a model does not hold what is wanted of it [words].
    """

    def __init__(self, models: Collection[int], *, least: int = 1) -> None:
        self._models, self._least = models, least
        self._passed: tuple[Found, ...] = ()
        self._connection = -1

    async def find(self, read: ReadWords, connection: int) -> int | None:
        """Return the address of the model's ID register [word]; None where the device has no such model.

        Parameters
        ----------
        read
            Reads registers.
        connection
            Number of the connection; on another one the model is looked at again.
        """
        if connection != self._connection:
            await self.check(read)
        if not self._passed:
            self._passed = await find_models(read, self._models, least=self._least)
        self._connection = connection
        return self._passed[-1].address if self._passed else None

    async def find_common(self, read: ReadWords, connection: int) -> int | None:
        """Return the address of the common model's ID register [word]; None where there is none."""
        await self.check(read)
        await self.find(read, connection)
        return next((found.address for found in self._passed if found.model == COMMON), None)

    async def check(self, read: ReadWords) -> bool:
        """Return whether the model is where it was; if not, the next time is a walk."""
        if not self._passed:
            return False
        last = self._passed[-1]
        if await read(last.address, 2) == _HEADER.pack(last.model, last.length):
            return True
        self._passed = ()
        return False
