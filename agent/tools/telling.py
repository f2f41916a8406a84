"""A finding in words: what is wrong, why that is known, and which line to change (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from agent.tools.diagnosis import Diagnosis, Finding
from agent.tools.evaluation import Case, Evaluation
from agent.tools.figures import short
from agent.tools.hypotheses import Hypothesis, Kind
from agent.tools.variants import Entry
from config.profile import ByteOrder, WordOrder
from config.strict import DIRECT, Loc
from core.carbon.rounding import exact_text


class Place(Protocol):
    """Where a key stands, for people: of ``agent`` or ``profile``, and its path."""

    @property
    def shipped(self) -> bool:
        """Whether the profile came with Seiren, so that nobody can edit it."""

    def __call__(self, file: str, loc: Loc) -> str:
        """Return file and line, ``agent.yaml line 41``."""


_LADDERS: Final = (
    ("mWh", "Wh", "kWh", "MWh", "GWh"),
    ("mvarh", "varh", "kvarh", "Mvarh", "Gvarh"),
    ("mVAh", "VAh", "kVAh", "MVAh", "GVAh"),
    ("mW", "W", "kW", "MW", "GW"),
    ("mvar", "var", "kvar", "Mvar", "Gvar"),
    ("mVA", "VA", "kVA", "MVA", "GVA"),
    ("mV", "V", "kV", "MV"),
    ("mA", "A", "kA", "MA"),
)


@dataclass(frozen=True, slots=True)
class Told:
    """A finding as a person reads it.

    Attributes
    ----------
    headline
        What is wrong.
    why
        Evidence, a sentence each.
    fix
        What to change, and where.
    kinds
        What kind of mistake, several where they fit equally; none where nothing fits.
    """

    headline: str
    why: tuple[str, ...]
    fix: tuple[str, ...]
    kinds: tuple[str, ...]


_MOST_TOLD: Final = 4
_OF_PROFILE: Final = {Kind.ORDER, Kind.ADDRESS, Kind.SCALE, Kind.TYPE, Kind.FUNCTION, Kind.HOLDS_POWER}
"""Mistakes that stand in a profile."""


def tell(case: Case, diagnosis: Diagnosis, finding: Finding, place: Place) -> Told:
    """Return a finding in words.

    Parameters
    ----------
    case, diagnosis, finding
        What was received, and what came of it.
    place
        Where the keys stand.
    """
    kinds = tuple(each.kind.value for each in finding.candidates)
    if not finding.candidates:
        return _nothing_fits(case, diagnosis, finding)
    if len(finding.candidates) > 1:
        return _several_fit(case, finding, place, kinds)
    (hypothesis,) = finding.candidates
    return Told(
        headline(case, hypothesis, finding.before),
        tuple(_why(case, finding, finding.after[0])),
        tuple(_fix(case, hypothesis, place)),
        kinds,
    )


def headline(case: Case, hypothesis: Hypothesis, before: Evaluation) -> str:
    """Return one mistake in a sentence."""
    kind, detail = hypothesis.kind, hypothesis.detail
    names = tuple(hypothesis.variants)
    whose = "this meter" if hypothesis.level in (0, 3) or not names else _of(names)
    if kind is Kind.ORDER:
        return f"{_order_kind(hypothesis)}: {whose} sends {_order(case, hypothesis)}"
    if kind is Kind.ADDRESS:
        what = "every value stands" if hypothesis.level == 0 else f"{whose} stands"
        return f"address {detail}: {what} one register {'lower' if detail == '-1' else 'higher'}"
    if kind is Kind.SCALE:
        return _slip(case, hypothesis)
    if kind is Kind.TYPE:
        was = next(e for e in case.entries if e.name == names[0]).register.parts[0].type.value
        return f"type: {_of(names)} is sent as {detail}, not {was}"
    if kind is Kind.FUNCTION:
        return (
            f"function {detail}: the values stand in the {'input' if detail == '4' else 'holding'} registers"
        )
    if kind is Kind.SIDE:
        return f"side: this meter shows {detail} values"
    if kind is Kind.HOLDS_POWER:
        return f"kW for kWh: {detail} holds power, not energy"
    if kind is Kind.VT:
        return f"VT ratio: the voltage is that behind {detail}, configured is {_ratio(case, 'vt')}"
    if kind is Kind.CT and detail == "larger":
        return f"CT ratio {_ratio(case, 'ct')}: the meter shows more than it can carry"
    if kind is Kind.CT:
        return f"CT ratio: as if it were {detail}, configured is {_ratio(case, 'ct')}"
    what, _, times = detail.partition(" ")
    return f"sides mixed: {'the display' if what == 'display' else 'one value'} is {times} times the other"


def _order_kind(hypothesis: Hypothesis) -> str:
    swaps_bytes = any(variant.swap_bytes for variant in hypothesis.variants.values())
    swaps_words = any(variant.swap_words for variant in hypothesis.variants.values())
    return (
        "word and byte order"
        if swaps_bytes and swaps_words
        else "byte order"
        if swaps_bytes
        else "word order"
    )


def _order(case: Case, hypothesis: Hypothesis) -> str:
    entry, variant = next(
        (entry, variant) for entry in case.entries if (variant := hypothesis.variants.get(entry.name))
    )
    register = variant.applied(entry.register)
    said = []
    if variant.swap_words:
        said.append(f"the {'high' if register.word_order is WordOrder.MSW_FIRST else 'low'} word first")
    if variant.swap_bytes:
        said.append(f"the {'high' if register.byte_order is ByteOrder.BIG else 'low'} byte first")
    shifted = f", one register {'lower' if variant.shift < 0 else 'higher'}" if variant.shift else ""
    return " and ".join(said) + shifted


def order_name(case: Case, hypothesis: Hypothesis) -> str:
    """Return the order as the profile writes it: ``msw_first``, ``little``, or both."""
    entry, variant = next(
        (entry, variant) for entry in case.entries if (variant := hypothesis.variants.get(entry.name))
    )
    register = variant.applied(entry.register)
    words = [register.word_order.value] if variant.swap_words else []
    return " ".join([*words, *([register.byte_order.value] if variant.swap_bytes else [])])


def _of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _entry(case: Case, name: str) -> Entry:
    return next(entry for entry in case.entries if entry.name == name)


def _slip(case: Case, hypothesis: Hypothesis) -> str:
    names = tuple(hypothesis.variants)
    factor = hypothesis.variants[names[0]].factor
    unit = _entry(case, names[0]).measure.unit.value
    real = _neighbour(unit, 1 if factor > 1 else -1) if factor in (1000, 1 / factor.__class__(1000)) else None
    size = f"{short(1 / factor)} times too large" if factor < 1 else f"{short(factor)} times too small"
    return f"{f'{real} for {unit}' if real else 'scale'}: {_of(names)} is read {size}"


def _neighbour(unit: str, step: int) -> str | None:
    for ladder in _LADDERS:
        if unit in ladder and 0 <= ladder.index(unit) + step < len(ladder):
            return ladder[ladder.index(unit) + step]
    return None


def _ratio(case: Case, which: str) -> str:
    ratio = case.setup.ct if which == "ct" else case.setup.vt
    return "none" if ratio == DIRECT else f"{exact_text(ratio.primary)}/{exact_text(ratio.secondary)}"


def _why(case: Case, finding: Finding, after: Evaluation) -> Iterator[str]:
    before = finding.before
    said = [each for each in before.judged.values() if each.band != "says nothing"]
    if before.bad:
        shown = sorted(before.bad)[0]
        number = before.numbers[shown]
        value = "unread" if number.value is None else short(number.value)
        unit = _entry(case, shown).measure.unit.value
        yield (
            f"as configured {len(before.bad)} of {len(said)} impossible ({shown} {value} {unit}: "
            f"{before.judged[shown].why}); mended {len(after.good)} plausible, {len(after.bad)} impossible."
        )
    yield from (f"{relation.text}." for relation in before.relations if relation.agrees is False)
    if before.match is not None and before.match.agrees is False:
        yield f"{before.match.text}."
    yield from (f"{relation.text}: agrees." for relation in after.relations if relation.agrees)
    if after.match is not None and after.match.agrees:
        yield f"{after.match.text}: agrees."


def _fix(case: Case, hypothesis: Hypothesis, place: Place) -> Iterator[str]:
    kind = hypothesis.kind
    if kind in _OF_PROFILE and place.shipped:
        yield f"{place('agent', ('profile',))} the profile does not fit this meter: is it this model?"
        yield "seiren agent scan may name it; else copy the profile, and mend the copy:"
    if kind is Kind.SIDE:
        yield f"{place('agent', ('side',))} side: {hypothesis.detail}"
    elif kind in (Kind.CT, Kind.MIXED):
        yield f"{place('agent', ('ct',))} ct: compare {_ratio(case, 'ct')} with the CT's nameplate,"
        yield "and with the CT setting in the meter's own menu"
        if kind is Kind.CT and case.setup.full_scale_kw is not None and hypothesis.detail == "larger":
            yield f"or {place('agent', ('full_scale_kw',))} full_scale_kw is too small"
    elif kind is Kind.VT:
        ratio = hypothesis.detail.removesuffix(" V")
        yield f"{place('agent', ('vt',))} vt: {ratio}, if its nameplate says so"
    elif kind is Kind.HOLDS_POWER:
        yield f"{place('profile', ('points', hypothesis.detail, 'address'))} address of the energy register"
    elif kind is Kind.FUNCTION:
        yield f"{place('profile', ('function',))} function: {hypothesis.detail}"
    elif kind is Kind.ORDER and hypothesis.level in (0, 3):
        first = next(iter(hypothesis.variants.values()))
        key = "word_order" if first.swap_words else "byte_order"
        yield f"{place('profile', (key,))} {key}: {order_name(case, hypothesis)}"
    else:
        yield from _point_fixes(case, hypothesis, place)


def _point_fixes(case: Case, hypothesis: Hypothesis, place: Place) -> Iterator[str]:
    for name, variant in [*hypothesis.variants.items()][:3]:
        entry = _entry(case, name)
        if hypothesis.kind is Kind.ADDRESS:
            text = f"address: {entry.register.parts[0].address + variant.shift}"
        elif hypothesis.kind is Kind.SCALE:
            text = f'scale: "{exact_text(entry.measure.scale * variant.factor)}"'
        elif hypothesis.kind is Kind.TYPE:
            text = f"type: {hypothesis.detail}"
        else:
            text = f"{'word_order' if variant.swap_words else 'byte_order'}: {order_name(case, hypothesis)}"
        key = text.partition(":")[0]
        yield f"{place('profile', ('points', name, key))} {name}: {text}"
    if len(hypothesis.variants) > 3:
        yield f"and so for the other {len(hypothesis.variants) - 3}"


def _nothing_fits(case: Case, diagnosis: Diagnosis, finding: Finding) -> Told:
    before = finding.before
    why = [f"{name}: {before.judged[name].why}" for name in sorted(before.bad)][:4]
    why += [f"{relation.text}" for relation in before.relations if relation.agrees is False]
    if before.match is not None and before.match.agrees is False:
        why.append(before.match.text)
    return Told(
        "something is wrong, and no single mistake explains it",
        tuple(f"{each}." for each in why),
        ("compare model and firmware on the nameplate with the profile",),
        (),
    )


def _several_fit(case: Case, finding: Finding, place: Place, kinds: tuple[str, ...]) -> Told:
    heads = [headline(case, each, finding.before) for each in finding.candidates[:_MOST_TOLD]]
    fixes = [[*_fix(case, each, place)][-1] for each in finding.candidates[:_MOST_TOLD]]
    return Told(
        f"{len(finding.candidates)} explanations fit equally, this probe cannot choose",
        (*_why(case, finding, finding.after[0]), *(f"{at}. {head}" for at, head in enumerate(heads, 1))),
        (*_tell_apart(case, finding), *(f"{at}. {fix}" for at, fix in enumerate(fixes, 1))),
        kinds,
    )


def _tell_apart(case: Case, finding: Finding) -> Iterator[str]:
    """What a person can look at: the value that the meter shows itself, or a clamp meter."""
    before = finding.before
    suspects = [*sorted(before.bad), *(n for r in before.relations if r.agrees is False for n in r.names)]
    for name in suspects:
        unit = _entry(case, name).measure.unit.value
        values = {
            f"{short(each.numbers[name].value or 0)} {unit}": None
            for each in finding.after
            if each.numbers[name].read
        }
        if len(values) > 1:
            yield f"what does the meter's own display show for {name}: {' or '.join(values)}?"
            break
    if any(each.kind is Kind.CT for each in finding.candidates):
        yield "a clamp meter on L1 tells whether the current is right"
