"""What a meter showed on the day it was taken into service: the opening evidence, one line for each probe."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.tools.display import Display
from agent.tools.figures import plain
from agent.tools.report import Report, as_facts
from core.errors import OutsideError

FILE: Final = "opening-evidence.jsonl"


def evidence(report: Report, display: Display, time_ms: int) -> dict[str, Any]:
    """Return what is kept of a probe (pure).

    Parameters
    ----------
    report, display
        What was found, and what the meter's own display showed.
    time_ms
        When [ms since 1970-01-01 UTC].
    """
    facts = as_facts(report)
    counters = {
        entry.name for entry in report.examined.case.entries if entry.measure.quantity.kind == "counter"
    }
    return {
        "time_ms": time_ms,
        "device": facts["device"],
        "where": facts["where"],
        "profile": facts["profile"],
        "identity": facts["identity"],
        "display_kwh": str(display.shown),
        "registers": [row for row in facts["points"] if row["point"] in counters],
        "comparison": report.match,
        "findings": [told.headline for told in report.told],
        "not_checked": list(report.unchecked),
    }


def keep(folder: Path, line: dict[str, Any]) -> None:
    """Append a line beside the configuration, and make it durable.

    Raises
    ------
    OutsideError
        If the disk refuses.
    """
    path = folder / FILE
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OutsideError(
            "The opening evidence cannot be written",
            where=str(path),
            evidence=error.strerror or str(error),
            next=f"ls -ld {folder}",
        ) from None


def said(display: Display, time_ms: int, time_zone: ZoneInfo) -> str:
    """Return what was kept, in a line."""
    local = datetime.fromtimestamp(time_ms / 1000, time_zone)
    return f"{FILE}: {local:%Y-%m-%d %H:%M}, display {plain(display.shown)} kWh"
