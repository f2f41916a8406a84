"""A works whose intake was replaced in the month, with a bus of two feeders and a pump that was moved."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from collector.figures import statement_for
from collector.ledger import Ledger, cells
from collector.report.ledger_months import LedgerMonths
from collector.report.why import why
from config.hq import load_hq
from core.carbon.statement import to_json
from core.metering.cells import cells_of
from core.metering.readings import Reading
from core.timeline import HALF_HOUR_MS, half_hours, month, parse_local
from seiren import app

TOKYO = ZoneInfo("Asia/Tokyo")
FEBRUARY = month("2024-02", TOKYO)
AT = parse_local("2024-02-14T10:30", TOKYO)
HQ = """\
company: {ja: 青葉製錬, en: Aoba Metals}
electricity_factor: industry_adjusted
sites:
  - id: aoba
    name: {ja: 青葉製錬所, en: Aoba works}
    time_zone: Asia/Tokyo
    boundary: [OLD, NEW, SECOND]
    virtual:
      - {id: BUS, name: {ja: 母線, en: bus}, plus: [OLD, NEW, SECOND]}
      - {id: TRANS, name: {ja: 変圧器, en: before transformer}, plus: [FUR], losses_percent: "0.8"}
    meters:
METERS
products: {copper: {ja: 電気銅, en: copper}}
"""
METER = """\
      - {{id: {id}, name: {{ja: {id}, en: {id}}}, quantity: active_energy_import, current: ac, {facts}
         installations: [{{from: 2020-10-01, serial: S-{id}, wh_per_count: "1000", side: primary,
                           accuracy_class: "0.5S", full_scale_kw: "9000"}}]}}
"""
FACTS = {
    "OLD": "to: 2024-02-14T10:30,",
    "NEW": "from: 2024-02-14T10:30,",
    "SECOND": "",
    "FUR": "parent: BUS,",
    "CEL": "parent: BUS,",
    "PMP": "parent: FUR, moves: [{from: 2024-02-14T10:30, parent: CEL}],",
}
RATE = {"OLD": 600, "NEW": 600, "SECOND": 400, "FUR": 700, "CEL": 295, "PMP": 290}  # kWh a half-hour


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("works")
    meters = "".join(METER.format(id=name, facts=facts) for name, facts in FACTS.items())
    (path / "hq.yaml").write_text(HQ.replace("METERS\n", meters), encoding="utf-8")
    ledger = Ledger.open(path, create=True)
    times = half_hours(FEBRUARY)
    with ledger.writing() as connection:
        for name, rate in RATE.items():
            # Each is read on both sides of its own time only: the old meter is scrapped, the new one comes.
            its = [at for at in times if not (name == "OLD" and at > AT) and not (name == "NEW" and at < AT)]
            point = f"{name}.active_energy_import"
            rows = [
                Reading(point, at + aside, (at - FEBRUARY.start_ms) // HALF_HOUR_MS * rate)
                for at in its
                for aside in (-2_000, 2_000)
            ]
            cells.merge(connection, cells_of(rows))
    ledger.close()
    return path


@pytest.fixture(scope="module")
def statement(folder: Path) -> dict[str, Any]:
    hq = load_hq(folder)
    ledger = Ledger.open(folder)
    try:
        document: dict[str, Any] = json.loads(to_json(statement_for(ledger, hq, "2024-02")))
    finally:
        ledger.close()
    return document


HALF_HOURS = 29 * 48
BEFORE = (AT - FEBRUARY.start_ms) // HALF_HOUR_MS


def kwh(statement: dict[str, Any], figure: str) -> Fraction:
    return Fraction(statement["figures"][figure]["value"])


def test_scope_2_counts_each_intake_in_its_own_time(statement: dict[str, Any]) -> None:
    assert kwh(statement, "energy.OLD") == 600 * BEFORE
    assert kwh(statement, "energy.NEW") == 600 * (HALF_HOURS - BEFORE)
    assert kwh(statement, "energy.BUS") == 1000 * HALF_HOURS
    scope2 = kwh(statement, "co2.scope2")
    assert scope2 == 1000 * HALF_HOURS * Fraction("0.421") / 1000


def test_a_month_after_it_knows_nothing_of_the_old_intake(folder: Path) -> None:
    ledger = Ledger.open(folder)
    try:
        later = statement_for(ledger, load_hq(folder), "2024-03")
    finally:
        ledger.close()
    assert "energy.OLD" not in later.figures and "energy.NEW" in later.figures
    lacking = " ".join(later.figures["co2.scope2"].not_summed)
    assert "NEW" in lacking and "OLD" not in lacking


def test_the_month_is_covered_whole_by_the_two_together(statement: dict[str, Any]) -> None:
    covered = statement["figures"]["completeness"]["half_hours"]
    assert covered == {"covered": 2 * HALF_HOURS, "expected": 2 * HALF_HOURS}


def test_balances_follow_what_fed_whom(statement: dict[str, Any]) -> None:
    assert kwh(statement, "balance.BUS") == (1000 - 700 - 295) * HALF_HOURS
    assert kwh(statement, "balance.FUR") == 700 * HALF_HOURS - 290 * BEFORE
    assert kwh(statement, "balance.CEL") == 295 * HALF_HOURS - 290 * (HALF_HOURS - BEFORE)
    facts = statement["figures"]["balance.BUS"]
    assert facts["ok"] is True and facts["events"] == []


def test_losses_are_in_a_virtual_meter_before_it_is_rounded(statement: dict[str, Any]) -> None:
    figure = statement["figures"]["energy.TRANS"]
    assert kwh(statement, "energy.TRANS") == 700 * HALF_HOURS * Fraction("1.008")
    assert figure["sum"] == {"plus": ["FUR"], "minus": [], "losses_percent": "0.8"}
    assert figure["inputs"] == ["energy.FUR"]


def test_a_virtual_meter_is_explained_by_what_it_is_made_of(folder: Path) -> None:
    months = LedgerMonths(folder)
    try:
        told = why(months.sheet("2024-02"), "energy.BUS")
        days = months.days("2024-02", "BUS")
    finally:
        months.close()
    assert "sum      NEW + OLD + SECOND" in told
    assert "energy.SECOND  SECOND" in told
    assert len(days) == 29 and set(days) == {Fraction(48_000)}


def run(folder: Path, *words: str) -> Any:
    return CliRunner().invoke(app, ["energy", *words, "--ledger", str(folder)])


SPAN = ("--from", "2024-02-14", "--to", "2024-02-15")


def test_balances_are_shown_for_each_interval_of_a_grid(folder: Path) -> None:
    table = run(folder, "aoba", "--balance", *SPAN)
    assert table.exit_code == 0, table.output
    rows = [line.split() for line in table.output.splitlines()[2:]]
    assert [(row[2], row[3], row[5]) for row in rows] == [
        ("BUS", "240.000", "ok"),
        ("FUR", str(f"{700 * 48 - 290 * 21:,}.000"), "ABOVE"),
        ("CEL", str(f"{295 * 48 - 290 * 27:,}.000"), "ABOVE"),
    ]
    assert all(len(line) <= 80 for line in table.output.splitlines())
    half_hourly = json.loads(
        run(folder, "aoba", "--balance", "--grid", "30min", *SPAN, "--format", "json").output
    )
    assert len(half_hourly["rows"]) == 2 * 48, "what feeds nothing has no balance"
    found = sum(Fraction(row["difference_kwh"]) for row in half_hourly["rows"] if row["parent"] == "FUR")
    assert found == (700 - 290) * 21
    lines = run(folder, "aoba", "--balance", "--grid", "month", *SPAN, "--format", "csv").output.splitlines()
    assert lines[0].startswith("start,end,parent,children,difference_kwh,limit_kwh,verdict,missing,events")
    assert len(lines) == 4
    assert run(folder, "BUS", "--balance", *SPAN).exception is not None, "a balance is that of a site"


def test_the_energy_of_a_site_goes_on_over_a_handing_over(folder: Path) -> None:
    rows = json.loads(run(folder, "aoba", *SPAN, "--grid", "30min", "--format", "json").output)
    assert {row["kwh"] for row in rows["rows"]} == {"1000.000"}
    assert rows["total"]["kwh"] == "48000.000"
    virtual = json.loads(run(folder, "TRANS", *SPAN, "--format", "json").output)
    assert virtual["total"]["kwh"] == "33868.800"
    gone = json.loads(
        run(folder, "OLD", "--from", "2024-02-15", "--to", "2024-02-16", "--format", "json").output
    )
    assert gone["total"]["kwh"] is None, "what is not in the network has no energy, not 0"


def test_a_stranger_recomputes_the_month_from_its_evidence(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "month.zip"
    exported = CliRunner().invoke(app, ["audit", "export", str(folder), "2024-02", "--out", str(out)])
    assert exported.exit_code == 0, exported.output
    verified = CliRunner().invoke(app, ["audit", "verify", str(out)])
    assert verified.exit_code == 0, verified.output
