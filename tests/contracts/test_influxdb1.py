"""InfluxDB 1 as it is: what it refuses, how it says so, and that nothing else is lost by it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from collector.stores.influxdb1 import InfluxOneStore
from core.errors import ConfigError, OutsideError, Unreachable
from core.timeline import Interval
from tests.contracts.test_influxdb import MONTH, POINT, T0, row, spoil_line
from tests.line_protocol_servers import InfluxOneServer, VictoriaServer


@pytest.fixture
def database(influxd_1: InfluxOneServer) -> str:
    return influxd_1.new_database()


@pytest.fixture
async def store(influxd_1: InfluxOneServer, database: str) -> AsyncIterator[InfluxOneStore]:
    made = InfluxOneStore(url=influxd_1.url, database=database)
    await made.open()
    yield made
    await made.close()


def post(server: InfluxOneServer, database: str, line: str) -> None:
    params = {"db": database, "precision": "ms"}
    httpx.post(f"{server.url}/write", params=params, content=line).raise_for_status()


async def test_a_field_of_another_type_costs_its_own_line_only(
    influxd_1: InfluxOneServer, store: InfluxOneStore, database: str
) -> None:
    post(influxd_1, database, f"reading,meter=X,quantity=y count_text=1.5 {T0}")
    rows = [row(T0 + i, i) for i in range(40)]
    rows[17] = row(T0 + 17, 2**64)
    outcome = await store.write(rows)
    assert [rejection.row for rejection in outcome.rejected] == [rows[17]]
    assert "field type conflict" in outcome.rejected[0].reason
    assert outcome.accepted == 39
    assert await store.read(POINT, MONTH) == (*rows[:17], *rows[18:])


async def test_a_line_that_cannot_be_parsed_is_found_although_the_server_says_that_it_dropped_none(
    store: InfluxOneStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_line(monkeypatch, 5)
    rows = [row(T0 + i, i) for i in range(20)]
    outcome = await store.write(rows)
    assert [rejection.row for rejection in outcome.rejected] == [rows[5]]
    assert "unable to parse" in outcome.rejected[0].reason
    assert len(await store.read(POINT, MONTH)) == 19


async def test_a_line_beyond_the_retention_costs_itself_only(influxd_1: InfluxOneServer) -> None:
    store = InfluxOneStore(url=influxd_1.url, database=influxd_1.new_database("200d"))
    await store.open()
    assert store.retention_ms == 200 * 86_400_000
    today = int(time.time() * 1000)
    fresh = [row(today - i * 1000, i) for i in range(10, 0, -1)]
    outcome = await store.write([*fresh, row(T0, 1)])
    assert [rejection.row.time_ms for rejection in outcome.rejected] == [T0]
    assert "retention" in outcome.rejected[0].reason
    assert await store.read(POINT, Interval(today - 60_000, today + 1)) == tuple(fresh)
    await store.close()


@pytest.mark.parametrize("days", [1, 99])
async def test_a_database_that_forgets_too_early_is_refused(influxd_1: InfluxOneServer, days: int) -> None:
    database = influxd_1.new_database(f"{days}d")
    store = InfluxOneStore(url=influxd_1.url, database=database)
    with pytest.raises(ConfigError, match="forgets readings") as caught:
        await store.open()
    assert f"{days} day" in caught.value.evidence
    influxd_1.query(caught.value.next.removeprefix("in `influx`: "))
    await store.open()
    assert store.retention_ms is None
    await store.close()


async def test_a_database_that_is_not_there(influxd_1: InfluxOneServer) -> None:
    store = InfluxOneStore(url=influxd_1.url, database='no "such" one')
    with pytest.raises(ConfigError, match="has no database") as caught:
        await store.open()
    outcome = await store.write([row(T0, 1)])
    assert outcome.retry == [row(T0, 1)], "a person may make the database"
    assert outcome.trouble is not None and not outcome.trouble.retryable
    influxd_1.query(caught.value.next.removeprefix("in `influx`: "))
    await store.open()
    await store.close()


async def test_names_that_need_escaping(store: InfluxOneStore) -> None:
    rows = [row(T0, i, point=point) for i, point in enumerate(["a b.c", "a,b.c=d", "a'b.c$", "製錬.電力"])]
    assert (await store.write(rows)).rejected == ()
    for each in rows:
        assert await store.read(each.point, MONTH) == (each,)


async def test_user_and_password(tmp_path: Path) -> None:
    server = InfluxOneServer(tmp_path, password="only for 'this' server".replace("'", ""))
    try:
        server.start().set_up()
        database = server.new_database()
        for password, fine in (("wrong-one", False), (server.password, True)):
            store = InfluxOneStore(
                url=server.url, database=database, username=server.username, password=password
            )
            try:
                await store.open()
                assert fine
                assert (await store.write([row(T0, 1)])).accepted == 1
            except OutsideError as error:
                assert not fine
                assert "401" in error.evidence
                assert "wrong-one" not in error.render()
            finally:
                await store.close()
        server.kill()
        assert isinstance((await store.write([row(T0, 2)])).trouble, Unreachable)
        await store.close()
    finally:
        server.stop()


async def test_another_engine_behind_the_same_protocol_is_refused(victoria: VictoriaServer) -> None:
    store = InfluxOneStore(url=victoria.url, database=victoria.new_database())
    with pytest.raises(ConfigError, match="no InfluxDB 1") as caught:
        await store.open()
    assert "docs/stores.md" in caught.value.cause
    await store.close()
