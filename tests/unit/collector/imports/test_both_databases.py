"""What files bring is the same on each kind of database."""

from __future__ import annotations

from pathlib import Path

from collector.bills import reconciled
from collector.chain_check import differences
from collector.imports.bills import COLUMNS, FILE_COLUMN, import_bills
from collector.ledger import Ledger
from collector.view import View
from core.metering.bill_check import Outcome
from tests.unit.collector.imports.material import (
    NOW_MS,
    SATO,
    bring,
    column,
    daily,
    hq_of,
    mapping,
    write,
)


def test_registers_intervals_and_bills(tmp_path: Path, ledger: Ledger) -> None:
    hq = hq_of(tmp_path / "hq", "P1", "P2", zone="Asia/Tokyo", facts=', accuracy_class: "0.5S"')
    rows = [f"2024-02-{day:02d},{day * 10}.125" for day in range(1, 30)]
    file = write(tmp_path, "a.csv", "time,kwh", *rows, "2024-03-01,300.125")
    registers = mapping(kind="registers", time="time", points=(column("P1", "kwh"),))
    days = mapping(kind="intervals", time="time", interval="day", points=(column("P2", "kwh"),))
    for how, added in ((registers, 30), (days, 30)):
        assert bring(file, ledger, hq, how).added == added
        again = bring(file, ledger, hq, how)
        assert (again.added, again.points[0].known, again.aside.count) == (0, added, 0)
    assert daily(ledger, hq, "P1", "2024-02-01", "2024-02-03") == {"2024-02-01": 10_000, "2024-02-02": 10_000}
    assert daily(ledger, hq, "P2", "2024-02-01", "2024-02-03") == {"2024-02-01": 10_125, "2024-02-02": 20_125}
    header = ",".join((*COLUMNS, FILE_COLUMN))
    one = write(tmp_path, "bills.csv", header, "P1,Tohoku,,2024-02-01,2024-02-29,290,,,B-1,")
    for added, known in ((1, 0), (0, 1)):
        done = import_bills(one, ledger, hq, who=SATO, now_ms=NOW_MS)
        assert (done.added, done.known, done.bad) == (added, known, ())
    with ledger.reading() as connection:
        (told,) = reconciled(View(connection, hq), "2024-02")
        assert (told.outcome, told.meter_wh) == (Outcome.AGREE, 290_000)
        assert differences(connection) == []
