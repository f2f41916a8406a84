"""One required ledger as the sender knows it: which of its lives is followed, and whether it is trusted."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping

from core.delivery.frames import Lane
from core.delivery.messages import Life
from core.delivery.outbox import Outbox

IN_TURN_MS = 300_000
"""Within this time two lives in turn are two collectors, and not one that was started again [ms]."""

_LIVES = 8


class Peer:
    """A required ledger.

    Parameters
    ----------
    name
        Its name.
    trusted
        Ledger ids on whose word frames are freed; None where no ledger was ever known under the name: then
        the first that is followed is trusted.
    outboxes
        What is on its way to it, by lane.
    """

    def __init__(self, name: str, trusted: Collection[str] | None, outboxes: Mapping[Lane, Outbox]) -> None:
        self.name = name
        self.outboxes = outboxes
        self.alive_until_ms = 0
        self.followed: str | None = None
        self._trusted = None if trusted is None else set(trusted)
        self._prompt: str | None = None
        self._lives: dict[str, Life] = {}
        self._turns_ms: deque[int] = deque(maxlen=2)

    def is_alive(self, now_ms: int) -> bool:
        """Tell whether a collector of the ledger said lately that it is there."""
        return now_ms < self.alive_until_ms

    @property
    def ledger_id(self) -> str | None:
        """The ledger whose life is followed, or that spoke last."""
        heard = self._lives.get(self.followed or self._prompt or "")
        return heard.ledger_id if heard is not None else None

    @property
    def is_trusted(self) -> bool:
        """Whether frames are freed on the word of the life that is followed."""
        return self.followed is not None and self._trusted is not None and self.ledger_id in self._trusted

    @property
    def untrusted_id(self) -> str | None:
        """The ledger that speaks under the name and was never known under it, or None."""
        strange = self._trusted is not None and self.ledger_id not in self._trusted
        return self.ledger_id if strange else None

    def is_in_turn(self, now_ms: int) -> bool:
        """Tell whether two lives have lately spoken in turn."""
        return len(self._turns_ms) == 2 and now_ms - self._turns_ms[0] < IN_TURN_MS

    def hear(self, message: Life, now_ms: int, life_ms: int) -> bool:
        """Hear that a life is there, or its last will; tell whether it is a prompt: another than before."""
        if not message.alive:
            if message.life == self._prompt:
                self.alive_until_ms = 0
            return False
        self.alive_until_ms = now_ms + life_ms
        known = self._lives.pop(message.life, None)
        self._lives[message.life] = message
        if message.life == self._prompt:
            return False
        if known is not None and message.time_ms > known.time_ms:  # not a word of before that comes late
            self._turns_ms.append(now_ms)
        while len(self._lives) > _LIVES:
            del self._lives[next(iter(self._lives))]
        self._prompt, self.followed = message.life, None
        return True

    def has_heard(self, life: str) -> bool:
        """Tell whether a life has announced itself lately."""
        return life in self._lives

    def counts(self, life: str, *, answers: bool) -> bool:
        """Tell whether a word of a life counts; one that answers a number drawn after the prompt is followed.

        Parameters
        ----------
        life
            The life that speaks.
        answers
            Whether it answers an inventory that was drawn after the newest prompt.
        """
        if self.followed is None and answers and life in self._lives:
            self._prompt = self.followed = life
        return life == self.followed

    def trust_first(self) -> str | None:
        """Trust the ledger that is followed if none was known under the name; return its id if so."""
        if self._trusted is not None or self.followed is None or self.ledger_id is None:
            return None
        self._trusted = {self.ledger_id}
        return self.ledger_id

    def trust(self, ids: Collection[str]) -> bool:
        """Take these ids for trusted; tell whether the ledger that is followed has become so."""
        before, self._trusted = self.is_trusted, set(ids)
        return self.is_trusted and not before
