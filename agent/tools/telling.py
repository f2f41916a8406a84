"""A finding in words: what is wrong, why that is known, and which line to change (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from agent.tools.bands import Sense
from agent.tools.diagnosis import Diagnosis, Finding
from agent.tools.evaluation import Case, Evaluation
from agent.tools.figures import short
from agent.tools.hypotheses import Hypothesis, Kind
from agent.tools.naming import entry_of, headline, order_name, ratio_text
from config.strict import Loc
from core.carbon.rounding import exact_text


class Place(Protocol):
    """Where a key stands, for people: of ``agent`` or ``profile``, and its path."""

    @property
    def shipped(self) -> bool:
        """Whether the profile came with Seiren, so that nobody can edit it."""

    def __call__(self, file: str, loc: Loc) -> str:
        """Return file and line, ``agent.yaml line 41``."""


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
        return _nothing_fits(case, finding, place)
    if len(finding.candidates) > 1:
        return _several_fit(case, finding, place, kinds)
    (hypothesis,) = finding.candidates
    return Told(
        headline(case, hypothesis, finding.before),
        tuple(_why(case, finding, finding.after[0])),
        tuple(_fix(case, hypothesis, place)),
        kinds,
    )


def _why(case: Case, finding: Finding, after: Evaluation) -> Iterator[str]:
    before = finding.before
    said = [each for each in before.judged.values() if each.band != "says nothing"]
    if before.bad:
        shown = sorted(before.bad)[0]
        number = before.numbers[shown]
        value = "unread" if number.value is None else short(number.value)
        unit = entry_of(case, shown).measure.unit.value
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
        yield f"{place('agent', ('ct',))} ct: compare {ratio_text(case, 'ct')} with the CT's nameplate,"
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
        entry = entry_of(case, name)
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


def _nothing_fits(case: Case, finding: Finding, place: Place) -> Told:
    before = finding.before
    amiss = len(before.bad)
    said = sum(judged.sense is not Sense.ZERO for judged in before.judged.values())
    why = [f"{name}: {before.judged[name].why}" for name in sorted(before.bad)][:4]
    why += [f"{relation.text}" for relation in before.relations if relation.agrees is False]
    if before.match is not None and before.match.agrees is False:
        why.append(before.match.text)
    return Told(
        f"profile: {amiss} of {said} values make no sense, this is hardly the meter that it describes"
        if 2 * amiss > said and amiss > 2
        else "something is wrong, and no single mistake explains it",
        tuple(f"{each}." for each in why),
        (
            f"{place('agent', ('profile',))} compare model and firmware on the nameplate with the profile;",
            "seiren agent scan names the product where its registers tell",
        ),
        (),
    )


def _several_fit(case: Case, finding: Finding, place: Place, kinds: tuple[str, ...]) -> Told:
    heads = [headline(case, each, finding.before) for each in finding.candidates[:_MOST_TOLD]]
    fixes = [_one_fix(case, each, place) for each in finding.candidates[:_MOST_TOLD]]
    return Told(
        f"{len(finding.candidates)} explanations fit equally, this probe cannot choose",
        (*_why(case, finding, finding.after[0]), *(f"{at}. {head}" for at, head in enumerate(heads, 1))),
        (*_tell_apart(case, finding), *(f"{at}. {fix}" for at, fix in enumerate(fixes, 1))),
        kinds,
    )


def _one_fix(case: Case, hypothesis: Hypothesis, place: Place) -> str:
    """What to change, in one line: the last that is no afterthought."""
    lines = [line for line in _fix(case, hypothesis, place) if not line.startswith(("and ", "or "))]
    return lines[-1].rstrip(",")


def _tell_apart(case: Case, finding: Finding) -> Iterator[str]:
    """What a person can look at: the value that the meter shows itself, or a clamp meter."""
    before = finding.before
    suspects = [*sorted(before.bad), *(n for r in before.relations if r.agrees is False for n in r.names)]
    for name in suspects:
        unit = entry_of(case, name).measure.unit.value
        values = {
            f"{short(each.numbers[name].value or 0)} {unit}": None
            for each in finding.after
            if each.numbers[name].read
        }
        if len(values) > 1:
            yield f"what does the meter's own display show for {name}: {' or '.join(values)}?"
            break
    if any(each.kind is Kind.VT for each in finding.candidates):
        yield "the nameplates of CT and VT tell which of the two it is"
    elif any(each.kind is Kind.CT for each in finding.candidates):
        yield "a clamp meter on L1 tells whether the current is right"
