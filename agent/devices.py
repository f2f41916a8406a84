"""From the configuration to what the devices are read from; devices of one bus share it."""

from __future__ import annotations

from collections.abc import Callable

from agent.modbus.bus import Bus
from agent.modbus.device import ModbusDevice
from agent.opcua.device import OpcUaDevice
from agent.opcua.session import OpcUaSession
from agent.points import node_points, register_points
from agent.readings import Source
from config.agent import AgentConfig, ModbusLink
from config.loading import load_profile


def open_sources(config: AgentConfig, *, now_ms: Callable[[], int]) -> dict[str, Source]:
    """Return what each device is read from, by its id; nothing is connected yet.

    Parameters
    ----------
    config
        The agent's configuration.
    now_ms
        The clock that readings carry [ms since 1970-01-01 UTC].
    """
    buses: dict[ModbusLink, Bus] = {}
    sessions: dict[str, OpcUaSession] = {}
    sources: dict[str, Source] = {}
    for device in config.devices:
        if device.modbus is not None and device.profile is not None:
            link = config.link(device)
            if link not in buses:
                buses[link] = Bus(link, now_ms=now_ms)
            sources[device.id] = ModbusDevice(
                buses[link],
                unit=device.modbus.unit,
                profile=load_profile(device.profile),
                link=link,
                lanes=register_points(device),
            )
        elif device.opcua is not None:
            session = sessions.setdefault(
                device.opcua.url,
                OpcUaSession(device.opcua.url, timeout_s=device.opcua.timeout_s, now_ms=now_ms),
            )
            sources[device.id] = OpcUaDevice(session, lanes=node_points(device))
    return sources
