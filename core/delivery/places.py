"""The places of one stream as they are accounted for: each once, by what was known of it first."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import product
from math import prod

from core.delivery.frames import block_digest
from core.delivery.holdings import FrameState, HeldBlock, HeldFrame
from core.delivery.ranges import Ranges

_MOST_TRIED = 256


class Places:
    """What a ledger keeps of one stream, and the ranges that are accounted for besides.

    Parameters
    ----------
    frames
        By index and then in order of arrival: the first of a place stands for it, others are extra.
    blocks
        Frames that are kept without ids.
    """

    def __init__(self, frames: Iterable[HeldFrame], blocks: Iterable[HeldBlock]) -> None:
        self.stored = self.quarantined = self.extra = 0
        self.known = Ranges()
        self._at: list[int] = []
        self._upto: list[int] = [0]
        self._ids: list[str] = []
        self._twins: dict[int, list[str]] = {}
        self._ranges: list[tuple[int, int, int]] = []
        for block in blocks:
            self._put(block.state, block.readings)
            self._ranges.append((block.first, block.end, block.readings))
            self.known.add(block.first, block.end)
        blurred = Ranges(self.known)
        for frame in frames:
            if frame.at in blurred or (self._at and frame.at == self._at[-1]):
                self.extra += frame.n
                self._twins.setdefault(frame.at, []).append(frame.id)
                continue
            self._at.append(frame.at)
            self._ids.append(frame.id)
            self._upto.append(self._upto[-1] + frame.n)
            self.known.add(frame.at, frame.at + 1)
            self._put(frame.state, frame.n)

    @property
    def total(self) -> int:
        """Readings accounted for."""
        return self._upto[-1] + sum(readings for _, _, readings in self._ranges)

    @property
    def end(self) -> int:
        """One beyond the last place known [frames]."""
        return max((end for _, end in self.known), default=0)

    def account(self, first: int, end: int, readings: int) -> int:
        """Account for those places of a range that are not known yet; return their readings [1].

        Parameters
        ----------
        readings
            Of the whole range; what its known places hold is taken off. Of a block without ids that lies
            only partly in it, a part in proportion.
        """
        if self.known.covers(first, end):
            return 0
        low, high = bisect_left(self._at, first), bisect_left(self._at, end)
        inside = sum(
            r * (min(b, end) - max(a, first)) // (b - a)
            for a, b, r in self._ranges
            if max(a, first) < min(b, end)
        )
        rest = max(0, readings - (self._upto[high] - self._upto[low]) - inside)
        for a, b in self.known.missing(first, end):
            self._ranges.append((a, b, 0))
        self._ranges[-1] = (*self._ranges[-1][:2], rest)
        self.known.add(first, end)
        return rest

    def is_other(self, first: int, end: int, digest: str) -> bool:
        """Tell whether a range of these places, by the digest of its ids, is other than what is kept there.

        Where ids are forgotten it is taken for the same.
        """
        low, high = bisect_left(self._at, first), bisect_left(self._at, end)
        if high - low != end - first:
            return False
        choices = [
            (self._ids[at], *self._twins.get(self._at[at], ())) if self._twins else (self._ids[at],)
            for at in range(low, high)
        ]
        if prod(map(len, choices)) > _MOST_TRIED:
            choices = [ids[:1] for ids in choices]
        return all(block_digest(bytes.fromhex("".join(ids))) != digest for ids in product(*choices))

    def _put(self, state: FrameState, readings: int) -> None:
        """Count what is kept by how it is kept."""
        if state is FrameState.QUARANTINED:
            self.quarantined += readings
        else:
            self.stored += readings
