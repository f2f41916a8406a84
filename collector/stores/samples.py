"""Gauges' readings on their way into a store: rows that are made only where somebody looks at them.

Samples are the many. An engine that takes text needs no row between a reading and its line, and to make
one costs as much as the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import overload

from collector.stores.base import StoreRow
from collector.stores.rows import Scale, sample_rows
from core.delivery.payload import TakenReading


class Samples(Sequence[StoreRow]):
    """Readings of gauges as the rows of a store.

    Parameters
    ----------
    readings
        What was taken.
    scale
        What a count of each point is worth.
    """

    def __init__(self, readings: Sequence[TakenReading], scale: Mapping[str, Scale]) -> None:
        self.readings = readings
        self.scale = scale

    @classmethod
    def of(cls, parts: Iterable[tuple[Sequence[TakenReading], Mapping[str, Scale]]]) -> Sequence[StoreRow]:
        """Return the rows of readings, each with the scale of its own point table."""
        readings: list[TakenReading] = []
        scale: dict[str, Scale] = {}
        merged: list[Mapping[str, Scale]] = []
        parts = tuple(parts)
        for part, own in parts:
            readings += part
            if not any(own is each for each in merged):
                merged.append(own)
                if any(scale.get(point, worth) != worth for point, worth in own.items()):
                    break  # a point's scale has just changed
                scale |= own
        else:
            return cls(readings, scale)
        return [row for part, own in parts for row in sample_rows(part, own)]

    def __len__(self) -> int:
        return len(self.readings)

    def __iter__(self) -> Iterator[StoreRow]:
        return iter(sample_rows(self.readings, self.scale))

    @overload
    def __getitem__(self, at: int) -> StoreRow: ...
    @overload
    def __getitem__(self, at: slice) -> Samples: ...
    def __getitem__(self, at: int | slice) -> StoreRow | Samples:
        if isinstance(at, slice):
            return Samples(self.readings[at], self.scale)
        return sample_rows((self.readings[at],), self.scale)[0]
