"""What the guide for headquarters shows is what the program takes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = (Path(__file__).parents[2] / "docs/guide-hq.md").read_text(encoding="utf-8")
SEIREN = Path(sys.executable).with_name("seiren")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.M | re.S)


def seiren(*words: object) -> str:
    done = subprocess.run([SEIREN, *map(str, words)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (configuration,) = blocks("yaml")
    (tmp_path / "hq.yaml").write_text(configuration, encoding="utf-8")
    return tmp_path


def test_fuel_and_production_find_their_way_into_the_month(folder: Path) -> None:
    fuel, production = blocks("csv")
    (folder / "fuel.csv").write_text(fuel)
    (folder / "production.csv").write_text(production)
    assert "2 lines added" in seiren("import", "activity", folder / "fuel.csv", "--ledger", folder)
    assert "1 lines added" in seiren("import", "production", folder / "production.csv", "--ledger", folder)
    month = json.loads(seiren("month", "show", folder, "2024-02", "--format", "json"))
    assert {"fuel.aoba.steam_coal_imported", "fuel.aoba.heavy_oil_bc", "production.ferronickel"} <= month[
        "figures"
    ].keys()
    assert "AOB-RCV-01" in month["figures"]["co2"]["not_summed"], "no meter has been read yet"
