"""What silent meters have in common, and what follows from it (pure): gateway, bus, spur or meter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from zoneinfo import ZoneInfo

from agent.health.facts import DeviceFacts, Facts, Fault
from core.runtime.findings import Finding
from core.runtime.words import when
from core.timeline import add_months, month, month_of

DAY_MS: Final = 86_400_000
_NAMED: Final = 6

_GATEWAY: Final = {
    "refused": (
        "the machine at this address is up and refuses the connection",
        "Modbus TCP is off in the gateway, it is starting, or another device has its address: {next}",
    ),
    "no_connection": (
        "so it is no single meter: it is the gateway's power or its network",
        "gateway dark: its supply and breaker. Gateway lit: LINK lamps at its socket and at the switch, "
        "swap the cable. Then {next}",
    ),
    "no_reply": (
        "the gateway takes the connection, so the network is good: it is the line behind it",
        "RS-485 behind the gateway: A/B at its terminals, the termination, its baud rate and parity; "
        "then the supply that the meters share",
    ),
    "exception": (
        "the gateway itself answers, so the network is good: it is the RS-485 line behind it",
        "RS-485 behind the gateway: A/B at its terminals, the termination, its baud rate and parity; "
        "then the supply that the meters share",
    ),
    "wrong": ("two masters speak on one line, or the gateway mixes up replies", "{next}"),
    "other": ("{cause}", "{next}"),
}
"""Why a whole bus is silent: what follows, and what to do."""

_SPUR: Final = (
    "Meter dark: its fuse or auxiliary supply. Meter lit: terminals A/B of its spur, then the unit number "
    "in its menu."
)

_REASONS: Final = {
    "full_scale": (
        "more than full scale",
        "the value would mean more power than the circuit can carry",
        "compare CT, VT, side and full_scale_kw in agent.yaml with the nameplates",
    ),
    "fell": (
        "fell",
        "an energy register only rises; it fell, and is not there again",
        "was the meter exchanged or reset? Note its display and the time",
    ),
    "stale": (
        "stands still while power flows",
        "at this power it should have moved by more than its resolution",
        "compare with the display: if that counts on, restart the meter's communication",
    ),
    "warmup": ("reads 0 after a restart", "zeros right after a restart are set aside", ""),
}
"""Why a value is set aside: what, what follows, what to do."""


def kind_of(fault: Fault | None) -> str:
    """Return what kind of silence it is: a key of the table of gateways."""
    if fault is None:
        return "other"
    match fault.what:
        case "No connection":
            return "refused" if "refused" in fault.seen else "no_connection"
        case "No answer":
            return "no_connection"
        case "No reply":
            return "no_reply"
        case "The device or its gateway cannot answer now":
            return "exception"
        case "A wrong reply was thrown away" | "The line is never silent":
            return "wrong"
    return "other"


def next_month_ms(now_ms: int, tz: ZoneInfo) -> int:
    """Return when the next local month begins [ms since 1970 UTC]."""
    return month(add_months(month_of(now_ms, tz), 1), tz).start_ms


def silent_meters(facts: Facts) -> Iterator[Finding]:
    """Yield a fault for each bus that is silent as a whole, and for each silent device of the others."""
    buses: dict[str, list[DeviceFacts]] = {}
    for device in facts.devices:
        buses.setdefault(device.bus, []).append(device)
    for name, devices in buses.items():
        silent = [device for device in devices if device.state == "silent"]
        living = [device for device in devices if device.state == "good"]
        if len(silent) > 1 and not living:
            yield _whole_bus(facts, name, silent, len(devices))
        else:
            yield from (_one(facts, device, living) for device in silent)


def _whole_bus(facts: Facts, name: str, silent: Sequence[DeviceFacts], devices: int) -> Finding:
    tz = ZoneInfo(facts.time_zone)
    ((kind, _),) = Counter(kind_of(device.fault) for device in silent).most_common(1)
    fault = next((device.fault for device in silent if kind_of(device.fault) == kind), None) or Fault(what="")
    follows, do = _GATEWAY[kind]
    where = next((bus.where for bus in facts.buses if bus.name == name), name)
    at = "" if where == name else f" ({where})"
    since = min((d.silent_since_ms for d in silent if d.silent_since_ms is not None), default=None)
    return Finding(
        what=f"{name}{at}: {_all(len(silent), devices)} silent{_since(since, facts.time_ms, tz)}",
        seen=_join(fault.seen, follows.format(cause=fault.cause)),
        do=do.format(next=fault.next),
        costs=_costs(facts, silent, tz),
        then="seiren agent status",
    )


def _all(silent: int, devices: int) -> str:
    return f"all {silent} devices" if silent == devices else f"{silent} of {devices} devices, none answers,"


def _one(facts: Facts, device: DeviceFacts, living: Sequence[DeviceFacts]) -> Finding:
    tz = ZoneInfo(facts.time_zone)
    fault = device.fault or Fault(what="no reply")
    kind = kind_of(fault)
    what = fault.what[:1].lower() + fault.what[1:]
    head = f"{device.id} ({device.where}) {what}{_since(device.silent_since_ms, facts.time_ms, tz)}"
    if living and kind in ("no_reply", "exception"):
        units = _units(living)
        head += f"; {units} answer{'s' if len(living) == 1 else ''}"
        seen = _join(fault.seen, "so the gateway and the bus are good: it is this meter or its spur")
        do = _SPUR
    else:
        seen, do = _join(fault.seen, fault.cause), fault.next
    costs = _costs(facts, [device], tz)
    return Finding(what=head, seen=seen, do=do, costs=costs, then=f"seiren agent probe {device.id}")


def _units(devices: Sequence[DeviceFacts]) -> str:
    units = sorted(device.unit for device in devices if device.unit is not None)
    if len(units) != len(devices):
        return f"{len(devices)} others"
    text = ", ".join(map(str, units[:_NAMED])) + (f" and {len(units) - _NAMED} more" * (len(units) > _NAMED))
    return f"unit{'s' * (len(units) > 1)} {text}"


def _costs(facts: Facts, silent: Sequence[DeviceFacts], tz: ZoneInfo) -> str:
    """What it costs if they stay silent."""
    counters = [device for device in silent if device.has_counter]
    if not counters:
        return "no energy: only gauges are read there"
    month_ms = next_month_ms(facts.time_ms, tz)
    moment = f"{when(month_ms, facts.time_ms, tz)}"
    many = len(counters) > 1
    text = f"nothing if {'they answer' if many else 'it answers'} before {moment}: " + (
        "their registers count on" if many else "its register counts on"
    )
    if any(device.volatile for device in counters):
        text += ". But a register that restarts at 0 when its meter loses power loses what was not read"
    elif month_ms - facts.time_ms <= DAY_MS:
        text += "; after that the energy of the two months can only be told by bounds"
    return text


def bad_points(facts: Facts) -> Iterator[tuple[bool, Finding]]:
    """Yield what is wrong with the values of answering devices, and whether it is a fault."""
    for device in facts.devices:
        if device.state == "silent":
            continue
        by_reason: dict[str, list[str]] = {}
        for point in device.points:
            if not point.good:
                name = point.point.removeprefix(f"{device.id}.")
                by_reason.setdefault(point.reason, []).append(name)
        for reason, names in by_reason.items():
            yield _bad(device, reason, names)


def _bad(device: DeviceFacts, reason: str, names: Sequence[str]) -> tuple[bool, Finding]:
    listed = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" * (len(names) > _NAMED))
    where = f"{device.id} ({device.where})"
    if reason in _REASONS:
        what, seen, do = _REASONS[reason]
        return bool(do), Finding(
            what=f"{where} {listed} {what}",
            seen=seen,
            do=do,
            costs="the readings are kept and marked; no energy is taken from them" if do else "",
            then=f"seiren agent probe {device.id}" if do else "",
        )
    says = f" ({reason})" if reason else ""
    return False, Finding(
        what=f"{where} has no value for {listed}{says}", then=f"seiren agent probe {device.id}"
    )


def slowness(facts: Facts) -> Iterator[Finding]:
    """Yield what keeps the agent from its schedule."""
    for name, lane in facts.lanes.items():
        if lane.skipped * 1000 > lane.due:
            yield Finding(
                what=f"{lane.skipped:,} of {lane.due:,} due {name} were skipped since the start",
                seen="their devices were silent, or are slower than the schedule",
                do=f"where no device is silent: lengthen {name}.every_s",
            )
    if facts.lateness_ms.p99 > 1000:
        yield Finding(
            what=f"readings are late: p99 {facts.lateness_ms.p99:,.0f} ms",
            seen="the gateways are slower than the schedule, or this machine is busy",
            do="lengthen samples.every_s, or raise connections where a gateway allows it",
        )
    for bus in facts.buses:
        if bus.discarded * 100 > bus.requests:
            yield Finding(
                what=f"{bus.name} threw {bus.discarded:,} wrong replies away of {bus.requests:,}",
                seen="two masters on one line, or a gateway that mixes up replies",
                do="make sure that nothing else polls this line",
            )


def _since(since_ms: int | None, now_ms: int, tz: ZoneInfo) -> str:
    return "" if since_ms is None else f" since {when(since_ms, now_ms, tz)}"


def _join(*texts: str) -> str:
    return "; ".join(text for text in texts if text)


def counts_read(devices: Iterable[DeviceFacts]) -> bool:
    """Tell whether any energy register is read now."""
    return any(device.has_counter and device.state == "good" for device in devices)
