"""What a ledger promises on its database: privacy, one collector, no lost update, backups, migrations."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from collector.door import Door
from collector.ingest import Ingest
from collector.ledger import AnotherCollector, Ledger, cells, delivery, projection
from collector.ledger.holdings import LedgerHoldings
from collector.service import serve
from collector.stores.sqlite import SqliteStore
from config.hq import load_hq
from core.delivery.frames import Frame, block_digest
from core.delivery.holdings import Answer, Decision
from core.delivery.messages import Ack, Block, Inventory, Want, encode
from core.delivery.receiver import decide
from core.delivery.tables import PointTable
from core.errors import OutsideError, Unreachable
from core.metering.cells import cells_of
from core.metering.readings import Reading
from tests.parts import POSTGRES, require
from tests.postgres import PostgresServer
from tests.unit.collector.material import (
    AGENT,
    EPOCH,
    LIFE,
    POINT,
    SITE,
    T0,
    commit,
    contents,
    data,
    folder_with,
    frame,
    intake,
    minutes,
    point_row,
    table,
)

Opener = Callable[[Path | str], Ledger]

DATA = Path(__file__).parents[1] / "data"
PAGE = Path(__file__).parents[2] / "docs/ledger.md"


@pytest.fixture
def address(postgres_ledgers: Callable[[], str]) -> str:
    """Of an empty ledger on PostgreSQL."""
    return postgres_ledgers()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """A place for a ledger on each kind of database."""
    return tmp_path if request.param == "sqlite" else request.getfixturevalue("address")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that is taken stays taken in these tests."""
    monkeypatch.setattr("collector.ledger.engines.CLAIM_WITHIN_S", 0.2)


@pytest.fixture
def opened() -> Iterator[Opener]:
    """A function that opens a ledger, as often as programs do, and closes it after the test."""
    with ExitStack() as stack:
        yield lambda place: stack.enter_context(closing(Ledger.open(place, create=True)))


def decided(ledger: Ledger, *batch: tuple[str, bytes]) -> Decision:
    """What a collector makes of messages, given what it sees now."""
    with ledger.reading() as connection:
        return decide(intake(ledger).sort(batch).arrivals, LedgerHoldings(connection), LIFE)


# ---------------------------------------------------------------------------------------------- privacy


def test_only_the_owner_may_read_a_ledger(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        ledger = Ledger.open(tmp_path, create=True)
        with ledger.lock_collector("hq"):
            commit(ledger, table(), data(frame(0, minutes(0, 5))))
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
        ledger.close()
    finally:
        os.umask(before)
    names = ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "collector.lock")
    assert modes == dict.fromkeys(names, 0o600)


def test_a_ledger_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    Ledger.open(tmp_path, create=True).close()
    file = tmp_path / "ledger.sqlite"
    file.chmod(0o664)
    Ledger.open(tmp_path).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_no_error_shows_the_password(address: str, free_port: Callable[[], int]) -> None:
    address = address.replace("seiren@", "seiren:sesame@")
    ledger = Ledger.open(address, create=True)
    assert "sesame" not in ledger.where
    assert "127.0.0.1" in ledger.where
    with pytest.raises(OutsideError) as refused, ledger.writing() as connection:
        connection.exec_driver_sql("nonsense")
    ledger.close()
    with pytest.raises(Unreachable) as away:
        Ledger.open(f"postgresql://seiren:sesame@127.0.0.1:{free_port()}/ledger")
    with pytest.raises(OutsideError) as no_url:
        Ledger.open("seiren:sesame@nowhere")
    with pytest.raises(OutsideError) as foreign:
        Ledger.open("mysql://seiren:sesame@127.0.0.1/ledger")
    for error in (refused.value, away.value, no_url.value, foreign.value):
        assert "sesame" not in error.render()


# ---------------------------------------------------------------------------------------- one collector


def test_a_second_collector_is_refused(place: Path | str, opened: Opener) -> None:
    one, other = opened(place), opened(place)
    with one.lock_collector("hq"):
        with (
            pytest.raises(AnotherCollector, match="another collector runs as hq"),
            other.lock_collector("hq"),
        ):
            pass
        commit(one, table(), data(frame(0, minutes(0, 5))))
        assert [count.stored for count in other.counts()] == [5]  # to look is no collector's privilege
    with other.lock_collector("hq"):
        pass


async def test_a_collector_whose_place_is_taken_ends(
    place: Path | str, opened: Opener, tmp_path: Path
) -> None:
    folder = folder_with(tmp_path)
    hq = load_hq(folder)
    if isinstance(place, str):
        hq = hq.model_copy(update={"ledger": hq.ledger.model_copy(update={"url": place})})
    with opened(place).lock_collector("hq"), pytest.raises(AnotherCollector) as ended:
        await serve(folder, hq)
    assert ended.value.exit_code == 3
    assert "PostgreSQL" in ended.value.render()


def test_sqlite_has_one_collector_and_postgresql_one_of_each_name(
    tmp_path: Path, address: str, opened: Opener
) -> None:
    one, other = opened(tmp_path), opened(tmp_path)
    with one.lock_collector("hq"), pytest.raises(AnotherCollector), other.lock_collector("hq-east"):
        pass
    one, other = opened(address), opened(address)
    with one.lock_collector("hq"), other.lock_collector("hq-east"):
        commit(other, table(), data(frame(0, minutes(0, 5))))


def test_a_place_that_was_taken_while_the_database_was_away_is_lost(
    postgres: PostgresServer, address: str, opened: Opener
) -> None:
    one, other = opened(address), opened(address)
    with one.lock_collector("hq"):
        commit(one, table())
        postgres.end_sessions(address)
        with other.lock_collector("hq"):
            with pytest.raises(Unreachable):
                commit(one, table())
            with pytest.raises(AnotherCollector):
                commit(one, table())
        commit(one, table())  # the other is gone: the place is taken again


def test_one_writes_for_an_agent_at_a_time(
    address: str, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.ledger.engines.BUSY_TIMEOUT_S", 0.05)
    one, other = opened(address), opened(address)
    with one.writing(("a", "b")):
        with other.writing(("c",)):
            pass
        with pytest.raises(Unreachable), other.writing(("c", "b")):
            pass
    with other.writing(("b",)):
        pass


# ------------------------------------------------------------------------------------- several collectors


def test_no_update_of_another_collector_is_lost(address: str, opened: Opener, tmp_path: Path) -> None:
    """Two agents bring readings of the same half-hours to two collectors at the same time."""
    batches = {
        agent: [
            (table(), data(frame(i, minutes(first + 8 * i, 3), agent=agent, epoch=agent * 32)))
            for i in range(8)
        ]
        for first, agent in enumerate("abcd")
    }
    seen: list[int] = []
    ledgers = {agent: opened(address) for agent in batches}
    working = threading.Event()
    working.set()

    def collect(agent: str) -> None:
        for batch in batches[agent]:
            while True:  # as an agent does, which hears no answer
                with suppress(Unreachable):
                    commit(ledgers[agent], *batch)
                    break

    def follow() -> None:
        reader, at, more = opened(address), 0, True
        while more:
            more = working.is_set()
            with reader.reading() as connection:
                before, (at, _) = at, projection.stretches_after(connection, at, 1)
            seen.append(at)
            more |= at != before

    threads = [threading.Thread(target=collect, args=agent) for agent in batches]
    follower = threading.Thread(target=follow)
    for thread in (*threads, follower):
        thread.start()
    for thread in threads:
        thread.join()
    working.clear()
    follower.join()
    plain = opened(tmp_path)
    for batch in (batch for each in batches.values() for batch in each):
        commit(plain, *batch)
    ledger = ledgers["a"]
    assert contents(ledger) == contents(plain)
    assert sorted(map(str, ledger.counts())) == sorted(map(str, plain.counts()))
    with ledger.reading() as connection:
        numbers = connection.exec_driver_sql("SELECT number FROM frames ORDER BY number").scalars().all()
    assert sorted(set(seen)) == [*numbers]  # whoever follows the numbers passes none


@contextmanager
def meanwhile(server: PostgresServer, address: str, work: Callable[[], None]) -> Iterator[None]:
    """Do something on another connection until it is done, or waits for what this one holds."""
    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive() and not server.waits(address):
        time.sleep(0.01)  # because only asking again tells how far another program is
    yield
    thread.join()


def test_cells_are_joined_one_after_the_other(postgres: PostgresServer, address: str, opened: Opener) -> None:
    one, other = opened(address), opened(address)
    commit(one, table(), data(frame(0, minutes(0, 1))))

    def join(ledger: Ledger, minute: int) -> None:
        with ledger.writing() as connection:
            cells.merge(connection, cells_of([Reading(POINT, T0 + minute * 60_000, minute)]))

    with ExitStack() as stack, one.writing() as connection:
        cells.merge(connection, cells_of([Reading(POINT, T0 + 60_000, 1)]))
        stack.enter_context(meanwhile(postgres, address, lambda: join(other, 2)))
    assert [row[0] - T0 for row in one.cells(POINT)[0].readings] == [0, 60_000, 120_000]


def test_frames_become_visible_in_the_order_of_their_numbers(
    postgres: PostgresServer, address: str, opened: Opener
) -> None:
    """Else a projection that has seen the second passes the first for ever."""
    one, other = opened(address), opened(address)
    commit(one, table())
    mine = decided(one, data(frame(0, minutes(0, 5))))
    others = data(frame(0, minutes(60, 5), agent="b", epoch="b" * 32))
    with ExitStack() as stack, one.writing((AGENT,)) as connection:
        delivery.write(connection, mine, T0)
        stack.enter_context(meanwhile(postgres, address, lambda: commit(other, others)))
        with other.reading() as look:
            assert projection.stretches_after(look, 0, 100) == (0, ())
    with other.reading() as look:
        assert projection.stretches_after(look, 0, 100)[0] == 2


@pytest.mark.parametrize("last", ["frame", "table"])
def test_a_frame_and_its_table_that_cross_are_sent_again(address: str, opened: Opener, last: str) -> None:
    """Two collectors, neither of which sees the other: else the frame would wait for its table for ever."""
    one, other = opened(address), opened(address)
    messages = {"frame": data(frame(0, minutes(0, 5))), "table": table()}
    first = "table" if last == "frame" else "frame"
    late = decided(one, messages[last])
    commit(other, messages[first])
    with pytest.raises(Unreachable, match="another collector"), one.writing() as connection:
        delivery.write(connection, late, T0)
    commit(one, messages[last])
    assert [len(cell.readings) for cell in one.cells(POINT)] == [5]


# ------------------------------------------------------------------------------------ a database that dies


class Agent:
    """Sends its frames until they are acknowledged in the present life."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.frames = {each.id: each for each in frames}
        self.life = 0
        self.held: set[str] = set()
        self.ever_held: set[str] = set()

    def hear(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            if isinstance(answer.message, Ack) and int(answer.message.life, 16) == self.life:
                self.held |= set(answer.message.ids)
        self.ever_held |= self.held

    def renew(self) -> None:
        self.life += 1
        self.held.clear()

    async def speak(self, say: Callable[[str, bytes], None]) -> None:
        while True:
            say(*table())
            for id, each in self.frames.items():
                if id not in self.held:
                    say(*data(each))
                    await asyncio.sleep(0.002)
            await asyncio.sleep(0.01)

    async def until_all_is_held(self) -> None:
        while len(self.held) < len(self.frames):  # noqa: ASYNC110  only the ledger's other side can tell
            await asyncio.sleep(0.01)


def ingest_for(agent: Agent, ledger: Ledger, folder: Path) -> Ingest:
    return Ingest(
        intake(ledger),
        SqliteStore(folder / "readings.sqlite"),
        life=lambda: f"{agent.life:032x}",
        publish=agent.hear,
        committed=lambda: None,
        ledger_lost=agent.renew,
        door=Door([SITE], lambda: T0),
        linger_s=0,
    )


async def test_postgresql_is_killed_and_started_again_while_readings_come(
    postgres: PostgresServer,
    address: str,
    opened: Opener,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("collector.trouble._FIRST_PAUSE_S", 0.01)
    frames = [frame(i, minutes(3 * i, 3)) for i in range(90)]
    agent, ledger = Agent(frames), opened(address)
    ingest = ingest_for(agent, ledger, tmp_path)
    running, speaking = asyncio.create_task(ingest.run()), asyncio.create_task(agent.speak(ingest.hear))
    async with asyncio.timeout(30):
        for kills in range(3):
            while len(agent.held) < 20 * kills:  # noqa: ASYNC110  only the ledger's other side can tell
                await asyncio.sleep(0.001)
            life = agent.life
            await asyncio.to_thread(postgres.kill)
            while agent.life == life:  # noqa: ASYNC110  only the ledger's other side can tell
                await asyncio.sleep(0.001)
            await asyncio.to_thread(postgres.start)
        await agent.until_all_is_held()
    speaking.cancel()
    ingest.close()
    await running
    assert agent.ever_held == agent.frames.keys()
    plain = opened(tmp_path)
    commit(plain, table(), *(data(each) for each in frames))
    assert contents(ledger) == contents(plain)
    assert ledger.counts() == plain.counts()


async def test_a_new_connection_is_a_new_life_also_where_nothing_failed_here(
    place: Path | str, opened: Opener, tmp_path: Path
) -> None:
    """Another part of the collector may have met the failure: behind the next connection all may be older."""
    agent, ledger = Agent([frame(0, minutes(0, 5)), frame(1, minutes(5, 5))]), opened(place)
    ingest = ingest_for(agent, ledger, tmp_path)
    running = asyncio.create_task(ingest.run())
    async with asyncio.timeout(10):
        speaking = asyncio.create_task(agent.speak(ingest.hear))
        await agent.until_all_is_held()
        assert agent.life == 0
        speaking.cancel()
        with pytest.raises(OutsideError), ledger.writing() as connection:
            connection.exec_driver_sql("nonsense")
        await ingest.look_at_ledger()
        assert (agent.life, agent.held) == (1, set())
        speaking = asyncio.create_task(agent.speak(ingest.hear))
        await agent.until_all_is_held()
        assert agent.life == 1
        speaking.cancel()
    ingest.close()
    await running


# ------------------------------------------------------------------------------------------------ backups


def refill(ledger: Ledger, frames: Sequence[Frame]) -> int:
    """Do what an agent does that still has its frames; return how many it was asked for."""
    ids = bytes.fromhex("".join(each.id for each in frames))
    block = Block(EPOCH, 0, len(frames), sum(each.n for each in frames), block_digest(ids))
    inventory = Inventory(number="0" * 16, process=EPOCH, sequence=1, epochs=(), blocks=(block,), gone=())
    way = intake(ledger)
    answers = way.commit(way.sort([(table()[0], encode(inventory))]), LIFE)
    wants = [each.message for each in answers if isinstance(each.message, Want)]
    asked = [
        at for want in wants for each in want.ranges for at in range(each.first, each.first + each.frames)
    ]
    commit(ledger, table(), *(data(frames[at]) for at in asked))
    return len(asked)


def test_a_restored_backup_is_refilled_by_the_agents(
    request: pytest.FixtureRequest, place: Path | str, opened: Opener, tmp_path: Path
) -> None:
    """By the commands of docs/ledger.md; the backup is made while the collector works."""
    folders = {name: tmp_path / name for name in ("FOLDER", "BACKUP", "ASIDE")}
    for folder in folders.values():
        folder.mkdir()
    words = {name: str(folder) for name, folder in folders.items()}
    if isinstance(place, str):
        server: PostgresServer = request.getfixturevalue("postgres")
        words |= {"DATABASE": place, "RESTORED": server.new_database()}
        programs: tuple[str, ...] = ("pg_dump", "pg_restore")
        restored = words["RESTORED"]
    else:
        place, programs, restored = folders["FOLDER"], ("sqlite3", "mv", "cp"), words["FOLDER"]
    backup, *restore = [command_of_page(program, words) for program in programs]

    frames = [frame(i, minutes(i, 1)) for i in range(20)]
    ledger = opened(place)
    commit(ledger, table(), *(data(each) for each in frames[:12]))
    subprocess.run(backup, shell=True, check=True)
    commit(ledger, *(data(each) for each in frames[12:]))
    whole = contents(ledger)
    ledger_id = ledger.id
    ledger.close()
    for command in restore:
        subprocess.run(command, shell=True, check=True)

    ledger = opened(Path(restored) if isinstance(place, Path) else restored)
    assert ledger.id == ledger_id
    assert [count.stored for count in ledger.counts()] == [12]
    assert refill(ledger, frames) == 8
    assert contents(ledger) == whole
    assert [count.stored for count in ledger.counts()] == [20]
    assert refill(ledger, frames) == 0


def command_of_page(program: str, words: dict[str, str]) -> str:
    """The page's command line that begins with a program, for these places."""
    line = re.search(rf"^ *({program} .*)$", PAGE.read_text(encoding="utf-8"), re.M)
    assert line, program
    command = line[1]
    for word, place in words.items():
        command = command.replace(word, place)
    if program.startswith("pg_"):
        command = f"{require(POSTGRES).resolve().parent}/{command}"
    return command


# ------------------------------------------------------------------------------------------ earlier forms


def test_a_ledger_of_the_first_release_is_migrated(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "ledger.sqlite")
    database.executescript((DATA / "ledger-0001.sql").read_text(encoding="utf-8"))
    database.close()
    ledger = Ledger.open(tmp_path)
    registers, samples = ledger.counts()
    assert (registers.taken, registers.stored, registers.quarantined) == (40, 22, 1)
    assert (registers.waiting, registers.owed, registers.extra) == (10, 0, 3)
    assert (samples.taken, samples.stored) == (1, 1)
    assert [row[1] for cell in ledger.cells(POINT) for row in cell.readings] == [
        1000 + 3 * minute for minute in range(20)
    ]
    assert [each.raw for each in ledger.quarantined()] == [b"hello"]
    assert len(ledger.fuels("2024-02")) == 1
    assert ledger.position("sqlite:readings.sqlite") == 3
    with ledger.reading() as connection:
        raw = connection.exec_driver_sql("SELECT raw FROM frames WHERE state = 'quarantined'").scalar()
    assert raw == '[["電力'.encode()
    kiln = "AOB-KLN-01.active_energy_import"
    assert ledger.cells(kiln) == ()
    commit(ledger, table(PointTable((point_row(kiln, scale="1"),))))
    assert [row[1] for cell in ledger.cells(kiln) for row in cell.readings] == [77]
    ledger.close()
