"""verify.py and the program get the same month, byte for byte, whatever registers and people did."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pytest

import collector.closing
from collector.closing import approve, submit
from collector.evidence import verify
from collector.evidence.archive import export
from collector.figures import statement_for
from collector.ledger import Ledger
from config.hq import HqConfig, load_hq
from core.errors import ConfigError, DataError
from tests.unit.collector.closings import NOW, SATO, SUZUKI
from tests.unit.collector.evidence import chance

MONTHS = ("2024-01", "2024-02")


def month_by_chance(
    folder: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[Ledger, HqConfig] | None:
    """Return works of which January may be closed and both months may have gone wrong in any way."""
    random = Random(seed)
    (folder / "hq.yaml").write_text(chance.works(random), encoding="utf-8")
    try:
        hq = load_hq(folder)
    except ConfigError:  # a meter below one that is not there yet
        return None
    ledger = Ledger.open(folder)
    points = [meter.point for meter in hq.sites[0].meters]
    chance.bring(ledger, random, points)
    try:
        chance.decide(ledger, random, points)
        if random.random() < 0.4:  # with whatever is missing: what is frozen is asked, not what is complete
            monkeypatch.setattr(collector.closing, "obstacles", lambda *_: ())
            submit(ledger, hq, MONTHS[0], who=SATO, time_ms=NOW)
            approve(ledger, hq, MONTHS[0], who=SUZUKI, time_ms=NOW)
            chance.bring(ledger, random, points, share=0.02)
            chance.decide(ledger, random, points)
        statement_for(ledger, hq, MONTHS[1])
    except DataError:  # an exchange or a correction that contradicts the records
        ledger.close()
        return None
    return ledger, hq


def differences(folder: Path, ledger: Ledger, hq: HqConfig, months: Sequence[str] = MONTHS) -> list[str]:
    """Return what verify.py has to say of the evidence of some months."""
    found = []
    for month in months:
        done = export(ledger, hq, month, folder / "evidence.zip")
        check = verify.Check(done.path)
        found += [f"{month}: {line}" for line in check.wrong]
    return found


@pytest.fixture
def folder(tmp_path: Path, empty_ledger: Path) -> Callable[[int], Path]:
    """A function that makes the folder of an empty ledger."""

    def made(seed: int) -> Path:
        path = tmp_path / str(seed)
        path.mkdir()
        shutil.copy(empty_ledger, path)
        return path

    return made


@pytest.mark.parametrize("seed", [29, 31, 42])
def test_the_same_month(seed: int, folder: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder(seed)
    made = month_by_chance(place, seed, monkeypatch)
    assert made is not None
    assert differences(place, *made, MONTHS[1:]) == []
    made[0].close()


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_the_same_month_many(
    part: int, folder: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(1000 + part * 20, 1020 + part * 20):
        place = folder(seed)
        if (made := month_by_chance(place, seed, monkeypatch)) is not None:
            assert differences(place, *made) == [], seed
            made[0].close()
