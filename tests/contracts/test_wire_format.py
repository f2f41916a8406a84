"""docs/wire-format.md is what the program writes and reads, byte for byte."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from core.delivery.frames import Lane, block_digest
from core.delivery.messages import MAX_MESSAGE_BYTES, Ack, Data, Inventory, Message, Table, decode, encode
from core.delivery.payload import decode_payload
from core.errors import WireError

PAGE = (Path(__file__).parents[2] / "docs/wire-format.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^```json\n(.*?)^```$", PAGE, re.M | re.S)


def shown(kind: type[Message]) -> Any:
    (message,) = (decoded for decoded in map(decode, map(str.encode, SHOWN)) if type(decoded) is kind)
    return message


@pytest.mark.parametrize("text", SHOWN)
def test_a_shown_message_is_written_as_shown(text: str) -> None:
    compact = json.dumps(json.loads(text), separators=(",", ":"))
    assert encode(decode(text.encode())).decode() == compact


def test_every_kind_is_shown() -> None:
    assert {json.loads(text)["kind"] for text in SHOWN} == {
        kind.model_fields["kind"].default for kind in Message.__subclasses__()
    }


@pytest.mark.parametrize("text", SHOWN)
def test_another_version_or_key_is_refused(text: str) -> None:
    for change in ({"v": 2}, {"v": "1"}, {"more": 0}):
        with pytest.raises(WireError):
            decode(json.dumps(json.loads(text) | change).encode())


def test_digests_are_those_that_are_shown() -> None:
    (frame,) = shown(Data).whole("aoba-1", Lane.REGISTERS)
    assert frame.id in PAGE
    assert shown(Ack).ids == (frame.id,)
    assert shown(Inventory).blocks[0].digest == block_digest(bytes.fromhex(frame.id))
    readings, events = decode_payload(frame, shown(Table).table)
    assert [reading.count for reading in readings] == [61_205_023, 118_402, 61_205_031, None]
    assert events == ()


def test_the_bound_is_the_one_that_is_shown() -> None:
    assert f"at most {MAX_MESSAGE_BYTES:,} bytes" in PAGE
