"""Messages are strict: what is not exactly of the protocol is refused, and size is looked at first."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.delivery import topics
from core.delivery.deflate import MARKER, deflated
from core.delivery.frames import Frame, Lane
from core.delivery.messages import (
    MAX_MESSAGE_BYTES,
    Ack,
    Block,
    Data,
    Inventory,
    Life,
    Table,
    decode,
    encode,
    plain,
)
from core.delivery.topics import Topic, TopicKind
from core.errors import WireError
from tests.unit.core.delivery.machine import POINTS

HEX, OTHER = "a" * 32, "b" * 32
VERSION_1 = '{"v":1,"kind":"data","epoch":"HEX","table":"HEX","frames":[[5,2,"[]"]]}'
INVENTORY = (
    '{"v":2,"kind":"inventory","number":"0123456789abcdef","process":"HEX","sequence":1,'
    '"epochs":[],"blocks":[],"gone":[]'
)
FRAMES = tuple(Frame("aoba-1", Lane.SAMPLES, HEX, i, 1, POINTS.digest, f"[[{i},[[0,1]]]]") for i in range(3))


def test_frames_arrive_as_they_were_sent() -> None:
    message = decode(encode(Data.of(FRAMES)))
    assert isinstance(message, Data)
    assert message.whole("aoba-1", Lane.SAMPLES) == FRAMES


def test_an_ack_comes_back_as_it_was() -> None:
    ack = Ack(
        life=HEX, lane=Lane.SAMPLES, ids=(HEX,), held=(Block(HEX, 0, 2, 2, HEX),), refused=((HEX, "why"),)
    )
    assert decode(encode(ack)) == ack


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '{"v":1}',
        '{"v":1,"kind":"gossip"}',
        '{"v":2,"kind":"want","life":"HEX","lane":"samples","inventory":"0123456789abcdef","ranges":[]}',
        '{"v":1,"kind":"want","life":"HEX","lane":"live","inventory":"0123456789abcdef","ranges":[]}',
        '{"v":1,"kind":"data","epoch":"HEX","table":"HEX","frames":[]}',
        '{"v":1,"kind":"data","epoch":"HEX","table":"HEX","frames":[["0",1,"[]"]]}',
        '{"v":1,"kind":"data","epoch":"HEX","table":"HEX","frames":[[0,0,"[]"]]}',
        '{"v":1,"kind":"data","epoch":"HEX","table":"HEX","frames":[[0,1]]}',
        '{"v":1,"kind":"data","epoch":"HEX","table":"HEX","frames":[[0,1,"[]"]],"more":1}',
        '{"v":1,"kind":"life","ledger":"a/b","ledger_id":"HEX","life":"HEX","time_ms":1,"alive":true}',
        '{"v":1,"kind":"life","ledger":"hq","ledger_id":"HEX","life":"HEX","time_ms":1,"alive":1}',
        '{"v":1,"kind":"table","digest":"HEX","points":[]}',
        VERSION_1.replace("1", "0", 1),
        VERSION_1.replace("1", "2", 1),
        VERSION_1.replace("1", "true", 1),
        '{"v":3,"kind":"data","epoch":"HEX","tables":["HEX"],"frames":[[0,1,"[]",0]]}',
        '{"v":1,"kind":"data","epoch":"HEX","tables":["HEX"],"frames":[[0,1,"[]",0]]}',
        '{"v":2,"kind":"data","epoch":"HEX","tables":[],"frames":[[0,1,"[]",0]]}',
        '{"v":2,"kind":"data","epoch":"HEX","tables":["HEX"],"frames":[[0,1,"[]",1]]}',
        '{"v":2,"kind":"data","epoch":"HEX","tables":["HEX"],"frames":[[0,1,"[]"]]}',
        f'{INVENTORY},"part":1,"parts":1}}',
        f'{INVENTORY},"part":0,"parts":0}}',
        f'{INVENTORY},"part":0,"parts":10001}}',
        f'{INVENTORY},"part":0,"parts":1}}'.replace('"v":2', '"v":1'),
        "[" * 10_000,
    ],
)
def test_what_is_not_of_the_protocol_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        decode(text.replace("HEX", HEX).encode())


def test_a_table_under_another_digest_is_refused() -> None:
    with pytest.raises(WireError, match="protocol"):
        decode(encode(Table.model_construct(digest=HEX, points=POINTS.rows)))


def test_size_is_bounded_before_anything_is_parsed() -> None:
    good = encode(Life(ledger="hq", ledger_id=HEX, life=HEX, time_ms=1, alive=True))
    decode(good + b" " * (MAX_MESSAGE_BYTES - len(good)))
    with pytest.raises(WireError, match="bytes"):
        decode(good + b" " * (MAX_MESSAGE_BYTES + 1 - len(good)))


def test_a_part_of_an_inventory_comes_back_as_it_was() -> None:
    part = decode(f'{INVENTORY},"part":1,"parts":2}}'.replace("HEX", HEX).encode())
    assert isinstance(part, Inventory)
    assert (part.part, part.parts) == (1, 2)
    assert decode(encode(part)) == part


def test_what_is_long_travels_deflated_and_what_is_short_as_it_is() -> None:
    frames = [Frame("aoba-1", Lane.SAMPLES, HEX, i, 1, HEX, f"[[{i},[[0,1]]]]") for i in range(100)]
    data = encode(Data.of(frames))
    assert data.startswith(MARKER)
    assert len(data) * 3 < len(plain(data))
    assert not encode(Life(ledger="hq", ledger_id=HEX, life=HEX, time_ms=1, alive=True)).startswith(MARKER)


def test_a_message_of_version_1_is_never_deflated() -> None:
    text = VERSION_1.replace("HEX", HEX).encode()
    data = decode(text)
    assert isinstance(data, Data)
    assert data.whole("aoba-1", Lane.SAMPLES) == (Frame("aoba-1", Lane.SAMPLES, HEX, 5, 2, HEX, "[]"),)
    for each in (text, f"{INVENTORY}}}".replace("HEX", HEX).replace('"v":2', '"v":1').encode()):
        decode(each)
        with pytest.raises(WireError):
            decode(MARKER + zlib.compress(each, wbits=-15))


def test_frames_of_several_tables_travel_together() -> None:
    frames = [
        Frame("aoba-1", Lane.SAMPLES, HEX, i, 1, table, "[]") for i, table in enumerate((HEX, OTHER, HEX))
    ]
    message = Data.of(frames)
    assert message.tables == (HEX, OTHER)
    again = decode(encode(message))
    assert isinstance(again, Data)
    assert list(again.whole("aoba-1", Lane.SAMPLES)) == frames


@pytest.mark.parametrize(
    "data",
    [
        MARKER,
        MARKER + b"nonsense",
        encode(Data.of(FRAMES * 9))[:-1],
        encode(Data.of(FRAMES * 9)) + b"x",
        MARKER + zlib.compress(encode(Data.of(FRAMES * 9)), wbits=-15),
    ],
    ids=["nothing", "nonsense", "cut", "more", "twice"],
)
def test_what_is_deflated_wrongly_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        decode(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for each in (data, MARKER + data, deflated(data)):
        with pytest.raises(WireError):
            decode(each)


def test_a_bomb_is_refused_before_it_has_grown() -> None:
    bomb = MARKER + zlib.compress(b"[" * 200_000_000, wbits=-15)
    assert len(bomb) < MAX_MESSAGE_BYTES
    tracemalloc.start()
    with pytest.raises(WireError, match="inflated"):
        decode(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * MAX_MESSAGE_BYTES


def test_the_bound_holds_for_what_comes_deflated_too() -> None:
    noise = random.Random(1).randbytes(MAX_MESSAGE_BYTES)
    with pytest.raises(WireError, match="bytes"):
        decode(MARKER + zlib.compress(noise, wbits=-15))


def test_topics_are_taken_apart_as_they_were_made() -> None:
    assert topics.parse(topics.data("aoba", "a-1", Lane.SAMPLES)) == Topic(
        TopicKind.LANE, "aoba", "a-1", Lane.SAMPLES
    )
    assert topics.parse(topics.head("aoba", "a-1")) == Topic(TopicKind.HEAD, "aoba", "a-1")
    assert topics.parse(topics.status("aoba", "a-1")) == Topic(TopicKind.STATUS, "aoba", "a-1")
    assert topics.parse(topics.ack("aoba", "a-1", "hq")) == Topic(TopicKind.ACK, "aoba", "a-1", ledger="hq")
    assert topics.parse(topics.collector_status("hq")) == Topic(TopicKind.COLLECTOR_STATUS, ledger="hq")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "seiren/v2/aoba/a-1/head",
        "seiren/v1/aoba/a-1/live/x",
        "seiren/v1/aoba/a-1/gossip",
        "seiren/v1/collectors/hq/head",
        "seiren/v1/ao ba/a-1/head",
        "seiren/v1/aoba/a-1\n/head",
        "seiren/v1/aoba//head",
    ],
)
def test_other_topics_are_refused(topic: str) -> None:
    with pytest.raises(WireError):
        topics.parse(topic)


def test_names_that_would_break_a_topic_are_refused() -> None:
    for site, agent in (("a/b", "c"), ("a", "#"), ("collectors", "a"), ("", "a")):
        with pytest.raises(WireError):
            topics.head(site, agent)
