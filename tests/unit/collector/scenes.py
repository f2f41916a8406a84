"""Nights at a SYNTHETIC headquarters, as the collector's doctor and metrics are shown them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from collector.asking import Answer, Evidence
from collector.facts import (
    Aside,
    BrokerFacts,
    Facts,
    Fault,
    Happened,
    InboxFacts,
    LaneRecord,
    Live,
    Record,
    StoreFacts,
    Visited,
)
from config.hq import HqConfig, load_hq
from tests.unit.collector.material import HQ

FOLDER = "/srv/seiren"
GB = 1_000_000_000


def at(text: str) -> int:
    """An instant of Japan's time [ms since 1970 UTC]."""
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Tokyo"))
    return round(moment.timestamp() * 1000)


NOW_MS = at("2024-03-05 03:07:12")


@lru_cache
def hq() -> HqConfig:
    with TemporaryDirectory() as folder:
        (Path(folder) / "hq.yaml").write_text(HQ, encoding="utf-8")
        return load_hq(Path(folder))


def lane(agent: str, name: str, **more: Any) -> LaneRecord:
    facts: dict[str, Any] = {
        "site": "aoba" if agent.startswith("aoba") else "shiomi",
        "head_frames": 33_120,
        "taken": 400_896,
        "stored": 400_896,
        "newest_ms": NOW_MS - 9_000,
    }
    return LaneRecord(agent=agent, lane=name, **(facts | more))


def record(*lanes: LaneRecord, **more: Any) -> Record:
    facts: dict[str, Any] = {
        "points": 35,
        "store": "influxdb:readings",
        "behind": 0,
        "lanes": lanes
        or (
            lane("aoba-1", "registers"),
            lane("aoba-1", "samples", taken=3_820_411, stored=3_820_411),
            lane("shiomi-1", "registers", taken=221_760, stored=221_760),
        ),
        "set_aside": 0,
        "aside": (),
        "events": (),
        "read_ms": NOW_MS,
        "took_s": 0.4,
    }
    return Record(**(facts | more))


def live(**more: Any) -> Live:
    facts: dict[str, Any] = {
        "ledger": "hq",
        "ledger_id": "3f2a91c0" * 4,
        "version": "0.1.0",
        "time_ms": NOW_MS,
        "started_ms": at("2024-03-01 08:12"),
        "life": "c29f0d1b" * 4,
        "lives": 2,
        "broker": BrokerFacts(where="mqtt.hq.example:8883", connected=True, since_ms=at("2024-03-03 04:00")),
        "store": StoreFacts(name="influxdb:readings", open=True),
        "ledger_fault": None,
        "inboxes": {
            "registers": InboxFacts(messages=0, bytes=0, taken=81_204, dropped=0),
            "samples": InboxFacts(messages=2, bytes=51_200, taken=402_117, dropped=12),
        },
        "agents": (
            Visited(site="aoba", agent="aoba-1", heard_ms=NOW_MS - 2_000, state="online"),
            Visited(site="shiomi", agent="shiomi-1", heard_ms=NOW_MS - 8_000, state="online"),
        ),
        "strangers": {},
    }
    return Live(**(facts | more))


def evidence(**more: Any) -> Evidence:
    facts: dict[str, Any] = {
        "folder": FOLDER,
        "hq": hq(),
        "now_ms": NOW_MS,
        "where": f"{FOLDER}/ledger.sqlite",
        "ledger_id": "3f2a91c0" * 4,
        "record": record(),
        "ledger_fault": None,
        "answer": "told",
        "live": live(),
        "free_bytes": 212 * GB,
        "all_bytes": 480 * GB,
    }
    return Evidence(**(facts | more))


def all_well() -> Evidence:
    """Nothing to do."""
    return evidence()


def not_running() -> Evidence:
    """The machine was started anew, and the collector was not."""
    answer: Answer = "silent"
    return evidence(answer=answer, live=None)


def broker_away() -> Evidence:
    """The broker's machine is off; both agents were heard until then."""
    fault = Fault(
        what="the broker does not answer",
        where="mqtt.hq.example:8883",
        seen="Connection refused",
        cause="it is not running, or the network to it is down",
    )
    gone_ms = at("2024-03-05 01:12")
    broker = BrokerFacts(where="mqtt.hq.example:8883", connected=False, since_ms=gone_ms, fault=fault)
    heard = (
        Visited(site="aoba", agent="aoba-1", heard_ms=gone_ms, state="online"),
        Visited(site="shiomi", agent="shiomi-1", heard_ms=gone_ms, state="online"),
    )
    return evidence(live=live(broker=broker, agents=heard))


def site_silent() -> Evidence:
    """The line to Shiomi is cut; Aoba goes on."""
    cut_ms = at("2024-03-05 01:40")
    seen = live(
        agents=(
            Visited(site="aoba", agent="aoba-1", heard_ms=NOW_MS - 2_000, state="online"),
            Visited(site="shiomi", agent="shiomi-1", heard_ms=cut_ms, state="gone"),
        )
    )
    lanes = (
        lane("aoba-1", "registers"),
        lane("shiomi-1", "registers", taken=221_760, stored=221_760, newest_ms=cut_ms),
    )
    return evidence(record=record(*lanes), live=seen)


def store_down() -> Evidence:
    """InfluxDB does not answer; samples wait at the agents."""
    fault = Fault(
        what="the reading store does not answer",
        where="http://127.0.0.1:8086",
        seen="Connection refused",
        next="systemctl status influxdb",
    )
    lanes = (
        lane("aoba-1", "registers"),
        lane("aoba-1", "samples", taken=3_842_251, stored=3_820_411, waiting=21_840),
    )
    store = StoreFacts(name="influxdb:readings", open=True, fault=fault)
    return evidence(record=record(*lanes, behind=23_400), live=live(store=store))


def restored() -> Evidence:
    """A spool's disk came back from an image; what it took since then and never sent is owed."""
    text = "follows 5be8d6a3 up to frame 31000, 33120 were known"
    event = Happened(time_ms=at("2024-03-05 02:55"), agent="aoba-1", kind="older_disk", text=text)
    lanes = (lane("aoba-1", "registers", stored=400_776, owed=120), lane("shiomi-1", "registers"))
    return evidence(record=record(*lanes, events=(event,)))


def strangers() -> Evidence:
    """Somebody else publishes on this broker, and one message of ours was no message."""
    aside = Aside(
        source="seiren/v1/aoba/aoba-1/registers",
        reason="message that is not of the protocol: Invalid JSON",
        things=1,
        times=3,
        last_ms=at("2024-03-04 22:10"),
    )
    lanes = (
        lane("aoba-1", "registers"),
        lane("aoba-1", "samples", taken=3_820_411, stored=3_819_699, lost={"disk_full": 712}),
    )
    return evidence(
        record=record(*lanes, set_aside=1, aside=(aside,)),
        live=live(strangers={"tsuruga": 41}),
        free_bytes=6 * GB,
    )


def ledger_away() -> Evidence:
    """The database cannot be opened."""
    fault = Fault(
        what="the ledger does not answer",
        where="postgresql://hq@db.hq.example/seiren",
        seen="connection refused",
        next="systemctl status postgresql",
    )
    return evidence(where="", ledger_id="", record=None, ledger_fault=fault, live=live(ledger_fault=fault))


SCENES: Mapping[str, Callable[[], Evidence]] = {
    scene.__name__: scene
    for scene in (
        all_well,
        not_running,
        broker_away,
        site_silent,
        store_down,
        restored,
        strangers,
        ledger_away,
    )
}


def facts() -> Facts:
    """What a collector tells in a night with something of everything."""
    told = strangers()
    assert told.live is not None
    return Facts(live=told.live, record=told.record)


def busy(told: Evidence) -> Evidence:
    """The same night with names that are as long as can be."""
    assert told.record is not None
    return replace(told, record=record(lane("a" * 64, "registers", taken=10**9, owed=1)))


__all__ = ["SCENES", "Evidence", "at", "busy", "evidence", "facts", "live", "record"]
