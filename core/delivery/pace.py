"""How much may be on its way to the broker at once, so that nothing queues up before the registers."""

from __future__ import annotations

from dataclasses import dataclass

from core.delivery.actions import Send, SenderSettings
from core.delivery.frames import Lane

_QUICK_MS = 500
_SLOW_MS = 2_000
_MOST_BYTES = 1_048_576


@dataclass(slots=True, eq=False)
class _Message:
    """A message that the broker has not acknowledged yet."""

    action: Send
    size: int
    sent_ms: int


class Pace:
    """Lets messages go as fast as the link takes them, or as the byte rate allows.

    The bytes in transit grow while the broker answers quickly and shrink when it does not, down to a single
    message; samples use half of them, so that registers find room at once. Under a byte rate each message
    waits until those before it have had their time.

    Parameters
    ----------
    settings
        How hard to send.
    """

    def __init__(self, settings: SenderSettings) -> None:
        self._settings = settings
        self._transit: list[_Message] = []
        self._bytes = settings.transit_bytes
        self._free_at_ms = 0

    @property
    def most_bytes(self) -> int:
        """Bound of a message, so that a slow link has it within seconds [bytes]."""
        return min(self._settings.message_bytes, self._bytes)

    def has_room(self, lane: Lane, now_ms: int) -> bool:
        """Tell whether a message of a lane may go now."""
        if self._settings.bytes_per_s is not None and now_ms < self._free_at_ms:
            return False
        self._transit = [one for one in self._transit if now_ms < one.sent_ms + self._settings.longest_ms]
        if self._settings.bytes_per_s is not None:
            return not self._transit
        most = self._bytes if lane is Lane.REGISTERS else self._bytes // 2
        return sum(one.size for one in self._transit) < most

    def room_ms(self, now_ms: int) -> int:
        """Return from when there may be room if the broker says nothing more [ms]."""
        if now_ms < self._free_at_ms:
            return self._free_at_ms
        if self.has_room(Lane.SAMPLES, now_ms):
            return now_ms
        return min(one.sent_ms for one in self._transit) + self._settings.longest_ms

    def send(self, action: Send, size: int, now_ms: int) -> None:
        """Take note of a message that goes; its size is an estimate [bytes]."""
        self._transit.append(_Message(action, size, now_ms))

    def passed(self, action: Send, size: int, now_ms: int) -> None:
        """Take note that the broker has a message; its size is that on the wire [bytes]."""
        message = next((one for one in self._transit if one.action is action), None)
        sent_ms = now_ms
        if message is not None:
            self._transit.remove(message)
            sent_ms = message.sent_ms
            if now_ms - sent_ms <= _QUICK_MS:
                self._bytes = min(self._bytes + message.size, _MOST_BYTES)
            elif now_ms - sent_ms > _SLOW_MS:
                self._bytes = max(self._bytes // 2, self._settings.transit_bytes)
        if self._settings.bytes_per_s is not None:
            self._free_at_ms = max(self._free_at_ms, sent_ms) + size * 1000 // self._settings.bytes_per_s

    def begin(self) -> None:
        """Forget what was in transit: the connection is another."""
        self._transit, self._bytes = [], self._settings.transit_bytes
