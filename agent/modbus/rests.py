"""Whom to leave alone after failures, and for how long (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.errors import Unreachable

_FIRST_S: Final = 0.25
_LONGEST_S: Final = 5.0
_CLOSES_SPARED: Final = 2  # it may be a restart, or be closed because another unit was silent


@dataclass(slots=True)
class _Rest:
    failures: int = 0
    until_s: float = 0.0
    fault: Unreachable | None = None


class Rests:
    """A gateway that lets nobody in, and units on which it closes: each rests, and longer each time.

    Where a gateway closes instead of answering, one silent unit may be the reason; so only this one waits.
    """

    def __init__(self) -> None:
        self._rests: dict[int | None, _Rest] = {}

    def failed(self, error: Unreachable, now_s: float, *, jitter: float, unit: int | None = None) -> None:
        """Note a failure of the gateway, or that it closed when a unit was asked.

        Parameters
        ----------
        error
            What is told whoever asks meanwhile.
        now_s
            Monotonic [s].
        jitter
            0 to 1: so much of the last quarter of the rest is left away [1].
        unit
            The unit, or None: nobody gets in.
        """
        rest = self._rests.setdefault(unit, _Rest())
        rest.failures += 1
        if (times := rest.failures - (0 if unit is None else _CLOSES_SPARED)) > 0:
            rest_s = min(_LONGEST_S, _FIRST_S * 2 ** min(times - 1, 10))
            rest.until_s = now_s + rest_s * (1 - jitter / 4)
            rest.fault = error

    def fault(self, unit: int, now_s: float) -> Unreachable | None:
        """Return why a unit is not to be asked now, None where it may be."""
        for rest in map(self._rests.get, (None, unit)):
            if rest is not None and now_s < rest.until_s:
                return rest.fault
        return None

    def end(self) -> None:
        """Forget everything: something answered."""
        self._rests.clear()
