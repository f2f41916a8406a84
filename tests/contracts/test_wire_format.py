"""docs/wire-format.md is what the program writes and reads, byte for byte, and each rule is tested."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from core.delivery.frames import Lane, block_digest
from core.delivery.messages import (
    MAX_MESSAGE_BYTES,
    Ack,
    Data,
    Data1,
    Inventory,
    Message,
    Table,
    decode,
    encode,
    plain,
)
from core.delivery.nesting import MAX_DEPTH
from core.delivery.payload import TakenReading, anchor_of, decode_payload
from core.errors import WireError

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/wire-format.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^```json\n(.*?)^```$", PAGE, re.M | re.S)
(HEX,) = re.findall(r"^```hex\n(.*?)^```$", PAGE, re.M | re.S)
NEWEST = [text for text in SHOWN if text not in PAGE.partition("### Version 1")[2]]
OLD = [text for text in SHOWN if text not in NEWEST]
RULES = re.findall(r"^\| ([A-Z]\d)? +\| .* \| (`test_.*`) \|$", PAGE, re.M)


def compact(text: str) -> str:
    return json.dumps(json.loads(text), separators=(",", ":"))


def shown(kind: type[Message], texts: list[str] = NEWEST) -> Any:
    (message,) = (decoded for decoded in map(decode, map(str.encode, texts)) if type(decoded) is kind)
    return message


@pytest.mark.parametrize("text", NEWEST)
def test_a_shown_message_is_written_as_shown(text: str) -> None:
    assert plain(encode(decode(text.encode()))).decode() == compact(text)


def test_every_kind_is_shown_at_the_version_that_is_written() -> None:
    assert {(one["kind"], one["v"]) for one in map(json.loads, NEWEST)} == {
        (kind.model_fields["kind"].default, kind.model_fields["v"].default)
        for kind in Message.__subclasses__()
        if kind is not Data1
    }


@pytest.mark.parametrize("text", SHOWN)
def test_another_version_or_key_is_refused(text: str) -> None:
    for change in ({"v": 0}, {"v": 3}, {"v": "1"}, {"v": True}, {"more": 0}):
        with pytest.raises(WireError):
            decode(json.dumps(json.loads(text) | change).encode())


def test_digests_are_those_that_are_shown() -> None:
    frames = shown(Data).whole("aoba-1", Lane.REGISTERS)
    assert all(frame.id in PAGE for frame in frames)
    assert shown(Ack).ids == (frames[0].id,)
    ids = bytes.fromhex("".join(frame.id for frame in frames))
    assert shown(Inventory).blocks[0].digest == block_digest(ids)
    readings, events = decode_payload(frames[0], shown(Table).table)
    assert [reading.count for reading in readings] == [61_205_023, 118_402, 61_205_031, None]
    assert events == ()


def test_a_time_without_wall_clock_is_the_one_that_the_anchor_gives() -> None:
    frame = shown(Data).whole("aoba-1", Lane.REGISTERS)[1]
    table = shown(Table).table
    anchor = anchor_of(json.loads(frame.payload)[1])
    assert anchor is not None
    readings, _ = decode_payload(frame, table, dict([anchor]))
    assert readings == (TakenReading(table.rows[0].point, 1_706_713_320_000, 61_205_040),)


def test_the_deflated_message_is_the_one_that_is_shown() -> None:
    data = bytes.fromhex(HEX)
    assert decode(data) == shown(Data)
    assert f"as {len(data)} bytes instead of {len(plain(data))}" in PAGE


def test_version_1_is_read_as_what_it_says() -> None:
    old, new = shown(Data, OLD), shown(Data)
    assert old.whole("aoba-1", Lane.REGISTERS)[0] == new.whole("aoba-1", Lane.REGISTERS)[0]
    inventory = shown(Inventory, OLD)
    assert (inventory.v, inventory.part, inventory.parts) == (1, 0, 1)
    assert inventory.blocks[0].digest == block_digest(bytes.fromhex(shown(Ack).ids[0]))


def test_the_bounds_are_those_that_are_shown() -> None:
    assert f"At most {MAX_MESSAGE_BYTES:,} bytes, nested at most {MAX_DEPTH} deep" in PAGE


def test_each_rule_names_tests_that_there_are() -> None:
    numbers = [number for number, _ in RULES if number]
    assert numbers == [f"N{i}" for i in range(1, 6)] + [f"P{i}" for i in range(1, 5)] + [
        f"S{i}" for i in range(1, 6)
    ] + [f"R{i}" for i in range(1, 9)]
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))
    }
    named = {name for _, tests in RULES for name in re.findall(r"`(test_\w+)`", tests)}
    assert named - there == set()
