"""Captured traffic of real masters: each reply is read, or refused with a reason, and none crashes."""

from __future__ import annotations

import csv
import random
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from agent.modbus.decode import BlockDecoder
from agent.modbus.framing import Answer, Mbap
from agent.modbus.plan import Block, RegisterPoint
from agent.modbus.wire import ReadRequest, encode
from config.profile import Place, ValueType

FILE = Path(__file__).parents[3] / "data" / "modbus" / "fc3_fc4_request_response.csv"


class Pair(NamedTuple):
    """A frame that a master sent, and what came back in the next segment."""

    frame: bytes
    reply: bytes

    @property
    def function(self) -> int:
        """Function of the request."""
        return self.frame[7]

    @property
    def number(self) -> int:
        """Transaction id of the request."""
        return int.from_bytes(self.frame[:2], "big")

    @property
    def request(self) -> ReadRequest:
        """The request, of functions 1 to 4."""
        unit, function, address, count = struct.unpack(">BBHH", self.frame[6:])
        return ReadRequest(unit, function, address, count)


def captured() -> Iterator[Pair]:
    with FILE.open(encoding="ascii", newline="") as lines:
        for row in csv.DictReader(lines):
            sent, reply = (bytes.fromhex(row[f"{side}_tcp_payload_hex"]) for side in ("request", "response"))
            while sent:
                end = 6 + int.from_bytes(sent[4:6], "big")
                yield Pair(sent[:end], reply)
                sent = sent[end:]


PAIRS = tuple(captured())
READS = tuple(pair for pair in PAIRS if pair.function in (1, 2, 3, 4))


@cache
def every_register(request: ReadRequest) -> BlockDecoder:
    """A decoder that takes each register, or each bit, for a value."""
    kind = ValueType.BIT if request.function < 3 else ValueType.UINT16
    addresses = range(request.address, request.address + request.count)
    points = [RegisterPoint(f"{at:05}", (Place(at, kind, 1),), function=request.function) for at in addresses]
    return BlockDecoder(Block.of(points))


def frames(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Transaction id and function with data of each frame, read in another way than ours."""
    while len(payload) >= 8:
        number, _, length = struct.unpack(">HHH", payload[:6])
        yield number, payload[7 : 6 + length]
        payload = payload[6 + length :]


@cache
def fate(pair: Pair) -> str:
    """What becomes of a reply; what was decoded is compared with the bytes of its frame."""
    verdict = Mbap.judge(pair.reply, pair.request, pair.number)
    if verdict is None:
        assert pair.number not in dict(frames(pair.reply))
        return "its reply is not in this segment"
    if isinstance(verdict, str):
        return verdict
    assert verdict.exception == 0
    values = every_register(pair.request).values(verdict.data)
    body = next(body for number, body in frames(pair.reply) if number == pair.number)
    assert body[0] == pair.function
    if pair.function > 2:
        assert values == list(struct.unpack(f">{pair.request.count}H", body[2:]))
    else:
        assert values == [body[2 + at // 8] >> at % 8 & 1 for at in range(pair.request.count)]
    return "decoded"


@cache
def answered() -> tuple[Pair, ...]:
    return tuple(pair for pair in READS if fate(pair) == "decoded")


def test_every_captured_reply_is_decoded_or_refused_with_a_reason() -> None:
    assert Counter(fate(pair) for pair in READS) == {
        "decoded": 2746,
        "its reply is not in this segment": 386,
        "transaction id 0 instead of 0": 132,  # we never send this one, so it can be nobody's answer
    }


def test_the_replies_of_a_master_that_does_not_number_its_requests_are_sound_but_for_that() -> None:
    unnumbered = [pair for pair in READS if pair.number == 0]
    numbered = [Pair(b"\0\1" + pair.frame[2:], b"\0\1" + pair.reply[2:]) for pair in unnumbered]
    assert Counter(fate(pair) for pair in numbered) == {"decoded": 132}


def test_captured_requests_to_write_are_none_that_can_be_sent() -> None:
    writes = [pair for pair in PAIRS if pair.function not in (1, 2, 3, 4)]
    assert Counter(pair.function for pair in writes) == {15: 26, 16: 2}
    for pair in writes:
        with pytest.raises(ValueError, match="not a request that may be sent"):
            encode(ReadRequest(pair.frame[6], pair.function, 0, 1))
    for pair in READS:  # and those to read are written byte for byte as the master wrote them
        assert Mbap.frame(encode(pair.request), pair.number) == pair.frame


def test_no_captured_reply_answers_another_request() -> None:
    for pair in answered():
        request = pair.request
        others = [
            replace(request, unit=request.unit % 255 + 1),
            replace(request, function=request.function ^ 7),
            replace(request, count=request.count + 16),
        ]
        for other in others:
            assert isinstance(Mbap.judge(pair.reply, other, pair.number), str)
        numbers = dict(frames(pair.reply))
        unused = next(number for number in range(1, 0x10000) if number not in numbers)
        assert Mbap.judge(pair.reply, request, unused) is None


def test_a_captured_reply_that_is_cut_off_or_changed_in_its_head_is_never_decoded() -> None:
    dice = random.Random(20_261_124)
    for pair in dice.sample(answered(), 400):
        first = next(iter(frames(pair.reply)))
        if first[0] != pair.number:
            continue
        whole = 7 + len(first[1])
        cut = pair.reply[: dice.randrange(whole)]
        assert not isinstance(Mbap.judge(cut, pair.request, pair.number), Answer)
        changed = bytearray(pair.reply)
        at = dice.randrange(9)
        changed[at] ^= dice.randrange(1, 256)
        verdict = Mbap.judge(bytes(changed), pair.request, pair.number)
        assert not isinstance(verdict, Answer) or verdict.exception
