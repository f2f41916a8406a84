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

from collector.door import Door
from collector.inbox import LINGER_S, Inbox, Message
from collector.intake import Garbage, Intake, Sorted
from collector.ledger import AnotherCollector
from collector.stores.base import ReadingStore
from collector.trouble import Trouble
from core.delivery.frames import Lane
from core.delivery.holdings import Answer
from core.delivery.messages import Data, Inventory, Table
from core.errors import OutsideError

_LOG = logging.getLogger(__name__)
_SAMPLES = f"/{Lane.SAMPLES}"
_MOST_REASON = 500

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
        Called when a transaction failed, or the database's connection is a new one: then it is another life.
    door
        Looks at each message before it may wait.
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
        door: Door,
        linger_s: float = LINGER_S,
    ) -> None:
        self._intake = intake
        self._store = store
        self._life = life
        self._publish = publish
        self._committed = committed
        self._ledger_lost = ledger_lost
        self._door = door
        self.inboxes = {lane: Inbox(linger_s=linger_s) for lane in Lane}
        self._store_trouble = Trouble(_LOG, f"{store.identity} takes samples again")
        self._store_rests_until_s = math.inf
        self._session: int | None = intake.session
        self._ledger_trouble = {lane: Trouble(_LOG, "the ledger works again") for lane in Lane}

    @property
    def store_fault(self) -> OutsideError | None:
        """Why the reading store does not take samples; None while it does."""
        return self._store_trouble.fault

    @property
    def ledger_fault(self) -> OutsideError | None:
        """Why the ledger takes nothing; None while it does."""
        return next((each.fault for each in self._ledger_trouble.values() if each.fault), None)

    def let_samples_in(self) -> None:
        """Take samples from now on: the reading store is open."""
        self._store_rests_until_s = 0.0

    def hear(self, topic: str, payload: bytes) -> None:
        """Take a message; never blocks. What cannot wait here is dropped, and its agent sends it again."""
        admitted = self._door.admit(topic, payload)
        if admitted is not None:
            lane = Lane.SAMPLES if topic.endswith(_SAMPLES) else Lane.REGISTERS
            self.inboxes[lane].put(topic, admitted)

    async def run(self) -> None:
        """Work until `close`, and through what waits then.

        Raises
        ------
        ExceptionGroup
            Of `AnotherCollector`: the place of this one was taken while the ledger was away.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._serve(Lane.REGISTERS, self._commit))
            tasks.create_task(self._serve(Lane.SAMPLES, self._take_samples))

    def close(self) -> None:
        """Take no more messages."""
        for inbox in self.inboxes.values():
            inbox.close()

    async def look_at_ledger(self) -> None:
        """Find out whether the ledger is still the same, also while nothing comes.

        Raises
        ------
        AnotherCollector
            The place of this one was taken while the ledger was away.
        """
        try:
            await self._answer(self._intake.touch)
        except AnotherCollector:
            raise
        except OutsideError as error:
            _LOG.debug(error.what)  # told by the lane that has something to write

    async def _serve(self, lane: Lane, take: Callable[[Sorted], Awaitable[None]]) -> None:
        inbox, trouble = self.inboxes[lane], self._ledger_trouble[lane]
        while batch := await inbox.take():
            try:
                await self._take(batch, take)
            except AnotherCollector:
                raise
            except OutsideError as error:
                pause_s = trouble.failed(error)
                inbox.refuses = True
                await asyncio.sleep(pause_s)
                inbox.refuses = False
            else:
                trouble.worked()

    async def _take(self, batch: Sequence[Message], take: Callable[[Sorted], Awaitable[None]]) -> None:
        """Take a batch; where one message of it is more than the collector can bear, set aside that one."""
        try:
            waiting = iter(batch)
            while heard := await asyncio.to_thread(self._intake.sort, waiting):
                await take(heard)
        except (OutsideError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001  whatever one message brings, the others do not wait for it
            if len(batch) > 1:
                for message in batch:  # taking one twice changes nothing
                    await self._take([message], take)
                return
            _LOG.exception("this message is set aside; please report it")
            ((topic, payload),) = batch
            reason = f"the collector failed on it: {type(error).__name__}: {error}"[:_MOST_REASON]
            await self._commit(Sorted(garbage=[Garbage(topic, payload, reason)]))

    async def _take_samples(self, heard: Sorted) -> None:
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
                rejected = (await self._store.write(decided.rows)).settled() if decided.rows else ()
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
            self._session = None
            self._ledger_lost()
            raise
        self._committed()
        if not self._ledger_was_exchanged():
            self._publish(answers)

    def _ledger_was_exchanged(self) -> bool:
        """Tell whether the ledger is written over a new connection, where no failure has told of it.

        Behind it there may be an older ledger, which lacks what the present life has acknowledged. What
        was to be said in that life is not said any more; agents ask the next one.
        """
        before, self._session = self._session, self._intake.session
        if before in (None, self._session):
            return False
        self._ledger_lost()
        return True
