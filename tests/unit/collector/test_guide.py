"""What headquarters' guide shows is what the program takes and says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from collector.imports import import_activity
from collector.ledger import Ledger
from collector.stores.base import MIN_RETENTION_DAYS
from config.hq import load_hq
from tests.unit.collector.material import SATO, T0

GUIDE = (Path(__file__).parents[3] / "docs" / "guide-hq.md").read_text(encoding="utf-8")
FUEL, _ = re.findall(r"```csv\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the guide's hq.yaml."""
    (hq,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "hq.yaml").write_text(hq, encoding="utf-8")
    return tmp_path


def test_its_mistake_is_told_as_shown(folder: Path) -> None:
    (folder / "fuel.csv").write_text(FUEL.replace("kL", "t"), encoding="utf-8")
    ledger = Ledger.open(folder, create=True)
    (error,) = import_activity(folder / "fuel.csv", ledger, load_hq(folder), who=SATO, now_ms=T0).bad
    ledger.close()
    assert "\n".join(f"    {line}" for line in error.render().splitlines()) in GUIDE


def test_its_retention_is_the_one_that_is_asked_for() -> None:
    assert f"{MIN_RETENTION_DAYS} days or more" in GUIDE
