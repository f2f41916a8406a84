"""Device profiles: data files that describe one device model each."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from config.documents import load_yaml
from config.profile_identity import Fingerprint, Identify, Identity, Text
from config.profile_points import (
    MAX_WORDS,
    Address,
    ByteOrder,
    ByteOrderName,
    Function,
    Measure,
    OrderName,
    Part,
    Place,
    ProfilePoint,
    QuantityName,
    ScaleRegister,
    UnitName,
    ValueType,
    WordOrder,
    fits,
)
from config.profile_problems import overlaps, point_problems
from config.strict import Id, Model, Problem
from core.errors import ConfigError

__all__ = [
    "ByteOrder",
    "Fingerprint",
    "Identify",
    "Identity",
    "Measure",
    "Part",
    "Place",
    "Profile",
    "ProfilePoint",
    "QuantityName",
    "ScaleRegister",
    "Text",
    "Trap",
    "UnitName",
    "ValueType",
    "WordOrder",
    "fits",
    "load_profile",
    "profile_digest",
    "profile_ids",
    "with_profile_paths",
]

_SHIPPED: Final = "profiles"


def _first_and_last(value: tuple[int, int]) -> tuple[int, int]:
    if value[0] > value[1]:
        raise ValueError("must be the first and the last register, in this order")
    return value


Range = Annotated[tuple[Address, Address], AfterValidator(_first_and_last)]


class Trap(Model):
    """What one has to know of a device, with a link where there is one."""

    text: str
    link: str | None = None


class Profile(Model):
    """What one device model holds, and where each value stands.

    Attributes
    ----------
    function, word_order, byte_order
        Of all points that do not say otherwise.
    max_registers
        Most registers that the device gives in one request [words].
    gap
        Most unused registers that are read along between two values [words].
    forbidden
        First and last register of ranges that must never be read.
    sunspec
        Ids of the SunSpec models that the profile describes; then every address is an offset from the
        model's ID register, which is found by walking from register 40000.
    """

    id: Id
    vendor: str
    product: str
    trust: Literal["cross_checked", "single_source", "conflict"]
    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    traps: tuple[Trap, ...] = ()
    function: Function
    word_order: OrderName
    byte_order: ByteOrderName = ByteOrder.BIG
    max_registers: Annotated[int, Field(ge=1, le=MAX_WORDS)] = MAX_WORDS
    gap: Annotated[int, Field(ge=0, le=MAX_WORDS)] = 16
    forbidden: tuple[Range, ...] = ()
    sunspec: Annotated[tuple[Annotated[int, Field(ge=1, le=65534)], ...], Field(min_length=1)] | None = None
    identity: Identity | None = None
    identify: Identify | None = None
    points: Annotated[dict[Id, ProfilePoint], Field(min_length=1)]

    def function_of(self, point: ProfilePoint) -> int:
        """Return the function by which a point is read, 1 to 4."""
        return point.function or self.function

    def point_order(self, point: ProfilePoint) -> tuple[WordOrder, ByteOrder]:
        """Return the word order and the byte order of a point."""
        return point.word_order or self.word_order, point.byte_order or self.byte_order

    def problems(self) -> Iterator[Problem]:
        """Yield points that contradict themselves, the device or each other."""
        for name, point in self.points.items():
            yield from point_problems(
                name,
                point,
                function=self.function_of(point),
                limit=self.max_registers,
                forbidden=self.forbidden,
                sunspec=self.sunspec is not None,
            )
        yield from overlaps({name: (self.function_of(point), point) for name, point in self.points.items()})
        for name, text in self.identity.texts if self.identity else ():
            yield from text.problems_at(("identity", name))


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
            asked = id_or_path.lower()
            near = [each for each in known if len(asked) > 2 and asked in each]
            near = near or difflib.get_close_matches(asked, known, n=2, cutoff=0.4)
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
