"""Inventories in parts, the newest inventory, and what it judges."""

from __future__ import annotations

from itertools import permutations

import pytest

from core.delivery.count import Count
from core.delivery.messages import Block, Data, Ended, Gone, Head, Inventory, LaneHead
from tests.unit.core.delivery.desk import (
    EPOCH,
    LANE,
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
from tests.unit.core.delivery.machine import AGENT

FRAMES = [frame(at) for at in range(6)]


def parts(sequence: int = 1) -> list[Inventory]:
    return [
        inventory(part=0, parts=3, number="1" * 16, sequence=sequence, epochs=(ended(OLDER, 0, 0),)),
        inventory(
            part=1,
            parts=3,
            number="2" * 16,
            sequence=sequence,
            epochs=(ended(EPOCH, 6, 6, (OLDER, 0, 0)),),
            blocks=(block(FRAMES[:3]),),
        ),
        inventory(part=2, parts=3, number="3" * 16, sequence=sequence, blocks=(block(FRAMES[4:]),)),
    ]


def listed(desk: Desk) -> tuple[Block, ...]:
    lane = desk.ledger.lane(AGENT, LANE)
    return lane.listed if lane is not None else ()


def counts(desk: Desk) -> dict[str, Count]:
    return {count.epoch: count for count in desk.ledger.counts()}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_parts_are_answered_one_by_one_and_listed_when_all_have_come(order: tuple[int, ...]) -> None:
    desk = Desk()
    for number, part in enumerate(order):
        assert not listed(desk)
        decision = desk.hear(parts()[part])
        assert acks(decision)[0].inventory == parts()[part].number
        assert [(want.first, want.frames) for want in wants(decision)] == {0: [], 1: [(0, 3)], 2: [(4, 2)]}[
            part
        ]
        if number < 2:
            desk.hear(parts()[part])  # twice: that makes no third
    assert sorted(listed(desk)) == [block(FRAMES[:3]), block(FRAMES[4:])]
    assert not desk.ledger.events, "the epoch before it stood in another part"
    count = counts(desk)[EPOCH]
    assert (count.waiting, count.owed) == (5, 1), "frame 3 is listed nowhere"


def test_an_inventory_without_all_its_parts_judges_nothing() -> None:
    desk = Desk()
    desk.hear(parts()[0], parts()[1])
    assert counts(desk)[EPOCH].owed == 0
    desk.hear(*parts(2)[:2])
    desk.hear(parts(1)[2])
    assert not listed(desk), "parts of two inventories are not one"
    desk.hear(parts(2)[2])
    assert listed(desk)


def test_an_older_run_that_is_heard_late_takes_no_parts_away() -> None:
    desk = Desk()
    desk.hear(parts()[1])
    desk.hear(inventory(epochs=(ended(OLDER, 0, 0),), process=OLDER))
    desk.hear(parts()[0], parts()[2])
    lane = desk.ledger.lane(AGENT, LANE)
    assert lane is not None
    assert (lane.process, lane.arriving) == (EPOCH, None)


def test_losses_in_any_part_are_recorded_at_once() -> None:
    desk = Desk()
    gone = Gone(EPOCH, 0, 2, 7, "damaged", None, 1, 2)
    desk.hear(inventory(part=1, parts=2, gone=(gone,)))
    assert [entry for _, entry in desk.ledger.gone_rows] == [gone]


def test_a_new_spool_on_known_ground_is_seen_when_all_parts_have_come() -> None:
    desk = Desk()
    desk.hear(TABLE, Data.of([frame(0, epoch=OLDER)]))
    desk.hear(inventory(part=0, parts=2, epochs=(ended(EPOCH, 0, 0),)))
    assert not desk.kinds_of_events(), "the rest may still list the old epoch"
    desk.hear(inventory(part=1, parts=2))
    assert desk.kinds_of_events() == ["spool_replaced"]


def test_what_a_newer_inventory_leaves_out_is_owed_and_what_is_newer_waits() -> None:
    desk = Desk()
    desk.hear(TABLE, Data.of([frame(0, epoch=OLDER)]), Head(lanes={LANE: LaneHead(OLDER, 3, 3, 3)}))
    assert (counts(desk)[OLDER].waiting, counts(desk)[OLDER].owed) == (2, 0), "as far as heard"
    desk.hear(inventory(epochs=(ended(EPOCH, 0, 0),)))  # the spool was wiped
    assert (counts(desk)[OLDER].waiting, counts(desk)[OLDER].owed) == (0, 2)
    desk.hear(Head(lanes={LANE: LaneHead(EPOCH, 4, 4, 4)}))
    assert (counts(desk)[EPOCH].waiting, counts(desk)[EPOCH].owed) == (4, 0)


def test_an_older_disk_owes_what_it_no_longer_has() -> None:
    desk = Desk()
    desk.hear(Head(lanes={LANE: LaneHead(OLDER, 5, 5, 5)}))
    old = ended(OLDER, 2, 2)
    listing = (block([frame(0, epoch=OLDER), frame(1, epoch=OLDER)]),)
    desk.hear(inventory(epochs=(old, ended(EPOCH, 0, 0, (OLDER, 2, 2))), blocks=listing))
    assert desk.kinds_of_events() == ["older_disk"]
    assert (counts(desk)[OLDER].waiting, counts(desk)[OLDER].owed) == (2, 3)


def test_a_late_inventory_leaves_no_doubt_about_a_spool() -> None:
    desk = Desk()
    table: tuple[Ended, ...] = (ended(OLDER, 1, 1), ended(EPOCH, 1, 1, (OLDER, 1, 1)))
    desk.hear(inventory(epochs=table[:1], process=OLDER))
    desk.hear(inventory(epochs=(*table, ended(OTHER, 0, 0, (EPOCH, 1, 1))), process=OTHER))
    desk.hear(inventory(epochs=table, process=EPOCH, sequence=3))
    assert not desk.kinds_of_events()
    lane = desk.ledger.lane(AGENT, LANE)
    assert lane is not None and lane.process == OTHER
