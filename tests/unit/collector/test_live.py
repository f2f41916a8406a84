"""What a running collector tells: facts as JSON and as metrics, its ledger read now and then only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from collector.asking import ask, gather
from collector.facts import Facts, Record
from collector.ledger import Ledger
from collector.live import SHARE, RecordKeeper
from collector.metrics import families
from collector.record import read_record
from config.hq import HqConfig, load_hq
from core.delivery.messages import Status, encode
from core.errors import Unreachable
from core.runtime.endpoint import ask_page
from core.runtime.exposition import text_of
from tests.servers import BrokerProcess
from tests.unit.collector.material import (
    AGENT,
    EPOCH,
    HQ,
    SITE,
    T0,
    commit,
    data,
    folder_with,
    frame,
    head,
    minutes,
    raw_frame,
    table,
)
from tests.unit.collector.scenes import facts, record
from tests.unit.collector.test_service import collector, peer, until


class Reader:
    """A ledger that takes its time, and may fail."""

    def __init__(self) -> None:
        self.now_s, self.takes_s, self.times, self.down = 0.0, 0.5, 0, False

    def monotonic(self) -> float:
        return self.now_s

    def read(self) -> Record:
        self.times += 1
        self.now_s += self.takes_s
        if self.down:
            raise Unreachable("the ledger does not answer")
        return record(read_ms=self.times)


async def test_being_asked_often_reads_the_ledger_a_twentieth_of_the_time() -> None:
    reader = Reader()
    keeper = RecordKeeper(reader.read, reader.monotonic)
    for _ in range(100):
        await keeper.get()
    assert reader.times == 1
    reader.now_s += SHARE * reader.takes_s
    found = await keeper.get()
    assert found is not None and (reader.times, found.read_ms) == (2, 2)


async def test_many_who_ask_at_once_cause_one_reading() -> None:
    reader = Reader()
    keeper = RecordKeeper(reader.read, reader.monotonic)
    await asyncio.gather(*(keeper.get() for _ in range(8)))
    assert reader.times == 1


async def test_while_the_ledger_is_away_the_last_record_is_told() -> None:
    reader = Reader()
    keeper = RecordKeeper(reader.read, reader.monotonic)
    reader.down = True
    assert await keeper.get() is None
    reader.down, reader.now_s = False, 100.0
    assert await keeper.get() is not None
    reader.down, reader.now_s = True, 200.0
    assert await keeper.get() is not None


def test_metrics_are_prometheus_text_with_units_and_bounded_labels() -> None:
    told = facts()
    assert told.record is not None
    parsed = list(text_string_to_metric_families(text_of(families(told)).decode()))
    assert {one.name for one in parsed} == {one.name for one in families(told)}
    for one in parsed:
        assert one.name.startswith("seiren_collector_") and one.documentation
        for sample in one.samples:
            assert sample.name.endswith("_total") is (one.type == "counter"), sample
            if one.name != "seiren_collector_info":
                assert set(sample.labels) <= {"site", "agent", "lane", "reason"}
    values = {
        (sample.name, sample.labels.get("agent"), sample.labels.get("lane")): sample.value
        for one in parsed
        for sample in one.samples
    }
    prefix = "seiren_collector_"
    assert values[f"{prefix}readings_stored", "aoba-1", "samples"] == 3_819_699
    assert values[f"{prefix}readings_lost", "aoba-1", "samples"] == 712
    assert values[f"{prefix}messages_dropped_total", None, "samples"] == 12
    assert values[f"{prefix}messages_strange_total", None, None] == 41
    assert values[f"{prefix}count_closes", None, None] == 1
    assert values[f"{prefix}broker_connected", None, None] == 1
    without = told.model_copy(update={"record": None})
    assert "readings_stored" not in text_of(families(without)).decode()


def test_the_record_of_a_ledger(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path, create=True)
    commit(ledger, table(), data(frame(0, minutes(0, 5)), frame(1, minutes(5, 5))), head(4, 25))
    commit(ledger, data(raw_frame(2, "nonsense")), (f"seiren/v1/{SITE}/{AGENT}/registers", b"hello"))
    commit(ledger, (f"seiren/v1/{SITE}/{AGENT}/registers", b"hello"))
    found = read_record(ledger, "a store", T0)
    (lane,) = found.lanes
    assert (lane.site, lane.agent, lane.lane, lane.head_frames) == (SITE, AGENT, "registers", 4)
    assert (lane.taken, lane.stored, lane.quarantined, lane.waiting) == (25, 10, 1, 14)
    assert lane.newest_ms == T0 + 9 * 60_000
    assert (found.points, found.behind, found.set_aside, found.closes) == (1, 3, 1, True)
    assert [(each.source, each.things, each.times) for each in found.aside] == [
        ("seiren/v1/aoba/aoba-1/registers", 1, 2),
        ("frames of aoba-1 registers", 1, 1),
    ]
    assert "payload is not JSON" in found.aside[1].reason


def hq_at(folder: Path, broker: int, port: int) -> HqConfig:
    text = HQ.replace("port: 1}", f"port: {broker}}}\nmetrics_port: {port}")
    return load_hq(folder_with(folder, text))


async def test_a_running_collector_is_asked_by_status_and_doctor(
    tmp_path: Path, mosquitto: BrokerProcess, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    hq = hq_at(tmp_path, mosquitto.port, port)
    monkeypatch.setattr("tests.unit.collector.test_service.hq_at", lambda folder, broker: hq)
    one = frame(0, minutes(0, 5))
    async with peer(mosquitto.port) as agent, collector(tmp_path, mosquitto.port) as ledger:
        online = encode(Status(process=EPOCH, state="online"))
        await until(lambda: agent.lives)
        await agent.say((f"seiren/v1/{SITE}/{AGENT}/status", online), table(), data(one))
        await agent.say(data(one, site="tsuruga"))
        await until(lambda: one.id in agent.acked())
        told = Facts.model_validate_json(await asyncio.to_thread(ask_page, port, "/status"))
        assert (told.live.ledger, told.live.ledger_id) == ("hq", ledger.id)
        assert told.live.broker.connected and told.live.store.open and told.live.ledger_fault is None
        assert told.live.life == agent.lives[-1].life and told.live.lives >= 1
        (visited,) = told.live.agents
        assert (visited.agent, visited.state, visited.heard_ms is not None) == (AGENT, "online", True)
        assert told.live.strangers == {"tsuruga": 1}
        assert told.live.inboxes["registers"].taken >= 3
        assert told.record is not None and [lane.stored for lane in told.record.lanes] == [5]
        metrics = await asyncio.to_thread(ask_page, port, "/metrics")
        assert b'seiren_collector_readings_stored{agent="aoba-1",lane="registers",site="aoba"} 5.0' in metrics
        seen = await asyncio.to_thread(gather, tmp_path, hq, now_ms=T0)
        assert (seen.answer, seen.ledger_fault) == ("told", None) and seen.record is not None
        assert (await asyncio.to_thread(ask, hq, "another ledger's id"))[0] == "somebody_else"
    assert ask(hq, "") == ("silent", None)


def test_a_ledger_that_is_not_there_is_evidence_too(tmp_path: Path, free_port: Callable[[], int]) -> None:
    hq = hq_at(tmp_path, 1, free_port())
    seen = gather(tmp_path, hq, now_ms=T0)
    assert (seen.answer, seen.record) == ("silent", None) and seen.ledger_fault is not None
    off = hq.model_copy(update={"metrics_port": None})
    assert gather(tmp_path, off, now_ms=T0).answer == "switched_off"
