"""Old frames become blocks: the count, the agents and the projections see no difference."""

from __future__ import annotations

import pytest

from collector.ledger import Ledger, projection
from collector.ledger.pruning import DAY_MS, KEPT_MS
from core.delivery.frames import Frame, Lane, block_digest
from core.delivery.holdings import Answer
from core.delivery.messages import Ack, Block, Data, Ended, Gone, Inventory, Want, encode
from core.timeline import Interval
from tests.unit.collector.material import (
    AGENT,
    EPOCH,
    GAUGES,
    LIFE,
    POINT,
    POWER,
    SITE,
    T0,
    commit,
    contents,
    data,
    frame,
    intake,
    minutes,
    raw_frame,
    table,
    taken,
)

OLD_MS = T0 + KEPT_MS[Lane.REGISTERS] + 40 * DAY_MS
NEXT_EPOCH = "f" * 32
BLOCK = 64


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As any other length, but quick."""
    monkeypatch.setattr("collector.ledger.pruning.BLOCK_FRAMES", BLOCK)


def frames(first: int, end: int) -> list[Frame]:
    return [frame(at, minutes(at, 1)) for at in range(first, end)]


def block(chosen: list[Frame]) -> Block:
    ids = bytes.fromhex("".join(each.id for each in chosen))
    return Block(EPOCH, chosen[0].index, len(chosen), sum(each.n for each in chosen), block_digest(ids))


def tell(
    ledger: Ledger, *blocks: Block, gone: tuple[Gone, ...] = (), epochs: tuple[Ended, ...] = ()
) -> list[Answer]:
    """An inventory of the agent."""
    message = Inventory(
        number="0" * 16, process=NEXT_EPOCH, sequence=1, epochs=epochs, blocks=blocks, gone=gone
    )
    way = intake(ledger)
    return [*way.commit(way.sort([(table()[0], encode(message))]), LIFE)]


def rows(ledger: Ledger) -> tuple[int, int]:
    """Rows of frames, and of blocks."""
    with ledger.reading() as connection:
        count = "SELECT (SELECT count(*) FROM frames), (SELECT count(*) FROM blocks)"
        found = connection.exec_driver_sql(count).one()
    return found[0], found[1]


@pytest.fixture
def pruned(ledger: Ledger) -> tuple[Ledger, list[Frame]]:
    """A ledger with two blocks, and half a block of frames."""
    sent = frames(0, 2 * BLOCK + 32)
    commit(ledger, table(), data(*sent))
    before = [*contents(ledger), *ledger.counts()]
    assert ledger.prune(OLD_MS) == 2
    assert rows(ledger) == (32, 2)
    assert [*contents(ledger), *ledger.counts()] == before
    assert ledger.prune(OLD_MS) == 0
    return ledger, sent


def test_a_block_of_equal_digest_is_held(pruned: tuple[Ledger, list[Frame]]) -> None:
    ledger, sent = pruned
    listed = block(sent[:BLOCK])
    (answer,) = tell(ledger, listed)
    assert isinstance(answer.message, Ack)
    assert answer.message.held == (listed,)


def test_a_part_of_a_block_is_wanted_and_acknowledged_by_id(pruned: tuple[Ledger, list[Frame]]) -> None:
    ledger, sent = pruned
    before = [*contents(ledger), *ledger.counts()]
    part = sent[BLOCK + 10 : BLOCK + 13]
    answers = tell(ledger, block(part))
    wanted = [each.message.ranges for each in answers if isinstance(each.message, Want)]
    assert wanted == [((EPOCH, part[0].index, 3),)]
    way = intake(ledger)
    answers = [*way.commit(way.sort([data(each) for each in part]), LIFE)]
    acked = {id for each in answers if isinstance(each.message, Ack) for id in each.message.ids}
    assert acked == {each.id for each in part}
    assert rows(ledger) == (32, 2)
    assert [*contents(ledger), *ledger.counts()] == before


def test_what_came_again_is_merged_where_it_was_lacking(pruned: tuple[Ledger, list[Frame]]) -> None:
    """A forgotten id cannot tell the same frame from another: the readings of both are kept."""
    ledger, _ = pruned
    commit(ledger, data(frame(7, [taken(T0 + 7 * 60_000 + 1, 9)])))
    assert (T0 + 7 * 60_000 + 1, 9, 0) in ledger.cells(POINT)[0].readings
    assert rows(ledger) == (32, 2)


def test_the_end_of_a_finished_epoch_is_pruned_too(pruned: tuple[Ledger, list[Frame]]) -> None:
    ledger, sent = pruned
    ended = Ended(EPOCH, len(sent), len(sent), None, 0, 0, True)
    now = Ended(NEXT_EPOCH, 0, 0, EPOCH, len(sent), len(sent), True)
    tell(ledger, epochs=(ended, now))
    before = ledger.counts()
    assert ledger.prune(OLD_MS) == 1
    assert rows(ledger) == (0, 3)
    assert ledger.counts() == before
    (answer,) = tell(ledger, block(sent[2 * BLOCK :]))
    assert isinstance(answer.message, Ack)
    assert len(answer.message.held) == 1


def test_a_projection_that_begins_anew_sees_what_was_pruned(pruned: tuple[Ledger, list[Frame]]) -> None:
    ledger, sent = pruned
    with ledger.reading() as connection:
        at, seen = 0, list[projection.Stretch]()
        while True:
            before = at
            at, stretches = projection.stretches_after(connection, before, 1)
            if at == before:
                break
            seen += stretches
    assert [(each.first_ms, each.last_ms) for each in seen[:3]] == [
        (T0, T0 + (BLOCK - 1) * 60_000),
        (T0 + BLOCK * 60_000, T0 + (2 * BLOCK - 1) * 60_000),
        (T0 + 2 * BLOCK * 60_000,) * 2,
    ]
    assert at == len(sent)
    assert {each.point_table for each in seen} == {sent[0].table}
    half_hours = [each for stretch in seen for each in stretch.half_hours]
    assert min(each.start_ms for each in half_hours) == T0
    assert Interval(T0, T0 + 3 * 1_800_000) == half_hours[0]


def test_only_what_is_old_is_pruned(ledger: Ledger) -> None:
    commit(ledger, table(), data(*frames(0, 2 * BLOCK)))
    newest_ms = T0 + (BLOCK - 1) * 60_000
    assert ledger.prune(newest_ms + KEPT_MS[Lane.REGISTERS]) == 0
    assert ledger.prune(newest_ms + KEPT_MS[Lane.REGISTERS] + 1) == 1


def test_samples_are_pruned_sooner(ledger: Ledger) -> None:
    way = intake(ledger)
    way.commit(way.sort([table(GAUGES, lane=Lane.SAMPLES)]), LIFE)
    sent = [
        frame(at, [taken(T0 + at, at, point=POWER)], lane=Lane.SAMPLES, table=GAUGES) for at in range(BLOCK)
    ]
    message = f"seiren/v1/{SITE}/{AGENT}/samples", encode(Data.of(sent))
    way.commit_samples(way.decide_samples(way.sort([message]), LIFE), ())
    before = ledger.counts()
    assert ledger.prune(T0 + KEPT_MS[Lane.SAMPLES] + DAY_MS) == 1
    assert ledger.counts() == before
    again = way.decide_samples(way.sort([message]), LIFE)
    assert len(again.rows) == BLOCK  # the store holds them; to write them again changes nothing
    way.commit_samples(again, ())
    assert ledger.counts() == before


@pytest.mark.parametrize("spoilt", ["hole", "quarantined", "two at one place", "lost"])
def test_what_only_ids_can_tell_is_left_alone(ledger: Ledger, spoilt: str) -> None:
    sent = frames(0, BLOCK)
    match spoilt:
        case "hole":
            del sent[5]
        case "quarantined":
            sent[5] = raw_frame(5, "no JSON")
        case "two at one place":
            commit(ledger, table(), data(frame(5, [taken(T0, 1)])))
    commit(ledger, table(), data(*sent))
    if spoilt == "lost":
        tell(ledger, gone=(Gone(EPOCH, 60, 2, 2, "disk_full", None, T0, T0),))
    before = ledger.counts()
    assert ledger.prune(OLD_MS) == 0
    assert ledger.counts() == before


def test_freed_frames_are_pruned(ledger: Ledger) -> None:
    commit(ledger, table(), data(*frames(0, BLOCK)))
    tell(ledger, gone=(Gone(EPOCH, 0, BLOCK, BLOCK, "freed", "0" * 32, T0, T0),))
    before = ledger.counts()
    assert ledger.prune(OLD_MS) == 1
    assert ledger.counts() == before
