"""Asking a device gently: one request at a time, a pause after each, and never more than a few."""

from __future__ import annotations

import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from agent.modbus.bus import Bus, ReadRequest, RefusedError
from agent.modbus.plan import Block, RegisterPoint, is_bits, plan
from agent.modbus.sunspec import find_models
from agent.tools.variants import Entry
from config.profile import Place, Profile
from core.errors import OutsideError, Unreachable

Pause = Callable[[float], Awaitable[None]]
"""Waits [s]."""

GENTLE_S: Final = 0.02
"""Pause after each reply, where the configuration has none [s]."""
PATIENT_S: Final = 0.2
"""The same for a device that does not answer so fast [s]."""
MOST_REQUESTS: Final = 150
"""What a probe may ask of one device [1]."""
_MOST_NEIGHBOURS: Final = 36


class OutOfRequests(OutsideError):
    """The probe has asked enough; what was measured until then stands."""


@dataclass(slots=True)
class Asker:
    """Asks one unit.

    Parameters
    ----------
    bus
        Its bus, which nobody else uses meanwhile.
    unit
        1 to 255.
    pause
        Waits [s].
    gap_s
        Pause after each reply [s].
    left
        How many requests may still be sent [1].
    round_trips_ms
        How long each reply took [ms].
    patient
        Whether a reply that does not come is asked for again, with longer pauses from then on.
    """

    bus: Bus
    unit: int
    pause: Pause
    gap_s: float = GENTLE_S
    left: int = MOST_REQUESTS
    round_trips_ms: list[float] = field(default_factory=list)
    patient: bool = True

    async def words(
        self, function: int, address: int, count: int, *, within_s: float | None = None
    ) -> list[int]:
        """Return registers (bits for functions 1 and 2); raises as `Bus.ask`, and `OutOfRequests`."""
        try:
            return await self._once(function, address, count, within_s)
        except Unreachable:
            if not self.patient or self.gap_s >= PATIENT_S or not self.round_trips_ms:
                raise
        self.gap_s = PATIENT_S  # it has answered before: perhaps it was asked too soon
        await self.pause(PATIENT_S)
        return await self._once(function, address, count, within_s)

    async def _once(self, function: int, address: int, count: int, within_s: float | None) -> list[int]:
        if self.left <= 0:
            raise OutOfRequests("The probe has sent as many requests as it may")
        self.left -= 1
        started_s = time.perf_counter()
        try:
            reply = await self.bus.ask(ReadRequest(self.unit, function, address, count), within_s=within_s)
        except RefusedError:  # an answer too
            self.round_trips_ms.append(1000 * (time.perf_counter() - started_s))
            raise
        finally:
            if self.gap_s:
                await self.pause(self.gap_s)
        self.round_trips_ms.append(reply.round_trip_ms)
        if is_bits(function):
            return [reply.data[at >> 3] >> (at & 7) & 1 for at in range(count)]
        return list(struct.unpack(f">{count}H", reply.data))


@dataclass(slots=True)
class Received:
    """What a device gave.

    Attributes
    ----------
    words
        Function and address → word.
    refused
        Name of a point → how it was refused.
    blocks
        What was asked at once.
    """

    words: dict[tuple[int, int], int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()


async def based(asker: Asker, profile: Profile, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return points whose addresses are those on the wire: SunSpec counts from the model's ID register.

    Raises
    ------
    OutsideError
        If the device has no such model, or does not answer.
    """
    if profile.sunspec is None:
        return tuple(entries)

    async def read(address: int, count: int) -> bytes | None:
        try:
            words = await asker.words(profile.function, address, count)
        except RefusedError:
            return None
        return struct.pack(f">{count}H", *words)

    least = max(entry.register.end for entry in entries) - 2
    found = await find_models(read, profile.sunspec, least=least)
    if not found:
        raise OutsideError(
            "The device has no SunSpec model of this profile",
            where=f"{asker.bus.where} unit {asker.unit}",
            evidence=f"no walk from register 40000 leads to model {', '.join(map(str, profile.sunspec))}",
            cause="SunSpec is switched off in the device, or it is another product",
            next="look for SunSpec in the device's Modbus settings",
        )
    base = found[-1].address
    return tuple(replace(entry, register=_moved(entry.register, base)) for entry in entries)


def _moved(register: RegisterPoint, base: int) -> RegisterPoint:
    scale = register.scale_register
    return replace(
        register,
        parts=tuple(Place(part.address + base, part.type, part.weight) for part in register.parts),
        scale_register=scale and scale.model_copy(update={"address": scale.address + base}),
        in_model=False,
    )


async def read_points(asker: Asker, profile: Profile, entries: Sequence[Entry], *, limit: int) -> Received:
    """Read all points once, in blocks; a block that is refused is read point by point.

    Parameters
    ----------
    asker, profile, entries
        Whom, and what.
    limit
        Most registers of one request [words].

    Raises
    ------
    Unreachable
        If the device does not answer.
    """
    points = [replace(entry.register, point=entry.name) for entry in entries]
    blocks = plan(points, gap=profile.gap, limit=limit, forbidden=profile.forbidden)
    received = Received(blocks=blocks)
    for block in blocks:
        try:
            await _read(asker, received, block.function, block.address, block.count)
        except RefusedError as error:
            if len(block.points) == 1:
                received.refused[block.points[0].point] = _refusal(error)
                continue
            for point in block.points:
                try:
                    await _read(asker, received, point.function, point.start, point.end - point.start)
                except RefusedError as each:
                    received.refused[point.point] = _refusal(each)
    return received


def _refusal(error: RefusedError) -> str:
    return f"the device refuses these registers: {error.evidence}"


async def _read(asker: Asker, received: Received, function: int, address: int, count: int) -> None:
    words = await asker.words(function, address, count)
    received.words |= {(function, address + at): word for at, word in enumerate(words)}


async def read_neighbours(
    asker: Asker, profile: Profile, received: Received, entries: Sequence[Entry]
) -> None:
    """Read one register more on either side of all that was read, and refused points one register beside.

    Where half of the points say nothing, what the other function gives is read too.

    What the device refuses is left out: it is then no explanation.
    """
    left = min(_MOST_NEIGHBOURS, asker.left)
    for entry in entries:
        register = entry.register
        for at in (register.start - 1, register.end):
            if left > 0 and 0 <= at <= 0xFFFF and (register.function, at) not in received.words:
                left -= 1
                await _try(asker, profile, received, register.function, at, 1)
    if 2 * sum(_is_empty(received, entry) for entry in entries) >= len(entries):
        for block in received.blocks:
            if block.function in (3, 4) and left > 0:
                left -= 1
                await _try(asker, profile, received, 7 - block.function, block.address, block.count)
    refused = [entry for entry in entries if entry.name in received.refused]
    for entry in refused:
        register = entry.register
        size = register.end - register.start
        for function, start in (
            (register.function, register.start - 1),
            (register.function, register.start + 1),
            *(((7 - register.function, register.start),) if register.function in (3, 4) else ()),
        ):
            if left > 0 and 0 <= start <= 0x10000 - size:
                left -= 1
                await _try(asker, profile, received, function, start, size)


def _is_empty(received: Received, entry: Entry) -> bool:
    """Whether a point was refused or holds 0 only: it may stand in the registers of the other function."""
    register = entry.register
    return not any(received.words.get((register.function, at)) for at in range(register.start, register.end))


async def _try(
    asker: Asker, profile: Profile, received: Received, function: int, address: int, count: int
) -> None:
    if any(address <= last and first < address + count for first, last in profile.forbidden):
        return
    try:
        await _read(asker, received, function, address, count)
    except OutsideError:
        return
