"""What `seiren agent check --profile` says of a profile (pure but for the file)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from agent.modbus.plan import is_bits, plan
from agent.points import lane_of, register_point
from config.profile import Profile, ProfilePoint, load_profile
from config.profile_facts import EXAMPLE_MW, days, to_know, turns_at_kwh, whole
from core.carbon.rounding import exact_text
from core.delivery.frames import Lane

_WIDTH: Final = 79


def profile_report(path: Path) -> tuple[str, ...]:
    """Return what a profile's file holds, line by line, at most 79 columns wide.

    Parameters
    ----------
    path
        The file, ``*.yaml``.

    Raises
    ------
    ConfigError
        If anything in it is wrong, with file, line and key; `DocumentError` with all of it.
    """
    profile = load_profile(path)
    return tuple(line.rstrip() for line in _lines(profile))


def _lines(profile: Profile) -> Iterator[str]:
    yield from textwrap.wrap(f"{profile.id}: {profile.vendor}, {profile.product}", _WIDTH)
    yield f"{len(profile.points)} points; {profile.word_order}, bytes {profile.byte_order}; {profile.trust}"
    yield ""
    yield f"{'point':<24}{'at':<11}{'type':<9}{'unit':<6}{'one count':<10}turns at"
    for name, point in profile.points.items():
        yield from _row(name, point)
    if any(point.scale_register is not None for point in profile.points.values()):
        yield "~ times ten to the power in a register beside the value"
    yield ""
    yield f"requests, at most {profile.max_registers} registers each"
    for lane in Lane:
        yield from _requests(profile, lane)
    sentences = tuple(to_know(profile))
    if sentences:
        yield ""
        yield "to know"
        for sentence in sentences:
            yield from textwrap.wrap(sentence, _WIDTH, initial_indent="  ", subsequent_indent="    ")
    yield ""
    yield "The file is good. Next: seiren agent probe, at the meter."


def _row(name: str, point: ProfilePoint) -> Iterator[str]:
    at = "+".join(str(place.address) for place in point.places)
    if point.bit is not None:
        at += f".{point.bit}"
    one = exact_text(point.scale) + ("~" if point.scale_register is not None else "")
    turns = turns_at_kwh(point)
    wrap = "" if turns is None else f"{whole(turns)} kWh"
    yield f"{name:<23} {at:<10} {point.type:<8} {point.unit:<5} {one:<9} {wrap}"
    if turns is not None:
        yield f"{'':<60}{days(turns)} at {EXAMPLE_MW} MW"


def _requests(profile: Profile, lane: Lane) -> Iterator[str]:
    points = [
        register_point(name, point, profile)
        for name, point in profile.points.items()
        if lane_of(point.quantity) is lane
    ]
    for block in plan(points, gap=profile.gap, limit=profile.max_registers, forbidden=profile.forbidden):
        what = "bits" if is_bits(block.function) else "registers"
        yield (
            f"  {lane.value:<10} function {block.function}  {block.address} to {block.end - 1}: "
            f"{block.count} {what}, {len(block.points)} of the points"
        )
