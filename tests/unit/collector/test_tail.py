"""`seiren tail`: every kind of message in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.tail import _Tables, describe
from config.hq import load_hq
from core.delivery.frames import Frame, Lane
from core.delivery.messages import Ack, Head, Inventory, LaneHead, Life, Message, Status, Want, encode
from tests.unit.collector.material import (
    AGENT,
    EPOCH,
    LIFE,
    POINT,
    T0,
    TABLE,
    data,
    folder_with,
    frame,
    head,
    table,
    taken,
)

LISTED = Inventory(number="0" * 16, process=EPOCH, sequence=1, epochs=(), blocks=(), gone=())
TOPIC = f"seiren/v1/aoba/{AGENT}"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            Inventory(number="0" * 16, process=EPOCH, sequence=1, epochs=(), blocks=(), gone=()),
            "0 frames on disk",
        ),
        (Ack(life=LIFE, lane=Lane.SAMPLES, ids=("a" * 32,), need=("b" * 32,)), "ack of 1 frames, samples"),
        (Want(life=LIFE, lane=Lane.SAMPLES, inventory="0" * 16, ranges=()), "wants 0 frames"),
        (Life(ledger="hq", ledger_id="f" * 32, life=LIFE, time_ms=1, alive=True), "ledger hq is alive"),
        (
            Head(lanes={Lane.REGISTERS: LaneHead(EPOCH, 3, 9, 20)}),
            "registers 3 frames of eeeeeeee",
        ),
        (Status(process=EPOCH, state="online"), "online"),
    ],
)
def test_each_kind(message: Message, words: str) -> None:
    (line,) = describe(f"{TOPIC}/head", encode(message), lambda _: None)
    assert line.startswith("aoba/aoba-1/head  ")
    assert words in line


def test_readings() -> None:
    one = frame(0, [taken(T0, 123), taken(T0 + 1, None, quality=2), taken(T0 + 2, 5, quality=1)])
    topic, payload = data(one)
    assert list(describe(topic, payload, lambda _: TABLE)) == [
        f"aoba/aoba-1/registers  frame eeeeeeee/0, 3 readings, id {one.id[:8]}"
    ]
    assert list(describe(topic, payload, lambda _: TABLE, readings=True))[1:] == [
        f"    2024-01-31T15:00:00+00:00  {POINT}  123 x 10 Wh",
        f"    2024-01-31T15:00:00.001+00:00  {POINT}  no reading  bad",
        f"    2024-01-31T15:00:00.002+00:00  {POINT}  5 x 10 Wh  uncertain",
    ]
    (_, unknown) = describe(topic, payload, lambda _: None, readings=True)
    assert "not known here" in unknown


def test_tables_and_garbage() -> None:
    topic, payload = table()
    assert "2 points" in next(describe(topic, payload, lambda _: None))
    assert "NOT OF THE PROTOCOL" in next(describe(topic, b"hello", lambda _: None))
    assert "NOT OF THE PROTOCOL" in next(describe("seiren/v1/x", head(1, 1)[1], lambda _: None))


def test_a_deflated_message_is_as_readable() -> None:
    many = [frame(at, [taken(T0 + at, 123)]) for at in range(50)]
    topic, payload = data(*many)
    assert payload.startswith(b"\x01"), "fifty frames are shorter deflated"
    assert len(list(describe(topic, payload, lambda _: TABLE))) == 50
    bomb = b"\x01" + payload[1:40]
    (line,) = describe(topic, bomb, lambda _: None)
    assert "NOT OF THE PROTOCOL" in line and line.isascii()


def test_a_part_of_an_inventory_says_which() -> None:
    part = LISTED.model_copy(update={"part": 1, "parts": 3})
    (line,) = describe(f"{TOPIC}/registers", encode(part), lambda _: None)
    assert "part 2 of 3" in line


def test_readings_without_a_time_are_said_to_have_none() -> None:
    payload = f'[["{"b" * 16}",1000,[[0,123]]]]'
    one = Frame(AGENT, Lane.REGISTERS, EPOCH, 0, 1, TABLE.digest, payload)
    lines = list(describe(*data(one), lambda _: TABLE, readings=True))
    assert lines[1] == f"    time unknown: no anchor has come for {'b' * 16}"


def test_a_table_that_passes_is_known_from_then_on(tmp_path: Path) -> None:
    tables = _Tables(tmp_path, load_hq(folder_with(tmp_path)))
    for payload in (b"hello", head(1, 1)[1]):
        tables.learn(payload)
    assert tables.get(TABLE.digest) is None
    tables.learn(table()[1])
    assert tables.get(TABLE.digest) == TABLE
