"""`seiren tail`: every kind of message in words."""

from __future__ import annotations

import pytest

from collector.tail import describe
from core.delivery.frames import Lane
from core.delivery.messages import Ack, Head, Inventory, LaneHead, Life, Message, Status, Want, encode
from tests.unit.collector.material import (
    AGENT,
    EPOCH,
    LIFE,
    POINT,
    T0,
    TABLE,
    data,
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
