"""Transactions: what becomes part of the ledger, what is set aside, and what is answered."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from collector.ledger import Ledger
from collector.stores.base import Rejection, StoreRow
from core.delivery.frames import Lane
from core.delivery.holdings import Answer
from core.delivery.messages import MAX_MESSAGE_BYTES, Ack, Head, LaneHead, Table, encode
from core.delivery.tables import PointTable
from tests.unit.collector.material import (
    AGENT,
    EPOCH,
    GAUGES,
    LIFE,
    METER,
    POINT,
    POWER,
    SITE,
    T0,
    TABLE,
    commit,
    contents,
    data,
    frame,
    head,
    intake,
    minutes,
    point_row,
    raw_frame,
    table,
    taken,
)

REGISTERS = f"seiren/v1/{SITE}/{AGENT}/registers"


def acked(answers: Iterator[Answer] | list[Answer]) -> set[str]:
    return {id for answer in answers if isinstance(answer.message, Ack) for id in answer.message.ids}


def test_a_frame_is_counted_once_however_often_it_comes(ledger: Ledger) -> None:
    one = frame(0, minutes(0, 5))
    way = intake(ledger)
    for _ in range(3):
        answers = way.commit(way.sort([table(), data(one), data(one), head(1, 5)]), LIFE)
        assert acked(list(answers)) == {one.id}
    (count,) = ledger.counts()
    assert (count.taken, count.stored, count.extra, count.adds_up) == (5, 5, 0, True)


def test_killed_between_commit_and_answer(place: Path | str) -> None:
    ledger = Ledger.open(place, create=True)
    one = frame(0, minutes(0, 5))
    commit(ledger, table(), data(one))  # its answer was never sent
    before = [*contents(ledger), *ledger.counts()]
    ledger.close()
    again = Ledger.open(place)
    way = intake(again)
    answers = way.commit(way.sort([data(one)]), "2" * 32)
    assert acked(list(answers)) == {one.id}
    assert [*contents(again), *again.counts()] == before
    again.close()


def test_an_unreadable_payload_is_kept_raw_and_acknowledged(ledger: Ledger) -> None:
    bad, good = raw_frame(0, "[[1,[[0,"), frame(1, minutes(0, 2))
    way = intake(ledger)
    answers = way.commit(way.sort([table(), data(bad), data(good)]), LIFE)
    assert acked(list(answers)) == {bad.id, good.id}
    (count,) = ledger.counts()
    assert (count.stored, count.quarantined, count.taken, count.adds_up) == (2, 1, 3, True)
    with ledger.reading() as connection:
        kept = connection.exec_driver_sql("SELECT raw, reason FROM frames WHERE state = 'quarantined'").one()
    assert kept[0] == b"[[1,[[0,"
    assert "JSON" in kept[1]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (f"[[{T0},[[0,{10**311}]]]]", "register can hold"),
        (f"[[{T0},[[0,1e400]]]]", "register can hold"),
        (f"[[{T0},[[0,NaN]]]]", "JSON"),
        (f"[[{T0},[[7,1]]]]", "wrong form"),
        (f"[[{T0},[[0,null]]]]", "wrong form"),
        (f"[[{10**15},[[0,1]]]]", "neither readings"),
        (f"[[{T0},[[0,1],[0,2]]]]", "1 readings"),
        ("[" * 100_000, "JSON"),
        ("[\x00", "JSON"),
    ],
)
def test_impossible_readings_are_set_aside(ledger: Ledger, payload: str, reason: str) -> None:
    commit(ledger, table(), data(raw_frame(0, payload)), data(frame(1, minutes(0, 2))))
    with ledger.reading() as connection:
        kept = connection.exec_driver_sql("SELECT reason FROM frames WHERE state = 'quarantined'").scalar()
    assert reason in str(kept)
    assert len(ledger.cells(POINT)) == 1


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (REGISTERS, b"hello", "not of the protocol"),
        (REGISTERS, b"\xff\xfe\x00", "not of the protocol"),
        (REGISTERS, b'{"v":9,"kind":"data"}', "data"),
        (REGISTERS, b"[" * 10_000, "nested"),
        (REGISTERS, b" " * (MAX_MESSAGE_BYTES + 1), "more than"),
        (REGISTERS, head(1, 5)[1], "does not belong"),
        (f"seiren/v1/{SITE}/{AGENT}/head", table()[1], "does not belong"),
        (f"seiren/v1/{SITE}/{AGENT}/nonsense", b"{}", "not a topic"),
    ],
)
def test_garbage_is_set_aside_with_its_reason_and_nothing_else_is_lost(
    ledger: Ledger, caplog: pytest.LogCaptureFixture, topic: str, payload: bytes, reason: str
) -> None:
    for _ in range(2):
        commit(ledger, table(), (topic, payload), data(frame(0, minutes(0, 3))))
    (kept,) = ledger.quarantined()
    assert (kept.source, kept.times) == (topic, 2)
    assert reason in kept.reason
    assert payload.startswith(kept.raw)
    assert len(kept.raw) <= 65_536
    (count,) = ledger.counts()
    assert count.stored == 3
    assert [reason in record.getMessage() for record in caplog.records if "set aside" in record.msg] == [True]


def test_a_table_that_lies_is_set_aside(ledger: Ledger) -> None:
    for rows in (
        (point_row(POINT, scale="abc"),),
        (point_row(POINT, scale="1e99999999"),),
        (point_row(POINT, scale="1/0"),),
        (point_row("no point"),),
    ):
        commit(ledger, table(PointTable(rows)))
    commit(ledger, (table()[0], encode(Table.model_construct(digest="0" * 32, points=TABLE.rows))))
    assert len(ledger.quarantined()) == 5
    assert ledger.table(TABLE.digest) is None


def test_frames_wait_raw_for_their_table(ledger: Ledger) -> None:
    way = intake(ledger)
    one = frame(0, minutes(0, 5))
    answers = way.commit(way.sort([data(one)]), LIFE)
    assert acked(list(answers)) == {one.id}
    needs = [answer.message.need for answer in answers if isinstance(answer.message, Ack)]
    assert needs == [(TABLE.digest,)]
    assert ledger.points() == ()
    (before,) = ledger.counts()
    commit(ledger, table())
    assert [row[1] for row in ledger.cells(POINT)[0].readings] == [1000, 1003, 1006, 1009, 1012]
    assert ledger.counts() == (before,)


def test_another_sites_meter_is_not_believed(ledger: Ledger) -> None:
    way = intake(ledger, {METER: "shiomi"})
    way.commit(way.sort([table(), data(frame(0, minutes(0, 5)))]), LIFE)
    assert ledger.points() == ()
    (count,) = ledger.counts()
    assert count.quarantined == 5
    with ledger.reading() as connection:
        kept = connection.exec_driver_sql("SELECT reason FROM frames").scalar()
    assert "belongs to site shiomi" in str(kept)


def test_an_epoch_belongs_to_the_topic_it_first_came_on(ledger: Ledger) -> None:
    way = intake(ledger)
    commit(ledger, table(), data(frame(0, minutes(0, 5))))
    stolen = frame(1, minutes(5, 5), agent="other")
    answers = way.commit(way.sort([data(stolen)]), LIFE)
    refused = [answer.message.refused for answer in answers if isinstance(answer.message, Ack)]
    assert refused == [((stolen.id, "epoch of another agent"),)]
    assert len(ledger.cells(POINT)[0].readings) == 5


def test_agents_events_are_kept_once(ledger: Ledger) -> None:
    payload = '[{"event":"clock_step","time_ms":' + str(T0) + ',"by_ms":400.5,"text":"\\ud800\\u0000"}]'
    for _ in range(2):
        commit(ledger, table(), data(raw_frame(0, payload)))
    with ledger.reading() as connection:
        events = connection.exec_driver_sql("SELECT kind, time_ms, agent FROM events").all()
    assert events == [("clock_step", T0, AGENT)]


def samples(index: int, count: int = 3) -> tuple[str, bytes]:
    readings = [taken(T0 + index * 1000 + i, 2301 + i, point=POWER) for i in range(count)]
    return data(frame(index, readings, lane=Lane.SAMPLES, table=GAUGES))


def test_samples_become_rows_before_they_are_committed(ledger: Ledger) -> None:
    way = intake(ledger)
    way.commit(way.sort([table(GAUGES, lane=Lane.SAMPLES)]), LIFE)
    decided = way.decide_samples(way.sort([samples(0)]), LIFE)
    assert decided.rows[0] == StoreRow(POWER, T0, None, 230.1, 0)
    assert [count.stored for count in ledger.counts()] == []
    answers = way.commit_samples(decided, [Rejection(decided.rows[0], "beyond the retention")])
    assert len(acked(list(answers))) == 1
    assert [count.stored for count in ledger.counts()] == [3]
    assert ledger.points() == ()
    (kept,) = ledger.quarantined()
    assert (kept.source, kept.reason) == ("the store", "beyond the retention")
    assert not way.decide_samples(way.sort([samples(0)]), LIFE).rows


def test_samples_wait_raw_for_their_table(ledger: Ledger) -> None:
    way = intake(ledger)
    first = way.decide_samples(way.sort([samples(0)]), LIFE)
    assert not first.rows
    way.commit_samples(first, ())
    commit(ledger, table(GAUGES))  # on the other lane: the samples still have to go to the store first
    assert [count.stored for count in ledger.counts()] == [3]
    late = way.decide_samples(way.sort([]), LIFE)
    assert [row.value for row in late.rows] == [230.1, 230.2, 230.3]
    way.commit_samples(late, ())
    assert not way.decide_samples(way.sort([]), LIFE).rows
    assert [count.stored for count in ledger.counts()] == [3]


def test_a_bad_sample_has_no_value(ledger: Ledger) -> None:
    way = intake(ledger)
    way.commit(way.sort([table(GAUGES, lane=Lane.SAMPLES)]), LIFE)
    readings = [
        taken(T0, None, point=POWER, quality=2),
        taken(T0 + 1, Decimal("7.5"), point=POWER, quality=1),
    ]
    message = data(frame(0, readings, lane=Lane.SAMPLES, table=GAUGES))
    rows = list(way.decide_samples(way.sort([message]), LIFE).rows)
    assert rows == [StoreRow(POWER, T0, None, None, 2), StoreRow(POWER, T0 + 1, None, 0.75, 1)]


def test_two_lanes_raise_one_head(ledger: Ledger) -> None:
    """A decision about samples may be older than a head that was committed meanwhile."""
    way = intake(ledger)
    way.commit(way.sort([table(GAUGES, lane=Lane.SAMPLES)]), LIFE)
    decided = way.decide_samples(way.sort([samples(0)]), LIFE)
    lane = LaneHead(EPOCH, 5, 15, 15)
    commit(ledger, (f"seiren/v1/{SITE}/{AGENT}/head", encode(Head(lanes={Lane.SAMPLES: lane}))))
    way.commit_samples(decided, ())
    (count,) = ledger.counts()
    assert (count.taken, count.stored, count.frames) == (15, 3, 5)
