"""Listening to a broker in tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Ear:
    """Hears messages, and lets a test wait for one."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._stirred = asyncio.Event()

    @property
    def topics(self) -> set[str]:
        """On which topics something was heard."""
        return {topic for topic, _ in self.heard}

    def __call__(self, topic: str, payload: bytes) -> None:
        self.heard.append((topic, payload))
        self._stirred.set()

    async def until(self, condition: Callable[[], bool], within_s: float = 15.0) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                self._stirred.clear()
                await self._stirred.wait()
