"""A ledger at its desk: one agent's messages, and what is decided and answered."""

from __future__ import annotations

from collections.abc import Iterable

from core.delivery.frames import Frame, Lane, Stream, block_digest
from core.delivery.holdings import Decision
from core.delivery.messages import Ack, Block, Data, Ended, Gone, Head, Inventory, Range, Table, Want
from core.delivery.payload import TakenReading, encode_payload
from core.delivery.receiver import Arrival, decide
from tests.unit.core.delivery.ledgers import MemoryLedger
from tests.unit.core.delivery.machine import AGENT, POINTS
from tests.unit.core.delivery.world import SITE

LIFE, EPOCH, OLDER, OTHER = "1" * 32, "e" * 32, "d" * 32, "c" * 32
LANE = Lane.REGISTERS
STREAM = Stream(AGENT, LANE, EPOCH)
TABLE = Table(digest=POINTS.digest, points=POINTS.rows)


def frame(at: int, *, n: int = 1, epoch: str = EPOCH, time_ms: int = 1000) -> Frame:
    readings = [TakenReading(POINTS.rows[0].point, time_ms + at * 10 + i, 5) for i in range(n)]
    return Frame(AGENT, LANE, epoch, at, n, POINTS.digest, encode_payload(readings, POINTS))


def block(frames: Iterable[Frame]) -> Block:
    frames = tuple(frames)
    ids = bytes.fromhex("".join(one.id for one in frames))
    return Block(
        frames[0].epoch, frames[0].index, len(frames), sum(one.n for one in frames), block_digest(ids)
    )


def inventory(
    *,
    epochs: tuple[Ended, ...] = (),
    blocks: tuple[Block, ...] = (),
    gone: tuple[Gone, ...] = (),
    process: str = EPOCH,
    sequence: int = 1,
    number: str = "0" * 16,
    part: int = 0,
    parts: int = 1,
) -> Inventory:
    return Inventory(
        number=number,
        process=process,
        sequence=sequence,
        part=part,
        parts=parts,
        epochs=epochs,
        blocks=blocks,
        gone=gone,
    )


def ended(epoch: str, frames: int, readings: int, prev: tuple[str | None, int, int] = (None, 0, 0)) -> Ended:
    return Ended(epoch, frames, readings, *prev, True)


class Desk:
    """A ledger, and one agent's messages to it."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger()

    def hear(self, *said: Data | Table | Inventory | Head, agent: str = AGENT, site: str = SITE) -> Decision:
        arrivals = [
            Arrival(site, agent, None if isinstance(message, Head) else LANE, message) for message in said
        ]
        decision = decide(arrivals, self.ledger, LIFE)
        self.ledger.commit(decision)
        return decision

    def kinds_of_events(self) -> list[str]:
        return [event.kind for event in self.ledger.events]


def acks(decision: Decision) -> list[Ack]:
    return [answer.message for answer in decision.answers if isinstance(answer.message, Ack)]


def wants(decision: Decision) -> list[Range]:
    return [
        one
        for answer in decision.answers
        if isinstance(answer.message, Want)
        for one in answer.message.ranges
    ]
