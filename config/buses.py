"""What is wrong between units that share sockets and serial lines, and their gateways."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from config.link_problems import gateway_problems, gateway_warnings
from config.links import Gateway, Modbus
from config.strict import Loc, Problem

_SAME: Final = ("framing", "baud", "parity", "stop_bits", "tls")
_PACE: Final = ("timeout_s", "gap_ms", "settle_ms", "connections", "max_registers")
_LAST_ON_A_LINE: Final = 247


class Placed(NamedTuple):
    """A unit, where it is described, and whose it is."""

    loc: Loc
    device: str
    unit: Modbus


def bus_problems(gateways: Mapping[str, Gateway | None], units: Sequence[Placed]) -> Iterator[Problem]:
    """Yield what is wrong with gateways and units, alone and together.

    Parameters
    ----------
    gateways
        By their ids; None for one that is ill formed.
    units
        All units that are well formed.
    """
    for id_, gateway in gateways.items():
        if gateway is not None:
            yield from gateway_problems(gateway, ("gateways", id_))
    yield from _gateways_twice(gateways)
    places = {gateway.place: name for name, gateway in gateways.items() if gateway and gateway.is_placed}
    asked: dict[tuple[object, int], Placed] = {}
    first: dict[tuple[str, int], Placed] = {}
    for placed in units:
        loc, device, unit = placed
        yield from _unit_problems(placed, gateways)
        via = gateways.get(unit.gateway) if unit.gateway is not None else unit
        if via is None or not via.is_placed:
            continue
        if via.wire == "rtu" and unit.unit > _LAST_ON_A_LINE:
            yield Problem(
                (*loc, "unit"),
                f"Units 1 to {_LAST_ON_A_LINE} exist on an RTU line.",
                evidence=str(unit.unit),
                cause="248 to 255 are reserved",
                next="read the unit number off the meter's communication menu",
            )
        other = asked.setdefault((via.place, unit.unit), placed)
        if other is not placed:
            yield Problem(
                loc,
                f"{device} and {other.device} have the same address.",
                evidence=f"{via.link(unit.gateway or '').name} unit {unit.unit}",
                cause="one meter would be booked twice",
                next="correct the unit number, or remove one of them",
            )
        if unit.gateway is None:
            if (name := places.get(via.place)) is not None:
                yield Problem(
                    loc,
                    f"This is the address of the gateway {name}.",
                    evidence=via.link().where,
                    cause="settings of one bus would stand in two places",
                    next=f"write modbus: {{gateway: {name}, unit: {unit.unit}}}",
                )
            else:
                yield from _disagreements(placed, first.setdefault(via.place, placed))


def bus_warnings(gateways: Mapping[str, Gateway], units: Sequence[Placed]) -> Iterator[Problem]:
    """Yield gateways that nobody uses, serial lines by unstable names, and paces that differ."""
    used = {placed.unit.gateway for placed in units}
    for name, gateway in gateways.items():
        yield from gateway_warnings(gateway, ("gateways", name))
        if name not in used:
            yield Problem(
                ("gateways", name),
                "No device uses this gateway.",
                evidence=name,
                next=f"write gateway: {name} at the devices behind it, or remove it",
            )
    first: dict[tuple[str, int], Placed] = {}
    for placed in units:
        if placed.unit.gateway is not None:
            continue
        yield from gateway_warnings(placed.unit, placed.loc)
        other = first.setdefault(placed.unit.place, placed)
        for key in _PACE:
            ours, theirs = getattr(placed.unit, key), getattr(other.unit, key)
            if ours != theirs:
                yield Problem(
                    (*placed.loc, key) if key in placed.unit.model_fields_set else placed.loc,
                    f"Units of one bus differ in {key}; the gentler value holds for all of them.",
                    evidence=f"{placed.device} {ours:g}, {other.device} {theirs:g}",
                    next="describe the bus once, under gateways",
                )


def _unit_problems(placed: Placed, gateways: Mapping[str, Gateway | None]) -> Iterator[Problem]:
    """What is wrong with one unit's own keys."""
    loc, _, unit = placed
    if unit.gateway is None:
        yield from gateway_problems(unit, loc)
        return
    if unit.gateway not in gateways:
        near = difflib.get_close_matches(unit.gateway, gateways, n=1)
        yield Problem(
            (*loc, "gateway"),
            "There is no such gateway.",
            evidence=unit.gateway,
            cause=f"did you mean {near[0]}?" if near else "",
            next=f"choose one of: {', '.join(gateways)}" if gateways else "describe it under gateways",
        )
    for key in Gateway.model_fields:
        if key in unit.model_fields_set:
            yield Problem(
                (*loc, key),
                f"{key} is the gateway's: it stands either here or there.",
                evidence=f"gateway {unit.gateway}",
                next=f"remove it here; change it under gateways.{unit.gateway}, for all its units",
            )


def _gateways_twice(gateways: Mapping[str, Gateway | None]) -> Iterator[Problem]:
    """Gateways with one address."""
    seen: dict[tuple[str, int], tuple[str, Gateway]] = {}
    for name, gateway in gateways.items():
        if gateway is None or not gateway.is_placed:
            continue
        other, first = seen.setdefault(gateway.place, (name, gateway))
        if other == name:
            continue
        one_bus = f"{other} and {name} are one bus."
        yield Problem(
            ("gateways", name),
            one_bus if first.wire == gateway.wire else f"Two framings on one socket: {one_bus}",
            evidence=gateway.link().where,
            cause="requests of one would be read as replies of the other",
            next=f"remove {name}, and write gateway: {other} at its devices",
        )


def _disagreements(placed: Placed, other: Placed) -> Iterator[Problem]:
    """What two units say differently about the bus that they share."""
    ours, theirs = placed.unit.link(), other.unit.link()
    for key in _SAME:
        mine, yours = getattr(ours, key), getattr(theirs, key)
        if mine == yours:
            continue
        said = "other settings" if key == "tls" else f"{yours} and {mine}"
        yield Problem(
            (*placed.loc, key) if key in placed.unit.model_fields_set else placed.loc,
            f"Two settings of {key} on one bus, {ours.where}.",
            evidence=f"{said}, at {other.device} and {placed.device}",
            cause="a socket has one framing, a serial line one speed: the others would hear noise",
            next="use the one that is set at the meters; describe the bus once, under gateways",
        )
