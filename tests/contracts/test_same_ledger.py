"""The same readings, in any order and however often, on either database: one ledger and one statement."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from collector.figures import statement_for
from collector.inbox import Message
from collector.ledger import Ledger, cells
from config.hq import HqConfig, load_hq
from core.carbon.statement import to_json
from core.delivery import topics
from core.delivery.frames import Frame, Lane
from core.delivery.messages import Table, encode
from core.delivery.payload import TakenReading
from core.metering.cells import content_hash
from tests.unit.collector.material import (
    HQ,
    MINUTE_MS,
    SITE,
    T0,
    TABLE,
    commit,
    data,
    folder_with,
    frame,
    table,
    taken,
)

KILN = "AOB-KLN-01.active_energy_import"
MONTH_MS = 29 * 86_400_000
ORDERS = 50

OTHER = "aoba-2"
TABLES: tuple[Message, ...] = (
    table(),
    (topics.data(SITE, OTHER, Lane.REGISTERS), encode(Table(digest=TABLE.digest, points=TABLE.rows))),
)

Place = Callable[[], Path | str]


def _intake() -> list[TakenReading]:
    """Readings of a register that dips, is reset and is silent."""
    rows = []
    for index in range(-6, 29 * 24 + 6, 6):
        time_ms = T0 + index * 60 * MINUTE_MS
        shown = 100_000 + 37 * index if index < 400 else 37 * (index - 400)
        for second, minute in enumerate((-1, 0, 1)):
            at = time_ms + minute * MINUTE_MS
            if 200 <= index < 230 and minute != 1:
                continue  # silent
            rows.append(taken(at, 0 if index == 102 and second else shown + second))
    rows.append(taken(T0 + 50 * 60 * MINUTE_MS, None, quality=2))
    rows.append(taken(T0 + 54 * 60 * MINUTE_MS, 103_000, quality=1))
    return rows


def _kiln() -> list[TakenReading]:
    return [taken(T0 + hour * 60 * MINUTE_MS, 50 * hour, point=KILN) for hour in range(0, 29 * 24 + 1, 8)]


def _frames() -> list[Frame]:
    """Frames of two lives of one agent and of another one, which has read some of the same instants."""
    intake, kiln = _intake(), _kiln()
    random.Random(6).shuffle(intake)  # late ones among them
    first = [frame(index, intake[index * 40 : index * 40 + 40]) for index in range(7)]
    second = [frame(index, kiln[index * 30 : index * 30 + 30], epoch="f" * 32) for index in range(3)]
    other = [
        TakenReading(row.point, row.time_ms, row.count + 1, row.quality)
        for row in intake[:40]
        if isinstance(row.count, int)
    ]
    third = [
        frame(index, rows, epoch="d" * 32, agent=OTHER) for index, rows in enumerate((intake[280:], other))
    ]
    return [*first, *second, *third]


def _batches(frames: list[Frame], dice: random.Random) -> Iterable[list[Message]]:
    """Yield them in some order, some of them twice, a few at a time."""
    queue = [*map(data, [*frames, *dice.choices(frames, k=6)]), *TABLES]
    dice.shuffle(queue)
    while queue:
        yield [queue.pop() for _ in range(min(len(queue), dice.randrange(1, 7)))]


def _outcome(place: Path | str, hq: HqConfig, batches: Iterable[list[Message]]) -> tuple[str, bytes]:
    """Return the hash of the ledger's contents and the statement's bytes."""
    with closing(Ledger.open(place)) as ledger:
        for batch in batches:
            commit(ledger, *batch)
        with ledger.reading() as connection:
            held = [cell for point in cells.points(connection) for cell in cells.read(connection, point)]
            packed = connection.exec_driver_sql("SELECT * FROM cells ORDER BY point, start_ms").fetchall()
        rows = hashlib.sha256(repr([tuple(row) for row in packed]).encode()).hexdigest()
        return content_hash(held) + rows, to_json(statement_for(ledger, hq, "2024-02"))


@pytest.fixture(scope="module")
def hq(tmp_path_factory: pytest.TempPathFactory) -> HqConfig:
    """The plan; full scale is on record, so that a reset has bounds."""
    text = HQ.replace('"10", side: primary', '"10", side: primary, full_scale_kw: "2"')
    assert text != HQ
    return load_hq(folder_with(tmp_path_factory.mktemp("plan"), text) / "hq.yaml")


@pytest.fixture(scope="module")
def in_order(hq: HqConfig, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    """What one frame after the other, each once, makes of a ledger on SQLite."""
    place = tmp_path_factory.mktemp("in_order")
    Ledger.open(place, create=True).close()
    return _outcome(place, hq, [*([each] for each in TABLES), *([data(each)] for each in _frames())])


@pytest.fixture(params=["sqlite", "postgresql"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A function that returns the place of an empty ledger on each kind of database."""
    if request.param == "postgresql":
        addresses: Place = request.getfixturevalue("postgres_ledgers")
        return addresses
    numbers = count()
    empty = tmp_path / "empty"
    empty.mkdir()
    Ledger.open(empty, create=True).close()
    return lambda: shutil.copytree(empty, tmp_path / str(next(numbers)))


FEW = 6


@pytest.mark.parametrize("orders", [range(FEW), pytest.param(range(FEW, ORDERS), marks=pytest.mark.slow)])
def test_batches_in_any_order_and_any_number_make_the_same_ledger_and_statement(
    places: Place, hq: HqConfig, in_order: tuple[str, bytes], orders: range
) -> None:
    frames = _frames()
    for order in orders:
        outcome = _outcome(places(), hq, _batches(frames, random.Random(order)))
        assert outcome == in_order, f"order {order}"


def test_the_contents_tell_one_reading_more(hq: HqConfig, in_order: tuple[str, bytes], places: Place) -> None:
    """A negative control: what compares ledgers sees a single reading."""
    one = frame(0, [taken(T0 + 77 * MINUTE_MS, 1)], epoch="c" * 32)
    contents, _ = _outcome(places(), hq, [*_batches(_frames(), random.Random(0)), [data(one)]])
    assert contents != in_order[0]


def test_the_statement_has_figures(in_order: tuple[str, bytes]) -> None:
    figures = json.loads(in_order[1])["figures"]
    assert figures["energy.AOB-KLN-01"]["wh"] == 50 * 29 * 24
    assert figures["energy.AOB-RCV-01"]["wh"] is not None
