"""The count: each place once, and what cannot be explained is owed or does not add up."""

from __future__ import annotations

from core.delivery.count import Count, count_epoch, total
from core.delivery.frames import Lane, Stream, block_digest
from core.delivery.holdings import EpochRow, FrameState, HeldBlock, HeldFrame, LaneRow
from core.delivery.messages import Block, Gone

EPOCH = "e" * 32
STREAM = Stream("aoba-1", Lane.REGISTERS, EPOCH)


def held(at: int, n: int = 10, *, state: FrameState = FrameState.HELD, mark: str = "0") -> HeldFrame:
    return HeldFrame(at, mark + f"{at:031x}", n, state)


def gone(first: int, frames: int, readings: int, reason: str = "damaged", digest: str | None = None) -> Gone:
    return Gone._make((EPOCH, first, frames, readings, reason, digest, None, None))


def count(
    frames: int,
    readings: int,
    *held_frames: HeldFrame,
    ranges: tuple[Gone, ...] = (),
    listed: tuple[Block, ...] = (),
    judged: tuple[int, int] = (0, 0),
    pruned: tuple[HeldBlock, ...] = (),
) -> Count:
    row = EpochRow(STREAM, "aoba", frames, readings, judged_frames=judged[0], judged_readings=judged[1])
    lane = LaneRow("aoba-1", Lane.REGISTERS, EPOCH, 1, listed)
    return count_epoch(row, lane, held_frames, ranges, pruned)


def test_all_stored_is_complete() -> None:
    result = count(2, 20, held(0), held(1))
    assert (result.taken, result.stored, result.complete) == (20, 20, True)


def test_quarantined_and_undecoded_are_kept() -> None:
    result = count(3, 30, held(0), held(1, state=FrameState.QUARANTINED), held(2, state=FrameState.UNDECODED))
    assert (result.stored, result.quarantined, result.complete) == (20, 10, True)


def test_a_lost_range_is_named_by_its_reason_and_freed_but_not_held_is_trimmed() -> None:
    result = count(
        6, 60, held(0), ranges=(gone(1, 2, 20), gone(3, 1, 10, "disk_full"), gone(3, 3, 30, "freed"))
    )
    assert result.lost == {"damaged": 20, "disk_full": 10, "trimmed": 20}
    assert result.complete


def test_held_wins_over_a_range_that_names_it_lost() -> None:
    result = count(3, 30, held(0), held(1), ranges=(gone(0, 3, 30, "freed"),))
    assert (result.stored, result.lost, result.complete) == (20, {"trimmed": 10}, True)


def test_what_head_tells_beyond_the_inventory_waits() -> None:
    listed = (Block(EPOCH, 1, 2, 20, "0" * 32),)
    result = count(5, 50, held(0), listed=listed, judged=(3, 30))
    assert (result.waiting, result.waiting_frames, result.owed, result.adds_up) == (40, 4, 0, True)
    assert not result.complete


def test_what_no_inventory_has_judged_waits_as_far_as_it_is_not_here() -> None:
    result = count(5, 50, held(0), held(3))
    assert (result.waiting, result.waiting_frames, result.owed) == (30, 3, 0)


def test_what_the_newest_inventory_no_longer_lists_is_owed() -> None:
    result = count(3, 30, held(0), listed=(Block(EPOCH, 2, 1, 10, "0" * 32),), judged=(3, 30))
    assert (result.waiting, result.owed, result.owed_frames, result.adds_up) == (10, 10, 1, True)
    left_out = count(3, 30, held(0), judged=(3, 30))
    assert (left_out.waiting, left_out.owed, left_out.owed_frames) == (0, 20, 2)


def test_what_is_newer_waits_beside_what_is_owed() -> None:
    result = count(5, 50, held(0), held(4, 7), judged=(3, 30))
    assert (result.waiting, result.owed, result.adds_up) == (13, 20, True)
    assert (result.waiting_frames, result.owed_frames) == (1, 2)


def test_frames_without_ids_count_as_held() -> None:
    block = HeldBlock(0, 4, 40, FrameState.HELD, "d" * 32)
    result = count(6, 60, held(4), held(5), pruned=(block,), ranges=(gone(0, 6, 60, "freed"),))
    assert (result.stored, result.lost, result.complete) == (60, {}, True)
    result = count(6, 60, held(4), pruned=(block,), ranges=(gone(0, 6, 60, "freed"),))
    assert (result.stored, result.lost, result.complete) == (50, {"trimmed": 10}, True)


def test_a_frame_of_its_own_inside_a_block_without_ids_is_extra() -> None:
    block = HeldBlock(0, 4, 40, FrameState.HELD, "d" * 32)
    result = count(4, 40, held(2, 7), pruned=(block,))
    assert (result.stored, result.extra, result.complete) == (40, 7, True)


def test_a_missing_frame_of_unknown_size_is_not_overlooked() -> None:
    result = count(3, 0, held(0), held(2))
    assert (result.waiting_frames + result.owed_frames, result.complete) == (1, False)


def test_all_frames_there_but_not_all_readings_does_not_add_up() -> None:
    result = count(2, 25, held(0), held(1))
    assert (result.taken, result.stored, result.adds_up) == (25, 20, False)


def test_second_frames_at_a_place_are_counted_apart() -> None:
    result = count(1, 10, held(0), held(0, 7, mark="1"))
    assert (result.stored, result.extra, result.complete) == (10, 7, True)


def test_a_lost_second_frame_is_named_beside_the_held_one() -> None:
    here = block_digest(bytes.fromhex(held(0).id))
    assert count(1, 10, held(0), ranges=(gone(0, 1, 7, digest=here),)).extra == 0
    assert count(1, 10, held(0), ranges=(gone(0, 1, 7, digest="9" * 32),)).extra == 7


def test_a_lost_range_of_a_copy_that_is_held_too_is_no_loss() -> None:
    frames = (held(0), held(0, 7, mark="1"), held(1), held(1, 7, mark="1"))
    mixed = block_digest(bytes.fromhex(frames[1].id + frames[2].id))
    assert count(2, 20, *frames, ranges=(gone(0, 2, 17, digest=mixed),)).extra == 14
    assert count(2, 20, *frames, ranges=(gone(0, 2, 9, digest="9" * 32),)).extra == 23


def test_of_many_copied_places_a_mixed_range_is_taken_for_another() -> None:
    frames = [held(at, 1, mark=mark) for at in range(9) for mark in "01"]
    ids = {mark: [one.id for one in frames if one.id.startswith(mark)] for mark in "01"}
    firsts, mixed = (
        block_digest(bytes.fromhex("".join(each))) for each in (ids["0"], ids["0"][:8] + ids["1"][8:])
    )
    assert count(9, 9, *frames, ranges=(gone(0, 9, 9, digest=firsts),)).extra == 9
    assert count(9, 9, *frames, ranges=(gone(0, 9, 9, digest=mixed),)).extra == 18, "at most so much"


def test_a_copy_that_took_more_at_the_same_places_owes_nothing() -> None:
    result = count(2, 18, held(0, 1), held(0, 9, mark="1"), held(1, 1), held(1, 9, mark="1"))
    assert (result.stored, result.extra, result.complete) == (2, 18, True)


def test_a_sum_adds_epochs_of_one_lane() -> None:
    one = count(2, 20, held(0), ranges=(gone(1, 1, 10),))
    summed = total((one, one), "aoba-1", Lane.REGISTERS)
    assert (summed.taken, summed.stored, summed.lost, summed.complete) == (40, 20, {"damaged": 20}, True)
    assert total((one,), "aoba-1", Lane.SAMPLES).taken == 0
