"""What is read: devices, and what of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from config.links import Modbus, ReplySeconds
from config.profile import Measure, Profile, fits, load_profile
from config.strict import DIRECT, CtRatio, Id, Loc, Model, PositiveExact, Problem, VtRatio
from core.errors import ConfigError
from core.metering.quantities import Kind, Quantity, Unit

_NODE: Final = r"(i=\d+|s=.+|g=[0-9A-Fa-f-]{36}|b=.+)"
Side = Literal["primary", "secondary"]


class OpcUa(Model):
    """An OPC UA server; a connection without security is asked for by name."""

    url: Annotated[str, Field(pattern=r"^opc\.tcp://[^/\s]+(/\S*)?$")]
    security: Literal["none"]
    timeout_s: ReplySeconds = 5


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
    """A meter, or anything else that has a Modbus or OPC UA address.

    Attributes
    ----------
    full_scale_kw
        Most power that the circuit can carry [kW]; None: from CT and VT.
    serial_number
        What the device is expected to say of itself; None: whatever it says first.
    deadband
        Gauge → change below which it is not reported [the point's unit].
    """

    id: Id
    profile: str | None = None
    modbus: Modbus | None = None
    points: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    opcua: OpcUa | None = None
    nodes: Annotated[tuple[OpcUaNode, ...], Field(min_length=1)] | None = None
    ct: CtRatio = DIRECT
    vt: VtRatio = DIRECT
    side: Side = "primary"
    full_scale_kw: PositiveExact | None = None
    serial_number: Annotated[str, Field(min_length=1)] | None = None
    deadband: dict[str, PositiveExact] = Field(default_factory=dict)

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
        yield from twice(
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
        yield from twice(((*loc, "points", index), name) for index, name in enumerate(self.points or ()))

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


def twice(named: Iterable[tuple[Loc, str]]) -> Iterator[Problem]:
    """Yield the names that stand a second time."""
    seen: dict[str, Loc] = {}
    for loc, name in named:
        if name in seen:
            yield Problem(loc, "This stands twice.", evidence=name, next="remove or rename one of them")
        seen.setdefault(name, loc)
