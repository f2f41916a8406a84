"""One Modbus unit: its points read block by block, and what it refuses learned."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from agent.modbus.bus import Bus, RefusedError, Reply
from agent.modbus.decode import BlockDecoder
from agent.modbus.identity import Identification, combined, text_of
from agent.modbus.learned import Learned, Pauses
from agent.modbus.plan import Block, Hole, RegisterPoint
from agent.modbus.stats import BusStats
from agent.modbus.sunspec import ModelAddress
from agent.modbus.wire import ReadRequest
from agent.readings import Identity, Scan, Shape
from config.links import ModbusLink
from config.profile import Profile
from core.delivery.frames import Lane

log = logging.getLogger(__name__)

_MODEL: Final = "the SunSpec model"


@dataclass(slots=True, eq=False)
class _Reading:
    """One reading of a lane; addresses count from `base`, None where there is nothing to count from."""

    base: int | None
    into: list[Scan]
    within_s: float | None


class ModbusDevice:
    """Reads the points of one unit.

    Parameters
    ----------
    bus
        Its connection, shared with other units.
    unit
        1 to 255.
    profile
        What the device model is like.
    link
        What the bus is like.
    lanes
        Points by lane.

    Attributes
    ----------
    learned
        What the device has taught by refusing; it outlives every connection.
    happened
        Events since they were last taken out: ``refused`` and ``scale_changed``, with their evidence.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        unit: int,
        profile: Profile,
        link: ModbusLink,
        lanes: Mapping[Lane, Sequence[RegisterPoint]],
    ) -> None:
        self._bus, self._unit, self._profile = bus, unit, profile
        self._where = f"{link.name} unit {unit}"
        self._points = {lane: tuple(points) for lane, points in lanes.items()}
        self.learned = Learned(
            limit=min(profile.max_registers, link.max_registers), gap=profile.gap, forbidden=profile.forbidden
        )
        self.happened: list[dict[str, object]] = []
        ends = [point.end for points in self._points.values() for point in points]
        self._model = ModelAddress(profile.sunspec, least=max(ends) - 2) if profile.sunspec else None
        self._pauses = Pauses()  # of what is no point
        self._exponents: dict[str, int] = {}
        self._plans: dict[Lane, tuple[BlockDecoder, ...]] = {}
        self._missing: dict[Lane, tuple[RegisterPoint, ...]] = {}
        self._identification = Identification(bus, unit)
        self._decoders: dict[tuple[str, ...], BlockDecoder] = {}
        self._shapes: dict[tuple[str, ...], Shape] = {}
        self._replan()

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Lanes in which the device has points."""
        return tuple(lane for lane, points in self._points.items() if points)

    @property
    def bus(self) -> str:
        """Where its bus is: devices of one bus wait for each other."""
        return self._bus.where

    @property
    def stats(self) -> BusStats:
        """What its bus did."""
        return self._bus.stats

    async def read(self, lane: Lane, into: list[Scan], *, within_s: float | None = None) -> None:
        """Read all points of a lane, and append each block as it comes.

        A point that the device refuses or has no value for is there without a value.

        Parameters
        ----------
        lane
            Which points.
        into
            What was read before an error stays in it.
        within_s
            Bound on the wait for each reply [s].

        Raises
        ------
        Unreachable
            If the device does not answer.
        """
        base = 0 if self._model is None else await self._base(self._model, within_s)
        reading = _Reading(base, into, within_s)
        unread: list[RegisterPoint] = []
        if base is None:
            unread += self._points[lane]
        else:
            if self._missing[lane]:
                await self._try_refused_again(lane, reading)
            plan = self._plans[lane]
            for number, decoder in enumerate(plan):
                try:
                    await self._read_block(decoder, reading)
                except RefusedError as error:
                    if self._model is not None and not await self._model.check(self._words):
                        unread += [point for each in plan[number:] for point in each.block.points]
                        break
                    await self._narrow_down(decoder.block.points, reading, error)
            unread += self._missing[lane]
        if unread:
            into.append(Scan(self._shape(unread), self._bus.now_ms(), [None] * len(unread)))

    async def identify(self, *, within_s: float | None = None) -> Identity | None:
        """Return what the device says it is, or None where it says nothing.

        Ask after it has answered something else: by silence it may only say that it does not know 43/14.

        Parameters
        ----------
        within_s
            Bound on the wait for each reply [s].

        Raises
        ------
        Unreachable
            If it does not answer the reading of the registers that its profile names.
        """
        texts: dict[str, str] = {}
        base: int | None = 0
        words = partial(self._words, within_s=within_s)
        if self._model is not None:
            base = await self._model.find_common(words, self._bus.stats.connects)
        if self._profile.identity is not None and base is not None:
            for name, text in self._profile.identity.texts:
                function = text.function or self._profile.function
                data = await words(base + text.address, text.words, function=function)
                texts[name] = "" if data is None else text_of(text, self._profile, data)
        return combined(texts, await self._identification.read(within_s=within_s))

    async def close(self) -> None:
        """Close the connection."""
        await self._bus.close()

    async def _ask(self, block: Block, reading: _Reading) -> Reply:
        assert reading.base is not None
        request = ReadRequest(self._unit, block.function, reading.base + block.address, block.count)
        return await self._bus.ask(request, within_s=reading.within_s)

    async def _read_block(self, decoder: BlockDecoder, reading: _Reading) -> None:
        reply = await self._ask(decoder.block, reading)
        reading.into.append(Scan(decoder.shape, reply.time_ms, decoder.values(reply.data)))
        if decoder.is_scaled:
            self._compare_scales(decoder.exponents(reply.data), reply.time_ms)

    def _compare_scales(self, exponents: Mapping[str, int], time_ms: int) -> None:
        for point, exponent in exponents.items():
            before = self._exponents.get(point, exponent)
            if before != exponent:
                self.happened.append(
                    {"event": "scale_changed", "time_ms": time_ms, "point": point}
                    | {"was": before, "is": exponent}
                )
        self._exponents.update(exponents)

    async def _narrow_down(
        self, points: Sequence[RegisterPoint], reading: _Reading, error: RefusedError
    ) -> None:
        """Halve a refused block until nothing is left but what the device refuses; the rest is read."""
        if len(points) == 1:
            self._refuse(points[0], error)
            return
        middle = len(points) // 2
        one, other = Block.of(points[:middle]), Block.of(points[middle:])
        whole = True
        for half in (one, other):
            try:
                await self._read_block(self._decoder(half), reading)
            except RefusedError as each:
                whole = False
                await self._narrow_down(half.points, reading, each)
        if not whole or not await self._refuses(points, reading):
            return
        last = max(one.points, key=lambda point: point.end)
        if one.end < other.address and await self._refuses((last, other.points[0]), reading):
            self.learned.holes.add(Hole(one.function, one.end, other.address))
            how = f"registers {one.end} to {other.address - 1} are asked around"
        else:
            longest = max(one.count, other.count)
            self.learned.shorten(one.function, longest)
            how = f"{longest} at once at most"
        seen = f"{error.evidence}, {error.what}"
        log.info("%s is read in smaller blocks: %s", self._where, how, extra={"seen": seen})
        self._replan()

    async def _refuses(self, points: Sequence[RegisterPoint], reading: _Reading) -> bool:
        try:
            await self._ask(Block.of(points), reading)
        except RefusedError:
            return True
        return False

    def _refuse(self, point: RegisterPoint, error: RefusedError) -> None:
        now_ms = self._bus.now_ms()
        self.learned.refused.begin(point.point, now_ms)
        told = {"where": f"{error.where}, {point.register}", "seen": error.evidence}
        log.warning(
            "%s is left out: the device does not have its registers",
            point.point,
            extra=told | {"cause": error.cause, "next": error.next},
        )
        self.happened.append({"event": "refused", "time_ms": now_ms, "point": point.point} | told)
        self._replan()

    async def _try_refused_again(self, lane: Lane, reading: _Reading) -> None:
        for point in self._missing[lane]:
            if not self.learned.refused.is_due(point.point, self._bus.now_ms()):
                continue
            if await self._refuses((point,), reading):
                self.learned.refused.begin(point.point, self._bus.now_ms())
            else:
                self.learned.refused.end(point.point)
                log.info("%s answers again", point.point, extra={"where": self._where})
                self._replan()

    def _replan(self) -> None:
        refused = self.learned.refused
        for lane, points in self._points.items():
            self._plans[lane] = tuple(self._decoder(block) for block in self.learned.plan(points))
            self._missing[lane] = tuple(point for point in points if point.point in refused)

    async def _words(
        self, address: int, count: int, *, function: int | None = None, within_s: float | None = None
    ) -> bytes | None:
        """Registers from an address on, None where the device refuses or there are none so far up."""
        if address + count > 0x10000:
            return None
        request = ReadRequest(self._unit, function or self._profile.function, address, count)
        try:
            return (await self._bus.ask(request, within_s=within_s)).data
        except RefusedError:
            return None

    async def _base(self, model: ModelAddress, within_s: float | None) -> int | None:
        """The model's ID register, from where addresses count; None where there is no model."""
        now_ms = self._bus.now_ms()
        if _MODEL in self._pauses and not self._pauses.is_due(_MODEL, now_ms):
            return None
        base = await model.find(partial(self._words, within_s=within_s), self._bus.stats.connects)
        if base is not None:
            self._pauses.end(_MODEL)
        elif self._pauses.begin(_MODEL, now_ms):
            log.warning(
                "%s has no SunSpec model %s; its points have no value",
                self._where,
                " or ".join(map(str, self._profile.sunspec or ())),
                extra={"next": "compare the models that the meter offers with the profile"},
            )
        return base

    def _decoder(self, block: Block) -> BlockDecoder:
        """The decoder of a block, always the same for the same points: their shape is known by identity."""
        points = tuple(point.point for point in block.points)
        return self._decoders.get(points) or self._decoders.setdefault(points, BlockDecoder(block))

    def _shape(self, points: Sequence[RegisterPoint]) -> Shape:
        names = tuple(point.point for point in points)
        return self._shapes.get(names) or self._shapes.setdefault(names, Shape(names, (False,) * len(names)))
