"""How a running collector fares, told on its loopback port: facts as JSON, and as Prometheus' text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

from collector.door import Door
from collector.facts import BrokerFacts, Facts, Fault, InboxFacts, Live, Record, StoreFacts, Visited
from collector.ingest import Ingest
from collector.metrics import families
from core.errors import OutsideError
from core.runtime.endpoint import JSON, serve_pages
from core.runtime.exposition import CONTENT_TYPE, text_of
from core.runtime.mqtt import MqttSession

SHARE = 20
"""A record is as old as it took to read, times this, before it is read again [1]."""


class RecordKeeper:
    """Keeps the record of a ledger, so that being asked often costs a twentieth of the time at the most.

    Parameters
    ----------
    read
        Reads the record, in a thread.
    monotonic
        For durations [s].
    """

    def __init__(self, read: Callable[[], Record], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._read, self._monotonic = read, monotonic
        self._reading = asyncio.Lock()
        self._record: Record | None = None
        self._not_before_s = 0.0

    async def get(self) -> Record | None:
        """Return the record, or None where the ledger has never answered."""
        async with self._reading:
            began_s = self._monotonic()
            if began_s >= self._not_before_s:
                with suppress(OutsideError):  # whoever writes to the ledger tells of it
                    self._record = await asyncio.to_thread(self._read)
                ended_s = self._monotonic()
                self._not_before_s = ended_s + SHARE * (ended_s - began_s)
            return self._record


def live_facts(
    *,
    ledger: str,
    ledger_id: str,
    now_ms: int,
    started_ms: int,
    lives: tuple[str, int],
    broker: str,
    broker_since_ms: int,
    session: MqttSession,
    store: str,
    store_is_open: bool,
    store_fault: OutsideError | None,
    ingest: Ingest,
    door: Door,
) -> Live:
    """Return what a running collector knows besides its ledger.

    Parameters
    ----------
    ledger, ledger_id
        Name and id of the ledger.
    now_ms, started_ms, broker_since_ms
        Now, since when it runs, and since when the broker is there or gone [ms since 1970 UTC].
    lives
        The present life, and how many there were [1].
    broker
        Host and port of the broker.
    store, store_is_open, store_fault
        The reading store: its identity, whether samples are let in, why it takes nothing.
    session, ingest, door
        Parts of the collector, which are only looked at.
    """
    return Live(
        ledger=ledger,
        ledger_id=ledger_id,
        version=version("seiren"),
        time_ms=now_ms,
        started_ms=started_ms,
        life=lives[0],
        lives=lives[1],
        broker=BrokerFacts(
            where=broker,
            connected=session.connected,
            since_ms=broker_since_ms,
            fault=Fault.of(session.fault),
        ),
        store=StoreFacts(name=store, open=store_is_open, fault=Fault.of(store_fault)),
        ledger_fault=Fault.of(ingest.ledger_fault),
        inboxes={
            lane.value: InboxFacts(
                messages=inbox.waiting[0], bytes=inbox.waiting[1], taken=inbox.taken, dropped=inbox.dropped
            )
            for lane, inbox in ingest.inboxes.items()
        },
        agents=tuple(
            Visited(site=site, agent=agent, heard_ms=each.heard_ms, state=each.state)
            for (site, agent), each in sorted(door.visitors.items())
        ),
        strangers=dict(door.strangers),
    )


@asynccontextmanager
async def serve_live(
    port: int | None, live: Callable[[], Live], read: Callable[[], Record]
) -> AsyncIterator[None]:
    """Tell how the collector fares on a loopback port, as long as the context lasts; None: it tells nothing.

    Parameters
    ----------
    port
        TCP port of the loopback interface.
    live
        What it knows besides its ledger.
    read
        Reads the ledger's record, in a thread.
    """
    if port is None:
        yield
        return
    keeper = RecordKeeper(read)

    async def status() -> tuple[str, bytes]:
        return JSON, Facts(live=live(), record=await keeper.get()).model_dump_json().encode()

    async def metrics() -> tuple[str, bytes]:
        facts = Facts(live=live(), record=await keeper.get())
        return CONTENT_TYPE, await asyncio.to_thread(text_of, families(facts))

    async with serve_pages(port, {"/metrics": metrics, "/status": status}, who="collector"):
        yield
