"""The spool's room: what stays how long, what goes first, what never goes, and what people are told."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.room_watch import RoomWatch
from agent.spool import SpoolFull, SpoolLimits, limits, room, store
from agent.spool.epochs import Entry
from agent.spool.limits import DiskSpace, left_to_others
from agent.spool.records import CRC_BYTES, HEADER_BYTES, MARK_BYTES
from core.delivery.frames import Lane, block_digest
from core.delivery.messages import Gone
from core.delivery.payload import TakenReading
from tests.unit.agent.scans import scans
from tests.unit.agent.spool_disk import POINT, TABLE, Disk

REGISTERS, SAMPLES = Lane.REGISTERS, Lane.SAMPLES
DAY_MS = 86_400_000
SEGMENT = 1_000
READINGS = 20  # in a frame of some 760 bytes, so that each segment holds two


class Machine:
    """A disk of a made-up size that others use too, the time, and an agent's spool on it."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, total: int = 1 << 40) -> None:
        self.total, self.others = total, 0
        self.now_ms = 1_700_000_000_000
        self.path = path
        for module in (limits, room, store):
            monkeypatch.setattr(module, "disk_space", lambda _: self.space)
        monkeypatch.setattr(room, "_LEAST_BYTES", SEGMENT)
        for name in ("fsync", "fdatasync"):  # nothing is killed here
            monkeypatch.setattr(os, name, lambda _: None)
        self.disk = self.start()

    @property
    def space(self) -> DiskSpace:
        own = sum(path.stat().st_size for path in self.path.glob("*.frames"))
        return DiskSpace(self.total, max(0, self.total - self.others - own))

    def start(self, limits: SpoolLimits | None = None) -> Disk:
        self.disk = Disk(
            self.path, segment_bytes=SEGMENT, limits=limits or SpoolLimits(), now_ms=lambda: self.now_ms
        )
        return self.disk

    def restart(self, limits: SpoolLimits | None = None) -> Disk:
        self.disk.kill()
        return self.start(limits)

    async def write(self, frames: int, lane: Lane, *, every_ms: int = 60_000) -> None:
        for _ in range(frames):
            self.now_ms += every_ms
            readings = [TakenReading(POINT, self.now_ms, 100_000_000 + i) for i in range(READINGS)]
            self.disk.spool.add(lane, TABLE, scans(readings))
            await self.disk.spool.flush()

    def free(self, lane: Lane, first: int, end: int, epoch: str | None = None) -> None:
        self.disk.spool.store.free(lane, epoch or self.disk.spool.epoch, first, end)

    def left(self, lane: Lane) -> list[int]:
        """The indexes of this run that are on disk."""
        return [
            frame.index for frame in self.disk.spool.store.read(lane, self.disk.spool.epoch, ((0, 10_000),))
        ]

    def gone(self, lane: Lane) -> list[tuple[int, int, str]]:
        return [(g.first, g.frames, g.reason) for g in self.disk.spool.store.gone(lane)]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    machine = Machine(tmp_path / "spool", monkeypatch)
    yield machine
    machine.disk.kill()


async def test_registers_stay_62_days_after_all_ledgers_hold_them_through_restarts_and_lives(
    machine: Machine,
) -> None:
    await machine.write(7, REGISTERS)
    epoch = machine.disk.spool.epoch
    machine.free(REGISTERS, 0, 6)
    freed_ms = machine.now_ms
    assert machine.left(REGISTERS) == [*range(7)] and machine.gone(REGISTERS) == []
    machine.now_ms += 40 * DAY_MS
    machine.disk.spool.store.unhold()
    machine.free(REGISTERS, 0, 6)
    machine.restart()
    assert [one.at for one in machine.disk.told] == [*range(7)]
    machine.now_ms = freed_ms + 62 * DAY_MS
    machine.restart()
    await machine.write(1, REGISTERS)
    assert machine.gone(REGISTERS) == [], "no ledger holds them in its present life"
    machine.free(REGISTERS, 0, 6, epoch)
    assert machine.gone(REGISTERS) == [(0, 6, "freed")]


async def test_registers_go_by_themselves_when_their_time_is_over(machine: Machine) -> None:
    await machine.write(3, REGISTERS)
    machine.free(REGISTERS, 0, 2)
    machine.now_ms += 62 * DAY_MS - 1_000
    await machine.write(1, SAMPLES, every_ms=0)
    assert machine.gone(REGISTERS) == []
    await machine.write(1, SAMPLES, every_ms=600_000)
    assert machine.gone(REGISTERS) == [(0, 2, "freed")]


async def test_a_clock_that_was_never_set_makes_no_register_old(machine: Machine) -> None:
    await machine.write(3, REGISTERS)
    now_ms, machine.now_ms = machine.now_ms, 1_000
    machine.free(REGISTERS, 0, 2)
    machine.now_ms = now_ms + DAY_MS
    machine.free(REGISTERS, 0, 2)
    assert machine.gone(REGISTERS) == []


async def test_samples_go_as_soon_as_all_ledgers_hold_them(machine: Machine) -> None:
    await machine.write(5, SAMPLES)
    machine.disk.spool.store.hold(SAMPLES, machine.disk.spool.epoch, 0, 5)
    assert machine.gone(SAMPLES) == []
    machine.free(SAMPLES, 0, 4)
    assert machine.gone(SAMPLES) == [(0, 4, "freed")]


PAYLOAD = len(f"[{','.join(['[1700000000000,[[0,100000000]]]'] * READINGS)}]")
FULL = 2 * (HEADER_BYTES + PAYLOAD + CRC_BYTES + MARK_BYTES) + 360
"""A segment of two frames with its columns, about."""


def limit_to(segments: float) -> SpoolLimits:
    """Room for so many full segments."""
    return SpoolLimits(max_bytes=round(segments * FULL))


async def test_what_all_ledgers_hold_makes_room_before_anything_is_lost(machine: Machine) -> None:
    machine.restart(limit_to(4))
    await machine.write(5, REGISTERS)
    await machine.write(3, SAMPLES)
    machine.free(REGISTERS, 0, 4)
    await machine.write(3, REGISTERS)
    assert machine.gone(REGISTERS) == [(0, 2, "freed")], "the oldest, as far as needed"
    assert machine.gone(SAMPLES) == []


async def test_the_oldest_samples_are_dropped_and_named_whole(machine: Machine) -> None:
    machine.restart(limit_to(4))
    await machine.write(3, REGISTERS)
    await machine.write(4, SAMPLES)
    ids = [one.id for one in machine.disk.told if one.lane is SAMPLES]
    times = machine.now_ms - 3 * 60_000, machine.now_ms - 2 * 60_000
    await machine.write(3, REGISTERS)
    assert machine.left(REGISTERS) == [*range(6)]
    assert machine.left(SAMPLES) == [2, 3]
    (gone,) = machine.disk.spool.store.gone(SAMPLES)
    digest = block_digest(bytes.fromhex("".join(ids[:2])))
    assert gone == Gone(machine.disk.spool.epoch, 0, 2, 2 * READINGS, "disk_full", digest, *times)
    assert machine.disk.spool.store.lost_readings(SAMPLES) == {"disk_full": 2 * READINGS}
    assert machine.disk.gone == [(machine.disk.spool.epoch, 0, 2)], "and the sender hears of it"
    assert machine.disk.accounted() == machine.disk.taken()


async def test_samples_alone_keep_to_their_limit_for_ever(machine: Machine) -> None:
    machine.restart(limit_to(4))
    await machine.write(60, SAMPLES, every_ms=1)
    assert machine.disk.spool.store.bytes_on_disk <= limit_to(4).max_bytes  # type: ignore[operator]  # it is set
    left = machine.left(SAMPLES)
    assert left == [*range(left[0], 60)] and len(left) >= 6
    assert machine.disk.accounted() == machine.disk.taken() == 60 * READINGS
    machine.restart(limit_to(4))
    assert sum(g.readings for g in machine.disk.spool.store.gone(SAMPLES)) == (60 - len(left)) * READINGS


async def test_what_was_freed_in_a_dropped_segment_is_named_freed(machine: Machine) -> None:
    machine.restart(limit_to(3))
    await machine.write(4, SAMPLES)
    machine.free(SAMPLES, 0, 1)
    await machine.write(4, REGISTERS)
    assert machine.gone(SAMPLES)[:2] == [(0, 1, "freed"), (1, 1, "disk_full")]


async def test_samples_that_all_ledgers_hold_go_from_the_file_that_is_written_and_are_not_lost(
    machine: Machine,
) -> None:
    await machine.write(2, SAMPLES)
    machine.free(SAMPLES, 0, 2)
    machine.others = machine.total  # somebody fills the disk
    await machine.write(1, REGISTERS)
    assert machine.gone(SAMPLES) == [(0, 2, "freed")]
    machine.others = 0
    await machine.write(1, SAMPLES)
    assert machine.left(SAMPLES) == [2]


async def test_samples_leave_the_reserve_to_registers(machine: Machine) -> None:
    machine.restart(replace(limit_to(20), reserve_days=0.01))  # at two frames a minute
    await machine.write(4, REGISTERS)
    await machine.write(50, SAMPLES)
    frames = len(machine.left(SAMPLES))
    assert 10 < frames < 20, "of 40, when 28 are reserved"
    assert machine.disk.spool.room.registers_reserve_bytes > 10_000
    await machine.write(10, REGISTERS)
    assert len(machine.left(SAMPLES)) == frames, "registers had room"
    assert machine.left(REGISTERS) == [*range(14)]


async def test_samples_make_way_for_samples_before_any_register(machine: Machine) -> None:
    machine.restart(limit_to(3))
    await machine.write(4, REGISTERS)
    machine.disk.spool.store.hold(REGISTERS, machine.disk.spool.epoch, 0, 4)
    await machine.write(10, SAMPLES)
    assert machine.left(REGISTERS) == [*range(4)]


async def test_the_oldest_registers_that_some_ledger_holds_go_last_and_are_named(machine: Machine) -> None:
    machine.restart(limit_to(3))
    await machine.write(4, REGISTERS)
    await machine.write(2, SAMPLES)
    machine.disk.spool.store.hold(REGISTERS, machine.disk.spool.epoch, 0, 2)
    await machine.write(2, REGISTERS)
    assert (machine.gone(SAMPLES), machine.gone(REGISTERS)) == ([(0, 2, "disk_full")], [])
    await machine.write(2, REGISTERS)
    assert machine.gone(SAMPLES) == [(0, 2, "disk_full")]
    assert machine.gone(REGISTERS) == [(0, 2, "disk_full")]
    assert machine.disk.accounted() == machine.disk.taken()


async def test_a_dead_second_ledger_stops_nothing(machine: Machine) -> None:
    """Registers that one ledger holds fill all there is: they make way, for samples too."""
    machine.restart(limit_to(3))
    for at in range(40):
        await machine.write(1, REGISTERS)
        machine.disk.spool.store.hold(REGISTERS, machine.disk.spool.epoch, at, at + 1)
    registers = machine.left(REGISTERS)
    await machine.write(8, SAMPLES)
    assert machine.left(SAMPLES)[-1] == 7
    assert len(registers) - len(machine.left(REGISTERS)) <= 2, "they cost one file of registers"
    assert machine.disk.accounted() == machine.disk.taken() == 48 * READINGS


async def test_registers_that_no_ledger_holds_are_never_dropped_and_the_agent_stops(machine: Machine) -> None:
    machine.restart(limit_to(3))
    with pytest.raises(SpoolFull) as stopped:
        await machine.write(20, REGISTERS)
    assert stopped.value.exit_code == 3
    frames = machine.left(REGISTERS)
    assert frames == [*range(len(frames))] and len(frames) >= 6
    assert machine.gone(REGISTERS) == [], "nothing was lost, and nothing more was taken"
    assert machine.disk.spool.store.heads()[REGISTERS].frames == len(frames)
    epoch = machine.disk.spool.epoch
    machine.restart(limit_to(3))
    assert machine.disk.spool.room.registers_left_bytes < SEGMENT
    machine.free(REGISTERS, 0, len(frames), epoch)
    await machine.write(4, REGISTERS)
    assert machine.left(REGISTERS) == [*range(4)], "there is room again"


async def test_held_in_an_earlier_life_is_not_held(machine: Machine) -> None:
    machine.restart(limit_to(3))
    await machine.write(6, REGISTERS)
    machine.free(REGISTERS, 0, 6)
    machine.disk.spool.store.unhold()
    with pytest.raises(SpoolFull):
        await machine.write(3, REGISTERS)
    assert machine.gone(REGISTERS) == []


async def test_a_lowered_limit_costs_nothing_by_itself(machine: Machine) -> None:
    await machine.write(10, SAMPLES)
    machine.restart(limit_to(2))
    assert len(machine.disk.frames()) == 10
    before = machine.disk.spool.store.bytes_on_disk
    await machine.write(2, SAMPLES)
    assert machine.gone(SAMPLES) == [(0, 2, "disk_full")], "as much as came"
    assert machine.disk.spool.store.bytes_on_disk <= before


async def test_others_who_fill_the_disk_cost_as_much_as_is_written_and_no_more(machine: Machine) -> None:
    await machine.write(10, SAMPLES)
    own = machine.disk.spool.store.bytes_on_disk
    machine.total = 40 * own
    machine.others = machine.total - own - 100
    await machine.write(1, REGISTERS)
    assert machine.gone(SAMPLES) == [(0, 2, "disk_full")]
    await machine.write(1, REGISTERS)
    assert machine.gone(SAMPLES) == [(0, 2, "disk_full")], "the first made room for two"


async def test_registers_may_use_what_samples_leave_to_others(machine: Machine) -> None:
    machine.total = 1_000_000
    kept, floor = left_to_others(machine.total)
    machine.others = machine.total - kept - 4_000
    machine.restart()
    with pytest.raises(SpoolFull):
        await machine.write(1_000, REGISTERS, every_ms=1)
    assert machine.space.free < floor + 2_000
    assert len(machine.left(REGISTERS)) > 200


def test_what_is_left_to_others() -> None:
    giga = 1_000_000_000
    assert left_to_others(500 * giga) == (25 * giga, 50_000_000)
    assert left_to_others(2 * giga) == (200_000_000, 50_000_000)
    assert left_to_others(400_000_000) == (100_000_000, 25_000_000)


async def test_the_reason_of_a_drop_is_durable_before_the_file_is_unlinked(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.restart(limit_to(3))
    await machine.write(6, SAMPLES)
    image = tmp_path / "image"

    def unlink(path: Path) -> None:
        shutil.copytree(machine.path, image, dirs_exist_ok=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(KeyboardInterrupt):
        await machine.write(1, SAMPLES)
    monkeypatch.undo()
    killed = Disk(image, segment_bytes=SEGMENT)
    assert killed.spool.store.lost_readings(SAMPLES) == {"disk_full": 2 * READINGS}
    assert killed.accounted() == killed.taken() == 6 * READINGS
    killed.kill()


async def test_a_damaged_file_is_not_dropped_but_set_aside(machine: Machine) -> None:
    machine.restart(limit_to(3))
    await machine.write(4, SAMPLES)
    frame = machine.disk.told[0]
    machine.disk.spool.store.give_up(SAMPLES, frame.epoch, 0, frame.id)
    await machine.write(4, SAMPLES)
    assert machine.gone(SAMPLES)[0] == (0, 1, "refused")
    machine.free(SAMPLES, 1, 2)
    assert len(list((machine.path / "set-aside").iterdir())) == 1


def test_ranges_dropped_in_a_row_keep_their_digests_until_there_are_many() -> None:
    entry = Entry("e" * 32, SAMPLES)
    for at in range(1_000):
        entry = entry.with_gone(Gone(entry.epoch, 2 * at, 2, 5, "disk_full", f"{at:032x}", at, at + 1))
    assert len(entry.gone) == 256
    assert sum(gone.readings for gone in entry.gone) == 5_000
    assert (entry.gone[0].frames, entry.gone[0].digest) == (2 * 745, None)
    assert (entry.gone[0].from_ms, entry.gone[0].to_ms) == (0, 745)
    assert entry.gone[-1].digest == f"{999:032x}"


async def test_the_alarm_comes_before_the_loss_and_goes_with_the_backlog(machine: Machine) -> None:
    machine.restart(limit_to(10))
    watch = RoomWatch(machine.disk.spool, lambda: machine.now_ms)
    await machine.write(10, SAMPLES)
    assert list(watch.look()) == []
    told: list[object] = []
    for _ in range(8):
        await machine.write(1, SAMPLES)
        told += watch.look()
    (event,) = told
    assert isinstance(event, dict) and event["event"] == "spool_alarm"
    assert event["time_ms"] <= machine.now_ms and event["limit_bytes"] == limit_to(10).max_bytes
    assert machine.gone(SAMPLES) == [], "nothing was lost when it was told"
    machine.free(SAMPLES, 0, 16)
    assert [event["event"] for event in watch.look()] == ["spool_alarm_over"]


async def test_the_room_says_how_long_each_lane_can_go_on(machine: Machine) -> None:
    machine.restart(replace(limit_to(20), reserve_days=0.01))
    await machine.write(5, REGISTERS)
    await machine.write(6, SAMPLES)
    seen = machine.disk.spool.room
    assert seen.bytes == seen.waiting_bytes == machine.disk.spool.store.bytes_on_disk
    assert seen.limit_bytes == limit_to(20).max_bytes
    registers = sum(path.stat().st_size for path in machine.path.glob("registers*"))
    assert seen.registers_left_bytes == seen.limit_bytes - registers, "samples make way"
    assert seen.samples_left_bytes == seen.limit_bytes - seen.registers_reserve_bytes - (
        seen.bytes - registers
    )
    assert seen.registers_bytes_per_day is not None
    assert abs(seen.registers_bytes_per_day * seen.registers_reserve_bytes) > 0
    machine.free(REGISTERS, 0, 4)
    assert machine.disk.spool.room.waiting_bytes < seen.waiting_bytes
    machine.disk.spool.store.unhold()
    assert machine.disk.spool.room.waiting_bytes < seen.waiting_bytes, "a new life alone is no alarm"
