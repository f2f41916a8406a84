"""Why a closed month would not be what it was: what came after it was closed, by name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from collector.ledger import decisions
from collector.report.sheet import Figure, Sheet
from core.carbon.closing import Closing
from core.carbon.differences import Difference
from core.chain import Decision

_KINDS = ("correction", "import", "plan")
_BRINGS_LINES = ("fuel", "production")
_SPANS = (("time_ms", "time_ms"), ("at_ms", "at_ms"), ("start_ms", "end_ms"), ("from_ms", "to_ms"))


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that came after a closing.

    Parameters
    ----------
    text
        What it is.
    decision
        By which it came, where a person decided it.
    """

    text: str
    decision: Decision | None = None

    def __str__(self) -> str:
        """Return it as English text."""
        return self.text


@dataclass(frozen=True, slots=True)
class Version:
    """A month's statement and the texts that it was made from, by name."""

    sheet: Sheet
    inputs: Mapping[str, str]

    @classmethod
    def of(cls, sheet: Sheet, inputs: bytes) -> Version:
        """Return one from a statement and its canonical inputs."""
        return cls(sheet, json.loads(inputs))

    def table(self, name: str) -> list[dict[str, str]]:
        """Return the rows of one of the inputs; none where there is no such text."""
        return list(csv.DictReader(io.StringIO(self.inputs.get(f"inputs/{name}.csv", ""), newline="")))


def causes(
    connection: Connection,
    closing: Closing,
    was: Version,
    now: Version,
    differences: Iterable[Difference],
) -> tuple[Cause, ...]:
    """Return what explains that a closed month would be another, the decisions of people first.

    Parameters
    ----------
    connection
        A snapshot of the ledger.
    closing
        The one in force.
    was, now
        The month as it was closed, and as it would be.
    differences
        The figures that would be others.
    """
    changed = {each.figure for each in differences}
    points = {
        figure.facts["point"]: figure
        for figure in was.sheet.figures()
        if figure.kind == "energy" and figure.id in changed
    }
    since = [each for each in decisions.read(connection, _KINDS) if each.number > closing.decision.number]
    found = (
        *_corrections(since, connection, points),
        *_plan(since, was, now),
        *_readings(was, now, points),
        *_values(since, was, now, points),
        *_lines(since, was, now),
        *_factors(was, now),
    )
    return found or (Cause("this release computes it otherwise, or a month beside it has changed"),)


def _corrections(
    since: Iterable[Decision], connection: Connection, points: Mapping[str, Figure]
) -> Iterator[Cause]:
    of_all = {each.number: each for each in decisions.read(connection, {"correction"})}
    for decision in since:
        if decision.kind != "correction":
            continue
        told = decision
        while told.facts["what"] == "undo" and told.facts["number"] in of_all:
            told = of_all[told.facts["number"]]
        for point, figure in points.items():
            facts = told.facts
            named = facts.get("point") == point or facts.get("meter") == figure.facts["meter"]["id"]
            if named and _bears(facts, figure):
                what = "undo of " if told is not decision else ""
                yield Cause(
                    f"correction {decision.number} ({what}{facts['what']}, "
                    f"{figure.facts['meter']['id']}): {decision.reason}".rstrip(": "),
                    decision,
                )
                break


def _bears(facts: Mapping[str, Any], energy: Figure) -> bool:
    """Tell whether a correction's time reaches the brackets of a month's energy."""
    known = [
        side["time_ms"]
        for boundary in energy.facts["boundaries"]
        for side in (boundary, boundary["before"], boundary["after"])
        if side is not None
    ]
    if not known:
        return True
    for start, end in _SPANS:
        if start in facts:
            until = facts.get(end)
            return bool((until is None or until >= min(known)) and facts[start] <= max(known))
    return True


def _plan(since: Iterable[Decision], was: Version, now: Version) -> Iterator[Cause]:
    if was.inputs.get("inputs/plan.json") == now.inputs.get("inputs/plan.json"):
        return
    adopted = [each for each in since if each.kind == "plan"]
    for decision in adopted:
        yield Cause(f"plan, decision {decision.number}: {decision.reason}".rstrip(": "), decision)
    if not adopted:
        yield Cause("hq.yaml is another than the plan it was closed with")


def _readings(was: Version, now: Version, points: Iterable[str]) -> Iterator[Cause]:
    before, after = ({row["point"]: row["sha256"] for row in each.table("cells")} for each in (was, now))
    for point in sorted(points):
        if before.get(point) == after.get(point):
            continue
        known = {tuple(row.values()) for row in was.table(f"readings/{point}")}
        times = [row["time"] for row in now.table(f"readings/{point}") if tuple(row.values()) not in known]
        span = f", {times[0]}" if times else ""
        until = f" to {times[-1]}" if len(times) > 1 else ""
        yield Cause(f"late readings of {point}{span}{until}")


def _values(since: Iterable[Decision], was: Version, now: Version, points: Iterable[str]) -> Iterator[Cause]:
    for point in sorted(points):
        old, new = ([row for row in each.table("values") if row["point"] == point] for each in (was, now))
        if old == new:
            continue
        hashes = {row["sha256"] for row in new} - {row["sha256"] for row in old} - {""}
        brought = [each for each in since if each.kind == "import" and each.facts.get("sha256") in hashes]
        for decision in brought:
            yield Cause(f"energy of {point} from import {decision.number}", decision)
        if not brought and not any(each.kind == "correction" for each in since):
            yield Cause(f"energy of {point} from elsewhere than its register")


def _lines(since: Iterable[Decision], was: Version, now: Version) -> Iterator[Cause]:
    imports = [each for each in since if each.kind == "import"]
    for kind in _BRINGS_LINES:
        old, new = ({line["id"]: line for line in _of_kind(each.sheet, kind)} for each in (was, now))
        for name in sorted(new.keys() - old.keys()):
            line = new[name]
            by = next((each for each in imports if name in each.facts.get("lines", ())), None)
            what = f"{kind} line of {line['document']}: {line['quantity']} {line['unit']}"
            yield Cause(what if by is None else f"{what}, import {by.number}", by)
        for name in sorted(old.keys() - new.keys()):
            yield Cause(f"{kind} line of {old[name]['document']} is gone")


def _brought(imported: Decision) -> Collection[str]:
    """Return the ids of the lines that an import brought."""
    facts = imported.facts
    return {*facts.get("ids", ()), *facts.get("lines", {})}


def _factors(was: Version, now: Version) -> Iterator[Cause]:
    old, new = ({each.id: each for each in _factors_of(version.sheet)} for version in (was, now))
    for name in sorted(old.keys() | new.keys()):
        before, after = (_factor(each.get(name)) for each in (old, new))
        if before != after and (name in old or not _burned(now.sheet, name)):
            yield Cause(f"factor {name}: {before} -> {after}")


def _burned(sheet: Sheet, factor: str) -> bool:
    """Tell whether a factor is that of a fuel, which a line of its own brings."""
    return "gcv" in sheet.figure(factor).facts


def _factor(figure: Figure | None) -> str:
    if figure is None:
        return "none"
    return f"{figure.printed or 'none'} {figure.facts.get('status', '')}".rstrip()


def _factors_of(sheet: Sheet) -> Iterator[Figure]:
    return (figure for figure in sheet.figures() if figure.kind == "factor")


def _of_kind(sheet: Sheet, kind: str) -> Iterator[Mapping[str, Any]]:
    for figure in sheet.figures():
        if figure.kind == kind:
            yield from figure.facts["lines"]
