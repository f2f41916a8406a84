"""Scans as they travel: a whole block becomes one text, by forms that are made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import repeat
from typing import Any, NamedTuple

from agent.counts import text_of_double, text_of_single
from agent.readings import Scan, Shape
from agent.spool.records import NO_TIME
from core.delivery.payload import BAD, Event, decimal_text, group_form, since_start
from core.delivery.tables import PointTable
from core.errors import WireError
from core.runtime.steady import Boot

FRAME_READINGS = 1_000
"""Most readings in one frame [1]."""

_PLAIN = {int, float}
_NO_VALUE = f"null,{BAD}"


class Group(NamedTuple):
    """Readings of one instant as a payload holds them: their time [ms], their number [1], their text.

    The time is `NO_TIME` while it is not known.
    """

    time_ms: int
    n: int
    text: str


def without_time(group: Group, boot: Boot) -> Group:
    """Return a group with the time since the start of a run of the machine whose time is not known."""
    text = since_start(group.text, group.time_ms, *boot)
    return Group(NO_TIME, group.n, text)


def event_since_start(event: Event, boot: Boot) -> Event:
    """Return an event with the time since the start of a run of the machine whose time is not known."""
    time_ms = event.get("time_ms")
    if not isinstance(time_ms, int):
        return event
    rest = {key: value for key, value in event.items() if key != "time_ms"}
    return rest | {"boot": boot.name, "mono_ms": time_ms - boot.start_ms}


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
        self._numbers = numbers
        self._kinds: tuple[type, ...] = ()
        self._form, self._floats = "", list[tuple[int, Callable[[float], str]]]()  # for values of these kinds
        self._any = group_form(zip(numbers, repeat("%s"), strict=False))
        self._starts = [f"[{number}," for number in numbers]
        self._text_of = [text_of_single if single else text_of_double for single in shape.singles]

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
            yield Group(scan.time_ms, n, self._whole(scan))
            return
        counts = self._counts(scan)
        taken = range(n) if scan.taken is None else scan.taken
        for first in range(0, len(taken), FRAME_READINGS):
            part = taken[first : first + FRAME_READINGS]
            texts = ",".join([f"{self._starts[at]}{counts[at]}]" for at in part])
            yield Group(scan.time_ms, len(part), f"[{scan.time_ms},[{texts}]]")

    def _whole(self, scan: Scan) -> str:
        """The group of a whole scan; nearly all are good ints and floats, of the kinds of the last one."""
        if scan.qualities is None:
            kinds = tuple(map(type, scan.values))
            if kinds == self._kinds or self._learn(kinds):
                if not self._floats:
                    return self._form % (scan.time_ms, *scan.values)
                counts: list[Any] = [*scan.values]
                for at, text_of in self._floats:
                    text = text_of(counts[at])
                    counts[at] = _NO_VALUE if text == "null" else text
                return self._form % (scan.time_ms, *counts)
        return self._any % (scan.time_ms, *self._counts(scan))

    def _learn(self, kinds: tuple[type, ...]) -> bool:
        """Make the form for values of such kinds; tell whether there is one."""
        if not _PLAIN.issuperset(kinds):
            return False
        self._kinds = kinds
        self._floats = [(at, self._text_of[at]) for at, kind in enumerate(kinds) if kind is float]
        counts = ("%d" if kind is int else "%s" for kind in kinds)
        self._form = group_form(zip(self._numbers, counts, strict=True))
        return True

    def _counts(self, scan: Scan) -> list[str]:
        """Each count with its quality, as they stand in an entry."""
        texts: list[str] = []
        for at, value in enumerate(scan.values):
            if isinstance(value, float):
                text = self._text_of[at](value)
                texts.append(_NO_VALUE if text == "null" else text)
            elif value is None:
                texts.append(_NO_VALUE)
            elif value.__class__ is int:
                texts.append(str(value))
            elif isinstance(value, Decimal):
                texts.append(decimal_text(value))
            else:
                raise WireError("a value that is no count", evidence=repr(value)[:80])
        if scan.qualities is not None:
            for at, quality in enumerate(scan.qualities):
                if quality and texts[at] is not _NO_VALUE:
                    texts[at] += f",{quality}"
        return texts
