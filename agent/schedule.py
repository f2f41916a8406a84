"""When a device is due to be read (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from core.timeline import HALF_HOUR_MS


@dataclass(frozen=True, slots=True)
class Schedule:
    """Due times on a fixed grid, so that every restart finds the same ones.

    Parameters
    ----------
    every_ms
        Grid since 1970 UTC, above 0 [ms].
    margin_ms
        For registers, how far before and after each half-hour a reading is due [ms], below a quarter of
        an hour; the grid's own instants between the two are left out. None for samples.

    Examples
    --------
    >>> registers = Schedule(every_ms=60_000, margin_ms=2_000)
    >>> registers.next_after(1_740_000), registers.next_after(1_798_000), registers.next_after(1_802_000)
    (1798000, 1802000, 1860000)
    """

    every_ms: int
    margin_ms: int | None = None

    def next_after(self, time_ms: int) -> int:
        """Return the first due time after an instant [ms since 1970 UTC]."""
        due = (time_ms // self.every_ms + 1) * self.every_ms
        if self.margin_ms is None:
            return due
        boundary = (time_ms - self.margin_ms) // HALF_HOUR_MS * HALF_HOUR_MS
        sides = (
            boundary + self.margin_ms,
            boundary + HALF_HOUR_MS - self.margin_ms,
            boundary + HALF_HOUR_MS + self.margin_ms,
        )
        side = min(side for side in sides if side > time_ms)
        between_sides = 0 < (due + self.margin_ms) % HALF_HOUR_MS < 2 * self.margin_ms
        return side if between_sides else min(due, side)
