"""An agent's machine: the real spool on the model disk, the real sender, and what the uplink does between."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol
from unittest.mock import patch

from agent.compose import compose
from agent.known_ledgers import KnownLedgers
from agent.readings import Scan, Shape
from agent.spool import Spool
from agent.spool.limits import SpoolLimits
from agent.spool.store import FrameStore
from agent.spool.texts import Group
from core.delivery.actions import Action, Free, GiveUp, Held, Send, SenderSettings, SendHead, Trust, Unhold
from core.delivery.frames import Frame, Lane
from core.delivery.inventory import Past
from core.delivery.messages import Ack, Life, Message, Want, decode, encode
from core.delivery.payload import TakenReading
from core.delivery.sender import Sender
from core.delivery.shelf import Written
from core.delivery.tables import PointRow, PointTable
from core.errors import OutsideError
from tests.unit.core.delivery.model_disk import Killed, ModelDisk, OpenFile

AGENT = "aoba-1"
POINTS = PointTable(
    tuple(
        PointRow(
            f"M-{i}.active_energy_import", "active_energy_import", "Wh", "1", "1", None, "primary", "", "", ""
        )
        for i in range(2)
    )
)
SETTINGS = SenderSettings(
    window=3,
    message_frames=2,
    timeout_ms=1000,
    longest_ms=4000,
    linger_ms=50,
    head_ms=10,
    spread_ms=10,
    renew_ms=500,
)
_SHAPES = tuple(Shape((row.point,), (False,)) for row in POINTS.rows)
_SEGMENT_BYTES = 1_500


class Surroundings(Protocol):
    """What a machine is told by the world, and what it tells."""

    now_ms: int
    ledgers: tuple[str, ...]
    limits: SpoolLimits

    def wall_ms(self) -> int:
        """The time of day [ms since 1970 UTC]."""

    def draw(self, digits: int) -> str:
        """A random number of so many hex digits."""

    def jitter(self) -> float:
        """A random number in [0, 1)."""

    def durable(self, machine: Machine, frames: Sequence[Frame], *, flushed: bool) -> None:
        """Hear that frames are on disk: just flushed, or found there."""

    def freed(self, machine: Machine, free: Free) -> None:
        """Hear that the sender lets frames go."""

    def connected(self) -> None:
        """Give out what the broker retains."""

    def publish(self, machine: Machine, lane: Lane | None, message: Message) -> None:
        """Take a message to the broker."""


class Machine:
    """One agent process on one folder, or a stopped one.

    Attributes
    ----------
    ids
        Ids of the frames that this machine has on disk, by lane, epoch and index.
    heard
        The lives that it has heard of, by ledger.
    is_whole
        Whether the disk has not been damaged since the process looked at all of it.
    """

    sender_class = Sender
    store_class = FrameStore
    resumes_epoch = False

    def __init__(self, world: Surroundings, disk: ModelDisk, folder: Path) -> None:
        self.world, self.disk, self.folder = world, disk, folder
        self.runs = False
        self.is_whole = True
        self.epoch = ""

    def start(self) -> None:
        """Start the process."""
        self.epoch = self.epoch if self.resumes_epoch and self.epoch else self.world.draw(32)
        self.ids: dict[tuple[Lane, str, int], str] = {}
        self.heard: dict[str, set[str]] = {name: set() for name in self.world.ledgers}
        try:
            with patch("agent.spool.spool.FrameStore", self.store_class):
                self.spool = Spool(
                    self.folder,
                    AGENT,
                    epoch=self.epoch,
                    now_ms=self.world.wall_ms,
                    limits=self.world.limits,
                    segment_bytes=_SEGMENT_BYTES,
                )
            self.known = KnownLedgers(self.folder)
            self.sender = self.sender_class(
                self.world.ledgers,
                trusted=self.known.open(self.world.ledgers),
                past=lambda lane: Past(self.spool.store.epochs(lane), self.spool.store.gone(lane)),
                draw=lambda: self.world.draw(16),
                jitter=self.world.jitter,
                settings=SETTINGS,
            )
        except (OutsideError, Killed):
            self.disk.end_process(self.folder)
            return
        self.runs = self.is_whole = True
        self.flushes = False
        self._guarded(
            lambda: self.spool.listen(
                lambda frames: self._written(frames), lambda *places: self.sender.on_gone(*places)
            )
        )
        self.connect()

    def kill(self, *, steps: int | None = None) -> None:
        """Kill the process: now, or after so many system calls."""
        if steps is not None:
            self.disk.steps_left = steps
            return
        if self.runs:
            self.spool._lock.release()
        self.runs = False
        self.disk.end_process(self.folder)

    def connect(self) -> None:
        """Connect to the broker, anew where there was a connection."""
        if self.runs:
            self.sender.on_disconnected()
            self.sender.on_connected(self.world.now_ms)
            self.world.connected()

    def take(self, lane: Lane, readings: Sequence[TakenReading], *, poison: bool = False) -> None:
        """Take readings for the next frame."""
        if not self.runs:
            return
        shapes = {shape.points[0]: shape for shape in _SHAPES}
        scans = [Scan(shapes[one.point], one.time_ms, (one.count,)) for one in readings]
        self.spool.add(lane, POINTS, scans)
        if poison:
            self.spool._pending[lane][POINTS.digest].groups.append(Group(0, 1, "[\0["))

    def flush(self) -> None:
        """Make durable what was taken."""
        self.flushes = True
        self._guarded(lambda: _run(self.spool.flush()))
        self.flushes = False

    def stop(self) -> None:
        """End the process in order."""

        def leave() -> None:
            self.flushes = True
            _run(self.spool.close())
            self.runs = False

        self._guarded(leave)

    def hear(self, ledger: str, data: bytes) -> None:
        """Hear a collector."""
        if not self.runs:
            return
        match decode(data):
            case Life() as message:
                self.heard[message.ledger].add(message.life)
                self.sender.on_life(message, self.world.now_ms)
            case Ack() as message:
                self.sender.on_ack(ledger, message)
            case Want() as message:
                self.sender.on_want(ledger, message)
        self._guarded(lambda: self._do_all(self.sender.decisions()))
        self.work()

    def work(self) -> None:
        """Do what is due."""
        self._guarded(lambda: self._do_all(self.sender.due(self.world.now_ms)))

    def trust(self, ledger: str, ledger_id: str) -> None:
        """Do what ``seiren agent trust`` does."""

        def tell() -> None:
            self.known.trust(ledger, ledger_id)
            for name, ids in (self.known.changed() or {}).items():
                self.sender.on_trust(name, ids)

        self._guarded(tell)

    def memory(self) -> MemoryImage:
        """Return an image of disk and memory together, as of a suspended virtual machine."""
        return MemoryImage(self)

    def _do_all(self, actions: Sequence[Action]) -> None:
        for action in actions:
            self._do(action)

    def _do(self, action: Action) -> None:
        store = self.spool.store
        match action:
            case Free(lane, epoch, first, end):
                self.world.freed(self, action)
                store.free(lane, epoch, first, end)
            case Held(lane, epoch, first, end):
                store.hold(lane, epoch, first, end)
            case Unhold():
                store.unhold()
            case Trust(ledger, ledger_id):
                self.known.trust(ledger, ledger_id)
            case GiveUp(lane, epoch, at, frame_id):
                store.give_up(lane, epoch, at, frame_id)
            case _:
                self._send(action)

    def _send(self, action: Send) -> None:
        message = compose(action, self.spool.store, self.epoch)
        size = 0
        if message is not None:
            size = len(encode(message))
            lane = None if isinstance(action, SendHead) else action.lane
            self.world.publish(self, lane, message)
        self.sender.on_passed(action, size, self.world.now_ms)

    def _written(self, frames: Sequence[Written]) -> None:
        """Pass durable frames on to the sender, and to the world that remembers what they hold."""
        self.sender.on_written(frames, self.world.now_ms)
        store = self.spool.store
        whole = [store.read(one.lane, one.epoch, ((one.at, one.at + 1),)) for one in frames]
        self.ids.update({(one.lane, one.epoch, one.at): one.id for one in frames})
        self.world.durable(self, [frame for few in whole for frame in few], flushed=self.flushes)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Let the process work; it ends where it is killed, and by itself where the disk refuses."""
        if not self.runs:
            return
        try:
            work()
        except (OutsideError, Killed):
            self.kill()


class MemoryImage:
    """Disk and memory of a running machine at one instant."""

    def __init__(self, machine: Machine) -> None:
        self._files = machine.disk.image(machine.folder)
        self._process = self._copied((machine.spool, machine.sender), machine)
        self._rest = (machine.epoch, dict(machine.ids), copy.deepcopy(machine.heard))

    def resume(self, machine: Machine) -> None:
        """Put a machine, which runs or not, back to what it was."""
        if machine.runs:
            machine.kill()
        machine.disk.put_back(machine.folder, self._files)
        machine.spool, machine.sender = self._copied(self._process, machine)
        machine.epoch, ids, heard = self._rest
        machine.ids, machine.heard = dict(ids), copy.deepcopy(heard)
        store = machine.spool.store
        active = [segment._file for segment in store._segments.active.values()]
        for file in (*active, *store._table._files):
            assert isinstance(file, OpenFile)
            file.resume()
        machine.runs = True

    def _copied(self, process: tuple[Spool, Sender], machine: Machine) -> tuple[Spool, Sender]:
        """Copy all objects of a process but those that it shares."""
        shared = (process[0]._lock, machine, machine.world, POINTS, *_SHAPES)
        return copy.deepcopy(process, {id(one): one for one in shared})


def _run(work: object) -> None:
    """Run a coroutine that never waits."""
    assert asyncio.iscoroutine(work)
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits")
