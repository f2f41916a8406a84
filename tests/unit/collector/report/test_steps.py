"""A month's life from the terminal: submitted, approved, restated, opened again."""

from __future__ import annotations

import csv
import io
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from collector.ledger import Ledger
from collector.plans import adopt
from collector.report.cli import app
from config.hq import load_hq
from core.errors import AnswerIsNo, UsageError
from core.metering.readings import Quality, Reading
from core.timeline import Interval
from tests.unit.collector.closings import (
    FEBRUARY,
    HOUR_MS,
    INTAKE,
    MARCH,
    NOW,
    SUZUKI,
    bring,
    close,
    count,
    filled,
    hq_file,
    start,
)
from tests.unit.collector.material import HQ


@pytest.fixture
def works(tmp_path: Path) -> Path:
    """February and March, with a gap over the end of February."""
    folder = hq_file(tmp_path, HQ)
    with closing(Ledger.open(folder, create=True)) as ledger:
        gap = Interval(start(MARCH) - 5 * HOUR_MS, start(MARCH) + 5 * HOUR_MS)
        filled(ledger, FEBRUARY, MARCH, gap=gap)
        adopt(ledger, load_hq(folder), who=SUZUKI, reason="", time_ms=NOW)
    return folder


def run(*words: object) -> str:
    result = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0
    if "--format" not in words:
        assert all(len(line) <= 80 for line in result.stdout.splitlines() if str(words[1]) not in line)
        assert result.stdout.isascii()
    return result.stdout


def late(folder: Path) -> None:
    with closing(Ledger.open(folder)) as ledger:
        bring(ledger, [Reading(INTAKE, start(MARCH), count(INTAKE, start(MARCH)) - 300, Quality.GOOD)])


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_two_people_close_a_month(works: Path) -> None:
    told = run("submit", works, FEBRUARY, "--by", "sato")
    assert told.startswith("February 2024 is submitted by sato: 2 t, 4,872 kWh\n")
    assert f"seiren month approve {works} {FEBRUARY} --by NAME" in told
    shown = run("show", works, FEBRUARY)
    assert "submitted   by sato on " in shown
    assert "waits for another person" in shown
    with pytest.raises(AnswerIsNo):
        run("approve", works, FEBRUARY, "--by", "sato")
    told = run("approve", works, FEBRUARY, "--by", "suzuki", "--reason", "looked at it")
    assert told.startswith("February 2024 is closed by suzuki: 2 t, 4,872 kWh\n")
    shown = run("show", works, FEBRUARY)
    assert "FINAL" in shown.splitlines()[0]
    assert "closed      by suzuki on " in shown
    head = told.split("chain head  ")[1].split("\n")[0]
    assert f" chain head  {head}\n" in shown, "the head stands beside the statement"
    content = run("show", works, FEBRUARY, "--format", "json")
    assert json.loads(content)["status"]["activity"] == "closed"
    assert head.split()[1] not in content, "and never in it"


def test_a_gap_over_the_end_is_told_with_its_rule(works: Path) -> None:
    shown = " ".join(run("show", works, FEBRUARY).split())
    # the readings before and after stand 11 h and 7 h from midnight; 7 kWh an hour
    assert (
        "split AOB-RCV-01: 77.000 of 126.000 kWh before 2024-03-01 00:00, linear in time; "
        "no reading from 2024-02-29 13:00 to 2024-03-01 07:00" in shown
    )
    why = " ".join(run("show", works, FEBRUARY, "--why", "energy.AOB-RCV-01").split())
    assert "split 77.000 of 126.000 kWh before 2024-03-01 00:00, linear in time" in why
    figure = json.loads(run("show", works, FEBRUARY, "--format", "json"))["figures"]["energy.AOB-RCV-01"]
    assert [each["rule"] for each in figure["splits"]] == ["linear in time", "linear in time"]


def test_a_restatement_is_shown_first_and_accepted_by_a_person(works: Path) -> None:
    with closing(Ledger.open(works)) as ledger:
        close(ledger, load_hq(works), FEBRUARY, MARCH)
    assert run("restate", works) == "nothing that came later changes a closed month\n"
    late(works)
    assert "proposed    -0.001 t, -3 kWh: late readings of" in run("show", works, FEBRUARY)
    told = run("restate", works)
    assert "moves       AOB-RCV-01.active_energy_import: 3.000 kWh from 2024-02 to 2024-03" in told
    assert "bought      4,872.000 -> 4,869.000 kWh  -3.000" in told
    assert "bought      5,208.000 -> 5,211.000 kWh  +3.000" in told
    exact = json.loads(run("restate", works, "--format", "json"))["proposals"]
    assert [each["kwh"] for each in exact] == ["-3", "3"]
    assert [each["moves"][0]["wh"] for each in exact] == [-3000, -3000]
    assert [each["month"] for each in rows(run("restate", works, MARCH, "--format", "csv"))] == [
        FEBRUARY,
        MARCH,
    ]
    with pytest.raises(UsageError, match="Name the month"):
        run("restate", works, "--yes")
    told = run("restate", works, MARCH, "--yes", "--by", "tanaka", "--reason", "midnight's reading came")
    assert told.startswith("February 2024 and March 2024 restated by tanaka\n")
    shown = run("show", works, FEBRUARY)
    assert "RESTATED, FINAL" in shown.splitlines()[0]
    assert "restated    2 -> 2 t (-0.001): late readings of" in shown
    year = run("show", works, "FY2023")
    assert " February 2024             4,869.00          2         0.00  restated, final\n" in year


def test_how_far_months_are(works: Path) -> None:
    run("submit", works, FEBRUARY, "--by", "sato")
    run("approve", works, FEBRUARY, "--by", "suzuki")
    table = run("status", works)
    assert " 2024-02  closed    final          2         1  suzuki  " in table
    assert " 2024-03  open      final          2         -       -  " in table
    found: dict[str, Any] = json.loads(run("status", works, FEBRUARY, "--format", "json"))
    (february,) = found["months"]
    assert february["history"][0]["by"] == "suzuki"
    assert len(found["chain"]["hash"]) == 64
    assert rows(run("status", works, "--format", "csv"))[-1]["activity"] == "open"


def test_a_year_is_the_sum_of_its_months_in_every_form(works: Path) -> None:
    with closing(Ledger.open(works)) as ledger:
        close(ledger, load_hq(works), FEBRUARY)
    late(works)
    found = json.loads(run("show", works, "2024", "--format", "json"))
    known = {each["month"]: each for each in found["months"]}
    assert known[FEBRUARY]["activity"] == "closed"
    assert known[MARCH]["activity"] == "open"
    assert [known[each]["kwh"] for each in (FEBRUARY, MARCH)] == ["4872", "5208"], "the closed one holds"
    assert found["sum"] == {"kwh": None, "co2_t": None}, "ten months are missing"
    assert len(rows(run("show", works, "2024", "--format", "csv"))) == 12


def test_opening_again_needs_a_reason(works: Path) -> None:
    run("submit", works, FEBRUARY, "--by", "sato")
    with pytest.raises(AnswerIsNo, match="without a reason"):
        run("reopen", works, FEBRUARY, "--by", "sato")
    told = run("reopen", works, FEBRUARY, "--by", "sato", "--reason", "a slip is missing")
    assert told.startswith("February 2024 is open again, by sato\n")
    assert "reopened    by sato on " in run("show", works, FEBRUARY)
    assert "a slip is missing" in run("show", works, FEBRUARY)


@pytest.mark.parametrize(
    "words", [("submit", "2024"), ("approve", "a", "b", "2024-02"), ("restate", "a", "soon")]
)
def test_wrong_use_is_said(works: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(works)
    with pytest.raises(UsageError):
        run(*words)
