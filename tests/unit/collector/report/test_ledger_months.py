from collections.abc import Iterator
from contextlib import closing
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from collector.ledger import Ledger
from collector.report.ledger_months import LedgerMonths
from core.errors import ConfigError, OutsideError
from core.metering.readings import Quality, Reading
from core.timeline import month
from tests.unit.collector.report.examples import TOKYO
from tests.unit.collector.report.ledgers import add, add_coal, fill, folder


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = folder(tmp_path_factory.mktemp("works"))
    fill(path, "2024-02")
    return path


@pytest.fixture
def months(works: Path) -> Iterator[LedgerMonths]:
    with closing(LedgerMonths(works)) as opened:
        yield opened


def test_a_months_statement_comes_from_the_ledger(months: LedgerMonths) -> None:
    assert months.months() == ("2024-02",)
    sheet = months.sheet("2024-02")
    # 1,392 half-hours of 313 counts: a PAC3200 counts Wh behind 400/5 A and 66000/110 V
    assert sheet.figure("energy.AOB-RCV-01").value == Fraction(1392 * 313 * 80 * 600, 1000)
    assert sheet.figure(sheet.table("fuels")[0].facts["amount"]).value == 20


def test_the_days_of_a_meter_add_up_to_its_month(months: LedgerMonths) -> None:
    days = months.days("2024-02", "AOB-RCV-01")
    assert len(days) == 29
    assert (
        sum(day for day in days if day is not None)
        == months.sheet("2024-02").figure("energy.AOB-RCV-01").value
    )


def test_a_statement_is_kept_until_the_ledger_changes(tmp_path: Path) -> None:
    path = folder(tmp_path)
    fill(path, "2024-02")
    with closing(LedgerMonths(path)) as months, closing(Ledger.open(path)) as ledger:
        before = months.sheet("2024-02")
        assert months.sheet("2024-02") is before

        add_coal(ledger, "kiln", date(2024, 2, 4))
        slipped = months.sheet("2024-02")
        amounts = [each.figure(each.table("fuels")[0].facts["amount"]).value for each in (before, slipped)]
        assert amounts == [20, 30]

        march_ms = month("2024-03", TOKYO).start_ms
        point = "AOB-RCV-01.active_energy_import"
        add(
            ledger,
            [Reading(point, march_ms + at_ms, 436_000, Quality.GOOD) for at_ms in (3_600_000, 7_200_000)],
        )
        assert months.months() == ("2024-02", "2024-03")
        assert months.sheet("2024-02") is not slipped

        hq = path / "hq.yaml"
        hq.write_text(hq.read_text(encoding="utf-8").replace("seed 1", "seed 23"), encoding="utf-8")
        assert months.sheet("2024-02").document["synthetic"] == "seed 23"


def test_an_empty_ledger_has_no_month(tmp_path: Path) -> None:
    with closing(LedgerMonths(folder(tmp_path))) as months:
        assert months.months() == ()
        assert months.counts() == ()


def test_a_folder_without_configuration_or_ledger_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        LedgerMonths(tmp_path)
    folder(tmp_path)
    (tmp_path / "ledger.sqlite").unlink()
    with pytest.raises(OutsideError) as caught:
        LedgerMonths(tmp_path)
    assert "collector run" in caught.value.next
