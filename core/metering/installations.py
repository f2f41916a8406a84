"""Dated facts of the meter behind a point: serial, transformers, energy per count."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

from core.errors import DataError
from core.metering.readings import Count
from core.timeline import Interval

_NUMBER = r"(\d+(?:\.\d+)?)"
_RATIO = re.compile(rf"{_NUMBER}(?:\s*/\s*{_NUMBER})?\s*[AV]?", re.ASCII)
_CLASS = re.compile(r"(\d+(?:\.\d+)?)S?", re.ASCII)
_MID_CLASSES = (("A", Fraction(2, 100)), ("B", Fraction(1, 100)), ("C", Fraction(1, 200)))


class Side(StrEnum):
    """Whether a meter already multiplies by its transformers (primary) or not (secondary)."""

    PRIMARY = "primary"
    SECONDARY = "secondary"


@dataclass(frozen=True, slots=True)
class Installation:
    """What was installed behind a point from one date on.

    Parameters
    ----------
    point
        Id of the point.
    start_ms
        First instant [ms since 1970 UTC].
    end_ms
        First instant after it [ms since 1970 UTC]; None while it lasts.
    serial
        Serial number of the meter; another one is another meter, with a register of its own.
    ct, vt
        Ratio of the current and voltage transformers [1], above 0.
    side
        Whether the register already counts primary energy.
    wh_per_count
        Energy of one count at the meter's terminals [Wh/count], above 0: the profile's scale and unit.
    ct_text, vt_text
        The ratios as they stand on the plates, such as ``400/5 A``.
    full_scale_kw
        Largest power that the transformers or the breaker let through, primary [kW].
    accuracy_class
        Such as ``0.5S`` (IEC 62053) or ``B`` (EN 50470).
    calibration_until
        Last day on which the meter's verification holds.
    profile
        Id of the device profile.
    evidence
        Where these facts come from.
    resolution
        Grid on which the register is counted [counts], above 0.
    wrap_at
        Count at which the register starts again at 0 [counts]; None where it never does.
    opening, closing
        What the register held at the start and at the end [counts], as on an exchange slip; None where
        that is not on record.

    Raises
    ------
    DataError
        If a ratio or the resolution is not above 0 or the end does not lie after the start.
    """

    point: str
    start_ms: int
    end_ms: int | None
    serial: str
    ct: Fraction
    vt: Fraction
    side: Side
    wh_per_count: Fraction
    ct_text: str = ""
    vt_text: str = ""
    full_scale_kw: Fraction | None = None
    accuracy_class: str | None = None
    calibration_until: date | None = None
    profile: str = ""
    evidence: str = ""
    resolution: Fraction = Fraction(1)
    wrap_at: int | None = None
    opening: Count | None = None
    closing: Count | None = None

    def __post_init__(self) -> None:
        if self.end_ms is not None and self.end_ms <= self.start_ms:
            raise DataError("an installation ends before it starts", where=self.point)
        for name in ("ct", "vt", "wh_per_count", "resolution"):
            if getattr(self, name) <= 0:
                raise DataError(f"{name} is not above 0", where=self.point, evidence=str(getattr(self, name)))

    @property
    def multiplier(self) -> Fraction:
        """Primary energy of one count [Wh/count]."""
        return self.wh_per_count * (self.ct * self.vt if self.side is Side.SECONDARY else 1)

    @property
    def counts_per_hour(self) -> Fraction | None:
        """Fastest that the register can rise [counts/h]: full scale; None where it is not known."""
        return None if self.full_scale_kw is None else self.full_scale_kw * 1000 / self.multiplier

    def overlaps(self, interval: Interval) -> bool:
        """Tell whether it is in force within an interval, or at an empty interval's instant."""
        end_ms = max(interval.end_ms, interval.start_ms + 1)
        return self.start_ms < end_ms and (self.end_ms is None or self.end_ms > interval.start_ms)


def ratio(text: str) -> Fraction:
    """Return the ratio of a transformer from the text on its plate.

    Raises
    ------
    DataError
        If the text is no ratio above 0.

    Examples
    --------
    >>> ratio("66000/110 V"), ratio("80")
    (Fraction(600, 1), Fraction(80, 1))
    """
    match = _RATIO.fullmatch(text.strip())
    if match is None or not Fraction(match[1]) or (match[2] and not Fraction(match[2])):
        raise DataError("not the ratio of a transformer", evidence=text, next='write it as "400/5"')
    return Fraction(match[1]) / Fraction(match[2] or 1)


def class_error(accuracy_class: str) -> Fraction:
    """Return the error that an accuracy class allows at rated current [1].

    Raises
    ------
    DataError
        If the class is not known.

    References
    ----------
    IEC 62053-21 and 62053-22 (classes 0.1S to 2: percent in the name); EN 50470-3 (A, B, C: 2 %, 1 %,
    0.5 %).

    Examples
    --------
    >>> class_error("0.5S"), class_error("B")
    (Fraction(1, 200), Fraction(1, 100))
    """
    for name, error in _MID_CLASSES:
        if accuracy_class == name:
            return error
    match = _CLASS.fullmatch(accuracy_class)
    if match is None or not Fraction(match[1]):
        raise DataError(
            "not an accuracy class", evidence=accuracy_class, next='write it as "0.5S", "1" or "B"'
        )
    return Fraction(match[1]) / 100


def in_order(installations: Iterable[Installation]) -> tuple[Installation, ...]:
    """Return installations of one point in time order.

    Raises
    ------
    DataError
        If two are in force at the same time.
    """
    ordered = tuple(sorted(installations, key=lambda each: each.start_ms))
    for earlier, later in pairwise(ordered):
        if earlier.end_ms is None or earlier.end_ms > later.start_ms:
            raise DataError(
                "two installations of one point at the same time",
                where=later.point,
                evidence=f"serial {earlier.serial} and serial {later.serial}",
                next="end the earlier one where the later one starts",
            )
    return ordered
