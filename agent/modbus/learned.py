"""What a device has taught by refusing: values it lacks, registers between values, lengths (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from agent.modbus.plan import Block, Hole, RegisterPoint, is_bits, plan
from agent.modbus.wire import MAX_BITS

FIRST_PAUSE_MS: Final = 60_000
"""How long a point that was refused is left alone for the first time [ms]; then twice as long."""
LONGEST_PAUSE_MS: Final = 3_600_000
"""How long it is left alone in the end [ms]."""


class Pauses:
    """When something that was refused is tried again: after a minute, two, four … an hour."""

    def __init__(self) -> None:
        self._pauses: dict[str, tuple[int, int]] = {}  # what → when again, and after which pause

    def __contains__(self, what: str) -> bool:
        return what in self._pauses

    def begin(self, what: str, now_ms: int) -> bool:
        """Leave it alone for longer than the last time; return whether this is the first time."""
        _, before_ms = self._pauses.get(what, (0, 0))
        pause_ms = min(2 * before_ms or FIRST_PAUSE_MS, LONGEST_PAUSE_MS)
        self._pauses[what] = (now_ms + pause_ms, pause_ms)
        return not before_ms

    def end(self, what: str) -> bool:
        """Forget it: it answers; return whether it was refused before."""
        return self._pauses.pop(what, None) is not None

    def is_due(self, what: str, now_ms: int) -> bool:
        """Return whether it is to be tried again."""
        return self._pauses[what][0] <= now_ms


class Learned:
    """What is known of one device beyond its profile; it outlives every connection.

    Parameters
    ----------
    limit
        Most registers of one request [words].
    gap
        Most unused registers that are read along [words].
    forbidden
        First and last register of ranges that are never read.

    Attributes
    ----------
    holes
        Registers between values that the device refuses to give along.
    refused
        Points that it does not have.
    """

    def __init__(self, *, limit: int, gap: int, forbidden: tuple[tuple[int, int], ...] = ()) -> None:
        self._limits = {False: limit, True: MAX_BITS}
        self._gap = gap
        self._forbidden = forbidden
        self.holes: set[Hole] = set()
        self.refused = Pauses()

    @property
    def limit(self) -> int:
        """Most registers that one request asks for [words]."""
        return self._limits[False]

    def shorten(self, function: int, longest: int) -> None:
        """Never ask for more at once again, `longest` [words or bits]."""
        self._limits[is_bits(function)] = longest

    def plan(self, points: Iterable[RegisterPoint]) -> tuple[Block, ...]:
        """Return the requests for those points that are not refused."""
        wanted: list[RegisterPoint] = []
        holes, limits = set(self.holes), dict(self._limits)
        for point in points:
            if point.point in self.refused:
                holes |= {Hole(point.function, part.address, part.end) for part in point.parts}
            else:
                wanted.append(point)
        for point in wanted:  # a value wider than what the device gave at once is still asked for, alone
            kind = is_bits(point.function)
            limits[kind] = max(limits[kind], point.end - point.start)
        return plan(
            wanted,
            gap=self._gap,
            limit=limits[False],
            bit_limit=limits[True],
            forbidden=self._forbidden,
            holes=holes,
        )
