"""The Grafana dashboards: every query runs on the real InfluxDB, and says what the ledger says."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path

import pytest
import yaml

from collector.ledger import Ledger
from collector.projector import Projector
from collector.stores.base import StoreRow
from collector.stores.influxdb import InfluxStore
from config.hq import load_hq
from core.timeline import HALF_HOUR_MS
from tests.servers import InfluxServer
from tests.unit.collector.material import (
    GAUGES,
    HQ,
    MINUTE_MS,
    POWER,
    commit,
    data,
    folder_with,
    frame,
    head,
    table,
    taken,
)

GRAFANA = Path(__file__).parents[2] / "deploy/grafana"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in (GRAFANA / "dashboards").glob("*.json")}
PANELS = [(name, panel["title"]) for name, board in DASHBOARDS.items() for panel in board["panels"]]
VARIABLES = [
    (name, each["name"]) for name, board in DASHBOARDS.items() for each in board["templating"]["list"]
]
KILN = "AOB-KLN-01.active_energy_import"
WEEK_MS = 604_800_000


def as_grafana_sends(query: str, bucket: str, now_ms: int) -> str:
    """Put values where Grafana puts them: its own record `v`, and the dashboard's variables."""
    v = (
        f'v = {{defaultBucket: "{bucket}", timeRangeStart: {(now_ms - WEEK_MS) // 1000},'
        f" timeRangeStop: {now_ms // 1000}, windowPeriod: 10m}}\n"
    )
    query = re.sub(r"\$\{\w+:regex\}", ".*", query).replace("${quantity}", "active_power")
    assert "${" not in query
    imports = re.findall(r"^import .*\n", query, re.M)
    return "".join(imports) + v + re.sub(r"^import .*\n", "", query, flags=re.M)


class Grafana:
    """What asks the queries of the dashboards from a bucket."""

    def __init__(self, server: InfluxServer, bucket: str, now_ms: int) -> None:
        self._server = server
        self._bucket = bucket
        self._now_ms = now_ms

    def panel(self, name: str, title: str) -> list[dict[str, str]]:
        """Return what a panel is given."""
        (panel,) = (each for each in DASHBOARDS[name]["panels"] if each["title"] == title)
        (target,) = panel["targets"]
        return self._ask(target["query"])

    def choices(self, name: str, variable: str) -> set[str]:
        """Return what may be chosen for a variable."""
        (found,) = (each for each in DASHBOARDS[name]["templating"]["list"] if each["name"] == variable)
        return {row["_value"] for row in self._ask(found["query"])}

    def _ask(self, query: str) -> list[dict[str, str]]:
        return self._server.flux(as_grafana_sends(query, self._bucket, self._now_ms))


@pytest.fixture(scope="module")
def grafana(influxd: InfluxServer, tmp_path_factory: pytest.TempPathFactory) -> Grafana:
    """The dashboards on a bucket as a collector leaves it."""
    now_ms = time.time_ns() // 1_000_000
    bucket = influxd.new_bucket()
    asyncio.run(fill(influxd, bucket, tmp_path_factory.mktemp("hq"), now_ms))
    return Grafana(influxd, bucket, now_ms + 1000)


async def fill(server: InfluxServer, bucket: str, folder: Path, now_ms: int) -> None:
    """Bring ten hours into a ledger and a bucket.

    The intake counts 10 Wh at its terminals each minute, 200 Wh primary; its register falls once, in the
    second half-hour. The kiln counts 50 Wh a minute, for the last four hours.
    """
    folder_with(folder, HQ.replace('"10", side: primary', '"10", side: secondary, ct: 100/5'))
    end_ms = now_ms - now_ms % HALF_HOUR_MS
    ledger = Ledger.open(folder, create=True)
    intake = [taken(end_ms - (600 - i) * MINUTE_MS, i + (1000 if i < 45 else 0)) for i in range(601)]
    kiln = [taken(end_ms - (240 - i) * MINUTE_MS, 50 * i, point=KILN) for i in range(241)]
    frames = [frame(0, intake), frame(1, kiln)]
    commit(ledger, table(), table(GAUGES), *map(data, frames), head(3, 900))
    store = InfluxStore(url=server.url, org=server.org, bucket=bucket, token=server.token)
    clock = [now_ms - 5 * MINUTE_MS]
    projector = Projector(ledger, store, load_hq(folder), now_ms=lambda: clock[-1])
    while await projector.step() or await projector.walk():
        pass
    await projector.tell()
    clock.append(now_ms)
    await projector.tell()
    rows = [StoreRow(POWER, now_ms - i * 60_000, None, 100.0 + i, 0) for i in range(60)]
    rows[3] = StoreRow(POWER, now_ms - 3 * 60_000, None, 1e9, 0)
    (await store.write(rows)).settled()
    (await store.write([StoreRow(POWER, now_ms - 3 * 60_000, None, None, 2)])).settled()  # it turned bad
    await store.close()
    ledger.close()


@pytest.mark.parametrize(("name", "title"), PANELS)
def test_each_panel_has_something_to_show(grafana: Grafana, name: str, title: str) -> None:
    assert grafana.panel(name, title)


@pytest.mark.parametrize(("name", "variable"), VARIABLES)
def test_each_variable_has_its_choices(grafana: Grafana, name: str, variable: str) -> None:
    expected = {
        "meter": {"AOB-RCV-01", "AOB-KLN-01"},
        "quantity": {"active_power", "active_energy_import"},
        "site": {"aoba"},
        "agent": {"aoba-1"},
    }
    assert grafana.choices(name, variable) == expected[variable]


def test_power_is_primary_and_bad_readings_are_left_out(grafana: Grafana) -> None:
    rows = grafana.panel("plant-now", "$quantity by meter")
    assert {row["meter"] for row in rows} == {"AOB-RCV-01"}
    assert all(2000 <= float(row["_value"]) <= 2000 + 59 * 20 for row in rows)
    newest = [row for row in grafana.panel("plant-now", "Newest values") if row["quantity"] == "active_power"]
    assert [float(row["value"]) for row in newest] == [2000]
    assert sum(float(row["_value"]) for row in grafana.panel("plant-now", "Bad readings")) == 1
    silence = grafana.panel("plant-now", "Silence")
    assert [row["meter"] for row in silence] == ["AOB-KLN-01", "AOB-RCV-01"]


def test_energy_is_the_ledgers(grafana: Grafana) -> None:
    def numbers(title: str, column: str = "_value") -> list[float]:
        return [float(row[column]) for row in grafana.panel("energy-and-balance", title)]

    assert numbers("Received") == [0.2 * (600 - 30)]
    assert numbers("Missing half-hours") == [1]
    assert len(grafana.panel("energy-and-balance", "Missing half-hours, newest first")) == 1
    assert numbers("Half-hours at the top [kWh]") == [6.0] * 19
    assert numbers("At most unproven") == [0]
    meters = {row["meter"]: row for row in grafana.panel("energy-and-balance", "Meters")}
    assert float(meters["AOB-RCV-01"]["energy [kWh]"]) == 114
    assert (meters["AOB-RCV-01"]["half-hours"], meters["AOB-RCV-01"]["missing"]) == ("19", "1")
    assert float(meters["AOB-KLN-01"]["energy [kWh]"]) == 12
    assert meters["AOB-KLN-01"]["above"] == "AOB-RCV-01"
    (balance,) = grafana.panel("energy-and-balance", "Balance")
    assert (balance["meter"], balance["half-hours"]) == ("AOB-RCV-01", "8"), "where both are known"
    assert float(balance["remainder [kWh]"]) == 48 - 12
    assert float(balance["remainder [%]"]) == 75
    assert numbers("Remainder by half-hour [kWh]") == [4.5] * 8


def test_delivery_is_the_count(grafana: Grafana) -> None:
    (row,) = grafana.panel("delivery-health", "The count")
    count = {"taken": 900, "stored": 842, "waiting": 58, "owed": 0, "unexplained": 0}
    assert {key: int(row[key]) for key in count} == count
    assert (row["agent"], row["lane"]) == ("aoba-1", "registers")
    assert [row["_value"] for row in grafana.panel("delivery-health", "Waiting")] == ["58"]


def test_dashboards_need_nothing_but_grafana_and_the_source_that_is_provisioned() -> None:
    source = yaml.safe_load((GRAFANA / "provisioning/datasources/seiren.yaml").read_text())["datasources"][0]
    assert source["secureJsonData"] == {"token": "$SEIREN_INFLUX_TOKEN"}, "no secret in a file"
    wanted = {"type": source["type"], "uid": source["uid"]}
    uids = [board["uid"] for board in DASHBOARDS.values()]
    assert len(set(uids)) == len(DASHBOARDS) == 3
    for board in DASHBOARDS.values():
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
        for part in (*board["panels"], *board["templating"]["list"]):
            assert part["datasource"] == wanted
        for panel in board["panels"]:
            assert panel["type"] in {"stat", "table", "timeseries"}
            assert panel["description"]
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/seiren.yaml").read_text())["providers"]
    page = (GRAFANA.parents[1] / "docs/stores.md").read_text()
    assert provider["options"]["path"] in page.replace("seiren/`", "seiren`")
