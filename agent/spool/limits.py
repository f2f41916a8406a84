"""What the spool may take of its disk, and what people are told of that."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from core.errors import OutsideError

_OTHERS_SHARE: Final = 20
_OTHERS_BYTES: Final = 200_000_000
_FLOOR_BYTES: Final = 50_000_000
_QUARTER: Final = 4  # of a small disk a quarter is left to others, and of what is left a quarter is the floor


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """What the spool may take.

    Parameters
    ----------
    max_bytes
        Most that it takes [bytes]; None: all of the disk but what is left to others.
    keep_registers_days
        How long registers stay that every required ledger holds [days].
    reserve_days
        Registers of so many days must fit beside the samples [days].
    alarm_at
        Share of the room that may wait before it is told [1].
    """

    max_bytes: int | None = None
    keep_registers_days: float = 62
    reserve_days: float = 90
    alarm_at: float = 0.8


class DiskSpace(NamedTuple):
    """A disk's size, and what of it anybody may still take [bytes]."""

    total: int
    free: int


class Room(NamedTuple):
    """The spool's room [bytes].

    Parameters
    ----------
    bytes, limit_bytes, free_bytes
        What it takes, what it may take, what is free on its disk.
    alarm
        Whether so much waits that samples will be dropped, or the agent will stop, before long.
    registers_reserve_bytes
        What samples leave to registers.
    waiting_bytes
        What not all required ledgers hold.
    registers_left_bytes, samples_left_bytes
        What each lane can still take if nothing is delivered: samples before the first is dropped, registers
        before the agent stops.
    registers_bytes_per_day
        What registers take a day, None where it is not known yet.
    """

    bytes: int
    limit_bytes: int
    free_bytes: int
    alarm: bool
    registers_reserve_bytes: int
    waiting_bytes: int
    registers_left_bytes: int
    samples_left_bytes: int
    registers_bytes_per_day: int | None


class SpoolFull(OutsideError):
    """There is no room for what must not be lost: the agent stops, and says so."""


def disk_space(path: Path) -> DiskSpace:
    """Return the space of the disk that a folder is on.

    Raises
    ------
    OSError
        If the system does not tell.
    """
    usage = shutil.disk_usage(path)
    return DiskSpace(usage.total, usage.free)


def left_to_others(total: int) -> tuple[int, int]:
    """Return what of a disk samples leave to others, and what registers leave [bytes].

    Parameters
    ----------
    total
        Size of the disk [bytes].
    """
    kept = min(max(total // _OTHERS_SHARE, _OTHERS_BYTES), total // _QUARTER)
    return kept, min(_FLOOR_BYTES, kept // _QUARTER)


class Ceiling:
    """A limit that is never enforced by loss: beyond it there is no growth, and nothing more [bytes]."""

    def __init__(self) -> None:
        self._at = 0

    def over(self, used: int, need: int, limit: int) -> int:
        """Return how much must go before so much can be written [bytes]."""
        if used + need <= limit:
            self._at = 0
            return 0
        self._at = max(self._at, used)
        return max(0, used + need - max(limit, self._at))

    def lower(self, by: int, to: int | None) -> None:
        """Let what was given back be given back, and what others have taken be theirs [bytes]."""
        self._at = max(0, self._at - by) if to is None else min(self._at, to)
