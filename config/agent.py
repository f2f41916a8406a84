"""The agent's configuration, ``agent.yaml``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, Field, ValidationError

from config.broker import HERE, AgentBroker, SiteId
from config.buses import Placed, bus_problems, bus_warnings
from config.devices import Device, Side, twice, without
from config.documents import Examined, examine
from config.lanes import IdentityLane, RegistersLane, SamplesLane
from config.links import Gateway, Modbus, ModbusLink, shared_link
from config.metrics import MetricsPort
from config.opcua import OpcUa, OpcUaNode
from config.profile import with_profile_paths
from config.reading import read_yaml
from config.spool_limits import SpoolRoom
from config.strict import Id, Loc, Model, Problem, TimeZone, Wrong
from config.tls import FilePath, Tls, with_file_paths

__all__ = [
    "AgentBroker",
    "AgentConfig",
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
    "SpoolRoom",
    "Tls",
    "examine_agent",
    "load_agent",
]

M = TypeVar("M", bound=Model)
_FORGOTTEN: Final = ("/tmp", "/dev/shm", "/run", "/var/run")


def _spool(value: Path) -> Path:
    if str(value) in (".", "..", "/") or value.suffix in (".yaml", ".yml"):
        raise Wrong(
            "must be a folder that holds nothing else",
            cause="it is the configuration's own place" if str(value) != "/" else "it is the whole disk",
            next="write spool, or a folder of a safe disk such as /var/lib/seiren/spool",
        )
    return value


class ClockSettings(Model):
    """When the machine's clock is believed.

    Attributes
    ----------
    wait_for_sync
        Not before the kernel says that it is synchronised: for machines without a clock of their own.
    """

    wait_for_sync: bool = False


class AgentConfig(Model):
    """Everything one agent is told.

    Attributes
    ----------
    required_ledgers
        Names of the ledgers that must all hold a frame before it is forgotten.
    spool
        Folder of the spool; absolute once loaded.
    spool_limits
        How much of its disk the spool may take.
    metrics_port
        Loopback port of the agent's own metrics; None: off.
    gateways
        Id → what several units share.
    """

    agent: Id
    site: SiteId
    time_zone: TimeZone
    broker: AgentBroker
    required_ledgers: Annotated[tuple[Id, ...], Field(min_length=1)]
    spool: Annotated[FilePath, AfterValidator(_spool)] = Path("spool")
    spool_limits: SpoolRoom = SpoolRoom()
    registers: RegistersLane = RegistersLane()
    samples: SamplesLane = SamplesLane()
    identity: IdentityLane = IdentityLane()
    clock: ClockSettings = ClockSettings()
    metrics_port: MetricsPort | None = 9464
    gateways: dict[Id, Gateway] = Field(default_factory=dict)
    devices: Annotated[tuple[Device, ...], Field(min_length=1)]

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the settings, and with the devices, alone and together."""
        yield from twice((("required_ledgers", i), name) for i, name in enumerate(self.required_ledgers))
        yield from self.broker.problems_at(("broker",))
        taken = {(self.broker.host, self.broker.port): "the broker"}
        taken |= {placed.unit.place: placed.device for placed in _units(dict(enumerate(self.devices)))}
        taken |= {gateway.place: name for name, gateway in self.gateways.items()}
        for host, port in taken:
            if port == self.metrics_port and host in HERE:
                yield Problem(
                    ("metrics_port",),
                    "The port is used twice on this machine.",
                    evidence=f"{port}, by {taken[host, port]} too",
                    next="choose another one, or null for no metrics",
                )
        for name, lane in (("registers", self.registers), ("samples", self.samples)):
            yield from _under(name, lane.problems())
        yield from _device_problems(self.registers.every_s, self.gateways, dict(enumerate(self.devices)))

    def warnings(self) -> Iterator[Problem]:
        """Yield what works, and is still not as it should be."""
        yield from self.broker.warnings_at(("broker",))
        if str(self.spool).startswith(_FORGOTTEN):
            yield Problem(
                ("spool",),
                "What stands here is gone after the next start of the machine.",
                evidence=str(self.spool),
                cause="these folders are in memory, or are cleared",
                next="write a folder of a safe disk, such as /var/lib/seiren/spool",
            )
        yield from bus_warnings(self.gateways, _units(dict(enumerate(self.devices))))
        for index, device in enumerate(self.devices):
            yield from device.warnings_at(("devices", index))
        links = [self.link(device) for device in self.devices if device.modbus is not None]
        slowest = max(links, key=lambda link: link.timeout_s, default=None)
        if slowest is not None and slowest.timeout_s >= self.samples.every_s:
            yield Problem(
                ("samples", "every_s"),
                "One silent unit takes a whole period of its bus.",
                evidence=f"timeout_s {slowest.timeout_s:g} of {slowest.name}; "
                f"read every {self.samples.every_s:g} s",
                next="a shorter timeout_s (1 to 3 s is usual), or a longer period",
            )

    @classmethod
    def problems_of_rest(cls, data: Any, faulty: Collection[Loc]) -> Iterator[Problem]:
        """Yield problems of the well-formed lanes, gateways and devices of an ill-formed file."""
        if not isinstance(data, dict):
            return
        registers = _well_formed(RegistersLane, data.get("registers", {}))
        samples = _well_formed(SamplesLane, data.get("samples", {}))
        for name, lane in (("registers", registers), ("samples", samples)):
            yield from _under(name, lane.problems() if lane else ())
        gateways = data["gateways"] if isinstance(data.get("gateways"), dict) else {}
        devices: dict[int, Device] = {}
        unplaced = set()
        for index, raw in enumerate(data["devices"] if isinstance(data.get("devices"), tuple) else ()):
            inside = {loc[2:] for loc in faulty if loc[:2] == ("devices", index)}
            if device := without(raw, inside):
                devices[index] = device
            if any(loc[0] in ("modbus", "opcua", "id") for loc in inside if loc):
                unplaced.add(index)
        yield from _device_problems(
            registers.every_s if registers else 0,
            {name: _well_formed(Gateway, raw) for name, raw in gateways.items()},
            devices,
            unplaced,
        )

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


def _units(devices: Mapping[int, Device], unplaced: Collection[int] = ()) -> tuple[Placed, ...]:
    """Modbus units with where they are described."""
    return tuple(
        Placed(("devices", index, "modbus"), device.id, device.modbus)
        for index, device in devices.items()
        if device.modbus is not None and index not in unplaced
    )


def _device_problems(
    every_s: float,
    gateways: Mapping[str, Gateway | None],
    devices: Mapping[int, Device],
    unplaced: Collection[int] = (),
) -> Iterator[Problem]:
    """What is wrong with devices; addresses of those that are unplaced are not known."""
    placed = {index: device for index, device in devices.items() if index not in unplaced}
    yield from twice((("devices", index, "id"), device.id) for index, device in placed.items())
    yield from twice(
        (("devices", index, "nodes", number), " ".join(filter(None, (device.opcua.url, *node.address))))
        for index, device in placed.items()
        if device.opcua is not None
        for number, node in enumerate(device.nodes or ())
    )
    yield from bus_problems(gateways, _units(devices, unplaced))
    for index, device in devices.items():
        yield from device.problems_at(("devices", index), every_s)
        if device.modbus is not None and index not in unplaced:
            name = device.modbus.gateway
            via = gateways.get(name) if name is not None else device.modbus
            at: Loc = ("devices", index, "modbus") if name is None else ("gateways", name)
            if via is not None:
                yield from device.too_wide((*at, "max_registers"), via.max_registers)


def _under(key: str, problems: Iterable[Problem]) -> Iterator[Problem]:
    """Problems of a part, with their place in the whole."""
    return (replace(problem, loc=(key, *problem.loc)) for problem in problems)


def _well_formed(model: type[M], data: Any) -> M | None:
    """A part as its model, or None."""
    try:
        return model.model_validate(data)
    except ValidationError:
        return None


def examine_agent(path: Path) -> Examined[AgentConfig]:
    """Return an agent's configuration, or everything that is wrong with it.

    Raises
    ------
    ConfigError
        If the file cannot be read, or is no YAML.
    """
    data, lines = read_yaml(path)
    data = with_file_paths(with_profile_paths(data, path.parent), path.parent)
    found = examine(data, lines, AgentConfig)
    if found.document is None:
        return found
    spool = path.resolve().parent / found.document.spool
    return replace(found, document=found.document.model_copy(update={"spool": spool}))


def load_agent(path: Path) -> AgentConfig:
    """Return an agent's configuration; the paths in it are relative to the file.

    Raises
    ------
    ConfigError
        If anything in it is wrong, with file, line and key.
    """
    return examine_agent(path).accepted()
