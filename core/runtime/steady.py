"""The machine's time made fit for readings: it never goes back, never stops, and says when it is unknown.

``now = max(what it was + half of what has passed, the wall clock)``, where what has passed is told by a
clock that nobody can set. A wall clock that is set forward is followed at once. One that is set back is
waited for at half speed: a point's times never go back, and every reading in between is taken.

A machine without a clock of its own starts in 1970, or wherever it was switched off. Until the wall clock
can be believed, time is counted from the start of the machine; one `anchor` then tells what that was.
"""

from __future__ import annotations

import ctypes
import secrets
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from core.runtime.clock import WallClock

BUILT_MS: Final = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
"""No clock that is right shows an earlier time than this [ms since 1970 UTC]."""

STEP_MS: Final = 500
"""A clock that is disciplined gains or loses less than this between two looks [ms]."""

_MS: Final = 1_000_000
_UNSYNCHRONISED: Final = 5  # TIME_ERROR of adjtimex(2)
_TIMEX_BYTES: Final = 512  # more than any system's struct timex has


class Boot(NamedTuple):
    """A run of the machine whose time is not known yet.

    Parameters
    ----------
    name
        16 hex digits.
    start_ms
        Its start by the clock that readings carry meanwhile [ms].
    """

    name: str
    start_ms: int


class Anchor(NamedTuple):
    """What a time since the machine's start was by the wall clock.

    Parameters
    ----------
    boot
        Names this run of the machine, 16 hex digits.
    mono_ms
        Time since its start [ms].
    time_ms
        The same instant [ms since 1970 UTC].
    """

    boot: str
    mono_ms: int
    time_ms: int


class SteadyClock(WallClock):
    """The clock of a running agent.

    Parameters
    ----------
    wait_for_sync
        Do not believe the wall clock before the kernel says that it is synchronised.
    wall_ns
        The wall clock [ns since 1970 UTC].
    steady_ns
        Time since the machine's start, which nobody can set [ns].
    boot
        Names this run of the machine, 16 hex digits.
    is_synchronised
        Whether the kernel says that the wall clock is synchronised.

    Attributes
    ----------
    boot
        Names this run of the machine.
    """

    def __init__(
        self,
        *,
        wait_for_sync: bool = False,
        wall_ns: Callable[[], int] = time.time_ns,
        steady_ns: Callable[[], int] | None = None,
        boot: str | None = None,
        is_synchronised: Callable[[], bool] | None = None,
    ) -> None:
        self.boot = boot or boot_id()
        self.jumps = 0
        self._wall_ns = wall_ns
        self._steady_ns = steady_ns or since_start_ns
        self._is_synchronised = is_synchronised or kernel_is_synchronised
        self._wait_for_sync = wait_for_sync
        self._passed_ns = self._steady_ns()
        self._known = self._is_plausible()
        self._now_ns = self._wall_ns() if self._known else self._provisional_ns(self._passed_ns)

    @property
    def unknown(self) -> Boot | None:
        """This run of the machine while its time is unknown; None once it is known."""
        return None if self._known else Boot(self.boot, BUILT_MS)

    def now_ms(self) -> int:
        """Return the time that readings carry; provisional while it is `unknown` [ms since 1970 UTC]."""
        steady_ns = self._steady_ns()
        passed_ns, self._passed_ns = steady_ns - self._passed_ns, steady_ns
        if self._known:
            wall_ns, due_ns = self._wall_ns(), self._now_ns + passed_ns
            if wall_ns - due_ns >= STEP_MS * _MS:
                self.jumps += 1
            self._now_ns = max(self._now_ns + passed_ns // 2, wall_ns)
        else:
            self._now_ns = self._provisional_ns(steady_ns)
        return self._now_ns // _MS

    def wall_ms(self) -> int:
        """Return what the wall clock shows [ms since 1970 UTC]."""
        return self._wall_ns() // _MS

    def since_start_ms(self) -> int:
        """Return the time since the machine's start [ms]."""
        return self._steady_ns() // _MS

    def anchor(self) -> Anchor:
        """Return what the time since the machine's start is now by the wall clock."""
        return Anchor(self.boot, self.since_start_ms(), self.wall_ms())

    def becomes_known(self) -> bool:
        """Believe the wall clock, if it can be believed for the first time; tell whether that is so."""
        if self._known or not self._is_plausible() or self._wall_ns() < self._now_ns:
            return False
        self._known, self._now_ns, self._passed_ns = True, self._wall_ns(), self._steady_ns()
        self.jumps += 1
        return True

    def _is_plausible(self) -> bool:
        return self._wall_ns() >= BUILT_MS * _MS and (not self._wait_for_sync or self._is_synchronised())

    @staticmethod
    def _provisional_ns(steady_ns: int) -> int:
        return BUILT_MS * _MS + steady_ns


def since_start_ns() -> int:
    """Return the time since the machine's start, with what it slept where the system tells that [ns]."""
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()


def boot_id() -> str:
    """Return a name of this run of the machine, 16 hex digits; of this process where the system has none."""
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    except OSError:
        return secrets.token_hex(8)
    return text.replace("-", "")[:16]


def kernel_is_synchronised() -> bool:
    """Tell whether the kernel says that somebody keeps the wall clock right; True where it says nothing."""
    if sys.platform != "linux":
        return True
    state: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return state != _UNSYNCHRONISED
