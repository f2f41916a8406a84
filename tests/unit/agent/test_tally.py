"""The account of a day: due = taken + skipped + silent + stopped, whatever happens to devices and agent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.board import Board, DeviceState
from agent.counters import Event
from agent.schedule import Schedule
from agent.tally import Tally
from core.delivery.frames import Lane
from tests.unit.agent.virtual import JumpingClock, Meter, polled, run

TOKYO = ZoneInfo("Asia/Tokyo")
MIDNIGHT_MS = 1_709_564_400_000  # 2024-03-05 00:00 JST
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
EACH_MINUTE = {Lane.REGISTERS: (Schedule(MINUTE_MS, 0), 3)}
"""Registers each minute, three readings a round."""


class Site:
    """A board with one device, and the days that were told."""

    def __init__(
        self, now_ms: int, kept: Mapping[str, object] | None = None, *, newest_ms: int = 0, known: bool = True
    ) -> None:
        self.days: list[Event] = []
        self.board = Board(started_ms=now_ms, zone=TOKYO, on_day=self.days.append)
        self.device = self.board.devices["M"] = DeviceState("M", "", "", EACH_MINUTE)
        self.board.begin(kept or {}, newest_ms, now_ms if known else None)

    def read(self, first_ms: int, end_ms: int) -> None:
        for time_ms in range(first_ms, end_ms, MINUTE_MS):
            self.board.count(self.device, Lane.REGISTERS, time_ms, taken=1)

    def registers(self, day: Event | None = None) -> dict[str, Any]:
        event = self.days[-1] if day is None else day
        lanes = event["lanes"]
        assert isinstance(lanes, dict)
        told: dict[str, Any] = lanes["registers"]
        assert told["due"] == told["taken"] + told["skipped"] + told["silent"] + told["stopped"]
        return told


def test_a_day_is_told_once_it_is_over_with_what_a_silent_device_missed() -> None:
    site = Site(MIDNIGHT_MS)
    site.read(MIDNIGHT_MS, MIDNIGHT_MS + HOUR_MS)
    site.board.count(site.device, Lane.REGISTERS, MIDNIGHT_MS + HOUR_MS)  # the round that was not answered
    site.device.missed_since_ms = MIDNIGHT_MS + HOUR_MS
    site.board.turn(MIDNIGHT_MS + 24 * HOUR_MS - 1)
    assert site.days == []
    site.board.turn(MIDNIGHT_MS + 24 * HOUR_MS)
    (event,) = site.days
    assert (event["event"], event["day"], event["since_ms"]) == ("polled", "2024-03-05", MIDNIGHT_MS)
    assert site.registers() == {
        "due": 3 * 1440,
        "taken": 3 * 60,
        "skipped": 0,
        "silent": 3 * 1380,
        "stopped": 0,
        "missing": {"M": 3 * 1380},
    }
    site.board.turn(MIDNIGHT_MS + 48 * HOUR_MS)
    assert (site.days[1]["day"], site.registers()["silent"]) == ("2024-03-06", 3 * 1440)
    json.dumps(site.days)


def test_what_is_skipped_is_no_silence() -> None:
    site = Site(MIDNIGHT_MS)
    site.board.count(site.device, Lane.REGISTERS, MIDNIGHT_MS, due=7, skipped=7)
    site.read(MIDNIGHT_MS, MIDNIGHT_MS + 3 * MINUTE_MS)
    told = site.registers(site.board.tally.event(MIDNIGHT_MS + HOUR_MS))
    assert (told["due"], told["skipped"], told["silent"]) == (30, 21, 0)


def kept_after(end_ms: int) -> Mapping[str, object]:
    """What a run kept that read from midnight."""
    before = Site(MIDNIGHT_MS)
    before.read(MIDNIGHT_MS, end_ms)
    kept: Mapping[str, object] = json.loads(json.dumps(before.board.tally.keep(end_ms)))
    return kept


@pytest.mark.parametrize(
    "taken_since_ms", [0, 45_000, 3 * HOUR_MS], ids=["in order", "killed", "a slow disk"]
)
def test_what_was_due_while_no_agent_ran_is_told_as_stopped(taken_since_ms: int) -> None:
    """What is on disk and not in the account was taken before a kill: due and taken leave it out."""
    noon_ms, kept_ms = MIDNIGHT_MS + 12 * HOUR_MS, MIDNIGHT_MS + 8 * HOUR_MS
    newest_ms = kept_ms - MINUTE_MS if taken_since_ms == 0 else kept_ms + taken_since_ms
    site = Site(noon_ms, kept_after(kept_ms), newest_ms=newest_ms)
    site.read(noon_ms, MIDNIGHT_MS + 24 * HOUR_MS)
    site.board.turn(MIDNIGHT_MS + 24 * HOUR_MS)
    told = site.registers()
    assert told["taken"] == 3 * 60 * 20
    assert told["stopped"] == 3 * (240 - -(-(taken_since_ms + (taken_since_ms > 0)) // MINUTE_MS))
    assert told["silent"] == 0


def test_each_day_without_an_agent_has_its_own_account() -> None:
    site = Site(MIDNIGHT_MS + 60 * HOUR_MS, kept_after(MIDNIGHT_MS + 12 * HOUR_MS))
    assert [event["day"] for event in site.days] == ["2024-03-05", "2024-03-06"]
    assert [site.registers(event)["stopped"] for event in site.days] == [3 * 720, 3 * 1440]
    told = site.registers(site.board.tally.event(MIDNIGHT_MS + 60 * HOUR_MS))
    assert told["stopped"] == 3 * 720


@pytest.mark.parametrize(
    "kept",
    [
        {},
        {"since_ms": 1},
        {"since_ms": "x", "until_ms": 1, "lanes": {}},
        {"since_ms": MIDNIGHT_MS, "until_ms": MIDNIGHT_MS, "lanes": {"registers": [1, 2]}, "more": 1},
        {"since_ms": MIDNIGHT_MS, "until_ms": MIDNIGHT_MS, "lanes": {"other": [0, 0, 0, 0, {}]}},
        {"since_ms": MIDNIGHT_MS, "until_ms": MIDNIGHT_MS + 400 * HOUR_MS, "lanes": {}},
    ],
    ids=["nothing", "part", "text", "ok", "lane", "of the future"],
)
def test_what_was_kept_may_be_anything(kept: Mapping[str, object]) -> None:
    site = Site(MIDNIGHT_MS + HOUR_MS, kept)
    site.read(MIDNIGHT_MS + HOUR_MS, MIDNIGHT_MS + 2 * HOUR_MS)
    assert site.board.tally.event(MIDNIGHT_MS + 2 * HOUR_MS) is not None


def test_before_the_time_is_known_there_are_no_days() -> None:
    """The account before is told as it was; the new one begins when the clock is right."""
    site = Site(MIDNIGHT_MS - 700 * HOUR_MS, kept_after(MIDNIGHT_MS + HOUR_MS), known=False)
    assert [(event["day"], site.registers(event)["due"]) for event in site.days] == [("2024-03-05", 180)]
    site.read(MIDNIGHT_MS - 700 * HOUR_MS, MIDNIGHT_MS - 699 * HOUR_MS)
    assert site.board.tally.keep(0) == {}
    now_ms = MIDNIGHT_MS + 10 * HOUR_MS
    site.board.begin_again(now_ms)
    site.read(now_ms, now_ms + HOUR_MS)
    event = site.board.tally.event(now_ms + HOUR_MS)
    assert event is not None and event["since_ms"] == now_ms
    assert site.registers(event)["taken"] == 2 * 180


def test_what_the_clock_jumps_over_was_never_due() -> None:
    site = Site(MIDNIGHT_MS)
    site.device.missed_since_ms = MIDNIGHT_MS
    site.board.begin_again(MIDNIGHT_MS + 5 * HOUR_MS)
    site.board.turn(MIDNIGHT_MS + 6 * HOUR_MS)
    assert site.registers(site.board.tally.event(0))["due"] == 3 * 60


def test_a_day_of_23_hours() -> None:
    days: list[Event] = []
    tally = Tally(ZoneInfo("Europe/Berlin"), on_day=days.append, before_day_ends=lambda until_ms: None)
    start_ms = 1_711_839_600_000  # 2024-03-31 00:00 CET
    tally.begin(start_ms)
    tally.add("M", Lane.SAMPLES, due=1, taken=1)
    tally.turn(start_ms + 23 * HOUR_MS)
    assert [(event["day"], event["time_ms"]) for event in days] == [("2024-03-31", start_ms + 23 * HOUR_MS)]


async def test_a_poller_accounts_for_every_due_time_of_a_meter_that_falls_silent() -> None:
    """A day, by virtual time: what the schedule says, and what the meter answered."""
    clock = JumpingClock(MIDNIGHT_MS, MIDNIGHT_MS + 25 * HOUR_MS)
    days: list[Event] = []
    board = Board(started_ms=MIDNIGHT_MS, zone=TOKYO, on_day=days.append)
    silent = range(MIDNIGHT_MS + 8 * HOUR_MS + 1, MIDNIGHT_MS + 11 * HOUR_MS)
    meter = Meter(clock, silent=silent, deadline_ms=500, lanes=[Lane.REGISTERS])
    device = polled(meter, {Lane.REGISTERS: Schedule(MINUTE_MS, 2_000)}, board)
    board.begin({}, 0, MIDNIGHT_MS)
    await run(clock, [device], board)
    account = days[0]["lanes"]
    assert isinstance(account, dict)
    told = account["registers"]
    assert (
        told["due"] - told["silent"]
        == told["taken"]
        == len([time_ms for _, time_ms in meter.reads if time_ms < MIDNIGHT_MS + 24 * HOUR_MS])
    )
    assert abs(told["silent"] - 3 * 62) <= 2  # each minute, and both sides of each half-hour
    assert abs(told["due"] - 24 * 62) <= 4
