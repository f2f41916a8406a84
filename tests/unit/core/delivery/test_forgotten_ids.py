"""Frames whose ids the ledger has forgotten: blocks stand for them, and nothing counts twice."""

from __future__ import annotations

from core.delivery.frames import Frame
from core.delivery.holdings import HeldBlock
from core.delivery.messages import Data, Range
from tests.unit.core.delivery.desk import (
    EPOCH,
    LANE,
    STREAM,
    TABLE,
    Desk,
    acks,
    block,
    ended,
    frame,
    inventory,
    wants,
)
from tests.unit.core.delivery.machine import AGENT, POINTS

FRAMES = [frame(at, n=2) for at in range(8)]


def pruned() -> Desk:
    desk = Desk()
    desk.hear(TABLE, Data.of(FRAMES), inventory(epochs=(ended(EPOCH, 8, 16),)))
    desk.ledger.prune(STREAM, 0, 4)
    return desk


def test_a_listed_block_of_equal_digest_is_held() -> None:
    decision = pruned().hear(inventory(blocks=(block(FRAMES[:4]), block(FRAMES[4:]))))
    assert [held for ack in acks(decision) for held in ack.held] == [block(FRAMES[:4]), block(FRAMES[4:])]
    assert not wants(decision)


def test_a_block_among_others_is_answered_apart() -> None:
    decision = pruned().hear(inventory(blocks=(block(FRAMES),)))
    assert acks(decision)[0].held == (block(FRAMES[:4]), block(FRAMES[4:]))


def test_a_part_of_a_block_is_wanted_and_acknowledged_by_id() -> None:
    desk = pruned()
    decision = desk.hear(inventory(blocks=(block(FRAMES[1:3]),)))
    assert wants(decision) == [Range(EPOCH, 1, 2)]
    again = desk.hear(Data.of(FRAMES[1:3]))
    assert acks(again)[0].held == (block(FRAMES[1:3]),)
    assert not again.frames and not again.events
    assert [kept.frame for kept in again.merged] == FRAMES[1:3], "merged, which changes nothing"
    (count,) = desk.ledger.counts()
    assert (count.taken, count.stored, count.extra, count.complete) == (16, 16, 0, True)


def test_another_frame_inside_a_block_gives_its_readings_and_counts_no_second_time() -> None:
    desk = pruned()
    twin = frame(2, n=2, time_ms=50_000)
    desk.hear(Data.of([twin]))
    assert len(desk.ledger.readings()) == 18
    (count,) = desk.ledger.counts()
    assert (count.stored, count.extra) == (16, 0)


def test_a_frame_inside_a_block_that_cannot_be_read_is_another_and_is_kept() -> None:
    desk = pruned()
    poison = Frame(AGENT, LANE, EPOCH, 2, 5, POINTS.digest, "[[")
    decision = desk.hear(Data.of([poison]))
    assert acks(decision)[0].ids == (poison.id,)
    assert [kept.frame for kept in decision.frames] == [poison]
    assert desk.kinds_of_events() == ["same_place"]
    (count,) = desk.ledger.counts()
    assert (count.stored, count.extra, count.complete) == (16, 5, True)


def test_a_block_is_of_consecutive_frames() -> None:
    (only,) = pruned().ledger.pruned[STREAM]
    assert only == HeldBlock(0, 4, 8, only.state, block(FRAMES[:4]).digest)
    assert only.end == 4
