"""From the broker into the ledger: parse, decide, commit, and only then acknowledge.

Each lane has its own queue and takes all that waits into one transaction. Registers need the ledger alone.
Samples go to the reading store first, and their frames are committed when the store has answered that they
are durable; while it is down they stay on the agents' disks, which send them again.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import ParamSpec

from collector.inbox import LINGER_S, Inbox, Message
from collector.intake import Intake, Sorted
from collector.stores.base import ReadingStore
from collector.trouble import Trouble
from core.delivery import topics
from core.delivery.frames import Lane
from core.delivery.holdings import Answer
from core.delivery.messages import Data, Inventory, Table
from core.errors import OutsideError

_LOG = logging.getLogger(__name__)
_SAMPLES = f"/{Lane.SAMPLES}"
_COLLECTORS = f"{topics.ROOT}/{topics.COLLECTORS}/"

P = ParamSpec("P")


class Ingest:
    """The way of all messages from agents.

    Parameters
    ----------
    intake
        The transactions.
    store
        Where samples become durable.
    life
        Gives the collector's present life.
    publish
        Sends answers to their agents.
    committed
        Called after each commit.
    ledger_lost
        Called when a transaction failed: the next database connection is another life.
    linger_s
        How long a batch waits for company [s].
    """

    def __init__(
        self,
        intake: Intake,
        store: ReadingStore,
        *,
        life: Callable[[], str],
        publish: Callable[[Sequence[Answer]], None],
        committed: Callable[[], None],
        ledger_lost: Callable[[], None],
        linger_s: float = LINGER_S,
    ) -> None:
        self._intake = intake
        self._store = store
        self._life = life
        self._publish = publish
        self._committed = committed
        self._ledger_lost = ledger_lost
        self._registers = Inbox(linger_s=linger_s)
        self._samples = Inbox(linger_s=linger_s)
        self._store_trouble = Trouble(_LOG, f"{store.identity} takes samples again")
        self._store_rests_until_s = math.inf
        self.dropped = 0

    def let_samples_in(self) -> None:
        """Take samples from now on: the reading store is open."""
        self._store_rests_until_s = 0.0

    def hear(self, topic: str, payload: bytes) -> None:
        """Take a message; never blocks. What cannot wait here is dropped, and its agent sends it again."""
        if topic.startswith(_COLLECTORS):
            return  # our own words: a filter for the agents' states cannot leave them out
        inbox = self._samples if topic.endswith(_SAMPLES) else self._registers
        if not inbox.put(topic, payload):
            self.dropped += 1

    async def run(self) -> None:
        """Work until `close`, and through what waits then."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._serve(self._registers, self._take_registers))
            tasks.create_task(self._serve(self._samples, self._take_samples))

    def close(self) -> None:
        """Take no more messages."""
        self._registers.close()
        self._samples.close()

    async def _serve(self, inbox: Inbox, take: Callable[[Sequence[Message]], Awaitable[None]]) -> None:
        trouble = Trouble(_LOG, "the ledger works again")
        while batch := await inbox.take():
            try:
                await take(batch)
            except OutsideError as error:
                pause_s = trouble.failed(error)
                inbox.refuses = True
                await asyncio.sleep(pause_s)
                inbox.refuses = False
            else:
                trouble.worked()

    async def _take_registers(self, batch: Sequence[Message]) -> None:
        await self._commit(await asyncio.to_thread(self._intake.sort, batch))

    async def _take_samples(self, batch: Sequence[Message]) -> None:
        heard = await asyncio.to_thread(self._intake.sort, batch)
        await self._commit(Sorted(heard.part(Table).arrivals, heard.garbage))
        if asyncio.get_running_loop().time() >= self._store_rests_until_s:
            await self._store_samples(heard.part(Data))
        await self._commit(heard.part(Inventory))

    async def _store_samples(self, data: Sorted) -> None:
        """Commit frames once the store holds their rows; while it fails they are left to their agents."""
        more = True
        while more:
            decided = await asyncio.to_thread(self._intake.decide_samples, data, self._life())
            try:
                rejected = (await self._store.write(decided.rows)).rejected if decided.rows else ()
            except OutsideError as error:
                pause_s = self._store_trouble.failed(error)
                self._store_rests_until_s = asyncio.get_running_loop().time() + pause_s
                return
            if decided.rows:
                self._store_trouble.worked()
            await self._answer(self._intake.commit_samples, decided, rejected)
            data, more = Sorted(), decided.more

    async def _commit(self, heard: Sorted) -> None:
        if heard:
            await self._answer(self._intake.commit, heard, self._life())

    async def _answer(self, commit: Callable[P, Sequence[Answer]], *args: P.args, **kwargs: P.kwargs) -> None:
        """Run a transaction, and answer once it is committed."""
        try:
            answers = await asyncio.to_thread(commit, *args, **kwargs)
        except OutsideError:
            self._ledger_lost()
            raise
        self._committed()
        self._publish(answers)
