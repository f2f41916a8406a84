"""What is wrong with the points of a profile although each value in it is well formed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final, NamedTuple

from config.profile_points import ProfilePoint, ValueType
from config.strict import Loc, Problem

_LONGEST_MODEL: Final = 1000
"""No meter model of SunSpec is as long; an offset beyond it is an address [words]."""


def point_problems(
    name: str,
    point: ProfilePoint,
    *,
    function: int,
    limit: int,
    forbidden: Sequence[tuple[int, int]],
    sunspec: bool,
) -> Iterator[Problem]:
    """Yield what is wrong with one point.

    Parameters
    ----------
    name, point
        The point and what it is called.
    function
        Modbus function by which it is read, 1 to 4.
    limit
        Most registers of one request [words].
    forbidden
        First and last register of each range that must not be read.
    sunspec
        Whether addresses are offsets in a SunSpec model.
    """
    loc: Loc = ("points", name)
    yield from point.measure_problems(loc, name)
    if (point.address is None) == (point.compose is None):
        yield Problem(
            loc,
            "A point has either an address or compose.",
            evidence="both" if point.compose else "neither",
            next="give address for one register, compose for several that are added",
        )
        return
    yield from _encoding(loc, point, function)
    yield from _reach(loc, point, limit=limit, forbidden=forbidden, sunspec=sunspec)
    yield from _meaning(loc, point)


def _encoding(loc: Loc, point: ProfilePoint, function: int) -> Iterator[Problem]:
    types = {place.type for place in point.places}
    if ValueType.STRING in types:
        yield Problem((*loc, "type"), "A text is no measure.", next="texts of the device stand in identity")
    if function in (1, 2) and types != {ValueType.BIT}:
        yield Problem(
            (*loc, "type"),
            "Functions 1 and 2 read single bits.",
            evidence=f"function {function}, {point.type.value}",
            next="use type bit, or function 3 or 4",
        )
    if function in (3, 4) and ValueType.BIT in types and point.bit is None:
        yield Problem(
            (*loc, "type"), "Which bit of the register?", evidence="type bit", next="add bit: 0 to 15"
        )
    if point.bit is not None and (types != {ValueType.BIT} or function in (1, 2)):
        yield Problem(
            (*loc, "bit"),
            "Only type bit in a register has a bit's number.",
            evidence=f"function {function}, {point.type.value}",
            next="remove bit",
        )
    widest = min((place.type.pattern_bits for place in point.places), default=0)
    for pattern in point.not_available:
        if pattern >= 2**widest:
            yield Problem(
                (*loc, "not_available"),
                "The device cannot send this pattern in the point's type.",
                evidence=f"0x{pattern:X}; {point.type.value} has {widest // 4} hex digits",
                next="write the pattern exactly as wide as the type",
            )
    register = point.scale_register
    if register is None:
        return
    if any(kind.is_float or kind is ValueType.BIT for kind in types):
        yield Problem(
            (*loc, "scale_register"),
            "Only a whole number has a power of ten in a register beside it.",
            evidence=point.type.value,
            next="remove scale_register, or correct the type",
        )
    low, high = register.type.limits
    if not low <= register.exponents[0] <= register.exponents[1] <= high:
        yield Problem(
            (*loc, "scale_register", "exponents"),
            "The register cannot hold these exponents in its type.",
            evidence=f"{register.exponents[0]} to {register.exponents[1]}; "
            f"{register.type.value} holds {low} to {high}",
            next="use int16 for negative exponents",
        )
    for pattern in register.not_available:
        if pattern > 0xFFFF:
            yield Problem(
                (*loc, "scale_register", "not_available"),
                "The device cannot send this pattern in one register.",
                evidence=f"0x{pattern:X}",
                next="write the pattern exactly as wide as the type",
            )


def _reach(
    loc: Loc, point: ProfilePoint, *, limit: int, forbidden: Sequence[tuple[int, int]], sunspec: bool
) -> Iterator[Problem]:
    at = (*loc, "address" if point.compose is None else "compose")
    start, end = point.span
    if end > 0x10000:
        yield Problem(at, "The value ends beyond the last register, 65535.", evidence=f"{start} to {end - 1}")
    if end - start > limit:
        yield Problem(
            at,
            "The registers of a value do not fit into one request.",
            evidence=f"{end - start} words, at most {limit}",
            cause="read in two requests they would be of two moments",
            next="leave out the register that stands so far away, or measure it as a point of its own",
        )
    for first, last in forbidden:
        if start <= last and first < end:  # between its parts too: they are read in one request
            yield Problem(
                at,
                "The value stands where the profile says that nothing may be read.",
                evidence=f"{start} to {end - 1}; forbidden: {first} to {last}",
                next="correct the address, or the range in forbidden",
            )
    if sunspec and end > _LONGEST_MODEL:
        yield Problem(
            at,
            "In a SunSpec profile addresses are offsets from the model's ID register.",
            evidence=f"{start}",
            cause="where a model stands differs from device to device",
            next="write the offset that the model's definition gives, such as 18",
        )


def _meaning(loc: Loc, point: ProfilePoint) -> Iterator[Problem]:
    counts = point.quantity.kind.value == "counter"
    for key, said in (("volatile", point.volatile), ("warmup_s", point.warmup_s > 0)):
        if said and not counts:
            yield Problem(
                (*loc, key),
                "Only a counter can restart.",
                evidence=f"{point.quantity.value} is a gauge",
                next=f"remove {key}",
            )
    if point.wrap_at is None:
        return
    register = point.scale_register
    if register is not None and register.exponents[0] != register.exponents[1]:
        yield Problem(
            (*loc, "wrap_at"),
            "Where a counter wraps cannot be told while its power of ten may change.",
            evidence=f"exponents {register.exponents[0]} to {register.exponents[1]}",
            next="remove wrap_at, or write the one exponent that your meter uses as both limits",
        )
        return
    weights = [place.weight for place in point.places]
    if len(set(weights)) < len(weights):
        yield Problem(
            (*loc, "wrap_at"),
            "A sum of registers has no turn of its own.",
            evidence=f"{len(weights)} registers, of which two have the same weight",
            cause="each of them turns alone, and the sum then falls by that register's limit",
            next="remove wrap_at",
        )
        return
    if any(place.type.is_float for place in point.places):
        return
    most = sum(place.weight * place.type.limits[1] for place in point.places) + 1
    if point.wrap_at > most:
        kind = "+".join(dict.fromkeys(place.type.value for place in point.places))
        yield Problem(
            (*loc, "wrap_at"),
            "The register wraps before it gets so far.",
            evidence=f"{point.wrap_at}; {kind} wraps at {most} at the latest [counts]",
            next="write wrap_at in counts, as the register holds them, not in kWh",
        )


class _Taken(NamedTuple):
    """Registers that a point takes, or its power of ten."""

    name: str
    key: str
    function: int
    address: int
    end: int
    type: ValueType
    bit: int | None
    is_scale: bool


def overlaps(points: Mapping[str, tuple[int, ProfilePoint]]) -> Iterator[Problem]:
    """Yield where two values share registers.

    Parameters
    ----------
    points
        By name, the Modbus function (1 to 4) and the point.
    """
    taken = [each for name, (function, point) in points.items() for each in _taken(name, function, point)]
    told: set[tuple[str, str]] = set()
    for first, second in combinations(taken, 2):
        if first.function != second.function or first.address >= second.end or second.address >= first.end:
            continue
        if first.is_scale and second.is_scale and first.address == second.address:
            continue
        if first.bit is not None and second.bit is not None and first.bit != second.bit:
            continue
        if first.type.is_half and second.type.is_half and first.type.value[-4:] != second.type.value[-4:]:
            continue
        if (first.name, second.name) in told:
            continue
        told.add((first.name, second.name))
        if first.name == second.name:
            what = "A register is added to itself, or is its own power of ten."
        else:
            what = f"The registers are those of {first.name} too."
        yield Problem(
            ("points", second.name, second.key),
            what,
            evidence=f"{second.address} {second.type.value}, {first.address} {first.type.value}",
            next="correct the address or the type of one of them",
        )


def _taken(name: str, function: int, point: ProfilePoint) -> Iterator[_Taken]:
    key = "address" if point.compose is None else "compose"
    for place in point.places:
        yield _Taken(name, key, function, place.address, place.end, place.type, point.bit, False)
    register = point.scale_register
    if register is not None:
        yield _Taken(
            name,
            "scale_register",
            function,
            register.address,
            register.address + 1,
            register.type,
            None,
            True,
        )
