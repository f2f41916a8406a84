"""The commands that ask a ledger, as people call them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from collector.ledger import Ledger
from core.delivery.frames import Lane
from core.delivery.messages import Ended, Inventory, encode
from core.errors import SeirenError
from seiren import app
from tests.unit.collector.material import (
    EPOCH,
    GAUGES,
    POWER,
    T0,
    commit,
    data,
    folder_with,
    frame,
    head,
    intake,
    minutes,
    raw_frame,
    table,
    taken,
)
from tests.unit.collector.test_imports import FUEL, GOOD, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ledger's folder with two days of registers, some samples, and a frame set aside."""
    made = folder_with(tmp_path / "hq")
    ledger = Ledger.open(made, create=True)
    commit(ledger, table(), data(frame(0, minutes(0, 2 * 1440 + 1))), head(1, 2 * 1440 + 1))
    commit(ledger, data(raw_frame(1, "nonsense")), ("seiren/v1/aoba/aoba-1/registers", b"hello"))
    way = intake(ledger)
    way.commit(way.sort([table(GAUGES, lane=Lane.SAMPLES)]), "1" * 32)
    sample = data(frame(0, [taken(T0, 1, point=POWER)], lane=Lane.SAMPLES, table=GAUGES))
    way.commit_samples(way.decide_samples(way.sort([sample]), "1" * 32), ())
    ledger.close()
    return made


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def error_of(result: Result) -> SeirenError:
    assert isinstance(result.exception, SeirenError), result.output
    return result.exception


def test_count(folder: Path) -> None:
    result = run("count", folder)
    assert result.exit_code == 0, result.output
    assert re.search(r"aoba-1 +registers +2,882 +2,881 +0 +0 +0", result.stdout)
    assert "set aside 1" in result.stdout
    assert result.stdout.splitlines()[-2:] == [
        "YES  taken = stored + waiting + named lost + set aside, as far as heard",
        "     aoba-1 heard until 2024-02-03 00:00",
    ]


def test_count_of_a_month_and_its_days(folder: Path) -> None:
    result = run("count", folder, "2024-02", "--by", "day")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        "aoba-1 registers",
        " day         taken  stored  waiting  named lost  unexplained  not taken",
        " 2024-02-01  2,882   2,881        0           0            0          -",
    ]
    assert re.search(r"aoba-1 +registers +>= 2,882 +2,881 +unknown", result.stdout)
    assert "aoba-1 silent since 2024-02-03 00:00: its own count comes when it returns" in lines[-1]
    assert all(len(line) <= 80 and line.isascii() for line in lines)
    document = json.loads(run("count", folder, "2024-02", "--format", "json").stdout)
    assert (document["month"], document["days"]) == ("2024-02", [])
    other = run("count", folder, "2024-03")
    assert (other.exit_code, other.stdout.splitlines()[0]) == (
        0,
        "nothing was taken in 2024-03, as far as heard",
    )


def test_a_count_by_day_needs_a_month_and_one_folder(folder: Path) -> None:
    assert error_of(run("count", folder, "--by", "day")).exit_code == 2
    assert error_of(run("count", folder, folder)).exit_code == 2


def test_count_says_no(folder: Path) -> None:
    ledger = Ledger.open(folder)
    # A later run of the agent says how its last one ended, and has none of its frames any more.
    ended = Ended(EPOCH, 5, 4000, None, 0, 0, True)
    listed = Inventory(number="0" * 16, process="d" * 32, sequence=1, epochs=(ended,), blocks=(), gone=())
    commit(ledger, ("seiren/v1/aoba/aoba-1/registers", encode(listed)))
    ledger.close()
    result = run("count", folder, "--format", "json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["adds_up"] is False
    assert {row["lane"]: row["owed"] for row in document["counts"]} == {"registers": 1118, "samples": 0}


def test_status(folder: Path) -> None:
    result = run("collector", "status", folder)
    assert result.exit_code == 0, result.output
    assert "1 points" in result.stdout
    assert "store      sqlite:readings.sqlite, 3 frames behind the ledger" in result.stdout
    assert "set aside  seiren/v1/aoba/aoba-1/registers: message that is not of the protocol" in result.stdout
    assert all(len(line) <= 80 and line.isascii() for line in result.stdout.splitlines()[2:])
    document = json.loads(run("collector", "status", folder, "--format", "json").stdout)
    assert [lane["stored"] for lane in document["lanes"]] == [2881, 1]
    assert run("collector", "status", folder, "--format", "csv").stdout.splitlines()[1].startswith("aoba-1,")


def test_energy(folder: Path) -> None:
    result = run("energy", "aoba", "--ledger", folder, "--from", "2024-02-01", "--to", "2024-02-03")
    assert result.exit_code == 0, result.output
    assert re.search(r"total +86\.400 +0\.000 +measured", result.stdout)
    newest = run("energy", "aoba", "--ledger", folder, "--grid", "month", "--format", "json")
    assert len(json.loads(newest.stdout)["rows"]) == 1


def test_energy_needs_both_ends(folder: Path) -> None:
    assert error_of(run("energy", "aoba", "--ledger", folder, "--from", "2024-02-01")).exit_code == 2


def test_import_names_bad_lines_and_exits_1(folder: Path, tmp_path: Path) -> None:
    path = write(tmp_path, FUEL, GOOD, GOOD.replace("18.25", "x"), GOOD.replace("kL", "t"))
    result = run("import", "activity", path, "--ledger", folder)
    assert result.exit_code == 1
    assert result.stdout == "fuel.csv: 1 lines added, 2 set aside\n"
    assert result.stderr.count("ERROR ") == 2
    assert "fuel.csv:3: quantity" in result.stderr
    assert "'x'" in result.stderr
    again = run("import", "activity", write(tmp_path, FUEL, GOOD), "--ledger", folder)
    assert (again.exit_code, again.stdout) == (0, "fuel.csv: 0 lines added, 1 there already\n")


def test_import_makes_the_ledger(tmp_path: Path) -> None:
    path = write(tmp_path, "month,site,product,quantity,unit,document", "2024-02,aoba,copper,5,t,P-1")
    result = run("import", "production", path, "--ledger", folder_with(tmp_path / "new"))
    assert (result.exit_code, result.stdout) == (0, "fuel.csv: 1 lines added\n")


def test_factors() -> None:
    result = run("factors", "list")
    assert re.search(r"heavy_oil_a\.SHK2023 +FY2023- +2\.\d{5} +t/kL +A +final", result.stdout)
    facts = json.loads(run("factors", "list", "--format", "json").stdout)["factors"]
    assert all(fact["source"] and fact["locator"] and fact["confidence"] in "ABC" for fact in facts)
    assert len(run("factors", "list", "--format", "csv").stdout.splitlines()) == len(facts) + 1


@pytest.mark.parametrize(
    "command",
    [["count"], ["collector", "run"], ["collector", "status"], ["collector", "doctor"], ["tail"]],
)
def test_a_folder_that_is_none(tmp_path: Path, command: list[str]) -> None:
    missing = error_of(run(*command, tmp_path / "none"))
    assert (missing.exit_code, missing.where) == (2, str(tmp_path / "none"))
    empty = error_of(run(*command, tmp_path))
    assert "hq.yaml" in empty.what
    assert empty.next


def test_a_folder_without_a_ledger(tmp_path: Path) -> None:
    error = error_of(run("count", folder_with(tmp_path)))
    assert error.exit_code == 3
    assert "seiren collector run" in error.next


def test_a_collector_without_a_broker(tmp_path: Path) -> None:
    made = folder_with(tmp_path)
    (made / "hq.yaml").write_text((made / "hq.yaml").read_text().replace("broker:", "# broker:"))
    error = error_of(run("collector", "run", made))
    assert (error.exit_code, error.where) == (2, str(made / "hq.yaml"))
    assert "broker: {host" in error.next


def test_a_wrong_configuration(tmp_path: Path) -> None:
    made = folder_with(tmp_path)
    (made / "hq.yaml").write_text((made / "hq.yaml").read_text() + "nonsense: 1\n")
    error = error_of(run("count", made))
    assert error.exit_code == 2
    assert re.search(r"hq\.yaml:\d+: nonsense", error.where)
