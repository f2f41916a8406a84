"""NEM12 and Green Button: energies with their quality, from files that may be anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.imports import green_button, nem12
from collector.imports.entries import Energy
from collector.ledger import Ledger
from collector.tabular import look_through
from config.hq import HqConfig
from core.errors import DataError, UsageError
from core.metering.sources import Origin
from core.timeline import parse_local
from tests.unit.collector.imports.material import METERS, bring, daily, hq_of, mapping, of, series, write

EXPECTED: dict[str, Any] = json.loads((METERS / "expectations.json").read_text())
NEM12 = METERS / "nem12-power-redacted.csv"


@pytest.fixture
def hq(tmp_path: Path) -> HqConfig:
    return hq_of(tmp_path / "hq", "P1", "P2", zone="Australia/Brisbane")


@pytest.fixture
def ledger(tmp_path: Path, hq: HqConfig) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path / "hq", create=True)
    yield opened
    opened.close()


def test_a_real_nem12_file(ledger: Ledger, hq: HqConfig) -> None:
    findings = bring(NEM12, ledger, hq, channels={"(redacted):E1": "P1"})
    due = EXPECTED["nem12"]["E1"]
    found = of(findings, "P1")
    assert (findings.form, findings.aside.count) == ("nem12", 0)
    assert (found.added, found.gaps) == (due["intervals"], ())
    assert findings.passed_over == {"(redacted):B1": EXPECTED["nem12"]["B1"]["intervals"]}
    assert found.total_wh is not None and abs(found.total_wh * 100 - due["total"]) <= 50
    for change in found.months[1:-1]:
        assert change.then_wh is not None
        assert abs(change.then_wh * 100 - due["months"][change.month]) <= 50 * 31
    zone = hq.sites[0].time_zone
    day, noon, next_day = (
        parse_local(each, zone) for each in ("2023-10-19", "2023-10-19T08:10", "2023-10-20")
    )
    before, after = series(ledger, hq, "P1", (day, noon, next_day))
    assert (before.origin, after.origin) == (Origin.SUBSTITUTED, Origin.MEASURED)
    assert {each.value.method for each in before.values} == {"final substitute (NEM12 F19)"}


def test_channels_are_named_where_nobody_said_which_is_meant(ledger: Ledger, hq: HqConfig) -> None:
    with pytest.raises(UsageError) as told:
        bring(NEM12, ledger, hq)
    assert "(redacted):E1 (30,528 values)" in told.value.evidence
    with pytest.raises(UsageError, match="no meter"):
        bring(NEM12, ledger, hq, channels={"(redacted):E1": "P9"})


HEAD = ("100,NEM12,202402010000,MDP,RETAILER", "200,4103,E1B1,E1,E1,N1,252,KWH,30,")


def day(date: str, quality: str, values: list[str] | None = None) -> str:
    return f"300,{date},{','.join(values or ['0.5'] * 48)},{quality},,,20240202000000,"


def test_a_measurement_takes_the_place_of_an_estimate_and_not_the_other_way(
    tmp_path: Path, ledger: Ledger, hq: HqConfig
) -> None:
    channels = {"4103:E1": "P1"}
    estimate = write(tmp_path, "e.csv", *HEAD, day("20240201", "E52"), "900")
    actual = write(tmp_path, "a.csv", *HEAD, day("20240201", "A", ["0.75"] * 48), "900")
    bring(estimate, ledger, hq, channels=channels)
    assert daily(ledger, hq, "P1", "2024-02-01", "2024-02-02") == {"2024-02-01": 24_000}
    assert bring(actual, ledger, hq, channels=channels).added == 48
    assert daily(ledger, hq, "P1", "2024-02-01", "2024-02-02") == {"2024-02-01": 36_000}
    findings = bring(estimate, ledger, hq, channels=channels)
    assert (findings.added, findings.aside.count, of(findings, "P1").known) == (0, 0, 48)
    assert daily(ledger, hq, "P1", "2024-02-01", "2024-02-02") == {"2024-02-01": 36_000}


@pytest.mark.parametrize(
    ("records", "energies", "errors"),
    [
        ((*HEAD, day("20240201", "A")), 48, []),
        ((*HEAD, day("20240201", "N")), 0, []),
        ((*HEAD, day("20240201", "V"), "400,1,20,A,,", "400,21,48,N,,"), 20, []),
        ((*HEAD, day("20240201", "V"), "400,1,20,A,,"), 20, ["an interval without a quality"] * 28),
        (
            (*HEAD, day("20240201", "V"), "400,1,49,A,,"),
            0,
            ["a 400 record beyond its day; the day is left out"],
        ),
        ((*HEAD, day("20240230", "A")), 0, ["there is no such day"]),
        ((*HEAD, day("20240201", "A", ["1"] * 40)), 0, ["45 values where 48 and a quality belong"]),
        ((*HEAD, day("20240201", "A", ["x", *["1"] * 47])), 47, ["not an energy"]),
        (
            (HEAD[0], HEAD[1].replace("KWH", "KVARH"), day("20240201", "A")),
            0,
            ["channel 4103:E1 is no active energy", "a 300 record without a channel that can be used"],
        ),
        (("100,NEM13,202402010000,A,B",), 0, ["not a NEM12 file"]),
        ((*HEAD, "777,x"), 0, ["not a record of NEM12"]),
    ],
)
def test_nem12_records(tmp_path: Path, records: tuple[str, ...], energies: int, errors: list[str]) -> None:
    found = list(nem12.entries(look_through(write(tmp_path, "a.csv", *records))))
    assert sum(isinstance(each, Energy) for each in found) == energies
    assert [each.what for each in found if isinstance(each, DataError)] == errors


def test_nem_time_has_no_summer(tmp_path: Path) -> None:
    found = list(nem12.entries(look_through(write(tmp_path, "a.csv", *HEAD, day("20240101", "A")))))
    assert isinstance(found[0], Energy)
    assert found[0].start_ms == parse_local("2024-01-01T00:00+10:00", ZoneInfo("Australia/Brisbane"))


ESPI = "http://naesb.org/espi"
FEED = """\
<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:e="{espi}">
 <entry><link rel="self" href="/UsagePoint/1"/><content><e:UsagePoint/></content></entry>
 <entry>
  <link rel="self" href="/UsagePoint/1/MeterReading/1"/><link rel="related" href="/ReadingType/7"/>
  <content><e:MeterReading/></content>
 </entry>
 <entry><link rel="self" href="/UsagePoint/1/MeterReading/1/IntervalBlock/1"/>
  <link rel="up" href="/UsagePoint/1/MeterReading/1/IntervalBlock"/>
  <content><e:IntervalBlock><e:interval><e:duration>7200</e:duration><e:start>{start}</e:start></e:interval>
   {readings}
  </e:IntervalBlock></content>
 </entry>
 <entry><link rel="self" href="/ReadingType/7"/><content><e:ReadingType>
  {type}
 </e:ReadingType></content></entry>
</feed>
"""
TYPE = {"accumulationBehaviour": "4", "flowDirection": "1", "powerOfTenMultiplier": "-3", "uom": "72"}
START = 1_706_709_600  # 2024-02-01 00:00 in Brisbane


def reading(start: int, value: str, quality: str = "", duration: str = "3600") -> str:
    graded = f"<e:ReadingQuality><e:quality>{quality}</e:quality></e:ReadingQuality>" if quality else ""
    period = f"<e:timePeriod><e:duration>{duration}</e:duration><e:start>{start}</e:start></e:timePeriod>"
    return (
        f"<e:IntervalReading><e:cost>7</e:cost>{graded}{period}<e:value>{value}</e:value></e:IntervalReading>"
    )


def feed(tmp_path: Path, *readings: str, **about: str) -> Path:
    tags = "".join(f"<e:{key}>{value}</e:{key}>" for key, value in {**TYPE, **about}.items())
    path = tmp_path / "feed.xml"
    path.write_text(FEED.format(espi=ESPI, start=START, readings="".join(readings), type=tags))
    return path


def test_a_green_button_feed(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    hours = [reading(START + 3600 * hour, "1250500", "8" if hour == 3 else "") for hour in range(24)]
    findings = bring(feed(tmp_path, *hours), ledger, hq, channels={"forward": "P1"})
    assert (findings.form, findings.aside.count, findings.added) == ("green button", 0, 24)
    assert daily(ledger, hq, "P1", "2024-02-01", "2024-02-02") == {"2024-02-01": 24 * 1250 + 12}
    zone = hq.sites[0].time_zone
    bounds = tuple(parse_local(f"2024-02-01T0{hour}:00", zone) for hour in (2, 3, 4))
    assert [each.origin for each in series(ledger, hq, "P1", bounds)] == [
        Origin.MEASURED,
        Origin.SUBSTITUTED,
    ]


@pytest.mark.parametrize(
    ("about", "readings", "what"),
    [
        ({"uom": "38"}, [reading(START, "1")], "no active energy"),
        ({"accumulationBehaviour": "3"}, [reading(START, "1")], "no energy of its interval"),
        ({"flowDirection": "4"}, [reading(START, "1")], "not understood"),
        ({"powerOfTenMultiplier": "99"}, [reading(START, "1")], "not understood"),
        ({}, [reading(START, "-1")], "negative"),
        ({}, [reading(START, "1.5")], "without value"),
        ({}, [reading(START, "1", duration="0")], "none"),
        ({}, [reading(START, "1", "99")], "not known"),
    ],
)
def test_what_a_feed_may_not_say(
    tmp_path: Path, about: dict[str, str], readings: list[str], what: str
) -> None:
    (told,) = green_button.entries(feed(tmp_path, *readings, **about))
    assert isinstance(told, DataError) and what in told.what
    assert told.where.startswith("feed.xml:")


def test_reverse_flow_is_a_channel_of_its_own(tmp_path: Path) -> None:
    (told,) = green_button.entries(feed(tmp_path, reading(START, "5"), flowDirection="19"))
    assert isinstance(told, Energy) and told.channel == "reverse"


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE feed [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>',
        '<!DOCTYPE feed SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE feed [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p;]>',
    ],
)
def test_no_document_type_is_let_in(tmp_path: Path, head: str) -> None:
    text = feed(tmp_path, reading(START, "1")).read_text()
    hostile = text.replace("<feed", f"{head}<feed", 1)
    (tmp_path / "feed.xml").write_text(hostile)
    with pytest.raises(DataError, match="document type"):
        list(green_button.entries(tmp_path / "feed.xml"))


def test_depth_and_length_are_bounded(tmp_path: Path) -> None:
    deep, long = tmp_path / "deep.xml", tmp_path / "long.xml"
    deep.write_text("<a>" * 100_000)
    long.write_text("<a>" + "x" * 1_000_000 + "</a>")
    for path, what in ((deep, "too deep"), (long, "too long")):
        with pytest.raises(DataError, match=what):
            list(green_button.entries(path))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_gives_energies_or_errors_and_nothing_else(
    tmp_path: Path, data: st.DataObject
) -> None:
    good = feed(tmp_path, reading(START, "1"), reading(START + 3600, "2", "8")).read_bytes()
    record = "\n".join((*HEAD, day("20240201", "V"), "400,1,48,A,,", "900")).encode()
    for whole, name in ((good, "x.xml"), (record, "x.csv")):
        at = data.draw(st.integers(0, len(whole) - 1))
        damaged = whole[:at] + data.draw(st.binary(max_size=6)) + whole[at + data.draw(st.integers(0, 9)) :]
        path = tmp_path / name
        path.write_bytes(damaged)
        try:
            found = list(green_button.entries(path) if name == "x.xml" else nem12.entries(look_through(path)))
        except DataError:
            continue
        assert all(isinstance(each, Energy | DataError) for each in found)


def test_a_file_that_tells_its_columns_takes_no_mapping(tmp_path: Path, ledger: Ledger, hq: HqConfig) -> None:
    how = mapping(kind="registers", time="t", points=({"point": "P1", "column": "x"},))
    with pytest.raises(UsageError, match="tells its columns itself"):
        bring(feed(tmp_path, reading(START, "1")), ledger, hq, how)
