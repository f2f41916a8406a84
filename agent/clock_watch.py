"""Whether somebody has set the clock, and when its time becomes known: told in the log and as events."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from agent.counters import Event
from agent.memory import Memory
from core.runtime.steady import STEP_MS, SteadyClock

log = logging.getLogger(__name__)


class ClockWatch:
    """Compares the wall clock with one that nobody can set, whenever it is asked to.

    Parameters
    ----------
    clock
        The agent's clock.
    memory
        Where the next run finds that readings of this run of the machine still wait for their time.
    """

    def __init__(self, clock: SteadyClock, memory: Memory) -> None:
        self._clock, self._memory = clock, memory
        self._ahead_ms = clock.wall_ms() - clock.since_start_ms()
        self._waits = clock.unknown is not None
        if self._waits:
            memory.waits_for_boot = clock.boot
            memory.save()
            log.warning(
                "the clock cannot be right; readings are kept with the time since the machine's start",
                extra={
                    "seen": f"it shows {clock.wall_ms() // 1000} s since 1970, or is not synchronised",
                    "cause": "the machine has no clock of its own, and has not heard from a time server yet",
                    "next": "chronyc tracking; timedatectl",
                },
            )

    def look(self) -> Iterator[Event]:
        """Yield what is to be recorded: the anchor, once time is known; steps of the clock."""
        clock = self._clock
        ahead_ms = clock.wall_ms() - clock.since_start_ms()
        by_ms, self._ahead_ms = ahead_ms - self._ahead_ms, ahead_ms
        if self._waits:
            if not clock.becomes_known():
                return
            self._waits = False
            log.info("the clock is right now; the readings since the machine's start get their times")
        elif abs(by_ms) >= STEP_MS:
            _tell(by_ms)
            yield {"event": "clock_step", "time_ms": clock.now_ms(), "by_ms": by_ms}
        if clock.unknown is None and self._memory.waits_for_boot == clock.boot:
            self._memory.waits_for_boot = ""
            yield {"event": "anchor", **clock.anchor()._asdict()}


def _tell(by_ms: int) -> None:
    """Say that the clock was set, and what follows."""
    more = {"cause": "somebody or something set it at once", "next": "chronyc tracking"}
    if by_ms < 0:
        more["seen"] = "readings' times go on at half speed until it has caught up: they never go back"
        more["next"] += "; where it had been far ahead, start the agent again: times then go back"
    log.warning("the clock was set by %+.3f s", by_ms / 1000, extra=more)
