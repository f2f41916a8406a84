"""What the meters served, against what the ledger and the reading store hold and what is named lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from collector.ledger import Ledger

FLUSHED_WITHIN_S: Mapping[str, float] = {"gauges": 3.0, "counters": 13.0}
"""A killed agent may lose what it read so long before: it is not durable, and counts nowhere [s]."""


def verdict(
    hq: Path, served: Mapping[str, Mapping[str, Sequence[float]]], kills: Iterable[float]
) -> dict[str, Any]:
    """Return what of all that was served is held, and what is not.

    Parameters
    ----------
    hq
        The ledger's folder; nobody writes to it any more.
    served
        Meter → gauges and counters → the time of each number [s since 1970 UTC].
    kills
        When the agent was killed [s since 1970 UTC].
    """
    moments = tuple(kills)
    found: dict[str, Any] = {"invented": 0}
    held = {"gauges": _samples(hq), "counters": _registers(hq)}
    for kind, within_s in FLUSHED_WITHIN_S.items():
        readings = unexplained = undurable = 0
        for meter, kinds in served.items():
            numbers = held[kind].get(meter, set())
            readings += len(numbers)
            found["invented"] += len(numbers - set(range(len(kinds[kind]))))
            for number in set(range(len(kinds[kind]))) - numbers:
                at_s = kinds[kind][number]
                if any(0 <= kill_s - at_s <= within_s for kill_s in moments):
                    undurable += 1
                else:
                    unexplained += 1
        total = sum(len(kinds[kind]) for kinds in served.values())
        found[kind] = {
            "served": total,
            "held": readings,
            "not_durable_when_killed": undurable,
            "unexplained": unexplained,
        }
    return found


def _samples(hq: Path) -> dict[str, set[int]]:
    """The numbers of requests for gauges that the reading store holds, by meter."""
    numbers: dict[str, set[int]] = {}
    with closing(sqlite3.connect(f"file:{hq / 'readings.sqlite'}?mode=ro", uri=True)) as connection:
        for series, point in connection.execute("SELECT id, point FROM series").fetchall():
            meter, _, name = point.partition(".")
            if name == "wide_0":
                rows = connection.execute("SELECT value FROM readings WHERE series = ?", (series,))
                numbers[meter] = {round(value * 1_000) for (value,) in rows if value is not None}
    return numbers


def _registers(hq: Path) -> dict[str, set[int]]:
    """The numbers of requests for counters that the ledger holds, by meter."""
    with closing(Ledger.open(hq)) as ledger:
        return {point.partition(".")[0]: set(_counts(ledger, point)) for point in ledger.points()}


def _counts(ledger: Ledger, point: str) -> Iterator[int]:
    for cell in ledger.cells(point):
        yield from (int(count) for _, count, _ in cell.readings if count is not None)
