"""The ledger's database: contents that no order leaves a trace in, whole transactions, migrations."""

from __future__ import annotations

import sqlite3
from datetime import date
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.ledger import Ledger, cells
from collector.ledger.record_tables import metadata
from core.carbon.activity import FuelLine
from core.errors import OutsideError, Unreachable
from core.metering.cells import cells_of
from core.metering.quantities import Unit
from core.metering.readings import Reading
from core.timeline import HALF_HOUR_MS, Interval
from tests.unit.collector.conftest import NewPlace
from tests.unit.collector.material import (
    BROUGHT,
    POINT,
    T0,
    TABLE,
    commit,
    contents,
    data,
    frame,
    head,
    minutes,
    table,
    taken,
)


def in_order(place: Path | str, *batches: list[tuple[str, bytes]]) -> list[object]:
    """The cells and counts of a ledger that hears these batches."""
    ledger = Ledger.open(place, create=True)
    for batch in batches:
        commit(ledger, *batch)
    found: list[object] = [*contents(ledger), *ledger.counts()]
    ledger.close()
    return found


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), pieces=st.integers(1, 6))
def test_no_order_and_no_repetition_leaves_a_trace(new_place: NewPlace, seed: int, pieces: int) -> None:
    random = Random(seed)
    frames = [frame(i, minutes(i * 7, 7)) for i in range(12)]
    frames.append(frame(12, [taken(T0, 999), taken(T0, 1000, quality=1), taken(T0 + 5, None, quality=2)]))
    messages = [data(each) for each in frames] + [head(13, 87)]
    plain = in_order(new_place(), [table(), *messages])
    shuffled = messages + random.choices(messages, k=5)
    random.shuffle(shuffled)
    cuts = sorted(random.randrange(len(shuffled)) for _ in range(pieces))
    batches = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    batches.insert(random.randrange(len(batches) + 1), [table()])
    assert in_order(new_place(), *batches) == plain


def test_readings_come_back_as_they_were_taken(ledger: Ledger) -> None:
    readings = minutes(0, 45)
    commit(ledger, table(), data(frame(0, readings)))
    found = [row for cell in ledger.cells(POINT) for row in cell.readings]
    assert found == [(each.time_ms, each.count, each.quality) for each in readings]
    assert ledger.points() == (POINT,)
    assert ledger.cells(POINT, Interval(T0 + HALF_HOUR_MS, T0 + 2 * HALF_HOUR_MS)) == ledger.cells(POINT)[1:]


def test_a_failed_transaction_leaves_nothing(ledger: Ledger) -> None:
    class Interrupted(Exception):
        pass

    with pytest.raises(Interrupted), ledger.writing() as connection:
        cells.merge(connection, cells_of([Reading(POINT, T0, 1)]))
        raise Interrupted
    assert ledger.points() == ()


def test_cells_around_an_interval_reach_to_the_nearest_usable_reading(ledger: Ledger) -> None:
    day = 48 * HALF_HOUR_MS
    readings = [
        taken(T0 - 9 * day, 1),
        taken(T0 - 8 * day, 2),
        taken(T0 - 3 * day, None, quality=2),
        taken(T0 + day, 3),
        taken(T0 + 5 * day, None, quality=2),
        taken(T0 + 6 * day, 4),
        taken(T0 + 7 * day, 5),
    ]
    commit(ledger, table(), data(frame(0, readings)))
    with ledger.reading() as connection:
        found = cells.around(connection, POINT, Interval(T0, T0 + 2 * day))
    counts = [count for cell in found for _, count, _ in cell.readings]
    assert counts == [2, None, 3, None, 4]


def test_the_tables_are_what_the_migrations_make(ledger: Ledger) -> None:
    with ledger.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_commit_is_on_the_disk(ledger: Ledger) -> None:
    with ledger.writing() as connection:
        if connection.dialect.name == "postgresql":
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
            return
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL


def test_the_id_is_made_once(new_place: NewPlace) -> None:
    ids, place = [], new_place()
    for _ in range(2):
        ledger = Ledger.open(place, create=True)
        ids.append(ledger.id)
        ledger.close()
    assert ids[0] == ids[1]
    assert len(ids[0]) == 32
    other = Ledger.open(new_place(), create=True)
    assert other.id != ids[0]
    other.close()


def test_readers_see_one_snapshot(ledger: Ledger) -> None:
    commit(ledger, table(), data(frame(0, minutes(0, 3))))
    with ledger.reading() as connection:
        before = cells.read(connection, POINT)
        commit(ledger, data(frame(1, minutes(3, 3))))
        assert cells.read(connection, POINT) == before
    assert ledger.cells(POINT) != before


def test_a_missing_ledger_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match="no ledger here") as caught:
        Ledger.open(tmp_path)
    assert "seiren collector run" in caught.value.next
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(OutsideError) as caught:
        Ledger.open(tmp_path)
    assert caught.value.evidence


def test_a_newer_ledger_is_refused(place: Path | str, ledger: Ledger) -> None:
    def set_version(version: str) -> None:
        with ledger.writing() as connection:
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{version}'")

    with ledger.reading() as connection:
        present = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    set_version("9999")
    with pytest.raises(OutsideError, match="newer release"):
        Ledger.open(place)
    set_version(present)


def test_a_locked_ledger_may_answer_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.ledger.engines.BUSY_TIMEOUT_S", 0.05)
    ledger = Ledger.open(tmp_path, create=True)
    other = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unreachable, match="cannot be used now"):
        commit(ledger, table())
    other.execute("ROLLBACK")
    other.close()
    commit(ledger, table())
    assert ledger.table(TABLE.digest) == TABLE
    ledger.close()


def test_activity_comes_back_by_month(ledger: Ledger) -> None:
    def line(day: int, month: int) -> FuelLine:
        used = date(2024, month, day)
        return FuelLine(
            f"id-{used}", "aoba", "kiln", "heavy_oil_a", used, Fraction("18.25"), Unit.KL, "D-1", "f.csv:2"
        )

    lines = [line(29, 2), line(1, 2), line(31, 1), line(1, 3)]
    assert ledger.add_fuel_lines(lines, BROUGHT) == 4
    assert ledger.add_fuel_lines(lines, BROUGHT) == 0
    assert ledger.fuels("2024-02") == (line(1, 2), line(29, 2))
