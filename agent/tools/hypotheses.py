"""Single mistakes that a person makes, each as a way to read the device instead (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction
from typing import Final

from agent.tools.bands import Sense, Setup, next_rated_voltage, rated_voltage
from agent.tools.display import implied_ct, standard_ct
from agent.tools.evaluation import Case, Evaluation, World
from agent.tools.variants import AS_CONFIGURED, Entry, Variant, family, other_types
from config.profile import ValueType
from config.strict import DIRECT, Ratio
from core.metering.quantities import Unit

DOUBT: Final = 12.0
"""How much too small a CT may have been written down: by more, it is another mistake [1]."""


class Kind(StrEnum):
    """What is wrong."""

    ORDER = "word order"
    ADDRESS = "address"
    SCALE = "scale"
    TYPE = "type"
    FUNCTION = "function"
    SIDE = "side"
    CT = "CT ratio"
    VT = "VT ratio"
    HOLDS_POWER = "kW for kWh"
    MIXED = "sides mixed"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One mistake.

    Attributes
    ----------
    kind, detail
        What it is: ``SCALE`` by 1000.
    level
        0 the whole device, 1 a family of points, 2 one point, 3 two mistakes at once.
    variants
        How its points are read instead.
    setup
        What really stands between meter and conductor; None where that is not in doubt.
    excuses
        Kinds of relations that the mistake explains.
    """

    kind: Kind
    detail: str
    level: int
    variants: Mapping[str, Variant] = field(default_factory=dict)
    setup: Setup | None = None
    excuses: frozenset[str] = frozenset()

    def applied(self, world: World) -> World:
        """Return the world in which this one mistake is mended."""
        variants = {**world.variants}
        for name, variant in self.variants.items():
            variants[name] = _combined(variants.get(name, AS_CONFIGURED), variant)
        return World(self.setup or world.setup, variants, world.excused | self.excuses)


def _combined(before: Variant, then: Variant) -> Variant:
    return Variant(
        swap_words=before.swap_words != then.swap_words,
        swap_bytes=before.swap_bytes != then.swap_bytes,
        shift=before.shift + then.shift,
        factor=before.factor * then.factor,
        type=then.type or before.type,
        function=then.function or before.function,
    )


ORDERS: Final = {
    "words the other way round": Variant(swap_words=True),
    "bytes the other way round": Variant(swap_bytes=True),
    "words and bytes the other way round": Variant(swap_words=True, swap_bytes=True),
}
SHIFTS: Final = {"-1": Variant(shift=-1), "+1": Variant(shift=1)}
SLIPS: Final = {"1,000": Variant(factor=Fraction(1000)), "1/1,000": Variant(factor=Fraction(1, 1000))}
_DECIMALS: Final = {
    name: Variant(factor=Fraction(10) ** power)
    for power, name in ((1, "10"), (-1, "1/10"), (2, "100"), (-2, "1/100"), (6, "10^6"), (-6, "1/10^6"))
}


def hypotheses(case: Case, world: World, now: Evaluation) -> Iterator[Hypothesis]:
    """Yield the single mistakes that are worth a try.

    Parameters
    ----------
    case
        What was received.
    world, now
        How the device is read so far, and what that gives.
    """
    names = [entry.name for entry in case.entries]
    for detail, variant in ORDERS.items():
        yield Hypothesis(Kind.ORDER, detail, 0, dict.fromkeys(_wide(case.entries, variant), variant))
    for detail, variant in SHIFTS.items():
        yield Hypothesis(Kind.ADDRESS, detail, 0, dict.fromkeys(names, variant))
    for function in sorted({entry.register.function for entry in case.entries} & {3, 4}):
        other = Variant(function=7 - function)
        chosen = [entry.name for entry in case.entries if entry.register.function == function]
        yield Hypothesis(Kind.FUNCTION, str(7 - function), 0, dict.fromkeys(chosen, other))
    yield from _families(case)
    suspects = now.bad | {name for each in now.relations if each.agrees is False for name in each.names}
    if now.match is not None and now.match.agrees is False and case.energy is not None:
        suspects |= {case.energy.name}
    for entry in case.entries:
        says = now.judged[entry.name].sense in (Sense.OK, Sense.NO)
        if says and entry.name in suspects - world.excused:
            yield from _of_point(entry)
    yield from _of_setup(case, world, now)
    yield from _of_energy(case, now)


def pairs(case: Case) -> Iterator[Hypothesis]:
    """Yield word order and address wrong together, for when neither alone makes sense."""
    for detail, order in ORDERS.items():
        for step, shift in SHIFTS.items():
            both = replace(order, shift=shift.shift)
            yield Hypothesis(
                Kind.ORDER,
                f"{detail}, and address {step}",
                3,
                {entry.name: both for entry in case.entries},
            )


def _wide(entries: tuple[Entry, ...], variant: Variant) -> list[str]:
    """Points that an order means anything for."""
    return [
        entry.name
        for entry in entries
        if variant.swap_bytes or any(part.type.words > 1 for part in entry.register.parts)
    ]


def _families(case: Case) -> Iterator[Hypothesis]:
    for name in ("energy", "power", "current", "voltage"):
        chosen = [entry.name for entry in case.entries if family(entry) == name]
        if chosen:
            for detail, variant in ORDERS.items():
                yield Hypothesis(Kind.ORDER, detail, 1, dict.fromkeys(chosen, variant))
            for detail, variant in SHIFTS.items():
                yield Hypothesis(Kind.ADDRESS, detail, 1, dict.fromkeys(chosen, variant))
            for detail, variant in SLIPS.items():
                yield Hypothesis(Kind.SCALE, f"{name} x {detail}", 1, dict.fromkeys(chosen, variant))
    by_type: dict[ValueType, list[Entry]] = {}
    for entry in case.entries:
        by_type.setdefault(entry.register.parts[0].type, []).append(entry)
    for entries in by_type.values():
        for other in other_types(entries[0].register):
            variants = {entry.name: _as_type(entry, other) for entry in entries}
            yield Hypothesis(Kind.TYPE, other.value, 1, variants)


def _as_type(entry: Entry, other: ValueType) -> Variant:
    """A float is hardly ever scaled as the integer was."""
    was_float = entry.register.parts[0].type.is_float
    return Variant(
        type=other, factor=1 / entry.measure.scale if other.is_float and not was_float else Fraction(1)
    )


def _of_point(entry: Entry) -> Iterator[Hypothesis]:
    for detail, variant in ORDERS.items():
        if _wide((entry,), variant):
            yield Hypothesis(Kind.ORDER, detail, 2, {entry.name: variant})
    for detail, variant in SHIFTS.items():
        yield Hypothesis(Kind.ADDRESS, detail, 2, {entry.name: variant})
    for detail, variant in SLIPS.items():
        yield Hypothesis(Kind.SCALE, f"{entry.name} x {detail}", 2, {entry.name: variant})
    for other in other_types(entry.register):
        yield Hypothesis(Kind.TYPE, other.value, 2, {entry.name: _as_type(entry, other)})


def _of_setup(case: Case, world: World, now: Evaluation) -> Iterator[Hypothesis]:
    setup = world.setup
    if setup.ct != DIRECT or setup.vt != DIRECT:
        other = replace(setup, side="secondary" if setup.side == "primary" else "primary")
        yield Hypothesis(Kind.SIDE, other.side, 0, setup=other)
    if setup.ct != DIRECT or setup.full_scale_kw is not None:
        yield Hypothesis(Kind.CT, "larger", 0, setup=replace(setup, slack=DOUBT))
    for entry in case.entries:
        value = now.numbers[entry.name].value
        if now.judged[entry.name].sense is Sense.NO and entry.measure.quantity.unit is Unit.V and value:
            rated = rated_voltage(entry.measure.quantity, float(value) * entry.base_factor)
            if rated is not None and setup.side == "primary":
                secondary = setup.vt.secondary if setup.vt != DIRECT else Fraction(110)
                ratio = Ratio(Fraction(rated), secondary)
                if ratio != setup.vt:
                    yield Hypothesis(Kind.VT, ratio.text("V"), 0, setup=replace(setup, vt=ratio))
                return


def _of_energy(case: Case, now: Evaluation) -> Iterator[Hypothesis]:
    setup = case.setup
    transformers = {
        "CT x VT": float(setup.ct.factor * setup.vt.factor),
        "CT": float(setup.ct.factor),
        "VT": float(setup.vt.factor),
    }
    for relation in now.relations:
        if relation.agrees is not False:
            continue
        if relation.kind == "same":
            excuses = frozenset({"same", "fell", "step", "still", "display"})
            yield Hypothesis(Kind.HOLDS_POWER, relation.names[0], 2, excuses=excuses)
        for name, factor in transformers.items():
            for ratio, detail in ((factor, name), (1 / factor, f"1/({name})")):
                if relation.ratio and ratio != 1 and 0.9 <= relation.ratio / ratio <= 1.11:
                    yield Hypothesis(
                        Kind.MIXED, f"{relation.kind} {detail}", 1, excuses=frozenset({relation.kind})
                    )
        if relation.kind == "vi" and setup.ct != DIRECT and 0.1 <= relation.ratio <= 10:
            ct = standard_ct(relation.ratio * float(setup.ct.factor), setup.ct)
            if ct is not None:
                yield Hypothesis(Kind.CT, ct.text("A"), 1, excuses=frozenset({"vi"}))
    energy = case.energy
    if energy is None or now.match is None or now.match.agrees is not False or case.display is None:
        return
    for detail, variant in _DECIMALS.items():
        yield Hypothesis(Kind.SCALE, f"{energy.name} x {detail}", 2, {energy.name: variant})
    value = now.numbers[energy.name].value
    kwh = float(value or 0) * float(energy.measure.unit.factor_to(Unit.KWH))
    ct = implied_ct(case.display, kwh, setup)
    if ct is not None:
        yield Hypothesis(Kind.CT, ct.text("A"), 0, setup=replace(setup, ct=ct))
    if kwh > 0 and setup.side == "secondary" and setup.vt != DIRECT:
        times = float(case.display.shown) / kwh / float(setup.ct.factor)
        rated = next_rated_voltage(times * float(setup.vt.secondary))
        if rated is not None and rated != setup.vt.primary:
            vt = Ratio(Fraction(rated), setup.vt.secondary)
            yield Hypothesis(Kind.VT, vt.text("V"), 1, setup=replace(setup, vt=vt))
    if kwh > 0:
        times = float(case.display.shown) / kwh
        for name in ("CT", "VT"):
            factor = transformers[name]
            if factor not in (1.0, transformers["CT x VT"]) and abs(times / factor - 1) < 0.002:
                yield Hypothesis(Kind.MIXED, f"display {name}", 1, excuses=frozenset({"display"}))
