"""Agents, a broker and collectors in one process, with every fault that a test can name.

Sender, spool and receiver are the real ones; the disk is a model over real files, the ledger is in memory.
The broker is bags of messages: a test delivers, repeats, reorders or drops what is in them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from agent.spool.limits import SpoolLimits
from core.delivery.actions import Free
from core.delivery.frames import Frame, Lane
from core.delivery.holdings import Answer
from core.delivery.messages import Data, Head, Inventory, Life, Message, Table, decode, encode
from core.delivery.payload import TakenReading, decode_payload
from core.delivery.receiver import Arrival, decide
from core.errors import WireError
from tests.unit.core.delivery.ledgers import Collector, MemoryLedger
from tests.unit.core.delivery.machine import AGENT, POINTS, Machine
from tests.unit.core.delivery.model_disk import Image, ModelDisk

SITE, LEDGER = "aoba", "hq"
DAY_MS = 86_400_000


class World:
    """Machines of one agent, and one or two required ledgers.

    Attributes
    ----------
    frames
        Every frame that was ever on a disk, by id.
    promised
        Ids of those that were flushed: these must not be lost without a name.
    excused
        Ids of those on a disk that is gone for good: nobody can name them.
    broken
        What must never happen and has.
    """

    acks_before_commit = False
    frees_when_sent = False
    will_on_head = False
    machine_class = Machine
    disk_class = ModelDisk

    def __init__(self, folder: Path, seed: int = 0, *, ledgers: int = 1) -> None:
        self.chance = random.Random(seed)
        self.now_ms = 0
        self.days = 0
        self.limits = SpoolLimits()
        self.ledgers = ("hq", "hq-east")[:ledgers]
        self.disk = self.disk_class(folder, self.chance)
        self.frames: dict[str, Frame] = {}
        self.promised: set[str] = set()
        self.excused: set[str] = set()
        self.broken: list[str] = []
        self.flipped = self.torn = False
        self.retained: bytes | None = None
        self._at_connection = encode(Head(lanes={}))
        self._ticks = 0
        self.down: list[tuple[str, bytes]] = []
        self.said_down: list[tuple[str, str, bytes]] = []
        self.said_up: list[tuple[str, Lane | None, bytes]] = []
        self.collectors = [Collector(name, self.draw(32)) for name in self.ledgers]
        with self.disk.in_force():
            self.machines = [self.machine_class(self, self.disk, self.disk.root / "0")]
            self.machines[0].start()
            for collector in self.collectors:
                self.new_life(collector)

    # what a machine asks of its surroundings

    def wall_ms(self) -> int:
        return 1_767_225_600_000 + self.now_ms + self.days * DAY_MS

    def draw(self, digits: int) -> str:
        return f"{self.chance.getrandbits(digits * 4):0{digits}x}"

    def jitter(self) -> float:
        return self.chance.random()

    def durable(self, machine: Machine, frames: Sequence[Frame], *, flushed: bool) -> None:
        for frame in frames:
            self.frames[frame.id] = frame
            if flushed:
                self.promised.add(frame.id)

    def freed(self, machine: Machine, free: Free) -> None:
        """See that each ledger on whose word frames go holds them, in a life that is not known to be over."""
        for name in self.ledgers:
            life = machine.sender.followed_life(name) or ""
            speaker = next((one for one in self.collectors if life in one.lives), None)
            if speaker is None or machine.heard[name].intersection(speaker.lives_after(life)):
                self.broken.append(f"freed on no word of {name}: {free.lane} {free.epoch} {free.first}")
                continue
            for at in range(free.first, free.end):
                frame_id = machine.ids.get((free.lane, free.epoch, at), "")
                if not speaker.held_in(life, self.frames.get(frame_id)):
                    self.broken.append(f"freed though {name} lacks it: {free.lane} {free.epoch} {at}")

    def connected(self) -> None:
        for collector in self.collectors:
            if collector.lives:
                self.say_life(collector)

    def publish(self, machine: Machine, lane: Lane | None, message: Message) -> None:
        data = encode(message)
        if lane is None:
            self.retained = data
        self.said_up.append((AGENT, lane, data))
        for collector in self.collectors:
            collector.up.append((AGENT, lane, data))
        if self.frees_when_sent and isinstance(message, Data) and lane is not None:
            for sent in message.frames:
                free = Free(lane, message.epoch, sent.at, sent.at + 1)
                self.freed(machine, free)
                machine.spool.store.free(lane, message.epoch, sent.at, sent.at + 1)

    # work

    @property
    def machine(self) -> Machine:
        """The machine that was there first."""
        return self.machines[0]

    def take(self, lane: Lane, n: int, machine: Machine | None = None, *, poison: bool = False) -> None:
        """Take readings for a frame that is not durable yet."""
        readings = []
        for _ in range(n):
            self._ticks += 1
            readings.append(TakenReading(POINTS.rows[self._ticks % 2].point, self._ticks, self._ticks))
        (machine or self.machine).take(lane, readings, poison=poison)

    def pass_time(self, ms: int) -> None:
        """Let time pass, and the machines do what is due."""
        self.now_ms += ms
        for machine in self.machines:
            machine.work()

    def collect(
        self, collector: Collector, which: Sequence[int], *, crash_before_commit: bool = False
    ) -> None:
        """Let a collector take messages in one transaction, or die just before it commits."""
        batch = [collector.up[i] for i in which]
        collector.up = [message for i, message in enumerate(collector.up) if i not in which]
        arrivals = []
        for agent, lane, data in batch:
            try:
                message = decode(data)
            except WireError:
                continue  # quarantined as bytes
            assert isinstance(message, Data | Table | Inventory | Head)
            arrivals.append(Arrival(SITE, agent, lane, message))
        decision = decide(arrivals, collector.ledger, collector.life)
        if self.acks_before_commit:
            self._answer(collector, decision.answers)
        if crash_before_commit:
            self.new_life(collector)
            return
        collector.ledger.commit(decision)
        if not self.acks_before_commit:
            self._answer(collector, decision.answers)

    def hear(self, i: int) -> None:
        """Let the machines hear a message."""
        name, data = self.down.pop(i)
        for machine in tuple(self.machines):
            machine.hear(name, data)

    def go_on(self) -> None:
        """Let everybody work a little, in an order that chance makes."""
        chance = self.chance
        for machine in self.machines:
            for _ in range(chance.randint(0, 2)):
                lane = chance.choice(list(Lane))
                self.take(lane, chance.randint(1, 3), machine)
                if chance.random() < 0.8:
                    machine.flush()
        if chance.random() < 0.4:
            self.all_goes_well()
            return
        self.pass_time(chance.choice((20, 60, 300)))
        for collector in self.collectors:
            some = [i for i in range(len(collector.up)) if chance.random() < 0.7]
            self.collect(collector, some, crash_before_commit=chance.random() < 0.1)
        for _ in range(chance.randint(0, len(self.down))):
            self.hear(chance.randrange(len(self.down)))

    def all_goes_well(self, ms: int = 60) -> None:
        """Let everything that is said be heard, for a while."""
        for _ in range(3):
            self.pass_time(ms)
            for collector in self.collectors:
                self.collect(collector, range(len(collector.up)))
            while self.down:
                self.hear(0)

    # faults

    def new_life(self, collector: Collector, ledger: MemoryLedger | None = None) -> None:
        """Start a collector anew, on another ledger or its own; what the broker retains comes again."""
        collector.begin(self.draw(32))
        collector.ledger = ledger or collector.ledger
        if self.retained is not None:
            collector.up.append((AGENT, None, self.retained))
        self.say_life(collector)

    def say_life(self, collector: Collector) -> None:
        message = Life(
            ledger=collector.name,
            ledger_id=collector.ledger_id,
            life=collector.life,
            time_ms=self.wall_ms(),
            alive=True,
        )
        self._say(collector, message)

    def restore(self, collector: Collector, backup: MemoryLedger) -> None:
        """Put an older ledger in the place of the present one."""
        collector.was_always_there = False
        self.new_life(collector, backup.backup())

    def copy_ledger(self, collector: Collector, backup: MemoryLedger) -> None:
        """Start an older copy of a ledger beside it, under the same name and id."""
        collector.was_always_there = False
        twin = Collector(collector.name, collector.ledger_id, ledger=backup.backup())
        self.collectors.append(twin)
        self.new_life(twin)

    def replace_ledger(self, collector: Collector) -> None:
        """Put an empty ledger of another id in the place of a ledger."""
        collector.ledger_id, collector.was_always_there = self.draw(32), False
        self.new_life(collector, MemoryLedger())

    def lose_connection(self) -> None:
        """Let the broker lose all connections, and be reached again."""
        if self.will_on_head:
            self.retained = self._at_connection
            for collector in self.collectors:
                collector.up.append((AGENT, None, self.retained))
        self._at_connection = self.retained or self._at_connection
        for machine in self.machines:
            machine.connect()

    def flip(self, machine: Machine) -> None:
        """Flip bits of a byte on a machine's disk; where there are two copies, not of both."""
        if machine.is_whole:
            machine.is_whole = False
            self.flipped |= bool(self.disk.flip(machine.folder))

    def clone(self) -> None:
        """Start a second machine on a copy of the first one's disk."""
        second = self.machine_class(self, self.disk, self.disk.root / str(len(self.machines)))
        self.disk.put_back(second.folder, self.disk.image(self.machine.folder))
        second.start()
        self.machines.append(second)

    def restore_disk(self, image: Image) -> None:
        """Start the first machine anew on an older image of its disk, or on an empty one."""
        self.tear()
        self.machine.kill()
        self.disk.put_back(self.machine.folder, image)
        self.machine.start()

    def tear(self) -> None:
        """Take note that a disk is gone, or older than it was: what only it had or knew is excused."""
        self.torn = True
        self.excused |= self.frames.keys()

    # the end

    def drain(self) -> None:
        """End all faults, and let all go on until nothing is left to do."""
        self.disk.steps_left, self.disk.capacity, self.disk.fails = None, None, False
        self.limits = SpoolLimits()
        names = set[str]()
        for collector in tuple(self.collectors):
            if collector.name in names:
                self.collectors.remove(collector)
            names.add(collector.name)
        for machine in self.machines:
            machine.flush()
            if not machine.runs or self.flipped:
                machine.kill()
                machine.start()
                assert machine.runs
            machine.connect()
            for collector in self.collectors:
                machine.trust(collector.name, collector.ledger_id)
        self.down = []
        for collector in self.collectors:
            collector.up = []
            self.new_life(collector)
        self._go_on(400)
        for collector in self.collectors:
            self.new_life(collector)  # the last inventory tells what became of everything
        self._go_on(10)

    def _go_on(self, rounds: int) -> None:
        for _ in range(rounds):
            self.pass_time(200)
            for collector in self.collectors:
                self.collect(collector, range(len(collector.up)))
            while self.down:
                self.hear(0)
            waits = any(machine.sender.unheld for machine in self.machines)
            if not waits and rounds > 10 and not any(one.up for one in self.collectors):
                break

    def _answer(self, collector: Collector, answers: tuple[Answer, ...]) -> None:
        for answer in answers:
            if answer.agent == AGENT:
                self._say(collector, answer.message)

    def _say(self, collector: Collector, message: Message) -> None:
        data = encode(message)
        self.said_down.append((collector.life, collector.name, data))
        self.down.append((collector.name, data))


def readings_of(frame: Frame) -> set[TakenReading]:
    """The readings in a frame; none where it is poisoned."""
    try:
        return set(decode_payload(frame, POINTS)[0])
    except WireError:
        return set()
