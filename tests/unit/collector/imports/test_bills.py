"""Bills: brought once, beside their meter, and authoritative where the plan says so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from collector.imports.activity import Imported
from collector.imports.bills import COLUMNS, FILE_COLUMN, import_bills
from collector.ledger import Ledger, bills, decisions
from config.hq import HqConfig
from core.metering.sources import Origin
from core.timeline import Interval, months, parse_local
from seiren import app
from tests.unit.collector.imports.material import (
    ENERGY,
    NOW_MS,
    SATO,
    bring,
    column,
    hq_of,
    mapping,
    series,
    write,
)

HEADER = ",".join((*COLUMNS, FILE_COLUMN))
BY_BILL = "    sources: {P1: bill}\n"
CLASS = ', accuracy_class: "0.5S"'


@pytest.fixture
def hq(tmp_path: Path) -> HqConfig:
    return hq_of(tmp_path / "hq", "P1", "P2", zone="Asia/Tokyo", facts=CLASS)


@pytest.fixture
def ledger(tmp_path: Path, hq: HqConfig) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path / "hq", create=True)
    yield opened
    opened.close()


def line(first: str, last: str, kwh: str, document: str = "B-1", *, point: str = "P1", file: str = "") -> str:
    return f"{point},Tohoku,A,{first},{last},{kwh},900,1200000,{document},{file}"


def import_lines(tmp_path: Path, ledger: Ledger, hq: HqConfig, *lines: str) -> Imported:
    return import_bills(write(tmp_path, "bills.csv", HEADER, *lines), ledger, hq, who=SATO, now_ms=NOW_MS)


def meter_days(tmp_path: Path, ledger: Ledger, hq: HqConfig, *, wrong_from: int = 99) -> None:
    """1 MWh a day from January to March 2024, two thirds of it from a day of February on."""
    count, rows = 0, []
    for month, days in (("01", 31), ("02", 29), ("03", 31), ("04", 1)):
        for day in range(1, days + 1):
            rows.append(f"2024-{month}-{day:02d},{count}")
            wrong = month > "02" or (month == "02" and day >= wrong_from)
            count += 660 if wrong and wrong_from < 99 else 1000
    file = write(tmp_path, "meter.csv", "time,kwh", *rows)
    bring(file, ledger, hq, mapping(kind="registers", time="time", points=(column("P1", "kwh"),)))


def test_a_bill_comes_back_as_it_was_written_and_once(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    (tmp_path / "invoice.pdf").write_bytes(b"%PDF")
    one = line("2024-01-16", "2024/2/15", "31000.50", file="invoice.pdf")
    done = import_lines(tmp_path, ledger, hq, one)
    assert (done.added, done.known, done.bad) == (1, 0, ())
    with ledger.reading() as connection:
        (bill,) = bills.read(connection)
        (decision,) = decisions.read(connection)
    assert (bill.point, bill.supplier, f"{bill.kwh}", bill.document) == (
        f"P1.{ENERGY}",
        "Tohoku",
        "31000.50",
        "B-1",
    )
    assert bill.sha256 == hashlib.sha256(b"%PDF").hexdigest()
    assert (bill.source, set(decision.facts["lines"])) == ("bills.csv:2", {bill.id})
    again = import_lines(tmp_path, ledger, hq, "", one)
    assert (again.added, again.known) == (0, 1)
    with ledger.reading() as connection:
        assert decisions.head(connection).number == 1


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (line("2024-02-01", "2024-02-29", "1", point="P9"), "there is no such meter"),
        (line("2024-02-30", "2024-03-01", "1"), "there is no such day"),
        (line("2024-02-29", "2024-02-01", "1"), "the bill ends before it starts"),
        (line("2024-02-01", "2024-02-29", ""), "no energy is billed"),
        (line("2024-02-01", "2024-02-29", "-4"), "not a number of 0 or more"),
        (line("2024-02-01", "2024-02-29", "1", ""), "no document proves this line"),
        (line("2024-02-01", "2024-02-29", "1", file="gone.pdf"), "the invoice cannot be read"),
        (line("2024-01-31", "2024-02-29", "1", "B-9"), "days of this bill are billed already"),
    ],
)
def test_a_bad_line_is_named_and_the_others_go_in(
    tmp_path: Path, ledger: Ledger, hq: HqConfig, bad: str, what: str
) -> None:
    good = line("2024-01-01", "2024-01-31", "31000")
    done = import_lines(tmp_path, ledger, hq, good, bad)
    assert done.added == 1
    assert [error.what.partition(":")[0] for error in done.bad] == [what]
    assert done.bad[0].where.startswith("bills.csv:3")


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    return result.exit_code, result.stdout


def test_bills_beside_their_meter(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    meter_days(tmp_path, ledger, hq, wrong_from=10)
    import_lines(
        tmp_path,
        ledger,
        hq,
        line("2024-01-01", "2024-01-31", "31000", "B-1"),
        line("2024-02-01", "2024-02-29", "29000", "B-2"),
        line("2024-03-01", "2024-03-31", "31000", "B-3"),
        line("2024-04-01", "2024-04-30", "30000", "B-4"),
    )
    ledger.close()
    code, text = run("month", "bills", tmp_path / "hq")
    assert code == 1
    assert max(map(len, text.splitlines())) <= 80
    assert "B-2: differs since 2024-02-10" in text
    assert "B-3: differs since 2024-02-10, meter/bill 0.6600" in text
    assert "2024-02-10 low: 660 kWh, usually 1,000" in text
    assert "B-4: cannot tell: the meter: no reading at or after" in text
    code, text = run("month", "bills", tmp_path / "hq", "2024-01", "--format", "json")
    (told,) = json.loads(text)
    assert (code, told["outcome"], told["meter_kwh"], told["billed_kwh"]) == (
        0,
        "agree",
        "31000.000",
        "31000",
    )
    assert run("month", "bills", tmp_path / "hq", "--format", "csv")[1].count("\n") == 5


def test_a_bill_is_the_energy_where_the_plan_says_so(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    meter_days(tmp_path, ledger, hq, wrong_from=10)
    import_lines(
        tmp_path,
        ledger,
        hq,
        line("2024-01-01", "2024-02-15", "46001", "B-1"),
        line("2024-02-16", "2024-03-31", "44999", "B-2"),
    )
    zone = hq.sites[0].time_zone
    ends = Interval(parse_local("2024-01-01", zone), parse_local("2024-04-01", zone))
    bounds = months(ends, zone)
    assert sum(each.wh or 0 for each in series(ledger, hq, "P1", bounds)) < 80_000_000
    billed = hq_of(tmp_path / "hq", "P1", "P2", zone="Asia/Tokyo", site=BY_BILL, facts=CLASS)
    told = series(ledger, billed, "P1", bounds)
    assert {each.origin for each in told} == {Origin.BILLED}
    known = [each.wh for each in told if each.wh is not None]
    assert len(known) == 3 and sum(known) == 91_000_000
    # The first bill's days weigh as the meter has them: 40 whole ones and 6 of two thirds.
    weight = 40_000 + 6 * 660
    january, february = 31_000, 9_000 + 6 * 660
    assert known[0] == 46_001_000 * january // weight
    second = 44_999_000 * 14 * 660 // (45 * 660)
    assert abs(known[1] - (46_001_000 * february // weight + second)) <= 1
    (after,) = series(ledger, billed, "P1", (bounds[-1], bounds[-1] + 86_400_000))
    assert after.wh is None  # no bill of it yet: missing, whatever the meter says


def test_a_month_of_bills_and_intervals_closes_and_its_evidence_verifies(
    tmp_path: Path, ledger: Ledger, hq: HqConfig
) -> None:
    folder = tmp_path / "hq"
    meter_days(tmp_path, ledger, hq)
    rows = [f"2024-02-{day:02d},12.345" for day in range(1, 30)]
    days = mapping(kind="intervals", time="time", interval="day", points=(column("P2", "kwh"),))
    bring(write(tmp_path, "i.csv", "time,kwh", *rows), ledger, hq, days)
    one, two = line("2024-01-16", "2024-02-15", "31000"), line("2024-02-16", "2024-03-15", "29010.50", "B-2")
    import_lines(tmp_path, ledger, hq, one, two)
    ledger.close()
    hq_of(folder, "P1", "P2", zone="Asia/Tokyo", site=BY_BILL, facts=CLASS)
    for command in (
        ("plan", "adopt", folder, "--by", "a", "--reason", "first", "--yes"),
        ("month", "submit", folder, "2024-02", "--by", "a"),
        ("month", "approve", folder, "2024-02", "--by", "b"),
        ("audit", "export", folder, "2024-02", "--out", tmp_path / "z.zip"),
        ("audit", "verify", tmp_path / "z.zip"),
        ("audit", "verify", folder),
    ):
        code, text = run(*command)
        assert code == 0, text
    known, closed = (
        hq_of(folder, "P1", "P2", zone="Asia/Tokyo", site=BY_BILL, facts=CLASS),
        Ledger.open(folder),
    )
    bounds = tuple(
        parse_local(day, known.sites[0].time_zone)
        for day in ("2024-01-16", "2024-02-01", "2024-03-01", "2024-03-16")
    )
    assert sum(each.wh or 0 for each in series(closed, known, "P1", bounds)) == 60_010_500
    closed.close()


def test_the_same_commands_bring_readings_and_bills(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    ledger.close()
    rows = [f"2024-02-{day:02d} 00:00,{day}" for day in range(1, 30)]
    file = write(tmp_path, "meter.csv", "time,kwh", *rows, "2024-03-01 00:00,30", "x,1")
    options = ("--kind", "registers", "--time", "time", "--column", "P1=kwh", "--ledger", tmp_path / "hq")
    code, text = run("import", "readings", file, *options, "--dry-run")
    assert (code, "nothing was written: this was a dry run" in text) == (1, True)
    code, text = run("import", "readings", file, *options, "--by", "m.sato")
    assert code == 1 and "30 readings added" in text and "written as decision 1" in text
    assert " 2024-02    missing      29.000           0.000" in text
    assert "1 set aside" in text
    yaml = write(tmp_path, "map.yaml", "kind: registers", "time: time", "points: [{point: P1, column: kwh}]")
    code, text = run(
        "import", "readings", file, "--mapping", yaml, "--ledger", tmp_path / "hq", "--format", "json"
    )
    told = json.loads(text)
    assert (told["added"], told["points"][0]["known"], told["first_set_aside"][0]["where"]) == (
        0,
        30,
        "meter.csv:32: time",
    )
    assert max(map(len, text.splitlines())) < 200
    code, text = run(
        "import", "readings", file, "--mapping", yaml, "--unit", "kWh", "--ledger", tmp_path / "hq"
    )
    assert code == 1
    write(tmp_path, "bills.csv", HEADER, line("2024-02-01", "2024-02-29", "29"))
    code, text = run("import", "bills", tmp_path / "bills.csv", "--ledger", tmp_path / "hq")
    assert (code, text) == (0, "bills.csv: 1 lines added\n")
