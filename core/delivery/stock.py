"""The frames on the agent's disk, and what all required ledgers together have said of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from core.delivery.actions import Free, GiveUp, Held
from core.delivery.frames import Lane
from core.delivery.messages import Block
from core.delivery.outbox import Part
from core.delivery.peer import Peer
from core.delivery.ranges import Ranges, Span
from core.delivery.shelf import Shelf, Written

Verdict = Free | Held | GiveUp


class Waiting(NamedTuple):
    """What waits for a ledger: frames and readings [1], and epoch and index of the oldest frame."""

    frames: int
    readings: int
    oldest: tuple[str, int] | None


class Stock:
    """All frames on disk; a frame is free when each ledger that is required holds it.

    Parameters
    ----------
    peers
        The required ledgers.
    """

    def __init__(self, peers: Sequence[Peer]) -> None:
        self._peers = peers
        self._shelves: Mapping[Lane, dict[str, Shelf]] = {lane: {} for lane in Lane}

    def add(self, frames: Iterable[Written], now_ms: int) -> None:
        """Take durable frames, those of a lane and epoch by index; they are to be sent to each ledger."""
        for (lane, epoch), run in groupby(frames, attrgetter("lane", "epoch")):
            for part in self._shelve(lane, epoch, run):
                for peer in self._peers:
                    peer.outboxes[lane].add(part, now_ms)

    def gone(self, lane: Lane, epoch: str, first: int, end: int) -> None:
        """Forget places that are no longer on disk."""
        shelf = self._shelves[lane].get(epoch)
        if shelf is None:
            return
        for peer in self._peers:
            peer.outboxes[lane].gone(Part(shelf, first, end))
        shelf.forget(first, end)
        if not shelf.on_disk:
            del self._shelves[lane][epoch]

    def blocks(self, lane: Lane) -> Iterator[Block]:
        """Yield blocks that cover everything on disk."""
        for shelf in self._shelves[lane].values():
            yield from shelf.blocks()

    def waiting(self, lane: Lane) -> Waiting:
        """Return what some ledger has not named in its present life."""
        frames = readings = 0
        oldest: tuple[str, int] | None = None
        for shelf in self._shelves[lane].values():
            held = Ranges(shelf.on_disk)
            for peer in self._peers:
                for first, end in peer.outboxes[lane].tray(shelf).unheld():
                    held.remove(first, end)
            unheld = [gap for first, end in shelf.on_disk for gap in held.missing(first, end)]
            frames += sum(end - first for first, end in unheld)
            readings += shelf.readings(unheld)
            if unheld and oldest is None:
                oldest = shelf.epoch, unheld[0][0]
        return Waiting(frames, readings, oldest)

    def held_by(self, peer: Peer) -> Iterator[Verdict]:
        """Yield what follows from all that a ledger holds."""
        for lane, outbox in peer.outboxes.items():
            for shelf in self._shelves[lane].values():
                for first, end in outbox.tray(shelf).held:
                    yield from self.judge(peer, lane, Part(shelf, first, end))

    def judge(self, peer: Peer, lane: Lane, part: Part) -> Iterator[Verdict]:
        """Yield what follows now that a ledger holds frames; nothing where it is not trusted."""
        if not peer.is_trusted:
            return
        shelf, first, end = part
        free: Sequence[Span] = ((first, end),)
        for other in self._peers:
            held = other.outboxes[lane].tray(shelf).held if other.is_trusted else Ranges()
            free = [span for a, b in free for span in held.within(a, b)]
        for a, b in free:
            yield Free(lane, shelf.epoch, a, b)
        for a, b in Ranges(free).missing(first, end):
            yield Held(lane, shelf.epoch, a, b)
            yield from self.give_up(lane, Part(shelf, a, b), "another required ledger refuses it")

    def give_up(self, lane: Lane, part: Part, why: str) -> Iterator[GiveUp]:
        """Yield those frames that one ledger has given up, and each other one too, or holds."""
        shelf, first, end = part
        trays = [peer.outboxes[lane].tray(shelf) for peer in self._peers]
        refused = Ranges(span for tray in trays for span in tray.given_up.within(first, end))
        for at in (at for a, b in refused for at in range(a, b)):
            if all(peer.is_trusted for peer in self._peers) and all(
                at in tray.held or at in tray.given_up for tray in trays
            ):
                yield GiveUp(lane, shelf.epoch, at, shelf.id_of(at), why)

    def _shelve(self, lane: Lane, epoch: str, frames: Iterable[Written]) -> Iterator[Part]:
        """Put frames of an epoch on its shelf; yield their runs."""
        shelf = self._shelves[lane].get(epoch)
        new = Ranges()
        for frame in frames:
            if shelf is None:
                shelf = self._shelves[lane][epoch] = Shelf(epoch, frame.at)
            shelf.add(frame)
            new.add(frame.at, frame.at + 1)
        if shelf is not None:
            yield from (Part(shelf, first, end) for first, end in new)
