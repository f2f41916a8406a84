"""A lost reading store is filled again from the ledger, by one command."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from collector.cli import app
from collector.ledger import Ledger
from collector.projector import Projector
from collector.stores.base import Outcome, Rejection, Rows, StoreRow
from collector.stores.sqlite import SqliteStore
from config.hq import load_hq
from tests.unit.collector.material import POINT, T0, commit, data, folder_with, frame, minutes, table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ledger whose reading store has everything."""

    async def project() -> None:
        store = SqliteStore(made / "readings.sqlite")
        projector = Projector(ledger, store, load_hq(made), now_ms=lambda: T0)
        while await projector.step() or await projector.walk():
            pass
        await store.close()

    made = folder_with(tmp_path / "hq")
    ledger = Ledger.open(made, create=True)
    commit(ledger, table(), *(data(frame(i, minutes(i * 20, 20))) for i in range(10)))
    asyncio.run(project())
    ledger.close()
    return made


def contents(folder: Path) -> list[object]:
    database = sqlite3.connect(folder / "readings.sqlite")
    found: list[object] = [
        database.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()
        for name in ("readings", "energy_intervals")
    ]
    database.close()
    return found


def test_a_lost_store_comes_back_as_it_was(folder: Path) -> None:
    before = contents(folder)
    for path in folder.glob("readings.sqlite*"):
        path.unlink()
    result = CliRunner().invoke(app, ["rebuild-store", str(folder)])
    assert result.exit_code == 0, result.output
    assert " 200 readings of registers and 6 half-hours\n" in result.output
    assert contents(folder) == before
    assert CliRunner().invoke(app, ["rebuild-store", str(folder)]).exit_code == 0, "over what is there"
    assert contents(folder) == before


def test_what_the_store_refuses_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = SqliteStore.write

    async def choosy(self: SqliteStore, rows: Rows) -> Outcome:
        bad = tuple(Rejection(row, "no") for row in rows if isinstance(row, StoreRow) and row.time_ms == T0)
        return Outcome((await write(self, rows)).accepted - len(bad), bad)

    monkeypatch.setattr(SqliteStore, "write", choosy)
    result = CliRunner().invoke(app, ["rebuild-store", str(folder)])
    assert result.exit_code == 1
    assert "1 rows were refused for good" in result.output
    ledger = Ledger.open(folder)
    (aside,) = ledger.quarantined()
    assert POINT in aside.raw.decode()
    ledger.close()
