"""The screen of ``seiren agent doctor``: verdict before evidence, at most 80 columns of ASCII."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from agent.health.findings import Diagnosis
from core.runtime.findings import ends
from core.runtime.words import folded, local, plain

_EXITS = {1: "exit 1: at least one fault", 3: "exit 3: the agent could not be asked"}


def lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Yield the screen line by line."""
    now = local(diagnosis.time_ms, ZoneInfo(diagnosis.time_zone))
    left = f"{plain(diagnosis.agent)}   {now:%a %Y-%m-%d %H:%M} {plain(now.tzname() or '')}"
    yield ends(left, diagnosis.found.tally)
    yield ""
    yield from folded("", diagnosis.verdict.text, indent=0)
    yield from folded(" (", f"{diagnosis.verdict.why})", indent=2)
    yield ""
    yield from diagnosis.found.lines()
    if diagnosis.exit_code in _EXITS:
        yield _EXITS[diagnosis.exit_code]
