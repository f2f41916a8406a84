"""docs/reliability.md names every fault, and tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.faults.disturbances import HARMFUL, HARMLESS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
FAULTS = {"A": 6, "B": 3, "K": 3, "D": 3, "P": 3, "C": 3}
"""Kind → how many faults of it there are."""


def rows() -> list[list[str]]:
    """The rows of the tables of faults."""
    lines = (line for line in PAGE.splitlines() if re.match(r"\| [A-Z]\d \|", line))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", PAGE))))
def test_each_test_that_the_page_names_is_there(named: tuple[str, str]) -> None:
    file, name = named
    text = (ROOT / "tests" / file).read_text(encoding="utf-8")
    assert not name or re.search(rf"^(async )?def {name}\(", text, re.M), f"{file}::{name}"


def test_each_fault_has_a_row_that_names_a_test() -> None:
    found = {row[0] for row in rows()}
    assert found == {f"{kind}{number}" for kind, most in FAULTS.items() for number in range(1, most + 1)}
    for row in rows():
        assert len(row) == 4, row[0]
        assert re.search(r"`[\w/]+\.py::\w+`", row[3]), row[0]


def test_each_disturbance_is_described() -> None:
    assert {*HARMLESS, *HARMFUL} <= set(re.findall(r"^\| ([a-z ]+) \|", PAGE, re.M))
