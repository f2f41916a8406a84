"""Which meter a demo's fault strikes, and when: from the seed alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

from config.loading import AgentConfig
from core.timeline import HALF_HOUR_MS, Interval
from simulators.modbus.faults import Fault

SAFE_SHARE = (0.1, 0.9)
"""Where in the run a fault may strike, so that there is work before and after it."""

_MINUTE_MS = 60_000

LASTING_MIN: Mapping[Fault, int | None] = MappingProxyType(
    {
        Fault.METER_SILENT: 12,
        Fault.GATEWAY_BUSY: 12,
        Fault.GARBLED_REPLIES: 12,
        Fault.LATE_REPLIES: 12,
        Fault.NO_VALUE: 90,
        Fault.FROZEN_REGISTER: 180,
        Fault.REGISTER_DIP: 12,
        Fault.WORD_ORDER_SWAPPED: 90,
        Fault.REGISTER_RESET: None,
    }
)
"""Faults of a meter that make sense in a month, and how long they last [min]; None: to its end.

Short where a request waits for its deadline, because time stands still meanwhile.
"""

_BEFORE_MS = 5 * _MINUTE_MS
"""Each begins so long before a half-hour, so that it strikes the readings of a boundary [ms]."""


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault of one meter in [from, until) [ms since 1970-01-01 UTC]; `until_ms` None: to the end."""

    fault: Fault
    meter: str
    from_ms: int
    until_ms: int | None


def moment(interval: Interval, random: Random) -> int:
    """Return a moment well inside an interval [ms since 1970-01-01 UTC]."""
    low, high = SAFE_SHARE
    return interval.start_ms + int(interval.duration_ms * (low + (high - low) * random.random()))


def strikes(
    faults: Sequence[str], agents: Sequence[AgentConfig], interval: Interval, seed: int
) -> tuple[Strike, ...]:
    """Return what the faults of meters among `faults` do; others are passed over.

    Parameters
    ----------
    faults
        Names, in the order given.
    agents
        Whose Modbus meters may be struck.
    interval
        The run.
    seed
        Of the run.
    """
    meters = sorted(device.id for agent in agents for device in agent.devices if device.modbus is not None)
    found = []
    for number, name in enumerate(faults):
        if name in LASTING_MIN:
            fault = Fault(name)
            random = Random(f"{seed}/{number}/{fault}")
            from_ms = moment(interval, random) // HALF_HOUR_MS * HALF_HOUR_MS - _BEFORE_MS
            lasting_min = LASTING_MIN[fault]
            until_ms = None if lasting_min is None else from_ms + lasting_min * _MINUTE_MS
            found.append(Strike(fault, random.choice(meters), from_ms, until_ms))
    return tuple(found)
