"""How long each unit takes to answer, how long it is therefore waited for, and what a line needs (pure)."""

from __future__ import annotations

from collections import deque
from typing import Final

SHORTEST_S: Final = 0.25
"""No unit is waited for less than this [s]."""
_MARGIN: Final = 4.0  # a late reply costs a reconnect, a long wait only time
_WINDOW: Final = 128
_KNOWN_AFTER: Final = 8  # replies


_BITS: Final = 11  # of a character: start, 8 data, parity or a second stop, stop


def characters_s(count: float, baud: int) -> float:
    """Return how long characters take on a serial line of so many bits per second [s]."""
    return count * _BITS / baud


def silence_s(baud: int) -> float:
    """Return the silence between two frames [s]: 3.5 characters, and 1.75 ms above 19,200 baud.

    References
    ----------
    MODBUS over Serial Line, Specification and Implementation Guide V1.02 (2006), 2.5.1.1.

    Examples
    --------
    >>> round(1000 * silence_s(9600), 2), round(1000 * silence_s(115_200), 2)
    (4.01, 1.75)
    """
    return 0.00175 if baud > 19_200 else characters_s(3.5, baud)


class UnitTiming:
    """Round trips of one unit, and its deadline, which rises at once and falls with the window.

    Parameters
    ----------
    timeout_s
        Deadline of a unit that is not known yet, and the longest of all [s].
    """

    __slots__ = ("_fresh", "_longest_s", "_window", "deadline_s")

    def __init__(self, timeout_s: float) -> None:
        self._longest_s = timeout_s
        self._window: deque[float] = deque(maxlen=_WINDOW)
        self._fresh = 0
        self.deadline_s = timeout_s

    def answered(self, round_trip_s: float) -> None:
        """Take a reply's round trip into account [s]."""
        self._window.append(round_trip_s)
        self._fresh += 1
        if self._fresh >= _KNOWN_AFTER:
            self._fresh = 0
            self._settle()
        elif _MARGIN * round_trip_s > self.deadline_s:
            self.deadline_s = min(self._longest_s, _MARGIN * round_trip_s)

    def silent(self) -> None:
        """Take into account that there was no reply in time: it may only have been late."""
        self.deadline_s = min(self._longest_s, 2 * self.deadline_s)

    @property
    def known(self) -> bool:
        """Whether there was any reply."""
        return bool(self._window)

    def percentile_ms(self, share: float) -> float:
        """Return a round trip of the window by its rank, 0 to 1 [ms]; 0 without any."""
        ranked = sorted(self._window)
        return 1000 * ranked[int(share * (len(ranked) - 1))] if ranked else 0.0

    def _settle(self) -> None:
        # By the slowest, not a percentile: a unit's one long block may be a small share of its requests.
        self.deadline_s = min(self._longest_s, max(SHORTEST_S, _MARGIN * max(self._window)))
