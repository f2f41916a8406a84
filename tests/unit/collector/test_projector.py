"""Registers in the reading store: they catch up with the ledger, whatever happens to the store."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from collector.ledger import Ledger
from collector.projector import Projector
from collector.stores.base import Outcome, Rejection, StoreRow
from collector.stores.sqlite import SqliteStore
from config.hq import load_hq
from core.delivery.frames import Lane
from core.delivery.tables import PointTable
from core.errors import Unreachable
from core.timeline import Interval
from tests.unit.collector.material import (
    AGENT,
    GAUGES,
    HQ,
    METER,
    MINUTE_MS,
    POINT,
    POWER,
    T0,
    commit,
    data,
    folder_with,
    frame,
    head,
    minutes,
    point_row,
    table,
    taken,
)

WEEK = Interval(T0 - 7 * 86_400_000, T0 + 7 * 86_400_000)


@dataclass
class Room:
    ledger: Ledger
    store: SqliteStore
    projector: Projector
    folder: Path

    async def catch_up(self) -> int:
        """Write all that is new; return the steps that it took."""
        steps = 0
        while await self.projector.step():
            steps += 1
        return steps

    async def counts(self) -> list[object]:
        return [row.count for row in await self.store.read(POINT, WEEK)]


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    ledger = Ledger.open(tmp_path, create=True)
    store = SqliteStore(tmp_path / "readings.sqlite", busy_timeout_s=0.02)
    yield Room(ledger, store, Projector(ledger, store, now_ms=lambda: T0, every_s=0), tmp_path)
    await store.close()
    ledger.close()


async def test_the_store_gets_every_register_with_its_value(room: Room) -> None:
    commit(room.ledger, table(), data(frame(0, minutes(0, 45)), frame(1, minutes(45, 45))))
    assert await room.catch_up() == 1
    rows = await room.store.read(POINT, WEEK)
    assert [(row.time_ms, row.count, row.quality) for row in rows] == [
        (each.time_ms, each.count, 0) for each in minutes(0, 90)
    ]
    assert rows[0].value == 10_000.0  # 1000 counts of 10 Wh
    assert await room.catch_up() == 0


async def test_late_and_repeated_frames_are_projected(room: Room) -> None:
    commit(room.ledger, table(), data(frame(1, minutes(60, 5))))
    await room.catch_up()
    commit(room.ledger, data(frame(0, minutes(0, 5))), data(frame(1, minutes(60, 5))))
    await room.catch_up()
    assert len(await room.counts()) == 10


async def test_frames_decoded_late_are_projected(room: Room) -> None:
    commit(room.ledger, data(frame(0, minutes(0, 5))))
    await room.catch_up()
    commit(room.ledger, table())
    await room.catch_up()
    assert len(await room.counts()) == 5


async def test_samples_are_none_of_its_business(room: Room) -> None:
    readings = [taken(T0, 1, point=POWER)]
    commit(
        room.ledger,
        table(GAUGES, lane=Lane.SAMPLES),
        data(frame(0, readings, table=GAUGES, lane=Lane.SAMPLES)),
    )
    await room.catch_up()
    assert await room.store.read(POWER, WEEK) == ()


async def test_of_two_counts_at_one_instant_the_store_gets_the_one_that_figures_use(room: Room) -> None:
    readings = [taken(T0, 7, quality=1), taken(T0, 9), taken(T0, 8), taken(T0, None, quality=2)]
    commit(room.ledger, table(), data(frame(0, readings)))
    await room.catch_up()
    assert await room.store.read(POINT, WEEK) == (StoreRow(POINT, T0, 8, 80.0, 0),)
    ((_, chosen),) = room.ledger.cells(POINT)[0].usable
    assert chosen == 8


async def test_an_outage_of_the_store_is_caught_up(room: Room) -> None:
    commit(room.ledger, table(), data(frame(0, minutes(0, 5))))
    await room.catch_up()
    other = sqlite3.connect(room.folder / "readings.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    commit(room.ledger, data(frame(1, minutes(5, 5))))
    with pytest.raises(Unreachable):
        await room.projector.step()
    commit(room.ledger, data(frame(2, minutes(10, 5))))  # the ledger goes on
    assert [count.stored for count in room.ledger.counts()] == [15]
    other.execute("ROLLBACK")
    other.close()
    await room.catch_up()
    assert await room.counts() == [each.count for each in minutes(0, 15)]


async def test_run_follows_and_tries_again(
    room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("collector.trouble._FIRST_PAUSE_S", 0.01)
    failures = 3
    write = room.store.write

    async def unsteady(rows: Sequence[StoreRow]) -> Outcome:
        nonlocal failures
        if failures:
            failures -= 1
            raise Unreachable("the store is away")
        return await write(rows)

    monkeypatch.setattr(room.store, "write", unsteady)
    running = asyncio.create_task(room.projector.run())
    commit(room.ledger, table(), data(frame(0, minutes(0, 5))))
    room.projector.stir()
    async with asyncio.timeout(10):
        while len(await room.counts()) < 5:  # noqa: ASYNC110  only the store can tell
            await asyncio.sleep(0.005)
    room.projector.close()
    await running
    said = [each.getMessage() for each in caplog.records if each.name.startswith("collector.")]
    assert said == ["the store is away", "sqlite:readings.sqlite takes registers again"]


async def test_what_the_store_refuses_for_good_is_set_aside_and_the_rest_goes_on(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = room.store.write

    async def choosy(rows: Sequence[StoreRow]) -> Outcome:
        bad = tuple(Rejection(row, "beyond the retention") for row in rows if row.time_ms == T0)
        done = await write([row for row in rows if row.time_ms != T0])
        return Outcome(done.accepted, bad)

    monkeypatch.setattr(room.store, "write", choosy)
    commit(room.ledger, table(), data(frame(0, minutes(0, 5))))
    await room.catch_up()
    assert len(await room.counts()) == 4
    (kept,) = room.ledger.quarantined()
    assert (kept.source, kept.reason) == (room.store.identity, "beyond the retention")
    assert str(T0) in kept.raw.decode()


async def test_a_new_store_begins_at_the_beginning(room: Room) -> None:
    commit(room.ledger, table(), data(frame(0, minutes(0, 5))))
    await room.catch_up()
    other = SqliteStore(room.folder / "other.sqlite")
    projector = Projector(room.ledger, other, now_ms=lambda: T0)
    while await projector.step():
        pass
    assert len(await other.read(POINT, WEEK)) == 5
    await other.close()


async def test_a_backlog_is_taken_in_pieces(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.projector._READINGS_PER_STEP", 20)
    commit(room.ledger, table(), *(data(frame(i, minutes(i * 10, 10))) for i in range(10)))
    assert await room.catch_up() == 5
    assert len(await room.counts()) == 100


async def test_frames_days_apart_do_not_drag_in_what_lies_between(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = 24 * 60
    commit(room.ledger, table(), data(frame(0, minutes(0, 5 * day))))
    await room.catch_up()
    written: list[int] = []
    write = room.store.write

    async def counting(rows: Sequence[StoreRow]) -> Outcome:
        written.append(len(rows))
        return await write(rows)

    monkeypatch.setattr(room.store, "write", counting)
    early, late = taken(T0 + MINUTE_MS // 2, 1001), taken(T0 + 4 * day * MINUTE_MS + 1, 99_999)
    commit(room.ledger, data(frame(1, [early])), data(frame(2, [late])))
    await room.catch_up()
    assert sum(written) < 100


async def test_what_explains_the_readings_stands_beside_them(tmp_path: Path) -> None:
    hq = HQ.replace(
        '- {from: 2020-10-01, serial: SYN-1, wh_per_count: "10", side: primary}',
        '- {from: 2020-10-01, serial: SYN-1, wh_per_count: "10", side: secondary, ct: 400/5, vt: 6600/110}\n'
        '          - {from: 2024-02-01, serial: SYN-1, wh_per_count: "10", side: secondary, ct: 800/5}',
    )
    ledger = Ledger.open(folder_with(tmp_path, hq), create=True)
    store = SqliteStore(tmp_path / "readings.sqlite")
    rows = (
        point_row(POWER, unit="kW"),
        point_row(f"{METER}.voltage", unit="V"),
        point_row(f"{METER}.power_factor", unit="1"),
        point_row("NEW-01.active_power", unit="MW"),
        point_row("NEW-01.colour", unit="hue"),
    )
    now_ms = T0 + 3_600_000
    commit(ledger, table(), table(PointTable(rows)), data(frame(0, minutes(0, 5))), head(2, 10))
    projector = Projector(ledger, store, load_hq(tmp_path), now_ms=lambda: now_ms)
    await projector.tell()
    await projector.tell()
    database = sqlite3.connect(tmp_path / "readings.sqlite")
    points = database.execute("SELECT point, time_ms, factor, unit, site FROM points").fetchall()
    year_2020 = 1_601_478_000_000
    assert {row for row in points if row[0] in {row.point for row in rows}} == {
        (POWER, year_2020, 4_800_000.0, "W", "aoba"),
        (POWER, T0, 160_000.0, "W", "aoba"),
        (f"{METER}.voltage", year_2020, 60.0, "V", "aoba"),
        (f"{METER}.voltage", T0, 1.0, "V", "aoba"),
        (f"{METER}.power_factor", year_2020, 1.0, "1", "aoba"),
        (f"{METER}.power_factor", T0, 1.0, "1", "aoba"),
        ("NEW-01.active_power", 0, 1_000_000.0, "W", ""),
        ("NEW-01.colour", 0, 1.0, "hue", ""),
    }
    assert database.execute("SELECT * FROM delivery").fetchall() == [
        (AGENT, "registers", now_ms, 10, 5, 0, 0, 5, 0, now_ms - minutes(4, 1)[0].time_ms)
    ]
    database.close()
    await store.close()
    ledger.close()
