"""Whether somebody has set the clock: it is compared with one that cannot be set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

STEP_MS: Final = 500
"""A clock that is disciplined gains or loses less than this between two looks [ms]."""


class ClockWatch:
    """Compares two clocks whenever it is asked to.

    Parameters
    ----------
    now_ms
        The clock that readings carry [ms since 1970 UTC].
    monotonic_ms
        A clock that only runs [ms].
    """

    def __init__(self, now_ms: Callable[[], int], monotonic_ms: Callable[[], int]) -> None:
        self._now_ms, self._monotonic_ms = now_ms, monotonic_ms
        self._ahead_ms = now_ms() - monotonic_ms()

    def look(self) -> int:
        """Return by how much the clock was set since the last look, 0 where it was not [ms]."""
        ahead_ms = self._now_ms() - self._monotonic_ms()
        by_ms, self._ahead_ms = ahead_ms - self._ahead_ms, ahead_ms
        return by_ms if abs(by_ms) >= STEP_MS else 0
