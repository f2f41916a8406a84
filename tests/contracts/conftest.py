"""Every reading store, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from collector.stores.base import ReadingStore
from collector.stores.influxdb import InfluxStore
from collector.stores.sqlite import SqliteStore

Maker = Callable[[], ReadingStore]


@pytest.fixture(params=["sqlite", "influxdb"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Maker:
    """Make stores that stand on the same readings."""
    if request.param == "sqlite":
        return lambda: SqliteStore(tmp_path / "readings.sqlite")
    server: Any = request.getfixturevalue("influxd")
    bucket = server.new_bucket()
    return lambda: InfluxStore(url=server.url, org=server.org, bucket=bucket, token=server.token)


@pytest.fixture
async def store(make: Maker) -> AsyncIterator[ReadingStore]:
    made = make()
    await made.open()
    yield made
    await made.close()
