"""Only reading can be written down, and a reply is what was asked for or nothing."""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable

import pytest

from agent.modbus.framing import Answer, Framing, Mbap, Rtu, crc16
from agent.modbus.wire import IdentifyRequest, ReadRequest, Request, encode
from tests.unit.agent.modbus.fakes import checked

READ_FUNCTIONS = (1, 2, 3, 4)


def test_only_reading_functions_can_be_encoded() -> None:
    written = set()
    for function in range(-1, 300):
        try:
            written.add(encode(ReadRequest(1, function, 0, 1))[1])
        except ValueError:
            continue
    assert written == set(READ_FUNCTIONS)
    assert encode(IdentifyRequest(1)) == bytes.fromhex("01 2b 0e 01 00")


@pytest.mark.parametrize(
    ("request_", "wire"),
    [  # Modbus Application Protocol 1.1b3: the examples of 6.1 to 6.4 and 6.21
        (ReadRequest(1, 1, 0x13, 0x13), "01 01 0013 0013"),
        (ReadRequest(1, 2, 0xC4, 0x16), "01 02 00c4 0016"),
        (ReadRequest(1, 3, 0x6B, 3), "01 03 006b 0003"),
        (ReadRequest(1, 4, 8, 1), "01 04 0008 0001"),
        (ReadRequest(255, 3, 65_411, 125), "ff 03 ff83 007d"),
        (ReadRequest(247, 1, 0, 2000), "f7 01 0000 07d0"),
        (IdentifyRequest(9, code=2, object_id=0x80), "09 2b 0e 02 80"),
    ],
)
def test_requests_as_the_standard_writes_them(request_: Request, wire: str) -> None:
    assert encode(request_) == bytes.fromhex(wire)
    assert Mbap.frame(encode(request_), 0x1234) == struct.pack(
        ">HHH", 0x1234, 0, len(bytes.fromhex(wire))
    ) + bytes.fromhex(wire)
    assert Rtu.frame(encode(request_), 0x1234) == checked(bytes.fromhex(wire))


def replied(framing: Framing, pdu: bytes, unit: int = 1, number: int = 7) -> bytes:
    """Return a reply as a frame, not made by the agent's encoder."""
    if framing is Rtu:
        return checked(bytes((unit,)) + pdu)
    return struct.pack(">HHHB", number, 0, 1 + len(pdu), unit) + pdu


IDENTITY = bytes.fromhex("2b 0e 01 01 00 00 03") + b"\x00\x03ACM\x01\x02E5\x02\x04V1.0"
ANSWERS: list[tuple[Request, bytes, Answer]] = [
    (ReadRequest(1, 1, 0x13, 0x13), bytes.fromhex("01 03 cd6b05"), Answer(b"\xcd\x6b\x05", 0, 0)),
    (ReadRequest(1, 2, 0xC4, 0x16), bytes.fromhex("02 03 acdb35"), Answer(b"\xac\xdb\x35", 0, 0)),
    (ReadRequest(1, 3, 0x6B, 3), bytes.fromhex("03 06 022b00000064"), Answer(b"\x02\x2b\0\0\0\x64", 0, 0)),
    (ReadRequest(1, 4, 8, 1), bytes.fromhex("04 02 000a"), Answer(b"\0\x0a", 0, 0)),
    (ReadRequest(1, 3, 0, 1), bytes.fromhex("83 02"), Answer(b"", 2, 0)),
    (ReadRequest(1, 4, 0, 125), bytes.fromhex("84 0b"), Answer(b"", 11, 0)),
    (IdentifyRequest(1), IDENTITY, Answer(IDENTITY[2:], 0, 0)),
    (IdentifyRequest(1), bytes.fromhex("ab 01"), Answer(b"", 1, 0)),
    (
        IdentifyRequest(1),
        bytes.fromhex("2b 0e 01 01 00 00 00"),
        Answer(bytes.fromhex("01 01 00 00 00"), 0, 0),
    ),
]


@pytest.mark.parametrize("framing", [Mbap, Rtu])
@pytest.mark.parametrize(("request_", "pdu", "answer"), ANSWERS)
def test_a_reply_is_one_when_its_last_byte_is_there(
    framing: Framing, request_: Request, pdu: bytes, answer: Answer
) -> None:
    frame = replied(framing, pdu)
    for cut in range(len(frame)):
        assert framing.judge(frame[:cut], request_, 7) is None, cut
    assert framing.judge(frame, request_, 7) == answer._replace(end=len(frame))


ASKED = ReadRequest(1, 3, 0x0100, 2)
WRONG: list[tuple[Request, bytes, str]] = [
    (ASKED, bytes.fromhex("04 04 00010002"), "function 4 answered to function 3"),
    (ASKED, bytes.fromhex("84 02"), "function 132 answered to function 3"),
    (ASKED, bytes.fromhex("10 0100 0002"), "function 16 answered to function 3"),
    (ASKED, bytes.fromhex("03 02 0001"), "1 registers instead of 2"),
    (ASKED, bytes.fromhex("03 06 000100020003"), "3 registers instead of 2"),
    (ReadRequest(1, 1, 0, 9), bytes.fromhex("01 01 ff"), "1 bytes of bits instead of 2"),
    (IdentifyRequest(1), bytes.fromhex("2b 0d 01 01 00 00 00"), "MEI type 13 instead of 14"),
    (IdentifyRequest(1), bytes.fromhex("2b 0e 02 01 00 00 00"), "identification of kind 2 instead of 1"),
]


@pytest.mark.parametrize("framing", [Mbap, Rtu])
@pytest.mark.parametrize(("request_", "pdu", "why"), WRONG)
def test_what_cannot_become_the_reply_is_told(
    framing: Framing, request_: Request, pdu: bytes, why: str
) -> None:
    assert framing.judge(replied(framing, pdu), request_, 7) == why


@pytest.mark.parametrize("framing", [Mbap, Rtu])
@pytest.mark.parametrize("unit", [0, 2, 255])
def test_another_unit_is_told_at_once_also_unit_0(framing: Framing, unit: int) -> None:
    frame = replied(framing, bytes.fromhex("03 04 00010002"), unit)
    assert framing.judge(frame, ASKED, 7) == f"unit {unit} answered for unit 1"


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        ("0007 0000 0004 01 83 02 00", "exception reply of length 4"),
        ("0007 0000 0007 01 03 05 00010002", "byte count 5 instead of 4"),
        ("0000 0000 0007 01 03 04 00010002", "transaction id 0 instead of 7"),
        ("0007 0001 0007 01 03 04 00010002", "protocol id 1 instead of 0"),
        ("0007 0000 0002 01 03 04 00010002", "impossible length 2"),
        ("0007 0000 00ff 01 03 04 00010002", "impossible length 255"),
    ],
)
def test_headers_that_lie(frame: str, why: str) -> None:
    assert Mbap.judge(bytes.fromhex(frame), ASKED, 7) == why


@pytest.mark.parametrize("pdu", [IDENTITY + b"\0", IDENTITY[:-1], IDENTITY[:6] + b"\xff" + IDENTITY[7:]])
def test_an_identification_whose_objects_do_not_fill_it(pdu: bytes) -> None:
    assert "identification of" in str(Mbap.judge(replied(Mbap, pdu), IdentifyRequest(1), 7))


def test_other_transactions_are_passed_over_but_not_without_end() -> None:
    other, mine = replied(Mbap, ANSWERS[3][1], number=6), replied(Mbap, ANSWERS[3][1])
    judged = Mbap.judge(other * 3 + mine + b"\0", ANSWERS[3][0], 7)
    assert judged == Answer(b"\0\x0a", 0, 3 * len(other) + len(mine))
    assert Mbap.judge(other * 1400, ANSWERS[3][0], 7) is None
    assert "nothing but replies to other requests" in str(Mbap.judge(other * 1500, ANSWERS[3][0], 7))


def test_a_serial_frame_with_a_byte_too_many_is_none() -> None:
    frame = replied(Rtu, ANSWERS[3][1])
    assert Rtu.judge(frame + b"\0", ANSWERS[3][0], 7) == "1 bytes more than the reply has"


def test_a_serial_adapter_that_echoes_is_named() -> None:
    sent = Rtu.frame(encode(ASKED), 7)
    for cut in range(len(sent)):
        assert Rtu.judge(sent[:cut], ASKED, 7) is None, cut
    assert Rtu.judge(sent, ASKED, 7) == "the request itself came back"


def test_the_checksum_of_the_standard() -> None:
    assert crc16(bytes.fromhex("02 07")) == 0x1241  # MODBUS over Serial Line V1.02, 6.2.2: sent as 41 12
    assert crc16(bytes.fromhex("02 07 41 12")) == 0
    rng = random.Random(1)
    for _ in range(200):
        data = rng.randbytes(rng.randrange(256))
        assert data + crc16(data).to_bytes(2, "little") == checked(data)


# --- 200,000 replies that are none ---

Spoil = Callable[[random.Random, Framing, ReadRequest], bytes]


def good_pdu(rng: random.Random, request: ReadRequest) -> bytes:
    size = 2 * request.count if request.function > 2 else (request.count + 7) // 8
    return bytes((request.function, size)) + rng.randbytes(size)


def any_request(rng: random.Random) -> ReadRequest:
    function = rng.choice(READ_FUNCTIONS)
    count = rng.choice((1, 2, 4, 10, 60, rng.randint(1, 125)))
    return ReadRequest(rng.randint(1, 247), function, rng.randrange(0x10000 - 125), count)


def flipped(rng: random.Random, framing: Framing, request: ReadRequest) -> bytes:
    """One to three bits flipped: over TCP in the header, for there is no checksum; on a line anywhere."""
    frame = bytearray(replied(framing, good_pdu(rng, request), request.unit))
    for bit in rng.sample(range(8 * (9 if framing is Mbap else len(frame))), rng.randint(1, 3)):
        frame[bit // 8] ^= 1 << bit % 8
    return bytes(frame)


def truncated(rng: random.Random, framing: Framing, request: ReadRequest) -> bytes:
    frame = replied(framing, good_pdu(rng, request), request.unit)
    return frame[: rng.randrange(len(frame))]


def foreign(rng: random.Random, framing: Framing, request: ReadRequest) -> bytes:
    """A faultless reply of another unit, or to another function or length."""
    unit, function, count = request.unit, request.function, request.count
    what = rng.randrange(3)
    if what == 0:
        unit = rng.choice([u for u in range(256) if u != unit])
    elif what == 1:
        function = rng.choice([f for f in (1, 2, 3, 4, 5, 6, 15, 16, 23) if f != function])
    else:
        count += rng.choice((-16, -8, 8, 16)) if function < 3 else rng.choice((-2, -1, 1, 2))
    size = (2 * count if request.function > 2 else (count + 7) // 8) % 256
    return replied(framing, bytes((function, size)) + rng.randbytes(size), unit)


def late(rng: random.Random, framing: Framing, request: ReadRequest) -> bytes:
    """The reply to an earlier request: over TCP by its number, on a line by its length."""
    if framing is Mbap:
        numbers = rng.choice((0, 6, 8, rng.randrange(8, 0x10000)))
        return replied(framing, good_pdu(rng, request), request.unit, numbers)
    away = rng.choice((8, 16))
    count = request.count + away if request.count + away <= 125 else request.count - away
    other = ReadRequest(request.unit, request.function, 0, count)
    return replied(framing, good_pdu(rng, other), request.unit)


def garbage(rng: random.Random, framing: Framing, request: ReadRequest) -> bytes:
    """Noise, which on a line may begin like the reply."""
    start = replied(framing, good_pdu(rng, request), request.unit)[: rng.randrange(3)]
    return start + rng.randbytes(rng.randrange(300))


def doubled(rng: random.Random, framing: Framing, request: ReadRequest) -> bytes:
    """On a line: twice the reply, for nothing tells which is old; over TCP the first is the reply."""
    frame = replied(framing, good_pdu(rng, request), request.unit)
    return frame + frame if framing is Rtu else frame[:6] + frame


KINDS: tuple[Spoil, ...] = (flipped, truncated, foreign, late, garbage, doubled)


def values_from(framing: Framing, seed: int, replies: int, spoils: tuple[Spoil, ...] = KINDS) -> Counter[str]:
    """Feed replies in random pieces, and count those that became a value or a refusal, by kind."""
    rng = random.Random(seed)
    values: Counter[str] = Counter()
    for _ in range(replies):
        request, spoil = any_request(rng), rng.choice(spoils)
        frame = spoil(rng, framing, request)
        if isinstance(came_to := judged_in_pieces(rng, framing, request, frame), Answer) and came_to.data:
            values[spoil.__name__] += 1
    return values


def judged_in_pieces(
    rng: random.Random, framing: Framing, request: ReadRequest, frame: bytes
) -> Answer | str | None:
    verdict: Answer | str | None = None
    for end in sorted({rng.randrange(len(frame) + 1), len(frame)}):
        if (verdict := framing.judge(frame[:end], request, 7)) is not None:
            break
    return verdict


@pytest.mark.parametrize("framing", [Mbap, Rtu])
@pytest.mark.parametrize(
    ("seed", "replies"), [(20240201, 10_000), pytest.param(20240202, 200_000, marks=pytest.mark.slow)]
)
def test_garbled_late_truncated_and_foreign_replies_yield_no_value(
    framing: Framing, seed: int, replies: int
) -> None:
    # A doubled reply that comes in two pieces on a line is a reply, and a stray that is drained.
    kinds = tuple(kind for kind in KINDS if kind is not doubled)
    assert values_from(framing, seed, replies, kinds) == {}
    rng = random.Random(seed)
    for _ in range(replies // 100):
        request = any_request(rng)
        assert not isinstance(framing.judge(doubled(rng, framing, request), request, 7), Answer)


@pytest.mark.parametrize("framing", [Mbap, Rtu])
def test_faultless_replies_do(framing: Framing) -> None:
    def faultless(rng: random.Random, framing: Framing, request: ReadRequest) -> bytes:
        return replied(framing, good_pdu(rng, request), request.unit)

    assert values_from(framing, 1, 500, (faultless,))["faultless"] == 500  # the negative control


@pytest.mark.parametrize("framing", [Mbap, Rtu])
def test_no_bytes_at_all_make_the_judgement_fail(framing: Framing) -> None:
    rng = random.Random(3)
    for _ in range(5_000):
        request: Request = any_request(rng) if rng.random() < 0.5 else IdentifyRequest(rng.randint(1, 9))
        frame = replied(framing, bytes((request.function,)) + rng.randbytes(rng.randrange(40)), request.unit)
        verdict = framing.judge(frame[: rng.randrange(len(frame) + 1)], request, 7)
        assert verdict is None or isinstance(verdict, (str, Answer))
