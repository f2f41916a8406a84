"""What is said to whom: until when energy is safe, whose fault a silence is, and when one may sleep on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.health.clock_check import ClockState
from agent.health.diagnosis import diagnose
from agent.health.facts import Facts, Fault, LaneFacts, LedgerFacts
from agent.health.findings import Diagnosis
from agent.health.meters import kind_of
from agent.health.reach import Reach
from agent.health.render_status import is_good
from agent.modbus import faults as modbus
from agent.modbus.wire import ReadRequest
from core.errors import OutsideError
from core.runtime.certificates import Certificate
from tests.unit.agent.health.material import (
    BROKER_DOWN,
    METERS,
    NIGHT_MS,
    NO_CONNECTION,
    NO_REPLY,
    NOBODY,
    PATH_DOWN,
    REFUSED,
    WRONG_REPLY,
    at,
    bad_night,
    device,
    evidence,
    facts,
    point,
    silent,
)

SINCE_MS = at("2024-03-05 02:48")
DAY_MS = 86_400_000


def of(told: Facts | None) -> Diagnosis:
    return diagnose(evidence(told))


def with_spool(told: Facts, **more: int | None) -> Facts:
    return told.model_copy(update={"spool": told.spool.model_copy(update=more)})


def test_a_good_night_has_no_fault_and_ends_with_0() -> None:
    found = of(facts())
    assert (found.faults, found.notices, found.exit_code) == ((), (), 0)
    assert found.verdict.nothing_tonight
    assert {"spool", "broker", "ledger hq", "gw-1", "gw-2"} <= set(found.good)


def test_energy_is_safe_until_registers_have_no_room() -> None:
    told = with_spool(facts(), registers_left_bytes=10_000_000_000, registers_bytes_per_day=500_000_000)
    verdict = of(told).verdict
    assert (verdict.energy, verdict.until_ms) == ("safe", NIGHT_MS + 20 * DAY_MS)
    assert "samples make way for them; once it is full the agent stops" in verdict.why


def test_samples_go_before_registers_stop_the_agent_and_both_are_told() -> None:
    (broker,) = (fault for fault in of(bad_night()).faults if fault.what.startswith("broker"))
    assert broker.until == (
        "samples 9 March 17:19: then the oldest go, each named; "
        "registers 3 June 03:07: then the disk is full and the agent stops"
    )
    told = with_spool(bad_night(), bytes_per_day=400_000_000)
    (broker,) = (fault for fault in of(told).faults if fault.what.startswith("broker"))
    assert broker.until.endswith("the agent stops; no register is dropped before")


def test_nothing_is_promised_before_the_growth_was_measured() -> None:
    verdict = of(with_spool(facts(), registers_bytes_per_day=None, measured_s=12)).verdict
    assert (verdict.energy, verdict.until_ms, verdict.nothing_tonight) == ("safe", None, False)
    assert "not known yet" in verdict.text


def test_a_disk_that_outlasts_all_planning_is_no_date() -> None:
    verdict = of(with_spool(facts(), registers_bytes_per_day=1_000)).verdict
    assert verdict.text == "ENERGY IS SAFE FOR YEARS. Nothing has to be done tonight."


@pytest.mark.parametrize("full", [{"free_bytes": 20_000_000}, {"registers_left_bytes": 0}])
def test_a_full_disk_is_at_risk_now(full: dict[str, int]) -> None:
    found = of(with_spool(bad_night(), **full))
    assert found.verdict.energy == "risk" and "NOW" in found.verdict.text
    assert not found.verdict.nothing_tonight
    (disk,) = (fault for fault in found.faults if "spool has only" in fault.what)
    assert disk.until == "now: with less than 50 MB free, a disk is taken for full"


@pytest.mark.parametrize(("hours", "tonight"), [(25, True), (23, False)])
def test_one_may_sleep_only_if_the_disk_lasts_for_a_day(hours: int, tonight: bool) -> None:
    left = {"registers_left_bytes": hours * 100_000_000, "registers_bytes_per_day": 2_400_000_000}
    found = of(with_spool(bad_night(), **left))
    assert found.verdict.nothing_tonight is tonight
    assert ("Nothing has to be done tonight." in found.verdict.text) is tonight
    assert any("spool has only" in fault.what for fault in found.faults)


@pytest.mark.parametrize("short", [{"registers_left_bytes": 1_000_000_000}, {"alarm": True}])
def test_little_room_is_no_fault_while_all_is_delivered(short: dict[str, int]) -> None:
    found = of(with_spool(facts(), **short))
    assert not found.faults
    assert [notice.until[:26] for notice in found.notices] == ["if nothing were delivered,"]


@pytest.mark.parametrize(("now", "tonight"), [("2024-03-30 23:59", True), ("2024-03-31 00:01", False)])
def test_a_silent_counter_near_the_end_of_a_month_is_for_tonight(now: str, tonight: bool) -> None:
    quiet = silent(METERS[6], at("2024-03-30 20:00"), NO_REPLY)
    found = of(facts(time_ms=at(now), devices=(*METERS[:6], quiet)))
    assert found.verdict.nothing_tonight is tonight
    assert found.faults[0].costs.startswith("nothing if it answers before")


def test_a_silent_gauge_is_not() -> None:
    quiet = silent(device("PM-1", "gw-2", 9, has_counter=False), at("2024-03-30 20:00"), NO_REPLY)
    found = of(facts(time_ms=at("2024-03-31 21:00"), devices=(*METERS, quiet)))
    assert found.verdict.nothing_tonight
    assert found.faults[0].costs.startswith("no energy")


def all_silent(now: str) -> Facts:
    quiet = tuple(silent(one, at(now) - 60_000, NO_CONNECTION) for one in METERS)
    return facts(time_ms=at(now), devices=quiet)


def test_if_no_register_is_read_energy_is_only_in_the_meters_and_only_for_the_month() -> None:
    verdict = of(all_silent("2024-03-05 03:07")).verdict
    assert (verdict.energy, verdict.until_ms) == ("safe", at("2024-04-01 00:00"))
    assert "in the meters only" in verdict.text and not verdict.nothing_tonight


def test_at_the_end_of_a_month_that_is_a_risk_now() -> None:
    verdict = of(all_silent("2024-03-31 19:00")).verdict
    assert verdict.energy == "risk" and "5 h 0 min" in verdict.text


def test_an_agent_that_does_not_run_is_fault_number_one() -> None:
    found = of(None)
    assert "not running" in found.faults[0].what
    assert not found.verdict.nothing_tonight and found.exit_code == 1
    assert "meters" in found.not_checked


@pytest.mark.parametrize("answer", ["switched_off", "silent", "somebody_else"])
def test_an_agent_that_could_not_be_asked_is_not_called_safe(answer: str) -> None:
    found = diagnose(replace(evidence(None), answer=answer, pid=4711))  # type: ignore[arg-type]  # a Literal
    assert found.verdict.text == "ENERGY: NOT CHECKED."
    assert found.exit_code == (3 if answer == "switched_off" else 1)


@pytest.mark.parametrize(
    ("reach", "word"),
    [
        (Reach("unknown_name", "Name or service not known"), "getent hosts mqtt.hq.example"),
        (Reach("refused", "Connection refused"), "systemctl status mosquitto"),
        (Reach("no_route", "No route to host"), "ip route get"),
        (Reach("no_answer", "no answer within 3 s"), "router"),
        (Reach("open"), "access rules"),
    ],
)
def test_why_the_broker_is_not_reached_decides_what_to_do(reach: Reach, word: str) -> None:
    found = diagnose(replace(evidence(facts(broker=BROKER_DOWN, ledgers=NOBODY)), reach=reach))
    (fault,) = found.faults
    assert word in fault.do and "resumes by itself" in fault.do
    assert (reach.seen or "port is open") in fault.seen


def test_a_broker_that_does_not_let_us_in_is_told_as_the_agent_was_told() -> None:
    told = Fault(
        what="the broker refuses us",
        seen="Not authorized",
        cause="it does not know aoba.aoba-1 with this password",
        next="at the broker: its password file",
    )
    down = BROKER_DOWN.model_copy(update={"fault": told})
    found = diagnose(replace(evidence(facts(broker=down, ledgers=NOBODY)), reach=Reach("open")))
    assert "does not know aoba.aoba-1 with this password: at the broker" in found.faults[0].do
    assert "Not authorized" in found.faults[0].seen


def test_the_brokers_own_certificate_and_open_secrets_are_spoken_of() -> None:
    broker = facts().broker.model_copy(update={"certificate_ends_ms": NIGHT_MS + 21 * DAY_MS})
    found = diagnose(replace(evidence(facts(broker=broker)), exposed=(("/etc/seiren/a.key", "mode 0644"),)))
    told = [each.what for each in found.notices]
    assert "the broker's own certificate ends 26 March (21 days)" in told
    assert "others on this machine can read a secret: /etc/seiren/a.key" in told


def test_a_silent_collector_is_told_apart_from_the_network() -> None:
    (fault,) = of(facts(ledgers=NOBODY)).faults
    assert "collector of ledger hq is not heard since 01:12" in fault.what
    assert "at headquarters" in fault.do


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ({"in_turn": True}, ["two collectors call themselves hq", "stop one of the two"]),
        (
            {"untrusted_id": "b" * 32},
            ["another ledger than before calls itself hq", "b" * 32, "agent trust hq"],
        ),
    ],
)
def test_a_ledger_that_is_not_what_it_was_is_a_fault(trouble: dict[str, Any], words: list[str]) -> None:
    told = facts(ledgers=(LedgerFacts(name="hq", alive=True, heard_ms=NIGHT_MS, **trouble),))
    (fault,) = of(told).faults
    assert all(word in f"{fault.what} {fault.seen} {fault.do}" for word in words)
    assert not is_good(told)


def test_one_silent_unit_among_living_ones_is_the_meter_or_its_spur() -> None:
    (fault,) = of(facts(devices=(*METERS[:6], silent(METERS[6], SINCE_MS, NO_REPLY)))).faults
    assert fault.what == "AOB-CMP-01 (gw-2 unit 7) no reply since 02:48; units 5, 6, 8 answer"
    assert "the gateway and the bus are good" in fault.seen


@pytest.mark.parametrize(
    ("why", "follows"),
    [
        (NO_CONNECTION, "the gateway's power or its network"),
        (REFUSED, "is up and refuses"),
        (NO_REPLY, "it is the line behind it"),
        (PATH_DOWN, "RS-485 line behind it"),
        (WRONG_REPLY, "two masters"),
        (Fault(what="What answers is no OPC UA server", cause="another service listens"), "another service"),
    ],
)
def test_all_units_of_a_gateway_silent_is_one_fault_and_says_of_what(why: Fault, follows: str) -> None:
    quiet = tuple(silent(one, SINCE_MS, why) for one in METERS[3:])
    (fault,) = of(facts(devices=(*METERS[:3], *quiet))).faults
    assert fault.what == "gw-2 (192.0.2.12:502): all 4 devices silent since 02:48"
    assert follows in fault.seen


def test_other_gateways_prove_nothing_for_a_meter_alone_on_its_own() -> None:
    alone = silent(device("AOB-GEN-01", "192.0.2.30:502", 1), SINCE_MS, NO_REPLY)
    (fault,) = of(facts(devices=(*METERS, alone))).faults
    assert "answer" not in fault.what and "spur" not in fault.seen


REQUEST = ReadRequest(unit=7, function=3, address=3203, count=4)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (modbus.no_reply("x", REQUEST, 0.25), "no_reply"),
        (modbus.exception("x", REQUEST, 10), "exception"),
        (modbus.exception("x", REQUEST, 11), "exception"),
        (modbus.wrong_reply("x", "it is from unit 5"), "wrong"),
        (modbus.never_silent("x", 3), "wrong"),
        (modbus.dropped("x"), "other"),
    ],
)
def test_the_kinds_are_those_of_the_errors_as_they_are_told(error: OutsideError, kind: str) -> None:
    assert kind_of(Fault.of(error)) == kind


@pytest.mark.parametrize(
    ("reason", "is_fault"),
    [("full_scale", True), ("fell", True), ("stale", True), ("warmup", False), ("no value", False)],
)
def test_values_that_are_set_aside_are_told(reason: str, is_fault: bool) -> None:
    name = "AOB-RCV-01.active_energy_import"
    odd = METERS[0].model_copy(update={"points": (point(name, reason),), "points_good": 4})
    found = of(facts(devices=(odd, *METERS[1:])))
    assert (len(found.faults), len(found.notices)) == ((1, 0) if is_fault else (0, 1))
    (told,) = (*found.faults, *found.notices)
    assert "AOB-RCV-01 (gw-1 unit 1)" in told.what and "active_energy_import" in told.what


def test_a_register_that_restarts_without_power_costs_more() -> None:
    quiet = silent(METERS[6].model_copy(update={"volatile": True}), SINCE_MS, NO_REPLY)
    (fault,) = of(facts(devices=(*METERS[:6], quiet))).faults
    assert "restarts at 0" in fault.costs


@pytest.mark.parametrize(
    ("clock", "faults", "notices"),
    [
        (ClockState(True, off_ms=3), 0, 0),
        (ClockState(True, off_ms=2_500), 1, 0),
        (ClockState(False), 0, 1),
        (ClockState(None, why="not on win32"), 0, 0),
    ],
)
def test_the_clock(clock: ClockState, faults: int, notices: int) -> None:
    found = diagnose(replace(evidence(facts()), clock=clock))
    assert (len(found.faults), len(found.notices)) == (faults, notices)
    assert ("clock (not on win32)" in found.not_checked) is (clock.synchronised is None)


def test_a_clock_that_was_never_set_is_for_tonight() -> None:
    found = diagnose(replace(evidence(facts()), now_ms=at("1970-01-02 00:00")))
    assert "never set" in found.faults[0].what and not found.verdict.nothing_tonight


@pytest.mark.parametrize(("days", "faults", "notices"), [(-1, 1, 0), (21, 0, 1), (59, 0, 1), (61, 0, 0)])
def test_a_certificate_is_warned_of_60_days_ahead(days: int, faults: int, notices: int) -> None:
    one = Certificate("client.pem", "client certificate for gw-1", NIGHT_MS + days * DAY_MS)
    found = diagnose(replace(evidence(facts()), certificates=(one,)))
    assert (len(found.faults), len(found.notices)) == (faults, notices)


def test_losses_and_skipped_rounds_are_never_kept_quiet() -> None:
    lanes = {
        "registers": LaneFacts(due=1_000, taken=990, skipped=10),
        "samples": LaneFacts(lost_by_reason={"disk_full": 700, "damaged": 12}),
    }
    found = of(facts(lanes=lanes))
    told = " / ".join(notice.what for notice in found.notices)
    assert "700 samples are named lost: the disk was full" in told and "12 samples are named lost" in told
    assert "10 of 1,000 due registers were skipped" in told
    assert "712 readings named lost so far" in found.verdict.why
