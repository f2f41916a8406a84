"""One lane of the sender: which frames are to be sent, under way, held; what its inventory has settled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from core.delivery.actions import Action, Free, GiveUp, SenderSettings, SendFrames, SendInventory, SendTable
from core.delivery.frames import Lane
from core.delivery.messages import Ack, Block, Want
from core.delivery.ranges import Ranges
from core.delivery.shelf import Shelf, Written

REFUSALS = 3
"""Lives that must refuse a frame before it is set aside."""


@dataclass(slots=True, eq=False)
class _UnderWay:
    """A message that is not wholly acknowledged."""

    shelf: Shelf
    rest: Ranges
    deadline_ms: int


class Waiting(NamedTuple):
    """What waits for a ledger: frames and readings [1], and epoch and index of the oldest frame."""

    frames: int
    readings: int
    oldest: tuple[str, int] | None


class Outbox:
    """The frames of one lane on their way to one ledger.

    Parameters
    ----------
    lane
        Registers or samples.
    draw
        Gives a fresh random number of 16 hex digits.
    jitter
        Gives a random number in [0, 1).
    settings
        How hard to send.
    """

    def __init__(
        self, lane: Lane, *, draw: Callable[[], str], jitter: Callable[[], float], settings: SenderSettings
    ) -> None:
        self._lane = lane
        self._draw = draw
        self._jitter = jitter
        self._settings = settings
        self._shelves: dict[str, Shelf] = {}
        self._under_way: list[_UnderWay] = []
        self._sent: dict[str, tuple[Shelf, int]] = {}
        self._told_tables: set[str] = set()
        self._refusals: dict[tuple[str, int], int] = {}
        self._numbers: list[str] = []
        self._number_acked = False
        self._inventories = 0
        self._tries = 0
        self._inventory_due_ms = 0
        self._timeouts = 0
        self._filling_since_ms: int | None = None

    @property
    def unheld(self) -> int:
        """Frames on disk that the ledger has not named in its present life [1]."""
        return sum(shelf.on_disk.size() - shelf.held.size() for shelf in self._shelves.values())

    def waiting(self) -> Waiting:
        """Return what the ledger has not named in its present life."""
        spans = [(shelf, first, end) for shelf in self._shelves.values() for first, end in shelf.unheld()]
        return Waiting(
            frames=sum(end - first for _, first, end in spans),
            readings=sum(shelf.readings(first, end) for shelf, first, end in spans),
            oldest=(spans[0][0].epoch, spans[0][1]) if spans else None,
        )

    @property
    def settled(self) -> bool:
        """Whether the newest inventory is acked and each frame it listed is held or wanted."""
        return self._number_acked and not any(shelf.unjudged for shelf in self._shelves.values())

    def add(self, frame: Written, now_ms: int) -> None:
        """Take a durable frame; those of an epoch come by index."""
        shelf = self._shelves.get(frame.epoch)
        if shelf is None:
            shelf = self._shelves[frame.epoch] = Shelf(frame.epoch, frame.at)
        shelf.add(frame)
        shelf.put(frame.at, frame.at + 1)
        if self._filling_since_ms is None:
            self._filling_since_ms = now_ms

    def gone(self, epoch: str, first: int, end: int) -> None:
        """Forget places that are no longer on disk."""
        shelf = self._shelves.get(epoch)
        if shelf is None:
            return
        self._settle(shelf, first, end)
        shelf.forget(first, end)
        if not shelf.on_disk:
            del self._shelves[epoch]

    def begin_life(self, inventory_due_ms: int) -> None:
        """Forget what was held and sent: the ledger may be another, or an older copy of itself."""
        self._under_way, self._sent, self._told_tables = [], {}, set()
        self._numbers, self._number_acked = [], False
        self._tries = self._timeouts = 0
        self._inventory_due_ms = inventory_due_ms
        for shelf in self._shelves.values():
            shelf.unhold()

    def take_back(self, now_ms: int | None = None) -> bool:
        """Let messages be sent again: those that waited too long, or all; tell whether there were any."""
        late = [message for message in self._under_way if now_ms is None or message.deadline_ms <= now_ms]
        if late:
            self._under_way = [message for message in self._under_way if message not in late]
        for message in late:
            for first, end in message.rest:
                message.shelf.put(first, end)
        return bool(late)

    def has_drawn(self, number: str | None) -> bool:
        """Tell whether an inventory of this number was sent since the newest prompt."""
        return number in self._numbers

    def take_ack(self, ack: Ack) -> Iterator[Action]:
        """Hear what the followed life holds, refuses and needs."""
        if self._numbers and ack.inventory == self._numbers[-1]:
            self._number_acked = True
        for frame_id in ack.ids:
            if frame_id in self._sent:
                shelf, at = self._sent[frame_id]
                yield from self._hold(shelf, at, at + 1)
        for block in ack.held:
            yield from self._take_block(block)
        for frame_id, why in ack.refused:
            yield from self._take_refusal(frame_id, why)
        for digest in ack.need:
            self._told_tables.add(digest)
            yield SendTable(self._lane, digest)

    def take_want(self, want: Want) -> None:
        """Hear what the followed life lacks of an inventory; that saves sending, and proves nothing."""
        for wanted in want.ranges:
            shelf = self._shelves.get(wanted.epoch)
            if shelf is not None:
                self._judge(shelf, wanted.first, wanted.first + wanted.frames)

    def inventory(self, now_ms: int) -> Iterator[SendInventory]:
        """Yield the inventory if it is due: repeated, with a new number, until it is settled."""
        if self.settled or now_ms < self._inventory_due_ms:
            return
        self._numbers.append(self._draw())
        self._number_acked = False
        self._inventories += 1
        self._inventory_due_ms = now_ms + self._patience_ms(self._tries)
        self._tries += 1
        blocks = tuple(block for shelf in self._shelves.values() for block in shelf.blocks())
        yield SendInventory(self._lane, self._numbers[-1], self._inventories, blocks)

    def messages(self, now_ms: int) -> Iterator[tuple[int, Action]]:
        """Yield what may be sent now, oldest first, each with its size [bytes]."""
        if self.take_back(now_ms):
            self._timeouts += 1
        for shelf in self._shelves.values():
            while shelf.todo and len(self._under_way) < self._settings.window and self._is_worth_it(now_ms):
                spans, table, size = shelf.next_message(
                    self._settings.message_bytes, self._settings.message_frames
                )
                if table not in self._told_tables:
                    self._told_tables.add(table)
                    yield 0, SendTable(self._lane, table)
                for first, end in spans:
                    shelf.take(first, end)
                    for at in range(first, end):
                        self._sent[shelf.id_of(at)] = (shelf, at)
                deadline_ms = now_ms + self._patience_ms(self._timeouts)
                self._under_way.append(_UnderWay(shelf, Ranges(spans), deadline_ms))
                yield size, SendFrames(self._lane, shelf.epoch, spans)
        if not any(shelf.todo for shelf in self._shelves.values()):
            self._filling_since_ms = None

    def wake_ms(self, *, followed: bool) -> int | None:
        """Return when there is something to do if nothing happens before, or None [ms]."""
        times = [message.deadline_ms for message in self._under_way]
        if not self.settled:
            times.append(self._inventory_due_ms)
        if followed and self._filling_since_ms is not None and len(self._under_way) < self._settings.window:
            times.append(self._filling_since_ms + self._settings.linger_ms)
        return min(times, default=None)

    def _is_worth_it(self, now_ms: int) -> bool:
        """Whether to send now: a full message, none under way, or frames that have waited long enough."""
        if not self._under_way or self._filling_since_ms is None:
            return True
        if now_ms >= self._filling_since_ms + self._settings.linger_ms:
            return True
        waiting = sum(shelf.todo_bytes for shelf in self._shelves.values())
        return waiting >= self._settings.message_bytes

    def _patience_ms(self, failures: int) -> int:
        """Time to wait for an answer, doubled with each failure and spread by a quarter [ms]."""
        wait_ms = min(self._settings.timeout_ms << min(failures, 16), self._settings.longest_ms)
        return wait_ms + int(wait_ms * self._jitter() / 4)

    def _take_block(self, block: Block) -> Iterator[Action]:
        """Compare a block with the frames on disk; only the same digest means held."""
        shelf = self._shelves.get(block.epoch)
        first, end = block.first, block.first + block.frames
        if shelf is None or not shelf.on_disk.covers(first, end):
            return
        if shelf.block(first, end).digest == block.digest:
            yield from self._hold(shelf, first, end)
        else:
            self._judge(shelf, first, end)

    def _hold(self, shelf: Shelf, first: int, end: int) -> Iterator[Action]:
        """Take frames for held: they may be freed."""
        self._settle(shelf, first, end)
        for a, b in shelf.on_disk.within(first, end):
            shelf.held.add(a, b)
            yield Free(self._lane, shelf.epoch, a, b)
        self._timeouts = 0

    def _judge(self, shelf: Shelf, first: int, end: int) -> None:
        """Let frames be sent that an inventory listed and that are not held as listed."""
        for a, b in shelf.unjudged.within(first, end):
            shelf.put(a, b)
        shelf.unjudged.remove(first, end)

    def _settle(self, shelf: Shelf, first: int, end: int) -> None:
        """Send these frames no more in this life."""
        shelf.take(first, end)
        shelf.unjudged.remove(first, end)
        for message in self._under_way:
            if message.shelf is shelf:
                message.rest.remove(first, end)
        self._under_way = [message for message in self._under_way if message.rest]
        for a, b in shelf.on_disk.within(first, end):
            for at in range(a, b):
                self._sent.pop(shelf.id_of(at), None)

    def _take_refusal(self, frame_id: str, why: str) -> Iterator[Action]:
        """Send a refused frame no more in this life, and give it up after several lives."""
        if frame_id not in self._sent:
            return
        shelf, at = self._sent[frame_id]
        self._settle(shelf, at, at + 1)
        lives = self._refusals[shelf.epoch, at] = self._refusals.get((shelf.epoch, at), 0) + 1
        if lives >= REFUSALS:
            del self._refusals[shelf.epoch, at]
            yield GiveUp(self._lane, shelf.epoch, at, frame_id, why)
