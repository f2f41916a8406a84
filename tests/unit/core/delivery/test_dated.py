"""The count by time: periods sum to the whole, whatever they are and whatever is known of times."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.delivery.count import Count, count_epoch
from core.delivery.dated import DatedBlock, DatedFrame, count_by_period
from core.delivery.frames import Lane, Stream
from core.delivery.holdings import EpochRow, FrameState, HeldBlock, HeldFrame, LaneRow
from core.delivery.messages import Block, Gone

EPOCH = "e" * 32
STREAM = Stream("aoba-1", Lane.REGISTERS, EPOCH)
ALWAYS = (-(2**62), 2**62)
SUMS = (
    "taken",
    "stored",
    "quarantined",
    "waiting",
    "owed",
    "extra",
    "frames",
    "waiting_frames",
    "owed_frames",
)


def frame(at: int, first_ms: int | None, n: int = 10, *, state: FrameState = FrameState.HELD) -> DatedFrame:
    return DatedFrame(HeldFrame(at, f"{at:032x}", n, state), first_ms)


def gone(first: int, frames: int, readings: int, reason: str, from_ms: int | None = None) -> Gone:
    return Gone._make((EPOCH, first, frames, readings, reason, None, from_ms, from_ms))


def row(frames: int, readings: int, judged: tuple[int, int] = (0, 0)) -> EpochRow:
    return EpochRow(STREAM, "aoba", frames, readings, judged_frames=judged[0], judged_readings=judged[1])


def lane(*listed: Block) -> LaneRow:
    return LaneRow("aoba-1", Lane.REGISTERS, EPOCH, 1, listed)


def test_frames_stand_where_they_were_taken_and_those_without_a_time_after_the_one_before() -> None:
    frames = [frame(0, None), frame(1, 100), frame(2, None), frame(3, 200), frame(4, None)]
    (first, second), newest_ms = count_by_period(row(5, 50), lane(), frames, (), (), bounds=(100, 200, 300))
    assert first is not None and second is not None
    assert (first.stored, second.stored, newest_ms) == (30, 20, 200)
    assert first.complete and second.complete


def test_a_loss_stands_where_it_begins_or_after_the_frame_before_it() -> None:
    frames = [frame(0, 100), frame(3, 200)]
    ranges = [gone(1, 1, 10, "damaged"), gone(2, 1, 10, "disk_full", 250)]
    (first, second), _ = count_by_period(row(4, 40), lane(), frames, ranges, (), bounds=(100, 200, 300))
    assert first is not None and second is not None
    assert (first.lost, second.lost) == ({"damaged": 10}, {"disk_full": 10})


def test_of_two_times_of_one_place_the_frame_s_own_holds_and_a_second_frame_has_none() -> None:
    frames = [frame(0, 100), frame(1, 150), frame(1, 250), frame(3, 160)]
    ranges = [gone(1, 3, 30, "freed", 220)]
    told = row(4, 40)
    (first, second), newest_ms = count_by_period(told, lane(), frames, ranges, (), bounds=(100, 200, 300))
    assert first is not None and second is not None and newest_ms == 160
    assert (first.stored, first.extra, second.lost) == (30, 10, {"trimmed": 10})


def test_what_waits_or_is_owed_stands_after_what_came_before_it() -> None:
    listed = lane(Block(EPOCH, 1, 1, 10, "0" * 32))
    told = row(4, 45, judged=(3, 30))  # of places 2 and 3: one is owed, the other newer than the inventory
    (first, second), _ = count_by_period(told, listed, [frame(0, 150)], (), (), bounds=(100, 200, 300))
    assert first is not None and second is None
    assert (first.stored, first.waiting, first.owed, first.taken) == (10, 25, 10, 45)


def test_an_epoch_without_any_time_stands_after_the_ones_before() -> None:
    found, newest_ms = count_by_period(row(2, 20), lane(), (), (), (), bounds=(0, 100), before_ms=50)
    assert found[0] is not None and (found[0].waiting, newest_ms) == (20, 50)
    assert count_by_period(row(2, 20), lane(), (), (), (), bounds=(0, 100))[0] == (None,)


def test_what_does_not_add_up_does_not_add_up_in_the_newest_period() -> None:
    frames = [frame(0, 100), frame(1, 200)]
    (first, second), _ = count_by_period(row(2, 25), lane(), frames, (), (), bounds=(100, 200, 300))
    assert first is not None and second is not None
    assert first.adds_up and not second.adds_up


@st.composite
def streams(
    draw: st.DrawFn,
) -> tuple[EpochRow, LaneRow, list[DatedFrame], list[Gone], list[DatedBlock]]:
    """An epoch of up to 40 places, each held, lost, listed, pruned, or nothing at all."""
    frames, ranges, blocks, listed = [], [], [], []
    time_ms = 0
    at = 0
    while at < 40:
        size = draw(st.integers(1, 4))
        readings = draw(st.integers(size, 20))
        time_ms += draw(st.integers(0, 60))
        first_ms = draw(st.sampled_from([time_ms, time_ms, None]))
        match draw(st.sampled_from(["frame", "frame", "twin", "gone", "listed", "block", "nothing"])):
            case "frame" | "twin" as kind:
                state = draw(st.sampled_from(FrameState))
                frames += [frame(at, first_ms, readings, state=state)] * (2 if kind == "twin" else 1)
                size = 1
            case "gone":
                reason = draw(st.sampled_from(["freed", "damaged", "disk_full"]))
                ranges.append(gone(at, size, readings, reason, first_ms))
            case "listed":
                listed.append(Block(EPOCH, at, size, readings, "0" * 32))
            case "block":
                held = HeldBlock(at, size, readings, FrameState.HELD, "0" * 32)
                blocks.append(DatedBlock(held, first_ms))
        at += size
    judged = draw(st.integers(0, at)), draw(st.integers(0, 100))
    told = row(draw(st.integers(0, at + 3)), draw(st.integers(0, 500)), judged)
    return told, lane(*listed), frames, ranges, blocks


@given(streams(), st.lists(st.integers(-10, 3000), unique=True, max_size=6))
def test_periods_sum_to_the_whole(
    stream: tuple[EpochRow, LaneRow, list[DatedFrame], list[Gone], list[DatedBlock]], cuts: Sequence[int]
) -> None:
    told, listed, frames, ranges, blocks = stream
    whole = count_epoch(told, listed, [f.held for f in frames], ranges, [b.held for b in blocks])
    bounds = (ALWAYS[0], *sorted(cuts), ALWAYS[1])
    found, _ = count_by_period(told, listed, frames, ranges, blocks, bounds=bounds, before_ms=0)
    parts = [each for each in found if each is not None]
    for name in SUMS:
        assert sum(getattr(each, name) for each in parts) == getattr(whole, name), name
    for reason in {reason for each in (whole, *parts) for reason in each.lost}:
        assert sum(each.lost.get(reason, 0) for each in parts) == whole.lost.get(reason, 0)
    assert all(each.adds_up for each in parts) is whole.adds_up


@pytest.mark.parametrize("state", FrameState)
def test_kept_as_it_is_kept(state: FrameState) -> None:
    (found,), _ = count_by_period(row(1, 10), lane(), [frame(0, 5, state=state)], (), (), bounds=ALWAYS)
    assert isinstance(found, Count)
    assert found.quarantined == (10 if state is FrameState.QUARANTINED else 0)
