"""A real year of a steel works' meter through Modbus TCP, broker and ledger: to the last 10 Wh."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from collector.ledger import Ledger
from collector.stores.base import StoreRow
from collector.stores.influxdb import InfluxStore
from core.timeline import Interval
from tests.e2e.works import STEEL, Run, assert_nothing_lost, demo
from tests.servers import InfluxServer

MONTHS_KWH = {"2018-03": "80230.41", "2018-08": "68559.43", "2018-11": "86217.61"}
YEAR_KWH = "959636.71"


def _month_kwh(run: Run, month: str) -> Fraction:
    return Fraction(run.statement(month)["figures"]["energy.RPL-01"]["value"])


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The year 2018, replayed."""
    return demo(tmp_path_factory.mktemp("year") / "out", "--replay", STEEL, "--month", "2018")


@pytest.mark.parametrize(("month", "kwh"), MONTHS_KWH.items())
def test_a_month_is_the_files_month(year: Run, month: str, kwh: str) -> None:
    assert _month_kwh(year, month) == Fraction(kwh)


def test_the_year_is_the_files_year(year: Run) -> None:
    months = year.energies("RPL-01", "2018-01-01", "2019-01-01", "month")
    assert len(months) == 12
    assert sum(Fraction(row["kwh"]) for row in months) == Fraction(YEAR_KWH)
    assert_nothing_lost(year)


def test_half_hours_add_up_to_the_month(year: Run) -> None:
    half_hours = year.energies("RPL-01", "2018-03-01", "2018-04-01", "30min")
    assert len(half_hours) == 31 * 48
    assert sum(Fraction(row["kwh"]) for row in half_hours) == Fraction(MONTHS_KWH["2018-03"])


@pytest.mark.parametrize(("broker", "seed"), [("nats", 1), ("mosquitto", 2)])
def test_killed_processes_change_no_figure(tmp_path: Path, broker: str, seed: int) -> None:
    faults = "collector-killed,agent-killed,broker-killed"
    run = demo(
        tmp_path / "out", "--replay", STEEL, "--month", "2018-03",
        "--broker", broker, "--fault", faults, "--seed", seed,
    )  # fmt: skip
    killed = " ".join(run.faults())
    assert all(victim in killed for victim in ("collector", "replay", "broker")), killed
    assert _month_kwh(run, "2018-03") == Fraction(MONTHS_KWH["2018-03"])
    assert_nothing_lost(run)


async def test_the_same_month_in_influxdb(tmp_path: Path, influxd: InfluxServer) -> None:
    bucket = influxd.new_bucket()
    token_file = tmp_path / "token"
    token_file.write_text(influxd.token, encoding="ascii")
    run = demo(
        tmp_path / "out", "--replay", STEEL, "--month", "2018-03", "--store", "influxdb",
        "--influx-url", influxd.url, "--influx-org", influxd.org,
        "--influx-bucket", bucket, "--influx-token-file", token_file,
    )  # fmt: skip
    store = InfluxStore(url=influxd.url, org=influxd.org, bucket=bucket, token=influxd.token)
    await store.open()
    try:
        registers = await _all(store, "RPL-01.active_energy_import")
        samples = await _all(store, "RPL-01.active_power")
    finally:
        await store.close()
    ledger = Ledger.open(run.folder)
    assert len(registers) == sum(len(cell.readings) for cell in ledger.cells("RPL-01.active_energy_import"))
    ledger.close()
    assert [len(samples)] == [row["stored"] for row in run.counts() if row["lane"] == "samples"]

    # The register stands still around each boundary, so whatever was read last before it is its value there.
    half_hours = run.energies("RPL-01", "2018-03-01", "2018-04-01", "30min")
    ends_ms = [_ms(half_hours[0]["start"]), *(_ms(row["end"]) for row in half_hours)]
    counts = [max(row.time_ms <= end_ms and int(row.count or 0) for row in registers) for end_ms in ends_ms]
    assert [(after - before) * 10 for before, after in pairwise(counts)] == [
        Fraction(row["kwh"]) * 1000 for row in half_hours
    ]


async def _all(store: InfluxStore, point: str) -> tuple[StoreRow, ...]:
    year = Interval(_ms("2018-01-01T00:00:00+09:00"), _ms("2019-01-01T00:00:00+09:00"))
    rows = await store.read(point, year)
    assert len({row.time_ms for row in rows}) == len(rows)
    return rows


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
