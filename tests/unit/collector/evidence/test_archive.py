"""The archive: what is in it, the same bytes each time, and months of earlier releases."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.evidence import verify
from collector.evidence.archive import MANIFEST, export
from collector.figures import statement_for
from collector.ledger import Ledger, decisions
from collector.proposals import restate
from config.hq import HqConfig, load_hq
from core.carbon.statement import to_json
from core.chain import Json
from core.errors import OutsideError
from core.metering.readings import Quality, Reading
from tests.unit.collector.closings import (
    FEBRUARY,
    HOUR_MS,
    INTAKE,
    KILN,
    MARCH,
    NOW,
    SATO,
    TANAKA,
    bring,
    close,
    count,
    filled,
    hq_file,
    start,
)
from tests.unit.collector.evidence.material import DATA, files_of, restored
from tests.unit.collector.material import HQ

RELEASES = ("month-0001", "month-0002")


@pytest.fixture
def hq(tmp_path: Path) -> HqConfig:
    return load_hq(hq_file(tmp_path, HQ))


@pytest.fixture
def months(tmp_path: Path, empty_ledger: Path) -> Iterator[Ledger]:
    """February and March of two meters, read hourly."""
    shutil.copy(empty_ledger, tmp_path)
    opened = Ledger.open(tmp_path)
    yield filled(opened, FEBRUARY, MARCH)
    opened.close()


def checked(path: Path, head: str = "") -> tuple[list[str], list[str]]:
    """Return what is found in an archive, and what differs."""
    check = verify.Check(path, head)
    return check.found, check.wrong


def figures(content: bytes) -> dict[str, Any]:
    """Return what figures a statement has, by id: exact, printed and what they rest on."""
    return {
        name: {
            key: figure.get(key) for key in ("value", "printed", "inputs", "wh", "unproven_wh", "half_hours")
        }
        for name, figure in json.loads(content)["figures"].items()
    }


def test_an_open_month(tmp_path: Path, months: Ledger, hq: HqConfig) -> None:
    done = export(months, hq, FEBRUARY, tmp_path / "e.zip")
    files = files_of(done.path)
    assert not done.closed
    assert files["statement.json"] == to_json(statement_for(months, hq, FEBRUARY))
    assert len(files) == done.files
    assert list(files)[-1] == MANIFEST
    assert {f"cells/{INTAKE}.csv", f"inputs/readings/{KILN}.csv", "inputs/plan.json"} <= files.keys()
    found, wrong = checked(done.path)
    assert wrong == []
    assert "2024-02 is open: nothing is approved" in found


def test_the_same_bytes_each_time_and_for_its_owner_alone(
    tmp_path: Path, months: Ledger, hq: HqConfig
) -> None:
    close(months, hq, FEBRUARY)
    one = export(months, hq, FEBRUARY, tmp_path / "one.zip").path
    two = export(months, hq, FEBRUARY, tmp_path / "two.zip").path
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert stat.S_IMODE(one.stat().st_mode) == 0o600


def test_what_is_decided_later_only_makes_the_chain_longer(
    tmp_path: Path, months: Ledger, hq: HqConfig
) -> None:
    close(months, hq, FEBRUARY)
    first = export(months, hq, FEBRUARY, tmp_path / "one.zip")
    before = files_of(first.path)
    close(months, hq, MARCH)
    later = export(months, hq, FEBRUARY, tmp_path / "two.zip")
    after = files_of(later.path)
    assert {name for name in before if after[name] != before[name]} == {"decisions.jsonl", MANIFEST}
    assert after["decisions.jsonl"].startswith(before["decisions.jsonl"])
    for head in (first.head, later.head):  # whichever was printed
        assert checked(later.path, str(head))[1] == []
    before_closing = json.loads(before["decisions.jsonl"].splitlines()[-2])["hash"]
    (told,) = checked(later.path, before_closing)[1]
    assert "no decision since the month was closed" in told


def test_what_is_corrected_later_changes_nothing_of_a_closed_month(
    tmp_path: Path, months: Ledger, hq: HqConfig
) -> None:
    close(months, hq, FEBRUARY)
    body: dict[str, Json] = {
        "what": "exclude",
        "point": INTAKE,
        "start_ms": start(FEBRUARY),
        "end_ms": start(MARCH),
    }
    with months.writing() as connection:
        decisions.decide(connection, kind="correction", who=SATO, reason="", body=body, time_ms=NOW)
    assert checked(export(months, hq, FEBRUARY, tmp_path / "e.zip").path)[1] == []


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path, months: Ledger, hq: HqConfig) -> None:
    (tmp_path / "taken.zip").mkdir()
    before = sorted(tmp_path.iterdir())
    for out in (tmp_path / "nowhere/e.zip", tmp_path / "taken.zip"):
        with pytest.raises(OutsideError, match="cannot be written"):
            export(months, hq, FEBRUARY, out)
    assert sorted(tmp_path.iterdir()) == before


def test_a_closed_month_stays_what_it_was_when_readings_come_late(
    tmp_path: Path, months: Ledger, hq: HqConfig
) -> None:
    close(months, hq, FEBRUARY)
    before = files_of(export(months, hq, FEBRUARY, tmp_path / "before.zip").path)
    late_ms = start(MARCH) - HOUR_MS // 2
    bring(months, [Reading(INTAKE, late_ms, count(INTAKE, late_ms) + 1, Quality.GOOD)])
    done = export(months, hq, FEBRUARY, tmp_path / "after.zip")
    after = files_of(done.path)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {f"cells/{INTAKE}.csv", MANIFEST}
    found, wrong = checked(done.path)
    assert wrong == []
    assert f"1 readings of {INTAKE} came after the closing; the statement rests on none of them" in found


def test_months_that_were_restated_together_verify(tmp_path: Path, months: Ledger, hq: HqConfig) -> None:
    close(months, hq, FEBRUARY, MARCH)
    late_ms = start(MARCH)
    bring(months, [Reading(INTAKE, late_ms, count(INTAKE, late_ms) - 50, Quality.GOOD)])
    restate(months, hq, FEBRUARY, who=TANAKA, reason="midnight's reading came", time_ms=NOW)
    for month in (FEBRUARY, MARCH):
        done = export(months, hq, month, tmp_path / "e.zip")
        found, wrong = checked(done.path, str(done.head))
        assert wrong == []
        assert any(f"{month} closed by tanaka" in line and "revision 2" in line for line in found)


def test_sqlite_and_postgresql_give_the_same_bytes(
    tmp_path: Path, months: Ledger, hq: HqConfig, postgres_ledgers: Callable[[], str]
) -> None:
    other = filled(Ledger.open(postgres_ledgers(), create=True), FEBRUARY, MARCH)
    for each in (months, other):
        close(each, hq, FEBRUARY)
    one, two = (export(each, hq, FEBRUARY, tmp_path / "e.zip").path.read_bytes() for each in (months, other))
    other.close()
    assert one == two


@pytest.mark.parametrize("release", RELEASES)
def test_a_month_of_an_earlier_release_closes_and_verifies_with_its_figures(
    tmp_path: Path, release: str
) -> None:
    folder = restored(release, tmp_path / "works")
    hq = load_hq(folder)
    ledger = Ledger.open(folder)
    then = (DATA / release / "statement.json").read_bytes()
    assert figures(to_json(statement_for(ledger, hq, FEBRUARY))) == figures(then)
    close(ledger, hq, FEBRUARY)
    done = export(ledger, hq, FEBRUARY, tmp_path / "e.zip")
    ledger.close()
    assert checked(done.path, done.head.hash)[1] == []
    assert figures(files_of(done.path)["statement.json"]) == figures(then)


def test_a_ledger_with_an_hour_of_a_month_exports_and_verifies(tmp_path: Path, hq: HqConfig) -> None:
    database = sqlite3.connect(tmp_path / "ledger.sqlite")
    database.executescript((DATA / "ledger-0001.sql").read_text(encoding="utf-8"))
    database.close()
    ledger = Ledger.open(tmp_path)
    done = export(ledger, hq, FEBRUARY, tmp_path / "e.zip")
    ledger.close()
    assert json.loads(files_of(done.path)["statement.json"])["figures"]["co2"]["value"] is None
    # That ledger's one line of fuel was written by hand, under an id of its own.
    assert checked(done.path)[1] == ["inputs/fuels.csv line 2: its id is not that of its contents"]
