"""Runs the contract of a reading store on every engine and writes what came out into docs/stores.md.

Run it as ``.venv/bin/python tests/contracts/stores_page.py``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.contracts.engines import FAILS, TITLES  # noqa: E402  a script knows where it is only here

PAGE = ROOT / "docs/stores.md"
SUITE = Path(__file__).with_name("test_reading_store.py")
TABLE = re.compile(r"(?<=<!-- the suite's outcome -->\n\n).*?(?=\n\n<!-- end -->)", re.DOTALL)

Outcomes = Mapping[tuple[str, str], str]
"""What came out, by engine and test: empty where the promise is kept, else why it is not."""


def promises() -> dict[str, str]:
    """Return the promise of each test of the suite, in order."""
    found = re.findall(r'^(?:async )?def (test_\w+).*?\n    """(.*?)"""', SUITE.read_text(), re.M | re.S)
    return dict(found)


def expected() -> Outcomes:
    """Return what the suite expects, which it is red without."""
    return {(engine, test): FAILS.get((engine, test), "") for engine in TITLES for test in promises()}


def table(outcomes: Outcomes) -> str:
    """Return the page's table."""
    lines = [
        f"| promise | {' | '.join(TITLES.values())} |",
        "|---" * (len(TITLES) + 1) + "|",
    ]
    for test, promise in promises().items():
        marks = [
            "yes" if not why else f"**no**: {why}" for why in (outcomes[engine, test] for engine in TITLES)
        ]
        lines.append(f"| {promise} | {' | '.join(marks)} |")
    return "\n".join(lines)


class Recorder:
    """What came out of each test."""

    def __init__(self) -> None:
        self.outcomes: dict[tuple[str, str], str] = {}
        self.unclear: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note one test's outcome."""
        if report.when != "call" and report.passed:
            return
        test, _, engine = report.location[2].rstrip("]").partition("[")
        if report.passed:
            self.outcomes[engine, test] = ""
        elif report.skipped and hasattr(report, "wasxfail"):
            self.outcomes[engine, test] = str(report.wasxfail).removeprefix("reason: ")
        else:
            self.unclear.append(report.nodeid)


def main(run: Callable[..., object] = pytest.main) -> int:
    """Write the page; 1 where an engine is missing or does what nobody expects."""
    recorder = Recorder()
    run([str(SUITE), "-q", "-p", "no:cacheprovider"], plugins=[recorder])
    if recorder.unclear or recorder.outcomes.keys() != expected().keys():
        return 1
    PAGE.write_text(TABLE.sub(lambda _: table(recorder.outcomes), PAGE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
