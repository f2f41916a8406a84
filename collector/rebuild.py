"""`seiren collector rebuild-store`: everything that a reading store has from the ledger, written again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from collector.ledger import Ledger
from collector.ledger.marks import forget_store
from collector.projector import Projector
from collector.stores import make_store
from config.hq import HqConfig

_TELL_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was written into a store, and what it refused for good [1]."""

    store: str
    readings: int
    half_hours: int
    refused: int


async def rebuild(ledger: Ledger, hq: HqConfig, folder: Path, tell: Callable[[str], None]) -> Rebuilt:
    """Write all registers and half-hours of a ledger into its reading store, over what is there.

    It may run beside the collector, and be run again when it was stopped on its way.

    Parameters
    ----------
    folder
        The ledger's folder.
    tell
        Called every few seconds with how far it is.

    Raises
    ------
    ConfigError
        The store would lose readings, or its secret cannot be read.
    Unreachable, OutsideError
        Ledger or store failed.
    """
    store = make_store(hq.store, folder)
    try:
        await store.open()
        with ledger.writing() as connection:
            forget_store(connection, store.identity)
        projector = Projector(ledger, store, hq, now_ms=lambda: time.time_ns() // 1_000_000)
        told_s = time.monotonic()
        while await projector.step() or await projector.walk():
            if time.monotonic() - told_s >= _TELL_EVERY_S:
                told_s = time.monotonic()
                tell(f"{projector.readings:,} readings, {projector.half_hours:,} half-hours")
        await projector.tell()
        return Rebuilt(store.identity, projector.readings, projector.half_hours, projector.refused)
    finally:
        await store.close()
