"""One device, asked everything that a person has to know before it is trusted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from agent.modbus.bus import Bus
from agent.modbus.device import ModbusDevice
from agent.points import profile_points, register_point, register_points
from agent.readings import Identity
from agent.tools.asking import (
    GENTLE_S,
    Asker,
    OutOfRequests,
    Pause,
    Received,
    based,
    read_neighbours,
    read_points,
)
from agent.tools.bands import Setup
from agent.tools.evaluation import Case, World, evaluate
from agent.tools.measuring import Measured, measure
from agent.tools.steps import PATIENCE_S
from agent.tools.variants import Entry
from config.agent import AgentConfig, Device
from config.profile import Profile, load_profile
from core.errors import OutsideError, Unreachable, UsageError
from core.metering.quantities import Kind

_NEIGHBOUR_S: Final = 1.0
_MOST_OTHERS: Final = 8


@dataclass(frozen=True, slots=True)
class Examined:
    """A device that answers.

    Attributes
    ----------
    case
        What was received.
    identity
        What it says it is.
    measured
        How it answers; None where it was not measured.
    requests
        How many were sent in all [1].
    """

    device: Device
    where: str
    profile: Profile
    case: Case
    identity: Identity
    measured: Measured | None
    requests: int


@dataclass(frozen=True, slots=True)
class Silent:
    """A device that does not answer.

    Attributes
    ----------
    fault
        How it was silent.
    others
        Device on the same bus → whether it answers.
    """

    device: Device
    where: str
    fault: OutsideError
    others: Mapping[str, bool] = field(default_factory=dict)


def chosen(config: AgentConfig, name: str) -> Device:
    """Return a Modbus device of a configuration by its id.

    Raises
    ------
    UsageError
        If there is no such device, or it is read by OPC UA.
    """
    for device in config.devices:
        if device.id == name:
            if device.modbus is None:
                raise UsageError(
                    "Only a Modbus device can be probed",
                    evidence=f"{name} is read by OPC UA from {config.where(device)}",
                    next="seiren agent check --connect reads it once",
                )
            return device
    raise UsageError(
        "There is no such device in the configuration",
        evidence=name,
        next=f"choose one of: {', '.join(device.id for device in config.devices)}",
    )


async def examine(
    config: AgentConfig,
    device: Device,
    *,
    seconds: float,
    now_ms: Callable[[], int],
    pause: Pause,
    clock: Callable[[], float] = time.monotonic,
) -> Examined | Silent:
    """Ask a device what it has, twice, and how it likes to be asked.

    Parameters
    ----------
    config, device
        Whom.
    seconds
        Time between the two readings [s]; 0: there is only one.
    now_ms, pause, clock
        The clock [ms since 1970-01-01 UTC], how to wait [s], and a monotonic clock [s].
    """
    assert device.modbus is not None
    assert device.profile is not None
    link = replace(config.link(device), connections=1)
    profile = load_profile(device.profile)
    where = f"{link.where} unit {device.modbus.unit}"
    bus = Bus(replace(link, gap_ms=0), now_ms=now_ms, clock=clock)
    asker = Asker(bus, device.modbus.unit, pause, gap_s=max(GENTLE_S, link.gap_ms / 1000))
    entries = _entries(device, profile)
    limit = min(profile.max_registers, link.max_registers)
    try:
        entries = await based(asker, profile, entries)
        at_ms = now_ms()
        first = await read_points(asker, profile, entries, limit=limit)
        case = _believed(Case(entries, first.words, Setup.of(device), refused=first.refused))
        identity = await _identify(bus, device, profile)
        measured = await _measured(asker, first)
        if seconds > 0 and first.words:
            case = await _again(asker, profile, case, at_ms, seconds, limit, now_ms)
        if evaluate(case, World(case.setup)).against > 0:
            await read_neighbours(asker, profile, first, case.entries)
            case = replace(case, first=first.words)
    except OutsideError as error:
        return Silent(device, where, error, await _others(config, device, bus, pause))
    finally:
        await bus.close()
    return Examined(device, where, profile, case, identity, measured, bus.stats.requests)


def _entries(device: Device, profile: Profile) -> tuple[Entry, ...]:
    """The points that are configured, and the profile's other gauges as witnesses."""
    configured = dict(profile_points(device))
    others = {
        name: point
        for name, point in profile.points.items()
        if name not in configured and point.quantity.kind is Kind.GAUGE
    }
    return tuple(
        Entry(name, point, register_point(name, point, profile), witness=name in others)
        for name, point in {**configured, **others}.items()
    )


def _believed(case: Case) -> Case:
    """Leave out witnesses that the device does not have, or that are odd where most are not."""
    found = evaluate(case, World(case.setup))
    witnesses = {entry.name for entry in case.entries if entry.witness}
    missing = witnesses & case.refused.keys()
    odd = found.bad - missing
    if not (odd <= witnesses and 3 * len(odd) <= len(witnesses & (found.good | odd))):
        odd = frozenset()
    left_out = missing | odd
    return replace(
        case,
        entries=tuple(entry for entry in case.entries if entry.name not in left_out),
        refused={name: how for name, how in case.refused.items() if name not in left_out},
    )


async def _identify(bus: Bus, device: Device, profile: Profile) -> Identity:
    assert device.modbus is not None
    source = ModbusDevice(
        bus, unit=device.modbus.unit, profile=profile, link=bus.link, lanes=register_points(device)
    )
    try:
        return await source.identify() or Identity()
    except OutsideError:
        return Identity()


async def _measured(asker: Asker, received: Received) -> Measured | None:
    blocks = [block for block in received.blocks if (block.function, block.address) in received.words]
    if not blocks:
        return None
    try:
        return await measure(asker, blocks)
    except OutOfRequests:
        return None


async def _again(
    asker: Asker,
    profile: Profile,
    case: Case,
    at_ms: int,
    seconds: float,
    limit: int,
    now_ms: Callable[[], int],
) -> Case:
    """Read once more later, and much later if a register stands still though power flows."""
    answering = [entry for entry in case.entries if entry.name not in case.refused]
    for until_s in (seconds, max(PATIENCE_S, seconds)):
        await asker.pause(max(0.0, until_s - (now_ms() - at_ms) / 1000))
        later_ms = now_ms()
        try:
            later = await read_points(asker, profile, answering, limit=limit)
        except (OutOfRequests, Unreachable):
            return case
        case = replace(case, later=later.words, elapsed_s=(later_ms - at_ms) / 1000)
        if not any(each.kind == "still" for each in evaluate(case, World(case.setup)).relations):
            break
    return case


async def _others(config: AgentConfig, device: Device, bus: Bus, pause: Pause) -> dict[str, bool]:
    """Ask one register of each other device of the same bus."""
    link = config.link(device)
    answers: dict[str, bool] = {}
    await bus.close()
    for other in config.devices:
        if other is device or other.modbus is None or other.profile is None or config.link(other) != link:
            continue
        if len(answers) >= _MOST_OTHERS:
            break
        profile = load_profile(other.profile)
        _, point = next(iter(profile_points(other)))
        asker = Asker(bus, other.modbus.unit, pause)
        try:
            await asker.words(profile.function_of(point), point.span[0], 1, within_s=_NEIGHBOUR_S)
        except Unreachable:
            answers[other.id] = False
        except OutsideError:  # it refuses, so it is there
            answers[other.id] = True
        else:
            answers[other.id] = True
    return answers
