"""What a device would be saying if it were read in a certain way, and what speaks against that (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.tools.bands import Judged, Sense, Setup, judge
from agent.tools.display import Display, Match, compare
from agent.tools.relations import Relation, Seen, relations
from agent.tools.steps import step_relations
from agent.tools.variants import AS_CONFIGURED, Entry, Number, Variant, Words, read_number
from config.profile import WordOrder
from core.metering.quantities import Quantity, Unit

_CLOSE: Final = 0.002
"""Values of one instant agree like this; those with another value's digits in them do not [1]."""
ENERGIES: Final = (Quantity.ACTIVE_ENERGY_IMPORT, Quantity.DC_ENERGY)
"""Registers that a display is compared with, the first that the device has."""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that is known of a device.

    Attributes
    ----------
    entries
        Its points as configured.
    first, later
        Words of two readings; `later` is empty where there was only one.
    elapsed_s
        Time between the two [s].
    refused
        Name of a point → how the device refused its registers.
    setup
        What stands between meter and conductor, by the configuration.
    display
        What its display shows.
    """

    entries: tuple[Entry, ...]
    first: Words
    setup: Setup
    later: Words = field(default_factory=dict)
    elapsed_s: float = 0.0
    refused: Mapping[str, str] = field(default_factory=dict)
    display: Display | None = None
    _memo: dict[tuple[str, Variant, bool], Number] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )

    def number(self, entry: Entry, variant: Variant, *, later: bool = False) -> Number:
        """Return what a point says when it is read in a certain way."""
        key = entry.name, variant, later
        if key not in self._memo:
            self._memo[key] = read_number(entry, variant, self.later if later else self.first)
        return self._memo[key]

    @property
    def energy(self) -> Entry | None:
        """The register that the display shows."""
        for quantity in ENERGIES:
            for entry in self.entries:
                if entry.measure.quantity is quantity:
                    return entry
        return None


@dataclass(frozen=True, slots=True)
class World:
    """A way to read the whole device.

    Attributes
    ----------
    setup
        What stands between meter and conductor.
    variants
        Points that are read otherwise than configured.
    excused
        Points and kinds of relations that are no longer asked about.
    """

    setup: Setup
    variants: Mapping[str, Variant] = field(default_factory=dict)
    excused: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a way of reading gives.

    Attributes
    ----------
    numbers, judged
        By name of the point.
    relations
        What the values owe each other.
    match
        What the display says; None without one.
    against
        How much speaks against this way [1].
    support
        How much speaks for it [1].
    """

    numbers: Mapping[str, Number]
    judged: Mapping[str, Judged]
    relations: tuple[Relation, ...]
    match: Match | None
    against: float
    support: float

    @property
    def bad(self) -> frozenset[str]:
        """Points whose value cannot be."""
        return frozenset(name for name, judged in self.judged.items() if judged.sense is Sense.NO)

    @property
    def good(self) -> frozenset[str]:
        """Points whose value makes sense, and is not merely 0."""
        return frozenset(name for name, judged in self.judged.items() if judged.sense is Sense.OK)


def evaluate(case: Case, world: World, *, was_bad: frozenset[str] = frozenset()) -> Evaluation:
    """Judge a way of reading a device.

    Parameters
    ----------
    case
        What was received.
    world
        How it is read.
    was_bad
        Points that make no sense as configured: it takes more than a 0 to explain them.
    """
    numbers = {entry.name: case.number(entry, _variant(world, entry)) for entry in case.entries}
    judged = {entry.name: _judged(case, world, entry, numbers[entry.name]) for entry in case.entries}
    first = _seen(case, numbers, judged)
    found = [*relations(first)]
    if case.later:
        numbers_later = {e.name: case.number(e, _variant(world, e), later=True) for e in case.entries}
        later = _seen(case, numbers_later, judged)
        # a load that swings between two requests breaks a relation once; a mistake breaks it each time
        again = {(each.kind, each.names): each for each in relations(later) if each.agrees is not False}
        found = [again.get((each.kind, each.names), each) if each.agrees is False else each for each in found]
        found += step_relations(first, later, case.elapsed_s)
    match = _match(case, world, numbers, judged, first)
    counted = [each for each in found if each.kind not in world.excused]
    asked = [entry.name for entry in case.entries if entry.name not in world.excused]
    against = sum(
        1.0
        if judged[name].sense is Sense.NO
        else 0.3 * (name in was_bad and judged[name].sense is not Sense.OK)
        for name in asked
    )
    against += sum(relation.agrees is False for relation in counted)
    # words that are all 0 are hardly there by chance: where something must not be lost, they count too
    support = float(sum(judged[name].sense in (Sense.OK, Sense.ZERO) for name in asked))
    support += 2 * sum(relation.agrees is True for relation in counted)
    support += 0.5 * sum(relation.agrees is True and abs(relation.ratio - 1) < _CLOSE for relation in counted)
    support += 0.1 * sum(
        _has_digits(_variant(world, entry), entry, numbers[entry.name]) for entry in case.entries
    )
    if match is not None and "display" not in world.excused:
        against += 2 * (match.agrees is False)
        support += 3 * (match.agrees is True) + match.proves_side
    return Evaluation(numbers, judged, tuple(found), match, against, support)


def _has_digits(variant: Variant, entry: Entry, number: Number) -> bool:
    """Whether a float is none of a few bits only, as one is whose low word is really a filler."""
    register = variant.applied(entry.register)
    if not number.words or not all(part.type.is_float for part in register.parts):
        return False
    low = -1 if register.word_order is WordOrder.MSW_FIRST else 0
    return number.words[0][low] not in (0, 0xFFFF)


def _variant(world: World, entry: Entry) -> Variant:
    return world.variants.get(entry.name, AS_CONFIGURED)


def _judged(case: Case, world: World, entry: Entry, number: Number) -> Judged:
    if not number.read:
        refusal = case.refused.get(entry.name) if _variant(world, entry) == AS_CONFIGURED else None
        return Judged(Sense.NO, refusal or "the device does not give these registers")
    return judge(entry.measure.quantity, _base(entry, number), world.setup)


def _base(entry: Entry, number: Number) -> float | None:
    return None if number.value is None else float(number.value) * entry.base_factor


def _seen(case: Case, numbers: Mapping[str, Number], judged: Mapping[str, Judged]) -> dict[str, Seen]:
    """Values that can be: of others nothing follows."""
    return {
        entry.name: Seen(
            entry.name,
            entry.measure.quantity,
            _base(entry, numbers[entry.name]),
            numbers[entry.name].step * entry.base_factor,
        )
        for entry in case.entries
        if judged[entry.name].sense in (Sense.OK, Sense.ZERO)
    }


def _match(
    case: Case,
    world: World,
    numbers: Mapping[str, Number],
    judged: Mapping[str, Judged],
    seen: Mapping[str, Seen],
) -> Match | None:
    entry = case.energy
    if case.display is None or entry is None or judged[entry.name].sense not in (Sense.OK, Sense.ZERO):
        return None
    value = numbers[entry.name].value
    assert value is not None
    power = seen.get(Quantity.ACTIVE_POWER.value) or seen.get(Quantity.DC_POWER.value)
    power_kw = (power.value or 0.0) / 1000 if power else 0.0
    kwh = float(value) * float(entry.measure.unit.factor_to(Unit.KWH))
    return compare(case.display, kwh, power_kw, world.setup)
