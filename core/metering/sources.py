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
