"""Does a cycle of readings fit on its bus? Pure arithmetic, before anything is connected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.modbus.plan import Block, is_bits, plan
from agent.points import register_points
from config.agent import AgentConfig, Device
from config.links import ModbusLink
from config.loading import load_profile
from config.strict import Problem
from core.delivery.frames import Lane

_CHARACTER_BITS: Final = 11
_REQUEST_BYTES: Final = 8
_REPLY_BYTES: Final = 5
_SILENCE: Final = 3.5
"""Before each frame of a serial line [characters]."""
_FASTEST_SILENCE_S: Final = 0.00175
"""The silence above 19,200 bit/s (MODBUS over serial line V1.02, 2.5.1.1) [s]."""
_FULL: Final = 0.8
"""Share of the time above which nothing is left for repeats and for the half-hours [1]."""


@dataclass(frozen=True, slots=True)
class BusTime:
    """What one lane takes of one bus in each period.

    Attributes
    ----------
    requests
        In one period [1].
    frames_s, pauses_s
        Of it, at least: frames at the baud rate, and `gap_ms` after each [s].
    every_s
        The period [s].
    """

    requests: int
    frames_s: float
    pauses_s: float
    every_s: float

    @property
    def share(self) -> float:
        """Of the bus's time [1]; above 1 it cannot be."""
        return (self.frames_s + self.pauses_s) / self.every_s

    def words(self, lane: str) -> str:
        """Return the arithmetic."""
        return (
            f"{self.requests} request{'s' * (self.requests > 1)} of {lane} = "
            f"{self.frames_s + self.pauses_s:.2f} s (frames {self.frames_s:.2f} + "
            f"pauses {self.pauses_s:.2f}) every {self.every_s:g} s"
        )


def bus_times(config: AgentConfig) -> dict[ModbusLink, dict[Lane, BusTime]]:
    """Return what each lane takes of each Modbus bus, without the time that devices take to answer."""
    blocks: dict[ModbusLink, dict[Lane, list[Block]]] = {}
    for device in config.devices:
        if device.modbus is not None:
            link = config.link(device)
            lanes = blocks.setdefault(link, {lane: [] for lane in Lane})
            for lane, asked in _blocks(device, link).items():
                lanes[lane] += asked
    every_s = {Lane.REGISTERS: config.registers.every_s, Lane.SAMPLES: config.samples.every_s}
    return {
        link: {
            lane: BusTime(
                len(asked),
                sum(frame_time_s(link, block) for block in asked),
                len(asked) * link.gap_ms / 1000 / link.connections,
                every_s[lane],
            )
            for lane, asked in lanes.items()
        }
        for link, lanes in blocks.items()
    }


def _blocks(device: Device, link: ModbusLink) -> dict[Lane, tuple[Block, ...]]:
    assert device.profile is not None
    profile = load_profile(device.profile)
    limit = min(profile.max_registers, link.max_registers)
    return {
        lane: plan(points, gap=profile.gap, limit=limit, forbidden=profile.forbidden)
        for lane, points in register_points(device).items()
    }


def frame_time_s(link: ModbusLink, block: Block) -> float:
    """Return how long request and reply take on the wire [s]; 0 on a socket, whose line is not known.

    References
    ----------
    MODBUS over serial line specification and implementation guide V1.02, 2006, 2.5.1.1.
    """
    if link.serial is None:
        return 0.0
    character_s = _CHARACTER_BITS / link.baud
    silence_s = _SILENCE * character_s if link.baud <= 19_200 else _FASTEST_SILENCE_S
    data = (block.count + 7) // 8 if is_bits(block.function) else 2 * block.count
    return (_REQUEST_BYTES + _REPLY_BYTES + data) * character_s + 2 * silence_s


def time_problems(config: AgentConfig) -> Iterator[Problem]:
    """Yield buses on which a period is too short for what is to be read in it."""
    for link, shares, evidence in _loads(config):
        if sum(shares.values()) > 1:
            lane = max(shares, key=lambda each: shares[each])
            yield Problem(
                (lane.value, "every_s"),
                f"{link.name} cannot be read so often: a period takes longer than it lasts.",
                evidence=evidence,
                cause=_cause(link),
                next=f"raise {lane.value}.every_s, read fewer points, or use more lines",
            )


def time_warnings(config: AgentConfig) -> Iterator[Problem]:
    """Yield buses that have hardly any time left."""
    for link, shares, evidence in _loads(config):
        if _FULL < sum(shares.values()) <= 1:
            lane = max(shares, key=lambda each: shares[each])
            yield Problem(
                (lane.value, "every_s"),
                f"{link.name} is nearly full: repeats and slow replies will make readings late.",
                evidence=evidence,
                cause=_cause(link),
                next=f"raise {lane.value}.every_s, or read fewer points",
            )


def _loads(config: AgentConfig) -> Iterator[tuple[ModbusLink, dict[Lane, float], str]]:
    """Buses with the share of each lane, and the arithmetic in words."""
    for link, lanes in bus_times(config).items():
        terms = [time.words(lane.value) for lane, time in lanes.items() if time.requests]
        shares = {lane: time.share for lane, time in lanes.items()}
        yield link, shares, f"{'; '.join(terms)}: {sum(shares.values()):.0%} of the time"


def _cause(link: ModbusLink) -> str:
    speed = f"{link.baud} bit/s" if link.serial is not None else "one request after the other"
    return f"{speed}, gap_ms {link.gap_ms}" + (
        f", {link.connections} connections" if link.connections > 1 else ""
    )
