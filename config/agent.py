"""The agent's configuration, ``agent.yaml``."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from config.documents import validate
from config.profile import Measure, Profile, fits, load_profile, with_profile_paths
from config.reading import read_yaml
from config.strict import (
    DIRECT,
    CtRatio,
    Id,
    Loc,
    Model,
    Port,
    PositiveExact,
    Problem,
    TimeZone,
    VtRatio,
)
from core.errors import ConfigError
from core.metering.quantities import Kind, Quantity, Unit

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
FilePath = Annotated[Path, Field(strict=False)]
_NODE: Final = r"(i=\d+|s=.+|g=[0-9A-Fa-f-]{36}|b=.+)"
Side = Literal["primary", "secondary"]
Host = Annotated[str, Field(min_length=1)]


class Broker(Model):
    """Where the MQTT broker listens."""

    host: Host
    port: Port = 1883


class RegistersLane(Model):
    """When counters are read: every `every_s` [s], and on both sides of each half-hour.

    `boundary_margin_ms` [ms] is how far before and after.
    """

    every_s: Seconds = 60
    boundary_margin_ms: Annotated[int, Field(ge=0, le=60_000)] = 2000


class SamplesLane(Model):
    """When gauges are read: every `every_s` [s]."""

    every_s: Seconds = 10


class ModbusTcp(Model):
    """A unit behind a Modbus TCP socket; `timeout_s` is the deadline of a whole reply [s]."""

    host: Host
    port: Port = 502
    unit: Annotated[int, Field(ge=1, le=255)]
    timeout_s: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 3


class OpcUa(Model):
    """An OPC UA server; a connection without security is asked for by name."""

    url: Annotated[str, Field(pattern=r"^opc\.tcp://[^/\s]+(/\S*)?$")]
    security: Literal["none"]
    timeout_s: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = 5


class OpcUaNode(Measure):
    """One value of an OPC UA server.

    `node` is a complete node id (``ns=2;s=Rectifier.Energy``); better is `namespace` (its URI) with
    `id` (``s=Rectifier.Energy``), which survives a server that numbers its namespaces anew.
    """

    name: Id | None = None
    node: Annotated[str, Field(pattern=rf"^(ns=\d+;)?{_NODE}$")] | None = None
    namespace: Annotated[str, Field(min_length=1)] | None = None
    id: Annotated[str, Field(pattern=rf"^{_NODE}$")] | None = None
    scale: PositiveExact = Fraction(1)

    @property
    def point_name(self) -> str:
        """Name inside the device: the quantity, where none is given."""
        return self.name or self.quantity.value

    @model_validator(mode="after")
    def _addressed_once(self) -> OpcUaNode:
        by_uri = self.namespace is not None and self.id is not None
        if (
            (self.node is not None) == by_uri
            or (self.node is None) != by_uri
            or (self.namespace is None) != (self.id is None)
        ):
            raise ValueError("needs either node, or namespace and id together")
        return self


class Device(Model):
    """A meter, or anything else that has a Modbus or OPC UA address."""

    id: Id
    profile: str | None = None
    modbus: ModbusTcp | None = None
    points: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    opcua: OpcUa | None = None
    nodes: Annotated[tuple[OpcUaNode, ...], Field(min_length=1)] | None = None
    ct: CtRatio = DIRECT
    vt: VtRatio = DIRECT
    side: Side = "primary"
    full_scale_kw: PositiveExact | None = None

    @model_validator(mode="after")
    def _one_way_to_read(self) -> Device:
        if (self.modbus is None) == (self.opcua is None):
            raise ValueError("needs either modbus (with profile) or opcua (with nodes)")
        if self.modbus is not None and (self.profile is None or self.nodes is not None):
            raise ValueError("is read by Modbus: it needs a profile, and no nodes")
        if self.opcua is not None and (
            self.nodes is None or self.profile is not None or self.points is not None
        ):
            raise ValueError("is read by OPC UA: it needs nodes, and neither profile nor points")
        return self

    @property
    def peer(self) -> str:
        """Where the device answers, for people."""
        if self.modbus is not None:
            return f"{self.modbus.host}:{self.modbus.port} unit {self.modbus.unit}"
        assert self.opcua is not None
        return self.opcua.url

    def limit_kw(self) -> Fraction | None:
        """Return the most power that the meter can see [kW]: full scale, or 1.2 × √3 × VT × CT."""
        if self.full_scale_kw is not None:
            return self.full_scale_kw
        if self.ct == DIRECT or self.vt == DIRECT:
            return None
        return self.ct.primary * self.vt.primary * Fraction(2079, 1000) / 1000

    def problems_at(self, loc: Loc, every_s: float) -> Iterator[Problem]:
        """Yield what is wrong with this device alone."""
        counters: list[tuple[str, Unit, Fraction, int]] = []
        if self.profile is not None:
            try:
                profile = load_profile(self.profile)
            except ConfigError as error:
                yield Problem(
                    (*loc, "profile"),
                    error.what,
                    error.evidence,
                    f"{error.where} {error.cause}".strip(),
                    error.next,
                )
                return
            yield from self._unknown_points(loc, profile)
            chosen = self.points or tuple(profile.points)
            counters += [
                (name, point.unit, point.scale, point.wrap_at)
                for name, point in profile.points.items()
                if name in chosen and point.wrap_at is not None
            ]
        for index, node in enumerate(self.nodes or ()):
            at = (*loc, "nodes", index)
            if node.quantity.kind is Kind.COUNTER and node.point_name != node.quantity.value:
                yield Problem(
                    (*at, "name"), "A counter's point is called after its quantity.", node.point_name
                )
            if not fits(node.unit, node.quantity):
                yield Problem(
                    (*at, "unit"), f"The unit does not fit {node.quantity.value}.", evidence=node.unit.value
                )
            if node.wrap_at is not None:
                counters.append((node.point_name, node.unit, node.scale, node.wrap_at))
        yield from _twice(
            ((*loc, "nodes", index), node.point_name) for index, node in enumerate(self.nodes or ())
        )
        for name, unit, scale, wrap_at in counters:
            yield from self._wraps_too_fast(loc, name, unit, scale * wrap_at, every_s)

    def _unknown_points(self, loc: Loc, profile: Profile) -> Iterator[Problem]:
        for index, name in enumerate(self.points or ()):
            if name not in profile.points:
                near = difflib.get_close_matches(name, profile.points, n=1)
                yield Problem(
                    (*loc, "points", index),
                    f"The profile {profile.id} has no such point.",
                    evidence=name,
                    cause=f"did you mean {near[0]}?" if near else "",
                    next=f"choose from: {', '.join(profile.points)}",
                )
        yield from _twice(((*loc, "points", index), name) for index, name in enumerate(self.points or ()))

    def _wraps_too_fast(
        self, loc: Loc, name: str, unit: Unit, wrap: Fraction, every_s: float
    ) -> Iterator[Problem]:
        limit = self.limit_kw()
        if limit is None or not fits(unit, Quantity.ACTIVE_ENERGY_IMPORT):
            return
        ratios = self.ct.factor * self.vt.factor if self.side == "secondary" else Fraction(1)
        wrap_s = float(wrap * unit.factor_to(Unit.KWH) * ratios / limit * 3600)
        if every_s > wrap_s / 2:
            yield Problem(
                loc,
                f"{name} can wrap unseen: half its wrap time is shorter than the polling period.",
                evidence=f"read every {every_s:g} s; wraps every {wrap_s:.0f} s at {float(limit):,.0f} kW",
                next="read more often (registers.every_s), or use a wider register",
            )


def _twice(named: Any) -> Iterator[Problem]:
    seen: dict[str, Loc] = {}
    for loc, name in named:
        if name in seen:
            yield Problem(loc, "This stands twice.", evidence=name, next="remove or rename one of them")
        seen.setdefault(name, loc)


class AgentConfig(Model):
    """Everything one agent is told.

    Attributes
    ----------
    required_ledgers
        Names of the ledgers that must all hold a frame before it is forgotten.
    spool
        Folder of the spool; absolute once loaded.
    """

    agent: Id
    site: Id
    time_zone: TimeZone
    broker: Broker
    required_ledgers: Annotated[tuple[Id, ...], Field(min_length=1)]
    spool: FilePath = Path("spool")
    registers: RegistersLane = RegistersLane()
    samples: SamplesLane = SamplesLane()
    devices: Annotated[tuple[Device, ...], Field(min_length=1)]

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with the devices, alone and together."""
        yield from _twice((("required_ledgers", i), name) for i, name in enumerate(self.required_ledgers))
        if len(set(self.required_ledgers)) > 1:
            yield Problem(
                ("required_ledgers", 1),
                "An agent delivers to exactly one ledger in this release.",
                evidence=", ".join(self.required_ledgers),
                next="name one of them",
            )
        yield from _twice((("devices", i, "id"), device.id) for i, device in enumerate(self.devices))
        yield from self._shared_addresses()
        for index, device in enumerate(self.devices):
            yield from device.problems_at(("devices", index), self.registers.every_s)

    def _shared_addresses(self) -> Iterator[Problem]:
        seen: dict[str, str] = {}
        for index, device in enumerate(self.devices):
            if device.modbus is None:
                continue
            if device.peer in seen:
                yield Problem(
                    ("devices", index, "modbus"),
                    f"{device.id} and {seen[device.peer]} have the same address.",
                    evidence=device.peer,
                    cause="one meter would be booked twice",
                    next="correct the unit number, or remove one of them",
                )
            seen.setdefault(device.peer, device.id)


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
