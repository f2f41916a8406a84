"""The agent's side of delivery: a state machine without I/O, clock or randomness.

What happens is told by the ``on_…`` methods; `due` then says what to do. Frames are freed only on the
word of the life that is followed: one that has itself answered an inventory drawn after the newest prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from core.delivery.actions import Action, Free, SenderSettings, SendHead, Unhold
from core.delivery.frames import Lane
from core.delivery.messages import Ack, Life, Want
from core.delivery.outbox import Outbox, Waiting
from core.delivery.shelf import Written


class Sender:
    """Decide what an agent sends to its required ledger, and what it may forget.

    Parameters
    ----------
    ledger
        Name of the required ledger.
    draw
        Gives a fresh random number of 16 hex digits.
    jitter
        Gives a random number in [0, 1).
    settings
        How hard to send.
    """

    def __init__(
        self,
        ledger: str,
        *,
        draw: Callable[[], str],
        jitter: Callable[[], float],
        settings: SenderSettings | None = None,
    ) -> None:
        self._ledger = ledger
        self._jitter = jitter
        self._settings = settings or SenderSettings()
        self._lanes = {
            lane: Outbox(lane, draw=draw, jitter=jitter, settings=self._settings)
            for lane in (Lane.REGISTERS, Lane.SAMPLES)  # in order of precedence
        }
        self._actions: list[Action] = []
        self._connected = False
        self._prompt: str | None = None
        self._followed: str | None = None
        self._alive_until_ms = 0
        self._head_due_ms: int | None = None
        self._last_head_ms = 0
        self._free_at_ms = 0
        self.ignored_answers = 0

    @property
    def followed_life(self) -> str | None:
        """The life on whose word frames are freed now."""
        return self._followed

    @property
    def unheld(self) -> int:
        """Frames on disk that the ledger has not named in its present life [1]."""
        return sum(outbox.unheld for outbox in self._lanes.values())

    def waiting(self, lane: Lane) -> Waiting:
        """Return what waits on disk for the ledger in a lane."""
        return self._lanes[lane].waiting()

    def is_alive(self, now_ms: int) -> bool:
        """Tell whether the ledger's collector said lately that it is there."""
        return now_ms < self._alive_until_ms

    def on_written(self, frames: Iterable[Written], now_ms: int) -> None:
        """Take durable frames, those of a lane and epoch by index; at start, all that are on disk."""
        for frame in frames:
            self._lanes[frame.lane].add(frame, now_ms)
        if self._head_due_ms is None:
            self._head_due_ms = max(now_ms, self._last_head_ms + self._settings.head_ms)

    def on_gone(self, lane: Lane, epoch: str, first: int, end: int) -> None:
        """Forget places that are no longer on disk."""
        self._lanes[lane].gone(epoch, first, end)

    def on_connected(self, now_ms: int) -> None:
        """Begin on a connection: the head is due."""
        self._connected = True
        self._head_due_ms = now_ms

    def on_disconnected(self) -> None:
        """Take back what is under way, for whether it arrived is unknown; nobody is known to be alive."""
        self._connected = False
        self._alive_until_ms = 0
        for outbox in self._lanes.values():
            outbox.take_back()

    def on_life(self, message: Life, now_ms: int) -> None:
        """Hear a collector's life; one that is new only prompts an inventory, and un-holds everything."""
        if message.ledger != self._ledger:
            return
        if not message.alive:
            if message.life == self._prompt:
                self._alive_until_ms = 0
            return
        self._alive_until_ms = now_ms + self._settings.life_ms
        if message.life == self._prompt:
            return
        self._prompt, self._followed = message.life, None
        self._actions = [action for action in self._actions if not isinstance(action, Free)]
        self._actions.append(Unhold())
        for outbox in self._lanes.values():
            outbox.begin_life(now_ms + int(self._jitter() * self._settings.spread_ms))

    def on_ack(self, ack: Ack) -> None:
        """Hear what a ledger holds; it counts only in the life that is followed."""
        outbox = self._lanes[ack.lane]
        if self._followed is None and outbox.has_drawn(ack.inventory):
            self._prompt = self._followed = ack.life
        if ack.life == self._followed:
            self._actions.extend(outbox.take_ack(ack))
        else:
            self.ignored_answers += 1

    def on_want(self, want: Want) -> None:
        """Hear what a ledger lacks; it counts only in the life that is followed."""
        if want.life == self._followed:
            self._lanes[want.lane].take_want(want)
        else:
            self.ignored_answers += 1

    def due(self, now_ms: int) -> tuple[Action, ...]:
        """Return what to do now, in this order.

        Parameters
        ----------
        now_ms
            Real time, from any origin [ms].
        """
        actions, self._actions = self._actions, []
        if self._connected and self._head_due_ms is not None and now_ms >= self._head_due_ms:
            self._head_due_ms, self._last_head_ms = None, now_ms
            actions.append(SendHead())
        if self._connected and now_ms < self._alive_until_ms:
            for outbox in self._lanes.values():
                actions.extend(outbox.inventory(now_ms))
                if self._followed is not None:
                    actions.extend(self._within_rate(outbox, now_ms))
        return tuple(actions)

    def wake_ms(self, now_ms: int) -> int | None:
        """Return when `due` has something to do if nothing happens before, or None [ms]."""
        if not self._connected:
            return None
        times = [] if self._head_due_ms is None else [self._head_due_ms]
        if now_ms < self._alive_until_ms:
            lanes = (outbox.wake_ms(followed=self._followed is not None) for outbox in self._lanes.values())
            times += [max(time_ms, self._free_at_ms) for time_ms in lanes if time_ms is not None]
        return min(times, default=None)

    def _within_rate(self, outbox: Outbox, now_ms: int) -> Iterator[Action]:
        """Yield a lane's messages as far as the byte rate allows; what is yielded is taken for sent."""
        cap = self._settings.bytes_per_s
        messages = outbox.messages(now_ms)
        while cap is None or now_ms >= self._free_at_ms:
            try:
                size, action = next(messages)
            except StopIteration:
                return
            yield action
            if cap is not None:
                self._free_at_ms = max(self._free_at_ms, now_ms) + size * 1000 // cap
