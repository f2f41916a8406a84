"""The protocol under any faults: nothing is lost without a name, the count closes, backlogs drain."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from agent.spool.limits import SpoolLimits
from core.delivery.frames import Lane
from tests.unit.core.delivery.checks import check
from tests.unit.core.delivery.ledgers import Collector
from tests.unit.core.delivery.machine import MemoryImage
from tests.unit.core.delivery.model_disk import Image
from tests.unit.core.delivery.strangers import come_late, forge, litter, steal
from tests.unit.core.delivery.world import World

_STEPS = 20
_SETTINGS = settings(
    phases=[Phase.generate],  # add Phase.shrink to a failure's seed by hand: it takes minutes
    stateful_step_count=_STEPS,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


class Faults(RuleBasedStateMachine):
    """Any order of work and faults."""

    world_class: ClassVar[type[World]] = World
    below: ClassVar[Path]

    @initialize(seed=st.integers(0, 2**32), ledgers=st.integers(1, 2))
    def begin(self, seed: int, ledgers: int) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=self.below))
        self.world = self.world_class(self.folder, seed, ledgers=ledgers)
        self.force = self.world.disk.in_force()
        self.force.__enter__()
        self.disk_images: list[Image] = []
        self.memory_images: list[MemoryImage] = []

    def _one(self) -> Collector:
        return self.world.chance.choice(self.world.collectors)

    @rule(lane=st.sampled_from(Lane))
    def take_poison(self, lane: Lane) -> None:
        self.world.take(lane, 1, poison=True)
        self.world.machine.flush()

    @rule(crash=st.booleans(), ms=st.sampled_from([300, 2000]))
    def collector_takes_some(self, crash: bool, ms: int) -> None:
        self.world.take(Lane.REGISTERS, 2)
        self.world.machine.flush()
        self.world.pass_time(ms)
        collector, chance = self._one(), self.world.chance
        which = [i for i in range(len(collector.up)) if chance.random() < 0.5]
        self.world.collect(collector, which, crash_before_commit=crash)

    @rule()
    def all_goes_well_for_a_while(self) -> None:
        self.world.all_goes_well()

    @rule(repeat=st.booleans())
    def broker_repeats_or_loses(self, repeat: bool) -> None:
        chance = self.world.chance
        every: list[list[Any]] = [self.world.down]
        every += [one.up for one in self.world.collectors]
        if any(every):
            bag = chance.choice([bag for bag in every if bag])
            at = chance.randrange(len(bag))
            if repeat:
                bag.append(bag[at])
            else:
                del bag[at]

    @rule()
    def old_words_come_late(self) -> None:
        come_late(self.world)

    @rule()
    def connection_is_lost(self) -> None:
        self.world.lose_connection()

    @rule(steps=st.none() | st.integers(0, 12), power=st.booleans())
    def agent_is_killed(self, steps: int | None, power: bool) -> None:
        machine = self.world.chance.choice(self.world.machines)
        if steps is not None:
            machine.kill(steps=steps)
            self.world.go_on()
        machine.kill()
        if power and machine.folder.exists():
            self.world.disk.cut_power(machine.folder)
        machine.start()

    @rule()
    def agent_is_stopped(self) -> None:
        self.world.machine.stop()
        self.world.machine.start()

    @rule()
    def collector_is_killed(self) -> None:
        self.world.new_life(self._one())

    @rule()
    def back_up(self) -> None:
        collector = self._one()
        collector.backups.append(collector.ledger.backup())

    @rule()
    def ledger_is_restored(self) -> None:
        collector = self._one()
        if collector.backups:
            self.world.restore(collector, self.world.chance.choice(collector.backups))

    @precondition(lambda self: len(self.world.collectors) == len(self.world.ledgers))
    @rule()
    def an_older_copy_of_a_ledger_is_started_beside_it(self) -> None:
        collector = self._one()
        if collector.backups:
            self.world.copy_ledger(collector, self.world.chance.choice(collector.backups))

    @rule()
    def ledger_is_replaced(self) -> None:
        self.world.replace_ledger(self._one())

    @rule()
    def a_waiting_ledger_is_trusted(self) -> None:
        for machine in self.world.machines:
            for name, ledger_id in machine.sender.untrusted.items() if machine.runs else ():
                machine.trust(name, ledger_id)

    @rule()
    def old_frames_become_blocks(self) -> None:
        self._one().ledger.prune_some(self.world.chance)

    @rule(days=st.sampled_from([30, 63]))
    def days_pass(self, days: int) -> None:
        self.world.days += days

    @rule(max_bytes=st.sampled_from([None, 4_000, 8_000]), full=st.booleans())
    def room_changes(self, max_bytes: int | None, full: bool) -> None:
        self.world.disk.capacity = self.world.disk.used() + 1_500 if full else None
        self.world.limits = SpoolLimits(max_bytes=max_bytes)
        self.world.machine.stop()
        self.world.machine.start()

    @rule()
    def a_sync_fails(self) -> None:
        self.world.disk.fails = True
        self.world.take(Lane.REGISTERS, 2)
        self.world.machine.flush()
        self.world.disk.fails = False
        self.world.machine.start()

    @rule()
    def a_byte_flips(self) -> None:
        self.world.flip(self.world.chance.choice(self.world.machines))

    @rule()
    def somebody_forges_litters_and_steals(self) -> None:
        forge(self.world)
        litter(self.world)
        steal(self.world)

    @precondition(lambda self: len(self.world.machines) == 1)
    @rule()
    def disk_is_cloned(self) -> None:
        self.world.clone()

    @rule()
    def an_image_of_the_disk_is_kept(self) -> None:
        self.disk_images.append(self.world.disk.image(self.world.machine.folder))

    @precondition(lambda self: self.disk_images)
    @rule()
    def an_older_image_of_the_disk_is_restored(self) -> None:
        self.world.restore_disk(self.world.chance.choice(self.disk_images))

    @rule()
    def an_image_of_the_memory_is_kept(self) -> None:
        if self.world.machine.runs:
            self.memory_images.append(self.world.machine.memory())

    @precondition(lambda self: self.memory_images)
    @rule()
    def an_older_image_of_the_memory_is_resumed(self) -> None:
        self.world.tear()
        self.world.chance.choice(self.memory_images).resume(self.world.machine)

    @rule()
    def spool_is_wiped(self) -> None:
        self.world.restore_disk({})

    @invariant()
    def work_goes_on_and_nothing_is_freed_that_a_ledger_lacks(self) -> None:
        self.world.go_on()
        assert not self.world.broken, self.world.broken

    def teardown(self) -> None:
        try:
            self.world.drain()
            check(self.world)
        finally:
            for machine in self.world.machines:
                machine.kill()
            self.force.__exit__(None, None, None)
            shutil.rmtree(self.folder)


def run(folder: Path, number: int, examples: int, world: type[World] = World) -> None:
    """Try so many random runs; the number is their seed, and a failure prints how to repeat it."""
    seeded = seed(number)(type("SeededFaults", (Faults,), {"below": folder, "world_class": world}))
    run_state_machine_as_test(seeded, settings=settings(_SETTINGS, max_examples=examples))


@pytest.mark.parametrize("number", range(10))
def test_any_faults(tmp_path: Path, number: int) -> None:
    run(tmp_path, number, 30)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", range(100, 200))
def test_any_faults_at_length(tmp_path: Path, number: int) -> None:
    run(tmp_path, number, 100)
