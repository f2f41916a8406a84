"""What people put right: an overlay over readings and installations, neither of which is ever edited.

Each correction acts on what those before it left. What they make depends on the readings and on the order
of the corrections alone, so a reading that arrives late is treated as if it had been there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from core.metering.cells import Cell, Row, cells_of_rows
from core.metering.readings import Count, Quality
from core.metering.sources import IntervalValue, Origin
from core.timeline import HALF_HOUR_MS, Interval


@dataclass(frozen=True, slots=True)
class Exclude:
    """All readings of a point in an interval are left out, also those that arrive later.

    Parameters
    ----------
    point
        Id of the point.
    interval
        One millisecond for one reading.
    """

    point: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class Enter:
    """What a person read off a meter's display stands for whatever was read at that instant.

    Parameters
    ----------
    point
        Id of the point.
    time_ms
        When it was read [ms since 1970 UTC].
    count
        What the register held [counts].
    reader
        Who read it.
    document
        What proves it: a slip, a photograph.
    sha256
        Of the document's file, 64 hex digits; empty where there is none.
    """

    point: str
    time_ms: int
    count: Count
    reader: str
    document: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class ChangeInstallation:
    """Facts of what was installed in an interval were others than the plan says.

    Parameters
    ----------
    point
        Id of the point.
    start_ms
        From when on [ms since 1970 UTC].
    end_ms
        First instant after it [ms since 1970 UTC]; None for all that follows.
    facts
        Name and text of each, as `corrected.installed` takes them.
    """

    point: str
    start_ms: int
    end_ms: int | None
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Another meter was put in place of the old one, by an exchange slip that may come long after.

    Where the plan knows the new meter's serial number already, this is when it came; else it begins here
    with the facts of the old one, but for those given.

    Parameters
    ----------
    point
        Id of the point.
    at_ms
        When [ms since 1970 UTC].
    closing, opening
        What the old register held last and the new one first [counts]; None where the slip does not say.
    serial
        Serial number of the new meter.
    facts
        What else is different, as for `ChangeInstallation`.
    document
        Number of the slip.
    """

    point: str
    at_ms: int
    closing: Count | None
    opening: Count | None
    serial: str
    facts: tuple[tuple[str, str], ...] = ()
    document: str = ""


@dataclass(frozen=True, slots=True)
class Substitute:
    """The energy of an interval where registers give none, by a method that has a name.

    Parameters
    ----------
    point
        Id of the point.
    interval
        Start and end.
    wh
        Its energy [Wh], 0 or more.
    method
        How it was found.
    document
        What proves it.
    """

    point: str
    interval: Interval
    wh: int
    method: str
    document: str


Correction: TypeAlias = Exclude | Enter | ChangeInstallation | Exchange | Substitute


def corrected_cells(
    cells: Iterable[Cell], corrections: Iterable[Correction], within: Interval | None = None
) -> tuple[Cell, ...]:
    """Return the cells of one point as corrections leave them, in time order.

    Parameters
    ----------
    cells
        Cells of the point, each half-hour at most once.
    corrections
        Those of the point, in the order in which they were decided.
    within
        Where to put in what was entered; None: everywhere. The cells given are corrected all the same.

    Returns
    -------
    tuple of Cell
        Also cells that hold nothing but what was entered; none that is empty.
    """
    changes = [each for each in corrections if isinstance(each, Exclude | Enter)]
    if not changes:
        return tuple(cells)
    given = {cell.start_ms: cell for cell in cells}
    rows = {start_ms: set(cell.readings) for start_ms, cell in given.items()}
    for each in changes:
        if isinstance(each, Exclude):
            first_ms = each.interval.start_ms // HALF_HOUR_MS * HALF_HOUR_MS
            for start_ms in _of(rows, first_ms, each.interval.end_ms):
                rows[start_ms] = {row for row in rows[start_ms] if row[0] not in each.interval}
            continue
        start_ms = each.time_ms // HALF_HOUR_MS * HALF_HOUR_MS
        if start_ms in rows or within is None or each.time_ms in within:
            others = (row for row in rows.get(start_ms, ()) if row[0] != each.time_ms)
            entry: Row = (each.time_ms, each.count, Quality.GOOD)
            rows[start_ms] = {*others, entry}
    point = changes[0].point
    made = {(point, start_ms): found for start_ms, found in rows.items() if found}
    return cells_of_rows(made)


def entered(corrections: Iterable[Correction]) -> frozenset[int]:
    """Return the instants of indexes that were entered and not excluded again [ms since 1970 UTC].

    Parameters
    ----------
    corrections
        Those of one point, in the order in which they were decided.
    """
    found: set[int] = set()
    for each in corrections:
        if isinstance(each, Enter):
            found.add(each.time_ms)
        elif isinstance(each, Exclude):
            found = {time_ms for time_ms in found if time_ms not in each.interval}
    return frozenset(found)


def interval_values(corrections: Iterable[Correction]) -> tuple[IntervalValue, ...]:
    """Return the energies that stand in for registers, in the order in which they were decided."""
    return tuple(
        IntervalValue(
            point=each.point,
            interval=each.interval,
            wh=each.wh,
            origin=Origin.SUBSTITUTED,
            method=each.method,
            document=each.document,
        )
        for each in corrections
        if isinstance(each, Substitute)
    )


def _of(rows: Collection[int], first_ms: int, end_ms: int) -> list[int]:
    """Starts of half-hours that lie from one instant on and before another."""
    if (end_ms - first_ms) // HALF_HOUR_MS < len(rows):
        return [start_ms for start_ms in range(first_ms, end_ms, HALF_HOUR_MS) if start_ms in rows]
    return [start_ms for start_ms in rows if first_ms <= start_ms < end_ms]
