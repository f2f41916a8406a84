"""One lane on its way to one ledger: what is to be sent, under way, held; what an inventory has settled."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from core.delivery.actions import SenderSettings, SendFrames, SendInventory
from core.delivery.frames import Lane
from core.delivery.messages import Ack, Block, Want
from core.delivery.ranges import Ranges, Span
from core.delivery.shelf import Shelf, Tray

REFUSALS = 3
"""Lives that must refuse a frame before it is set aside."""

_NUMBERS = 1_024
_INVENTORIES = 15


class Part(NamedTuple):
    """Consecutive frames of a shelf."""

    shelf: Shelf
    first: int
    end: int


@dataclass(slots=True, eq=False)
class _UnderWay:
    """A message that is not wholly acknowledged."""

    action: SendFrames
    tray: Tray
    rest: Ranges
    deadline_ms: int


class Outbox:
    """The frames of one lane on their way to one ledger.

    Parameters
    ----------
    lane
        Registers or samples.
    jitter
        Gives a random number in [0, 1).
    settings
        How hard to send.
    """

    def __init__(self, lane: Lane, *, jitter: Callable[[], float], settings: SenderSettings) -> None:
        self._lane = lane
        self._jitter = jitter
        self._settings = settings
        self._trays: dict[str, Tray] = {}
        self._under_way: list[_UnderWay] = []
        self._sent: dict[str, tuple[Tray, int]] = {}
        self._refusals: dict[tuple[str, int], int] = {}
        self._drawn: deque[str] = deque(maxlen=_NUMBERS)
        self._unanswered: list[set[str]] = []
        self._told_all = False
        self._has_news = False
        self._tries = self._timeouts = 0
        self._inventory_due_ms = self._last_inventory_ms = 0
        self._filling_since_ms: int | None = None
        self.told_tables: set[str] = set()

    def tray(self, shelf: Shelf) -> Tray:
        """Return what the ledger has said of a shelf's frames."""
        tray = self._trays.get(shelf.epoch)
        if tray is None:
            tray = self._trays[shelf.epoch] = Tray(shelf)
        return tray

    def add(self, part: Part, now_ms: int) -> None:
        """Take frames that are new on a shelf; what the epoch follows is told once its first is there."""
        self.tray(part.shelf).put(part.first, part.end)
        self._has_news |= part.first == 0
        if self._filling_since_ms is None:
            self._filling_since_ms = now_ms

    def gone(self, part: Part) -> None:
        """Forget places that are leaving a shelf; what the ledger lacks of them it must be told of."""
        shelf, first, end = part
        tray = self.tray(shelf)
        self._settle(tray, first, end)
        self._has_news |= tray.forget(first, end)
        if shelf.on_disk.size() == sum(b - a for a, b in shelf.on_disk.within(first, end)):
            del self._trays[shelf.epoch]

    def begin_life(self, inventory_due_ms: int) -> None:
        """Forget what was held and sent: the ledger may be another, or an older copy of itself."""
        self._under_way, self._sent, self.told_tables = [], {}, set()
        self._drawn.clear()
        self._unanswered, self._told_all, self._has_news = [], False, False
        self._tries = self._timeouts = 0
        self._inventory_due_ms = inventory_due_ms
        for tray in self._trays.values():
            tray.unhold()

    def take_back(self, now_ms: int | None = None) -> bool:
        """Let messages be sent again: those that waited too long, or all; tell whether there were any."""
        if now_ms is None:
            self._inventory_due_ms = 0
        late = [message for message in self._under_way if now_ms is None or message.deadline_ms <= now_ms]
        if late:
            self._under_way = [message for message in self._under_way if message not in late]
        for message in late:
            for first, end in message.rest:
                message.tray.put(first, end)
        return bool(late)

    def has_drawn(self, number: str | None) -> bool:
        """Tell whether an inventory of this number was sent since the newest prompt."""
        return number in self._drawn

    def take_ack(self, ack: Ack) -> Iterator[Part]:
        """Hear what the followed life holds; yield what it did not hold before."""
        for numbers in self._unanswered:
            numbers.discard(ack.inventory or "")
        if not all(self._unanswered):
            self._told_all, self._unanswered = True, []
        for frame_id in ack.ids:
            if frame_id in self._sent:
                tray, at = self._sent[frame_id]
                yield from self._hold(tray, at, at + 1)
        for block in ack.held:
            yield from self._take_block(block)

    def take_refusals(self, ack: Ack) -> Iterator[tuple[Part, str]]:
        """Send refused frames no more in this life; yield those that are refused in life after life."""
        for frame_id, why in ack.refused:
            if frame_id not in self._sent:
                continue
            tray, at = self._sent[frame_id]
            self._settle(tray, at, at + 1)
            place = tray.shelf.epoch, at
            lives = self._refusals[place] = self._refusals.get(place, 0) + 1
            if lives >= REFUSALS:
                del self._refusals[place]
                tray.given_up.add(at, at + 1)
                yield Part(tray.shelf, at, at + 1), why

    def take_want(self, want: Want) -> None:
        """Hear what the followed life lacks of an inventory; that saves sending, and proves nothing."""
        for wanted in want.ranges:
            tray = self._trays.get(wanted.epoch)
            if tray is not None:
                self._judge(tray, wanted.first, wanted.first + wanted.frames)

    @property
    def settled(self) -> bool:
        """Whether an inventory since the last news is acked whole, and what it listed is held or wanted."""
        return self._told_all and not any(tray.unjudged for tray in self._trays.values())

    def inventory_is_due(self, now_ms: int) -> bool:
        """Tell whether an inventory must be sent now; it is repeated until it is settled."""
        if self._has_news:
            self._has_news, self._told_all, self._unanswered, self._tries = False, False, [], 0
            self._inventory_due_ms = max(
                now_ms + self._settings.timeout_ms, self._last_inventory_ms + self._settings.renew_ms
            )
        return not self.settled and now_ms >= self._inventory_due_ms

    def listed(self, numbers: Collection[str], now_ms: int) -> None:
        """Take note that an inventory is on its way, in as many messages as there are numbers."""
        if self.settled:
            return
        self._drawn.extend(numbers)
        self._unanswered = [*self._unanswered[-_INVENTORIES:], set(numbers)]
        self._tries += 1
        self._last_inventory_ms = now_ms
        self._inventory_due_ms = now_ms + self._settings.longest_ms

    def choose(self, now_ms: int, most_bytes: int) -> tuple[SendFrames, Sequence[str], int] | None:
        """Return the message that goes first, those of its point tables that the ledger has not been told
        of, and its size [bytes]; None where none should go now.
        """
        if self.take_back(now_ms):
            self._timeouts += 1
        tray = next((tray for tray in self._trays.values() if tray.todo), None)
        if tray is None:
            self._filling_since_ms = None
            return None
        worth_ms = self._worth_ms(most_bytes)
        if not self.has_window or (worth_ms is not None and now_ms < worth_ms):
            return None
        spans, size = tray.shelf.pack(tray.todo, most_bytes, self._settings.message_frames)
        untold = [table for table in tray.shelf.tables(spans) if table not in self.told_tables]
        return SendFrames(self._lane, tray.shelf.epoch, spans), untold, size

    @property
    def has_window(self) -> bool:
        """Whether another message may be under way to the ledger."""
        return len(self._under_way) < self._settings.window

    def send(self, action: SendFrames, now_ms: int) -> None:
        """Take note of a message that goes to all ledgers; what this one has been sent is not sent again."""
        tray = self._trays.get(action.epoch)
        if tray is None or not self.has_window:
            return
        taken = [span for first, end in action.spans for span in tray.take(first, end)]
        if not taken:
            return
        for first, end in taken:
            self._sent.update((tray.shelf.id_of(at), (tray, at)) for at in range(first, end))
        deadline_ms = now_ms + self._settings.longest_ms
        self._under_way.append(_UnderWay(action, tray, Ranges(taken), deadline_ms))

    def passed(self, action: SendFrames | SendInventory, now_ms: int) -> None:
        """Take note that the broker has a message: its answer is due from now on."""
        if isinstance(action, SendInventory):
            if self._unanswered and action.number in self._unanswered[-1]:
                self._inventory_due_ms = now_ms + self._patience_ms(self._tries - 1)
            return
        for message in self._under_way:
            if message.action is action:
                message.deadline_ms = now_ms + self._patience_ms(self._timeouts)

    def wake_ms(self, now_ms: int, most_bytes: int, *, followed: bool) -> tuple[int | None, int | None]:
        """Return when there is something to send, and when to look after what is under way, or None [ms]."""
        sends: list[int] = []
        if self._has_news:
            sends.append(now_ms)
        elif not self.settled:
            sends.append(self._inventory_due_ms)
        if not followed:
            return min(sends, default=None), None
        if self.has_window and any(tray.todo for tray in self._trays.values()):
            worth_ms = self._worth_ms(most_bytes)
            sends.append(now_ms if worth_ms is None else worth_ms)
        deadlines = (message.deadline_ms for message in self._under_way)
        return min(sends, default=None), min(deadlines, default=None)

    def _worth_ms(self, most_bytes: int) -> int | None:
        """From when to send what waits; None: at once, for it fills a message, or none is under way [ms]."""
        if not self._under_way or self._filling_since_ms is None:
            return None
        if sum(tray.todo_bytes for tray in self._trays.values()) >= most_bytes:
            return None
        return self._filling_since_ms + self._settings.linger_ms

    def _patience_ms(self, failures: int) -> int:
        """Time to wait for an answer, doubled with each failure and spread by a quarter [ms]."""
        wait_ms = min(self._settings.timeout_ms << min(failures, 16), self._settings.longest_ms)
        return wait_ms + int(wait_ms * self._jitter() / 4)

    def _take_block(self, block: Block) -> Iterator[Part]:
        """Compare a block with the frames on disk; only the same digest means held."""
        tray = self._trays.get(block.epoch)
        first, end = block.first, block.first + block.frames
        if tray is None or not tray.shelf.on_disk.covers(first, end):
            return
        if tray.shelf.block(first, end).digest == block.digest:
            yield from self._hold(tray, first, end)
        else:
            self._judge(tray, first, end)

    def _hold(self, tray: Tray, first: int, end: int) -> Iterator[Part]:
        """Take frames for held."""
        self._settle(tray, first, end)
        new: list[Span] = [
            span for a, b in tray.shelf.on_disk.within(first, end) for span in tray.held.missing(a, b)
        ]
        for a, b in new:
            tray.held.add(a, b)
            tray.given_up.remove(a, b)
            yield Part(tray.shelf, a, b)
        self._timeouts = 0

    def _judge(self, tray: Tray, first: int, end: int) -> None:
        """Let frames be sent that an inventory listed and that are not held as listed."""
        for a, b in tray.unjudged.within(first, end):
            tray.put(a, b)
        tray.unjudged.remove(first, end)

    def _settle(self, tray: Tray, first: int, end: int) -> None:
        """Send these frames no more in this life."""
        tray.take(first, end)
        tray.unjudged.remove(first, end)
        touched = False
        for message in self._under_way:
            if message.tray is tray:
                message.rest.remove(first, end)
                touched |= not message.rest
        if touched:
            self._under_way = [message for message in self._under_way if message.rest]
        for a, b in tray.shelf.on_disk.within(first, end):
            for at in range(a, b):
                self._sent.pop(tray.shelf.id_of(at), None)
