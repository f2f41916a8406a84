"""Half-hours in the reading store are the ledger's, whatever came late, and whatever the record says now."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from random import Random

import pytest

from collector.figures import energy_series
from collector.ledger import Ledger
from collector.projector import Projector
from collector.records import find_meters
from collector.stores.base import EnergyRow, Outcome, Rows
from collector.stores.sqlite import SqliteStore
from config.hq import HqConfig, load_hq
from core.delivery.payload import TakenReading
from core.errors import Unreachable
from core.metering.counters import counter_spec
from core.timeline import HALF_HOUR_MS, Interval, half_hours
from tests.unit.collector.material import (
    HQ,
    MINUTE_MS,
    POINT,
    T0,
    commit,
    data,
    folder_with,
    frame,
    minutes,
    table,
    taken,
)

KILN = "AOB-KLN-01.active_energy_import"
FULL_SCALE = HQ.replace(
    'wh_per_count: "10", side: primary', 'wh_per_count: "10", side: primary, full_scale_kw: "50"'
)


class Room:
    """A ledger, its store, and what stands between them."""

    def __init__(self, folder: Path, hq: str = HQ) -> None:
        self.folder = folder_with(folder, hq)
        self.ledger = Ledger.open(self.folder, create=True)
        self.store = SqliteStore(self.folder / "readings.sqlite")
        self.restart()

    def restart(self, hq: str | None = None) -> None:
        """Begin again as another process, perhaps with another configuration."""
        if hq is not None:
            folder_with(self.folder, hq)
        self.hq: HqConfig = load_hq(self.folder)
        self.projector = Projector(self.ledger, self.store, self.hq, now_ms=lambda: T0)

    async def catch_up(self) -> None:
        while await self.projector.step() or await self.projector.walk():
            pass

    def rows(self, point: str = POINT) -> list[EnergyRow]:
        database = sqlite3.connect(self.folder / "readings.sqlite")
        found = database.execute("SELECT * FROM energy_intervals WHERE point = ? ORDER BY start_ms", (point,))
        rows = [EnergyRow(*row) for row in found]
        database.close()
        return rows

    def whole(self, point: str = POINT) -> Iterator[EnergyRow]:
        """What the ledger says of all half-hours on both sides of which something was read."""
        ((site, meter),) = find_meters(self.hq, point)
        times = [time_ms for cell in self.ledger.cells(point) for time_ms, _ in cell.usable]
        if not times:
            return
        first_ms = -(-min(times) // HALF_HOUR_MS) * HALF_HOUR_MS
        cuts = half_hours(Interval(first_ms, max(first_ms, max(times) - max(times) % HALF_HOUR_MS)))
        for each in energy_series(self.ledger, self.hq, site, meter, cuts):
            yield EnergyRow(
                point,
                each.interval.start_ms,
                each.wh,
                each.unproven_wh,
                each.origin.value,
                site.id,
                meter.parent or "",
            )


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    made = Room(tmp_path)
    yield made
    await made.store.close()
    made.ledger.close()


async def test_a_half_hour_is_written_once_both_its_ends_are_known(room: Room) -> None:
    commit(room.ledger, table(), data(frame(0, minutes(-1, 31))))
    await room.catch_up()
    assert room.rows() == []
    commit(room.ledger, data(frame(1, minutes(30, 1))))
    await room.catch_up()
    assert room.rows() == [EnergyRow(POINT, T0, 900, 0, "measured", "aoba", "")]
    commit(room.ledger, data(frame(2, [taken(T0, 5, point=KILN), taken(T0 + HALF_HOUR_MS, 9, point=KILN)])))
    await room.catch_up()
    assert room.rows(KILN) == [EnergyRow(KILN, T0, 4, 0, "measured", "aoba", "AOB-RCV-01")]


async def test_registers_within_one_half_hour_make_none(room: Room) -> None:
    commit(room.ledger, table(), data(frame(0, [taken(T0 + 600_000, 7), taken(T0 + 900_000, 7)])))
    await room.catch_up()
    room.restart()
    await room.catch_up()
    assert room.rows() == []


async def test_late_registers_replace_what_they_bear_on(room: Room) -> None:
    commit(room.ledger, table(), data(frame(0, minutes(0, 10))), data(frame(1, minutes(170, 20))))
    await room.catch_up()
    before = room.rows()
    assert [row.origin for row in before] == ["interpolated"] * 6
    assert all(row.unproven_wh for row in before)
    commit(room.ledger, data(frame(2, minutes(60, 31))))
    await room.catch_up()
    assert room.rows() == list(room.whole())
    assert [row.origin for row in room.rows()] == ["interpolated"] * 2 + ["measured"] + ["interpolated"] * 3


@pytest.mark.parametrize("seed", range(3))
async def test_any_order_of_arrival_leaves_what_the_ledger_says(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    readings: list[TakenReading] = []
    count = 1_000
    for minute in range(0, 12 * 60, random.choice((1, 7, 40))):
        if random.random() < 0.1:
            count = random.choice((count, 0, count + 5_000_000))  # stands still, falls, jumps
        count += random.choice((0, 3, 3, 3))
        quality = random.choices((0, 1, 2), (20, 2, 1))[0]
        if random.random() < 0.8:
            time_ms = T0 + minute * MINUTE_MS + random.choice((0, 0, 17_000))
            readings.append(taken(time_ms, None if quality == 2 else count, quality=quality))
    size = random.choice((10, 30))
    frames = [frame(i, readings[i * size : (i + 1) * size]) for i in range(-(-len(readings) // size))]
    random.shuffle(frames)
    room = Room(tmp_path, FULL_SCALE)
    for first in range(0, len(frames), 3):
        commit(room.ledger, table(), *(data(each) for each in frames[first : first + 3]))
        while await room.projector.step():
            pass
        if random.random() < 0.3:
            await room.catch_up()
    await room.catch_up()
    assert room.rows() == list(room.whole())
    await room.store.close()
    room.ledger.close()


async def test_how_long_a_register_stood_still_is_minded_across_half_hours(tmp_path: Path) -> None:
    room = Room(tmp_path, FULL_SCALE)
    ((site, meter),) = find_meters(room.hq, POINT)
    rise = int(counter_spec(meter.point, meter.dated(site.time_zone)).registers[-1].most_steps(2 * 3_600_000))
    stood = [taken(T0 + minute * MINUTE_MS, 1000) for minute in range(0, 4 * 60, 10)]
    lump = [taken(T0 + (4 * 60 + minute) * MINUTE_MS, 1000 + rise) for minute in range(0, 60, 10)]
    commit(room.ledger, table(), data(frame(0, stood)))
    await room.catch_up()
    commit(room.ledger, data(frame(1, lump)))
    await room.catch_up()
    assert "missing" not in {row.origin for row in room.whole()}
    assert room.rows() == list(room.whole())
    await room.store.close()
    room.ledger.close()


async def test_a_late_reading_may_explain_a_rise_far_behind_it(tmp_path: Path) -> None:
    room = Room(tmp_path, FULL_SCALE)
    ((site, meter),) = find_meters(room.hq, POINT)
    rise = int(counter_spec(meter.point, meter.dated(site.time_zone)).registers[-1].most_steps(2 * 3_600_000))
    stood = [taken(T0 + minute * MINUTE_MS, 1000) for minute in range(3 * 60, 4 * 60, 10)]
    lump = [taken(T0 + (4 * 60 + minute) * MINUTE_MS, 1000 + rise) for minute in range(0, 60, 10)]
    commit(room.ledger, table(), data(frame(0, stood)), data(frame(1, lump)))
    await room.catch_up()
    assert "missing" in {row.origin for row in room.rows()}, "a jump, by what is known"
    commit(room.ledger, data(frame(2, [taken(T0, 1000)])))
    await room.catch_up()
    assert room.rows() == list(room.whole())
    assert "missing" not in {row.origin for row in room.rows()}
    await room.store.close()
    room.ledger.close()


async def test_a_store_that_takes_a_few_rows_at_a_time_gets_all_of_them(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = room.store.write

    async def weak(rows: Rows) -> Outcome:
        done = await write(rows[:60])
        return Outcome(done.accepted, (), rows[60:], Unreachable("enough for now")) if rows[60:] else done

    monkeypatch.setattr(room.store, "write", weak)
    commit(room.ledger, table(), *(data(frame(i, minutes(i * 20, 20))) for i in range(20)))
    for _ in range(20):
        try:
            await room.catch_up()
        except Unreachable:
            continue
        break
    rows = await room.store.read(POINT, Interval(T0, T0 + 400 * MINUTE_MS))
    assert len(rows) == 400
    assert room.rows() == list(room.whole())


async def test_another_record_of_the_meter_changes_all_its_half_hours(room: Room) -> None:
    commit(room.ledger, table(), data(frame(0, minutes(0, 121))))
    await room.catch_up()
    assert [row.wh for row in room.rows()] == [900] * 4
    room.restart(HQ.replace('serial: SYN-1, wh_per_count: "10"', 'serial: SYN-1, wh_per_count: "20"'))
    await room.catch_up()
    assert [row.wh for row in room.rows()] == [1800] * 4
    assert not await room.projector.walk(), "once is enough"
    room.restart()
    assert not await room.projector.walk(), "also for the next process"


async def test_a_counter_that_was_cut_is_missing_and_never_zero(room: Room) -> None:
    commit(room.ledger, table(), data(frame(0, minutes(0, 121))))
    await room.catch_up()
    room.restart(HQ.replace("from: 2020-10-01, serial: SYN-1", "from: 2024-02-02, serial: SYN-1"))
    await room.catch_up()
    assert [(row.wh, row.unproven_wh, row.origin) for row in room.rows()] == [(None, None, "missing")] * 4


async def test_a_store_that_fails_in_between_gets_all_of_it_later(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, random, failures = room.store.write, Random(3), 0

    async def unsteady(rows: Rows) -> Outcome:
        nonlocal failures
        if random.random() < 0.5:
            failures += 1
            some = len(rows) // 2
            done = await write(rows[:some])
            return Outcome(done.accepted, (), rows[some:], Unreachable("the store is away"))
        return await write(rows)

    monkeypatch.setattr(room.store, "write", unsteady)
    commit(room.ledger, table(), *(data(frame(i, minutes(i * 20, 20))) for i in range(20)))
    for _ in range(100):
        try:
            await room.catch_up()
        except Unreachable:
            continue
        break
    assert failures > 1
    assert room.rows() == list(room.whole())
    rows = await room.store.read(POINT, Interval(T0, T0 + 400 * MINUTE_MS))
    assert [row.count for row in rows] == [each.count for each in minutes(0, 400)]


async def test_what_is_older_than_the_store_keeps_is_left_to_the_ledger(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SqliteStore, "retention_ms", 100 * MINUTE_MS)
    commit(room.ledger, table(), data(frame(0, minutes(-240, 300))))
    await room.catch_up()
    rows = await room.store.read(POINT, Interval(0, T0 + 400 * MINUTE_MS))
    assert rows[0].time_ms == T0 - 100 * MINUTE_MS
    assert [row.time_ms for row in room.rows()] == [T0 - i * HALF_HOUR_MS for i in (3, 2, 1, 0)]
    assert room.ledger.quarantined() == ()


async def test_a_long_gap_costs_no_more_than_a_few_writes(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    write = room.store.write

    async def counting(rows: Sequence[EnergyRow]) -> Outcome:
        sizes.append(len(rows))
        return await write(rows)

    monkeypatch.setattr(room.store, "write", counting)
    month = 30 * 24 * 60
    commit(room.ledger, table(), data(frame(0, minutes(0, 5))))
    await room.catch_up()
    commit(room.ledger, data(frame(1, minutes(month, 5))))
    await room.catch_up()
    assert len(room.rows()) == 30 * 48
    assert len(sizes) < 8
    sizes.clear()
    commit(room.ledger, data(frame(2, minutes(month + 5, 5))))
    await room.catch_up()
    assert sum(sizes) < 10
