"""From facts to what a person is told (pure): faults, notices, what is good, until when energy is safe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

from agent.health.clock_check import FIRST_PLAUSIBLE_MS
from agent.health.delivery import check_broker, full_text
from agent.health.evidence import Evidence, Found
from agent.health.facts import Facts
from agent.health.findings import Diagnosis
from agent.health.meters import DAY_MS, bad_points, silent_meters, slowness
from agent.health.safety import FULL_BYTES, full_ms, is_full, verdict
from core.runtime.certificates import Certificate, judge
from core.runtime.findings import Finding
from core.runtime.words import size, when

_WARN_FULL_MS: Final = 7 * DAY_MS
_CLOCK_OFF_MS: Final = 1000


def diagnose(seen: Evidence) -> Diagnosis:
    """Return what is wrong, what soon will be, what is good, and the line that matters."""
    tz = ZoneInfo(seen.time_zone)
    found = Found()
    _agent(seen, found)
    _clock(seen, found)
    _disk(seen, tz, found)
    check_broker(seen, tz, found)
    if seen.facts is not None:
        _meters(seen.facts, found)
    else:
        found.not_checked.append("meters")
        _left_on_disk(seen, tz, found)
    _certificates(seen, tz, found)
    return Diagnosis(
        agent=seen.agent,
        time_ms=seen.now_ms,
        time_zone=seen.time_zone,
        verdict=verdict(
            seen.facts,
            now_ms=seen.now_ms,
            tz=tz,
            is_running=seen.answer != "not_running",
            free_bytes=seen.free_bytes,
            is_urgent=any(fault.urgent for fault in found.faults),
        ),
        faults=tuple(found.faults),
        notices=tuple(found.notices),
        good=tuple(found.good),
        not_checked=tuple(found.not_checked),
        asked=seen.facts is not None or seen.answer == "not_running",
    )


def _agent(seen: Evidence, found: Found) -> None:
    port = seen.metrics_port
    match seen.answer:
        case "not_running":
            found.faults.append(
                Finding(
                    what=f"the agent {seen.agent} is not running",
                    seen="nothing answers for it here"
                    + (f" on port {port}" if port else "; its spool is free")
                    + ", and nobody holds its spool",
                    do=f"systemctl status seiren-agent, then start it: seiren agent run {seen.config}",
                    costs="half-hours without a reading keep only their sum: the registers count on",
                    urgent=True,
                )
            )
        case "somebody_else":
            found.faults.append(
                Finding(
                    what=f"port {port} is answered by somebody else, not by {seen.agent}",
                    seen="the agent could not be asked",
                    do=f"give each agent its own metrics_port in {seen.config}, and restart it",
                )
            )
        case "silent":
            found.faults.append(
                Finding(
                    what=f"the agent {seen.agent} runs, and does not answer on port {port}",
                    seen=f"process {seen.pid} holds its spool",
                    do="if its log says that the port was taken: another metrics_port. Else it hangs: "
                    "systemctl restart seiren-agent",
                    costs="while it hangs nothing is read; the registers count on",
                )
            )
        case "switched_off":
            found.not_checked.append("agent (metrics_port is off)")
        case "told":
            pass


def _clock(seen: Evidence, found: Found) -> None:
    clock = seen.clock
    if seen.now_ms < FIRST_PLAUSIBLE_MS:
        found.faults.append(
            Finding(
                what="the clock of this machine was never set",
                seen="it shows a time before this program was written",
                do="timedatectl set-ntp true, or set it by hand: timedatectl set-time",
                costs="readings carry a wrong time",
                urgent=True,
            )
        )
    elif clock.synchronised is None:
        found.not_checked.append(f"clock ({clock.why})")
    elif not clock.synchronised:
        found.notices.append(
            Finding(
                what="nothing keeps the clock of this machine right",
                do="timedatectl set-ntp true; chronyc tracking",
                costs="some seconds a day, by which each half-hour begins wrong",
            )
        )
    elif (clock.off_ms or 0) > _CLOCK_OFF_MS:
        found.faults.append(
            Finding(
                what=f"the clock is off by {clock.off_ms or 0:,.0f} ms",
                seen="it is being corrected",
                do="timedatectl timesync-status; chronyc tracking",
                costs="each half-hour begins wrong by as much",
            )
        )
    else:
        found.good.append("clock" + ("" if clock.off_ms is None else f" (off {clock.off_ms:.0f} ms)"))


def _disk(seen: Evidence, tz: ZoneInfo, found: Found) -> None:
    facts, free = seen.facts, seen.free_bytes
    if free is None:
        found.not_checked.append("disk")
        return
    ends_ms = full_ms(facts, seen.now_ms)
    full = is_full(facts, free)
    soon = ends_ms is not None and ends_ms - seen.now_ms < _WARN_FULL_MS
    if full or soon or (facts is not None and facts.spool.alarm):
        finding = Finding(
            what=_room_text(facts, free),
            seen=f"df -h {facts.spool.path}" if facts else "",
            do="free space on this disk: old logs, old packages; never files of the spool",
            until=f"now: with less than {size(FULL_BYTES)} free, a disk is taken for full"
            if full
            else full_text(facts, seen.now_ms, tz),
        )
        delivers = facts is not None and facts.broker.connected and all(one.alive for one in facts.ledgers)
        if full or not delivers:
            found.faults.append(finding)
        else:  # what is delivered leaves the disk again
            found.notices.append(replace(finding, until=f"if nothing were delivered, {finding.until}"))
    else:
        found.good.append(f"disk ({size(free)} free)")
    if facts is not None:
        losses = tuple(_losses(facts))
        found.notices += losses
        if not losses:
            found.good.append("spool")


def _room_text(facts: Facts | None, free_bytes: int) -> str:
    """How much room is left."""
    if facts is None or facts.spool.bytes_per_day is None:
        return f"the spool's disk has only {size(free_bytes)} free"
    left = f"{size(facts.spool.registers_left_bytes)} for registers, {size(facts.spool.samples_left_bytes)}"
    return f"the spool has only {left} for samples left; {size(facts.spool.bytes_per_day)} are written a day"


def _losses(facts: Facts) -> Iterator[Finding]:
    """What was ever lost on this disk, by lane and reason."""
    for name, lane in facts.lanes.items():
        dropped = lane.lost_by_reason.get("disk_full", 0)
        damaged = sum(lane.lost_by_reason.values()) - dropped
        if dropped:
            yield Finding(
                what=f"{dropped:,} {name} are named lost: the disk was full",
                do="give the spool more room: its disk, or spool_limits of the configuration",
            )
        if damaged:
            yield Finding(
                what=f"{damaged:,} {name} are named lost",
                seen=f"their files are kept: {facts.spool.path}/set-aside",
                do="look at the disk's health (smartctl -a), then show the files to headquarters",
            )


def _meters(facts: Facts, found: Found) -> None:
    found.faults += silent_meters(facts)
    for is_fault, finding in bad_points(facts):
        (found.faults if is_fault else found.notices).append(finding)
    found.notices += slowness(facts)
    found.good += _good_buses(facts)


def _good_buses(facts: Facts) -> Iterator[str]:
    """The buses all of whose devices answer."""
    states: dict[str, set[str]] = {}
    for device in facts.devices:
        states.setdefault(device.bus, set()).add(device.state)
    yield from (bus for bus, state in states.items() if state == {"good"})


def _left_on_disk(seen: Evidence, tz: ZoneInfo, found: Found) -> None:
    look = seen.look
    if look is None:
        return
    if look.problem:
        found.notices.append(Finding(what=f"the spool {look.path} cannot be read: {look.problem}"))
        return
    newest = "" if look.newest_ms is None else f", the newest of {when(look.newest_ms, seen.now_ms, tz)}"
    found.good.append(f"spool (at most {look.readings:,} readings wait{newest})")
    if look.damaged_files:
        found.notices.append(
            Finding(
                what=f"{look.damaged_files} files of the spool end in a damaged record",
                seen="the rest of them is whole; the agent names what is lost when it starts",
            )
        )


def _certificates(seen: Evidence, tz: ZoneInfo, found: Found) -> None:
    shown = seen.facts.broker.certificate_ends_ms if seen.facts is not None else None
    brokers = () if shown is None else (Certificate(seen.broker, "the broker's own certificate", shown),)
    judged = judge((*seen.certificates, *brokers), seen.now_ms, tz)
    found.faults += judged.faults
    found.notices += judged.notices
    found.good += judged.good
    for path, mode in seen.exposed:
        found.notices.append(
            Finding(f"others on this machine can read a secret: {path}", mode, do=f"chmod 600 {path}")
        )
