"""A frame's id names exactly its contents."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.delivery.frames import Frame, Lane, block_digest
from core.delivery.tables import PointTable
from core.errors import WireError
from tests.unit.core.delivery.machine import POINTS

FRAME = Frame("aoba-1", Lane.REGISTERS, "e" * 32, 0, 1, "f" * 32, "[[1,[[0,1]]]]")


@pytest.mark.parametrize(
    "change",
    [
        {"agent": "aoba-2"},
        {"lane": Lane.SAMPLES},
        {"epoch": "d" * 32},
        {"index": 1},
        {"n": 2},
        {"table": "d" * 32},
        {"payload": "[[1,[[0,2]]]]"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_content_is_another_id(change: dict[str, object]) -> None:
    assert replace(FRAME, **change).id != FRAME.id  # type: ignore[arg-type]  # each change fits its field
    assert replace(FRAME).id == FRAME.id


def test_fields_cannot_run_into_each_other() -> None:
    assert replace(FRAME, index=1, n=11).id != replace(FRAME, index=11, n=1).id


@pytest.mark.parametrize(
    "change",
    [{"agent": "a/b"}, {"agent": "a\n"}, {"epoch": "E" * 32}, {"table": "f" * 31}, {"index": -1}, {"n": 0}],
)
def test_impossible_frames_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(WireError):
        replace(FRAME, **change)  # type: ignore[arg-type]  # wrong values, right types


def test_a_block_digest_depends_on_the_order() -> None:
    assert block_digest(bytes(16) + bytes([1] * 16)) != block_digest(bytes([1] * 16) + bytes(16))


def test_a_point_table_is_named_by_every_fact_in_it_and_their_order() -> None:
    row, other = POINTS.rows
    assert PointTable((row, other)).digest == POINTS.digest
    assert PointTable((other, row)).digest != POINTS.digest
    assert PointTable((replace(row, scale="10"), other)).digest != POINTS.digest
    with pytest.raises(ValueError, match="twice"):
        PointTable((row, row))
