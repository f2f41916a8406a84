"""The points of one device on an OPC UA server: read on schedule, with their status."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asyncua import ua

from agent.counts import count_of_float
from agent.opcua.session import Address, OpcUaSession
from agent.readings import Identity, Scan, Shape, Value
from core.delivery.frames import Lane
from core.delivery.payload import BAD, GOOD
from core.metering.readings import Count, Quality

log = logging.getLogger(__name__)

_NO_NAMESPACE = "namespace unknown to the server"


@dataclass(frozen=True, slots=True)
class NodePoint:
    """A point and the node that holds it."""

    point: str
    address: Address

    @property
    def register(self) -> str:
        """Its place as a point table names it, ``opcua ns=2;s=Rectifier.Energy``."""
        return f"opcua {self.address}"


class OpcUaDevice:
    """Reads the nodes of one device.

    Parameters
    ----------
    session
        Its server, shared with other devices.
    lanes
        Points by lane.
    """

    def __init__(self, session: OpcUaSession, *, lanes: Mapping[Lane, Sequence[NodePoint]]) -> None:
        self._session = session
        self._lanes = {
            lane: (tuple(points), tuple(point.address for point in points)) for lane, points in lanes.items()
        }
        self._shapes = {
            lane: Shape(tuple(point.point for point in points), (False,) * len(points))
            for lane, points in lanes.items()
        }
        self._faulty: dict[str, str] = {}  # point → what is wrong with it, as last said

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Lanes in which the device has points."""
        return tuple(lane for lane, (points, _) in self._lanes.items() if points)

    @property
    def bus(self) -> str:
        """Its server: devices of one session wait for each other."""
        return self._session.url

    async def read(self, lane: Lane, into: list[Scan], *, within_s: float | None = None) -> None:
        """Read all points of a lane, and append them.

        A node that does not exist, has a bad status or holds no number is a bad reading without a count.

        Parameters
        ----------
        lane
            Which points.
        into
            What was read.
        within_s
            Without meaning here: a session has one deadline.

        Raises
        ------
        Unreachable
            If the server does not answer.
        """
        points, addresses = self._lanes[lane]
        values, time_ms = await self._session.read(addresses)
        counts: list[Value] = []
        qualities: list[int] = []
        for point, value in zip(points, values, strict=True):
            count, quality, fault = judged(value)
            counts.append(count)
            qualities.append(quality)
            if fault != self._faulty.get(point.point, ""):
                self._tell(point, fault)
        into.append(Scan(self._shapes[lane], time_ms, counts, qualities))

    async def identify(self, *, within_s: float | None = None) -> Identity | None:
        """Return None: a server says nothing of the meters behind it."""
        return None

    async def close(self) -> None:
        """End the session."""
        await self._session.close()

    def _tell(self, point: NodePoint, fault: str) -> None:
        where = f"{self._session.url} {point.address}"
        if not fault:
            del self._faulty[point.point]
            log.info("%s has a value again", point.point, extra={"where": where})
            return
        self._faulty[point.point] = fault
        log.warning(
            "%s has no value",
            point.point,
            extra={
                "where": where,
                "seen": fault,
                "next": "compare the node id with the server's, for example in UaExpert",
            },
        )


def judged(value: ua.DataValue | None) -> tuple[Count | None, int, str]:
    """Return a value's count, its quality, and what is wrong with it (empty where nothing is).

    Parameters
    ----------
    value
        As the server sent it; None where it has not the node's namespace.
    """
    if value is None:
        return None, BAD, _NO_NAMESPACE
    status, variant = value.StatusCode, value.Value
    if status is not None and status.is_bad():
        return None, BAD, str(status.name)
    held = None if variant is None else variant.Value
    count: Count | None = None
    if variant is not None and isinstance(held, float):
        count = count_of_float(held, single=variant.VariantType is ua.VariantType.Float)
    elif isinstance(held, int) and not isinstance(held, bool):
        count = held
    if count is None:
        return None, BAD, f"holds {str(held)[:40]}, no number"
    if status is not None and not status.is_good():
        return count, Quality.UNCERTAIN, str(status.name)
    return count, GOOD, ""
