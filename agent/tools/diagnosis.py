"""Which one mistake would explain what a device says (pure); nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from agent.tools.bands import Sense
from agent.tools.evaluation import Case, Evaluation, World, evaluate
from agent.tools.hypotheses import Hypothesis, Kind, hypotheses, pairs

_ROUNDS: Final = 6
"""Most steps towards what explains everything [1]."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a device's configuration.

    Attributes
    ----------
    candidates
        The mistakes that explain it: one is the answer, several fit equally, none fits.
    before
        What was seen without mending it.
    after
        What each candidate gives.
    mended
        Points that it makes sense of, and relations that hold by it.
    """

    candidates: tuple[Hypothesis, ...]
    before: Evaluation
    after: tuple[Evaluation, ...]
    mended: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found.

    Attributes
    ----------
    configured
        What the device says as configured.
    mended
        What it says with all found mistakes mended.
    world
        How it is read then.
    findings
        In the order in which they were found; none: all is good.
    tried
        Kinds of mistakes that were tried and do not explain it.
    """

    configured: Evaluation
    mended: Evaluation
    world: World
    findings: tuple[Finding, ...]
    tried: tuple[str, ...]


def diagnose(case: Case) -> Diagnosis:
    """Return what is wrong with the way in which a device is read.

    Parameters
    ----------
    case
        What was received, and what the configuration and the display say.
    """
    world = World(case.setup)
    configured = now = evaluate(case, world)
    findings: list[Finding] = []
    tried: dict[str, None] = {}
    postponed: frozenset[str] = frozenset()
    mended_since = False
    for _ in range(_ROUNDS):
        if now.against == 0:
            if not (postponed and mended_since):
                break
            # what several explained equally may be clear now that other points make sense
            world = replace(world, excused=world.excused - postponed)
            findings = [finding for finding in findings if len(finding.candidates) == 1]
            postponed, mended_since, now = frozenset(), False, evaluate(case, world)
        options = [*hypotheses(case, world, now)]
        best = _best(case, world, now, options)
        if len(best) != 1 or best[0][1].against > 0:
            best = _better(best, _best(case, world, now, pairs(case)))
        tried |= dict.fromkeys(each.kind.value for each in options)
        candidates = tuple(hypothesis for hypothesis, _ in best)
        after = tuple(evaluation for _, evaluation in best)
        mended = now.bad - after[0].bad if after else frozenset()
        findings.append(Finding(candidates, now, after, tuple(sorted(mended))))
        if not best:
            break
        if len(best) == 1:
            world, mended_since = candidates[0].applied(world), True
        else:
            doubt = (mended or _in_doubt(case, now)) - world.excused
            postponed, mended_since = postponed | doubt, False
            world = replace(world, excused=world.excused | doubt)
        now = evaluate(case, world)
    return Diagnosis(configured, now, world, tuple(findings), tuple(tried))


def sober(found: Diagnosis, case: Case) -> Diagnosis:
    """Return a diagnosis without mistakes of a profile that do not explain everything.

    A shipped profile does not have several mistakes at once: it is another meter that was asked.
    """
    ours = {Kind.SIDE, Kind.CT, Kind.VT}
    kinds = {each.kind for finding in found.findings for each in finding.candidates}
    if all(finding.candidates for finding in found.findings) or kinds <= ours:
        return found
    nothing = Finding((), found.configured, (), ())
    return Diagnosis(found.configured, found.configured, World(case.setup), (nothing,), found.tried)


def _in_doubt(case: Case, now: Evaluation) -> frozenset[str]:
    """Points and kinds of relations that something speaks against."""
    broken = {relation.kind for relation in now.relations if relation.agrees is False}
    display = {"display"} if now.match is not None and now.match.agrees is False else set()
    return _suspects(case, now) | broken | display


def _best(
    case: Case, world: World, now: Evaluation, options: Iterable[Hypothesis]
) -> list[tuple[Hypothesis, Evaluation]]:
    """Mistakes that explain most with least, but for those that come to the same."""
    found: list[tuple[Hypothesis, Evaluation]] = []
    for option in options:
        after = evaluate(case, option.applied(world), was_bad=now.bad)
        if after.against < now.against and _explains(option, now, after):
            found.append((option, after))
    if not found:
        return []
    least = min(after.against for _, after in found)
    found = [each for each in found if each[1].against == least]
    most = max(_credit(option, after) for option, after in found)
    found = [each for each in found if _credit(*each) == most]
    narrow = (Kind.SCALE, Kind.TYPE)  # of these more than the evidence is not claimed
    found.sort(key=lambda each: -each[0].level if each[0].kind in narrow else each[0].level)
    suspects = _suspects(case, now)
    distinct: list[tuple[Hypothesis, Evaluation]] = []
    mended = now.bad - found[0][1].bad
    for option, after in found:
        if mended and not mended & (now.bad - after.bad):
            continue  # that is another mistake, for the next round
        if not any(_same(option, after, other, known, suspects) for other, known in distinct):
            distinct.append((option, after))
    return distinct


def _better(
    singles: list[tuple[Hypothesis, Evaluation]], twos: list[tuple[Hypothesis, Evaluation]]
) -> list[tuple[Hypothesis, Evaluation]]:
    """Two mistakes at once only where they explain everything, and clearly more than any single one."""
    if not singles or len(twos) != 1 or twos[0][1].against > 0:
        return singles or twos
    if singles[0][1].against > 0:
        return twos
    return twos if twos[0][1].support > singles[0][1].support + 1 else singles


def _suspects(case: Case, now: Evaluation) -> frozenset[str]:
    """Points that something speaks against."""
    names = {name for each in now.relations if each.agrees is False for name in each.names}
    if now.match is not None and now.match.agrees is False and case.energy is not None:
        names.add(case.energy.name)
    return now.bad | names


def _credit(option: Hypothesis, after: Evaluation) -> float:
    """What speaks for a mistake: a whole device is read in a wrong order more often than a part of it."""
    partly = option.level in (1, 2) and option.kind in (Kind.ORDER, Kind.ADDRESS)
    return round(after.support - 3 * partly, 6)


def _explains(option: Hypothesis, now: Evaluation, after: Evaluation) -> bool:
    """A 0 or a missing value explains nothing by itself, and no point may be spoilt."""
    lost = now.good - after.good
    if lost and option.level not in (0, 3):
        return False
    if len(lost) > len(after.good) or any(after.judged[name].sense is not Sense.ZERO for name in lost):
        return False  # by chance a few words may look like a value where really there is a 0
    mended = now.bad - after.bad
    good = [name for name in mended if after.judged[name].sense is Sense.OK]
    return 2 * len(good) >= len(mended)


def _same(
    option: Hypothesis, after: Evaluation, other: Hypothesis, known: Evaluation, suspects: frozenset[str]
) -> bool:
    """Whether two mistakes are one: of one kind, and with the same values where it matters."""
    if option.kind is not other.kind:
        return False
    if option.setup is not None or option.excuses:
        return option.detail == other.detail
    return all(after.numbers[name].value == known.numbers[name].value for name in suspects)
