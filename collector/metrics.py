"""The collector's facts as Prometheus metrics; labels are names of agents, so there are never many."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from collector.facts import Facts, LaneRecord, Live, Record
from core.runtime.exposition import Maker

_MAKER = Maker("seiren_collector_")
_gauge, _counter = _MAKER.gauge, _MAKER.counter

_SUMS = (
    ("taken", "Readings that agents are known to have taken."),
    ("stored", "Readings that the ledger holds."),
    ("quarantined", "Readings kept as raw bytes, set aside with a reason."),
    ("waiting", "Readings on the agents' disks."),
    ("owed", "Readings known to have been taken, and found nowhere."),
)


def families(facts: Facts) -> Iterator[Metric]:
    """Yield all metrics; those of the record are missing until the ledger has answered."""
    yield from _live(facts.live)
    yield from _inboxes(facts.live)
    yield from _agents(facts.live)
    if facts.record is not None:
        yield from _record(facts.record)


def _live(live: Live) -> Iterator[Metric]:
    yield _gauge(
        "info",
        "What runs here.",
        ("ledger", "ledger_id", "version"),
        [((live.ledger, live.ledger_id, live.version), 1)],
    )
    yield _gauge(
        "start_time_seconds",
        "When the collector started, since 1970 UTC.",
        (),
        [((), live.started_ms / 1000)],
    )
    yield _counter(
        "lives", "Lives begun: one for each connection to broker or database.", (), [((), live.lives)]
    )
    yield _gauge("broker_connected", "1 while the broker is reached.", (), [((), live.broker.connected)])
    yield _gauge("ledger_up", "1 while the ledger takes what comes.", (), [((), live.ledger_fault is None)])
    yield _gauge(
        "store_up",
        "1 while the reading store takes what it is given.",
        (),
        [((), live.store.open and live.store.fault is None)],
    )


def _inboxes(live: Live) -> Iterator[Metric]:
    lanes = live.inboxes.items()
    yield _gauge(
        "inbox_bytes",
        "What waits for its transaction.",
        ("lane",),
        [((name,), inbox.bytes) for name, inbox in lanes],
    )
    yield _counter(
        "messages", "Messages taken.", ("lane",), [((name,), inbox.taken) for name, inbox in lanes]
    )
    yield _counter(
        "messages_dropped",
        "Messages left to their agents, which send them again.",
        ("lane",),
        [((name,), inbox.dropped) for name, inbox in lanes],
    )
    yield _counter(
        "messages_strange",
        "Messages of sites that are not ours, passed over.",
        (),
        [((), sum(live.strangers.values()))],
    )


def _agents(live: Live) -> Iterator[Metric]:
    labels = ("site", "agent")
    yield _gauge(
        "agent_online",
        "1 while the agent's process says that it is there; missing until something was said.",
        labels,
        [((each.site, each.agent), each.state == "online") for each in live.agents if each.state],
    )
    yield _gauge(
        "agent_heard_time_seconds",
        "When the agent last said something, since 1970 UTC; missing until it has.",
        labels,
        [
            ((each.site, each.agent), each.heard_ms / 1000)
            for each in live.agents
            if each.heard_ms is not None
        ],
    )


def _record(record: Record) -> Iterator[Metric]:
    labels = ("site", "agent", "lane")

    def of(lane: LaneRecord) -> tuple[str, ...]:
        return lane.site, lane.agent, lane.lane

    for name, text in _SUMS:
        yield _gauge(
            f"readings_{name}", text, labels, [(of(lane), getattr(lane, name)) for lane in record.lanes]
        )
    yield _gauge(
        "readings_lost",
        "Readings named lost, by reason.",
        (*labels, "reason"),
        [((*of(lane), reason), n) for lane in record.lanes for reason, n in sorted(lane.lost.items())],
    )
    yield _gauge(
        "head_frames",
        "How far the newest epoch goes.",
        labels,
        [(of(lane), lane.head_frames) for lane in record.lanes],
    )
    yield _gauge(
        "newest_reading_time_seconds",
        "Time of the newest reading that the ledger holds, since 1970 UTC.",
        labels,
        [(of(lane), lane.newest_ms / 1000) for lane in record.lanes if lane.newest_ms is not None],
    )
    yield _gauge("count_closes", "1 while the count closes.", (), [((), record.closes)])
    yield _gauge(
        "count_time_seconds", "When it was counted, since 1970 UTC.", (), [((), record.read_ms / 1000)]
    )
    yield _gauge(
        "store_frames_behind", "Frames that the reading store has not got yet.", (), [((), record.behind)]
    )
    yield _gauge("set_aside", "Messages and rows set aside with a reason.", (), [((), record.set_aside)])
