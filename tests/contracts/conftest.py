"""Every reading store, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from collector.stores.base import ReadingStore
from tests.contracts import engines
from tests.contracts.engines import FAILS, TITLES, Engine
from tests.line_protocol_servers import InfluxOneServer, VictoriaServer

Maker = Callable[[], ReadingStore]
DURABLE = [name for name in TITLES if name != "victoria"]


@pytest.fixture(scope="session")
def influxd_1(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxOneServer]:
    """A running InfluxDB 1; take a `new_database()` in each test."""
    server = InfluxOneServer(tmp_path_factory.mktemp("influxd_1"))
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def victoria(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VictoriaServer]:
    """A running VictoriaMetrics; take a `new_database()` in each test."""
    server = VictoriaServer(tmp_path_factory.mktemp("victoria"))
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(params=DURABLE)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """Each engine in turn, with an empty place; a test that may name others parametrises it indirectly."""
    test = request.function.__name__
    if reason := FAILS.get((request.param, test)):
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    match request.param:
        case "sqlite":
            return engines.sqlite_engine(tmp_path)
        case "influxdb":
            return engines.influxdb_engine(request.getfixturevalue("influxd"))
        case "influxdb1":
            return engines.influxdb1_engine(request.getfixturevalue("influxd_1"))
        case _:
            return engines.victoria_engine(request.getfixturevalue("victoria"))


@pytest.fixture
def make(engine: Engine) -> Maker:
    """Make stores that stand on the same readings."""
    return engine.make


@pytest.fixture
async def store(make: Maker) -> AsyncIterator[ReadingStore]:
    """A store that is open and empty."""
    made = make()
    await made.open()
    yield made
    await made.close()
