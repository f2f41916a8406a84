"""Ledgers with registers of two meters, read every six hours over some months, to be closed."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from zoneinfo import ZoneInfo

from collector.closing import approve, submit
from collector.ledger import Ledger, cells
from collector.people import Who
from collector.plans import adopt
from config.hq import HqConfig
from core.errors import AnswerIsNo
from core.metering.cells import cells_of
from core.metering.readings import Quality, Reading
from core.timeline import Interval, month

TOKYO = ZoneInfo("Asia/Tokyo")
INTAKE, KILN = "AOB-RCV-01.active_energy_import", "AOB-KLN-01.active_energy_import"
SATO, SUZUKI, TANAKA = (Who(name, f"{name}@hq") for name in ("sato", "suzuki", "tanaka"))
HOUR_MS = 3_600_000
STEP_MS = 6 * HOUR_MS
FEBRUARY, MARCH, APRIL = "2024-02", "2024-03", "2024-04"
NOW = month("2024-06", TOKYO).start_ms
PER_HOUR = {INTAKE: 700, KILN: 200}
"""What each register rises in an hour [counts]; the intake's are 10 Wh each, the kiln's 1."""


def start(text: str) -> int:
    """Return the first instant of a month [ms since 1970 UTC]."""
    return month(text, TOKYO).start_ms


def count(point: str, time_ms: int) -> int:
    """Return what a register holds at an instant [counts]."""
    return PER_HOUR[point] * (time_ms - start("2024-01")) // HOUR_MS


def regular(
    first_ms: int, last_ms: int, *, gap: Interval | None = None, points: Iterable[str] = PER_HOUR
) -> list[Reading]:
    """Return readings from one instant to another, none within a gap."""
    return [
        Reading(point, at_ms, count(point, at_ms), Quality.GOOD)
        for point in points
        for at_ms in range(first_ms, last_ms + 1, STEP_MS)
        if gap is None or at_ms not in gap
    ]


def bring(ledger: Ledger, readings: Iterable[Reading]) -> None:
    """Put readings into a ledger."""
    with ledger.writing() as connection:
        cells.merge(connection, cells_of(readings))


def filled(ledger: Ledger, *months: str, gap: Interval | None = None) -> Ledger:
    """Read both meters each six hours around some months, never at midnight."""
    first, last = month(months[0], TOKYO), month(months[-1], TOKYO)
    bring(ledger, regular(first.start_ms + HOUR_MS - STEP_MS, last.end_ms + STEP_MS, gap=gap))
    return ledger


def close(ledger: Ledger, hq: HqConfig, *months: str) -> None:
    """Adopt the plan, and let Sato submit and Suzuki approve some months."""
    with suppress(AnswerIsNo):  # it is adopted already
        adopt(ledger, hq, who=SUZUKI, reason="", time_ms=NOW)
    for each in months:
        submit(ledger, hq, each, who=SATO, time_ms=NOW)
        approve(ledger, hq, each, who=SUZUKI, time_ms=NOW)


def hq_file(path: Path, text: str) -> Path:
    """Write a configuration and return its folder."""
    (path / "hq.yaml").write_text(text, encoding="utf-8")
    return path
