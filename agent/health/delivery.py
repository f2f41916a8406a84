"""What is wrong on the way from the disk to the ledger (pure)."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from agent.health.evidence import Evidence, Found
from agent.health.facts import Facts, Fault
from agent.health.reach import Reach
from agent.health.safety import full_ms, samples_full_ms
from core.runtime.findings import Finding
from core.runtime.words import duration, when


def full_text(facts: Facts | None, now_ms: int, tz: ZoneInfo) -> str:
    ends_ms, samples_ms = full_ms(facts, now_ms), samples_full_ms(facts, now_ms)
    if ends_ms is None:
        return "the disk is full; then the oldest samples go, each named, and registers stop the agent"
    stops = f"{when(ends_ms, now_ms, tz)}: then the disk is full and the agent stops"
    if samples_ms is None or samples_ms >= ends_ms:
        return f"{stops}; no register is dropped before"
    return f"samples {when(samples_ms, now_ms, tz)}: then the oldest go, each named; registers {stops}"


_BROKER_DO: Final = {
    "unknown_name": "the name is not known here: getent hosts {host}; is the DNS server up?",
    "refused": "the machine is up, the broker is not: at the broker, systemctl status mosquitto",
    "no_route": "no way there from this machine: its own cable and gateway; ip route get {host}",
    "no_answer": "router, VPN or firewall on the way: power lamp of the router, its uplink; ping {host}",
    "open": "its TCP port is open, so it does not welcome the agent: access rules, TLS, or it is starting",
}


def check_broker(seen: Evidence, tz: ZoneInfo, found: Found) -> None:
    facts, reach = seen.facts, seen.reach
    host = seen.broker.rpartition(":")[0]
    if facts is None or facts.broker.connected:
        if facts is None and reach.reached != "open":
            found.faults.append(
                Finding(
                    what=f"broker {seen.broker} is not reached from this machine",
                    seen=reach.seen,
                    do=_BROKER_DO[reach.reached].format(host=host),
                    costs="nothing now: what was read stays on the disk",
                )
            )
            return
        found.good.append("broker" if facts else "broker (port open)")
        if facts is not None:
            _ledgers(facts, tz, found)
        return
    since = facts.broker.since_ms
    told = facts.broker.fault
    evidence = [reach.seen or "its TCP port is open"]
    if told is not None and told.seen and told.seen != reach.seen:
        evidence.append(f"the agent was told: {told.seen}")
    found.faults.append(
        Finding(
            what=f"broker {facts.broker.where} not reached since {when(since, facts.time_ms, tz)} "
            f"({duration(facts.time_ms - since)})",
            seen="; ".join(evidence),
            do=_what_to_do(reach, host, told) + ". The agent resumes by itself",
            until=full_text(facts, seen.now_ms, tz),
        )
    )
    found.not_checked += [f"ledger {ledger.name}" for ledger in facts.ledgers]


def _what_to_do(reach: Reach, host: str, told: Fault | None) -> str:
    """Where the port is open, the agent knows better why it is not welcome."""
    if reach.reached == "open" and told is not None and told.cause and told.next:
        return f"{told.cause}: {told.next}"
    return _BROKER_DO[reach.reached].format(host=host)


def _ledgers(facts: Facts, tz: ZoneInfo, found: Found) -> None:
    until = full_text(facts, facts.time_ms, tz)
    for ledger in facts.ledgers:
        if not ledger.alive:
            heard = "since the agent started" if ledger.heard_ms is None else ""
            heard = heard or f"since {when(ledger.heard_ms or 0, facts.time_ms, tz)}"
            finding = Finding(
                what=f"the collector of ledger {ledger.name} is not heard {heard}",
                seen="the broker is reached, so the network is good: it is at headquarters",
                do="at headquarters: systemctl status seiren-collector",
                until=until,
            )
        elif ledger.in_turn:
            finding = Finding(
                what=f"two collectors call themselves {ledger.name}",
                seen="their lives speak in turn: a copy of the ledger was started beside the original",
                do=f"at headquarters: stop one of the two collectors called {ledger.name}",
                costs="nothing is lost; each makes the agent take back what the other said",
            )
        elif ledger.untrusted_id is not None:
            finding = Finding(
                what=f"another ledger than before calls itself {ledger.name}",
                seen=f"ledger {ledger.untrusted_id}: it is delivered to, and nothing is freed on its word",
                do=f"ask headquarters whether its ledger is new; then seiren agent trust {ledger.name}",
                until=until,
            )
        else:
            found.good.append(f"ledger {ledger.name}")
            continue
        found.faults.append(finding)
