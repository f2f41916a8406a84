"""What a reading store promises, whatever engine is behind it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, Protocol

from core.timeline import Interval


class StoreRow(NamedTuple):
    """One reading as a store keeps it; the key is (point, time).

    Parameters
    ----------
    point
        Point id, ``{meter}.{quantity}``.
    time_ms
        Instant of the reading [ms since 1970 UTC].
    count
        What the register held, exactly [counts]; None for gauges and for bad readings.
    value
        The reading in its point's unit [unit of the point]; None for bad readings.
    quality
        0 good, 1 uncertain, 2 bad [1].
    """

    point: str
    time_ms: int
    count: int | Decimal | None  # type: ignore[assignment]  # hides tuple.count, which nobody asks a row
    value: float | None
    quality: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that the engine will never take, and its reason."""

    row: StoreRow
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the rows of one write; every row is in exactly one of the two."""

    accepted: int
    rejected: tuple[Rejection, ...] = ()


def split_writable(rows: Iterable[StoreRow]) -> tuple[list[StoreRow], list[Rejection]]:
    """Part rows from those that no engine can keep: a value that is not finite."""
    writable: list[StoreRow] = []
    rejected: list[Rejection] = []
    for row in rows:
        if row.value is None or math.isfinite(row.value):
            writable.append(row)
        else:
            rejected.append(Rejection(row, f"the value {row.value} is not finite"))
    return writable, rejected


class ReadingStore(Protocol):
    """A store of readings. A row with the same key replaces the one before it."""

    @property
    def identity(self) -> str:
        """Name of this very store; a projection's position belongs to it."""

    async def open(self) -> None:
        """Connect, and refuse a store that cannot keep readings.

        Raises
        ------
        Unreachable
            The store does not answer now.
        ConfigError
            It answers, and is set up so that it would lose readings.
        OutsideError
            It refuses to work: credentials, permissions, a foreign file.
        """

    async def write(self, rows: Sequence[StoreRow]) -> Outcome:
        """Write rows; what was accepted is durable when this returns.

        Writing the same rows again changes nothing. After an exception nothing is known
        about the rows, and all of them are to be written again.

        Raises
        ------
        Unreachable
            The store does not answer or is overloaded.
        OutsideError
            It refuses the whole request for a reason that a person must mend.
        """

    async def read(self, point: str, interval: Interval) -> tuple[StoreRow, ...]:
        """Return the rows of one point with ``start <= time < end``, in time order.

        Raises
        ------
        Unreachable
            The store does not answer now.
        OutsideError
            It refuses the request.
        """

    async def close(self) -> None:
        """Release connections and files; the store is not used afterwards."""
