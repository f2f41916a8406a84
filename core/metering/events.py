"""Segments of a counter, and the decisions about its readings, each with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class SegmentKind(StrEnum):
    """Why a segment begins."""

    FIRST = "first"
    RESET = "reset"
    FALL = "fall"
    JUMP = "jump"
    EXCHANGE = "exchange"
    SILENCE = "silence"
    DIP = "dip"
    SPIKE = "spike"


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive readings between which the register only rose or rolled over.

    Parameters
    ----------
    kind
        Why it begins.
    first, last
        Index of its first and its last reading in the counter [1].
    register
        Number of its register in the spec [1].
    low_ms, low
        Instant [ms since 1970 UTC] and steps of the first reading after a fall, of which it is open whether
        the register came back or counted on from there.
    """

    kind: SegmentKind
    first: int
    last: int
    register: int = 0
    low_ms: int | None = None
    low: int | None = None


class EventKind(StrEnum):
    """What a counter has to say besides its count."""

    ROLLOVER = "rollover"
    RESET = "reset"
    FALL = "fall"
    JUMP = "jump"
    EXCHANGE = "exchange"
    SILENCE = "silence"
    DIP = "dip"
    SPIKE = "spike"
    FROZEN = "frozen"
    OPEN = "open"
    CONFLICT = "conflict"
    OUT_OF_RANGE = "out_of_range"
    STOOD_STILL = "stood_still"

    @property
    def explanation(self) -> str:
        """What would explain it, in words."""
        return _EXPLANATIONS[self]


_EXPLANATIONS: Mapping[EventKind, str] = MappingProxyType(
    {
        EventKind.ROLLOVER: "the register passed its last count and went on from 0",
        EventKind.RESET: "the register was set to 0, or lost its count in a power failure",
        EventKind.FALL: "a meter that is not on record, a register set back, or a reset (without full scale)",
        EventKind.JUMP: "another meter that is not on record, or another scale or word order",
        EventKind.EXCHANGE: "another meter, by the installations on record",
        EventKind.SILENCE: "nothing was read for as long as the register needs for a whole turn",
        EventKind.DIP: "the meter was starting, or a wrong value was read",
        EventKind.SPIKE: "a wrong value was read",
        EventKind.FROZEN: "the display stood still and made up for it at once",
        EventKind.OPEN: "readings that are still to come will tell",
        EventKind.CONFLICT: "two devices with one address, or a reading that was changed",
        EventKind.OUT_OF_RANGE: "a wrong value was read, or the wrap on record is wrong",
        EventKind.STOOD_STILL: "no load, a meter that is cut off, or a register that is frozen",
    }
)


@dataclass(frozen=True, slots=True)
class CounterEvent:
    """A decision about a reading, with its evidence.

    Parameters
    ----------
    kind
        What was decided; its `explanation` says what would explain it.
    time_ms
        Instant of the reading, of several the first [ms since 1970 UTC].
    evidence
        The counts that led to it.
    """

    kind: EventKind
    time_ms: int
    evidence: str
