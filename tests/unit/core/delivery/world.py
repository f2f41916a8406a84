"""An agent, a broker and a collector in memory, with every fault that a test can name.

The disk is a model: it unlinks a frame as soon as it may, which is harder on the protocol than segments
are. The sender and the receiver are the real ones. The broker is two bags: a test delivers, repeats,
reorders or drops what is in them.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from core.delivery.actions import Free, GiveUp, SenderSettings, SendFrames, SendHead, SendInventory, SendTable
from core.delivery.frames import Frame, Lane, Stream
from core.delivery.holdings import Answer
from core.delivery.inventory import Past
from core.delivery.messages import (
    Ack,
    Data,
    Ended,
    Gone,
    Head,
    Inventory,
    LaneHead,
    Life,
    Message,
    Table,
    Want,
    decode,
    encode,
)
from core.delivery.payload import TakenReading, decode_payload, encode_payload
from core.delivery.receiver import Arrival, decide
from core.delivery.sender import Sender
from core.delivery.shelf import Written
from core.delivery.tables import PointRow, PointTable
from tests.unit.core.delivery.ledgers import MemoryLedger

SITE, AGENT, LEDGER = "aoba", "aoba-1", "hq"
POINTS = PointTable(
    tuple(
        PointRow(
            f"M-{i}.active_energy_import", "active_energy_import", "Wh", "1", "1", None, "primary", "", "", ""
        )
        for i in range(2)
    )
)
SETTINGS = SenderSettings(
    window=3, message_frames=2, timeout_ms=1000, longest_ms=4000, linger_ms=50, head_ms=10, spread_ms=10
)


@dataclass
class Disk:
    """Durable frames and the durable epoch table."""

    frames: dict[Stream, dict[int, Frame]] = field(default_factory=dict)
    links: dict[str, tuple[str | None, dict[Lane, tuple[int, int]]]] = field(default_factory=dict)
    ends: dict[Stream, tuple[int, int]] = field(default_factory=dict)
    gone: dict[Stream, list[Gone]] = field(default_factory=dict)

    def end(self, epoch: str, lane: Lane) -> tuple[int, int]:
        return self.ends.get(Stream(AGENT, lane, epoch), (0, 0))

    def begin(self, epoch: str) -> None:
        if epoch not in self.links:
            prev = next(reversed(self.links), None)
            ends = {lane: self.end(prev, lane) if prev else (0, 0) for lane in Lane}
            self.links[epoch] = (prev, ends)

    def write(self, frame: Frame) -> None:
        self.begin(frame.epoch)
        self.frames.setdefault(frame.stream, {})[frame.index] = frame
        self.ends[frame.stream] = (frame.index + 1, self.end(frame.epoch, frame.lane)[1] + frame.n)

    def remove(self, stream: Stream, at: int, reason: str = "freed") -> Frame:
        frame = self.frames[stream].pop(at)
        fields = (stream.epoch, at, 1, frame.n, reason, None, None, None)
        self.gone.setdefault(stream, []).append(Gone._make(fields))
        return frame

    def entries(self, lane: Lane) -> tuple[Ended, ...]:
        return tuple(
            Ended(epoch, *self.end(epoch, lane), prev, *ends[lane], False)
            for epoch, (prev, ends) in self.links.items()
        )


class World:
    """One agent and one ledger; the switches that subclasses throw are faults of the program."""

    frees_when_sent = False
    acks_before_commit = False
    counts_before_sync = False
    sender_class = Sender

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self.now_ms = 0
        self.disk = Disk()
        self.ledger = MemoryLedger()
        self.backups: list[MemoryLedger] = []
        self.up: list[tuple[Lane | None, bytes]] = []
        self.down: list[bytes] = []
        self.taken: set[TakenReading] = set()
        self.freed_without_holder: list[Frame] = []
        self.lost_by_restoring: set[TakenReading] = set()
        self._unsynced: list[Frame] = []
        self._ticks = 0
        self.start_agent()
        self.new_life()

    def start_agent(self) -> None:
        """Kill the agent where it runs, and start it: what was not synced is gone."""
        self._unsynced = []
        self.epoch = self._hex(32)
        self.sender = self.sender_class(
            [LEDGER],
            trusted={LEDGER: ["0" * 32]},
            past=self._past,
            draw=lambda: self._hex(16),
            jitter=self._random.random,
            settings=SETTINGS,
        )
        self.heard_current_life = False
        backlog = [self._written(frame) for frames in self.disk.frames.values() for frame in frames.values()]
        self.sender.on_written(backlog, self.now_ms)
        self.sender.on_connected(self.now_ms)

    def new_life(self) -> None:
        """Start the collector anew: what waited for it in memory is gone."""
        self.life = self._hex(32)
        self.heard_current_life = False
        self.say_life()

    def say_life(self) -> None:
        message = Life(ledger=LEDGER, ledger_id="0" * 32, life=self.life, time_ms=0, alive=True)
        self.down.append(encode(message))

    def restore(self, backup: MemoryLedger) -> None:
        """Put an older ledger in the place of the present one."""
        for frame_id in self.ledger.kept.keys() - backup.kept.keys():
            self.lost_by_restoring.update(decode_payload(self.ledger.kept[frame_id].frame, POINTS)[0])
        self.ledger = backup.backup()
        self.new_life()

    def take(self, lane: Lane, n: int) -> None:
        """Take readings, and cut a frame that is not synced yet."""
        readings = []
        for _ in range(n):
            self._ticks += 1
            readings.append(TakenReading(POINTS.rows[self._ticks % 2].point, self._ticks, self._ticks))
        at = self.disk.end(self.epoch, lane)[0] + sum(frame.lane is lane for frame in self._unsynced)
        payload = encode_payload(readings, POINTS)
        frame = Frame(AGENT, lane, self.epoch, at, n, POINTS.digest, payload)
        self._unsynced.append(frame)
        if self.counts_before_sync:
            self.sender.on_written([self._written(frame)], self.now_ms)

    def sync(self) -> None:
        """Make what was taken durable."""
        for frame in self._unsynced:
            self.disk.write(frame)
            self.taken.update(decode_payload(frame, POINTS)[0])
            if not self.counts_before_sync:
                self.sender.on_written([self._written(frame)], self.now_ms)
        self._unsynced = []

    def pass_time(self, ms: int) -> None:
        """Let time pass, and the agent do what is due."""
        self.now_ms += ms
        for action in self.sender.due(self.now_ms):
            if isinstance(action, SendFrames | SendTable | SendInventory | SendHead):
                self.sender.on_passed(action, 0, self.now_ms)
            match action:
                case SendFrames(lane, epoch, spans):
                    self._send_frames(
                        Stream(AGENT, lane, epoch), [at for a, b in spans for at in range(a, b)]
                    )
                case SendTable(lane, _):
                    self._send(lane, Table(digest=POINTS.digest, points=POINTS.rows))
                case SendInventory(lane, number, sequence, part, parts, blocks, epochs, gone):
                    inventory = Inventory(
                        number=number,
                        process=self.epoch,
                        sequence=sequence,
                        part=part,
                        parts=parts,
                        epochs=epochs,
                        blocks=blocks,
                        gone=gone,
                    )
                    self._send(lane, inventory)
                case SendHead():
                    self._send(None, Head(lanes=self._heads()))
                case Free(lane, epoch, first, end):
                    for at in range(first, end):
                        self._free(Stream(AGENT, lane, epoch), at)
                case GiveUp(lane, epoch, at):
                    self.disk.remove(Stream(AGENT, lane, epoch), at, "refused")
                    self.sender.on_gone(lane, epoch, at, at + 1)

    def collect(self, which: list[int], *, crash_before_commit: bool = False) -> None:
        """Let the collector take messages in one transaction, or die just before it commits."""
        batch = [self.up[i] for i in which]
        self.up = [message for i, message in enumerate(self.up) if i not in which]
        arrivals = []
        for lane, data in batch:
            message = decode(data)
            assert isinstance(message, Data | Table | Inventory | Head)
            arrivals.append(Arrival(SITE, AGENT, lane, message))
        decision = decide(arrivals, self.ledger, self.life)
        if self.acks_before_commit:
            self._answer(decision.answers)
        if crash_before_commit:
            self.new_life()
            return
        self.ledger.commit(decision)
        if not self.acks_before_commit:
            self._answer(decision.answers)

    def hear(self, i: int) -> None:
        """Let the agent hear a message."""
        message = decode(self.down.pop(i))
        match message:
            case Life():
                self.heard_current_life |= message.life == self.life
                self.sender.on_life(message, self.now_ms)
            case Ack():
                self.sender.on_ack(LEDGER, message)
            case Want():
                self.sender.on_want(LEDGER, message)
        self.pass_time(0)

    def all_goes_well(self) -> None:
        """Let everything that is said be heard, for a while."""
        for _ in range(3):
            self.pass_time(60)
            self.collect(list(range(len(self.up))))
            for _ in range(len(self.down)):
                self.hear(0)

    def drain(self) -> None:
        """End all faults, and let the two go on until nothing is left to do."""
        self.sync()
        self.up, self.down = [], []
        self.sender.on_disconnected()
        self.sender.on_connected(self.now_ms)
        self.new_life()
        for _ in range(400):
            self.pass_time(200)
            self.collect(list(range(len(self.up))))
            while self.down:
                self.hear(0)
            if not self.sender.unheld and not self.up:
                break
        self.new_life()  # the last inventory tells what became of everything
        for _ in range(20):
            self.pass_time(200)
            self.collect(list(range(len(self.up))))
            while self.down:
                self.hear(0)

    @property
    def left_on_disk(self) -> int:
        return sum(map(len, self.disk.frames.values()))

    def _send_frames(self, stream: Stream, indexes: list[int]) -> None:
        pool = {frame.index: frame for frame in self._unsynced if frame.stream == stream}
        pool.update(self.disk.frames.get(stream, {}))
        self._send(stream.lane, Data.of([pool[at] for at in indexes]))
        if self.frees_when_sent:
            for at in indexes:
                self._free(stream, at)

    def _free(self, stream: Stream, at: int) -> None:
        if at not in self.disk.frames.get(stream, {}):
            return
        frame = self.disk.remove(stream, at)
        self.sender.on_gone(stream.lane, stream.epoch, at, at + 1)
        if self.heard_current_life and frame.id not in self.ledger.kept:
            self.freed_without_holder.append(frame)

    def _past(self, lane: Lane) -> Past:
        gone = [one for stream, many in self.disk.gone.items() if stream.lane is lane for one in many]
        return Past(self.disk.entries(lane), tuple(gone))

    def _answer(self, answers: tuple[Answer, ...]) -> None:
        self.down += [encode(answer.message) for answer in answers]

    def _send(self, lane: Lane | None, message: Message) -> None:
        self.up.append((lane, encode(message)))

    def _heads(self) -> dict[Lane, LaneHead]:
        heads: dict[Lane, LaneHead] = {}
        totals: Counter[Lane] = Counter()
        ends = dict(self.disk.ends)
        for frame in self._unsynced if self.counts_before_sync else ():
            frames, readings = ends.get(frame.stream, (0, 0))
            ends[frame.stream] = (frames + 1, readings + frame.n)
        for stream, (frames, readings) in ends.items():
            totals[stream.lane] += readings
            heads[stream.lane] = LaneHead(stream.epoch, frames, readings, totals[stream.lane])
        return heads

    def _hex(self, digits: int) -> str:
        return f"{self._random.getrandbits(digits * 4):0{digits}x}"

    @staticmethod
    def _written(frame: Frame) -> Written:
        return Written(
            frame.lane, frame.epoch, frame.index, frame.n, frame.id, frame.table, len(frame.payload)
        )
