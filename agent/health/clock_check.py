"""Does anybody correct this machine's clock, and how far is it off? The kernel is asked, nothing is set."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import Final

_UNSYNCHRONISED: Final = 0x0040
_NANOSECONDS: Final = 0x2000
FIRST_PLAUSIBLE_MS: Final = 1_704_067_200_000
"""2024-01-01 UTC: a clock that shows less has never been set [ms since 1970 UTC]."""


@dataclass(frozen=True, slots=True)
class ClockState:
    """What the kernel says of the clock.

    Attributes
    ----------
    synchronised
        Whether something keeps it right; None: not checked.
    off_ms
        How far it is estimated to be off [ms].
    why
        Why it was not checked.
    """

    synchronised: bool | None
    off_ms: float | None = None
    why: str = ""


class _Timex(ctypes.Structure):
    """The kernel's struct timex, as far as it is read."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def read_clock() -> ClockState:
    """Return what the kernel says; it is only asked, nothing is set."""
    if sys.platform != "linux":
        return ClockState(None, why=f"not on {sys.platform}")
    timex = _Timex()  # modes 0: only read
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError) as error:
        return ClockState(None, why=str(error))
    if state < 0:
        return ClockState(None, why="the kernel does not tell")
    return judge(timex.status, offset=timex.offset, error_us=timex.esterror)


def judge(status: int, *, offset: int, error_us: int) -> ClockState:
    """Return what the kernel's words mean.

    Parameters
    ----------
    status
        Bits of ``timex.status``.
    offset
        Rest to be corrected [us], or [ns] where the status says so.
    error_us
        Estimated error [us].

    References
    ----------
    adjtimex(2), Linux manual pages.

    Examples
    --------
    >>> judge(0x2001, offset=-2_400_000, error_us=900)
    ClockState(synchronised=True, off_ms=2.4, why='')
    """
    if status & _UNSYNCHRONISED:
        return ClockState(False)
    offset_us = abs(offset) / 1000 if status & _NANOSECONDS else abs(offset)
    return ClockState(True, off_ms=max(offset_us, error_us) / 1000)
