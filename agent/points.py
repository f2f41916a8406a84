"""From the configuration to the points of each device, lane by lane, and the point tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.modbus.plan import RegisterPoint
from agent.opcua.device import NodePoint
from agent.opcua.session import Address
from config.agent import AgentConfig, Device
from config.loading import load_profile, profile_digest
from config.profile import Measure, Profile, ProfilePoint
from core.carbon.rounding import exact_text
from core.delivery.frames import Lane
from core.delivery.tables import PointRow, PointTable
from core.metering.quantities import Kind, Quantity

TABLE_ROWS = 1_000
"""Most points of one table, unless one device has more [1]; some 230 kB as a message."""


def lane_of(quantity: Quantity) -> Lane:
    """Counters travel in the registers lane, gauges in the samples lane."""
    return Lane.REGISTERS if quantity.kind is Kind.COUNTER else Lane.SAMPLES


def point_id(device: Device, name: str) -> str:
    """Return the id of a device's point, ``AOB-RCV-01.active_energy_import``."""
    return f"{device.id}.{name}"


def profile_points(device: Device) -> tuple[tuple[str, ProfilePoint], ...]:
    """Return name and description of the points that a Modbus device is asked for; none for others."""
    if device.profile is None:
        return ()
    points = load_profile(device.profile).points
    return tuple((name, points[name]) for name in device.points or points)


def register_points(device: Device) -> dict[Lane, Sequence[RegisterPoint]]:
    """Return the registers of a Modbus device by lane."""
    assert device.profile is not None
    profile = load_profile(device.profile)
    return {
        lane: [
            register_point(point_id(device, name), point, profile)
            for name, point in profile_points(device)
            if lane_of(point.quantity) is lane
        ]
        for lane in Lane
    }


def register_point(name: str, point: ProfilePoint, profile: Profile) -> RegisterPoint:
    """Return where a point of a profile stands and how it is encoded, under a name."""
    word_order, byte_order = profile.point_order(point)
    return RegisterPoint(
        name,
        point.places,
        word_order=word_order,
        byte_order=byte_order,
        function=profile.function_of(point),
        bit=point.bit,
        not_available=point.not_available,
        scale_register=point.scale_register,
        in_model=profile.sunspec is not None,
    )


def node_points(device: Device) -> dict[Lane, Sequence[NodePoint]]:
    """Return the nodes of an OPC UA device by lane."""
    return {
        lane: [
            NodePoint(point_id(device, node.point_name), Address(node.node or node.id or "", node.namespace))
            for node in device.nodes or ()
            if lane_of(node.quantity) is lane
        ]
        for lane in Lane
    }


@dataclass(frozen=True, slots=True)
class PointTables:
    """What the agent's counts mean: the tables of each lane, and which of them holds a device's points."""

    lanes: Mapping[Lane, tuple[PointTable, ...]]
    devices: Mapping[tuple[Lane, str], PointTable]

    def rows(self, lane: Lane) -> Iterator[PointRow]:
        """Yield the rows of a lane, in the order of the configuration."""
        return (row for table in self.lanes[lane] for row in table.rows)

    def of(self, lane: Lane, device: str) -> PointTable:
        """Return the table with a device's points; the lane's first where it has none there."""
        return self.devices.get((lane, device), self.lanes[lane][0])


def point_tables(config: AgentConfig) -> PointTables:
    """Return what the agent's counts mean; a device's points of a lane stand in one table.

    A table travels as one message, so a large site has several; a change of one device renews but one.
    """
    lanes: dict[Lane, tuple[PointTable, ...]] = {}
    devices: dict[tuple[Lane, str], PointTable] = {}
    rows = {device.id: tuple(_rows(device)) for device in config.devices}
    for lane in Lane:
        parts: list[tuple[list[str], list[PointRow]]] = [([], [])]
        for device, all_rows in rows.items():
            of_lane = [row for quantity, row in all_rows if lane_of(quantity) is lane]
            if parts[-1][1] and len(parts[-1][1]) + len(of_lane) > TABLE_ROWS:
                parts.append(([], []))
            parts[-1][0].append(device)
            parts[-1][1].extend(of_lane)
        lanes[lane] = tuple(PointTable(tuple(part)) for _, part in parts)
        for table, (names, _) in zip(lanes[lane], parts, strict=True):
            devices.update({(lane, name): table for name in names})
    return PointTables(lanes, devices)


def _rows(device: Device) -> Iterator[tuple[Quantity, PointRow]]:
    """The device's points as rows, in the order of the configuration."""
    registers = {
        point.point: point.register
        for points in (node_points(device) if device.profile is None else register_points(device)).values()
        for point in points
    }
    profile = load_profile(device.profile).id if device.profile else ""
    digest = profile_digest(device.profile) if device.profile else ""
    measures: list[tuple[str, Measure]] = [*profile_points(device)]
    measures += [(node.point_name, node) for node in device.nodes or ()]
    for name, point in measures:
        id_ = point_id(device, name)
        yield (
            point.quantity,
            PointRow(
                point=id_,
                quantity=point.quantity.value,
                unit=point.unit.value,
                scale=exact_text(point.scale),
                resolution=exact_text(point.resolution),
                wrap_at=point.wrap_at,
                side=device.side,
                register=registers[id_],
                profile=profile,
                profile_digest=digest,
            ),
        )
