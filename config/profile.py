"""Device profiles: data files that describe one device model each."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from enum import StrEnum
from fractions import Fraction
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from config.documents import load_yaml
from config.strict import Id, Model, PositiveExact, Problem
from core.errors import ConfigError, DataError
from core.metering.quantities import Kind, Quantity, Unit

_SHIPPED: Final = "profiles"


class ValueType(StrEnum):
    """How a device encodes one value; bytes inside a word are always big-endian."""

    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"

    @property
    def words(self) -> int:
        """Width [16-bit words]."""
        return int(self.value.lstrip("uintfloa")) // 16

    @property
    def is_float(self) -> bool:
        """Whether the device sends an IEEE 754 number."""
        return self.value.startswith("float")

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest integer of the type [counts]; (0, 0) for floats."""
        bits = 16 * self.words
        if self.is_float:
            return 0, 0
        return (0, 2**bits - 1) if self.value.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


class WordOrder(StrEnum):
    """Which word of a value comes first."""

    MSW_FIRST = "msw_first"
    LSW_FIRST = "lsw_first"


def fits(unit: Unit, quantity: Quantity) -> bool:
    """Return whether a quantity can be told in a unit."""
    try:
        unit.factor_to(quantity.unit)
    except DataError:
        return False
    return True


def _as_tuple(value: Any) -> Any:
    return value if isinstance(value, tuple) else (value,)


Address = Annotated[int, Field(ge=0, le=0xFFFF)]
UnitName = Annotated[Unit, Field(strict=False)]
QuantityName = Annotated[Quantity, Field(strict=False)]
TypeName = Annotated[ValueType, Field(strict=False)]
OrderName = Annotated[WordOrder, Field(strict=False)]


def _distinct(value: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(value)) != len(value):
        raise ValueError("adds the same register to itself")
    return value


class Measure(Model):
    """What a count of a point means, whatever it is read by.

    Attributes
    ----------
    scale
        Multiplies the count to give the value in `unit`.
    resolution
        Step in which the count is used [counts]; a float register has one too.
    wrap_at
        The count at which the register starts again from 0 [counts]; None: it never does in practice.
    """

    quantity: QuantityName
    unit: UnitName
    scale: PositiveExact
    resolution: PositiveExact = Fraction(1)
    wrap_at: Annotated[int, Field(gt=1)] | None = None


class ProfilePoint(Measure):
    """One value of a device.

    Attributes
    ----------
    address
        Wire address [word], 0-based; several are read in one request and added exactly.
    not_available
        The count by which the device says that it has no value; never a number.
    """

    address: Annotated[
        tuple[Address, ...],
        BeforeValidator(_as_tuple),
        Field(min_length=1, max_length=4),
        AfterValidator(_distinct),
    ]
    type: TypeName
    not_available: int | None = None
    word_order: OrderName | None = None


class Trap(Model):
    """What one has to know of a device, with a link where there is one."""

    text: str
    link: str | None = None


class Profile(Model):
    """What one device model holds, and where each value stands."""

    id: Id
    vendor: str
    product: str
    trust: Literal["cross_checked", "single_source", "conflict"]
    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    traps: tuple[Trap, ...] = ()
    function: Literal[3, 4]
    word_order: OrderName
    points: Annotated[dict[Id, ProfilePoint], Field(min_length=1)]

    def problems(self) -> Iterator[Problem]:
        """Yield points that contradict themselves or each other."""
        for name, point in self.points.items():
            loc = ("points", name)
            if point.quantity.kind is Kind.COUNTER and name != point.quantity.value:
                yield Problem(
                    (*loc, "quantity"),
                    "A counter's point is called after its quantity.",
                    evidence=f"{name} holds {point.quantity.value}",
                    next=f"call the point {point.quantity.value}",
                )
            if not fits(point.unit, point.quantity):
                yield Problem(
                    (*loc, "unit"),
                    f"The unit does not fit {point.quantity.value}.",
                    evidence=point.unit.value,
                    next="use a unit of the quantity's kind",
                )
            if any(address + point.type.words > 0x10000 for address in point.address):
                yield Problem((*loc, "address"), "The value ends beyond the last register, 65535.")
            low, high = point.type.limits
            if point.not_available is not None and not low <= point.not_available <= high:
                yield Problem(
                    (*loc, "not_available"),
                    "The device cannot send this value in the point's type.",
                    evidence=f"{point.not_available}; {point.type.value} holds {low} to {high}",
                    next="write the pattern exactly as wide as the type",
                )
            spread = max(point.address) - min(point.address) + point.type.words
            if spread > 125:
                yield Problem(
                    (*loc, "address"),
                    "The registers of a sum do not fit into one request.",
                    evidence=f"{spread} words, at most 125",
                    cause="read in two requests they would be of two moments",
                )
            yield from self._overlaps(name, point)

    def _overlaps(self, name: str, point: ProfilePoint) -> Iterator[Problem]:
        for other_name, other in self.points.items():
            if other_name >= name:
                continue
            for at in point.address:
                for other_at in other.address:
                    if at < other_at + other.type.words and other_at < at + point.type.words:
                        yield Problem(
                            ("points", name, "address"),
                            f"The registers are those of {other_name} too.",
                            evidence=f"{at} {point.type.value}, {other_at} {other.type.value}",
                        )


def profile_ids() -> tuple[str, ...]:
    """Return the ids of the shipped profiles, sorted."""
    folder = files("config") / _SHIPPED
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def load_profile(id_or_path: str | Path) -> Profile:
    """Return a shipped profile by its id, or one's own by the path of its file (``*.yaml``).

    Raises
    ------
    ConfigError
        If there is no such profile (near names are listed), or its file is wrong.
    """
    return _load(str(id_or_path))[0]


def profile_digest(id_or_path: str | Path) -> str:
    """Return the digest of a profile's file, 32 hex digits; raises as `load_profile`."""
    return _load(str(id_or_path))[1]


def with_profile_paths(data: Any, folder: Path) -> Any:
    """Return a document's data with the paths of one's own profiles taken relative to its folder."""
    if isinstance(data, dict):
        return {
            key: str(folder / value)
            if key == "profile" and _is_path(value)
            else with_profile_paths(value, folder)
            for key, value in data.items()
        }
    if isinstance(data, tuple):
        return tuple(with_profile_paths(item, folder) for item in data)
    return data


def _is_path(name: object) -> bool:
    return isinstance(name, str) and name.endswith((".yaml", ".yml"))


@cache
def _load(id_or_path: str) -> tuple[Profile, str]:
    if _is_path(id_or_path):
        path = Path(id_or_path)
    else:
        known = profile_ids()
        if id_or_path not in known:
            near = difflib.get_close_matches(id_or_path, known, n=2, cutoff=0.4)
            raise ConfigError(
                "There is no such profile.",
                evidence=id_or_path,
                cause=f"did you mean {' or '.join(near)}?" if near else "",
                next=f"choose one of: {', '.join(known)}",
            )
        path = Path(str(files("config") / _SHIPPED / f"{id_or_path}.yaml"))
    profile = load_yaml(path, Profile)
    if profile.id != path.stem:
        raise ConfigError(
            "A profile's id is the name of its file.", where=f"{path}:1: id", evidence=profile.id
        )
    return profile, hashlib.sha256(path.read_bytes()).hexdigest()[:32]
