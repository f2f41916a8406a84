"""Readings as they leave a device: whole blocks at once, so that no reading costs an object of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from agent.counts import count_of_float
from core.delivery.frames import Lane
from core.delivery.payload import BAD, GOOD, TakenReading

Value = int | float | Decimal | None
"""What a register held, unscaled [counts]; a float is finite; None where it held no value."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """The points of a block, made once and compared by identity: a source keeps its shapes.

    Parameters
    ----------
    points
        Ids of the points, in the order of a scan's values.
    singles
        Which of them the device sends as 32-bit floats.
    """

    points: tuple[str, ...]
    singles: tuple[bool, ...]


@dataclass(slots=True)
class Scan:
    """One block at one instant.

    Parameters
    ----------
    shape
        Whose values they are.
    time_ms
        Instant of the reading: the middle of the request [ms since 1970 UTC].
    values
        One for each point of the shape [counts].
    qualities
        One for each value: 0 good, 1 uncertain, 2 bad [1]; None: good where there is a value, else bad.
    taken
        Which of the values are reported, by place; None: all.
    """

    shape: Shape
    time_ms: int
    values: Sequence[Value]
    qualities: list[int] | None = None
    taken: Sequence[int] | None = None

    def readings(self) -> Iterator[TakenReading]:
        """Yield the readings one by one, for tools; the running agent writes a scan as a whole."""
        for at in range(len(self.values)) if self.taken is None else self.taken:
            point, value = self.shape.points[at], self.values[at]
            if isinstance(value, float):
                value = count_of_float(value, single=self.shape.singles[at])
            if value is None:
                yield TakenReading(point, self.time_ms, None, BAD)
            else:
                quality = GOOD if self.qualities is None else self.qualities[at]
                yield TakenReading(point, self.time_ms, value, quality)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a device says it is; each is empty where it does not say."""

    vendor: str = ""
    model: str = ""
    firmware: str = ""
    serial_number: str = ""


class Source(Protocol):
    """Whatever the points of one device are read from.

    A source may also have a list `happened`: events of its own (a dict each, with the key ``event``),
    which whoever reads it takes out after each read.
    """

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Lanes in which the device has points."""

    @property
    def bus(self) -> str:
        """What is asked one thing at a time; devices of one bus wait for each other."""

    async def read(self, lane: Lane, into: list[Scan], *, within_s: float | None = None) -> None:
        """Read all points of a lane, appending each block to `into` as it comes.

        Parameters
        ----------
        lane
            Which points.
        into
            What was read before an error stays in it.
        within_s
            Bound on the wait for a unit that is likely dead [s]; None: the device's own deadline.

        Raises
        ------
        Unreachable
            If the device is silent; `where` is that of the bus where all of its devices are.
        """

    async def identify(self, *, within_s: float | None = None) -> Identity | None:
        """Return what the device says it is, or None where it says nothing; bound and errors as `read`."""

    async def close(self) -> None:
        """Let go of the connection."""
