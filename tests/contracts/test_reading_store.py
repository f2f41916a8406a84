"""What every reading store must do, whatever engine is behind it."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from collector.stores.base import ReadingStore, StoreRow
from core.timeline import Interval
from tests.contracts.conftest import Maker

T0 = 1_706_713_200_000  # 2024-02-01 00:00 JST
DAY_MS = 86_400_000
MONTH = Interval(T0, T0 + 29 * DAY_MS)
POINT = "AOB-RCV-01.active_energy_import"


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


async def test_a_row_comes_back_as_it_was_written(store: ReadingStore) -> None:
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
    await store.write([row(T0, 5), row(T0 + 1000, 6)])
    await store.write([row(T0, 7, quality=1)])
    assert await store.read(POINT, MONTH) == (row(T0, 7, quality=1), row(T0 + 1000, 6))


async def test_the_last_of_a_key_in_one_write_stays(store: ReadingStore) -> None:
    await store.write([row(T0, 5), row(T0, 6)])
    assert await store.read(POINT, MONTH) == (row(T0, 6),)


async def test_quality_is_kept_and_bad_readings_have_no_value(store: ReadingStore) -> None:
    bad = StoreRow(POINT, T0 + 2000, None, None, 2)
    rows = (row(T0, 5, quality=0), row(T0 + 1000, 6, quality=1), bad)
    await store.write([*rows[:2], row(T0 + 2000, 9)])
    await store.write([bad])
    assert await store.read(POINT, MONTH) == rows


async def test_writing_again_changes_nothing(store: ReadingStore) -> None:
    rows = tuple(row(T0 + i * 60_000, 1000 + i) for i in range(500))
    for _ in range(3):
        assert (await store.write(rows)).accepted == 500
    assert await store.read(POINT, MONTH) == rows


async def test_fifteen_digits_survive_beside_an_outlier(store: ReadingStore) -> None:
    values = (1.00000000000001, 1e300, 0.123456789012345, -1e-300, 123456789012345.0, 4.9e-324)
    rows = tuple(row(T0 + i, None, value) for i, value in enumerate(values))
    await store.write(rows)
    assert [found.value for found in await store.read(POINT, MONTH)] == list(values)


async def test_forty_days_come_back_whole(store: ReadingStore) -> None:
    rows = tuple(row(T0 + i * 60_000, i) for i in range(40 * 24 * 60))
    await store.write(rows)
    assert await store.read(POINT, Interval(T0, T0 + 40 * DAY_MS)) == rows


async def test_an_interval_holds_its_start_and_not_its_end(store: ReadingStore) -> None:
    await store.write([row(T0 + i, i) for i in range(5)])
    assert [found.time_ms for found in await store.read(POINT, Interval(T0 + 1, T0 + 3))] == [T0 + 1, T0 + 2]


async def test_points_do_not_mix(store: ReadingStore) -> None:
    others = [row(T0, 1, point=f"AOB-RCV-0{i}.active_energy_import") for i in range(3)]
    await store.write([row(T0, 9), *others, row(T0, 2, point="AOB-RCV-01.active_power")])
    assert await store.read("AOB-RCV-01.active_power", MONTH) == (
        row(T0, 2, point="AOB-RCV-01.active_power"),
    )
    assert await store.read("NO-SUCH.active_power", MONTH) == ()


async def test_one_bad_row_costs_the_others_nothing(store: ReadingStore) -> None:
    rows = [row(T0 + i, i) for i in range(20)]
    rows[7] = StoreRow(POINT, T0 + 7, None, float("nan"), 0)
    outcome = await store.write(rows)
    assert [rejection.row.time_ms for rejection in outcome.rejected] == [T0 + 7]
    assert outcome.rejected[0].reason
    assert outcome.accepted == 19
    assert [found.count for found in await store.read(POINT, MONTH)] == [i for i in range(20) if i != 7]


async def test_writers_side_by_side(store: ReadingStore) -> None:
    async def write(start: int) -> None:
        await store.write([row(T0 + i, i) for i in range(start, start + 100)])

    await asyncio.gather(*(write(start) for start in range(0, 500, 100)))
    assert len(await store.read(POINT, MONTH)) == 500


async def test_what_was_written_outlives_the_connection(store: ReadingStore, make: Maker) -> None:
    await store.write([row(T0, 5)])
    other = make()
    await other.open()
    assert other.identity == store.identity
    assert await other.read(POINT, MONTH) == (row(T0, 5),)
    await other.close()
