"""The demo's month: the figure by hand, the same bytes again, nothing left running."""

from __future__ import annotations

import csv
import json
import subprocess
import time
from fractions import Fraction
from pathlib import Path

import pytest

from tests.e2e.works import SEIREN, Run, assert_nothing_lost, demo

MONTH = "2024-02"


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The demo as a newcomer runs it."""
    return demo(tmp_path_factory.mktemp("demo") / "out")


def test_co2_by_hand(month: Run) -> None:
    """kWh x 0.421 kg, and fuel x heat x carbon x 44/12, worked out here and nowhere else."""
    statement = json.loads((month.folder / "statement.json").read_text(encoding="utf-8"))
    start, end = statement["figures"]["energy.AOB-RCV-01"]["boundaries"]
    # The meter counts Wh behind a current transformer 400/5 and a voltage transformer 66000/110.
    wh = (end["count"] - start["count"]) * (400 // 5) * (66_000 // 110)
    electricity_t = Fraction(wh, 1000) * Fraction(421, 1000) / 1000
    gigajoules_and_carbon = {  # GJ/unit, tC/GJ: Japan's reporting scheme from FY2023
        "steam_coal_imported": (Fraction(261, 10), Fraction(243, 10_000)),
        "heavy_oil_bc": (Fraction(418, 10), Fraction(202, 10_000)),
        "heavy_oil_a": (Fraction(389, 10), Fraction(193, 10_000)),
    }
    fuel_t = Fraction(0)
    with (month.folder / "fuel.csv").open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            heat, carbon = gigajoules_and_carbon[line["fuel"]]
            fuel_t += Fraction(line["quantity"]) * heat * carbon * 44 / 12
    figures = statement["figures"]
    assert fuel_t > 0
    assert Fraction(figures["co2.scope2"]["value"]) == electricity_t
    assert Fraction(figures["co2.scope1"]["value"]) == fuel_t
    assert Fraction(figures["co2"]["value"]) == electricity_t + fuel_t


def test_nothing_is_lost(month: Run) -> None:
    assert_nothing_lost(month)
    assert "named lost 0" in month.output


def test_the_report_is_the_statement(month: Run) -> None:
    """The file that the demo leaves is what the ledger gives, to the byte."""
    again = month.seiren("month", "show", month.folder, MONTH, "--format", "json")
    assert (month.folder / "statement.json").read_text(encoding="utf-8") == again


def test_same_seed_killed_processes_and_faults_of_meters_give_the_same_bytes(
    month: Run, tmp_path: Path
) -> None:
    again = demo(tmp_path / "out", "--fault", "collector-killed,agent-killed,meter-silent,register-dip")
    assert (again.folder / "statement.json").read_bytes() == (month.folder / "statement.json").read_bytes()
    assert_nothing_lost(again)
    assert len(again.faults()) == 4


@pytest.mark.slow
def test_what_a_register_tells_later_is_not_lost_and_what_a_reset_takes_is_named(
    month: Run, tmp_path: Path
) -> None:
    """All faults after which the register is right again, and one after which it is another."""
    faults = ("register-reset", "no-value", "frozen-register", "word-order-swapped", "garbled-replies")
    again = demo(tmp_path / "out", "--fault", ",".join((*faults, "gateway-busy", "late-replies")))
    assert_nothing_lost(again)
    struck = {line.split()[3]: (line.split()[2], line[:10]) for line in again.faults()}
    assert struck.keys() == {*faults, "gateway-busy", "late-replies"}
    meter, day = struck["register-reset"]
    assert meter != "AOB-RCV-01", "with this seed"
    clean, figures = month.statement(MONTH)["figures"], again.statement(MONTH)["figures"]
    for name, figure in clean.items():
        if name.startswith(("co2", "energy")) and name != f"energy.{meter}":
            assert figures[name]["value"] == figure["value"], name
    lost = figures[f"energy.{meter}"]
    assert (lost["value"], lost["origin"]) == (None, "missing")
    assert day in lost["not_summed"]


def test_ctrl_c_leaves_nothing_running(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = subprocess.Popen(
        [SEIREN, "demo", "--out", out],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while not list(out.glob("spool*/**/*")) and time.monotonic() < deadline:
        time.sleep(0.1)  # because the demo's processes start in their own time
    run.send_signal(2)
    assert run.wait(20) != 0
    assert not _commands_with(str(out))


def _commands_with(text: str) -> list[str]:
    """Command lines of this machine's processes that contain a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in command:
            found.append(command)
    return found
