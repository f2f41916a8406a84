"""The ledger's decisions, rule by rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.delivery import answers
from core.delivery.frames import Frame
from core.delivery.holdings import Decision, FrameState
from core.delivery.messages import Data, Gone, Head, LaneHead, Range
from tests.unit.core.delivery.desk import (
    EPOCH,
    LANE,
    LIFE,
    OLDER,
    OTHER,
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


def test_frames_are_kept_decoded_and_acknowledged_by_digest_or_id() -> None:
    desk = Desk()
    decision = desk.hear(Data.of([frame(0), frame(1), frame(5)]), TABLE)
    assert [kept.state for kept in decision.frames] == [FrameState.HELD] * 3
    assert len(desk.ledger.readings()) == 3
    (ack,) = acks(decision)
    assert ack.held == (block([frame(0), frame(1)]),)
    assert ack.ids == (frame(5).id,)
    assert ack.life == LIFE
    assert not ack.need


def test_a_frame_that_is_held_is_only_acknowledged_again() -> None:
    desk = Desk()
    desk.hear(TABLE, Data.of([frame(0)]))
    decision = desk.hear(Data.of([frame(0)]), Data.of([frame(0)]))
    assert replace(decision, answers=()) == Decision()
    assert acks(decision)[0].ids == (frame(0).id,)


def test_any_frame_of_any_epoch_is_taken_at_any_time() -> None:
    desk = Desk()
    desk.hear(TABLE, Data.of([frame(7)]), Data.of([frame(3, epoch=OTHER)]), Data.of([frame(2)]))
    assert len(desk.ledger.kept) == 3


def test_a_frame_without_its_table_is_kept_asked_for_and_decoded_later() -> None:
    desk = Desk()
    first = desk.hear(Data.of([frame(0)]))
    assert [kept.state for kept in first.frames] == [FrameState.UNDECODED]
    (ack,) = acks(first)
    assert (ack.ids, ack.need) == ((frame(0).id,), (POINTS.digest,))
    assert acks(desk.hear(inventory()))[0].need == (POINTS.digest,), "asked again, if the answer was lost"
    later = desk.hear(TABLE)
    assert [kept.state for kept in later.decoded] == [FrameState.HELD]
    assert len(desk.ledger.readings()) == 1
    assert not acks(desk.hear(inventory()))[0].need


def test_an_unreadable_payload_is_quarantined_with_its_reason_and_acknowledged() -> None:
    desk = Desk()
    poison = Frame(AGENT, LANE, EPOCH, 0, 3, POINTS.digest, "[[")
    decision = desk.hear(TABLE, Data.of([poison, frame(1)]))
    assert [(kept.state, kept.reason.split(":")[0]) for kept in decision.frames] == [
        (FrameState.QUARANTINED, "payload is not JSON"),
        (FrameState.HELD, ""),
    ]
    assert acks(decision)[0].held == (block([poison, frame(1)]),)


def test_two_frames_at_one_place_are_both_kept_and_named() -> None:
    desk = Desk()
    twin = frame(0, time_ms=7)
    desk.hear(TABLE, Data.of([frame(0)]))
    decision = desk.hear(Data.of([twin]))
    assert acks(decision)[0].ids == (twin.id,)
    assert desk.ledger.kept.keys() == {frame(0).id, twin.id}
    assert desk.kinds_of_events() == ["same_place"]


def test_an_inventory_is_answered_with_what_is_held_and_what_is_wanted() -> None:
    desk = Desk()
    desk.hear(TABLE, Data.of([frame(1), frame(2)]))
    mine = [frame(i) for i in range(4)]
    decision = desk.hear(inventory(blocks=(block(mine),), epochs=(ended(EPOCH, 4, 4),)))
    assert acks(decision)[0].held == (block(mine[1:3]),)
    assert acks(decision)[0].inventory == "0" * 16
    assert wants(decision) == [Range(EPOCH, 0, 1), Range(EPOCH, 3, 1)]


def test_what_came_in_the_same_batch_counts_as_held() -> None:
    decision = Desk().hear(TABLE, inventory(blocks=(block([frame(0)]),)), Data.of([frame(0)]))
    assert block([frame(0)]) in [held for ack in acks(decision) for held in ack.held]
    assert not wants(decision)


def test_another_copy_of_a_frame_is_not_taken_for_this_one() -> None:
    desk = Desk()
    desk.hear(TABLE, Data.of([frame(0, time_ms=7)]))
    decision = desk.hear(inventory(blocks=(block([frame(0)]),)))
    assert block([frame(0)]) not in [held for ack in acks(decision) for held in ack.held]


def test_a_late_inventory_changes_nothing_of_what_waits() -> None:
    desk = Desk()
    now = (ended(OLDER, 0, 0), ended(EPOCH, 2, 2, (OLDER, 0, 0)))
    desk.hear(inventory(epochs=now, blocks=(block([frame(1)]),), sequence=2))
    before = desk.ledger.lane(AGENT, LANE)
    desk.hear(inventory(epochs=now, blocks=(block([frame(0), frame(1)]),), sequence=1))
    desk.hear(inventory(epochs=now[:1], process=OLDER, sequence=9))
    assert desk.ledger.lane(AGENT, LANE) == before
    desk.hear(inventory(epochs=(*now, ended(OTHER, 0, 0, (EPOCH, 2, 2))), process=OTHER, sequence=1))
    after = desk.ledger.lane(AGENT, LANE)
    assert after is not None
    assert after.process == OTHER


def test_losses_are_recorded_once() -> None:
    desk = Desk()
    gone = Gone(EPOCH, 0, 2, 7, "damaged", None, 1, 2)
    for sequence in (1, 2):
        desk.hear(inventory(gone=(gone,), epochs=(ended(EPOCH, 2, 7),), sequence=sequence))
    (count,) = desk.ledger.counts()
    assert (count.taken, count.lost, count.complete) == (7, {"damaged": 7}, True)


def test_the_head_only_rises() -> None:
    desk = Desk()
    desk.hear(Head(lanes={LANE: LaneHead(EPOCH, 5, 50, 80)}))
    desk.hear(Head(lanes={LANE: LaneHead(EPOCH, 3, 30, 60)}))
    (row,) = desk.ledger.epochs(AGENT, LANE)
    lane = desk.ledger.lane(AGENT, LANE)
    assert lane is not None
    assert (row.frames, row.readings, lane.total_readings) == (5, 50, 80)


def test_an_older_disk_is_seen() -> None:
    desk = Desk()
    desk.hear(TABLE, Data.of([frame(i, epoch=OLDER) for i in range(3)]))
    desk.hear(inventory(epochs=(ended(OLDER, 2, 2), ended(EPOCH, 0, 0, (OLDER, 2, 2)))))
    assert "older_disk" in desk.kinds_of_events()


def test_a_replaced_spool_is_seen() -> None:
    desk = Desk()
    desk.hear(TABLE, Data.of([frame(0, epoch=OLDER)]))
    desk.hear(inventory(epochs=(ended(EPOCH, 0, 0),)))
    assert desk.kinds_of_events() == ["spool_replaced"]


def test_a_clone_is_seen() -> None:
    desk = Desk()
    past = ended(OLDER, 1, 1)
    desk.hear(inventory(epochs=(past, ended(EPOCH, 0, 0, (OLDER, 1, 1)))))
    desk.hear(inventory(epochs=(past, ended(OTHER, 0, 0, (OLDER, 1, 1))), process=OTHER))
    assert desk.kinds_of_events() == ["clone"]


def test_a_restart_in_order_is_no_event() -> None:
    desk = Desk()
    desk.hear(inventory(epochs=(ended(OLDER, 0, 0),), process=OLDER))
    desk.hear(TABLE, Data.of([frame(0, epoch=OLDER)]))
    desk.hear(Head(lanes={LANE: LaneHead(OLDER, 1, 1, 1)}))
    desk.hear(inventory(epochs=(ended(OLDER, 1, 1), ended(EPOCH, 0, 0, (OLDER, 1, 1)))))
    assert desk.kinds_of_events() == []


def test_an_epoch_belongs_to_the_agent_it_first_came_from() -> None:
    desk = Desk()
    desk.hear(TABLE, Data.of([frame(0)]))
    decision = desk.hear(Data.of([frame(1)]), agent="thief")
    assert not decision.frames
    assert [reason for _, reason in acks(decision)[0].refused] == ["epoch of another agent"]
    desk.hear(inventory(epochs=(ended(EPOCH, 9, 9),)), agent="thief")
    desk.hear(Head(lanes={LANE: LaneHead(EPOCH, 9, 9, 9)}), agent="thief")
    assert [row.frames for row in desk.ledger.epoch_rows.values()] == [1]
    assert set(desk.kinds_of_events()) == {"foreign_epoch"}


def test_two_frames_of_one_place_in_one_message_are_both_acknowledged() -> None:
    desk = Desk()
    twin = frame(1, time_ms=7)
    (ack,) = acks(desk.hear(TABLE, Data.of([frame(0), frame(1), twin, frame(2)])))
    assert ack.held == (block([frame(0), frame(1), frame(2)]),)
    assert ack.ids == (twin.id,)
    assert [event.evidence for event in desk.ledger.events] == [
        f"two frames of index 1: {frame(1).id} {twin.id}"
    ]


def test_many_twins_in_a_message_are_one_event() -> None:
    desk = Desk()
    desk.hear(TABLE, Data.of([frame(at) for at in range(9)]))
    desk.hear(Data.of([frame(at, time_ms=7) for at in range(9)]))
    (event,) = desk.ledger.events
    assert event.evidence.endswith(", and 8 more")


def test_an_impossible_number_of_readings_is_refused_and_the_rest_is_taken() -> None:
    desk = Desk()
    monsters = [Frame(AGENT, LANE, EPOCH, at, 2**53 - 1, POINTS.digest, "[]") for at in (1, 2)]
    decision = desk.hear(TABLE, Data.of([frame(0), *monsters]))
    (ack,) = acks(decision)
    assert ack.ids == (frame(0).id,)
    assert [frame_id for frame_id, _ in ack.refused] == [monster.id for monster in monsters]
    assert [kept.frame.index for kept in decision.frames] == [0]
    assert desk.kinds_of_events() == ["refused"]


def test_a_lost_range_is_wanted_where_another_copy_has_it_and_then_it_is_held() -> None:
    desk = Desk()
    lost = Gone(EPOCH, 0, 2, 2, "disk_full", None, None, None)
    desk.hear(TABLE, inventory(epochs=(ended(EPOCH, 2, 2),), gone=(lost,)))
    copy = inventory(epochs=(ended(EPOCH, 2, 2),), blocks=(block([frame(0), frame(1)]),), sequence=2)
    assert wants(desk.hear(copy)) == [Range(EPOCH, 0, 2)]
    desk.hear(Data.of([frame(0), frame(1)]))
    (count,) = desk.ledger.counts()
    assert (count.stored, count.lost, count.complete) == (2, {}, True)


def test_answers_carry_the_life_and_are_never_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "ENTRIES", 20)
    desk = Desk()
    desk.hear(TABLE, Data.of([frame(at) for at in range(0, 90, 2)]))
    listed = tuple(block([frame(at)]) for at in range(0, 90, 2))
    decision = desk.hear(inventory(blocks=listed, epochs=(ended(EPOCH, 90, 90),)))
    assert [len(ack.held) for ack in acks(decision)] == [20, 20, 5]
    assert {ack.inventory for ack in acks(decision)} == {"0" * 16}
    assert {answer.message.life for answer in decision.answers} == {LIFE}
