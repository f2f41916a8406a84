"""Point tables: what the numbers of a frame mean, named by their digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class PointRow:
    """What a count of one point means; all text is exact.

    Parameters
    ----------
    point
        Id of the point: ``meter.quantity``.
    quantity
        Physical kind, for example ``active_energy_import``.
    unit
        Unit of count × scale, for example ``Wh``.
    scale
        Unit per count, exact text [unit].
    resolution
        Smallest step of the register, exact text [counts].
    wrap_at
        Count at which the register starts again from 0, or None [counts].
    side
        ``primary`` where the meter already multiplies by CT and VT, else ``secondary``.
    register
        Where the count was read: ``modbus 3203 int64`` or a node id.
    profile
        Id of the device profile, empty where there is none.
    profile_digest
        Digest of the profile's contents, empty where there is none.
    """

    point: str
    quantity: str
    unit: str
    scale: str
    resolution: str
    wrap_at: int | None
    side: str
    register: str
    profile: str
    profile_digest: str

    def as_dict(self) -> dict[str, object]:
        """Return the row as JSON has it; a large site has thousands of them."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class PointTable:
    """The points of a frame, in the order by which its payload numbers them.

    Parameters
    ----------
    rows
        One row per point, each point once.

    Raises
    ------
    ValueError
        If a point stands in it twice.
    """

    rows: tuple[PointRow, ...]
    digest: str = field(init=False)
    index: Mapping[str, int] = field(init=False, repr=False, compare=False)
    points: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index = {row.point: i for i, row in enumerate(self.rows)}
        if len(index) != len(self.rows):
            raise ValueError("a point stands twice in a point table")
        canonical = json.dumps([row.as_dict() for row in self.rows], sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(b"seiren.table/1\n" + canonical.encode()).digest()[:16].hex()
        object.__setattr__(self, "digest", digest)
        object.__setattr__(self, "index", MappingProxyType(index))
        object.__setattr__(self, "points", tuple(index))
