"""From the ledger to figures: the month from its registers, its half-hours, its statement."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

from collector.energies import Grid, amounts, energy_report
from collector.figures import energies, energy_series, months_with_data, statement_for
from collector.ledger import Ledger, decisions, values
from collector.people import Who
from collector.records import find_meters
from collector.table import Form
from config.hq import HqConfig, load_hq
from core.carbon.statement import to_json
from core.errors import UsageError
from core.metering.energy import Origin
from core.metering.interval_data import Run
from core.timeline import Interval, half_hours, month
from tests.unit.collector.material import POINT, T0, commit, data, folder_with, frame, table, taken

TOKYO = ZoneInfo("Asia/Tokyo")
HOUR_MS = 3_600_000
KILN = "AOB-KLN-01.active_energy_import"
FEBRUARY = month("2024-02", TOKYO)


@pytest.fixture
def hq(tmp_path: Path) -> HqConfig:
    return load_hq(folder_with(tmp_path))


@pytest.fixture
def ledger(tmp_path: Path, hq: HqConfig) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path, create=True)
    yield opened
    opened.close()


def fill(ledger: Ledger, *, first: int = -1, last: int = 29 * 24 + 1, seed: int | None = None) -> None:
    """Hourly registers from an hour before February to an hour after: 7 counts an hour, the kiln's 2."""
    readings = [
        taken(T0 + hour * HOUR_MS, 10_000 + rate * hour, point=point)
        for hour in range(first, last + 1)
        for point, rate in ((POINT, 7), (KILN, 2))
    ]
    frames = [frame(i, readings[i * 50 : i * 50 + 50]) for i in range((len(readings) + 49) // 50)]
    if seed is not None:
        Random(seed).shuffle(frames)
        frames += frames[:5]
    commit(ledger, table(), *(data(each) for each in frames))


def test_a_month_is_the_difference_of_its_registers(ledger: Ledger, hq: HqConfig) -> None:
    fill(ledger)
    found = energies(ledger, hq, "2024-02")
    hours = 29 * 24
    assert {point: each.wh for point, each in found.items()} == {POINT: 7 * hours * 10, KILN: 2 * hours}
    assert {each.origin for each in found.values()} == {Origin.MEASURED}


def test_the_brackets_of_a_month_may_lie_far_outside(ledger: Ledger, hq: HqConfig) -> None:
    before, after = T0 - 40 * 24 * HOUR_MS, FEBRUARY.end_ms + 40 * 24 * HOUR_MS
    commit(ledger, table(), data(frame(0, [taken(before, 0), taken(after, 109 * 24)])))
    found = energies(ledger, hq, "2024-02")[POINT]
    assert found.wh == 29 * 24 * 10
    assert found.origin is Origin.INTERPOLATED
    assert found.unproven_wh


def test_nothing_is_not_zero(ledger: Ledger, hq: HqConfig) -> None:
    fill(ledger)
    assert energies(ledger, hq, "2024-05")[POINT].wh is None
    assert energies(ledger, hq, "2024-05")[POINT].missing


def test_half_hours_add_up_to_the_month(ledger: Ledger, hq: HqConfig) -> None:
    fill(ledger)
    ((site, meter),) = find_meters(hq, POINT)
    parts = energy_series(ledger, hq, site, meter, half_hours(FEBRUARY))
    assert len(parts) == 29 * 48
    assert sum(part.wh or 0 for part in parts) == 7 * 29 * 24 * 10


def test_order_and_repetition_change_no_byte_of_the_statement(
    tmp_path: Path, ledger: Ledger, hq: HqConfig
) -> None:
    fill(ledger)
    plain = to_json(statement_for(ledger, hq, "2024-02"))
    for seed in range(3):
        (tmp_path / str(seed)).mkdir()
        other = Ledger.open(tmp_path / str(seed), create=True)
        fill(other, seed=seed)
        assert to_json(statement_for(other, hq, "2024-02")) == plain
        other.close()
    statement = json.loads(plain)
    assert statement["figures"]["energy.AOB-RCV-01"]["wh"] == 7 * 29 * 24 * 10
    assert statement["status"]["activity"] == "open"


def test_months_with_data(ledger: Ledger, hq: HqConfig) -> None:
    assert months_with_data(ledger, hq) == ()
    fill(ledger, first=0, last=29 * 24)  # one reading each lies in March: it only ends February
    assert months_with_data(ledger, hq) == ("2024-02",)


def test_a_month_with_readings_on_both_sides_only_is_known(ledger: Ledger, hq: HqConfig) -> None:
    """Nothing was read in March and April, and yet their energy is known."""
    fill(ledger)
    may = month("2024-05", TOKYO)
    late = [taken(may.start_ms + hour * HOUR_MS, 100_000 + 7 * hour) for hour in range(3)]
    commit(ledger, data(frame(40, late)))
    assert months_with_data(ledger, hq) == ("2024-02", "2024-03", "2024-04", "2024-05")
    assert energies(ledger, hq, "2024-04")[POINT].wh


def test_a_month_with_energy_from_elsewhere_only_is_known(ledger: Ledger, hq: HqConfig) -> None:
    day = Run(POINT, FEBRUARY.start_ms, FEBRUARY.start_ms + 24 * HOUR_MS, "500", Origin.MEASURED)
    with ledger.writing() as connection:
        who = Who("sato", "sato@hq")
        done = decisions.decide(connection, kind="import", who=who, reason="", body={}, time_ms=T0)
        values.add(connection, [day], done)
    assert months_with_data(ledger, hq) == ("2024-02",)


def test_a_site_is_its_boundary_set(ledger: Ledger, hq: HqConfig) -> None:
    fill(ledger)
    rows, whole = amounts(ledger, hq, "aoba", FEBRUARY, Grid.DAY)
    assert [row.wh for row in rows] == [7 * 24 * 10] * 29
    assert whole.wh == 7 * 29 * 24 * 10
    assert len(amounts(ledger, hq, "aoba", FEBRUARY, Grid.HALF_HOUR)[0]) == 29 * 48
    assert len(amounts(ledger, hq, "AOB-KLN-01", FEBRUARY, Grid.MONTH)[0]) == 1


def test_a_name_that_is_not_on_record(ledger: Ledger, hq: HqConfig) -> None:
    with pytest.raises(UsageError, match="no meter, point or site") as caught:
        amounts(ledger, hq, "AOB-RCV-99", FEBRUARY, Grid.DAY)
    assert "AOB-KLN-01" in caught.value.evidence


def test_energy_as_text(ledger: Ledger, hq: HqConfig) -> None:
    fill(ledger, last=24)
    days = Interval(T0, T0 + 48 * HOUR_MS)
    rows, whole = amounts(ledger, hq, POINT, days, Grid.DAY)
    assert energy_report(POINT, rows, whole, TOKYO, Form.TABLE).splitlines() == [
        f"{POINT}, Asia/Tokyo",
        " from              energy [kWh]  unproven [kWh]    origin",
        " 2024-02-01 00:00         1.680           0.000  measured",
        " 2024-02-02 00:00       missing         missing   missing",
        " total                  missing         missing   missing",
        f" not summed: {POINT}: no reading at or after 2024-02-02T15:00:00+00:00",
    ]
    assert energy_report(POINT, rows, whole, TOKYO, Form.CSV).splitlines() == [
        "start,end,kwh,unproven_kwh,origin",
        "2024-02-01T00:00:00+09:00,2024-02-02T00:00:00+09:00,1.680,0.000,measured",
        "2024-02-02T00:00:00+09:00,2024-02-03T00:00:00+09:00,,,missing",
    ]
    document = json.loads(energy_report(POINT, rows, whole, TOKYO, Form.JSON))
    assert [row["kwh"] for row in document["rows"]] == ["1.680", None]
