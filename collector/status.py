"""The screen of `seiren collector status`: what a ledger holds, and how its collector fares."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from collector.asking import Answer, status_of
from collector.facts import Happened, Live, Record
from collector.ledger import Ledger
from collector.table import Form, as_csv, as_json, as_table
from config.hq import HqConfig
from core.delivery.frames import Lane
from core.runtime.words import age, duration, folded, plain, stamp, when

_EVENTS_SHOWN = 5
_ASIDE_SHOWN = 5

NOT_TOLD = {
    "silent": "nothing answers on port {port}: it does not run, or tells nothing",
    "switched_off": "not asked: metrics_port is off",
    "somebody_else": "port {port} is answered by somebody else",
}
"""Why nothing is known of the running collector."""


def status_report(ledger: Ledger, hq: HqConfig, folder: Path, form: Form, *, now_ms: int) -> str:
    """Return the state of a ledger and its collector as text.

    Raises
    ------
    ConfigError
        The reading store's token cannot be read.
    Unreachable, OutsideError
        The ledger failed.
    """
    record, answer, live = status_of(folder, hq, ledger, now_ms=now_ms)
    if form is Form.CSV:
        return as_csv([lane.model_dump() | {"lost": sum(lane.lost.values())} for lane in record.lanes])
    if form is Form.JSON:
        return as_json(
            {
                "ledger": {"name": hq.ledger.name, "id": ledger.id, "where": ledger.where},
                "collector": answer,
                "live": None if live is None else live.model_dump(),
                **record.model_dump(),
            }
        )
    return "\n".join(_lines(ledger, hq, record, answer, live))


def _lines(ledger: Ledger, hq: HqConfig, record: Record, answer: Answer, live: Live | None) -> Iterator[str]:
    zone, now_ms = hq.sites[0].time_zone, record.read_ms
    yield from folded("ledger", f"{hq.ledger.name}, id {ledger.id}, {record.points} points", indent=11)
    yield from folded("", ledger.where, indent=11)
    if live is None:
        told = NOT_TOLD[answer].format(port=hq.metrics_port)
        yield from folded("collector", told, indent=11)
    else:
        yield from _collector(live, zone)
    behind = f"{record.behind:,} frames behind the ledger" if record.behind else "up to date"
    fault = "" if live is None or live.store.fault is None else f"; FAULT: {live.store.fault.what}"
    yield from folded("store", f"{record.store}, {behind}{fault}", indent=11)
    yield ""
    if not record.lanes:
        yield "no agent has been heard yet"
    else:
        yield from _lanes(record)
        yield ""
        yield from _agents(record, live, now_ms, zone)
    for each in record.aside[:_ASIDE_SHOWN]:
        times = f" ({each.times:,} times)" if each.times > 1 else ""
        yield from folded("set aside", f"{each.source}: {each.reason}{times}", indent=11)
    if live is not None:
        for site, n in live.strangers.items():
            yield from folded("stranger", f"{n:,} messages of site {site} passed over", indent=11)
    for event in record.events[-_EVENTS_SHOWN:]:
        at = when(event.time_ms, now_ms, zone)
        yield from folded("event", f"{at} {event.agent} {event.kind}: {told_of(event)}", indent=11)


def _collector(live: Live, zone: ZoneInfo) -> Iterator[str]:
    running = duration(live.time_ms - live.started_ms)
    yield from folded(
        "collector",
        f"running since {stamp(live.started_ms, zone)} ({running}), life {live.life[:8]}"
        + (f", its {live.lives}th" if live.lives > 3 else "")
        + f"   Seiren {live.version}",
        indent=11,
    )
    broker = live.broker
    since = f"since {when(broker.since_ms, live.time_ms, zone)}"
    why = f": {broker.fault.seen or broker.fault.what}" if broker.fault is not None else ""
    reached = "reached" if broker.connected else "NOT REACHED"
    yield from folded(
        "broker", f"{broker.where} {reached} {since}{'' if broker.connected else why}", indent=11
    )
    if live.ledger_fault is not None:
        yield from folded("", f"FAULT: the ledger takes nothing: {live.ledger_fault.what}", indent=11)
    inboxes = live.inboxes.values()
    waiting = sum(inbox.messages for inbox in inboxes)
    yield from folded(
        "inbox",
        (f"{waiting:,} messages wait" if waiting else "empty")
        + f"; {sum(inbox.taken for inbox in inboxes):,} taken, "
        f"{sum(inbox.dropped for inbox in inboxes):,} left to their agents",
        indent=11,
    )


def _lanes(record: Record) -> Iterator[str]:
    header = ("agent", "lane", "stored", "waiting", "owed", "lost", "set aside")
    rows = [
        (
            plain(lane.agent),
            lane.lane,
            f"{lane.stored:,}",
            f"{lane.waiting:,}",
            f"{lane.owed:,}",
            f"{sum(lane.lost.values()):,}",
            f"{lane.quarantined:,}",
        )
        for lane in record.lanes
    ]
    yield as_table(header, rows, left=2)
    for lane in record.lanes:
        if lane.lost:
            reasons = ", ".join(f"{reason} {n:,}" for reason, n in sorted(lane.lost.items()))
            yield from folded("lost", f"{lane.agent} {lane.lane}: {reasons}", indent=11)


def _agents(record: Record, live: Live | None, now_ms: int, zone: ZoneInfo) -> Iterator[str]:
    """How new is what each agent has delivered, and when it was last heard."""
    seen = {} if live is None else {(each.site, each.agent): each for each in live.agents}
    header = ("agent", "process", "heard", "registers until", "samples until", "head")
    rows = []
    for site, agent in dict.fromkeys((lane.site, lane.agent) for lane in record.lanes):
        lanes = {lane.lane: lane for lane in record.lanes if lane.agent == agent}
        visitor = seen.get((site, agent))
        heard = "-" if visitor is None or visitor.heard_ms is None else age(now_ms - visitor.heard_ms)
        until = []
        for name in Lane:
            newest = lanes[name].newest_ms if name in lanes else None
            until.append("-" if newest is None else _at(newest, now_ms, zone))
        head = "/".join(f"{lanes[name].head_frames:,}" for name in Lane if name in lanes)
        state = "-" if visitor is None or not visitor.state else visitor.state
        rows.append((plain(agent), state, heard, *until, head))
    yield as_table(header, rows, left=2)


def _at(time_ms: int, now_ms: int, zone: ZoneInfo) -> str:
    """An instant to the minute: ``01:12`` today, else ``2024-02-03 01:12``."""
    text, today = stamp(time_ms, zone), stamp(now_ms, zone)
    return text[11:] if text[:10] == today[:10] else text


def told_of(event: Happened) -> str:
    """The evidence of an event: what the receiver saw, or what an agent recorded, as words."""
    try:
        evidence = json.loads(event.text)
    except ValueError:
        return event.text
    if not isinstance(evidence, dict):
        return event.text
    return ", ".join(f"{key} {value}" for key, value in evidence.items() if key not in ("event", "time_ms"))
