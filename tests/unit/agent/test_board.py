"""What the board shows: states, the day's first value, and lateness in figures."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agent.board import DeviceState
from agent.readings import Scan, Shape
from core.delivery.frames import Lane
from core.delivery.payload import BAD
from tests.unit.agent.virtual import board_at

SHAPE = Shape(("M.energy", "M.power"), (False, False))
MIDNIGHT_MS = int(datetime(2024, 2, 1, 15, tzinfo=UTC).timestamp() * 1000)  # 2 February in Japan
HOUR_MS = 3_600_000


def test_a_point_shows_its_last_value_and_the_first_of_the_sites_day() -> None:
    board = board_at(MIDNIGHT_MS - 2 * HOUR_MS)
    device = board.devices["M"] = DeviceState(
        "M", "192.0.2.7 unit 1", "192.0.2.7", reasons={"M.power": "stale"}
    )
    for hour in range(-2, 4):
        time_ms = MIDNIGHT_MS + hour * HOUR_MS + 30_000
        board.show(device, [Scan(SHAPE, time_ms, [100 + hour, 7], [0, 1])])
        points = board.points
        assert points["M.energy"].value == 100 + hour
        assert points["M.energy"].midnight_value == (98 if hour < 0 else 100)
    assert points["M.energy"].midnight_ms == MIDNIGHT_MS + 30_000
    assert (points["M.power"].quality, points["M.power"].reason) == (1, "stale")


def test_a_device_that_is_read_in_other_blocks_shows_each_point_once() -> None:
    board = board_at(0)
    device = board.devices["M"] = DeviceState("M", "", "")
    board.show(device, [Scan(SHAPE, 1, [1, 2])])
    parts = [Shape(("M.energy",), (False,)), Shape(("M.power",), (False,))]
    board.show(device, [Scan(parts[0], 2, [3]), Scan(parts[1], 2, [None])])
    assert len(device.blocks) == 2
    assert board.points["M.energy"].value == 3
    assert (board.points["M.power"].quality, board.points["M.power"].reason) == (BAD, "no value")


@pytest.mark.parametrize(
    ("late", "p50", "p99", "most"),
    [
        ([], 0, 0, 0),
        ([7], 7, 7, 7),
        (list(range(100)), 49, 98, 99),
        ([3] * 99 + [5_000], 3, 3, 5_000),
        ([3] * 50 + [5_000] * 50, 3, 5_000, 5_000),
        ([10**7], 10**7, 10**7, 10**7),
    ],
)
def test_lateness_in_figures(late: list[int], p50: int, p99: int, most: int) -> None:
    lateness = board_at(0).lateness
    for each in late:
        lateness.add(Lane.SAMPLES, each)
    assert lateness.p50 == pytest.approx(p50, abs=64 if p50 > 1_000 else 0)
    assert lateness.p99 == pytest.approx(p99, abs=64 if p99 > 1_000 else 0)
    assert lateness.max == most
    assert lateness.counts[Lane.SAMPLES] == len(late)


def test_old_lateness_is_let_go_after_an_hour_or_two() -> None:
    board = board_at(0)
    board.lateness.add(Lane.SAMPLES, 900)
    board.turn(HOUR_MS - 1)
    board.turn(HOUR_MS)
    board.lateness.add(Lane.SAMPLES, 3)
    assert board.lateness.max == 900
    board.turn(2 * HOUR_MS)
    board.turn(2 * HOUR_MS)
    assert (board.lateness.p99, board.lateness.max) == (3, 3)
    assert board.lateness.counts[Lane.SAMPLES] == 2
