"""Frames taken before the time was known: kept, and decoded when the anchor of their machine's run comes."""

from __future__ import annotations

from itertools import permutations

import pytest

from core.delivery.frames import Frame
from core.delivery.holdings import AnchorRow, FrameState
from core.delivery.messages import Data
from tests.unit.core.delivery.desk import EPOCH, LANE, TABLE, Desk, acks
from tests.unit.core.delivery.machine import AGENT, POINTS

BOOT, START_MS = "6453a651587745ae", 1_767_225_600_000


def untimed(at: int, since_ms: int = 500, boot: str = BOOT) -> Frame:
    return Frame(AGENT, LANE, EPOCH, at, 1, POINTS.digest, f'[["{boot}",{since_ms},[[0,7]]]]')


def anchor(at: int, start_ms: int = START_MS, boot: str = BOOT) -> Frame:
    event = f'{{"event":"anchor","boot":"{boot}","mono_ms":9000,"time_ms":{start_ms + 9000}}}'
    return Frame(AGENT, LANE, EPOCH, at, 1, POINTS.digest, f"[{event}]")


def times(desk: Desk) -> set[int]:
    return {reading.time_ms for reading in desk.ledger.readings()}


def test_without_its_anchor_a_frame_is_kept_and_acknowledged() -> None:
    desk = Desk()
    decision = desk.hear(TABLE, Data.of([untimed(0)]))
    (kept,) = decision.frames
    assert (kept.state, kept.boot) == (FrameState.UNDECODED, BOOT)
    assert kept.reason == f"time unknown: no anchor has come for {BOOT}"
    (ack,) = acks(decision)
    assert (ack.ids, ack.need) == ((untimed(0).id,), ())


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("at_once", [False, True])
def test_in_any_order_the_same_is_kept(order: tuple[int, ...], at_once: bool) -> None:
    desk = Desk()
    said = (TABLE, Data.of([untimed(0)]), Data.of([anchor(1)]))
    chosen = [said[at] for at in order]
    for batch in [chosen] if at_once else [[one] for one in chosen]:
        desk.hear(*batch)
    assert times(desk) == {START_MS + 500}
    assert [kept.state for kept in desk.ledger.kept.values()] == [FrameState.HELD] * 2
    assert desk.ledger.anchors == {(AGENT, BOOT): START_MS}
    (count,) = desk.ledger.counts()
    assert (count.stored, count.owed) == (2, 0)


def test_an_anchor_that_is_known_serves_later_frames_of_that_run_alone() -> None:
    desk = Desk()
    desk.hear(TABLE, Data.of([anchor(0)]))
    decision = desk.hear(Data.of([untimed(1), untimed(2, boot="f" * 16)]))
    assert [kept.state for kept in decision.frames] == [FrameState.HELD, FrameState.UNDECODED]
    assert times(desk) == {START_MS + 500}


def test_another_agents_anchor_is_none_of_ours() -> None:
    desk = Desk()
    other = Frame("aoba-2", LANE, "b" * 32, 0, 1, POINTS.digest, anchor(0).payload)
    desk.hear(TABLE, Data.of([other]), agent="aoba-2")
    desk.hear(Data.of([untimed(0)]))
    assert not times(desk)


def test_of_two_anchors_the_earlier_start_is_used_whatever_came_first() -> None:
    for starts in ((START_MS, START_MS - 40), (START_MS - 40, START_MS)):
        desk = Desk()
        desk.hear(TABLE, Data.of([anchor(0, starts[0])]), Data.of([anchor(1, starts[1])]))
        assert desk.hear(Data.of([untimed(2)])).anchors == ()
        assert times(desk) == {START_MS - 40 + 500}
        assert desk.ledger.anchors == {(AGENT, BOOT): START_MS - 40}
        assert AnchorRow(AGENT, BOOT, START_MS - 40).start_ms == START_MS - 40
