"""Registers and intervals from CSV into the ledger: all of it, once, with what is bad set aside."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from collector.imports import gather
from collector.ledger import Ledger, cells, decisions
from config.hq import HqConfig, load_hq
from config.mapping import Clock
from core.errors import ConfigError, DataError, UsageError
from core.metering.cells import content_hash
from core.metering.sources import Origin
from core.timeline import parse_local
from tests.unit.collector.imports.material import (
    ENERGY,
    METERS,
    bring,
    column,
    daily,
    hq_of,
    mapping,
    of,
    series,
    write,
)

EXPECTED: dict[str, Any] = json.loads((METERS / "expectations.json").read_text())
P1MON = METERS / "p1mon-e_history_min.csv"


@pytest.fixture
def hq(tmp_path: Path) -> HqConfig:
    return hq_of(tmp_path / "hq", "P1", "P2")


@pytest.fixture
def ledger(tmp_path: Path, hq: HqConfig) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path / "hq", create=True)
    yield opened
    opened.close()


REGISTER = mapping(kind="registers", time="time", points=(column("P1", "kwh"),))
HALF_HOURS = mapping(kind="intervals", time="time", interval="30min", points=(column("P1", "kwh"),))


def test_a_months_real_registers(ledger: Ledger, hq: HqConfig) -> None:
    low = "VERBR_KWH_181"
    how = mapping(kind="registers", time="TIMESTAMP", points=(column("P1", low),))
    findings = bring(P1MON, ledger, hq, how)
    due = EXPECTED["p1mon"][low]
    found = of(findings, "P1")
    assert (findings.aside.count, found.added, found.known) == (0, due["readings"], 0)
    assert found.total_wh is not None and found.total_wh * 100 == due["total"]
    ((start, end),) = due["gaps"]
    ((gap),) = found.gaps
    assert (gap.start_ms, gap.end_ms) == tuple(
        parse_local(each, hq.sites[0].time_zone) for each in (start, end)
    )
    assert [each.kind.value for each in found.events] == ["spike"]
    energies = daily(ledger, hq, "P1", "2024-02-02", "2024-03-03")
    assert {day: wh and wh * 100 for day, wh in energies.items()} == due["days"]


def test_a_years_real_hours_in_a_zone_that_changes_its_clock(ledger: Ledger, hq: HqConfig) -> None:
    name = "Electricity 1 (Dutch Users: Low Tariff)"
    how = mapping(kind="intervals", time="Hour Start", interval="60min", points=(column("P1", name),))
    findings = bring(METERS / "dsmrreader-data-export-hour.csv", ledger, hq, how)
    due = next(iter(EXPECTED["dsmr"].values()))
    found = of(findings, "P1")
    assert (found.added, findings.aside.count, len(found.gaps)) == (due["hours"], 0, len(due["gaps"]))
    assert found.total_wh is not None and found.total_wh * 100 == due["total"]
    told = {each.month: each.then_wh for each in found.months}
    for month, energy in due["months"].items():
        wh = told[month]
        if month == "2024-03":  # 30 hours are lacking: what is missing is never 0, so the month has no value
            assert wh is None
        else:
            assert wh is not None and abs(wh * 100 - energy) <= 50 * 31
    energies = daily(ledger, hq, "P1", "2024-10-27", "2024-10-28")
    assert energies == {"2024-10-27": due["days"]["2024-10-27"] // 100}


@pytest.mark.slow
def test_a_year_of_ten_minutes_then_of_minutes_in_blocks_out_of_order(ledger: Ledger, hq: HqConfig) -> None:
    path = METERS / "shelly-em3-phaseA.csv"
    points = (column("P1", "Active energy Wh (A)", unit="Wh"),)
    due, total = dict(EXPECTED["shelly"]), 0
    for interval, since, until in (("10min", "", "2025-05-19"), ("1min", "2025-05-19", "")):
        how = mapping(kind="intervals", time="Date/time UTC", zone="UTC", interval=interval, points=points)
        findings = bring(path, ledger, hq, how, since=since, until=until)
        assert findings.aside.count == 0
        found = of(findings, "P1")
        total += found.added
        assert found.total_wh is not None
        due["total"] -= found.total_wh * 100
    assert total == due["distinct"]
    assert abs(due["total"]) <= 100  # each part is rounded to whole Wh


def test_looking_writes_nothing_and_again_adds_nothing(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    file = write(tmp_path, "a.csv", "time,kwh", "2024-02-01 00:00,1.000", "2024-03-01 00:00,31.000")
    looked = bring(file, ledger, hq, REGISTER, dry=True)
    assert (looked.added, looked.decision, ledger.points()) == (2, None, ())
    with ledger.reading() as connection:
        assert decisions.head(connection).number == 0
    done = bring(file, ledger, hq, REGISTER)
    assert done.points[0].months == looked.points[0].months
    february = done.points[0].months[0]
    assert (february.now_wh, february.then_wh) == (None, 30_000)
    again = bring(file, ledger, hq, REGISTER)
    assert (again.added, again.points[0].known, again.decision) == (0, 2, None)
    with ledger.reading() as connection:
        (decision,) = decisions.read(connection)
    facts = decision.facts
    assert (decision.kind, decision.person, facts["sha256"]) == ("import", "m.sato", done.sha256)
    held = ledger.cells(f"P1.{ENERGY}")
    assert facts["points"][f"P1.{ENERGY}"]["hash"] == content_hash(held)
    assert facts["mapping"]["zone"] == "Europe/Amsterdam"


def test_bad_rows_are_set_aside_with_line_and_reason_and_good_ones_go_in(
    tmp_path: Path, ledger: Ledger, hq: HqConfig
) -> None:
    file = write(
        tmp_path,
        "a.csv",
        "time,kwh",
        "2024-02-01 00:00,1.000",
        "2024-02-30 00:00,1.000",
        "2024-02-01 00:30,one",
        "2024-02-01 01:00,-1",
        "2009-01-01 00:00,1",
        "2024-02-01 01:30",
        "2024-02-01 02:00,",
        "2024-02-01 02:30,NaN",
        "2024-02-01 03:00,1.250",
        "2024-10-27 02:30,2",
    )
    findings = bring(file, ledger, hq, REGISTER)
    assert (findings.added, findings.aside.count) == (2, 7)
    told = [(error.where.split(":")[1], error.what) for error in findings.aside.first]
    assert told == [
        ("3", "there is no such day"),
        ("4", "not a number"),
        ("5", "a register cannot show this"),
        ("6", "no installation is on record at this time"),
        ("7", "1 cells where 2 belong"),
        ("9", "not a number"),
        ("11", "this local time exists twice in Europe/Amsterdam"),
    ]


def test_a_file_read_wrongly_is_given_up_early(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    rows = [f"01/02/2024 00:{index % 60:02d},1" for index in range(3000)]
    findings = bring(write(tmp_path, "a.csv", "time,kwh", *rows), ledger, hq, REGISTER)
    assert (findings.added, findings.aside.count) == (0, 1000)


def test_another_count_at_an_instant_is_kept_and_told(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    first = write(tmp_path, "a.csv", "time,kwh", "2024-02-01 00:00,1.000", "2024-02-01 00:30,2.000")
    other = write(tmp_path, "b.csv", "time,kwh", "2024-02-01 00:00,1.000", "2024-02-01 00:30,2.500")
    bring(first, ledger, hq, REGISTER)
    findings = bring(other, ledger, hq, REGISTER)
    found = of(findings, "P1")
    assert (found.added, found.known) == (1, 1)
    assert found.conflicts == [(parse_local("2024-02-01T00:30", hq.sites[0].time_zone), "2000 and 2500")]


def test_counts_follow_the_installation_in_force_and_what_ct_and_vt_are_in(tmp_path: Path) -> None:
    hq_of(tmp_path / "hq", "P1", "P2", facts=", ct: 400/5")
    hq = _rewritten(tmp_path, "side: primary", "side: secondary")
    ledger = Ledger.open(tmp_path / "hq", create=True)
    file = write(tmp_path, "a.csv", "time,a,b", "2024-02-01,1.5,80", "2024-03-01,2.5,160")
    points = (column("P1", "a"), column("P2", "b", primary=True))
    bring(file, ledger, hq, mapping(kind="registers", time="time", points=points))
    for meter, counts in (("P1", [1500, 2500]), ("P2", [1000, 2000])):
        assert [count for cell in ledger.cells(f"{meter}.{ENERGY}") for count in cell.counts] == counts
    bounds = tuple(parse_local(each, hq.sites[0].time_zone) for each in ("2024-02-01", "2024-03-01"))
    assert [series(ledger, hq, meter, bounds)[0].wh for meter in ("P1", "P2")] == [80_000, 80_000]
    ledger.close()


def _rewritten(tmp_path: Path, old: str, new: str) -> HqConfig:
    file = tmp_path / "hq/hq.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    return load_hq(tmp_path / "hq")


def test_a_unit_that_is_no_decimal_number_of_counts_is_refused(tmp_path: Path) -> None:
    hq_of(tmp_path / "hq", "P1")
    hq = _rewritten(tmp_path, 'wh_per_count: "1"', 'wh_per_count: "3"')
    ledger = Ledger.open(tmp_path / "hq", create=True)
    file = write(tmp_path, "a.csv", "time,kwh", "2024-02-01,1.5")
    with pytest.raises(ConfigError, match="no decimal number of counts"):
        bring(file, ledger, hq, REGISTER)
    ledger.close()


def test_intervals_are_stamped_at_either_end_and_days_end_at_their_midnight(
    tmp_path: Path, ledger: Ledger, hq: HqConfig
) -> None:
    rows = [f"01/02/2024 {minute // 60:02d}:{minute % 60:02d},1" for minute in range(30, 1440, 30)]
    file = write(tmp_path, "a.csv", "time,kwh", *rows, "01/02/2024 00:00,1")
    keys = {"kind": "intervals", "time": "time", "interval": "30min", "format": "%d/%m/%Y %H:%M"}
    how = mapping(**keys, stamp="end", midnight="ends", points=(column("P1", "kwh"),))
    findings = bring(file, ledger, hq, how)
    assert (findings.aside.count, of(findings, "P1").gaps) == (0, ())
    assert daily(ledger, hq, "P1", "2024-02-01", "2024-02-02") == {"2024-02-01": 48_000}


@pytest.mark.parametrize(("day", "intervals"), [("2024-03-31", 46), ("2024-10-27", 50)])
def test_short_and_long_days_have_all_their_half_hours(
    tmp_path: Path, ledger: Ledger, hq: HqConfig, day: str, intervals: int
) -> None:
    zone = hq.sites[0].time_zone
    start = parse_local(day, zone)
    rows = [
        datetime.fromtimestamp(start / 1000 + index * 1800, zone).strftime("%Y-%m-%d %H:%M") + ",0.1"
        for index in range(intervals)
    ]
    file = write(tmp_path, "a.csv", "time,kwh", *rows)
    order = HALF_HOURS.model_copy(update={"clock": Clock.ORDER})
    findings = bring(file, ledger, hq, order if intervals == 50 else HALF_HOURS)
    assert (findings.aside.count, of(findings, "P1").added, of(findings, "P1").gaps) == (0, intervals, ())
    assert daily(ledger, hq, "P1", day, f"{day[:-2]}28" if intervals == 50 else "2024-04-01") == {
        day: intervals * 100
    }


def test_an_interval_that_contradicts_the_ledger_is_set_aside(
    tmp_path: Path, ledger: Ledger, hq: HqConfig
) -> None:
    bring(
        write(tmp_path, "a.csv", "time,kwh", "2024-02-01 00:00,1", "2024-02-01 00:30,1"),
        ledger,
        hq,
        HALF_HOURS,
    )
    other = write(tmp_path, "b.csv", "time,kwh", "2024-02-01 00:30,2", "2024-02-01 01:00,2")
    findings = bring(other, ledger, hq, HALF_HOURS)
    assert (findings.added, findings.aside.count) == (1, 1)
    assert findings.aside.first[0].what == "the ledger has another value of this interval"
    wider = HALF_HOURS.model_copy(update={"interval": "60min"})
    findings = bring(write(tmp_path, "c.csv", "time,kwh", "2024-02-01 01:00,9"), ledger, hq, wider)
    assert "other bounds" in findings.aside.first[0].what
    inside = write(tmp_path, "d.csv", "time,kwh", "2024-02-02 00:00,1", "2024-02-02 00:00,2")
    findings = bring(inside, ledger, hq, HALF_HOURS)
    assert (findings.added, findings.aside.first[0].where) == (1, "d.csv:3")


def test_numbers_of_both_signs_belong_to_two_points(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    file = write(tmp_path, "a.csv", "time;kwh", "2024-02-01 00:00;1,5", "2024-02-01 00:30;-0,5")
    points = (column("P1", "kwh", only="positive"), column("P2", "kwh", only="negative"))
    keys = {"kind": "intervals", "time": "time", "interval": "30min", "decimal": ",", "delimiter": ";"}
    findings = bring(file, ledger, hq, mapping(**keys, points=points))
    assert [each.total_wh for each in findings.points] == [1500, 500]
    findings = bring(file, ledger, hq, mapping(**keys, points=(column("P1", "kwh"),)))
    assert findings.aside.first[0].what == "a negative energy"


def test_columns_of_one_point_are_added(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    file = write(tmp_path, "a.csv", "time,low,high", "2024-02-01,1.5,2", "2024-02-02,1.5,")
    how = mapping(kind="registers", time="time", points=(column("P1", ("low", "high")),))
    findings = bring(file, ledger, hq, how)
    assert (findings.added, findings.aside.first[0].what) == (1, "a part of the sum is empty")
    assert ledger.cells(f"P1.{ENERGY}")[0].counts == (3500,)


def test_rows_of_several_meters_are_told_apart(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    file = write(tmp_path, "a.csv", "time,meter,kwh", "2024-02-01,X,1", "2024-02-01,Y,2", "2024-02-01,Z,3")
    points = tuple(column(name, "kwh", where={"meter": text}) for name, text in (("P1", "X"), ("P2", "Y")))
    findings = bring(file, ledger, hq, mapping(kind="registers", time="time", points=points))
    assert findings.added == 2
    assert ledger.cells(f"P2.{ENERGY}")[0].counts == (2000,)


def test_any_order_of_rows_and_files_gives_the_same_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "_LOOSE", 11)  # half-hours and days are packed and met again
    rows = [f"2024-02-01 {index // 6:02d}:{index % 6 * 10:02d},{index}.25" for index in range(144)]
    tens = HALF_HOURS.model_copy(update={"interval": "10min"})
    seen = set()
    for seed in range(4):
        chance = random.Random(seed)
        hq = hq_of(tmp_path / str(seed), "P1", "P2")
        ledger = Ledger.open(tmp_path / str(seed), create=True)
        shuffled = [*rows, *rows[:50]]
        chance.shuffle(shuffled)
        cut = chance.randrange(len(shuffled))
        for number, part in enumerate((shuffled[:cut], shuffled[cut:])):
            file = write(tmp_path, f"{seed}-{number}.csv", "time,kwh", *part)
            assert bring(file, ledger, hq, tens).aside.count == 0
            points = (column("P2", "kwh"),)
            bring(file, ledger, hq, mapping(kind="registers", time="time", points=points))
        energies = daily(ledger, hq, "P1", "2024-02-01", "2024-02-02")
        assert energies == {"2024-02-01": sum(index * 1000 + 250 for index in range(144))}
        with ledger.reading() as connection:
            assert sum(len(cell.times_ms) for cell in cells.read(connection, f"P2.{ENERGY}")) == 144
            seen.add((content_hash(cells.read(connection, f"P2.{ENERGY}")), tuple(energies.items())))
        ledger.close()
    assert len(seen) == 1


def test_a_register_wins_and_intervals_fill_what_it_leaves(
    tmp_path: Path, ledger: Ledger, hq: HqConfig
) -> None:
    rows = [f"2024-02-{day:02d},{day * 10}" for day in range(1, 29)]
    bring(write(tmp_path, "a.csv", "time,kwh", *rows), ledger, hq, REGISTER)
    zone = hq.sites[0].time_zone
    bounds = tuple(parse_local(each, zone) for each in ("2024-02-01", "2024-03-01"))
    assert series(ledger, hq, "P1", bounds)[0].wh is None
    daily_values = mapping(kind="intervals", time="time", interval="day", points=(column("P1", "kwh"),))
    file = write(tmp_path, "b.csv", "time,kwh", *(f"2024-02-{day:02d},99" for day in range(25, 30)))
    findings = bring(file, ledger, hq, daily_values)
    assert findings.points[0].months[0].then_wh == 270_000 + 2 * 99_000
    (told,) = series(ledger, hq, "P1", bounds)
    assert (told.wh, told.values[0].value.origin) == (270_000 + 2 * 99_000, Origin.MEASURED)


def test_a_file_finer_than_its_register_is_told(tmp_path: Path) -> None:
    hq = hq_of(tmp_path / "hq", "P1")
    ledger = Ledger.open(tmp_path / "hq", create=True)
    findings = bring(write(tmp_path, "a.csv", "time,kwh", "2024-02-01,1.0005"), ledger, hq, REGISTER)
    assert "finer" in findings.points[0].notes[0]
    assert ledger.cells(f"P1.{ENERGY}")[0].counts == (Decimal("1000.5"),)
    ledger.close()


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"kind": "intervals"}, "How long is an interval"),
        ({"kind": "intervals", "interval": "7min"}, "Not the length"),
        ({"kind": "registers", "interval": "30min"}, "A register has no interval"),
        ({"kind": "registers", "format": "%Q"}, "Not the format of a time"),
        ({"kind": "registers", "decimal": ",", "delimiter": ","}, "cannot be parted"),
    ],
)
def test_a_mapping_that_contradicts_itself_is_refused(keys: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        mapping(**keys, time="time", points=(column("P1", "kwh"),))


def test_columns_and_points_must_be_there(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    file = write(tmp_path, "a.csv", "time,kwh", "2024-02-01,1")
    how = mapping(kind="registers", time="when", points=(column("P1", "kwh"),))
    with pytest.raises(DataError, match="no column 'when'"):
        bring(file, ledger, hq, how)
    for point in ("house", "P9"):
        with pytest.raises(UsageError):
            bring(file, ledger, hq, mapping(kind="registers", time="time", points=(column(point, "kwh"),)))
    with pytest.raises(UsageError, match="what are the columns"):
        bring(file, ledger, hq)
