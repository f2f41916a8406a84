"""What a diagnosis consists of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.runtime.findings import Finding, Findings


@dataclass(frozen=True, slots=True)
class Verdict:
    """The line that matters at night.

    Attributes
    ----------
    energy
        ``safe``, at ``risk``, or ``unknown``.
    until_ms
        Until when it is safe [ms since 1970 UTC]; None: not known, or beyond all planning.
    text, why
        The line, and what stands in brackets below it.
    nothing_tonight
        Whether everything can wait for the morning.
    """

    energy: Literal["safe", "risk", "unknown"]
    until_ms: int | None
    text: str
    why: str
    nothing_tonight: bool


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong, what soon will be, what is good, and what could not be checked."""

    agent: str
    time_ms: int
    time_zone: str
    verdict: Verdict
    faults: tuple[Finding, ...]
    notices: tuple[Finding, ...]
    good: tuple[str, ...]
    not_checked: tuple[str, ...]
    asked: bool

    @property
    def found(self) -> Findings:
        """What was found, for the screen."""
        return Findings(self.faults, self.notices, self.good, self.not_checked)

    @property
    def exit_code(self) -> int:
        """0 no fault, 1 a fault, 3 the agent could not be asked."""
        return 1 if self.faults else 0 if self.asked else 3
