"""Energy of gaps over a month's end, as people read how it was split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from collector.report.numbers import shown
from collector.report.sheet import Sheet
from collector.report.standing import row


def split_lines(sheet: Sheet) -> Iterator[str]:
    """Yield how gaps over the month's two ends were split, for a terminal."""
    for energy in sheet.table("electricity"):
        meter = energy.id.removeprefix("energy.")
        for split in energy.facts.get("splits", ()):
            yield from row("split", f"{meter}: {split_text(split)}")


def split_text(split: Mapping[str, Any]) -> str:
    """Write how the energy of one gap was split, and by which rule."""
    before, whole = (
        shown(None if split[key] is None else Fraction(split[key], 1000), 3) for key in ("wh_before", "wh")
    )
    return (
        f"{before} of {whole} kWh before {_minute(split['at'])}, {split['rule']}; "
        f"no reading from {_minute(split['from'])} to {_minute(split['to'])}"
    )


def _minute(time: str) -> str:
    """Write a time to the minute, without its offset."""
    return time[:16].replace("T", " ")
