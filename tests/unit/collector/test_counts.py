"""The count read from a ledger as runs of frames is the count of the single frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert

from collector.ledger import Ledger
from collector.ledger.counts import _spread, _streams, counts, counts_by_period
from collector.ledger.holdings import BLOCKS
from collector.ledger.tables import blocks, frames, gone, lanes, streams
from core.delivery.count import count_epoch
from core.delivery.dated import DatedBlock, DatedFrame, count_by_period
from core.delivery.frames import block_digest
from core.delivery.holdings import EpochRow, FrameState, HeldBlock, HeldFrame, LaneRow
from core.delivery.messages import Gone
from tests.unit.core.delivery.test_dated import EPOCH, STREAM
from tests.unit.core.delivery.test_dated import streams as any_stream

Stream = tuple[EpochRow, LaneRow, list[DatedFrame], list[Gone], list[DatedBlock]]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    return Ledger.open(tmp_path_factory.mktemp("ledger"), create=True)


class Enough(Exception):
    """Nothing of this is to be kept."""


@contextmanager
def holding(ledger: Ledger, stream: Stream) -> Iterator[Connection]:
    """A ledger that holds one stream and nothing else, as long as the context lasts."""
    row, lane, kept, ranges, pruned = stream
    with suppress(Enough), ledger.writing() as connection:
        for table in (frames, gone, blocks, lanes, streams):
            connection.execute(delete(table))
        told = {
            "site": "aoba", "frames": row.frames, "readings": row.readings, "linked": False, "clean": False,
            "finished": False, "judged_frames": row.judged_frames, "judged_readings": row.judged_readings,
        }  # fmt: skip
        connection.execute(insert(streams).values(number=1, **row.stream._asdict(), **told))
        connection.execute(
            insert(lanes).values(
                agent=lane.agent, lane=lane.lane, process=lane.process, sequence=1, total_readings=0,
                listed=BLOCKS.dump_json(lane.listed).decode(),
            )
        )  # fmt: skip
        for number, (held, first_ms) in enumerate(kept):
            values = {
                "idx": held.at, "n": held.n, "id": bytes.fromhex(held.id), "state": held.state.value,
                "point_table": "", "first_ms": first_ms, "last_ms": first_ms, "boot": "",
            }  # fmt: skip
            connection.execute(insert(frames).values(number=number + 1, stream=1, **values))
        for entry in ranges:
            values = entry._asdict() | {"stream": 1, "digest": entry.digest or ""}
            del values["epoch"]
            connection.execute(insert(gone).values(**values))
        for block in pruned:
            connection.execute(
                insert(blocks).values(
                    stream=1, first=block.held.first, frames=block.held.frames, readings=block.held.readings,
                    state=block.held.state.value, digest=block.held.digest, from_ms=block.first_ms,
                    to_ms=block.first_ms, number=1, point_tables="[]",
                )
            )  # fmt: skip
        yield connection
        raise Enough


def with_ids(stream: Stream, choose: st.DataObject) -> Stream:
    """Give each frame an id of its own, and some ranges the digest of the frames that are held there."""
    row, lane, kept, ranges, pruned = stream
    kept = [
        DatedFrame(each.held._replace(id=f"{number:032x}"), each.first_ms) for number, each in enumerate(kept)
    ]
    named = []
    for entry in [*ranges, *(entry._replace(first=max(0, entry.first - 2)) for entry in ranges)]:
        inside = [e.held.id for e in kept if entry.first <= e.held.at < entry.first + entry.frames]
        digest = block_digest(bytes.fromhex("".join(inside)))
        named.append(entry._replace(digest=choose.draw(st.sampled_from([None, digest, "f" * 32]))))
    unique = {tuple(e[1:6]): e for e in named}
    return (
        row,
        lane,
        kept,
        sorted(unique.values(), key=lambda e: (e.first, e.frames, e.reason, e.readings, e.digest or "")),
        pruned,
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(any_stream(), st.lists(st.integers(0, 2000), unique=True, min_size=2, max_size=5), st.data())
def test_runs_count_as_single_frames_do(
    ledger: Ledger, stream: Stream, cuts: list[int], choose: st.DataObject
) -> None:
    stream = with_ids(stream, choose)
    row, lane, kept, ranges, pruned = stream
    bounds = tuple(sorted(cuts))
    with holding(ledger, stream) as connection:
        (whole,) = counts(connection)
        parts = counts_by_period(connection, bounds)
    assert whole == count_epoch(row, lane, [e.held for e in kept], ranges, [e.held for e in pruned])
    expected, _ = count_by_period(row, lane, kept, ranges, pruned, bounds=bounds)
    assert [(each.period, each.count) for each in parts] == [
        (period, count) for period, count in enumerate(expected) if count is not None
    ]
    assert all(each.site == "aoba" for each in parts)


def test_a_long_run_of_frames_is_one_block(ledger: Ledger) -> None:
    """What is kept in memory of a stream does not grow with it."""
    row = EpochRow(STREAM, "aoba", frames=5000, readings=50_000)
    lane = LaneRow("aoba-1", STREAM.lane)
    kept = [DatedFrame(HeldFrame(at, f"{at:032x}", 10, FrameState.HELD), 1000 * at) for at in range(5000)]
    with holding(ledger, (row, lane, kept, [], [])) as connection:
        (found,) = _streams(connection, (0, 2_000_000, 10_000_000))
    assert [(e.held.first, e.held.frames, e.first_ms) for e in found.blocks] == [
        (0, 2000, 0),
        (2000, 3000, 2_000_000),
    ]
    assert found.frames == []


def test_a_range_that_begins_inside_a_run_takes_off_the_readings_of_its_own_places(ledger: Ledger) -> None:
    row = EpochRow(STREAM, "aoba", frames=12, readings=166)
    kept = [DatedFrame(HeldFrame(at, f"{at:032x}", at + 1, FrameState.HELD), at) for at in range(10)]
    freed = Gone(EPOCH, 7, 5, 138, "freed", None, None, None)
    with holding(ledger, (row, LaneRow("aoba-1", STREAM.lane), kept, [freed], [])) as connection:
        (whole,) = counts(connection)
    assert (whole.stored, whole.lost, whole.complete) == (55, {"trimmed": 138 - 8 - 9 - 10}, True)


def test_a_block_without_ids_is_spread_evenly_over_the_days_that_it_touches(ledger: Ledger) -> None:
    row = EpochRow(STREAM, "aoba", frames=1024, readings=10_001)
    held = HeldBlock(0, 1024, 10_001, FrameState.HELD, "0" * 32)
    bounds = (0, 1000, 2000, 3000, 4000)
    with holding(ledger, (row, LaneRow("aoba-1", STREAM.lane), [], [], [])) as connection:
        connection.execute(
            insert(blocks).values(
                stream=1, first=0, frames=1024, readings=10_001, state="held", digest="0" * 32,
                from_ms=500, to_ms=2499, number=1, point_tables="[]",
            )
        )  # fmt: skip
        parts = counts_by_period(connection, bounds)
        (whole,) = counts(connection)
    assert [(each.period, each.count.stored, each.count.frames) for each in parts] == [
        (0, 2500, 256),
        (1, 5000, 512),
        (2, 2501, 256),
    ]
    assert (whole.stored, whole.frames, whole.complete) == (held.readings, held.frames, True)
    assert [part.held.frames for part in _spread(held, 500, 500, bounds)] == [1024]
    single = HeldBlock(0, 1, 5, FrameState.HELD, "")
    assert [(p.held.readings, p.first_ms) for p in _spread(single, 500, 2499, bounds)] == [(5, 2000)]
