"""How the long-running commands have the interpreter run: the event loop, and the search for garbage."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's loops where there are any (not on Windows), else None: asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def collect_garbage_seldom() -> None:
    """Let the interpreter look for cycles more seldom: readings come by the hundred thousand and form none.

    By default that takes half as much time as to decode them.
    """
    gc.set_threshold(50_000, 20, 100)
