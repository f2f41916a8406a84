"""Times as files write them: never guessed."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.imports.times import Times
from config.mapping import Clock
from core.errors import DataError
from core.timeline import parse_local

AMSTERDAM, TOKYO, HOWE = (
    ZoneInfo(name) for name in ("Europe/Amsterdam", "Asia/Tokyo", "Australia/Lord_Howe")
)


def times(format: str = "iso", zone: ZoneInfo = TOKYO, clock: Clock = Clock.REFUSE, **more: bool) -> Times:
    return Times(format, zone, clock, **more)


@given(
    st.lists(
        st.datetimes(datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2037-01-01")),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from([AMSTERDAM, TOKYO, HOWE]),
)
def test_local_times_are_those_of_the_zone(moments: list[datetime], zone: ZoneInfo) -> None:
    read = {each: times(zone=zone, clock=each) for each in (Clock.FIRST, Clock.SECOND)}
    for moment in moments:
        for near in (moment, moment + timedelta(minutes=1)):  # the second one is known by its hour
            text = near.isoformat(" ", "seconds")
            found = [read[each](text) for each in (Clock.FIRST, Clock.SECOND)]
            local = near.replace(microsecond=0, tzinfo=zone)
            assert found == [int(local.replace(fold=fold).timestamp()) * 1000 for fold in (0, 1)]


@pytest.mark.parametrize(
    ("format", "text", "iso"),
    [
        ("iso", "2024-02-01", "2024-02-01T00:00"),
        ("iso", "2024-02-01 08:30:59.250", "2024-02-01T08:30:59"),
        ("iso", "2024-02-01T08:30:00+01:00", "2024-02-01T16:30"),
        ("iso", "2024-02-01T08:30Z", "2024-02-01T17:30"),
        ("iso", "2024-02-29 24:00", "2024-03-01T00:00"),
        ("%d/%m/%Y %H:%M", "1/2/2024 8:05", "2024-02-01T08:05"),
        ("%Y/%m/%d %H:%M", "2024/2/1 24:00", "2024-02-02T00:00"),
        ("%y%m%d%H%M", "2402010830", "2024-02-01T08:30"),
        ("unix", "1706713200", "2024-02-01T00:00"),
    ],
)
def test_formats(format: str, text: str, iso: str) -> None:
    assert times(format)(text) == parse_local(iso, TOKYO)


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("iso", "01/02/2024 08:30"),
        ("iso", "2024-02-30 08:30"),
        ("iso", "2024-02-01 25:00"),
        ("iso", "2024-02-01 08:61"),
        ("iso", "2024-02-01 24:01"),
        ("iso", ""),
        ("%d/%m/%Y", "2024-02-01"),
        ("unix", "-1"),
        ("unix", "1e9"),
    ],
)
def test_what_is_no_time_is_refused_also_in_an_hour_that_is_known(format: str, text: str) -> None:
    read = times(format)
    if format == "iso":
        read("2024-02-01 08:30")
    with pytest.raises(DataError):
        read(text)


def test_midnight_may_end_its_date() -> None:
    read = times("%d/%m/%Y %H:%M", midnight_ends=True)
    assert read("01/01/2018 00:00") == parse_local("2018-01-02", TOKYO)
    assert read("01/01/2018 00:15") == parse_local("2018-01-01T00:15", TOKYO)
    assert times(midnight_ends=True)("2018-01-01 00:00:00") == parse_local("2018-01-02", TOKYO)


def test_what_a_clock_repeats_or_skips_is_refused_until_it_is_said_which_is_meant() -> None:
    read = times(zone=AMSTERDAM)
    for text, what in (("2024-10-27 02:30", "exists twice"), ("2024-03-31 02:30", "does not exist")):
        with pytest.raises(DataError, match=what):
            read(text)
    for clock, offset in ((Clock.FIRST, "+02:00"), (Clock.SECOND, "+01:00")):
        local = times(zone=AMSTERDAM, clock=clock)
        assert local("2024-10-27 02:30") == parse_local(f"2024-10-27T02:30{offset}", AMSTERDAM)


@pytest.mark.parametrize(("day", "quarters"), [("2024-10-27", 100), ("2024-10-26", 96)])
def test_the_order_of_rows_tells_the_repeated_hour(day: str, quarters: int) -> None:
    read = times(zone=AMSTERDAM, clock=Clock.ORDER)
    start = parse_local(day, AMSTERDAM)
    due = [start + index * 900_000 for index in range(quarters)]
    texts = [datetime.fromtimestamp(each / 1000, AMSTERDAM).strftime("%Y-%m-%d %H:%M") for each in due]
    assert [read(text) for text in texts] == due
    with pytest.raises(DataError, match="does not exist"):
        times(zone=AMSTERDAM, clock=Clock.ORDER)("2024-03-31 02:30")


def test_days_and_months_have_local_lengths() -> None:
    read = times(zone=AMSTERDAM)
    short, long = (parse_local(each, AMSTERDAM) for each in ("2024-03-31", "2024-10-27"))
    assert read.next_day(short, 1) - short == 23 * 3_600_000
    assert read.next_day(long, 1) - long == 25 * 3_600_000
    assert read.next_day(read.next_day(long, 1), -1) == long
    assert read.next_month(parse_local("2024-12-01", AMSTERDAM), 1) == parse_local("2025-01-01", AMSTERDAM)
    assert read.next_month(parse_local("2024-01-01", AMSTERDAM), -1) == parse_local("2023-12-01", AMSTERDAM)
    for wrong in (short + 1, parse_local("2024-03-02", AMSTERDAM)):
        with pytest.raises(DataError):
            read.next_month(wrong, 1)
