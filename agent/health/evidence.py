"""What a diagnosis is made from, and what it is collected in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from agent.health.clock_check import ClockState
from agent.health.facts import Facts
from agent.health.reach import Reach
from agent.health.spool_look import SpoolLook
from core.runtime.certificates import Certificate
from core.runtime.findings import Finding

Answer = Literal["told", "not_running", "silent", "switched_off", "somebody_else"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was looked at.

    Attributes
    ----------
    answer, pid
        How the agent answered, and the process that holds its spool.
    facts
        What it told; None where it did not.
    free_bytes
        Of the spool's disk [bytes].
    look
        What the spool's files hold, where the agent does not run.
    exposed
        Files of secrets that others can read, and their mode.
    """

    agent: str
    time_zone: str
    now_ms: int
    config: str
    broker: str
    metrics_port: int | None
    answer: Answer
    facts: Facts | None
    reach: Reach
    clock: ClockState
    pid: int | None = None
    free_bytes: int | None = None
    look: SpoolLook | None = None
    certificates: tuple[Certificate, ...] = ()
    exposed: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Found:
    """What is being collected."""

    faults: list[Finding] = field(default_factory=list)
    notices: list[Finding] = field(default_factory=list)
    good: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
