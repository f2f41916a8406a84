"""The agent's configuration, ``agent.yaml``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from config.devices import Device, OpcUa, OpcUaNode, Side, twice
from config.documents import validate
from config.links import FilePath, Gateway, Modbus, ModbusLink, Tls, shared_link
from config.profile import with_profile_paths
from config.reading import read_yaml
from config.strict import Host, Id, Model, Port, Problem, TimeZone

__all__ = [
    "AgentConfig",
    "Broker",
    "Device",
    "Gateway",
    "IdentityLane",
    "Modbus",
    "ModbusLink",
    "OpcUa",
    "OpcUaNode",
    "RegistersLane",
    "SamplesLane",
    "Side",
    "Tls",
    "load_agent",
]

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class Broker(Model):
    """Where the MQTT broker listens."""

    host: Host
    port: Port = 1883


class RegistersLane(Model):
    """When counters are read: every `every_s` [s], and on both sides of each half-hour.

    `boundary_margin_ms` [ms] is how far before and after. `spread` shifts each device's readings by a
    phase of its own, so that not all are asked in one instant; those at the half-hours are never shifted.
    """

    every_s: Seconds = 60
    boundary_margin_ms: Annotated[int, Field(ge=0, le=60_000)] = 2000
    spread: bool = True


class SamplesLane(Model):
    """When gauges are read: every `every_s` [s], with `spread` as counters.

    A gauge with a deadband is reported at least every `at_least_every_s` [s], changed or not.
    """

    every_s: Seconds = 10
    spread: bool = True
    at_least_every_s: Seconds = 300


class IdentityLane(Model):
    """When devices are asked who they are: on connecting, and every `every_s` [s]."""

    every_s: Seconds = 86_400


class AgentConfig(Model):
    """Everything one agent is told.

    Attributes
    ----------
    required_ledgers
        Names of the ledgers that must all hold a frame before it is forgotten.
    spool
        Folder of the spool; absolute once loaded.
    metrics_port
        Loopback port of the agent's own metrics; None: off.
    gateways
        Id → what several units share.
    """

    agent: Id
    site: Id
    time_zone: TimeZone
    broker: Broker
    required_ledgers: Annotated[tuple[Id, ...], Field(min_length=1)]
    spool: FilePath = Path("spool")
    registers: RegistersLane = RegistersLane()
    samples: SamplesLane = SamplesLane()
    identity: IdentityLane = IdentityLane()
    metrics_port: Port | None = 9464
    gateways: dict[Id, Gateway] = Field(default_factory=dict)
    devices: Annotated[tuple[Device, ...], Field(min_length=1)]

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the devices, alone and together."""
        yield from twice((("required_ledgers", i), name) for i, name in enumerate(self.required_ledgers))
        if len(set(self.required_ledgers)) > 1:
            yield Problem(
                ("required_ledgers", 1),
                "An agent delivers to exactly one ledger in this release.",
                evidence=", ".join(self.required_ledgers),
                next="name one of them",
            )
        yield from twice((("devices", i, "id"), device.id) for i, device in enumerate(self.devices))
        yield from self._shared_addresses()
        for index, device in enumerate(self.devices):
            yield from device.problems_at(("devices", index), self.registers.every_s)

    def link(self, device: Device) -> ModbusLink:
        """Return the bus that a Modbus device answers on."""
        assert device.modbus is not None
        if device.modbus.gateway is not None:
            return self.gateways[device.modbus.gateway].link(device.modbus.gateway)
        place = device.modbus.place
        return shared_link(
            each.modbus for each in self.devices if each.modbus is not None and each.modbus.place == place
        )

    def where(self, device: Device) -> str:
        """Return where a device answers, for people."""
        if device.modbus is not None:
            return f"{self.link(device).name} unit {device.modbus.unit}"
        assert device.opcua is not None
        return device.opcua.url

    def _shared_addresses(self) -> Iterator[Problem]:
        seen: dict[str, str] = {}
        for index, device in enumerate(self.devices):
            if device.modbus is None:
                continue
            if device.modbus.gateway is not None and device.modbus.gateway not in self.gateways:
                yield Problem(
                    ("devices", index, "modbus", "gateway"), "No such gateway.", device.modbus.gateway
                )
                continue
            peer = self.where(device)
            if peer in seen:
                yield Problem(
                    ("devices", index, "modbus"),
                    f"{device.id} and {seen[peer]} have the same address.",
                    evidence=peer,
                    cause="one meter would be booked twice",
                    next="correct the unit number, or remove one of them",
                )
            seen.setdefault(peer, device.id)


def load_agent(path: Path) -> AgentConfig:
    """Return an agent's configuration; the paths in it are relative to the file.

    Raises
    ------
    ConfigError
        If anything in it is wrong, with file, line and key.
    """
    data, lines = read_yaml(path)
    config = validate(with_profile_paths(data, path.parent), lines, AgentConfig)
    return config.model_copy(update={"spool": path.resolve().parent / config.spool})
