"""A supplier's bill of a receiving point, and its energy parted over its days."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from core.metering.interval_data import plain
from core.metering.sources import IntervalValue, Origin
from core.timeline import Interval, parse_local

_KWH = 1000


@dataclass(frozen=True, slots=True)
class Bill:
    """A supplier's invoice for a time of one receiving point.

    Parameters
    ----------
    point
        Id of the point.
    supplier, menu
        Who supplies, and by which contract; the menu may be empty.
    first_day, last_day
        Both billed, local days.
    kwh
        Billed energy, with the decimals of the paper [kWh].
    demand_kw
        Billed demand [kW]; None where none is given.
    amount
        What is to be paid, in the currency of the paper; None where none is given.
    document
        Number of the invoice.
    sha256
        Hash of the invoice itself; empty where it was not given.
    source
        Where the line was read, ``file:line``.
    """

    point: str
    supplier: str
    menu: str
    first_day: date
    last_day: date
    kwh: Decimal
    demand_kw: Decimal | None
    amount: Decimal | None
    document: str
    sha256: str
    source: str

    @property
    def id(self) -> str:
        """What names it: a hash of its contents [32 hex digits]; where it was read is none of them."""
        others = [None if each is None else plain(each) for each in (self.demand_kw, self.amount)]
        numbers = [f"{self.kwh:f}", *others]
        days = [self.first_day.isoformat(), self.last_day.isoformat()]
        fields = [self.point, self.supplier, self.menu, *days, *numbers, self.document, self.sha256]
        text = json.dumps(["bill", *fields], ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def wh(self) -> Fraction:
        """Billed energy, exact [Wh]."""
        return Fraction(self.kwh) * _KWH

    @property
    def rounding_wh(self) -> Fraction:
        """What the paper's last digit leaves open [Wh]: half of it."""
        exponent = self.kwh.as_tuple().exponent
        assert isinstance(exponent, int)  # finite: imports take plain numbers only
        return Fraction(10) ** min(exponent, 0) * _KWH / 2

    def interval(self, tz: ZoneInfo) -> Interval:
        """Return its time, from the first day's midnight to the one after the last day."""
        after = self.last_day + timedelta(days=1)
        return Interval(parse_local(self.first_day.isoformat(), tz), parse_local(after.isoformat(), tz))


def billed_values(bill: Bill, parts: Sequence[tuple[Interval, int | None]]) -> tuple[IntervalValue, ...]:
    """Return a bill's energy, parted as the meter's own profile has it, else by time; parts add up to it.

    Parameters
    ----------
    bill
        The bill.
    parts
        Successive intervals that make up its time, each with the meter's energy [Wh]; None where that is
        missing: such a part takes the mean power of the others.
    """
    known = [(each.duration_ms, wh) for each, wh in parts if wh is not None]
    known_ms, known_wh = sum(ms for ms, _ in known), sum(wh for _, wh in known)
    if known_wh:
        method = "split by the meter's own profile"
        weights = [
            Fraction(wh) if wh is not None else Fraction(known_wh * each.duration_ms, known_ms)
            for each, wh in parts
        ]
    else:
        method = "split linear in time"
        weights = [Fraction(each.duration_ms) for each, _ in parts]
    whole = sum(weights)
    total = (bill.wh + Fraction(1, 2)).__floor__()
    values: list[IntervalValue] = []
    weight, reached = Fraction(0), 0
    for (interval, _), own in zip(parts, weights, strict=True):
        weight += own
        before, reached = reached, (total * weight / whole).__floor__()
        values.append(
            IntervalValue(
                point=bill.point,
                interval=interval,
                wh=reached - before,
                origin=Origin.BILLED,
                method=method if len(parts) > 1 else "",
                document=bill.document,
                sha256=bill.sha256,
                reader=bill.supplier,
                note=bill.source,
            )
        )
    return tuple(values)
