"""The screen of ``seiren agent doctor``: verdict before evidence, at most 80 columns of ASCII."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from agent.health.findings import Diagnosis, Finding
from agent.health.words import WIDTH, folded, local, plain

_EXITS = {1: "exit 1: at least one fault", 3: "exit 3: the agent could not be asked"}


def lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield the screen line by line."""
    now = local(diagnosis.time_ms, ZoneInfo(diagnosis.time_zone))
    left = f"{plain(diagnosis.agent)}   {now:%a %Y-%m-%d %H:%M} {zone(now.tzname())}"
    yield ends(left, tally(diagnosis))
    yield ""
    yield from folded("", diagnosis.verdict.text, indent=0)
    yield from folded(" (", f"{diagnosis.verdict.why})", indent=2)
    yield ""
    for fault in diagnosis.faults:
        yield from _block("FAULT", fault)
        yield ""
    for notice in diagnosis.notices:
        yield from _block("note", notice)
    if diagnosis.good:
        yield from folded("good", "  ".join(diagnosis.good))
    for name in diagnosis.not_checked:
        yield from folded("not checked", name, indent=13)
    if diagnosis.exit_code in _EXITS:
        yield _EXITS[diagnosis.exit_code]


def _block(label: str, finding: Finding) -> Iterator[str]:
    yield from folded(label, finding.what)
    for name in ("seen", "do", "until", "costs", "then"):
        text: str = getattr(finding, name)
        if text:
            yield from folded(f" {name}", text)


def tally(diagnosis: Diagnosis) -> str:
    """Return how many faults, notices and good parts there are."""
    faults, notices = len(diagnosis.faults), len(diagnosis.notices)
    counted = [f"{faults or 'no'} fault{'s' * (faults != 1)}"]
    if notices:
        counted.append(f"{notices} notice{'s' * (notices != 1)}")
    return ", ".join([*counted, f"{len(diagnosis.good)} good"])


def ends(left: str, right: str) -> str:
    """Return a line with a text at each end."""
    return f"{left}{right:>{max(WIDTH - len(left), len(right) + 2)}}"


def zone(name: str | None) -> str:
    """Return a time zone's short name where it is one, ``JST``."""
    return plain(name or "")
