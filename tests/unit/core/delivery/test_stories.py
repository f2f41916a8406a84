"""What happens to an agent, step by step, with the real spool: what is promised in each case, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from agent.spool.limits import SpoolLimits
from core.delivery.count import Count
from core.delivery.frames import Frame, Lane
from core.delivery.outbox import REFUSALS
from tests.unit.core.delivery.broken import BROKEN, SetsTheHeadBack
from tests.unit.core.delivery.checks import check
from tests.unit.core.delivery.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    with world.disk.in_force():
        world.all_goes_well()
        world.all_goes_well()
        yield world
        for machine in world.machines:
            machine.kill()


def write(world: World, frames: int = 1, lane: Lane = Lane.REGISTERS, which: int = 0) -> None:
    """Have a machine write frames, and say how far they go."""
    for _ in range(frames):
        world.take(lane, 2, world.machines[which])
        world.machines[which].flush()
    world.pass_time(60)


def counts(world: World) -> list[Count]:
    return [count for count in world.collectors[0].ledger.counts() if count.lane is Lane.REGISTERS]


def events(world: World) -> set[str]:
    return {event.kind for event in world.collectors[0].ledger.events}


def unheard(world: World) -> None:
    """Let the collector never hear what was said to it."""
    world.collectors[0].up.clear()


def test_registers_stay_for_their_time_and_refill_a_restored_ledger(world: World) -> None:
    backup = world.collectors[0].ledger.backup()
    write(world, 3)
    write(world, 3, Lane.SAMPLES)
    world.all_goes_well()
    assert world.machine.sender.unheld == 0
    world.restore(world.collectors[0], backup)
    world.drain()
    check(world)
    lost = {count.lane: count.lost for count in world.collectors[0].ledger.counts()}
    assert lost == {Lane.REGISTERS: {}, Lane.SAMPLES: {}}, "the segment that is written is freed as a whole"


def test_after_their_time_they_are_gone_and_a_restored_ledger_says_so(world: World) -> None:
    backup = world.collectors[0].ledger.backup()
    write(world, 3)
    world.all_goes_well()
    world.machine.stop()
    world.machine.start()
    world.all_goes_well()
    world.days = 63
    write(world)
    world.restore(world.collectors[0], backup)
    world.drain()
    check(world)
    assert {"trimmed": 6} in [count.lost for count in counts(world)]


def test_a_wiped_spool_leaves_what_the_head_told(world: World) -> None:
    _wiped_while_nobody_listened(world)
    old = counts(world)[0]
    assert (old.taken, old.owed, old.owed_frames) == (8, 8, 4)
    assert events(world) == {"spool_replaced"}


def test_a_will_on_the_head_would_take_even_that(tmp_path: Path) -> None:
    world = SetsTheHeadBack(tmp_path)
    with world.disk.in_force():
        world.all_goes_well()
        world.all_goes_well()
        _wiped_while_nobody_listened(world)
        assert sum(count.taken for count in counts(world)) == 2
        world.machine.kill()


def _wiped_while_nobody_listened(world: World) -> None:
    """Frames are written while the collector is away; the broker has their head; then the disk is gone."""
    world.lose_connection()
    write(world, 4)
    world.machine.kill()
    world.lose_connection()
    unheard(world)
    world.new_life(world.collectors[0])
    world.collect(world.collectors[0], range(len(world.collectors[0].up)))
    world.restore_disk({})
    write(world)
    world.drain()


def test_an_older_disk_is_named_and_owes_what_it_lost(world: World) -> None:
    write(world, 2)
    image = world.disk.image(world.machine.folder)
    write(world, 3)
    unheard(world)
    world.lose_connection()
    world.pass_time(60)
    world.collect(world.collectors[0], range(1))  # the head alone
    world.restore_disk(image)
    write(world)
    world.drain()
    assert events(world) == {"older_disk"}
    (old, *_) = counts(world)
    assert (old.stored, old.owed, old.adds_up) == (4, 6, True)


def test_a_cloned_disk_loses_nothing_and_is_named(world: World) -> None:
    write(world, 2)
    world.clone()
    for which in (0, 1, 0, 1):
        write(world, 2, which=which)
    world.drain()
    check(world)
    world.machine.stop()
    world.machine.start()
    write(world)
    world.machines[1].stop()
    world.machines[1].start()
    write(world, which=1)
    world.drain()
    check(world)
    assert events(world) >= {"clone", "older_disk"}


def test_a_resumed_memory_keeps_both_frames_of_a_place(world: World) -> None:
    write(world)
    image = world.machine.memory()
    write(world, 2)
    world.all_goes_well()
    image.resume(world.machine)
    write(world, 3)
    world.drain()
    assert events(world) == {"same_place"}
    (count,) = counts(world)
    assert (count.stored, count.extra, count.complete) == (8, 4, True)
    assert len(world.collectors[0].ledger.readings()) == 12


def test_a_frame_that_life_after_life_refuses_is_named(world: World) -> None:
    def refusal(frame: Frame) -> str:
        return "no" if frame.index == 1 else ""

    with patch("core.delivery.receiver.refusal", refusal):
        write(world, 3)
        for _ in range(REFUSALS):
            world.all_goes_well(1500)
            world.new_life(world.collectors[0])
        world.drain()
    (count,) = counts(world)
    assert (count.stored, count.lost, count.complete) == (4, {"refused": 2}, True)
    check(world)


def test_a_strange_ledger_is_delivered_to_and_frees_nothing(world: World) -> None:
    write(world, 2)
    world.all_goes_well()
    world.replace_ledger(world.collectors[0])
    write(world, 2)
    world.all_goes_well()
    world.all_goes_well()
    assert len(world.collectors[0].ledger.kept) == 4
    store = world.machine.spool.store
    assert not any(segment.freed for segment in store._segments)
    world.drain()  # which trusts it
    assert any(segment.freed for segment in store._segments)
    check(world)


def test_two_ledgers_are_judged_each_alone(tmp_path: Path) -> None:
    world = World(tmp_path, ledgers=2)
    with world.disk.in_force():
        world.all_goes_well()
        write(world, 3)
        for _ in range(4):
            world.pass_time(60)
            world.collect(world.collectors[0], range(len(world.collectors[0].up)))
            while world.down:
                world.hear(0)
        (segment,) = world.machine.spool.store._segments
        assert segment.is_held and not segment.freed
        world.drain()
        assert segment.is_freed
        check(world)
        world.machine.kill()


def test_two_collectors_under_one_name_are_told(world: World) -> None:
    write(world)
    world.all_goes_well()
    world.copy_ledger(world.collectors[0], world.collectors[0].ledger)
    for _ in range(3):
        for collector in world.collectors:
            world.pass_time(100)
            world.say_life(collector)
            world.all_goes_well()
    assert list(world.machine.sender.rivals(world.now_ms)) == ["hq"]
    world.drain()
    check(world)


@pytest.mark.parametrize("power", [False, True], ids=["killed", "power cut"])
@pytest.mark.parametrize("broken", [False, True], ids=["", "unlinked first"])
def test_killed_at_any_step_of_a_full_disk(tmp_path: Path, power: bool, broken: bool) -> None:
    rule = BROKEN["unlink before the reason"]
    part = patch(rule.place, rule.part) if broken else patch.object(World, "torn", False, create=True)
    damaged = 0
    with part:
        for steps in range(16):
            world = World(tmp_path / str(steps), steps)
            with world.disk.in_force():
                damaged += _damage_of_a_kill(world, steps, power=power)
                world.machine.kill()
    assert (damaged > 0) is broken


def _damage_of_a_kill(world: World, steps: int, *, power: bool) -> int:
    """Readings that are not named lost to the full disk, where the process dies as it makes room."""
    world.machine.kill()
    world.limits = SpoolLimits(max_bytes=4_000)
    world.machine.start()
    for _ in range(39):  # full, for nobody listens
        world.take(Lane.SAMPLES, 2)
        world.machine.flush()
    unheard(world)
    world.machine.kill(steps=steps)
    for _ in range(6):
        world.take(Lane.SAMPLES, 2)
        world.machine.flush()
    world.machine.kill()
    if power:
        world.disk.cut_power(world.machine.folder)
    world.machine.start()
    world.drain()
    counts = world.collectors[0].ledger.counts()
    assert all(count.adds_up for count in counts)
    named = sum(readings for count in counts for readings in count.lost.values())
    full = sum(count.lost.get("disk_full", 0) for count in counts)
    known = sum(frame.n for frame in world.frames.values())
    return named - full + known - sum(count.taken for count in counts)
