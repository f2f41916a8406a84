"""What a doctor finds, and how it stands on a screen: at most 80 columns of ASCII."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.runtime.words import WIDTH, folded


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or soon will be.

    Attributes
    ----------
    what
        In one line: which part, what of it, since when.
    seen
        The evidence, and what follows from it.
    do
        Cable, switch, setting or command.
    until, costs
        What happens if one sleeps on: when it becomes worse, or what it costs.
    then
        The command that shows whether it is good again.
    urgent
        Whether it cannot wait for the morning.
    """

    what: str
    seen: str = ""
    do: str = ""
    until: str = ""
    costs: str = ""
    then: str = ""
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, what soon will be, what is good, and what could not be checked."""

    faults: Sequence[Finding]
    notices: Sequence[Finding]
    good: Sequence[str]
    not_checked: Sequence[str]

    @property
    def tally(self) -> str:
        """How many faults, notices and good parts there are."""
        faults, notices = len(self.faults), len(self.notices)
        counted = [f"{faults or 'no'} fault{'s' * (faults != 1)}"]
        if notices:
            counted.append(f"{notices} notice{'s' * (notices != 1)}")
        return ", ".join([*counted, f"{len(self.good)} good"])

    def lines(self) -> Iterator[str]:
        """Yield the screen's part from the first fault on, line by line."""
        for fault in self.faults:
            yield from _block("FAULT", fault)
            yield ""
        for notice in self.notices:
            yield from _block("note", notice)
        if self.good:
            yield from folded("good", "  ".join(self.good))
        for name in self.not_checked:
            yield from folded("not checked", name, indent=13)


def _block(label: str, finding: Finding) -> Iterator[str]:
    yield from folded(label, finding.what)
    for name in ("seen", "do", "until", "costs", "then"):
        text: str = getattr(finding, name)
        if text:
            yield from folded(f" {name}", text)


def ends(left: str, right: str) -> str:
    """Return a line with a text at each end."""
    return f"{left}{right:>{max(WIDTH - len(left), len(right) + 2)}}"
