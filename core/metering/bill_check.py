"""A supplier's bills beside the meter at the receiving point: do they agree, and if not, since when.

An answer is given only where it is proven: the meter's registers leave a known width open at the bill's own
dates, and both ends of it must lie on the same side of the tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from statistics import median

from core.metering.bills import Bill
from core.metering.energy import IntervalEnergy
from core.metering.installations import class_error
from core.metering.sources import Origin

_ENOUGH_DAYS = 3
_SPREADS = 3
"""Median deviations beyond which a day is odd [1]; a tenth of the usual load at least."""
_LEAST_ODD = Fraction(1, 10)
_MOST_OF_IT = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class DayLoad:
    """The meter's energy of one local day; None where it is missing [Wh]."""

    day: date
    wh: int | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class Beside:
    """A bill, and what the meter counted from its first to its last day.

    Parameters
    ----------
    bill
        The bill.
    energy
        The meter's energy of the bill's time.
    days
        That of each of its days, in time order.
    """

    bill: Bill
    energy: IntervalEnergy
    days: tuple[DayLoad, ...]


class Outcome(StrEnum):
    """What a bill and the meter say of each other."""

    AGREE = "agree"
    DIFFER = "differ"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class OddDay:
    """A day that looks odd: its load [Wh], None where missing, and the usual one of its weekday [Wh]."""

    day: date
    wh: int | None
    usual_wh: int
    why: str


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A bill's outcome, with what proves it.

    Parameters
    ----------
    bill
        The bill.
    outcome
        Agree, differ, or cannot tell.
    meter_wh, unproven_wh
        The meter's energy and what its registers leave open [Wh]; None where it has none.
    difference_wh
        Meter less bill, exact [Wh]; None where the meter has none.
    tolerance_wh
        What the meter's class and the paper's last digit allow [Wh]; None where the class is not known.
    since
        First day of the difference: of the first bill of those in a row that differ in this direction, or
        its first odd day where odd days make at least half of its difference. None unless it differs.
    odd_days
        Days of this bill that look odd in the direction of the difference.
    explained_wh
        What these days lack, or have too much, against the usual load [Wh], 0 or more.
    why
        Why it cannot be told; empty otherwise.
    """

    bill: Bill
    outcome: Outcome
    meter_wh: int | None
    unproven_wh: int | None
    difference_wh: Fraction | None
    tolerance_wh: Fraction | None
    since: date | None = None
    odd_days: tuple[OddDay, ...] = ()
    explained_wh: int = 0
    why: str = ""


def reconcile(beside: Sequence[Beside]) -> tuple[Reconciled, ...]:
    """Return the outcome of each bill of one point.

    Parameters
    ----------
    beside
        All bills of the point that are known, in time order.
    """
    judged = [_judge(each) for each in beside]
    good = [
        load
        for each, told in zip(beside, judged, strict=True)
        if told.outcome is Outcome.AGREE
        for load in each.days
    ]
    found: list[Reconciled] = []
    for each, told in zip(beside, judged, strict=True):
        if told.outcome is Outcome.DIFFER:
            told = _traced(each, told, good, found[-1] if found else None)
        found.append(told)
    return tuple(found)


def _judge(beside: Beside) -> Reconciled:
    """Compare a bill alone with the meter."""
    bill, energy = beside.bill, beside.energy
    if energy.wh is None or energy.unproven_wh is None:
        why = f"the meter: {'; '.join(map(str, energy.missing)) or 'no energy'}"
        return Reconciled(bill, Outcome.CANNOT_TELL, None, None, None, None, why=why)
    difference = energy.wh - bill.wh
    classes = [each.accuracy_class for each in energy.installations]
    if not classes or None in classes:
        why = "the meter's accuracy class is not on record"
        return Reconciled(bill, Outcome.CANNOT_TELL, energy.wh, energy.unproven_wh, difference, None, why=why)
    allowed = max(class_error(each) for each in classes if each is not None)
    tolerance = allowed * max(Fraction(energy.wh), bill.wh) + bill.rounding_wh
    told = Outcome.CANNOT_TELL
    if abs(difference) + energy.unproven_wh <= tolerance:
        told = Outcome.AGREE
    elif abs(difference) - energy.unproven_wh > tolerance:
        told = Outcome.DIFFER
    why = "" if told is not Outcome.CANNOT_TELL else "the registers leave too much open at the bill's dates"
    return Reconciled(bill, told, energy.wh, energy.unproven_wh, difference, tolerance, why=why)


def _traced(beside: Beside, told: Reconciled, good: Sequence[DayLoad], last: Reconciled | None) -> Reconciled:
    """Add to a difference since when it is there, and which days look odd."""
    assert told.difference_wh is not None  # it differs
    low = told.difference_wh < 0
    odd = _odd_days(beside.days, good, low=low)
    explained = sum(abs(each.usual_wh - (each.wh or 0)) for each in odd)
    since = beside.bill.first_day
    if odd and explained >= abs(told.difference_wh) * _MOST_OF_IT:
        since = odd[0].day
    if (
        last is not None
        and last.since is not None
        and last.difference_wh is not None
        and (last.difference_wh < 0) == low
        and last.bill.last_day + timedelta(days=1) == beside.bill.first_day
    ):
        since = last.since
    return replace(told, since=since, odd_days=odd, explained_wh=explained)


def _odd_days(days: Sequence[DayLoad], good: Sequence[DayLoad], *, low: bool) -> tuple[OddDay, ...]:
    """Return the days whose load is below (or above) the usual one of their weekday.

    Usual is what days of bills that agree had, where there are enough of them; else what the other days of
    the bill itself had.
    """
    of_good, of_own = _by_weekday(good), _by_weekday(days)
    found: list[OddDay] = []
    for load in days:
        weekday = load.day.weekday()
        usual = of_good.get(weekday, [])
        if len(usual) < _ENOUGH_DAYS:
            usual = of_own.get(weekday, [])
        if len(usual) < _ENOUGH_DAYS:
            continue
        middle = median(usual)
        spread = median(abs(wh - middle) for wh in usual)
        limit = max(_SPREADS * Fraction(spread), _LEAST_ODD * Fraction(middle))
        if load.wh is None:
            found.append(OddDay(load.day, None, int(middle), "missing"))
        elif (middle - load.wh if low else load.wh - middle) > limit:
            found.append(OddDay(load.day, load.wh, int(middle), "low" if low else "high"))
    return tuple(found)


def _by_weekday(loads: Sequence[DayLoad]) -> Mapping[int, list[int]]:
    found: dict[int, list[int]] = {}
    for load in loads:
        if load.wh is not None and load.origin in (Origin.MEASURED, Origin.INTERPOLATED):
            found.setdefault(load.day.weekday(), []).append(load.wh)
    return found
