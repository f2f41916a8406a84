"""The agent's side of delivery: a state machine without I/O, clock or randomness.

What happens is told by the ``on_…`` methods; `decisions` and `due` then say what to do. Frames are freed only
on the word of lives that are followed, of ledgers that are trusted: a life is followed once it has itself
answered an inventory drawn after the newest prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from core.delivery.actions import (
    Action,
    Free,
    Held,
    Send,
    SenderSettings,
    SendFrames,
    SendHead,
    SendInventory,
    SendTable,
    Trust,
    Unhold,
)
from core.delivery.frames import Lane
from core.delivery.inventory import Past, parts_of
from core.delivery.messages import Ack, Life, Want
from core.delivery.outbox import Outbox
from core.delivery.pace import Pace
from core.delivery.peer import Peer
from core.delivery.shelf import Written
from core.delivery.stock import Stock, Waiting

_LANES = (Lane.REGISTERS, Lane.SAMPLES)
"""In order of precedence."""

_TABLE_BYTES = 4_096
_ENTRY_BYTES = 120


class Sender:
    """Decide what an agent sends to its required ledgers, and what it may forget.

    A message reaches every ledger, and is sent while one of those alive lacks a frame of it. Surroundings
    tell by `on_passed` when the broker has a message; what the broker says proves nothing, and only paces.

    Parameters
    ----------
    ledgers
        Names of the required ledgers.
    trusted
        Ids of the ledgers that are known, by name. Under a name that is missing, the first is trusted.
    past
        Gives a lane's epoch table as it is now.
    draw
        Gives a fresh random number of 16 hex digits.
    jitter
        Gives a random number in [0, 1).
    settings
        How hard to send.
    """

    def __init__(
        self,
        ledgers: Sequence[str],
        *,
        trusted: Mapping[str, Collection[str]],
        past: Callable[[Lane], Past],
        draw: Callable[[], str],
        jitter: Callable[[], float],
        settings: SenderSettings | None = None,
    ) -> None:
        self._past = past
        self._draw = draw
        self._jitter = jitter
        self._settings = settings = settings or SenderSettings()
        self._pace = Pace(settings)
        self._peers = {
            name: Peer(
                name,
                trusted.get(name),
                {lane: Outbox(lane, jitter=jitter, settings=settings) for lane in _LANES},
            )
            for name in ledgers
        }
        self._stock = Stock(tuple(self._peers.values()))
        self._decided: list[Action] = []
        self._needed: dict[Lane, list[str]] = {lane: [] for lane in _LANES}
        self._inventories = dict.fromkeys(_LANES, 0)
        self._parts: dict[Lane, list[SendInventory]] = {lane: [] for lane in _LANES}
        self._connected = False
        self._head_due_ms: int | None = None
        self._last_head_ms = 0
        self.ignored_answers = self.strange_answers = 0

    def followed_life(self, ledger: str) -> str | None:
        """Return the life of a ledger on whose word frames are freed now."""
        return self._peers[ledger].followed

    @property
    def untrusted(self) -> Mapping[str, str]:
        """Ledgers that are delivered to and free nothing, by name: the id that waits to be trusted."""
        return {peer.name: strange for peer in self._peers.values() if (strange := peer.untrusted_id)}

    def rivals(self, now_ms: int) -> Collection[str]:
        """Return the names under which two lives have lately spoken in turn: two collectors that are one."""
        return [peer.name for peer in self._peers.values() if peer.is_in_turn(now_ms)]

    @property
    def unheld(self) -> int:
        """Frames on disk that some required ledger has not named in its present life [1]."""
        return sum(self.waiting(lane).frames for lane in _LANES)

    def waiting(self, lane: Lane) -> Waiting:
        """Return what of a lane waits on disk: some required ledger has not named it in its present life."""
        return self._stock.waiting(lane)

    def is_alive(self, ledger: str, now_ms: int) -> bool:
        """Tell whether a ledger's collector said lately that it is there."""
        return self._peers[ledger].is_alive(now_ms)

    def on_written(self, frames: Iterable[Written], now_ms: int) -> None:
        """Take durable frames, those of a lane and epoch by index; at start, all that are on disk."""
        self._stock.add(frames, now_ms)
        if self._head_due_ms is None:
            self._head_due_ms = max(now_ms, self._last_head_ms + self._settings.head_ms)

    def on_gone(self, lane: Lane, epoch: str, first: int, end: int) -> None:
        """Forget places that are no longer on disk; a ledger that lacks one of them is sent an inventory."""
        self._stock.gone(lane, epoch, first, end)

    def on_connected(self, now_ms: int) -> None:
        """Begin on a connection: the head is due."""
        self._connected = True
        self._head_due_ms = now_ms
        self._pace.begin()

    def on_disconnected(self) -> None:
        """Take back what is under way, for whether it arrived is unknown; nobody is known to be alive."""
        self._connected = False
        self._pace.begin()
        for lane in _LANES:
            self._parts[lane].clear()
        for peer in self._peers.values():
            peer.alive_until_ms = 0
            for outbox in peer.outboxes.values():
                outbox.take_back()

    def on_passed(self, action: Send, size: int, now_ms: int) -> None:
        """Hear that the broker has a message.

        Parameters
        ----------
        action
            The very action that sent it.
        size
            Its size on the wire [bytes]; 0 where there was nothing to send.
        now_ms
            Real time [ms].
        """
        self._pace.passed(action, size, now_ms)
        if isinstance(action, SendFrames | SendInventory):
            for peer in self._peers.values():
                peer.outboxes[action.lane].passed(action, now_ms)

    def on_life(self, message: Life, now_ms: int) -> None:
        """Hear a collector's life; one that is new only prompts an inventory, and un-holds everything."""
        peer = self._peers.get(message.ledger)
        if peer is None or not peer.hear(message, now_ms, self._settings.life_ms):
            return
        for outbox in peer.outboxes.values():
            outbox.begin_life(now_ms + int(self._jitter() * self._settings.spread_ms))
        self._decided = [one for one in self._decided if not isinstance(one, Free | Held)]
        self._decided.append(Unhold())
        for other in self._peers.values():
            if other is not peer:
                self._decided += self._stock.held_by(other)

    def on_ack(self, ledger: str, ack: Ack) -> None:
        """Hear what a ledger holds, refuses and needs; it counts only in the life that is followed."""
        peer = self._peers.get(ledger)
        if peer is None:
            return
        if not peer.counts(ack.life, answers=peer.outboxes[ack.lane].has_drawn(ack.inventory)):
            self._ignore(peer, ack.life)
            return
        if (first := peer.trust_first()) is not None:
            self._decided.append(Trust(ledger, first))
        outbox = peer.outboxes[ack.lane]
        for part in outbox.take_ack(ack):
            self._decided += self._stock.judge(peer, ack.lane, part)
        for part, why in outbox.take_refusals(ack):
            self._decided += self._stock.give_up(ack.lane, part, why)
        self._needed[ack.lane] = list(dict.fromkeys((*self._needed[ack.lane], *ack.need)))

    def on_want(self, ledger: str, want: Want) -> None:
        """Hear what a ledger lacks; it counts only in the life that is followed."""
        peer = self._peers.get(ledger)
        if peer is None:
            return
        if peer.counts(want.life, answers=False):
            peer.outboxes[want.lane].take_want(want)
        else:
            self._ignore(peer, want.life)

    def on_trust(self, ledger: str, ids: Collection[str]) -> None:
        """Hear which ledgers are trusted under a name; what such a one holds may be freed at once."""
        peer = self._peers.get(ledger)
        if peer is not None and peer.trust(ids):
            self._decided += self._stock.held_by(peer)

    def decisions(self) -> tuple[Action, ...]:
        """Return what is decided, all but messages: to be carried out at once, in this order."""
        decided, self._decided = self._decided, []
        return tuple(decided)

    def due(self, now_ms: int) -> tuple[Action, ...]:
        """Return what is decided and what to send now, in this order; time is real, from any origin [ms]."""
        return (*self.decisions(), *self._messages(now_ms))

    def wake_ms(self, now_ms: int) -> int | None:
        """Return when `due` has something to do if nothing happens before, or None [ms]."""
        if not self._connected:
            return None
        times = [] if self._head_due_ms is None else [self._head_due_ms]
        sends: list[int] = []
        for peer in self._alive(now_ms):
            for outbox in peer.outboxes.values():
                send_ms, late_ms = outbox.wake_ms(
                    now_ms, self._pace.most_bytes, followed=peer.followed is not None
                )
                sends += [] if send_ms is None else [send_ms]
                times += [] if late_ms is None else [late_ms]
        if sends or any(self._needed.values()) or any(self._parts.values()):
            times.append(max(min(sends, default=now_ms), self._pace.room_ms(now_ms)))
        return min(times, default=None)

    def _ignore(self, peer: Peer, life: str) -> None:
        """Count an answer that does not count; it is strange if nobody has announced its life."""
        self.ignored_answers += 1
        self.strange_answers += not peer.has_heard(life)

    def _messages(self, now_ms: int) -> Iterator[Send]:
        """Yield what to send now; what is yielded is taken for sent."""
        if not self._connected:
            return
        if self._head_due_ms is not None and now_ms >= self._head_due_ms:
            self._head_due_ms, self._last_head_ms = None, now_ms
            yield SendHead()
        alive = self._alive(now_ms)
        for lane in _LANES if alive else ():
            yield from self._inventory(lane, alive, now_ms)
            while self._needed[lane] and self._pace.has_room(lane, now_ms):
                yield self._paced(SendTable(lane, self._needed[lane].pop(0)), _TABLE_BYTES, now_ms)
            yield from self._frames(lane, [peer for peer in alive if peer.followed is not None], now_ms)

    def _inventory(self, lane: Lane, alive: Sequence[Peer], now_ms: int) -> Iterator[Send]:
        """Yield the parts of the lane's inventory if a ledger is due one; it serves all that wait for one."""
        outboxes = [peer.outboxes[lane] for peer in alive]
        due = [outbox.inventory_is_due(now_ms) for outbox in outboxes]
        parts = self._parts[lane]
        if any(due) and not parts:
            self._inventories[lane] += 1
            blocks = tuple(self._stock.blocks(lane))
            parts += parts_of(lane, self._inventories[lane], blocks, self._past(lane), self._draw)
            for outbox in outboxes:
                outbox.listed([part.number for part in parts], now_ms)
        while parts and self._pace.has_room(lane, now_ms):
            part = parts.pop(0)
            entries = len(part.blocks) + len(part.epochs) + len(part.gone)
            yield self._paced(part, _ENTRY_BYTES * entries, now_ms)

    def _frames(self, lane: Lane, peers: Sequence[Peer], now_ms: int) -> Iterator[Send]:
        """Yield frames that one of the ledgers lacks, oldest first, a table before the first that uses it."""
        for peer in peers:
            while self._pace.has_room(lane, now_ms):
                chosen = peer.outboxes[lane].choose(now_ms, self._pace.most_bytes)
                if chosen is None:
                    break
                action, untold, size = chosen
                if untold:
                    for each in peers:
                        each.outboxes[lane].told_tables.add(untold[0])
                    yield self._paced(SendTable(lane, untold[0]), _TABLE_BYTES, now_ms)
                    continue
                for each in peers:
                    each.outboxes[lane].send(action, now_ms)
                yield self._paced(action, size, now_ms)

    def _paced(self, action: Send, size: int, now_ms: int) -> Send:
        """Count a message as in transit."""
        self._pace.send(action, size, now_ms)
        return action

    def _alive(self, now_ms: int) -> list[Peer]:
        return [peer for peer in self._peers.values() if peer.is_alive(now_ms)]
