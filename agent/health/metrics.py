"""The agent's facts as Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import Metric

from agent.health.facts import Facts
from core.runtime.exposition import Maker

_MAKER = Maker("seiren_agent_")
_gauge, _counter = _MAKER.gauge, _MAKER.counter
_REASONS: Final = ("damaged", "disk_full", "refused")


def families(facts: Facts) -> Iterator[Metric]:
    """Yield all metrics; labels are the configuration's own names, so there are never more of them."""
    yield from _agent(facts)
    yield from _delivery(facts)
    yield from _buses(facts)
    yield from _devices(facts)


def _agent(facts: Facts) -> Iterator[Metric]:
    yield _gauge(
        "info",
        "What runs here.",
        ("agent", "site", "version"),
        [((facts.agent, facts.site, facts.version), 1)],
    )
    yield _gauge(
        "start_time_seconds", "When the agent started, since 1970 UTC.", (), [((), facts.started_ms / 1000)]
    )
    late = facts.lateness_ms
    yield _gauge(
        "lateness_seconds",
        "How long after its due time a request started, in the last one to two hours.",
        ("quantile",),
        [
            ((quantile,), ms / 1000)
            for quantile, ms in (("0.5", late.p50), ("0.99", late.p99), ("1", late.max))
        ],
    )
    lanes = facts.lanes.items()
    yield _counter(
        "rounds_due",
        "Rounds that were due: one reading of one device's lane each.",
        ("lane",),
        [((name,), lane.due) for name, lane in lanes],
    )
    yield _counter(
        "rounds_taken", "Rounds that were taken.", ("lane",), [((name,), x.taken) for name, x in lanes]
    )
    yield _counter(
        "rounds_skipped",
        "Rounds left out because the one before took too long.",
        ("lane",),
        [((name,), lane.skipped) for name, lane in lanes],
    )


def _delivery(facts: Facts) -> Iterator[Metric]:
    lanes, now_ms = facts.lanes.items(), facts.time_ms
    yield _gauge(
        "waiting_readings",
        "Values on disk that no ledger holds yet.",
        ("lane",),
        [((name,), lane.waiting_readings) for name, lane in lanes],
    )
    yield _gauge(
        "waiting_frames",
        "Frames on disk that no ledger holds yet.",
        ("lane",),
        [((name,), lane.waiting_frames) for name, lane in lanes],
    )
    yield _gauge(
        "waiting_age_seconds",
        "Age of the oldest value that waits.",
        ("lane",),
        [
            ((name,), 0 if lane.oldest_ms is None else max(0, now_ms - lane.oldest_ms) / 1000)
            for name, lane in lanes
        ],
    )
    yield _counter(
        "lost_readings",
        "Values that are named lost.",
        ("lane", "reason"),
        [((name, why), lane.lost_by_reason.get(why, 0)) for name, lane in lanes for why in _REASONS],
    )
    spool = facts.spool
    yield _gauge("spool_bytes", "The spool's files.", (), [((), spool.bytes)])
    yield _gauge("spool_free_bytes", "Free space of its disk.", (), [((), spool.free_bytes)])
    yield _gauge("spool_limit_bytes", "What the spool may take.", (), [((), spool.limit_bytes)])
    yield _gauge(
        "spool_waiting_bytes", "What not all required ledgers hold.", (), [((), spool.waiting_bytes)]
    )
    yield _gauge(
        "spool_reserve_bytes", "What samples leave to registers.", (), [((), spool.registers_reserve_bytes)]
    )
    yield _gauge(
        "spool_left_bytes",
        "What can still be written if nothing is delivered: samples before the oldest are dropped, registers "
        "before the agent stops.",
        ("lane",),
        [(("registers",), spool.registers_left_bytes), (("samples",), spool.samples_left_bytes)],
    )
    yield _gauge("spool_alarm", "1 while the spool's room gets short.", (), [((), spool.alarm)])
    if facts.spool.bytes_per_day is not None:
        yield _gauge(
            "spool_growth_bytes_per_day",
            "What is written a day, as measured since the start.",
            (),
            [((), facts.spool.bytes_per_day)],
        )
    yield _gauge("broker_connected", "1 while the broker is reached.", (), [((), facts.broker.connected)])
    yield _gauge(
        "ledger_alive",
        "1 while its collector says that it is there.",
        ("ledger",),
        [((ledger.name,), ledger.alive) for ledger in facts.ledgers],
    )
    yield _gauge(
        "ledger_untrusted",
        "1 while another ledger than before speaks under the name, and frees nothing.",
        ("ledger",),
        [((ledger.name,), ledger.untrusted_id is not None) for ledger in facts.ledgers],
    )
    yield _gauge(
        "ledger_in_turn",
        "1 while two collectors speak under the name.",
        ("ledger",),
        [((ledger.name,), ledger.in_turn) for ledger in facts.ledgers],
    )


def _buses(facts: Facts) -> Iterator[Metric]:
    modbus = [bus for bus in facts.buses if bus.connected is not None]
    yield _gauge(
        "bus_connected",
        "1 while a connection is open.",
        ("bus",),
        [((b.name,), b.connected or 0) for b in modbus],
    )
    for name, text in (
        ("connects", "Connections opened."),
        ("requests", "Requests sent."),
        ("timeouts", "Requests without a whole reply in time."),
        ("exceptions", "Exception replies."),
        ("discarded", "Replies thrown away: wrong ones, and what nobody had asked for."),
    ):
        yield _counter(f"bus_{name}", text, ("bus",), [((bus.name,), getattr(bus, name)) for bus in modbus])


def _devices(facts: Facts) -> Iterator[Metric]:
    devices, labels = facts.devices, ("device", "bus")
    yield _gauge(
        "device_up",
        "1 while the device answers; missing until it was asked.",
        labels,
        [((d.id, d.bus), d.state == "good") for d in devices if d.state != "waiting"],
    )
    yield _gauge(
        "device_last_reading_time_seconds",
        "When the device last answered, since 1970 UTC.",
        labels,
        [((d.id, d.bus), d.last_ok_ms / 1000) for d in devices if d.last_ok_ms is not None],
    )
    yield _gauge(
        "device_points_bad",
        "Points of an answering device that have no value or are set aside.",
        labels,
        [((d.id, d.bus), d.points_all - d.points_good) for d in devices if d.state == "good"],
    )
    yield _gauge(
        "device_round_trip_seconds",
        "Round trip of the last requests.",
        (*labels, "quantile"),
        [
            ((d.id, d.bus, quantile), ms / 1000)
            for d in devices
            if d.round_trip_ms is not None
            for quantile, ms in zip(("0.5", "0.99"), d.round_trip_ms, strict=True)
        ],
    )
