"""Which product answers: by what it says of itself, or by what its registers hold (pure)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from agent.modbus.decode import decode_value
from agent.modbus.identity import PRODUCT, VENDOR
from agent.modbus.plan import RegisterPoint
from agent.tools.bands import Sense, Setup, rated_voltage
from agent.tools.evaluation import Case, World, evaluate
from agent.tools.figures import short
from agent.tools.variants import Entry, Words
from config.profile import Fingerprint, Place, Profile
from core.metering.quantities import Unit


@dataclass(frozen=True, slots=True)
class Guess:
    """A profile that may be that of a unit.

    Attributes
    ----------
    score
        How many of its values make sense [1].
    evidence
        What speaks for it.
    """

    profile: str
    score: int
    evidence: str


def by_identification(profiles: Iterable[Profile], objects: Mapping[int, str]) -> list[Guess]:
    """Return the profiles that fit what a device says of itself by 43/14.

    Parameters
    ----------
    profiles
        Those that come into question.
    objects
        Text by object id.
    """
    vendor, product = objects.get(VENDOR, ""), objects.get(PRODUCT, "")
    said = f"43/14: {' '.join(filter(None, (vendor, product)))}"
    return [Guess(each.id, 1, said) for each in profiles if _says(each, vendor, product)]


def _says(profile: Profile, vendor: str, product: str) -> bool:
    rule = profile.identify
    if rule is not None and (rule.vendor is not None or rule.product is not None):
        return all(
            pattern is None or re.search(pattern, text) is not None
            for pattern, text in ((rule.vendor, vendor), (rule.product, product))
        )
    words = re.findall(r"[a-z0-9]+", profile.product.lower())
    return bool(product) and _plain(product) in words and _plain(vendor)[:4] == _plain(profile.vendor)[:4]


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def point_of(rule: Fingerprint, profile: Profile) -> RegisterPoint:
    """Return the register that a rule looks at."""
    place = Place(rule.address, rule.type, 1)
    return RegisterPoint(
        "", (place,), profile.word_order, profile.byte_order, rule.function or profile.function
    )


def holds(rule: Fingerprint, profile: Profile, words: list[int]) -> str | None:
    """Return what a rule sees where it holds, else None.

    Parameters
    ----------
    rule, profile
        What is expected.
    words
        The registers, as many as the rule's type has.
    """
    value = decode_value(point_of(rule, profile), struct.pack(f">{len(words)}H", *words))
    if value is None:
        return None
    if rule.equals is not None:
        good = value == rule.equals
    else:
        good = (rule.min is None or value >= rule.min) and (rule.max is None or value <= rule.max)
    return f"{rule.address} holds {short(float(value))}" if good else None


def weigh(
    profile: Profile, entries: tuple[Entry, ...], words: Words, refused: Mapping[str, str]
) -> Guess | None:
    """Return how well a profile's points make sense of a unit; None where one cannot be.

    Parameters
    ----------
    profile, entries
        The profile, and its points with the addresses of the wire.
    words, refused
        What the unit gave, and what it refused.
    """
    world = World(Setup())
    found = evaluate(Case(entries, words, world.setup, refused=refused), world)
    shown: list[str] = []
    score = 0
    for entry in entries:
        number, sense = found.numbers[entry.name], found.judged[entry.name].sense
        if not number.read:
            score -= 1
            continue
        base = None if number.value is None else float(number.value) * entry.base_factor
        if sense is Sense.NO and base is not None and entry.measure.quantity.unit is Unit.V:
            sense = Sense.OK if rated_voltage(entry.measure.quantity, base) else Sense.NO
        if sense is Sense.NO:
            return None
        if sense is Sense.OK:
            score += 3 if entry.measure.quantity.unit is Unit.HZ else 1
            shown.append(f"{entry.name} {short(number.value or 0)} {entry.measure.unit.value}")
    for relation in found.relations:
        score += 3 if relation.agrees else -3 if relation.agrees is False else 0
    return (
        Guess(profile.id, score, ", ".join(sorted(shown, key=_telling)[:2])) if shown and score > 0 else None
    )


def _telling(text: str) -> int:
    """Frequency and voltage tell most."""
    return 0 if text.startswith("freq") else 1 if text.startswith("volt") else 2


def best(guesses: Iterable[Guess]) -> Iterator[Guess]:
    """Yield the best guess, and those that are as good: which it is cannot be told then."""
    ranked = sorted(guesses, key=lambda each: (-each.score, each.profile))
    yield from (each for each in ranked if each.score == ranked[0].score)
