"""What every reading store must do, whatever engine is behind it; docs/stores.md shows which engine does.

The first line of each test is the promise as that page has it.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from collector.stores.base import EnergyRow, ReadingStore, StoreRow
from core.timeline import HALF_HOUR_MS, Interval
from tests.contracts.conftest import Maker
from tests.contracts.engines import TITLES, Engine

pytestmark = pytest.mark.parametrize("engine", TITLES, indirect=True)

T0 = 1_706_713_200_000  # 2024-02-01 00:00 JST
DAY_MS = 86_400_000
MONTH = Interval(T0, T0 + 29 * DAY_MS)
METER = "AOB-RCV-01"
POINT = f"{METER}.active_energy_import"


def row(
    time_ms: int,
    count: int | Decimal | None,
    value: float | None = None,
    quality: int = 0,
    point: str = POINT,
) -> StoreRow:
    if value is None and count is not None:
        value = float(count)
    return StoreRow(point, time_ms, count, value, quality)


def half_hour(index: int, wh: int | None, unproven_wh: int | None = 0) -> EnergyRow:
    origin = "missing" if wh is None else "interpolated" if unproven_wh else "measured"
    return EnergyRow(POINT, T0 + index * HALF_HOUR_MS, wh, unproven_wh, origin, "aoba", "")


async def test_a_row_comes_back_as_it_was_written(store: ReadingStore) -> None:
    """A count comes back exactly: 64 bits and more, and every decimal digit."""
    rows = (
        row(T0, 61_703_095, 61_703_095_000.0),
        row(T0 + 1, 2**53 + 1),
        row(T0 + 2, 2**63 - 1),
        row(T0 + 3, 2**64 - 1),
        row(T0 + 4, Decimal("15125.339")),
        row(T0 + 5, None, 22.5),
        row(T0 + 6, -5),
    )
    outcome = await store.write(rows)
    assert (outcome.accepted, outcome.rejected) == (7, ())
    assert await store.read(POINT, MONTH) == rows


async def test_the_same_key_is_overwritten(store: ReadingStore) -> None:
    """A reading at the same point and time replaces the one before."""
    await store.write([row(T0, 5), row(T0 + 1000, 6)])
    await store.write([row(T0, 7, quality=1)])
    assert await store.read(POINT, MONTH) == (row(T0, 7, quality=1), row(T0 + 1000, 6))


async def test_the_last_of_a_key_in_one_write_stays(store: ReadingStore) -> None:
    """Of two such readings in one write the last stays."""
    await store.write([row(T0, 5), row(T0, 6)])
    assert await store.read(POINT, MONTH) == (row(T0, 6),)


async def test_quality_is_kept_and_bad_readings_have_no_value(store: ReadingStore) -> None:
    """Quality is kept, and a bad reading takes the value of a good one away."""
    bad = StoreRow(POINT, T0 + 2000, None, None, 2)
    rows = (row(T0, 5, quality=0), row(T0 + 1000, 6, quality=1), bad)
    await store.write([*rows[:2], row(T0 + 2000, 9)])
    await store.write([bad])
    assert await store.read(POINT, MONTH) == rows


async def test_writing_again_changes_nothing(store: ReadingStore) -> None:
    """Writing the same readings again changes nothing."""
    rows = tuple(row(T0 + i * 60_000, 1000 + i) for i in range(500))
    for _ in range(3):
        assert (await store.write(rows)).accepted == 500
    assert await store.read(POINT, MONTH) == rows


async def test_fifteen_digits_survive_beside_an_outlier(store: ReadingStore) -> None:
    """15 digits of a value survive beside an outlier."""
    values = (1.00000000000001, 1e300, 0.123456789012345, -1e-300, 123456789012345.0, 4.9e-324)
    rows = tuple(row(T0 + i, None, value) for i, value in enumerate(values))
    await store.write(rows)
    assert [found.value for found in await store.read(POINT, MONTH)] == list(values)


async def test_forty_days_come_back_whole(store: ReadingStore) -> None:
    """40 days of minutes come back whole from one read."""
    rows = tuple(row(T0 + i * 60_000, i) for i in range(40 * 24 * 60))
    await store.write(rows)
    assert await store.read(POINT, Interval(T0, T0 + 40 * DAY_MS)) == rows


async def test_an_interval_holds_its_start_and_not_its_end(store: ReadingStore) -> None:
    """An interval holds its start and not its end."""
    await store.write([row(T0 + i, i) for i in range(5)])
    assert [found.time_ms for found in await store.read(POINT, Interval(T0 + 1, T0 + 3))] == [T0 + 1, T0 + 2]


async def test_points_do_not_mix(store: ReadingStore) -> None:
    """Points do not mix, and an unknown one is empty."""
    others = [row(T0, 1, point=f"AOB-RCV-0{i}.active_energy_import") for i in range(3)]
    await store.write([row(T0, 9), *others, row(T0, 2, point=f"{METER}.active_power")])
    assert await store.read(f"{METER}.active_power", MONTH) == (row(T0, 2, point=f"{METER}.active_power"),)
    assert await store.read("NO-SUCH.active_power", MONTH) == ()


async def test_one_bad_row_costs_the_others_nothing(store: ReadingStore) -> None:
    """A row that cannot be kept is named with its reason, and costs the others nothing."""
    rows = [row(T0 + i, i) for i in range(20)]
    rows[7] = StoreRow(POINT, T0 + 7, None, float("nan"), 0)
    outcome = await store.write(rows)
    assert [rejection.row.time_ms for rejection in outcome.rejected] == [T0 + 7]
    assert outcome.rejected[0].reason
    assert (outcome.accepted, outcome.retry) == (19, ())
    assert [found.count for found in await store.read(POINT, MONTH)] == [i for i in range(20) if i != 7]


async def test_writers_side_by_side(store: ReadingStore) -> None:
    """Writers side by side lose nothing."""

    async def write(start: int) -> None:
        await store.write([row(T0 + i, i) for i in range(start, start + 100)])

    await asyncio.gather(*(write(start) for start in range(0, 500, 100)))
    assert len(await store.read(POINT, MONTH)) == 500


async def test_what_was_written_outlives_the_connection(store: ReadingStore, make: Maker) -> None:
    """Another connection sees what was written."""
    await store.write([row(T0, 5)])
    other = make()
    await other.open()
    assert other.identity == store.identity
    assert await other.read(POINT, MONTH) == (row(T0, 5),)
    await other.close()


async def test_what_was_accepted_outlives_a_kill(engine: Engine) -> None:
    """What was accepted outlives a kill -9 in the very next moment."""
    rows = [row(T0 + i, i) for i in range(100)]
    await engine.write_and_die(rows)
    store = engine.make()
    try:
        assert await store.read(POINT, MONTH) == tuple(rows)
    finally:
        await store.close()


async def test_half_hours_are_written_again(store: ReadingStore, engine: Engine) -> None:
    """A half-hour's energy is rewritten by late data, with its origin and its bound."""
    rows = [half_hour(i, 1000 + i) for i in range(48)]
    outcome = await store.write(rows)
    assert (outcome.accepted, outcome.rejected, outcome.retry) == (48, (), ())
    rows[7] = half_hour(7, 1234, 96)
    rows[8] = half_hour(8, None, None)
    for _ in range(2):
        await store.write(rows[7:9])
    assert await engine.energies(POINT, MONTH) == rows
