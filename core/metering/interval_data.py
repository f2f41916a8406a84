"""Energies of many intervals from elsewhere than a register, as they are kept: in runs of equal length.

A run's amounts are exact; whole Wh are made of them only when they are used, from all amounts of a day
together, so that rounding never adds up.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from itertools import groupby, pairwise
from math import floor
from typing import NamedTuple

from core.errors import DataError
from core.metering.sources import IntervalValue, Origin
from core.timeline import Interval

DAY_MS = 86_400_000
_HALF = Decimal("0.5")
EXACT = Context(prec=200, traps=[Inexact])


@dataclass(frozen=True, slots=True)
class Run:
    """Energies of successive intervals of one length, all from one source.

    Parameters
    ----------
    point
        Id of the point.
    start_ms, end_ms
        Of all its intervals together [ms since 1970 UTC]; they divide it equally.
    amounts
        Exact energy of each, in time order, parted by spaces [Wh], 0 or more.
    origin
        Measured, manual or substituted.
    method
        How it was found, as its source says; empty where it was measured.
    document, sha256
        The file it was read from, and its hash.
    reader
        Who read it in.

    Raises
    ------
    DataError
        If it is empty or its intervals have no whole milliseconds.
    """

    point: str
    start_ms: int
    end_ms: int
    amounts: str
    origin: Origin
    method: str = ""
    document: str = ""
    sha256: str = ""
    reader: str = ""

    def __post_init__(self) -> None:
        if self.end_ms <= self.start_ms or (self.end_ms - self.start_ms) % self.n:
            raise DataError("a run of intervals that are none", where=self.point, evidence=f"{self.n}")

    @property
    def n(self) -> int:
        """How many intervals it has [1]."""
        return self.amounts.count(" ") + 1

    @property
    def id(self) -> str:
        """What names it: a hash of its contents [32 hex digits]."""
        contents = [self.point, self.start_ms, self.end_ms, self.amounts, self.origin.value, self.method]
        contents += [self.document, self.sha256, self.reader]
        text = json.dumps(["values", *contents], ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def rank(self) -> int:
        """How good its source is, 0 the best; of two values of one interval the better one counts [1]."""
        return rank(self.origin, self.method)

    def amounts_in_time(self) -> Iterator[Amount]:
        """Yield the energy of each interval."""
        step = (self.end_ms - self.start_ms) // self.n
        start_ms = self.start_ms
        for text in self.amounts.split(" "):
            yield Amount(start_ms, start_ms + step, Decimal(text), self)
            start_ms += step


class Amount(NamedTuple):
    """The exact energy [Wh] of one interval [ms since 1970 UTC], and a run that tells its source."""

    start_ms: int
    end_ms: int
    wh: Decimal
    run: Run


def rank(origin: Origin, method: str) -> int:
    """Return how good a source is, 0 the best [1].

    Measured before manual, then what a provider put in the place of a measurement: finally, for now, or as
    an estimate.
    """
    if origin is not Origin.SUBSTITUTED:
        return 0 if origin is Origin.MEASURED else 1
    if method.startswith("final"):
        return 2
    return 4 if method.startswith("estimate") else 3


def plain(number: Decimal) -> str:
    """Return a number as the shortest plain text.

    Examples
    --------
    >>> plain(Decimal("5.500")), plain(Decimal("1E+3")), plain(Decimal("0.00"))
    ('5.5', '1000', '0')
    """
    text = f"{number:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def settled(runs: Iterable[Run]) -> tuple[Amount, ...]:
    """Return the energies that count, in time order, whatever the order of the runs.

    Of several values of one interval the best by source counts, of equally good ones the lowest; a value
    that overlaps another of other bounds gives way where its source is worse, else where it starts later.
    """
    best: dict[tuple[int, int], Amount] = {}
    for run in runs:
        for amount in run.amounts_in_time():
            other = best.get(amount[:2])
            if other is None or _worth(amount) < _worth(other):
                best[amount[:2]] = amount
    found = sorted(best.values(), key=_starts)
    if all(before.end_ms <= after.start_ms for before, after in pairwise(found)):
        return tuple(found)
    kept: list[Amount] = []
    for amount in sorted(found, key=lambda each: (each.run.rank, *each[:2])):
        place = bisect_left(kept, amount.start_ms, key=_starts)
        room_before = not place or kept[place - 1].end_ms <= amount.start_ms
        if room_before and (place == len(kept) or amount.end_ms <= kept[place].start_ms):
            kept.insert(place, amount)
    return tuple(kept)


def values_of(amounts: Iterable[Amount]) -> tuple[IntervalValue, ...]:
    """Return energies in whole Wh, in time order.

    Those that start in one UTC day are rounded together: the sum of the first n of a day is the exact sum,
    rounded half up. So whole days give them all; a day is off by half a Wh at most.

    Parameters
    ----------
    amounts
        In time order, without overlaps; all of each day.
    """
    return tuple(
        value
        for _, of_day in groupby(amounts, key=lambda amount: amount.start_ms // DAY_MS)
        for value in _rounded(tuple(of_day))
    )


def runs_of(amounts: Sequence[Amount]) -> tuple[Run, ...]:
    """Return runs of energies: each of one length, without a hole, of one source and one UTC day.

    Parameters
    ----------
    amounts
        In time order, without overlaps; each with a run that tells its source.
    """
    found: list[Run] = []
    together: list[Amount] = []
    for amount in amounts:
        if together and not _follows(together[-1], amount):
            found.append(_joined(together))
            together = []
        together.append(amount)
    if together:
        found.append(_joined(together))
    return tuple(found)


def _worth(amount: Amount) -> tuple[int, Decimal, str]:
    return amount.run.rank, amount.wh, amount.run.id


def _starts(amount: Amount) -> int:
    return amount.start_ms


def _rounded(of_day: Sequence[Amount]) -> Iterator[IntervalValue]:
    exact, reached = Decimal(0), 0
    for start_ms, end_ms, wh, run in of_day:
        exact = EXACT.add(exact, wh)
        before, reached = reached, floor(EXACT.add(exact, _HALF))
        yield IntervalValue(
            point=run.point,
            interval=Interval(start_ms, end_ms),
            wh=reached - before,
            origin=run.origin,
            method=run.method,
            document=run.document,
            sha256=run.sha256,
            reader=run.reader,
        )


def _follows(before: Amount, after: Amount) -> bool:
    return (
        before.end_ms == after.start_ms
        and before.end_ms - before.start_ms == after.end_ms - after.start_ms
        and before.start_ms // DAY_MS == after.start_ms // DAY_MS
        and (before.run is after.run or _source(before.run) == _source(after.run))
    )


def _source(run: Run) -> tuple[object, ...]:
    return run.point, run.origin, run.method, run.document, run.sha256, run.reader


def _joined(amounts: Sequence[Amount]) -> Run:
    run = amounts[0].run
    return Run(
        point=run.point,
        start_ms=amounts[0].start_ms,
        end_ms=amounts[-1].end_ms,
        amounts=" ".join([plain(amount.wh) for amount in amounts]),
        origin=run.origin,
        method=run.method,
        document=run.document,
        sha256=run.sha256,
        reader=run.reader,
    )
