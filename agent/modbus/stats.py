"""What a bus did and how long its units took: counted where it happens, worked out only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from agent.modbus.timing import UnitTiming


class BusStats:
    """Counts since the start, and the recent past of each unit.

    Attributes
    ----------
    connects
        Connections opened [1].
    requests, timeouts, exceptions
        Requests sent, those without a whole reply in time, exception replies [1].
    discarded
        Replies thrown away: wrong ones, and what nobody had asked for [1].
    """

    __slots__ = (
        "_is_connected",
        "_timeout_s",
        "connects",
        "discarded",
        "exceptions",
        "requests",
        "timeouts",
        "timings",
    )

    def __init__(self, timeout_s: float, is_connected: Callable[[], bool]) -> None:
        self._timeout_s, self._is_connected = timeout_s, is_connected
        self.connects = self.requests = self.timeouts = self.exceptions = self.discarded = 0
        self.timings: dict[int, UnitTiming] = {}

    @property
    def connected(self) -> bool:
        """Whether a connection is open now."""
        return self._is_connected()

    @property
    def units(self) -> Iterable[int]:
        """Units that were asked."""
        return self.timings.keys()

    def timing(self, unit: int) -> UnitTiming:
        """Return a unit's timing, begun where there is none."""
        timing = self.timings.get(unit)
        if timing is None:
            timing = self.timings[unit] = UnitTiming(self._timeout_s)
        return timing

    def round_trip_ms(self, unit: int) -> tuple[float, float] | None:
        """Return p50 and p99 of a unit's last 128 round trips [ms]; None before the first."""
        timing = self.timings.get(unit)
        return (timing.percentile_ms(0.5), timing.percentile_ms(0.99)) if timing and timing.known else None

    def deadline_s(self, unit: int) -> float:
        """Return how long a unit is waited for, besides the time that its bytes take [s]."""
        timing = self.timings.get(unit)
        return timing.deadline_s if timing else self._timeout_s
