"""Who answers on a gateway or line: an explicit range of units, asked one after the other, gently."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median
from typing import Final

from agent.modbus.bus import Bus, RefusedError
from agent.modbus.identity import read_identification
from agent.modbus.plan import is_bits
from agent.points import register_point
from agent.tools.asking import GENTLE_S, Asker, OutOfRequests, Pause, based, read_points
from agent.tools.fingerprints import Guess, best, by_identification, holds, point_of, weigh
from agent.tools.variants import Entry
from config.links import ModbusLink
from config.profile import Profile
from core.errors import OutsideError, Unreachable, UsageError

_FIRST_S: Final = 1.0
_LEAST_S: Final = 0.3
_OF_ONE_UNIT: Final = 120
_MOST_UNITS: Final = 247

Progress = Callable[[int, int, int], None]
"""Told before each unit: which of how many, and how many have answered."""


@dataclass(slots=True)
class FoundUnit:
    """A unit that answers.

    Attributes
    ----------
    objects
        What it says of itself by 43/14.
    guesses
        Profiles that fit equally; one: it is that product; none: nobody knows.
    only_refuses
        Whether it answered every read with an exception.
    """

    unit: int
    round_trip_ms: float
    objects: dict[int, str] = field(default_factory=dict)
    guesses: tuple[Guess, ...] = ()
    only_refuses: bool = False


@dataclass(slots=True)
class Scanned:
    """What a scan has found.

    Attributes
    ----------
    fault
        Why nobody could be asked; None where the link stands.
    answers
        Gateway's words about units that it does not reach → which.
    requests
        How many were sent [1].
    """

    link: ModbusLink
    units: tuple[int, ...]
    found: list[FoundUnit] = field(default_factory=list)
    fault: Unreachable | None = None
    answers: dict[str, list[int]] = field(default_factory=dict)
    requests: int = 0


def parse_units(text: str) -> tuple[int, ...]:
    """Return the units of a range as a person types it.

    Raises
    ------
    UsageError
        If it is none, or has units outside 1 to 255.

    Examples
    --------
    >>> parse_units("1-3,7")
    (1, 2, 3, 7)
    """
    units: dict[int, None] = {}
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise _no_range(text)
        low, high = int(first), int(last or first)
        if not 1 <= low <= high <= 255:
            raise _no_range(text)
        units |= dict.fromkeys(range(low, high + 1))
    if len(units) > _MOST_UNITS:
        raise _no_range(text)
    return tuple(sorted(units))


def _no_range(text: str) -> UsageError:
    return UsageError(
        "This is no range of units",
        evidence=text,
        cause="units are 1 to 247 (255 only on TCP)",
        next="write it as 1-32, or 1,3,7-9",
    )


async def scan(
    link: ModbusLink,
    units: tuple[int, ...],
    profiles: Iterable[Profile],
    *,
    now_ms: Callable[[], int],
    pause: Pause,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Scanned:
    """Ask each unit who it is.

    Parameters
    ----------
    link
        Where.
    units
        Which.
    profiles
        Products that can be recognised.
    now_ms, pause, clock
        The clock [ms since 1970-01-01 UTC], how to wait [s], and a monotonic clock [s].
    progress
        Told how far it is.
    """
    bus = Bus(replace(link, connections=1), now_ms=now_ms, clock=clock)
    result = Scanned(link, units)
    known = tuple(profiles)
    slowest_ms = 0.0
    try:
        for at, unit in enumerate(units):
            if progress is not None:
                progress(at + 1, len(units), len(result.found))
            within_s = _FIRST_S
            if slowest_ms:
                within_s = min(_FIRST_S, max(_LEAST_S, 4 * slowest_ms / 1000))
            asker = Asker(bus, unit, pause, gap_s=max(GENTLE_S, link.gap_ms / 1000), left=_OF_ONE_UNIT)
            try:
                found = await _knock(asker, within_s)
            except Unreachable as error:
                if bus.stats.connects == 0:
                    result.fault = error
                    break
                if "exception" in error.evidence:
                    result.answers.setdefault(error.evidence.partition(",")[0], []).append(unit)
                continue
            slowest_ms = max(slowest_ms, found.round_trip_ms)
            result.found.append(found)
            await _recognise(asker, found, known)
            found.round_trip_ms = median(asker.round_trips_ms)
    finally:
        await bus.close()
    result.requests = bus.stats.requests
    return result


async def _knock(asker: Asker, within_s: float) -> FoundUnit:
    """Ask for one register: a refusal is an answer too."""
    try:
        await asker.words(3, 0, 1, within_s=within_s)
    except RefusedError:
        return FoundUnit(asker.unit, asker.round_trips_ms[-1], only_refuses=True)
    return FoundUnit(asker.unit, asker.round_trips_ms[-1])


async def _recognise(asker: Asker, found: FoundUnit, profiles: tuple[Profile, ...]) -> None:
    with suppress(OutsideError):  # many know nothing of 43/14, and some then say nothing at all
        found.objects = await read_identification(partial(asker.bus.ask, within_s=_FIRST_S), asker.unit)
    named = by_identification(profiles, found.objects)
    if len(named) == 1:
        found.guesses = tuple(named)
        found.only_refuses = False
        return
    guesses: list[Guess] = []
    cache: dict[tuple[int, int, int], list[int] | None] = {}
    chosen = {each.profile for each in named}
    for profile in profiles:
        if chosen and profile.id not in chosen:
            continue
        try:
            evidence = await _rules(asker, profile, cache)
            if evidence is not None and (guess := await _weighed(asker, profile)) is not None:
                guesses.append(replace(guess, evidence="; ".join(filter(None, (evidence, guess.evidence)))))
        except (OutOfRequests, Unreachable):
            continue
        except OutsideError:  # no SunSpec device
            continue
    found.guesses = tuple(best(guesses)) if guesses else tuple(named)
    if guesses or any(words is not None for words in cache.values()):
        found.only_refuses = False


async def _rules(
    asker: Asker, profile: Profile, cache: dict[tuple[int, int, int], list[int] | None]
) -> str | None:
    """Return what speaks for a profile by its own rules; None where one of them does not hold."""
    evidence = []
    for rule in profile.identify.registers if profile.identify is not None else ():
        point = point_of(rule, profile)
        if is_bits(point.function):
            continue
        key = (point.function, point.start, point.end - point.start)
        if key not in cache:
            try:
                cache[key] = await asker.words(*key)
            except RefusedError:
                cache[key] = None
        words = cache[key]
        if words is None:
            continue  # another model of the family may lack this one register
        said = holds(rule, profile, words)
        if said is None:
            return None
        evidence.append(said)
    ruled = profile.identify is not None and profile.identify.registers
    return None if ruled and not evidence else ", ".join(evidence[:1])


async def _weighed(asker: Asker, profile: Profile) -> Guess | None:
    entries = tuple(
        Entry(name, point, register_point(name, point, profile)) for name, point in profile.points.items()
    )
    entries = await based(asker, profile, entries)
    received = await read_points(asker, profile, entries, limit=profile.max_registers)
    return weigh(profile, entries, received.words, received.refused)


def devices_block(result: Scanned) -> Iterator[str]:
    """Yield a block for agent.yaml, ready to be pasted (pure)."""
    named = [each for each in result.found if each.guesses]
    if not named:
        return
    yield "devices:"
    for each in named:
        guess, *others = each.guesses
        yield f"  - id: METER-{each.unit}"
        yield f"    profile: {guess.profile}"
        for other in others:
            yield f"    # or:    {other.profile}"
        yield f"    modbus: {{{_address(result.link)}, unit: {each.unit}}}"
        yield "    # ct: 400/5        off the nameplates"
        yield "    # vt: 6600/110"
        yield "    # side: secondary  primary: the meter multiplies by CT and VT itself"


def _address(link: ModbusLink) -> str:
    if link.serial is not None:
        line = f"serial: {link.serial}, baud: {link.baud}, parity: {link.parity}"
        return f"{line}, stop_bits: {link.stop_bits}" if link.stop_bits != 1 else line
    port = "" if link.port == 502 else f", port: {link.port}"
    return f"host: {link.host}{port}" + (", framing: rtu" if link.framing == "rtu" else "")
