"""Until when energy is safe (pure).

A register is safe on the disk until nothing there may make way for it any more: then the agent stops. Samples
make way before. A register that is not read counts on in its meter; what cannot be mended is a month that
ends meanwhile.
"""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from agent.health.facts import Facts
from agent.health.findings import Verdict
from agent.health.meters import DAY_MS, counts_read, next_month_ms
from core.runtime.words import duration, stamp

FULL_BYTES: Final = 50_000_000
"""A disk with less than this free is taken for full [bytes]."""
MEASURED_S: Final = 60
"""The spool's growth counts once it has been measured for this long [s]."""
_PLANNING_MS: Final = 3650 * DAY_MS

_LEAST_BYTES: Final = 1_000_000

_KEEPS: Final = "registers go to this disk, and samples make way for them; once it is full the agent stops"


def full_ms(facts: Facts | None, now_ms: int) -> int | None:
    """Return when registers have no room if nothing is delivered [ms since 1970 UTC]; None: not known."""
    if facts is None or not facts.spool.registers_bytes_per_day:
        return None
    return _when(facts.spool.registers_left_bytes, facts.spool.registers_bytes_per_day, now_ms)


def samples_full_ms(facts: Facts | None, now_ms: int) -> int | None:
    """Return when samples are dropped if nothing is delivered [ms since 1970 UTC]; None: not known."""
    if facts is None or facts.spool.bytes_per_day is None:
        return None
    rate = facts.spool.bytes_per_day - (facts.spool.registers_bytes_per_day or 0)
    return _when(facts.spool.samples_left_bytes, rate, now_ms) if rate > 0 else None


def is_full(facts: Facts | None, free_bytes: int) -> bool:
    """Tell whether a disk with so much free, and what the agent says of it, counts as full."""
    return free_bytes < FULL_BYTES or (facts is not None and facts.spool.registers_left_bytes < _LEAST_BYTES)


def _when(left_bytes: int, rate: int, now_ms: int) -> int:
    """When so much is used up at a rate a day."""
    return now_ms + min(left_bytes * DAY_MS // rate, _PLANNING_MS)


def verdict(
    facts: Facts | None,
    *,
    now_ms: int,
    tz: ZoneInfo,
    is_running: bool,
    free_bytes: int | None,
    is_urgent: bool,
) -> Verdict:
    """Return the line that matters at night.

    Parameters
    ----------
    facts
        What the agent tells; None where it does not.
    now_ms
        Now [ms since 1970 UTC].
    tz
        The site's time zone.
    is_running
        Whether the agent runs, for all that is known.
    free_bytes
        Free space of the spool's disk [bytes]; None: not known.
    is_urgent
        Whether a fault was found that cannot wait for the morning.
    """
    if facts is None and is_running:
        return Verdict(
            "unknown", None, "ENERGY: NOT CHECKED.", "the agent runs, and could not be asked", False
        )
    if free_bytes is not None and is_full(facts, free_bytes):
        return Verdict(
            "risk", None, "ENERGY IS AT RISK NOW: the disk is full.", "the agent stops on a full disk", False
        )
    if facts is None or not counts_read(facts.devices):
        return _in_the_meters(facts, now_ms, tz)
    ends_ms = full_ms(facts, now_ms)
    lost = sum(sum(lane.lost_by_reason.values()) for lane in facts.lanes.values())
    why = f"{_KEEPS}; {f'{lost:,} readings named' if lost else 'no reading'} lost so far"
    if ends_ms is None:
        text = "ENERGY IS SAFE NOW. Until when is not known yet."
        return Verdict(
            "safe", None, text, f"{why}; growth measured for {facts.spool.measured_s} s only", False
        )
    month_ms = next_month_ms(now_ms, tz)
    silent = any(device.has_counter and device.state == "silent" for device in facts.devices)
    tonight = not is_urgent and ends_ms - now_ms > DAY_MS and not (silent and month_ms - now_ms <= DAY_MS)
    last = " Nothing has to be done tonight." if tonight else ""
    if ends_ms - now_ms >= _PLANNING_MS:
        return Verdict("safe", None, f"ENERGY IS SAFE FOR YEARS.{last}", why, tonight)
    return Verdict("safe", ends_ms, f"ENERGY IS SAFE UNTIL {stamp(ends_ms, tz)}.{last}", why, tonight)


def _in_the_meters(facts: Facts | None, now_ms: int, tz: ZoneInfo) -> Verdict:
    """No energy register is read: only the meters' own count is there."""
    month_ms = next_month_ms(now_ms, tz)
    nobody = "the agent is not running" if facts is None else "no energy register is read"
    why = (
        "what was read is on the disk, and the meters count on; "
        "a month that ends unread can only be told by bounds"
    )
    if month_ms - now_ms <= DAY_MS:
        left = duration(month_ms - now_ms)
        text = f"ENERGY IS AT RISK NOW: {nobody}, the month ends in {left}."
        return Verdict("risk", month_ms, text, why, False)
    text = f"ENERGY IS SAFE UNTIL {stamp(month_ms, tz)}, in the meters only."
    return Verdict("safe", month_ms, text, f"{nobody}; {why}", False)
