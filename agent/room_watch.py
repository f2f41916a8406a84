"""Looks after the spool: makes it durable in groups, and says when its room gets short or is there again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

from agent.counters import Event
from agent.spool import Room, Spool
from core.delivery.frames import Lane

log = logging.getLogger(__name__)

REGISTERS_GROUPS: Final = 10
"""Registers of so many groups become durable together [1]."""

_LEAST_BYTES: Final = 1_000_000
_HOURS_A_DAY: Final = 24
_LOOK_S: Final = 1.0
_TELL_EVERY: Final = 60


class RoomWatch:
    """Notices when the spool's room gets short, long before anything is lost.

    Parameters
    ----------
    spool
        The spool.
    now_ms
        The clock that events carry [ms since 1970 UTC].
    """

    def __init__(self, spool: Spool, now_ms: Callable[[], int]) -> None:
        self._spool, self._now_ms = spool, now_ms
        self._is_short = False

    def look(self) -> Iterator[Event]:
        """Yield an event if the room has become short, or no longer is; it is logged, too.

        Raises
        ------
        OutsideError
            If the disk refuses.
        """
        room = self._spool.room
        if room.alarm == self._is_short:
            return
        self._is_short = room.alarm
        if room.alarm:
            log.warning("the spool's room gets short", extra=_seen(room) | {"next": "seiren agent doctor"})
        else:
            log.info("the spool has room again", extra=_seen(room))
        yield {
            "event": "spool_alarm" if room.alarm else "spool_alarm_over",
            "time_ms": self._now_ms(),
            "waiting_bytes": room.waiting_bytes,
            "limit_bytes": room.limit_bytes,
            "registers_left_bytes": room.registers_left_bytes,
        }


async def flush_in_groups(
    spool: Spool, group_s: float, now_ms: Callable[[], int], tell: Callable[[Event], None]
) -> None:
    """Make samples durable each group, registers each ten, until cancelled: fewer frames are less to keep.

    In its first groups a run does not wait, so that whoever has started it soon sees that it works.

    Parameters
    ----------
    group_s
        Length of a group [s].
    now_ms
        The clock that events carry [ms since 1970 UTC].
    tell
        Takes an event, if the room has become short or no longer is.

    Raises
    ------
    OutsideError
        If the disk refuses, or is full.
    """
    watch = RoomWatch(spool, now_ms)
    for group in count(1):
        await asyncio.sleep(group_s)
        if group > REGISTERS_GROUPS and group % REGISTERS_GROUPS:
            await spool.flush((Lane.SAMPLES,))
            continue
        for event in watch.look():
            tell(event)
        await spool.flush()


async def wait_for_room(spool: Spool, stop: asyncio.Event) -> None:
    """Return when registers have room, or when `stop` is set; meanwhile the uplink may deliver what is there.

    An agent that has stopped because its disk was full is started again by the system: it must send before
    it reads.

    Raises
    ------
    OutsideError
        If the disk refuses.
    """
    looks = 0
    while not stop.is_set() and not _has_room(room := spool.room):
        if looks % _TELL_EVERY == 0:
            log.error(
                "the disk is full: nothing is read until there is room; what is there is sent meanwhile",
                extra=_seen(room) | {"next": "free space on this disk, never files of the spool"},
            )
        looks += 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_S):
                await stop.wait()


def _has_room(room: Room) -> bool:
    """Whether it is worth while to begin: for an hour's registers at least."""
    return room.registers_left_bytes >= max(_LEAST_BYTES, (room.registers_bytes_per_day or 0) // _HOURS_A_DAY)


def _seen(room: Room) -> dict[str, str]:
    return {
        "seen": f"{room.waiting_bytes / 1e6:,.1f} MB wait in {room.limit_bytes / 1e6:,.1f} MB; "
        f"{room.free_bytes / 1e6:,.1f} MB free on its disk"
    }
