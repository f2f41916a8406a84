"""Energy of an interval that no register gives: interval data, a bill, a hand, a substitute."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.errors import DataError
from core.timeline import Interval


class Origin(StrEnum):
    """Where the value of an interval comes from, the surest first."""

    MEASURED = "measured"
    INTERPOLATED = "interpolated"
    BILLED = "billed"
    MANUAL = "manual"
    SUBSTITUTED = "substituted"
    INTEGRATED = "integrated"
    MISSING = "missing"


_FROM_ELSEWHERE = (Origin.MEASURED, Origin.BILLED, Origin.MANUAL, Origin.SUBSTITUTED, Origin.INTEGRATED)


@dataclass(frozen=True, slots=True)
class IntervalValue:
    """The energy of a point in one interval, from elsewhere than its register.

    Parameters
    ----------
    point
        Id of the point.
    interval
        Start and end; not empty.
    wh
        Energy [Wh], 0 or more.
    origin
        Measured (interval data of a meter), billed, manual, substituted or integrated (from power).
    method
        The rule it was found by, such as ``same_hours_last_week``.
    document, sha256
        The evidence, and the hash of its file.
    reader
        Who read it.
    note
        What else is to be said.

    Raises
    ------
    DataError
        If the interval is empty, the energy is negative, or a value cannot have this origin.
    """

    point: str
    interval: Interval
    wh: int
    origin: Origin
    method: str = ""
    document: str = ""
    sha256: str = ""
    reader: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not self.interval.duration_ms:
            raise DataError("the energy of an empty interval", where=self.point)
        if self.wh < 0:
            raise DataError("a negative energy", where=self.point, evidence=f"{self.wh} Wh")
        if self.origin not in _FROM_ELSEWHERE:
            raise DataError("not where a value comes from", where=self.point, evidence=self.origin)

    @property
    def whole(self) -> tuple[int, int, int]:
        """Its energy [Wh], start and end [ms since 1970 UTC]."""
        return self.wh, self.interval.start_ms, self.interval.end_ms

    def open_wh(self, duration_ms: int, wh: int, most_wh: int | None) -> int:
        """Return what the energy of a part of it may be off [Wh].

        A value that was found by a rule may be off by all that the circuit can carry; without full scale its
        own amount is what is open. A part of a value that was measured, billed or read lies between nothing
        and all of it.

        Parameters
        ----------
        duration_ms
            Of the part [ms].
        wh
            The energy taken for it [Wh].
        most_wh
            What the circuit can carry in this time [Wh]; None where that is not known.
        """
        if self.origin in (Origin.SUBSTITUTED, Origin.INTEGRATED):
            return wh if most_wh is None else max(wh, most_wh - wh)
        return 0 if duration_ms == self.interval.duration_ms else max(wh, self.wh - wh)
