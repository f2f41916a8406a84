"""Programs that break one rule each: the tests must find every one of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from agent.spool.collection import Segments
from agent.spool.segments import Segment
from agent.spool.store import FrameStore
from core.delivery.actions import Free
from core.delivery.frames import Frame, Lane
from core.delivery.keeping import Keeper, Twin
from core.delivery.messages import Life, Want
from core.delivery.outbox import Part
from core.delivery.peer import Peer
from core.delivery.ranges import Ranges
from core.delivery.sender import Sender
from core.delivery.stock import Stock, Verdict
from tests.unit.core.delivery.machine import Machine
from tests.unit.core.delivery.model_disk import ModelDisk
from tests.unit.core.delivery.world import World


class _ForgetfulDisk(ModelDisk):
    syncs = False


class LeavesOutSyncs(World):
    disk_class = _ForgetfulDisk


class AcksBeforeCommit(World):
    acks_before_commit = True


class FreesWhatTheBrokerHas(World):
    frees_when_sent = True


class _BelievesAnyLife(Peer):
    def counts(self, life: str, *, answers: bool) -> bool:
        self.followed = life
        return True


class _FollowsAtOnce(Peer):
    def hear(self, message: Life, now_ms: int, life_ms: int) -> bool:
        prompts = super().hear(message, now_ms, life_ms)
        self.followed = message.life
        return prompts


class _StockOfOneLedger(Stock):
    def judge(self, peer: Peer, lane: Lane, part: Part) -> Iterator[Verdict]:
        yield Free(lane, part.shelf.epoch, part.first, part.end)


class _TakesTheUnwantedForHeld(Sender):
    def on_want(self, ledger: str, want: Want) -> None:
        super().on_want(ledger, want)
        peer = self._peers[ledger]
        if want.life != peer.followed:
            return
        wanted = Ranges()
        for tray in peer.outboxes[want.lane]._trays.values():
            for one in want.ranges:
                if one.epoch == tray.shelf.epoch:
                    wanted.add(one.first, one.first + one.frames)
            for first, end in tray.shelf.on_disk:
                for a, b in wanted.missing(first, end):
                    tray.held.add(a, b)
                    self._decided += self._stock.judge(peer, want.lane, Part(tray.shelf, a, b))


class _KeepsOneFrameAtAPlace(Keeper):
    def take(self, frame: Frame) -> Twin | None:
        if self._places[frame.stream].get(frame.index):
            return None
        return super().take(frame)


class _UnlinksFirst(Segments):
    def drop(self, segment: Segment) -> None:
        if self.is_active(segment):
            self.retire(segment.stream.lane, full=False)
        ranges = tuple(segment.as_dropped())
        self._remove(segment)
        self._enter(segment.stream, ranges)

    def dispose(self, segment: Segment) -> None:
        ranges = tuple(segment.as_freed())
        self._remove(segment)
        self._enter(segment.stream, ranges)


class _GoesOnCounting(FrameStore):
    """Goes on with the numbers of the epoch where it ended."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # handed on as they came
        for lane in Lane:
            entry = self._table.get(self._epoch, lane)
            if entry is not None:
                self.runs.ends[lane] = (entry.frames, entry.readings)


class _GoesOnWithItsEpoch(Machine):
    store_class = _GoesOnCounting
    resumes_epoch = True


class ResumesAnEpoch(World):
    machine_class = _GoesOnWithItsEpoch


class _Unwanted(Machine):
    sender_class = _TakesTheUnwantedForHeld


class TakesTheUnwantedForHeld(World):
    machine_class = _Unwanted


class SetsTheHeadBack(World):
    will_on_head = True


class Broken(NamedTuple):
    """A program with one rule broken: another world, or another part in the place of the right one.

    `number` is a seed that finds it soon, or one above ten where none does.
    """

    number: int
    world: type[World] = World
    place: str = ""
    part: type = object


BROKEN = {
    "sync left out": Broken(3, LeavesOutSyncs),
    "ack before commit": Broken(0, AcksBeforeCommit),
    "free on the broker's word": Broken(0, FreesWhatTheBrokerHas),
    "life ignored": Broken(0, place="core.delivery.sender.Peer", part=_BelievesAnyLife),
    "life followed before it answered": Broken(1, place="core.delivery.sender.Peer", part=_FollowsAtOnce),
    "epoch resumed after a restart": Broken(3, ResumesAnEpoch),
    "unlink before the reason": Broken(11, place="agent.spool.store.Segments", part=_UnlinksFirst),
    "one ledger's word frees": Broken(1, place="core.delivery.sender.Stock", part=_StockOfOneLedger),
    "held by place, not by id": Broken(5, place="core.delivery.receiver.Keeper", part=_KeepsOneFrameAtAPlace),
    "what is not wanted is held": Broken(0, TakesTheUnwantedForHeld),
}
