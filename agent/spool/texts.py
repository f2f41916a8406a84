"""Scans as they travel: a whole block becomes one text, by forms that are made once."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from agent.counts import text_of_float
from agent.readings import Scan, Shape, Value
from core.delivery.payload import decimal_text, group_form
from core.delivery.tables import PointTable
from core.errors import WireError

FRAME_READINGS = 1_000
"""Most readings in one frame [1]."""

_WHOLE = {int}


class Group(NamedTuple):
    """Readings of one instant as a payload holds them: their time [ms], their number [1], their text."""

    time_ms: int
    n: int
    text: str


class ShapeTexts:
    """Writes the scans of one shape, with the numbers that a point table gives to its points.

    Parameters
    ----------
    shape
        The points of the scans.
    table
        Says which number each point has.

    Raises
    ------
    WireError
        If a point is not in the table.
    """

    def __init__(self, shape: Shape, table: PointTable) -> None:
        for point in shape.points:
            if point not in table.index:
                raise WireError("reading of a point that is not in its table", where=point)
        numbers = [table.index[point] for point in shape.points]
        self._short = len(numbers) <= FRAME_READINGS
        self._whole = group_form(numbers, "%d")
        self._any = group_form(numbers, "%s")
        self._starts = [f"[{number}," for number in numbers]
        self._singles = shape.singles
        self._last: list[float | None] = [None] * len(numbers)
        self._texts = [""] * len(numbers)

    def groups(self, scan: Scan) -> Iterator[Group]:
        """Yield a scan's readings: one group, but for a block that is larger than a frame.

        Raises
        ------
        WireError
            If a count is not finite.
        """
        values, n = scan.values, len(self._starts)
        if len(values) != n:
            raise WireError("a scan that has not its shape", evidence=f"{len(values)} values, {n} points")
        if scan.taken is None and self._short:
            if scan.qualities is None and set(map(type, values)) == _WHOLE:
                yield Group(scan.time_ms, n, self._whole % (scan.time_ms, *values))
            else:
                yield Group(scan.time_ms, n, self._any % (scan.time_ms, *self._counts(scan)))
            return
        counts = self._counts(scan)
        taken = range(n) if scan.taken is None else scan.taken
        for first in range(0, len(taken), FRAME_READINGS):
            part = taken[first : first + FRAME_READINGS]
            texts = ",".join([f"{self._starts[at]}{counts[at]}]" for at in part])
            yield Group(scan.time_ms, len(part), f"[{scan.time_ms},[{texts}]]")

    def _counts(self, scan: Scan) -> list[str]:
        """Each count with its quality, as they stand in an entry."""
        texts: list[str] = []
        last = self._last
        for at, value in enumerate(scan.values):
            if value.__class__ is float:
                if value == last[at]:
                    texts.append(self._texts[at])
                else:
                    text = text_of_float(value, single=self._singles[at])
                    text = "null,2" if text == "null" else text
                    self._last[at], self._texts[at] = value, text
                    texts.append(text)
            else:
                texts.append(str(value) if value.__class__ is int else _odd_text(value))
        if scan.qualities is not None:
            for at, quality in enumerate(scan.qualities):
                if quality and not texts[at].startswith("null"):
                    texts[at] += f",{quality}"
        return texts


def _odd_text(value: Value) -> str:
    """A value that is neither a plain int nor a float."""
    if value is None:
        return "null,2"
    if isinstance(value, Decimal):
        return decimal_text(value)
    raise WireError("a value that is no count", evidence=repr(value)[:80])
