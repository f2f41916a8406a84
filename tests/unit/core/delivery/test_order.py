"""Any order, any repetition and any cutting into batches of the same messages: the same ledger."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from core.delivery.frames import Frame
from core.delivery.messages import Data, Gone, Head, Inventory, LaneHead, Table
from tests.unit.core.delivery.desk import (
    EPOCH,
    LANE,
    OLDER,
    TABLE,
    Desk,
    block,
    ended,
    frame,
    inventory,
)
from tests.unit.core.delivery.machine import AGENT, POINTS
from tests.unit.core.delivery.test_anchors import BOOT, anchor, untimed

OLD = [frame(at, epoch=OLDER, n=2) for at in range(4)]
NEW = [frame(0), frame(1, n=3), untimed(2), anchor(3), Frame(AGENT, LANE, EPOCH, 4, 2, POINTS.digest, "[[")]
LOST = Gone(OLDER, 4, 2, 5, "damaged", None, 7, 9)
TWIN = frame(1, n=3, time_ms=77_000)

SAID: list[Data | Table | Inventory | Head] = [
    TABLE,
    *(Data.of([one]) for one in (*OLD, *NEW)),
    Data.of(NEW[:3]),
    Data.of([TWIN]),
    Head(lanes={LANE: LaneHead(EPOCH, 5, 8, 21)}),
    Head(lanes={LANE: LaneHead(EPOCH, 2, 4, 17)}),
    inventory(epochs=(ended(OLDER, 6, 13),), process=OLDER, blocks=(block(OLD),), number="1" * 16),
    inventory(epochs=(ended(OLDER, 6, 13),), part=0, parts=2, gone=(LOST,), number="2" * 16),
    inventory(
        epochs=(ended(EPOCH, 5, 8, (OLDER, 6, 13)),),
        part=1,
        parts=2,
        blocks=(block(NEW[1:3]),),
        number="3" * 16,
    ),
]


@settings(max_examples=60, deadline=None)
@given(st.permutations(SAID), st.lists(st.integers(0, len(SAID) - 1), max_size=9), st.integers(1, 7))
def test_the_same_messages_make_the_same_ledger(
    said: list[Data | Table | Inventory | Head], again: list[int], batch: int
) -> None:
    desk, plain = Desk(), Desk()
    said = said + [SAID[at] for at in again]
    for start in range(0, len(said), batch):
        desk.hear(*said[start : start + batch])
    for message in SAID:
        plain.hear(message)
    for ledger in (desk.ledger, plain.ledger):
        assert ledger.starts_ms(AGENT, (BOOT,))
    assert desk.ledger.readings() == plain.ledger.readings()
    states = [{kept.frame.id: kept.state for kept in one.ledger.kept.values()} for one in (desk, plain)]
    assert states[0] == states[1]
    assert desk.ledger.gone_rows == plain.ledger.gone_rows
    assert desk.ledger.lane(AGENT, LANE) == plain.ledger.lane(AGENT, LANE)
    counts = [sorted(one.ledger.counts(), key=lambda count: count.epoch) for one in (desk, plain)]
    assert counts[0] == counts[1]
    assert all(count.complete for count in counts[0])
