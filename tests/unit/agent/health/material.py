"""SYNTHETIC facts: a works, its meters and one night, as the screens of tests and of the page show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from agent.health.clock_check import ClockState
from agent.health.evidence import Evidence
from agent.health.facts import (
    BrokerFacts,
    BusFacts,
    DeviceFacts,
    Facts,
    Fault,
    LaneFacts,
    Lateness,
    LedgerFacts,
    PointFacts,
    SpoolFacts,
)
from agent.health.reach import Reach
from agent.health.spool_look import SpoolLook

TZ = ZoneInfo("Asia/Tokyo")


def at(text: str) -> int:
    """Return a local time of the works [ms since 1970 UTC]."""
    return int(datetime.fromisoformat(text).replace(tzinfo=TZ).timestamp() * 1000)


NIGHT_MS = at("2024-03-05 03:07:12")
STARTED_MS = at("2024-03-01 08:12")
BROKER = "mqtt.hq.example:8883"

NO_REPLY = Fault(
    what="No reply",
    where="gw-2 unit 7",
    seen="no complete reply within 0.25 s, registers 3203 to 3206, function 3",
    cause="a wrong unit number, or behind a gateway the RS-485 line or the meter's power",
    next="compare the unit number with the meter's display; check A/B and the termination",
)
NO_CONNECTION = Fault(
    what="No connection",
    where="192.0.2.12:502",
    seen="no answer within 3 s",
    cause="no power, a cable, a firewall, or a wrong address",
    next="ping 192.0.2.12, then look at the network cable and the meter's IP setting",
)
REFUSED = Fault(
    what="No connection",
    where="192.0.2.12:502",
    seen="Connection refused",
    cause="nothing listens there: Modbus TCP is off, or the address is another",
    next="nc -vz 192.0.2.12 502",
)
PATH_DOWN = Fault(
    what="The device or its gateway cannot answer now",
    where="gw-2 unit 7",
    seen="exception 0B (gateway target does not respond), registers 3203 to 3206, function 3",
    cause="the gateway does not reach the meter",
    next="check the meter's power and the RS-485 line behind the gateway",
)
WRONG_REPLY = Fault(
    what="A wrong reply was thrown away",
    where="gw-2 unit 7",
    seen="it is from unit 5",
    cause="two masters on one line, a gateway that mixes up replies, or no Modbus device at all",
    next="make sure that nothing else polls this line",
)


def device(name: str, bus: str, unit: int | None, **more: Any) -> DeviceFacts:
    """Return a meter that answers, but for what is said."""
    good: dict[str, Any] = {
        "id": name,
        "where": f"{bus} unit {unit}" if unit is not None else bus,
        "bus": bus,
        "unit": unit,
        "state": "good",
        "last_ok_ms": NIGHT_MS - 2_000,
        "points_good": 5,
        "points_all": 5,
        "has_counter": True,
        "round_trip_ms": (12.0, 31.0),
    }
    return DeviceFacts(**{**good, **more})


def silent(one: DeviceFacts, since_ms: int, fault: Fault, **more: Any) -> DeviceFacts:
    """Return a meter that has been silent since then."""
    return one.model_copy(
        update={
            "state": "silent",
            "silent_since_ms": since_ms,
            "last_ok_ms": since_ms - 60_000,
            "fault": fault,
            "tries": 12,
            "points_good": 0,
            **more,
        }
    )


def meter(name: str, bus: str, unit: int, kw: float, scale: float, kwh: float, today: float) -> DeviceFacts:
    """Return a meter with its power, full scale [kW], register and today's energy [kWh]."""
    return device(name, bus, unit, power_kw=kw, full_scale_kw=scale, register_kwh=kwh, today_kwh=today)


METERS = (
    meter("AOB-RCV-01", "gw-1", 1, 30_214, 45_780, 61_703_095, 94_176),
    meter("AOB-FUR-01", "gw-1", 2, 22_105, 34_540, 9_318_442, 68_894),
    meter("AOB-CEL-01", "gw-1", 3, 4_771, 17_040, 2_207_913, 14_880),
    meter("AOB-KLN-01", "gw-2", 5, 1_829, 2_286, 884_120, 5_702),
    meter("AOB-UTL-01", "gw-2", 6, 1_388, 1_713, 701_334, 4_327),
    meter("AOB-OXY-01", "gw-2", 8, 1_004, 1_141, 4_410_927, 3_130),
    meter("AOB-CMP-01", "gw-2", 7, 248, 1_143, 9_273_637, 771),
)
CMP_SILENT = silent(METERS[6], at("2024-03-05 02:48"), NO_REPLY, today_kwh=None)


def facts(**more: Any) -> Facts:
    """Return a works of which all is well at night, but for what is said."""
    good: dict[str, Any] = {
        "agent": "aoba-1",
        "site": "aoba",
        "time_zone": "Asia/Tokyo",
        "version": "0.1.0",
        "time_ms": NIGHT_MS,
        "started_ms": STARTED_MS,
        "broker": BrokerFacts(where=BROKER, connected=True, since_ms=STARTED_MS),
        "ledgers": (LedgerFacts(name="hq", alive=True, heard_ms=NIGHT_MS - 4_000),),
        "lanes": {
            "registers": LaneFacts(due=45_962, taken=45_962),
            "samples": LaneFacts(due=229_000, taken=229_000, waiting_readings=140, waiting_frames=2),
        },
        "spool": SpoolFacts(
            path="/var/lib/seiren/spool",
            bytes=183_400_000,
            free_bytes=212_400_000_000,
            bytes_per_day=2_360_000_000,
            measured_s=327_300,
            limit_bytes=36_000_000_000,
            waiting_bytes=400_000,
            registers_reserve_bytes=27_000_000_000,
            registers_left_bytes=36_000_000_000,
            samples_left_bytes=9_000_000_000,
            registers_bytes_per_day=400_000_000,
        ),
        "lateness_ms": Lateness(p50=2, p99=18, max=61),
        "buses": (
            BusFacts(name="gw-1", where="192.0.2.11:502", connected=True, connects=1, requests=412_000),
            BusFacts(name="gw-2", where="192.0.2.12:502", connected=True, connects=3, requests=398_000),
        ),
        "devices": METERS,
    }
    return Facts(**{**good, **more})


BROKER_DOWN = BrokerFacts(
    where=BROKER,
    connected=False,
    since_ms=at("2024-03-05 01:12"),
    fault=Fault(what="the broker does not answer", where=BROKER, seen="timed out"),
)
WAITING = {
    "registers": LaneFacts(
        due=45_962,
        taken=45_943,
        waiting_readings=2_031,
        waiting_frames=31,
        oldest_ms=at("2024-03-05 01:12"),
    ),
    "samples": LaneFacts(
        due=229_000,
        taken=228_886,
        waiting_readings=21_840,
        waiting_frames=115,
        oldest_ms=at("2024-03-05 01:12"),
    ),
}
NOBODY = (LedgerFacts(name="hq", alive=False, heard_ms=at("2024-03-05 01:12")),)


def bad_night() -> Facts:
    """Return the night on which the broker is not reached and one meter is silent."""
    return facts(broker=BROKER_DOWN, ledgers=NOBODY, lanes=WAITING, devices=(*METERS[:6], CMP_SILENT))


def point(name: str, reason: str, value: float | None = None) -> PointFacts:
    """Return a point that is not good."""
    return PointFacts(point=name, unit="Wh", value=value, time_ms=NIGHT_MS, good=False, reason=reason)


def evidence(told: Facts | None, **more: Any) -> Evidence:
    """Return what the doctor sees on the night, but for what is said."""
    seen = Evidence(
        agent="aoba-1",
        time_zone="Asia/Tokyo",
        now_ms=told.time_ms if told is not None else NIGHT_MS,
        config="agent.yaml",
        broker=BROKER,
        metrics_port=9464,
        answer="told" if told is not None else "not_running",
        facts=told,
        reach=Reach("open")
        if told is None or told.broker.connected
        else Reach("no_answer", "no answer within 3 s"),
        clock=ClockState(True, off_ms=3),
        free_bytes=212_400_000_000 if told is None else told.spool.free_bytes,
    )
    return replace(seen, **more)


GATEWAY_DARK = (*METERS[:3], *(silent(one, at("2024-03-05 02:48"), NO_CONNECTION) for one in METERS[3:]))
LINE_CUT = (*METERS[:3], *(silent(one, at("2024-03-05 02:48"), PATH_DOWN) for one in METERS[3:]))
MONTH_END_MS = at("2024-03-31 21:30")


def month_end() -> Facts:
    """Return the last evening of a month, one meter being silent."""
    ago_ms = MONTH_END_MS - NIGHT_MS
    quiet = silent(METERS[6], at("2024-03-31 20:02"), NO_REPLY, today_kwh=None)
    living = tuple(one.model_copy(update={"last_ok_ms": NIGHT_MS + ago_ms - 2_000}) for one in METERS[:6])
    return facts(time_ms=MONTH_END_MS, devices=(*living, quiet))


def disk_full_soon() -> Facts:
    """Return a night on which the disk fills within a day."""
    left = {
        "bytes": 20_500_000_000,
        "free_bytes": 1_480_000_000,
        "limit_bytes": 20_700_000_000,
        "waiting_bytes": 20_400_000_000,
        "alarm": True,
        "registers_left_bytes": 2_300_000_000,
        "samples_left_bytes": 120_000_000,
    }
    spool = facts().spool.model_copy(update=left)
    return facts(broker=BROKER_DOWN, ledgers=NOBODY, lanes=WAITING, spool=spool)


SCENES: dict[str, Callable[[], Evidence]] = {
    "bad_night": lambda: evidence(bad_night()),
    "gateway_dark": lambda: evidence(facts(devices=GATEWAY_DARK)),
    "line_cut": lambda: evidence(facts(devices=LINE_CUT)),
    "not_running": lambda: evidence(
        None,
        look=SpoolLook(
            "/var/lib/seiren/spool", 146, 23_871, 4_100_000, at("2024-03-05 01:12"), at("2024-03-05 02:40")
        ),
    ),
    "disk_full_soon": lambda: evidence(disk_full_soon()),
    "month_end": lambda: evidence(month_end()),
}
"""What the operating page shows, by the names it has there."""
