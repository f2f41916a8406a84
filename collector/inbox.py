"""What has come from the broker and waits for its transaction: bounded, because agents keep the rest."""

from __future__ import annotations

import asyncio
from collections import deque

MAX_WAITING_BYTES = 64_000_000
MAX_WAITING_MESSAGES = 100_000
MAX_BATCH_BYTES = 2_000_000
LINGER_S = 0.2

Message = tuple[str, bytes]
"""Topic and payload."""


class Inbox:
    """A queue that never blocks the one who puts, and gives all that waits to the one who takes.

    Parameters
    ----------
    max_waiting_bytes, max_waiting_messages
        Payload bytes and messages that may wait; what comes on top is dropped.
    max_batch_bytes
        Payload bytes that one batch may have, unless a single message is larger.
    linger_s
        How long a batch waits for company, so that many messages share one fsync [s].
    """

    def __init__(
        self,
        *,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
        max_waiting_messages: int = MAX_WAITING_MESSAGES,
        max_batch_bytes: int = MAX_BATCH_BYTES,
        linger_s: float = LINGER_S,
    ) -> None:
        self._max_waiting_bytes = max_waiting_bytes
        self._max_waiting_messages = max_waiting_messages
        self._max_batch_bytes = max_batch_bytes
        self._linger_s = linger_s
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._stirred = asyncio.Event()
        self._closed = False
        self.refuses = False
        self.taken = self.dropped = 0
        """Messages since the start [1]."""

    def put(self, topic: str, payload: bytes) -> bool:
        """Add a message; False where it is dropped, because too much waits or nothing can be taken now."""
        full = (
            self._bytes + len(payload) > self._max_waiting_bytes
            or len(self._messages) >= self._max_waiting_messages
        )
        if self.refuses or self._closed or full:
            self.dropped += 1
            return False
        self.taken += 1
        self._messages.append((topic, payload))
        self._bytes += len(payload)
        self._stirred.set()
        return True

    @property
    def waiting(self) -> tuple[int, int]:
        """Messages [1] and bytes [bytes] that wait."""
        return len(self._messages), self._bytes

    def close(self) -> None:
        """Take no more messages; what waits can still be taken."""
        self._closed = True
        self._stirred.set()

    async def take(self) -> list[Message]:
        """Wait for a message; return all that wait, up to the bound of a batch. Empty: it is closed."""
        await self._stirred.wait()
        if self._bytes < self._max_batch_bytes and not self._closed:
            await asyncio.sleep(self._linger_s)
        batch: list[Message] = []
        size = 0
        while self._messages and (not batch or size + len(self._messages[0][1]) <= self._max_batch_bytes):
            message = self._messages.popleft()
            size += len(message[1])
            batch.append(message)
        self._bytes -= size
        if not self._messages and not self._closed:
            self._stirred.clear()
        return batch
