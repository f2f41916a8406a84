"""One Modbus unit: its points read block by block, and what it refuses learned."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from agent.modbus.decode import BlockDecoder
from agent.modbus.line import ModbusLine, RefusedError
from agent.modbus.plan import DEFAULT_GAP, SINGLY, RegisterPoint, plan
from agent.modbus.wire import ReadRequest
from core.delivery.frames import Lane
from core.delivery.payload import BAD, TakenReading

log = logging.getLogger(__name__)

PROBE_AFTER_MS = 3_600_000
"""How long a point that was refused is left alone [ms]."""


class ModbusDevice:
    """Reads the points of one unit.

    Parameters
    ----------
    line
        Its connection, shared with other units.
    unit, function
        Unit 1 to 255; function 3 or 4.
    timeout_s
        Deadline of a whole reply [s].
    lanes
        Points by lane.
    """

    def __init__(
        self,
        line: ModbusLine,
        *,
        unit: int,
        function: int,
        timeout_s: float,
        lanes: Mapping[Lane, Sequence[RegisterPoint]],
    ) -> None:
        self._line = line
        self._unit, self._function, self._timeout_s = unit, function, timeout_s
        self._lanes = {lane: tuple(points) for lane, points in lanes.items()}
        self._gap = DEFAULT_GAP
        self._refused: dict[str, int] = {}  # point → when to try again
        self._plans: dict[Lane, tuple[BlockDecoder, ...]] = {}
        self._replan()

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Lanes in which the device has points."""
        return tuple(lane for lane, points in self._lanes.items() if points)

    async def read(self, lane: Lane, into: list[TakenReading]) -> None:
        """Read all points of a lane, and append each reading as it comes.

        A point that the device refuses or has no value for is a bad reading without a count.

        Raises
        ------
        Unreachable
            If the device does not answer; what was read before stays in `into`.
        """
        for decoder in self._plans[lane]:
            try:
                await self._read_block(decoder, into)
            except RefusedError as error:
                await self._narrow_down(decoder, into, error)
        if self._refused:
            self._report_refused(lane, into)

    async def close(self) -> None:
        """Close the connection."""
        self._line.close()

    async def _read_block(self, decoder: BlockDecoder, into: list[TakenReading]) -> int:
        block = decoder.block
        words, time_ms = await self._line.read(
            ReadRequest(self._unit, self._function, block.address, block.count), timeout_s=self._timeout_s
        )
        into.extend(
            TakenReading(point, time_ms, count)
            if count is not None
            else TakenReading(point, time_ms, None, BAD)
            for point, count in decoder.counts(words)
        )
        return time_ms

    async def _narrow_down(
        self, decoder: BlockDecoder, into: list[TakenReading], error: RefusedError
    ) -> None:
        """Find which points of a refused block the device does not have; the others are read."""
        if len(decoder.block.points) == 1:
            self._refuse(decoder.block.points[0], error)
            return
        refused = False
        for block in plan(decoder.block.points, gap=SINGLY):
            try:
                await self._read_block(BlockDecoder(block), into)
            except RefusedError as each:
                refused = True
                self._refuse(block.points[0], each)
        if not refused:  # it has every point, but not what lies between, or not so many at once
            self._gap = 0 if self._gap > 0 else SINGLY
            log.info(
                "The device is read in smaller blocks",
                extra={"where": error.where, "seen": f"{error.evidence}, {error.what}"},
            )
            self._replan()

    def _refuse(self, point: RegisterPoint, error: RefusedError) -> None:
        log.warning(
            "%s is left out: the device does not have its registers",
            point.point,
            extra={
                "where": f"{error.where}, {point.register}",
                "seen": error.evidence,
                "cause": error.cause,
                "next": error.next,
            },
        )
        self._refused[point.point] = self._line.now_ms() + PROBE_AFTER_MS
        self._replan()

    def _report_refused(self, lane: Lane, into: list[TakenReading]) -> None:
        now_ms = self._line.now_ms()
        for point in self._lanes[lane]:
            if point.point in self._refused:
                into.append(TakenReading(point.point, now_ms, None, BAD))
        due = [name for name, again_ms in self._refused.items() if again_ms <= now_ms]
        if due:
            for name in due:
                del self._refused[name]
            self._replan()

    def _replan(self) -> None:
        self._plans = {
            lane: tuple(
                BlockDecoder(block)
                for block in plan((p for p in points if p.point not in self._refused), gap=self._gap)
            )
            for lane, points in self._lanes.items()
        }
