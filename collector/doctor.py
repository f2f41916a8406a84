"""`seiren collector doctor`: does every reading arrive, and what is to be done (pure but for the screen)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

from collector.asking import Evidence
from collector.facts import Fault, LaneRecord, Live, Record
from collector.status import NOT_TOLD, told_of
from core.runtime.findings import Finding, Findings, ends
from core.runtime.words import duration, folded, local, plain, size, when

SILENT_MS: Final = 600_000
"""An agent that says nothing for so long is silent [ms]; it sends registers each minute."""
RECENT_MS: Final = 86_400_000
"""Events of this age are told [ms]."""
LEAST_BYTES: Final = 1_000_000_000
FEW_BYTES: Final = 10_000_000_000
"""Free space of the ledger's disk that is a fault, and that is worth a word [bytes]."""
MANY_BEHIND: Final = 10_000
"""Frames that a reading store may be behind without a word [1]."""

_KINDS: Final = {
    "older_disk": "came back with an older disk: what it took since that image and never sent is lost",
    "spool_replaced": "came back with an empty or another spool: what the old one held is on its disk only",
    "clone": "runs twice, from copies of one disk: stop one of the two",
    "same_place": "two machines write as one: a copy of its memory runs somewhere",
    "foreign_epoch": "sends what belongs to another agent: two agents share a spool, or somebody forges",
    "refused": "sends frames that cannot be taken",
}
_EXITS: Final = {1: "exit 1: at least one fault", 3: "exit 3: the ledger could not be opened"}
_NOTHING: Final = "nothing: agents keep what they read, and send it later"
_KEPT: Final = "nothing is lost: agents keep what no ledger has acknowledged, registers for 90 days at least"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The line that matters, why, and what was found."""

    verdict: str
    why: str
    found: Findings
    opened: bool

    @property
    def exit_code(self) -> int:
        """0 no fault, 1 a fault, 3 the ledger could not be opened."""
        return 3 if not self.opened else 1 if self.found.faults else 0


def diagnose(evidence: Evidence) -> Diagnosis:
    """Say what is wrong, what soon will be, and what is good."""
    secrets = evidence.secrets
    faults = (*_faults(evidence), *secrets.faults)
    found = Findings(
        faults,
        (*_notices(evidence), *secrets.notices),
        (*_good(evidence), *secrets.good),
        tuple(_not_checked(evidence)),
    )
    verdict, why = _verdict(evidence, bool(faults))
    return Diagnosis(verdict, why, found, evidence.record is not None)


def lines(evidence: Evidence, diagnosis: Diagnosis) -> Iterator[str]:
    """Yield the screen line by line."""
    now = local(evidence.now_ms, evidence.hq.sites[0].time_zone)
    left = f"{plain(evidence.hq.ledger.name)}   {now:%a %Y-%m-%d %H:%M} {plain(now.tzname() or '')}"
    yield ends(left, diagnosis.found.tally)
    yield ""
    yield from folded("", diagnosis.verdict, indent=0)
    yield from folded(" (", f"{diagnosis.why})", indent=2)
    yield ""
    yield from diagnosis.found.lines()
    if diagnosis.exit_code in _EXITS:
        yield _EXITS[diagnosis.exit_code]


def document(evidence: Evidence, diagnosis: Diagnosis) -> dict[str, object]:
    """Return the same facts for programs."""
    return {
        "ledger": evidence.hq.ledger.name,
        "time_ms": evidence.now_ms,
        **asdict(diagnosis),
        "exit_code": diagnosis.exit_code,
        "collector": evidence.answer,
        "live": None if evidence.live is None else evidence.live.model_dump(),
        "record": None if evidence.record is None else evidence.record.model_dump(),
    }


def _verdict(evidence: Evidence, faulty: bool) -> tuple[str, str]:
    record, live = evidence.record, evidence.live
    if record is None:
        return "WHAT THE LEDGER HOLDS IS NOT KNOWN.", _KEPT
    if not record.closes:
        owed = sum(lane.owed for lane in record.lanes)
        frames = sum(lane.owed_frames for lane in record.lanes)
        unexplained = f"{owed:,} READINGS" if owed or not frames else f"{frames:,} FRAMES OF READINGS"
        return f"{unexplained} ARE UNEXPLAINED.", "leave agents and collector running: what is kept comes"
    if live is None:
        return "WHETHER READINGS ARRIVE IS NOT KNOWN.", _KEPT
    if not live.broker.connected or live.ledger_fault is not None:
        return "NO READING ARRIVES. Nothing has to be done tonight.", _KEPT
    if faulty:
        return "READINGS ARRIVE, but not all. Nothing has to be done tonight.", _KEPT
    return "ALL READINGS ARRIVE. Nothing has to be done.", "the count closes, and every agent was heard"


def _faults(evidence: Evidence) -> Iterator[Finding]:
    folder = evidence.folder
    if evidence.ledger_fault is not None:
        fault = evidence.ledger_fault
        yield Finding(
            what=f"the ledger {evidence.hq.ledger.name} cannot be opened: {fault.what}",
            seen=fault.seen or fault.where,
            do=fault.next,
            costs=_NOTHING,
            then=f"seiren collector doctor {folder}",
        )
    if evidence.answer == "silent":
        yield Finding(
            what="the collector does not answer",
            seen=NOT_TOLD["silent"].format(port=evidence.hq.metrics_port),
            do=f"systemctl status seiren-collector, or start it: seiren collector run {folder}",
            costs=_NOTHING,
            then=f"seiren collector status {folder}",
        )
    if evidence.live is not None:
        yield from _of_collector(evidence, evidence.live)
        yield from _of_agents(evidence, evidence.live)
    if evidence.record is not None:
        yield from _of_count(evidence, evidence.record)
    if evidence.free_bytes < LEAST_BYTES:
        yield _disk(evidence, urgent=True)


def _what_to_do(fault: Fault | None) -> str:
    """Where the broker is there and does not want us, the collector knows better why."""
    if fault is not None and fault.next and not fault.next.startswith(("nothing", "none")):
        return f"{fault.cause}: {fault.next}" if fault.cause else fault.next
    return "at its machine: systemctl status mosquitto; then the network to it"


def _of_collector(evidence: Evidence, live: Live) -> Iterator[Finding]:
    zone, now_ms = evidence.hq.sites[0].time_zone, evidence.now_ms
    broker = live.broker
    if not broker.connected:
        yield Finding(
            what=f"broker {broker.where} not reached since {when(broker.since_ms, now_ms, zone)} "
            f"({duration(now_ms - broker.since_ms)})",
            seen="" if broker.fault is None else broker.fault.seen or broker.fault.what,
            do=_what_to_do(broker.fault),
            costs=_NOTHING,
        )
    if live.ledger_fault is not None:
        yield Finding(
            what=f"the ledger takes nothing: {live.ledger_fault.what}",
            seen=live.ledger_fault.seen or live.ledger_fault.where,
            do=live.ledger_fault.next or "look at the database and its disk",
            costs=_NOTHING,
        )
    if live.store.fault is not None:
        yield Finding(
            what=f"the reading store {live.store.name} takes nothing: {live.store.fault.what}",
            seen=live.store.fault.seen or live.store.fault.where,
            do=live.store.fault.next or "start it again; what is missing in it follows by itself",
            costs="no energy and no figure: they come from the ledger. Samples wait on the agents' disks",
        )


def _of_agents(evidence: Evidence, live: Live) -> Iterator[Finding]:
    zone, now_ms = evidence.hq.sites[0].time_zone, evidence.now_ms
    heard = {(each.site, each.agent): each for each in live.agents}
    up_ms = min(now_ms - live.started_ms, now_ms - live.broker.since_ms) if live.broker.connected else 0
    for site, agent, newest_ms in _agents(evidence.record):
        visitor = heard.get((site, agent))
        last_ms = None if visitor is None else visitor.heard_ms
        if up_ms < SILENT_MS or (last_ms is not None and now_ms - last_ms < SILENT_MS):
            continue
        gone = visitor is not None and visitor.state in ("gone", "stopped")
        since = "" if newest_ms is None else f", its newest reading is of {when(newest_ms, now_ms, zone)}"
        yield Finding(
            what=f"agent {agent} of {site} silent"
            + (f" since {when(last_ms, now_ms, zone)}" if last_ms is not None else since),
            seen=(
                f"its process is {visitor.state}" if visitor is not None and gone else "the broker is reached"
            )
            + (since if last_ms is not None else ""),
            do="the network between the site and the broker; at its machine: seiren agent doctor",
            costs="nothing while it runs: it keeps what it reads. If it does not, registers bridge the gap",
        )


def _agents(record: Record | None) -> Iterator[tuple[str, str, int | None]]:
    """Site, name and newest reading of each agent that has ever delivered."""
    lanes: tuple[LaneRecord, ...] = () if record is None else record.lanes
    for site, agent in dict.fromkeys((lane.site, lane.agent) for lane in lanes):
        newest = [lane.newest_ms for lane in lanes if lane.agent == agent and lane.newest_ms is not None]
        yield site, agent, max(newest, default=None)


def _of_count(evidence: Evidence, record: Record) -> Iterator[Finding]:
    open_lanes = [lane for lane in record.lanes if not lane.closes]
    if open_lanes:
        yield Finding(
            what="the count does not close",
            seen="; ".join(
                f"{lane.agent} {lane.lane}: {lane.owed:,} of {lane.taken:,}"
                + (f", in {lane.owed_frames:,} frames" if lane.owed_frames and not lane.owed else "")
                for lane in open_lanes
            ),
            do="leave agents and collector running: what an agent still has, it sends. "
            "What stays is on a disk that is not back",
            then=f"seiren count {evidence.folder}",
        )


def _notices(evidence: Evidence) -> Iterator[Finding]:
    record, live, now_ms = evidence.record, evidence.live, evidence.now_ms
    zone = evidence.hq.sites[0].time_zone
    if live is not None and live.strangers:
        sites = ", ".join(f"{site} ({n:,} messages)" for site, n in live.strangers.items())
        yield Finding(
            what=f"messages of sites that are none of ours: {sites}",
            do="add the site to hq.yaml, or let the broker's rules refuse it: seiren collector acl",
        )
    if record is not None:
        if record.aside:
            newest = record.aside[0]
            yield Finding(
                what=f"set aside so far: {record.set_aside:,}, the last {when(newest.last_ms, now_ms, zone)}",
                seen=f"{newest.source}: {newest.reason}",
                do="find who publishes there; what was set aside is kept",
            )
        for lane in record.lanes:
            if lane.quarantined:
                yield Finding(
                    what=f"unreadable, {lane.agent} {lane.lane}: {lane.quarantined:,} readings set aside",
                    do="see the collector's log for the reason; the raw bytes are kept in the ledger",
                )
            if lane.lost:
                reasons = ", ".join(f"{n:,} {reason}" for reason, n in sorted(lane.lost.items()))
                yield Finding(what=f"named lost, {lane.agent} {lane.lane}: {reasons}")
        told = {(each.agent, each.kind): each for each in record.events if each.kind in _KINDS}
        for event in told.values():
            if now_ms - event.time_ms < RECENT_MS:
                yield Finding(
                    what=f"agent {event.agent} {_KINDS[event.kind]}",
                    seen=f"{when(event.time_ms, now_ms, zone)} {event.kind}: {told_of(event)}",
                )
        if record.behind > MANY_BEHIND:
            yield Finding(
                what=f"the reading store is {record.behind:,} frames behind the ledger",
                costs="no figure: they come from the ledger; dashboards lag",
            )
    if LEAST_BYTES <= evidence.free_bytes < FEW_BYTES:
        yield _disk(evidence)


def _disk(evidence: Evidence, *, urgent: bool = False) -> Finding:
    return Finding(
        what=f"the disk of {evidence.folder} has only {size(evidence.free_bytes)} free",
        seen=f"df -h {evidence.folder}",
        do="free space on this disk, or move the ledger to a larger one",
        until="when it is full nothing is taken, and agents keep everything",
        urgent=urgent,
    )


def _good(evidence: Evidence) -> Iterator[str]:
    record, live = evidence.record, evidence.live
    if record is not None:
        yield "ledger"
        if record.lanes and record.closes:
            yield "count"
    if live is not None:
        if live.broker.connected:
            yield "broker"
        if live.store.fault is None and live.store.open:
            yield "reading store"
        heard = [each for each in live.agents if each.heard_ms is not None]
        fresh = [each for each in heard if evidence.now_ms - (each.heard_ms or 0) < SILENT_MS]
        if fresh:
            yield f"{len(fresh)} agent{'s' * (len(fresh) != 1)}"
    if evidence.free_bytes >= FEW_BYTES:
        yield f"disk ({size(evidence.free_bytes)} free)"


def _not_checked(evidence: Evidence) -> Iterator[str]:
    if evidence.live is None:
        if evidence.answer != "silent":
            yield f"collector: {NOT_TOLD[evidence.answer].format(port=evidence.hq.metrics_port)}"
        yield "broker, agents: only the running collector knows"
