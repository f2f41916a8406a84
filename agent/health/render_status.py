"""The screen of ``seiren agent status``: what a running agent tells of itself, in a dozen lines."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from agent.health.facts import BrokerFacts, Facts, LedgerFacts
from core.runtime.findings import ends
from core.runtime.words import duration, folded, plain, size, stamp, when


def is_good(facts: Facts) -> bool:
    """Tell whether every device answers, broker and ledgers are there, and the spool has room."""
    return (
        facts.broker.connected
        and all(
            ledger.alive and not ledger.in_turn and ledger.untrusted_id is None for ledger in facts.ledgers
        )
        and not any(device.state == "silent" for device in facts.devices)
        and not facts.spool.alarm
    )


def lines(facts: Facts) -> Iterator[str]:
    """Yield the screen line by line."""
    tz, now_ms = ZoneInfo(facts.time_zone), facts.time_ms
    running = duration(now_ms - facts.started_ms)
    left = f"{plain(facts.agent)} at {plain(facts.site)}   Seiren {facts.version}"
    yield ends(left, f"running since {stamp(facts.started_ms, tz)} ({running})")
    states = [device.state for device in facts.devices]
    silent = [device.id for device in facts.devices if device.state == "silent"]
    waiting = f", {states.count('waiting')} not asked yet" * ("waiting" in states)
    yield from folded(
        "devices",
        f"{states.count('good')} of {len(states)} answer{waiting}"
        + (f"; SILENT: {', '.join(silent)}" if silent else ""),
        indent=11,
    )
    bad = [point for device in facts.devices for point in device.points if not point.good]
    points = sum(device.points_all for device in facts.devices)
    good = sum(device.points_good for device in facts.devices)
    named = ", ".join(point.point for point in bad[:3]) + ", ..." * (len(bad) > 3)
    yield from folded("points", f"{good:,} of {points:,} good{f'; not: {named}' if bad else ''}", indent=11)
    late = facts.lateness_ms
    yield f"late       p50 {late.p50:,.0f} ms, p99 {late.p99:,.0f} ms, at most {late.max:,.0f} ms"
    yield ""
    yield f"{'rounds':<10}{'due':>14}{'taken':>14}{'skipped':>12}{'values wait':>14}{'oldest':>14}"
    for name, lane in facts.lanes.items():
        oldest = "-" if lane.oldest_ms is None else when(lane.oldest_ms, now_ms, tz)
        yield (
            f"{name:<10}{lane.due:>14,}{lane.taken:>14,}{lane.skipped:>12,}"
            f"{lane.waiting_readings:>14,}{oldest:>14}"
        )
    yield ""
    yield from folded("broker", _broker(facts.broker, now_ms, tz), indent=11)
    for ledger in facts.ledgers:
        yield from folded("ledger", _ledger(ledger, now_ms, tz), indent=11)
    spool = facts.spool
    grows = "growth not measured yet"
    if spool.bytes_per_day is not None:
        grows = f"{size(spool.bytes_per_day)} a day"
    short = "; ITS ROOM GETS SHORT" if spool.alarm else ""
    yield from folded(
        "spool",
        f"{size(spool.bytes)} of at most {size(spool.limit_bytes)} in {spool.path}, "
        f"{size(spool.waiting_bytes)} wait; {grows}, {size(spool.free_bytes)} free on its disk{short}",
        indent=11,
    )


def _broker(broker: BrokerFacts, now_ms: int, tz: ZoneInfo) -> str:
    since = f"since {when(broker.since_ms, now_ms, tz)} ({duration(now_ms - broker.since_ms)})"
    if broker.connected:
        return f"{broker.where} reached {since}"
    why = f": {broker.fault.seen or broker.fault.what}" if broker.fault else ""
    return f"{broker.where} NOT REACHED {since}{why}"


def _ledger(ledger: LedgerFacts, now_ms: int, tz: ZoneInfo) -> str:
    heard = "not heard yet" if ledger.heard_ms is None else f"heard {when(ledger.heard_ms, now_ms, tz)}"
    trouble = "; TWO COLLECTORS of this name speak in turn" if ledger.in_turn else ""
    if ledger.untrusted_id is not None:
        trouble += f"; NOT TRUSTED: ledger {ledger.untrusted_id}"
    return f"{ledger.name} {'alive' if ledger.alive else 'NOT ALIVE'}, {heard}{trouble}"
