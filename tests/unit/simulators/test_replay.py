from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from core.errors import DataError
from core.timeline import Interval, half_hours, month, parse_local
from simulators.replay import WH_PER_COUNT, ReplayedRegister, read_register

STEEL = Path(__file__).parents[2] / "data" / "Steel_industry_data.csv"
SEOUL = ZoneInfo("Asia/Seoul")
HEADER = "date,Usage_kWh,CO2(tCO2)\n"


@pytest.fixture(scope="module")
def steel() -> ReplayedRegister:
    return read_register(STEEL, SEOUL)


def wh(register: ReplayedRegister, interval: Interval) -> int:
    return (register.count(interval.end_ms) - register.count(interval.start_ms)) * WH_PER_COUNT


@pytest.mark.parametrize(
    ("text", "expected_wh"), [("2018-03", 80_230_410), ("2018-08", 68_559_430), ("2018-11", 86_217_610)]
)
def test_a_month_of_the_steel_file_is_exact(steel: ReplayedRegister, text: str, expected_wh: int) -> None:
    assert wh(steel, month(text, SEOUL)) == expected_wh


def test_the_year_of_the_steel_file_is_exact(steel: ReplayedRegister) -> None:
    year = Interval(parse_local("2018-01-01", SEOUL), parse_local("2019-01-01", SEOUL))
    assert steel.covered == year
    assert wh(steel, year) == 959_636_710


def test_the_register_stands_still_around_every_half_hour(steel: ReplayedRegister) -> None:
    for boundary_ms in half_hours(month("2018-03", SEOUL)):
        assert len({steel.count(boundary_ms + offset_ms) for offset_ms in (-120_000, 0, 120_000)}) == 1


def test_power_is_the_mean_of_the_interval(steel: ReplayedRegister) -> None:
    assert steel.power_w(parse_local("2018-01-01T00:07", SEOUL)) == 12_680  # 3.17 kWh in a quarter of an hour


def test_midnight_may_carry_the_ending_or_the_starting_days_date(tmp_path: Path) -> None:
    for midnight in ("01/03/2018 00:00", "02/03/2018 00:00"):
        path = tmp_path / "meter.csv"
        path.write_text(
            HEADER + f"01/03/2018 23:30,1,0\n01/03/2018 23:45,2,0\n{midnight},4,0\n02/03/2018 00:15,8,0\n"
        )
        register = read_register(path, SEOUL)
        assert wh(register, Interval(0, parse_local("2018-03-02", SEOUL))) == 7000


@pytest.mark.parametrize(
    ("text", "where", "evidence"),
    [
        ("day,Usage_kWh\n", ":1", "day, Usage_kWh"),
        ("date,Usage_MWh\n", ":1", "Usage_MWh"),
        (HEADER, "", "0 rows"),
        (HEADER + "01/01/2018 00:15,3.17,0\nyesterday,3.17,0\n", ":3: date", "'yesterday'"),
        (HEADER + "01/01/2018 00:15,3.17,0\n01/01/2018 00:30,high,0\n", ":3: Usage_kWh", "'high'"),
        (HEADER + "01/01/2018 00:15,3.17,0\n01/01/2018 00:30,,0\n", ":3: Usage_kWh", "''"),
        (HEADER + "01/01/2018 00:15,3.17,0\n01/01/2018 00:30,3.175,0\n", ":3: Usage_kWh", "3.175"),
        (HEADER + "01/01/2018 00:15,3.17,0\n01/01/2018 00:30,-1,0\n", ":3: Usage_kWh", "-1"),
        (
            HEADER + "01/01/2018 00:15,3,0\n01/01/2018 00:30,3,0\n01/01/2018 01:00,3,0\n",
            ":4",
            "30 min after the row before, not 15",
        ),
        (HEADER + "01/01/2018 00:15,3,0\n01/01/2018 00:15,3,0\n", ":3", "0 min after"),
    ],
)
def test_a_bad_file_is_named_with_line_and_column(
    tmp_path: Path, text: str, where: str, evidence: str
) -> None:
    path = tmp_path / "meter.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_register(path, SEOUL)
    assert caught.value.where == f"{path}{where}"
    assert evidence in caught.value.evidence


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_register(tmp_path / "none.csv", SEOUL)
