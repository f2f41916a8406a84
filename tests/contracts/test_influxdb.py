"""InfluxDB 2 as it is: what it refuses, how it says so, and that nothing else is lost by it."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from collector.stores.base import StoreRow
from collector.stores.influxdb import InfluxStore
from collector.stores.lines import LineWriter
from core.errors import ConfigError, OutsideError, Unreachable
from core.timeline import Interval
from tests.line_protocol_servers import VictoriaServer
from tests.servers import InfluxServer

T0 = 1_706_713_200_000
POINT = "AOB-RCV-01.active_energy_import"
MONTH = Interval(T0, T0 + 29 * 86_400_000)


def row(time_ms: int, count: int, point: str = POINT) -> StoreRow:
    return StoreRow(point, time_ms, count, float(count), 0)


def open_at(server: InfluxServer, bucket: str, *, token: str | None = None) -> InfluxStore:
    return InfluxStore(url=server.url, org=server.org, bucket=bucket, token=token or server.token)


def post(server: InfluxServer, path: str, *, content: str | None = None, **body: object) -> httpx.Response:
    headers = {"Authorization": f"Token {server.token}"}
    return httpx.post(
        f"{server.url}/api/v2/{path}", headers=headers, content=content, json=body or None
    ).raise_for_status()


def bucket_keeping(server: InfluxServer, days: int) -> str:
    """Make a bucket that forgets, and return its name."""
    headers = {"Authorization": f"Token {server.token}"}
    found = httpx.get(f"{server.url}/api/v2/orgs", params={"org": server.org}, headers=headers)
    rule = {"type": "expire", "everySeconds": days * 86_400}
    name = f"keeps-{days}-days"
    org = found.raise_for_status().json()["orgs"][0]["id"]
    post(server, "buckets", name=name, orgID=org, retentionRules=[rule])
    return name


def spoil_line(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Let the line of one count be no line."""
    lines = LineWriter.lines
    monkeypatch.setattr(
        LineWriter,
        "lines",
        lambda self, rows: [
            "this is no line" if row.count == count else line
            for row, line in zip(rows, lines(self, rows), strict=True)
        ],
    )


@pytest.fixture
async def bucket(influxd: InfluxServer) -> str:
    return influxd.new_bucket()


@pytest.fixture
async def store(influxd: InfluxServer, bucket: str) -> AsyncIterator[InfluxStore]:
    made = open_at(influxd, bucket)
    await made.open()
    yield made
    await made.close()


async def test_a_field_of_another_type_costs_its_own_line_only(
    influxd: InfluxServer, store: InfluxStore, bucket: str
) -> None:
    place = f"write?org={influxd.org}&bucket={bucket}&precision=ms"
    post(influxd, place, content=f"reading,meter=X,quantity=y count_text=1.5 {T0}")
    rows = [row(T0 + i, i) for i in range(40)]
    rows[17] = row(T0 + 17, 2**64)  # the type of a field is one for all series of a measurement
    outcome = await store.write(rows)
    assert [rejection.row for rejection in outcome.rejected] == [rows[17]]
    assert "field type conflict" in outcome.rejected[0].reason
    assert outcome.accepted == 39
    assert await store.read(POINT, MONTH) == (*rows[:17], *rows[18:])


async def test_a_line_beyond_the_retention_costs_itself_only(influxd: InfluxServer) -> None:
    store = open_at(influxd, bucket_keeping(influxd, 200))
    await store.open()
    today = int(time.time() * 1000)
    fresh = [row(today - i * 1000, i) for i in range(10, 0, -1)]
    outcome = await store.write([*fresh, row(T0, 1)])
    assert [rejection.row.time_ms for rejection in outcome.rejected] == [T0]
    assert "retention" in outcome.rejected[0].reason
    assert await store.read(POINT, Interval(today - 60_000, today + 1)) == tuple(fresh)
    await store.close()


async def test_a_line_that_cannot_be_parsed_is_found_among_the_good_ones(
    store: InfluxStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_line(monkeypatch, 5)
    rows = [row(T0 + i, i) for i in range(20)]
    outcome = await store.write(rows)
    assert [rejection.row for rejection in outcome.rejected] == [rows[5]]
    assert "unable to parse" in outcome.rejected[0].reason
    assert len(await store.read(POINT, MONTH)) == 19


async def test_names_that_need_escaping(store: InfluxStore) -> None:
    rows = [row(T0, i, point=point) for i, point in enumerate(["a b.c", "a,b.c=d", 'a"b.c$', "製錬.電力"])]
    assert (await store.write(rows)).rejected == ()
    for each in rows:
        assert await store.read(each.point, MONTH) == (each,)
    bad = [row(T0, 1, point=point) for point in ("no-quantity", "a\nb.c", "a.b\\", "")]
    outcome = await store.write([*bad, row(T0, 2)])
    assert [rejection.row for rejection in outcome.rejected] == bad
    assert math.isclose(outcome.accepted, 1)


@pytest.mark.parametrize("days", [1, 99])
async def test_a_bucket_that_forgets_too_early_is_refused(influxd: InfluxServer, days: int) -> None:
    store = open_at(influxd, bucket_keeping(influxd, days))
    with pytest.raises(ConfigError, match="forgets readings") as caught:
        await store.open()
    assert f"{days} day" in caught.value.evidence
    assert "--retention 0" in caught.value.next
    await store.close()


@pytest.mark.parametrize("all_rights", [True, False])
async def test_a_bucket_of_another_organisation_is_not_taken_for_ours(
    influxd: InfluxServer, all_rights: bool
) -> None:
    token = influxd.token if all_rights else _for_one_bucket(influxd)
    good = open_at(influxd, influxd.bucket, token=token)
    await good.open()
    await good.close()
    other = InfluxStore(url=influxd.url, org="another", bucket=influxd.bucket, token=token)
    with pytest.raises(OutsideError, match="refuses the request") as caught:
        await other.open()
    assert 'organization name "another" not found' in caught.value.evidence
    await other.close()


def _for_one_bucket(server: InfluxServer) -> str:
    """Make a token that may read and write the bucket, and nothing else."""
    found = httpx.get(
        f"{server.url}/api/v2/buckets",
        params={"name": server.bucket},
        headers={"Authorization": f"Token {server.token}"},
    ).json()["buckets"][0]
    bucket = {"type": "buckets", "id": found["id"], "orgID": found["orgID"]}
    rights = [{"action": action, "resource": bucket} for action in ("read", "write")]
    made = post(server, "authorizations", orgID=found["orgID"], permissions=rights)
    return str(made.json()["token"])


async def test_a_bucket_that_is_not_there(influxd: InfluxServer) -> None:
    store = open_at(influxd, "no-such-bucket")
    with pytest.raises(ConfigError, match="no bucket 'no-such-bucket'"):
        await store.open()
    outcome = await store.write([row(T0, 1)])
    assert outcome.retry == [row(T0, 1)], "a person may make the bucket"
    assert outcome.trouble is not None and not outcome.trouble.retryable
    await store.close()


async def test_another_engine_behind_the_same_protocol_is_refused(victoria: VictoriaServer) -> None:
    store = InfluxStore(url=victoria.url, org="seiren", bucket="readings", token="none")
    with pytest.raises(OutsideError, match="refuses"):
        await store.open()
    await store.close()


async def test_a_wrong_token_is_no_refusal_of_lines(influxd: InfluxServer, bucket: str) -> None:
    store = open_at(influxd, bucket, token="wrong")
    for request in (store.open(), write(store, row(T0, 1)), store.read(POINT, MONTH)):
        with pytest.raises(OutsideError) as caught:
            await request
        assert "401" in caught.value.evidence
        assert "wrong" not in caught.value.render().replace("address is wrong", "")
    await store.close()


async def test_a_server_that_is_stopped_may_answer_later(tmp_path: Path) -> None:
    server = InfluxServer(tmp_path)
    server.start().set_up()
    store = open_at(server, server.bucket)
    try:
        await store.open()
        await store.write([row(T0, 1)])
        server.kill()
        for request in (write(store, row(T0, 2)), store.read(POINT, MONTH), store.open()):
            with pytest.raises(Unreachable, match="does not answer"):
                await request
        server.start()
        assert (await store.write([row(T0 + 1, 2)])).accepted == 1
        assert await store.read(POINT, MONTH) == (row(T0, 1), row(T0 + 1, 2))
    finally:
        await store.close()
        server.stop()


async def write(store: InfluxStore, *rows: StoreRow) -> None:
    (await store.write(rows)).settled()
