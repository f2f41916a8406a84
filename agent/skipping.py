"""Readings that are left out because others took too long, until none was for a while (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_CAUGHT_UP_MS: Final = 60_000


@dataclass(slots=True)
class Skipping:
    """Readings of a lane that were left out, one after the other: since when, until when, how many."""

    since_ms: int
    last_ms: int
    n: int

    def is_over(self, now_ms: int) -> bool:
        """Return whether none was left out for a minute."""
        return now_ms - self.last_ms >= _CAUGHT_UP_MS
