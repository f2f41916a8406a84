"""What a reading store promises, whatever engine is behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, Protocol, TypeAlias

from core.errors import OutsideError
from core.timeline import Interval

MIN_RETENTION_DAYS = 100
"""An agent may deliver registers after an outage of 90 days [days]; a store keeps its readings for longer."""


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


class EnergyRow(NamedTuple):
    """The energy of one meter on record in one half-hour; the key is (point, start).

    Parameters
    ----------
    point
        Point id of the meter's register.
    time_ms
        Start of the half-hour [ms since 1970 UTC].
    wh, unproven_wh
        Energy, and the provable bound on what it may be off [Wh]; None where it is missing.
    origin
        Where the value comes from: measured, interpolated, or missing.
    site, parent
        The meter's site, and the meter above it; empty where there is none.
    """

    point: str
    time_ms: int
    wh: int | None
    unproven_wh: int | None
    origin: str
    site: str
    parent: str


class DeliveryRow(NamedTuple):
    """The count of one lane of one agent at one instant; the key is (agent, lane, time).

    Parameters
    ----------
    agent, lane
        Whose readings were counted.
    time_ms
        When they were counted [ms since 1970 UTC].
    taken, stored, quarantined, lost, waiting, owed
        Readings, as ``seiren count`` tells them [1].
    age_ms
        How old the newest reading in the ledger was [ms]; None before the first.
    """

    agent: str
    lane: str
    time_ms: int
    taken: int
    stored: int
    quarantined: int
    lost: int
    waiting: int
    owed: int
    age_ms: int | None


class PointRow(NamedTuple):
    """What a value of a point means at the plant, from an instant on; the key is (point, time).

    Parameters
    ----------
    point
        Point id.
    time_ms
        Since when its meter is installed so [ms since 1970 UTC]; 0 where the meter is not on record.
    factor
        Primary value in the unit per value as stored: unit and transformers [1].
    unit
        Base unit of the point's quantity, such as ``W``.
    site
        The meter's site; empty where it is not on record.
    """

    point: str
    time_ms: int
    factor: float
    unit: str
    site: str


Row: TypeAlias = StoreRow | EnergyRow | DeliveryRow | PointRow
Rows: TypeAlias = Sequence[StoreRow] | Sequence[EnergyRow] | Sequence[DeliveryRow] | Sequence[PointRow]
"""Rows of one kind."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that the engine will never take, and its reason."""

    row: Row
    reason: str

    @property
    def of(self) -> str:
        """The point, or the agent, whose row it is."""
        return self.row[0]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the rows of one write; every row is in exactly one of the three.

    Parameters
    ----------
    accepted
        How many rows are durable now [1].
    rejected
        Those that the engine will never take.
    retry
        Those of which nothing is known: to be written again.
    trouble
        Why there are such.
    """

    accepted: int
    rejected: tuple[Rejection, ...] = ()
    retry: Rows = ()
    trouble: OutsideError | None = None

    def settled(self) -> tuple[Rejection, ...]:
        """Return what was rejected, where nothing is left to be written again.

        Raises
        ------
        Unreachable
            The store does not answer or is overloaded; `retry_after_s` is how long it asks to be left alone.
        OutsideError
            It refuses everything for a reason that a person must mend.
        """
        if self.trouble is not None:
            raise self.trouble
        return self.rejected


def split_writable(rows: Sequence[StoreRow]) -> tuple[list[StoreRow], list[Rejection]]:
    """Part readings from those that no engine can keep: a value that is not finite."""
    writable = [row for row in rows if row[3] is None or math.isfinite(row[3])]
    if len(writable) == len(rows):
        return writable, []
    lost = (row for row in rows if row[3] is not None and not math.isfinite(row[3]))
    return writable, [Rejection(row, f"the value {row.value} is not finite") for row in lost]


class ReadingStore(Protocol):
    """A store of readings and of what explains them. A row with the same key replaces the one before it."""

    @property
    def identity(self) -> str:
        """Name of this very store; a projection's position belongs to it."""

    @property
    def retention_ms(self) -> int | None:
        """How long it keeps readings [ms], None for ever; known once it is open."""

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

    async def write(self, rows: Rows) -> Outcome:
        """Write rows of one kind; what was accepted is durable when this returns.

        Writing the same rows again changes nothing.
        """

    async def read(self, point: str, interval: Interval) -> tuple[StoreRow, ...]:
        """Return the readings of one point with ``start <= time < end``, in time order.

        Raises
        ------
        Unreachable
            The store does not answer now.
        OutsideError
            It refuses the request.
        """

    async def close(self) -> None:
        """Release connections and files; the store is not used afterwards."""
