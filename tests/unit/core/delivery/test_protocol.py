"""The protocol under any faults: nothing is freed that the ledger lacks, the count adds up, backlogs drain.

Each negative control breaks one rule; then the same machine must find a failure, or it proves nothing.
"""

from __future__ import annotations

import random
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core.delivery.frames import Lane
from core.delivery.messages import Ack, Life
from core.delivery.sender import Sender
from tests.unit.core.delivery.world import World

_FEW = settings(
    max_examples=50,
    stateful_step_count=40,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


class Faults(RuleBasedStateMachine):
    """Any order of work and faults."""

    world_class: ClassVar[type[World]] = World

    def __init__(self) -> None:
        super().__init__()
        self.world = self.world_class()

    @rule(lane=st.sampled_from(Lane), n=st.integers(1, 3), durable=st.booleans())
    def take(self, lane: Lane, n: int, durable: bool) -> None:
        self.world.take(lane, n)
        if durable:
            self.world.sync()

    @rule()
    def sync(self) -> None:
        self.world.sync()

    @rule(ms=st.sampled_from([20, 300, 2000]))
    def pass_time(self, ms: int) -> None:
        self.world.pass_time(ms)

    @precondition(lambda self: self.world.up)
    @rule(data=st.data(), crash=st.integers(0, 3))
    def collect(self, data: st.DataObject, crash: int) -> None:
        indexes = st.integers(0, len(self.world.up) - 1)
        which = data.draw(st.lists(indexes, min_size=1, max_size=6, unique=True))
        self.world.collect(which, crash_before_commit=crash == 0)

    @precondition(lambda self: self.world.down)
    @rule(data=st.data())
    def hear(self, data: st.DataObject) -> None:
        self.world.hear(data.draw(st.integers(0, len(self.world.down) - 1)))

    @rule()
    def all_goes_well_for_a_while(self) -> None:
        self.world.all_goes_well()

    @precondition(lambda self: self.world.up or self.world.down)
    @rule(data=st.data(), repeat=st.booleans())
    def broker_repeats_or_loses(self, data: st.DataObject, repeat: bool) -> None:
        bag: list[Any] = data.draw(st.sampled_from([b for b in (self.world.up, self.world.down) if b]))
        at = data.draw(st.integers(0, len(bag) - 1))
        if repeat:
            bag.append(bag[at])
        else:
            del bag[at]

    @rule()
    def connection_is_lost(self) -> None:
        self.world.sender.on_disconnected()
        self.world.sender.on_connected(self.world.now_ms)
        self.world.say_life()

    @rule()
    def agent_is_killed(self) -> None:
        self.world.start_agent()
        self.world.say_life()

    @rule()
    def collector_is_killed(self) -> None:
        self.world.new_life()

    @rule()
    def back_up(self) -> None:
        self.world.backups.append(self.world.ledger.backup())

    @precondition(lambda self: self.world.backups)
    @rule(data=st.data())
    def ledger_is_restored(self, data: st.DataObject) -> None:
        self.world.restore(data.draw(st.sampled_from(self.world.backups)))

    @invariant()
    def nothing_is_freed_that_the_ledger_lacks(self) -> None:
        assert not self.world.freed_without_holder

    def teardown(self) -> None:
        self.world.drain()
        check(self.world)


def check(world: World) -> None:
    """What must hold when all faults are over and the backlog has had its time."""
    assert not world.freed_without_holder
    assert world.left_on_disk == 0
    counts = world.ledger.counts()
    stored = world.ledger.readings()
    assert all(count.complete for count in counts), counts
    assert sum(count.taken for count in counts) == len(world.taken)
    assert sum(count.stored for count in counts) == len(stored)
    assert all(count.lost.keys() <= {"trimmed"} for count in counts)
    assert stored <= world.taken
    assert world.taken - stored <= world.lost_by_restoring


def test_any_faults() -> None:
    run_state_machine_as_test(Faults, settings=_FEW)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_any_faults_at_length() -> None:
    run_state_machine_as_test(
        Faults, settings=settings(_FEW, max_examples=10_000, stateful_step_count=80, derandomize=False)
    )


class _IgnoresLives(Sender):
    def on_ack(self, ledger: str, ack: Ack) -> None:
        self._peers[ledger].followed = ack.life
        super().on_ack(ledger, ack)


class _FollowsAtOnce(Sender):
    def on_life(self, message: Life, now_ms: int) -> None:
        super().on_life(message, now_ms)
        if message.alive:
            self._peers[message.ledger].followed = message.life


class IgnoresLives(World):
    sender_class = _IgnoresLives


class FollowsALifeThatHasNotAnswered(World):
    sender_class = _FollowsAtOnce


class AcksBeforeCommit(World):
    acks_before_commit = True


class FreesWhatTheBrokerHas(World):
    frees_when_sent = True


class CountsBeforeSync(World):
    counts_before_sync = True


def _late_words_of_a_dead_life(world: World) -> None:
    """A ledger is restored; then the life before says that it is alive, and acknowledges what it had."""
    world.all_goes_well()
    backup = world.ledger.backup()
    world.say_life()
    late_life = world.down.pop()
    world.take(Lane.REGISTERS, 1)
    world.take(Lane.REGISTERS, 1)
    world.sync()
    world.pass_time(60)
    world.collect(list(range(len(world.up))))
    late_acks, world.down = world.down, []
    assert len(late_acks) == 1
    world.restore(backup)
    world.down += [late_life, *late_acks]
    while world.down:
        world.hear(0)


def test_a_dead_life_is_not_believed() -> None:
    world = World()
    _late_words_of_a_dead_life(world)
    assert not world.freed_without_holder
    assert world.left_on_disk == 2
    world.drain()
    assert world.ledger.readings() == world.taken


@pytest.mark.parametrize("broken", [IgnoresLives, FollowsALifeThatHasNotAnswered])
def test_a_dead_life_is_believed_where_the_rule_is_broken(broken: type[World]) -> None:
    world = broken()
    _late_words_of_a_dead_life(world)
    assert world.freed_without_holder


def _walk(world: World, chance: random.Random) -> None:
    """The same work and faults as above in random order, without looking for the shortest failure."""
    for _ in range(60):
        match chance.randrange(12):
            case 0 | 1 | 2:
                world.take(chance.choice(list(Lane)), chance.randint(1, 3))
                if chance.random() < 0.7:
                    world.sync()
                world.pass_time(60)
            case 3 | 4 | 5 if world.up:
                which = sorted({chance.randrange(len(world.up)) for _ in range(4)})
                world.collect(which, crash_before_commit=chance.random() < 0.2)
            case 6 | 7 if world.down:
                world.hear(chance.randrange(len(world.down)))
            case 8:
                world.all_goes_well()
            case 9:
                world.start_agent()
                world.say_life()
            case 10:
                world.backups.append(world.ledger.backup())
            case 11 if world.backups:
                world.restore(chance.choice(world.backups))
    world.drain()
    check(world)


@pytest.mark.parametrize(
    "broken",
    [World, IgnoresLives, AcksBeforeCommit, FreesWhatTheBrokerHas, CountsBeforeSync],
)
def test_a_walk_finds_each_broken_rule(broken: type[World]) -> None:
    failures = 0
    for seed in range(60 if broken is World else 500):
        try:
            _walk(broken(seed), random.Random(seed))
        except AssertionError:
            failures += 1
            break
    assert (failures > 0) is (broken is not World)
