"""docs/probe-and-scan.md shows what the commands really print."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize("name", ["scan", "word_order"])
def test_what_is_shown_is_what_is_printed(name: str) -> None:
    page = (ROOT / "docs/probe-and-scan.md").read_text(encoding="utf-8")
    assert (ROOT / f"tests/cases/probe/{name}.txt").read_text(encoding="utf-8") in page
