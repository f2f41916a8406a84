"""Sets of frame numbers as sorted, disjoint, half-open ranges: a backlog of a million frames is one entry."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Span = tuple[int, int]


class Ranges:
    """A set of integers, kept as half-open ranges in order.

    Parameters
    ----------
    spans
        Half-open ranges to begin with, in any order; they may overlap.
    """

    __slots__ = ("_ends", "_firsts")

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._firsts: list[int] = []
        self._ends: list[int] = []
        for first, end in spans:
            self.add(first, end)

    def __iter__(self) -> Iterator[Span]:
        return iter(tuple(zip(self._firsts, self._ends, strict=True)))

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and self._firsts == other._firsts and self._ends == other._ends

    __hash__ = None  # type: ignore[assignment]  # mutable: cannot be hashed

    def __repr__(self) -> str:
        return f"Ranges({list(self)})"

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._firsts, number) - 1
        return at >= 0 and number < self._ends[at]

    def covers(self, first: int, end: int) -> bool:
        """Tell whether every number of [first, end) is in the set."""
        at = bisect_right(self._firsts, first) - 1
        return first >= end or (at >= 0 and end <= self._ends[at])

    def size(self) -> int:
        """Return how many numbers are in the set [1]."""
        return sum(self._ends) - sum(self._firsts)

    def add(self, first: int, end: int) -> None:
        """Put [first, end) into the set."""
        if first >= end:
            return
        if self._ends and first == self._ends[-1]:  # the common case: frames come in order
            self._ends[-1] = end
            return
        low, high = bisect_left(self._ends, first), bisect_right(self._firsts, end)
        if low < high:
            first, end = min(first, self._firsts[low]), max(end, self._ends[high - 1])
        self._firsts[low:high] = [first]
        self._ends[low:high] = [end]

    def remove(self, first: int, end: int) -> None:
        """Take [first, end) out of the set, as far as it is in it."""
        if first >= end:
            return
        low, high = bisect_right(self._ends, first), bisect_left(self._firsts, end)
        if low >= high:
            return
        rest = [(a, b) for a, b in ((self._firsts[low], first), (end, self._ends[high - 1])) if a < b]
        self._firsts[low:high] = [a for a, _ in rest]
        self._ends[low:high] = [b for _, b in rest]

    def clear(self) -> None:
        """Take everything out of the set."""
        self._firsts, self._ends = [], []

    def within(self, first: int, end: int) -> tuple[Span, ...]:
        """Return the parts of [first, end) that are in the set, in order."""
        low, high = bisect_right(self._ends, first), bisect_left(self._firsts, end)
        return tuple((max(first, self._firsts[i]), min(end, self._ends[i])) for i in range(low, high))

    def missing(self, first: int, end: int) -> tuple[Span, ...]:
        """Return the parts of [first, end) that are not in the set, in order."""
        gaps: list[Span] = []
        at = first
        for a, b in self.within(first, end):
            if at < a:
                gaps.append((at, a))
            at = b
        if at < end:
            gaps.append((at, end))
        return tuple(gaps)


def runs(numbers: Iterable[int]) -> Iterator[Span]:
    """Yield the runs of consecutive numbers among numbers in order."""
    first = end = None
    for number in numbers:
        if number == end:
            end += 1
            continue
        if first is not None and end is not None:
            yield first, end
        first, end = number, number + 1
    if first is not None and end is not None:
        yield first, end
