"""What is read: devices, and what of them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError, model_validator

from config.links import Modbus
from config.opcua import OpcUa, OpcUaNode
from config.profile import Measure, Profile, ProfilePoint, fits, load_profile
from config.ratings import rated_kw, rating_warnings, wrap_problem
from config.strict import DIRECT, CtRatio, Id, Loc, Model, PositiveExact, Problem, VtRatio
from core.carbon.rounding import exact_text
from core.errors import ConfigError
from core.metering.quantities import Kind, Quantity, Unit

Side = Literal["primary", "secondary"]


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
        return self.full_scale_kw or rated_kw(self.ct, self.vt)

    def measures(self) -> Mapping[str, Measure]:
        """Return what is read, by its name inside the device.

        Raises
        ------
        ConfigError
            If the profile cannot be loaded.
        """
        if self.profile is None:
            return {node.point_name: node for node in self.nodes or ()}
        points = load_profile(self.profile).points
        return {name: points[name] for name in self.points or points if name in points}

    def problems_at(self, loc: Loc, every_s: float) -> Iterator[Problem]:
        """Yield what is wrong with this device alone."""
        try:
            profile = load_profile(self.profile) if self.profile is not None else None
        except ConfigError as error:
            yield _of_profile((*loc, "profile"), self.profile or "", error)
            return
        if profile is not None:
            yield from self._unknown_points(loc, profile)
        yield from self._nodes(loc)
        measures = self.measures()
        yield from self._deadbands(loc, measures, profile)
        limit = self.limit_kw()
        if limit is not None:
            ratios = self.ct.factor * self.vt.factor if self.side == "secondary" else Fraction(1)
            for name, point in measures.items():
                yield from wrap_problem(loc, name, point, limit_kw=limit, ratios=ratios, every_s=every_s)

    def too_wide(self, loc: Loc, limit: int) -> Iterator[Problem]:
        """Yield points that do not fit into one request of at most `limit` registers [words]."""
        try:
            measures = self.measures()
        except ConfigError:
            return
        widths = {
            name: point.span[1] - point.span[0]
            for name, point in measures.items()
            if isinstance(point, ProfilePoint)
        }
        for name, width in widths.items():
            if width > limit and width == max(widths.values()):
                yield Problem(
                    loc,
                    f"{name} of {self.id} does not fit into one request.",
                    evidence=f"{width} registers, max_registers {limit}",
                    cause="a value is never read in two requests: they would be of two moments",
                    next=f"write at least {width}",
                )
                return

    def warnings_at(self, loc: Loc) -> Iterator[Problem]:
        """Yield what is allowed and hardly meant."""
        yield from rating_warnings(loc, self.ct, self.vt, self.full_scale_kw)
        if "side" not in self.model_fields_set and (self.ct != DIRECT or self.vt != DIRECT):
            yield Problem(
                (*loc, "ct" if self.ct != DIRECT else "vt"),
                "A transformer stands here, and not which side the meter shows.",
                evidence="side is missing, so primary is taken: the meter multiplies by CT and VT itself",
                cause="if it does not, energy is off by CT x VT",
                next="add side: primary, or side: secondary if headquarters multiplies",
            )
        if self.side == "secondary" and self.ct == DIRECT and self.vt == DIRECT:
            yield Problem(
                (*loc, "side"),
                "There is no transformer to have a secondary side.",
                evidence="side: secondary, and neither ct nor vt",
                cause="ct and vt were forgotten, or the conductor passes through the meter",
                next="add ct (and vt) from the plates, or remove side",
            )
        if all(point.quantity.kind is not Kind.COUNTER for point in self.measures().values()):
            yield Problem(
                (*loc, "points" if self.points else "nodes" if self.nodes else "profile"),
                "No counter of this device is read.",
                evidence=", ".join(self.measures()),
                cause="energy is booked from counters only; power alone is for looking at",
                next="add its energy counter, such as active_energy_import",
            )

    def _unknown_points(self, loc: Loc, profile: Profile) -> Iterator[Problem]:
        for index, name in enumerate(self.points or ()):
            if name not in profile.points:
                yield _unknown_point(
                    (*loc, "points", index), f"The profile {profile.id}", name, profile.points
                )
        yield from twice(((*loc, "points", index), name) for index, name in enumerate(self.points or ()))

    def _nodes(self, loc: Loc) -> Iterator[Problem]:
        for index, node in enumerate(self.nodes or ()):
            yield from node.measure_problems((*loc, "nodes", index), node.point_name)
        yield from twice(
            ((*loc, "nodes", index), node.point_name) for index, node in enumerate(self.nodes or ())
        )

    def _deadbands(
        self, loc: Loc, measures: Mapping[str, Measure], profile: Profile | None
    ) -> Iterator[Problem]:
        for name, band in self.deadband.items():
            at = (*loc, "deadband", name)
            point = measures.get(name)
            if point is None and profile is not None and name in profile.points:
                yield Problem(
                    at,
                    "The point has a deadband and is not read.",
                    evidence=f"points: {', '.join(measures)}",
                    next=f"add {name} to points, or remove its deadband",
                )
            elif point is None:
                yield _unknown_point(at, "The device", name, measures)
            elif point.quantity.kind is Kind.COUNTER:
                yield Problem(
                    at,
                    "A counter has no deadband: every reading of it is kept.",
                    evidence=name,
                    cause="what a deadband hides would be missing from the energy",
                    next="remove it; deadbands are for gauges such as active_power",
                )
            elif (
                (limit := self.limit_kw()) is not None
                and fits(point.unit, Quantity.ACTIVE_POWER)
                and band * point.unit.factor_to(Unit.KW) >= limit
            ):
                yield Problem(
                    at,
                    "The deadband is as large as the meter's full scale: nothing would be reported.",
                    evidence=f"{exact_text(band)} {point.unit}; full scale {float(limit):,.0f} kW",
                    cause=f"it is in the point's unit, {point.unit}",
                    next=f"write it in {point.unit}, about a hundredth of full scale",
                )


_RATINGS: Final = frozenset({"ct", "vt", "side", "full_scale_kw", "points"})
_PLACEHOLDER: Final[Mapping[str, Any]] = {
    "modbus": {"host": "unknown", "unit": 1},
    "opcua": {"url": "opc.tcp://unknown", "security": "none"},
}


def without(raw: Any, faulty: Collection[Loc]) -> Device | None:
    """Return a device without its ill-formed values, or None where too little is left.

    Parameters
    ----------
    raw
        The device as the file has it.
    faulty
        Paths of the ill-formed values in it.
    """
    if not isinstance(raw, dict) or () in faulty:
        return None
    keys = {str(loc[0]) for loc in faulty}
    if keys & _RATINGS:
        keys |= _RATINGS - {"points"}
    kept = {key: value for key, value in raw.items() if key not in keys}
    kept |= {key: value for key, value in _PLACEHOLDER.items() if key in keys}
    kept.setdefault("id", "unknown")
    try:
        return Device.model_validate(kept)
    except ValidationError:
        return None


def _of_profile(loc: Loc, name: str, error: ConfigError) -> Problem:
    """The problem of a device whose profile cannot be used."""
    count = len(getattr(error, "errors", (error,)))
    if not error.where:
        return Problem(loc, error.what, error.evidence, error.cause, error.next)
    more = f", and {count - 1} more" if count > 1 else ""
    return Problem(
        loc,
        "The profile of this device is wrong.",
        evidence=f"{error.where}: {error.what}{more}",
        cause=error.cause,
        next=f"seiren agent check --profile {name}",
    )


def _unknown_point(loc: Loc, whose: str, name: str, known: Iterable[str]) -> Problem:
    known = tuple(known)
    near = difflib.get_close_matches(name, known, n=1)
    return Problem(
        loc,
        f"{whose} has no such point.",
        evidence=name,
        cause=f"did you mean {near[0]}?" if near else "",
        next=f"choose from: {', '.join(known)}",
    )


def twice(named: Iterable[tuple[Loc, str]]) -> Iterator[Problem]:
    """Yield the names that stand a second time."""
    seen: dict[str, Loc] = {}
    for loc, name in named:
        if name in seen:
            yield Problem(loc, "This stands twice.", evidence=name, next="remove or rename one of them")
        seen.setdefault(name, loc)
