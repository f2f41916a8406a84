"""The servers that other tests stand on do what those tests take for granted."""

from __future__ import annotations

import pytest

from tests.parts import MISSING, REQUIRE, Part, require
from tests.servers import BrokerProcess, InfluxServer


def test_a_broker_comes_back_on_its_port_after_a_kill(broker: BrokerProcess) -> None:
    assert broker.answers()
    broker.kill()
    assert not broker.answers()
    broker.start()
    assert broker.answers()


def test_buckets_of_influxdb_are_apart(influxd: InfluxServer) -> None:
    assert influxd.new_bucket() != influxd.new_bucket()


NOWHERE = Part("a part of nowhere", lambda: None, "waiting")


def test_a_missing_part_skips_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUIRE, raising=False)
    with pytest.raises(pytest.skip.Exception, match=f"{MISSING}: a part of nowhere, brought by: waiting"):
        require(NOWHERE)


def test_a_missing_part_fails_where_parts_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRE, "1")
    with pytest.raises(pytest.fail.Exception, match=MISSING):
        require(NOWHERE)
