"""Whole runs through operating-system processes, and what they leave."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEIREN = Path(sys.executable).with_name("seiren")
STEEL = Path(__file__).parents[1] / "data" / "Steel_industry_data.csv"
RUN_WITHIN_S = 200.0


@dataclass(frozen=True, slots=True)
class Run:
    """What a run left behind: its folder and what it printed."""

    folder: Path
    output: str

    def statement(self, month: str) -> dict[str, Any]:
        """Return a month's statement, computed from the ledger now."""
        loaded: dict[str, Any] = json.loads(
            self.seiren("month", "show", self.folder, month, "--format", "json")
        )
        return loaded

    def counts(self) -> list[dict[str, Any]]:
        """Return the count of every agent and lane."""
        loaded: list[dict[str, Any]] = json.loads(self.seiren("count", self.folder, "--format", "json"))[
            "counts"
        ]
        return loaded

    def faults(self) -> list[str]:
        """Return what was killed, a line each, in order of time."""
        log = self.folder / "logs" / "faults.log"
        return log.read_text(encoding="utf-8").splitlines() if log.exists() else []

    def energies(self, what: str, start: str, end: str, grid: str) -> list[dict[str, str]]:
        """Return `seiren energy` as rows."""
        text = self.seiren(
            "energy",
            what,
            "--from",
            start,
            "--to",
            end,
            "--grid",
            grid,
            "--format",
            "csv",
            "--ledger",
            self.folder,
        )
        return list(csv.DictReader(io.StringIO(text)))

    @staticmethod
    def seiren(*arguments: object) -> str:
        """Run a command that must succeed; return what it prints."""
        return call(*arguments).stdout


def call(*arguments: object, ok: bool = True) -> subprocess.CompletedProcess[str]:
    """Run `seiren` with its arguments, and check whether it succeeds or fails as expected."""
    done = subprocess.run(
        [SEIREN, *map(str, arguments)], capture_output=True, text=True, timeout=RUN_WITHIN_S, check=False
    )
    assert (done.returncode == 0) is ok, (
        f"exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    )
    return done


def demo(folder: Path, *options: object) -> Run:
    """Run `seiren demo` into a folder."""
    return Run(folder, call("demo", "--out", folder, *options).stdout)


def assert_nothing_lost(run: Run) -> None:
    """Assert that every reading taken is in the ledger, and that there were readings."""
    counts = run.counts()
    assert counts
    for row in counts:
        assert row["taken"] > 0
        assert row["taken"] == row["stored"], row
