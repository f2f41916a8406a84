"""A bus keeps its schedule whoever is silent on it; what is missed is skipped and named, never caught up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from agent.counters import Event
from agent.judgement import Judge
from agent.poller import LONG_EVERY, BusPoller
from agent.readings import Identity, Scan
from agent.rules import CounterRule
from agent.schedule import Schedule, phase_of
from agent.spool import Spool
from core.delivery.frames import Lane
from core.delivery.tables import PointRow, PointTable
from core.errors import Unreachable
from tests.unit.agent.virtual import JumpingClock, Meter, board_at, polled, run

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
EVER = range(10**12)


class Taken:
    """What a device hands on."""

    def __init__(self) -> None:
        self.scans: list[tuple[Lane, int]] = []
        self.events: list[Event] = []

    def __call__(self, lane: Lane, scans: Sequence[Scan], events: Sequence[Event]) -> None:
        self.scans += [(lane, scan.time_ms) for scan in scans]
        self.events += events


async def test_both_lanes_are_read_when_they_are_due_registers_first() -> None:
    clock, taken = JumpingClock(0, MINUTE_MS), Taken()
    board = board_at(0)
    schedules = {Lane.SAMPLES: Schedule(20_000), Lane.REGISTERS: Schedule(MINUTE_MS)}
    await run(clock, [polled(Meter(clock), schedules, board, taken)], board)
    assert taken.scans == [
        (Lane.REGISTERS, 0),  # the start itself is due: it may be a month's boundary
        (Lane.SAMPLES, 0),
        (Lane.SAMPLES, 20_000),
        (Lane.SAMPLES, 40_000),
        (Lane.REGISTERS, MINUTE_MS),
        (Lane.SAMPLES, MINUTE_MS),
    ]
    assert board.due == board.taken == {Lane.REGISTERS: 2, Lane.SAMPLES: 4}
    assert board.devices["AOB-RCV-01"].state == "good"
    assert board.points["m.samples"].value == MINUTE_MS


async def test_registers_go_first_whatever_has_waited_longer() -> None:
    clock, board = JumpingClock(0, 10_000), board_at(0)
    one = Meter(clock, takes_ms=700)
    other = Meter(clock, takes_ms=10)
    devices = [
        polled(one, {Lane.SAMPLES: Schedule(1_000)}, board, id="A"),
        polled(
            other,
            {Lane.SAMPLES: Schedule(1_000), Lane.REGISTERS: Schedule(5_000, phase_ms=300)},
            board,
            id="B",
        ),
    ]
    await run(clock, devices, board)
    at = other.reads.index((Lane.REGISTERS, 5_700))
    assert other.reads[at + 1] == (Lane.SAMPLES, 5_710), "due at 5,000, read after what was due at 5,300"


async def test_a_slow_device_skips_what_it_missed_and_says_when_it_begins_and_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, taken, board = JumpingClock(0, 200_000), Taken(), board_at(0)
    meter = Meter(clock, takes_ms=25_000, lanes=[Lane.SAMPLES])

    async def gets_well() -> None:
        await clock.reached(90_000)
        meter.takes_ms = 0

    with caplog.at_level(logging.INFO, logger="agent"):
        await asyncio.gather(
            run(clock, [polled(meter, {Lane.SAMPLES: Schedule(10_000)}, board, taken)], board), gets_well()
        )
    assert [time_ms for _, time_ms in taken.scans][:4] == [0, 30_000, 60_000, 90_000]
    begins, ends = caplog.messages
    assert "AOB-RCV-01 is read slower than its schedule" in begins
    assert "keeps the schedule of its samples again; " in ends
    first, last = taken.events
    assert (first["event"], first["begins"], first["time_ms"]) == ("skipped", True, 10_000)
    assert (last["event"], last["begins"], last["n"]) == ("skipped", False, board.skipped[Lane.SAMPLES])
    assert board.due[Lane.SAMPLES] == 21 == board.taken[Lane.SAMPLES] + board.skipped[Lane.SAMPLES]


async def test_a_silent_device_is_said_once_tried_ever_less_often_and_back_on_its_grid(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, taken, board = JumpingClock(0, 600_000), Taken(), board_at(0)
    meter = Meter(clock, silent=range(10_000, 300_000), lanes=[Lane.SAMPLES])
    with caplog.at_level(logging.INFO, logger="agent"):
        await run(clock, [polled(meter, {Lane.SAMPLES: Schedule(1_000)}, board, taken)], board)

    tries = [at for at in meter.tries if 10_000 <= at < 300_000]
    assert [later - earlier for earlier, later in pairwise(tries)] == [
        500,  # a lost reply is no silence
        2_500,
        5_000,
        10_000,
        20_000,
        40_000,
        60_000,
        60_000,
        60_000,
    ]
    times = [time_ms for _, time_ms in taken.scans]
    assert times[:10] == list(range(0, 10_000, 1_000))
    assert times[11:] == list(range(times[10] // 1000 * 1000 + 1000, 600_001, 1_000))
    silent, again = caplog.records
    assert silent.getMessage() == "AOB-RCV-01 is silent: No reply"
    assert silent.__dict__["where"] == "192.0.2.7:502 unit 1"
    assert "answers again after" in again.getMessage()
    assert [event["event"] for event in taken.events] == ["silent", "answers_again"]
    assert board.due[Lane.SAMPLES] == 601, "each instant of the grid, the probe that was answered among them"


async def test_a_line_that_loses_replies_now_and_then_is_not_told_each_time() -> None:
    clock, taken, board = JumpingClock(0, HOUR_MS), Taken(), board_at(0)

    class Lossy(Meter):
        async def read(self, lane: Lane, into: list[Scan], *, within_s: float | None = None) -> None:
            self.silent = range(self.clock.time_ms, self.clock.time_ms + (len(self.tries) % 20 == 19))
            await super().read(lane, into, within_s=within_s)

    meter = Lossy(clock, lanes=[Lane.SAMPLES])
    await run(clock, [polled(meter, {Lane.SAMPLES: Schedule(1_000)}, board, taken)], board)
    assert len(meter.tries) - len(meter.reads) > 100
    assert len(taken.events) <= 12, "a pair in ten minutes"
    assert len(taken.scans) > 3_500, "a lost reply costs a second, not five"


async def test_a_gateway_that_refuses_is_tried_as_one_and_all_are_back_when_one_is() -> None:
    clock, taken, board = JumpingClock(0, 1_200_000), Taken(), board_at(0)
    meters = [Meter(clock, silent=range(100_000, 700_000)) for _ in range(10)]
    for meter in meters:
        meter.where = meter.bus  # it is the bus that is silent
    devices = [
        polled(meter, {Lane.SAMPLES: Schedule(1_000, phase_ms=7 * at)}, board, taken, id=f"D-{at}")
        for at, meter in enumerate(meters)
    ]
    await run(clock, devices, board)
    tries = sum(100_000 <= at < 700_000 for meter in meters for at in meter.tries)
    assert tries < 16, "not ten times as many"
    back = [min(at for _, at in meter.reads if at >= 700_000) for meter in meters]
    assert max(back) - min(back) < 100
    assert [event["event"] for event in taken.events].count("silent") == 10


async def test_when_a_bus_answers_again_on_which_all_were_silent_all_are_back_when_one_is() -> None:
    clock, board = JumpingClock(0, 1_200_000), board_at(0)
    meters = [Meter(clock, silent=range(100_000 + 5_000 * at, 700_000)) for at in range(10)]
    devices = [
        polled(meter, {Lane.SAMPLES: Schedule(1_000, phase_ms=70 * at)}, board, id=f"D-{at}")
        for at, meter in enumerate(meters)
    ]
    await run(clock, devices, board)
    back = [min(at for _, at in meter.reads if at >= 700_000) for meter in meters]
    assert max(back) - min(back) < 2_000


def bus_of_ten(
    clock: JumpingClock, *, dead: int, takes_ms: int = 15, deadline_ms: int = 3_000
) -> tuple[list[Meter], dict[Lane, list[Schedule]]]:
    names = [f"AOB-RCV-{at:02}" for at in range(10)]
    meters = [
        Meter(clock, takes_ms=takes_ms, deadline_ms=deadline_ms, silent=EVER if at < dead else range(0))
        for at in range(10)
    ]
    return meters, {
        Lane.REGISTERS: [Schedule(MINUTE_MS, 2_000, phase_of(name, MINUTE_MS)) for name in names],
        Lane.SAMPLES: [Schedule(1_000, phase_ms=phase_of(name, 1_000)) for name in names],
    }


async def lateness_with(dead: int, *, hours: float = 0.9, workers: int = 1) -> tuple[float, float, list[int]]:
    """p99 lateness of the living, what came of what was due to them, and how often each dead was tried."""
    clock = JumpingClock(0, int(hours * HOUR_MS))
    board = board_at(0)
    meters, schedules = bus_of_ten(clock, dead=dead)
    devices = [
        polled(meter, {lane: schedules[lane][at] for lane in Lane}, board, id=f"D-{at}")
        for at, meter in enumerate(meters)
    ]
    await run(clock, devices, board, workers=workers)
    due = sum(
        schedules[lane][at].count(10_000, clock.end_ms - 1)
        for lane in Lane
        for at in range(dead, len(meters))
    )
    reads = sum(at_ms >= 10_000 for meter in meters[dead:] for _, at_ms in meter.reads)
    return board.lateness.p99, reads / due, [len(meter.tries) for meter in meters[:dead]]


@pytest.mark.parametrize("dead", [1, 5])
async def test_dead_units_cost_the_living_nothing(dead: int) -> None:
    none_dead, _, _ = await lateness_with(0)
    p99, share, tries = await lateness_with(dead)
    assert p99 <= 1.1 * none_dead
    assert share > 0.999
    assert all(tried >= 30 for tried in tries), "they are tried all the same, once in two minutes"


async def test_if_probes_were_not_bounded_the_living_would_be_late(monkeypatch: pytest.MonkeyPatch) -> None:
    none_dead, _, _ = await lateness_with(0, hours=0.25)
    monkeypatch.setattr("agent.poller.FULL_AFTER", 0)
    monkeypatch.setattr("agent.poller.FULL_SHARE", 0)
    p99, share, _ = await lateness_with(5, hours=0.25)
    assert share < 0.97 or p99 > 10 * none_dead


async def test_72_hours_without_the_uplink_do_not_change_lateness(tmp_path: Path) -> None:
    clock, board = JumpingClock(0, 72 * HOUR_MS), board_at(0)
    spool = Spool(tmp_path / "spool", "aoba-1")  # nobody listens to it, so nothing ever leaves it
    rows = [
        PointRow(f"m.{lane}", "active_power", "W", "1", "1", None, "primary", "", "", "") for lane in Lane
    ]
    table, late = PointTable(tuple(rows)), list[tuple[int, int]]()
    board.lateness.add = lambda lane, late_ms: late.append((clock.time_ms, late_ms))  # type: ignore[method-assign]  # to look on
    meters, schedules = bus_of_ten(clock, dead=1)
    devices = [
        polled(
            meters[at],
            {Lane.REGISTERS: schedules[Lane.REGISTERS][at], Lane.SAMPLES: Schedule(10_000, phase_ms=10 * at)},
            board,
            lambda lane, scans, events: spool.add(lane, table, scans, events),
            id=f"D-{at}",
        )
        for at in range(3)
    ]

    async def flush_each_hour() -> None:
        for hour in range(1, 72):
            await clock.reached(hour * HOUR_MS)
            await spool.flush()

    await asyncio.gather(run(clock, devices, board), flush_each_hour())
    await spool.close()
    first = sorted(late_ms for at_ms, late_ms in late if at_ms < 12 * HOUR_MS)
    last = sorted(late_ms for at_ms, late_ms in late if at_ms >= 60 * HOUR_MS)
    assert abs(len(first) - len(last)) < 5
    assert last[len(last) * 99 // 100] == first[len(first) * 99 // 100]
    assert sum(entry.readings for entry in spool.store.epochs(Lane.SAMPLES)) > 50_000


@pytest.mark.parametrize(
    ("takes_ms", "cap_s", "within_minutes"), [(400, 0.5, 45), (900, None, 90)], ids=["slow", "very slow"]
)
async def test_a_slow_unit_is_found_again_by_a_probe_that_may_hold_up_others(
    takes_ms: int, cap_s: float | None, within_minutes: int
) -> None:
    clock, board = JumpingClock(0, within_minutes * MINUTE_MS), board_at(0)
    meters, schedules = bus_of_ten(clock, dead=0)
    meters[0].takes_ms, meters[0].silent = takes_ms, range(3 * MINUTE_MS)
    devices = [
        polled(meter, {Lane.REGISTERS: schedules[Lane.REGISTERS][at]}, board, id=f"D-{at}")
        if at == 0
        else polled(meter, {Lane.SAMPLES: schedules[Lane.SAMPLES][at]}, board, id=f"D-{at}")
        for at, meter in enumerate(meters)
    ]
    await run(clock, devices, board)
    assert meters[0].reads
    assert meters[0].caps[meters[0].tries.index(meters[0].reads[0][1])] == cap_s


async def test_no_long_probe_makes_the_registers_at_a_half_hour_late() -> None:
    clock, board = JumpingClock(1_796_500, 1_830_000), board_at(1_796_500)
    living, dead = Meter(clock), Meter(clock, silent=EVER, deadline_ms=3_000)
    schedules = {Lane.REGISTERS: Schedule(MINUTE_MS, 2_000), Lane.SAMPLES: Schedule(10_000)}
    devices = [polled(meter, schedules, board, id=name) for name, meter in (("A", living), ("B", dead))]
    devices[1].state.tries, devices[1].state.silent_since_ms = LONG_EVERY - 1, 0
    await run(clock, devices, board)
    sides = [at for lane, at in living.reads if lane is Lane.REGISTERS and abs(at - 1_800_000) < 4_000]
    assert sides[-2:] == [1_798_000, 1_802_000]


async def test_several_connections_ask_several_units_at_a_time_and_never_one_twice() -> None:
    clock, board = JumpingClock(0, 5_000), board_at(0)
    asked, most = clock.asking, 0

    class Waiting(Meter):
        async def read(self, lane: Lane, into: list[Scan], *, within_s: float | None = None) -> None:
            nonlocal most
            assert self.where not in asked
            asked.append(self.where)
            most = max(most, len(asked))
            for _ in range(5):
                await asyncio.sleep(0)
            await super().read(lane, into, within_s=within_s)
            asked.remove(self.where)

    meters = [Waiting(clock) for _ in range(2)]
    for at, meter in enumerate(meters):
        meter.where = f"unit {at}"
    schedules = {Lane.REGISTERS: Schedule(1_000), Lane.SAMPLES: Schedule(1_000)}
    devices = [polled(meter, schedules, board, id=meter.where) for meter in meters]
    await run(clock, devices, board, workers=3)
    assert most == 2, "the third waits until one of the two is free"
    for meter in meters:
        assert len(meter.reads) >= 8


async def test_another_meter_is_noticed_before_its_first_reading_is_judged() -> None:
    clock, taken, board = JumpingClock(0, 100_000), Taken(), board_at(0)
    meter = Meter(clock, silent=range(20_000, 40_000))
    meter.serial_number = "A-1"

    async def exchanged() -> None:
        await clock.reached(30_000)
        meter.serial_number = "B-2"

    device = polled(meter, {Lane.SAMPLES: Schedule(1_000)}, board, taken, expected="A-1")
    await asyncio.gather(run(clock, [device], board), exchanged())
    kinds = [event["event"] for event in taken.events]
    assert kinds == ["silent", "replaced", "wrong_meter", "answers_again"]
    assert taken.events[1]["old"] == "A-1" and taken.events[1]["new"] == "B-2"


@pytest.mark.parametrize("by", [-30_000, 10**9])
async def test_a_meter_exchanged_between_two_readings_is_noticed_by_a_fall_or_a_jump(
    by: int,
) -> None:
    clock, taken, board = JumpingClock(50_000, 100_000), Taken(), board_at(50_000)

    class Exchanged(Meter):
        async def read(self, lane: Lane, into: list[Scan], *, within_s: float | None = None) -> None:
            await super().read(lane, into, within_s=within_s)
            if self.serial_number == "B-2":
                into[-1].values = [self.clock.time_ms + by]

    meter = Exchanged(clock, lanes=[Lane.REGISTERS])
    meter.serial_number = "A-1"

    async def exchanged() -> None:
        await clock.reached(70_000)
        meter.serial_number = "B-2"

    judge = Judge({"m.registers": CounterRule(most_per_ms=2)})
    device = polled(meter, {Lane.REGISTERS: Schedule(1_000)}, board, taken, judge=judge)
    await asyncio.gather(run(clock, [device], board), exchanged())
    assert [event["event"] for event in taken.events] == ["set_aside", "replaced"]
    assert not judge.reasons, "the next reading began a new line"


async def test_a_start_notices_that_the_meter_was_exchanged_before() -> None:
    clock, taken, board = JumpingClock(0, 5_000), Taken(), board_at(0)
    meter = Meter(clock)
    meter.serial_number = "B-2"
    device = polled(meter, {Lane.SAMPLES: Schedule(1_000)}, board, taken, serial_number="A-1")
    await run(clock, [device], board)
    assert [event["event"] for event in taken.events] == ["replaced"]
    assert device.serial_number == "B-2"


async def test_it_is_asked_what_it_is_once_a_day() -> None:
    clock, board = JumpingClock(0, 71 * HOUR_MS), board_at(0)
    meter, asked = Meter(clock, takes_ms=15), list[int]()

    async def identify(*, within_s: float | None = None) -> None:
        asked.append(clock.time_ms)

    meter.identify = identify  # type: ignore[method-assign]  # to look on
    await run(clock, [polled(meter, {Lane.SAMPLES: Schedule(MINUTE_MS)}, board)], board)
    assert len(asked) == 3


async def test_a_unit_that_does_not_say_what_it_is_costs_its_neighbours_nothing() -> None:
    class Speechless(Meter):
        asked = 0

        async def identify(self, *, within_s: float | None = None) -> Identity | None:
            self.asked += 1
            self.clock.time_ms += 3_000 if within_s is None else min(3_000, int(1000 * within_s))
            raise Unreachable("No reply", where=self.where)

    clock, board = JumpingClock(0, 10 * MINUTE_MS), board_at(0)
    meters, schedules = bus_of_ten(clock, dead=0)
    speechless = [Speechless(clock, takes_ms=15, deadline_ms=3_000) for _ in meters]
    devices = [
        polled(meter, {Lane.SAMPLES: schedules[Lane.SAMPLES][at]}, board, id=f"D-{at}")
        for at, meter in enumerate(speechless)
    ]
    await run(clock, devices, board)
    assert board.lateness.p99 <= 30
    assert board.skipped[Lane.SAMPLES] < 10
    assert [meter.asked for meter in speechless] == [1] * 10


async def test_times_of_a_point_never_go_back() -> None:
    clock, taken, board = JumpingClock(0, 200_000), Taken(), board_at(0)

    async def set_back() -> None:
        await clock.reached(100_000)
        clock.time_ms -= 50_500

    device = polled(Meter(clock), {Lane.SAMPLES: Schedule(1_000)}, board, taken)
    await asyncio.gather(run(clock, [device], board), set_back())
    times = [time_ms for _, time_ms in taken.scans]
    assert all(earlier < later for earlier, later in pairwise(times))
    assert times[-1] == 200_000


async def test_what_lies_between_when_the_clock_is_set_forward_was_never_due() -> None:
    clock, taken, board = JumpingClock(0, 4_000_000), Taken(), board_at(0)

    async def set_forward() -> None:
        await clock.reached(100_000)
        clock.time_ms, clock.jumps = 3_700_500, 1

    device = polled(Meter(clock), {Lane.SAMPLES: Schedule(1_000)}, board, taken)
    await asyncio.gather(run(clock, [device], board), set_forward())
    assert board.skipped[Lane.SAMPLES] == 0
    assert board.due[Lane.SAMPLES] == len(taken.scans) == board.taken[Lane.SAMPLES]
    assert next(time_ms for _, time_ms in taken.scans if time_ms > 100_000) == 3_701_000
    assert not taken.events


async def test_what_a_source_read_before_its_last_reading_is_not_taken_and_counted() -> None:
    class Backwards(Meter):
        async def read(self, lane: Lane, into: list[Scan], *, within_s: float | None = None) -> None:
            await super().read(lane, into, within_s=within_s)
            if len(self.reads) in (3, 4):
                into[-1].time_ms -= 5_000

    clock, taken, board = JumpingClock(0, 6_000), Taken(), board_at(0)
    device = polled(Backwards(clock, lanes=[Lane.SAMPLES]), {Lane.SAMPLES: Schedule(1_000)}, board, taken)
    await run(clock, [device], board)
    assert [time_ms for _, time_ms in taken.scans] == [0, 1_000, 4_000, 5_000, 6_000]
    (event,) = taken.events
    assert (event["event"], event["reason"], event["n"]) == ("skipped", "clock", 2)


async def test_events_of_a_source_travel_with_its_next_reading() -> None:
    clock, taken, board = JumpingClock(0, 1_000), Taken(), board_at(0)
    meter = Meter(clock)
    meter.happened.append({"event": "scale_changed", "time_ms": 0, "point": "m.samples"})
    await run(clock, [polled(meter, {Lane.SAMPLES: Schedule(1_000)}, board, taken)], board)
    assert [event["event"] for event in taken.events] == ["scale_changed"]
    assert meter.happened == []


async def test_what_was_read_before_a_device_fell_silent_is_kept() -> None:
    class Breaking(Meter):
        async def read(self, lane: Lane, into: list[Scan], *, within_s: float | None = None) -> None:
            into.append(Scan(self.shapes[lane], self.clock.time_ms, [1]))
            raise Unreachable("No reply", where=self.where)

    clock, taken, board = JumpingClock(0, 100), Taken(), board_at(0)
    await run(clock, [polled(Breaking(clock), {Lane.SAMPLES: Schedule(1_000)}, board, taken)], board)
    assert taken.scans == [(Lane.REGISTERS, 0)] or taken.scans == [(Lane.SAMPLES, 0)]


async def test_an_error_that_is_no_silence_ends_the_agent_loudly() -> None:
    class Broken(Meter):
        async def read(self, lane: Lane, into: list[Scan], *, within_s: float | None = None) -> None:
            raise KeyError("a mistake of ours")

    clock, board = JumpingClock(0, MINUTE_MS), board_at(0)
    device = polled(Broken(clock), {Lane.SAMPLES: Schedule(1_000)}, board)
    with pytest.raises(BaseExceptionGroup) as raised:
        await BusPoller([device], clock=clock, board=board, jitter=lambda: 0.0).run()
    assert raised.group_contains(KeyError)


async def test_a_cancel_that_a_library_swallows_ends_the_poller_all_the_same() -> None:
    class Swallowing(Meter):
        async def read(self, lane: Lane, into: list[Scan], *, within_s: float | None = None) -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                into.append(Scan(self.shapes[lane], 0, [1]))

    clock, taken, board = JumpingClock(0, 10 * MINUTE_MS), Taken(), board_at(0)
    device = polled(Swallowing(clock), {Lane.REGISTERS: Schedule(MINUTE_MS)}, board, taken)
    task = asyncio.create_task(BusPoller([device], clock=clock, board=board, jitter=lambda: 0.0).run())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 2)
    assert len(taken.scans) == 1  # what was read is kept
