"""The way of messages: answered after the commit, held back by nothing but their own lane's store."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from collector.door import Door
from collector.inbox import Inbox, Message
from collector.ingest import Ingest
from collector.intake import Intake, Sorted
from collector.ledger import Ledger
from collector.stores.base import Outcome, Rows
from collector.stores.sqlite import SqliteStore
from core.delivery.frames import Lane
from core.delivery.holdings import Answer
from core.delivery.messages import Ack, Data, Inventory, encode
from core.errors import Unreachable
from core.timeline import Interval
from tests.unit.collector.material import (
    AGENT,
    EPOCH,
    GAUGES,
    LIFE,
    POWER,
    SITE,
    T0,
    data,
    frame,
    intake,
    minutes,
    table,
    taken,
)

HOUR = Interval(T0, T0 + 3_600_000)


class Store(SqliteStore):
    """A real store that can be taken away."""

    down = False

    async def write(self, rows: Rows) -> Outcome:
        if self.down:
            raise Unreachable("the store is away")
        return await super().write(rows)


class Room:
    """An ingest with what surrounds it."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger.open(folder, create=True)
        self.store = Store(folder / "readings.sqlite")
        self.answers: list[Answer] = []
        self.lost = 0
        self.ingest = Ingest(
            intake(self.ledger),
            self.store,
            life=lambda: LIFE,
            publish=self.publish,
            committed=lambda: None,
            ledger_lost=self.lose,
            door=Door({SITE}, lambda: T0),
            linger_s=0,
        )

    def publish(self, answers: Sequence[Answer]) -> None:
        for answer in answers:  # what is acknowledged is in the ledger already, for anybody to see
            if isinstance(answer.message, Ack) and answer.message.ids:
                assert sum(count.stored + count.quarantined for count in self.ledger.counts()) > 0
        self.answers += answers

    def lose(self) -> None:
        self.lost += 1

    def acked(self) -> set[str]:
        return {id for each in self.answers if isinstance(each.message, Ack) for id in each.message.ids}

    def inventories_answered(self) -> set[str | None]:
        return {each.message.inventory for each in self.answers if isinstance(each.message, Ack)}

    def hear(self, *messages: tuple[str, bytes]) -> None:
        for topic, payload in messages:
            self.ingest.hear(topic, payload)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not true():  # noqa: ASYNC110  only the ledger's other side can tell
                await asyncio.sleep(0.005)


@asynccontextmanager
async def room(folder: Path) -> AsyncIterator[Room]:
    made = Room(folder)
    running = asyncio.create_task(made.ingest.run())
    try:
        yield made
    finally:
        made.ingest.close()
        await running
        await made.store.close()
        made.ledger.close()


SAMPLE = frame(0, [taken(T0, 2301, point=POWER)], lane=Lane.SAMPLES, table=GAUGES)
NUMBER = "0" * 16
INVENTORY = (
    f"seiren/v1/{SITE}/{AGENT}/samples",
    encode(Inventory(number=NUMBER, process=EPOCH, sequence=1, epochs=(), blocks=(), gone=())),
)
SAMPLES = (table(GAUGES, lane=Lane.SAMPLES), data(SAMPLE))


async def test_registers_are_answered_once_they_are_committed(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        one = frame(0, minutes(0, 5))
        here.hear(table(), data(one))
        await here.until(lambda: one.id in here.acked())
        assert [(answer.site, answer.agent) for answer in here.answers] == [(SITE, AGENT)]


async def test_samples_wait_until_the_store_is_open(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        here.hear(*SAMPLES, INVENTORY)
        await here.until(lambda: NUMBER in here.inventories_answered())
        assert here.acked() == set()
        here.ingest.let_samples_in()
        here.hear(data(SAMPLE))
        await here.until(lambda: SAMPLE.id in here.acked())
        assert [row.value for row in await here.store.read(POWER, HOUR)] == [230.1]


async def test_a_store_that_is_down_holds_up_samples_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("collector.trouble._FIRST_PAUSE_S", 0.01)
    async with room(tmp_path) as here:
        here.ingest.let_samples_in()
        here.store.down = True
        here.hear(*SAMPLES)
        here.hear(INVENTORY)
        registers = frame(0, minutes(0, 5))
        here.hear(table(), data(registers))
        await here.until(lambda: registers.id in here.acked())
        await here.until(
            lambda: any(isinstance(a.message, Ack) and a.message.inventory for a in here.answers)
        )
        assert SAMPLE.id not in here.acked()
        here.store.down = False

        async def again() -> None:
            while SAMPLE.id not in here.acked():
                here.hear(data(SAMPLE))
                await asyncio.sleep(0.02)

        await asyncio.wait_for(again(), 10)
        said = [each.getMessage() for each in caplog.records if each.name.startswith("collector.")]
        assert said == ["the store is away", "sqlite:readings.sqlite takes samples again"]


async def test_nothing_is_answered_while_the_ledger_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.ledger.engines.BUSY_TIMEOUT_S", 0.02)
    monkeypatch.setattr("collector.trouble._FIRST_PAUSE_S", 0.01)
    async with room(tmp_path) as here:
        other = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        one = frame(0, minutes(0, 5))
        here.hear(table(), data(one))
        await here.until(lambda: here.lost > 0)
        assert here.answers == []
        other.execute("ROLLBACK")
        other.close()

        async def again() -> None:
            while one.id not in here.acked():
                here.hear(table(), data(one))
                await asyncio.sleep(0.02)

        await asyncio.wait_for(again(), 10)


@pytest.mark.parametrize("step", ["sort", "commit"])
async def test_a_message_that_the_collector_cannot_bear_is_set_aside_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    bad = frame(1, minutes(5, 10))
    own_step: Callable[..., Sequence[Answer] | Sorted] = getattr(Intake, step)

    def failing(self: Intake, heard: Iterator[Message] | Sorted, *rest: str) -> Sequence[Answer] | Sorted:
        if isinstance(heard, Sorted):
            found = [each.message for each in heard.arrivals]
            sent = [frame.payload for each in found if isinstance(each, Data) for frame in each.frames]
            poisoned = bad.payload in sent
        else:
            messages = list(heard)
            poisoned, heard = data(bad) in messages, iter(messages)
        if poisoned:
            raise TypeError("nobody thought of this")
        return own_step(self, heard, *rest)

    monkeypatch.setattr(Intake, step, failing)
    async with room(tmp_path) as here:
        good, later = frame(0, minutes(0, 5)), frame(2, minutes(10, 15))
        here.hear(table(), data(good), data(bad), data(later))
        await here.until(lambda: bool(here.ledger.quarantined()))
        await here.until(lambda: {good.id, later.id} <= here.acked())
        (aside,) = here.ledger.quarantined()
        assert aside.raw == data(bad)[1]
        assert aside.reason == "the collector failed on it: TypeError: nobody thought of this"
        assert bad.id not in here.acked()


async def test_our_own_words_are_passed_over(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        here.hear(("seiren/v1/collectors/hq/status", b"anything"))
        one = frame(0, minutes(0, 5))
        here.hear(table(), data(one))
        await here.until(lambda: one.id in here.acked())
        assert here.ledger.quarantined() == ()


async def test_what_waits_at_the_end_is_still_committed(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        here.hear(table(), *(data(frame(i, minutes(i, 1))) for i in range(50)))
    ledger = Ledger.open(tmp_path)
    assert [count.stored for count in ledger.counts()] == [50]
    ledger.close()


async def test_deflated_messages_are_committed_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many small messages may hold more than should be in memory, or in one transaction."""
    async with room(tmp_path) as here:
        sorted_sizes: list[int] = []
        sort = Intake.sort

        def observed(self: Intake, waiting: Iterator[Message]) -> Sorted:
            heard = sort(self, waiting, 20_000)
            frames = (each.message.frames for each in heard.arrivals if isinstance(each.message, Data))
            sorted_sizes.append(sum(len(sent.payload) for some in frames for sent in some))
            return heard

        monkeypatch.setattr(Intake, "sort", observed)
        sent = [frame(i, minutes(300 * i, 300)) for i in range(12)]
        here.hear(table(), *map(data, sent))
        await here.until(lambda: {each.id for each in sent} <= here.acked())
        assert sum(sorted_sizes) == sum(len(each.payload) for each in sent)
        assert max(sorted_sizes) <= 20_000 + max(len(each.payload) for each in sent)


async def test_an_inbox_is_bounded_and_cuts_batches() -> None:
    inbox = Inbox(max_waiting_bytes=100, max_batch_bytes=50, linger_s=0)
    assert [inbox.put(str(i), b"x" * 30) for i in range(4)] == [True, True, True, False]
    assert [topic for topic, _ in await inbox.take()] == ["0"]
    assert inbox.put("4", b"x" * 60) is False
    assert inbox.put("5", b"x" * 40)
    assert [topic for topic, _ in await inbox.take()] == ["1"]
    inbox.close()
    assert inbox.put("6", b"") is False
    assert [topic for topic, _ in await inbox.take()] == ["2"]
    assert [topic for topic, _ in await inbox.take()] == ["5"]
    assert await inbox.take() == []


async def test_a_message_larger_than_a_batch_goes_alone() -> None:
    inbox = Inbox(max_waiting_bytes=100, max_batch_bytes=10, linger_s=0)
    inbox.put("big", b"x" * 40)
    inbox.put("small", b"x")
    assert [topic for topic, _ in await inbox.take()] == ["big"]
