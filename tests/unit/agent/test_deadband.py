"""A gauge is reported when it moved, when its quality changed, and now and then."""

from __future__ import annotations

from agent.deadband import Deadband
from agent.readings import Scan, Shape, Value
from core.delivery.payload import BAD, GOOD

SHAPE = Shape(("M.power", "M.voltage"), (True, True))


def reported(rows: list[tuple[int, Value, Value]], qualities: list[int] | None = None) -> list[list[str]]:
    band = Deadband({"M.power": 10.0}, 60_000)
    found = []
    for time_ms, *values in rows:
        scan = Scan(SHAPE, time_ms, values, qualities)
        assert band.select(scan)
        found.append([reading.point[2:] for reading in scan.readings()])
    return found


def test_within_its_deadband_of_what_was_last_reported_a_gauge_is_left_out() -> None:
    rows: list[tuple[int, Value, Value]] = [(0, 100, 1), (1, 109.9, 1), (2, 110, 1), (3, 101, 1), (4, 100, 1)]
    assert [("power" in row) for row in reported(rows)] == [True, False, True, False, True]
    assert all("voltage" in row for row in reported(rows)), "it has no deadband"


def test_a_slow_drift_is_reported_once_it_is_as_large_as_the_deadband() -> None:
    rows: list[tuple[int, Value, Value]] = [(at, 100 + at, 1) for at in range(31)]
    assert sum("power" in row for row in reported(rows)) == 4


def test_it_is_reported_at_least_so_often() -> None:
    rows: list[tuple[int, Value, Value]] = [(at * 20_000, 100, 1) for at in range(10)]
    assert [at for at, row in enumerate(reported(rows)) if "power" in row] == [0, 3, 6, 9]


def test_a_change_of_quality_is_always_reported() -> None:
    rows: list[tuple[int, Value, Value]] = [(0, 100, 1), (1, None, 1), (2, None, 1), (3, 100, 1)]
    assert [("power" in row) for row in reported(rows)] == [True, True, False, True]
    band, found = Deadband({"M.power": 10.0}, 60_000), list[bool]()
    for time_ms, quality in enumerate([GOOD, BAD, BAD, GOOD]):
        scan = Scan(SHAPE, time_ms, [100, 1], [quality, GOOD])
        band.select(scan)
        found.append(0 in (scan.taken or ()))
    assert found == [True, True, False, True]


def test_a_scan_of_which_nothing_moved_is_not_reported_and_one_without_deadbands_is_untouched() -> None:
    band, shape = Deadband({"M.power": 10.0}, 60_000), Shape(("M.power",), (True,))
    assert band.select(Scan(shape, 0, [1.0]))
    assert not band.select(Scan(shape, 1, [2.0]))
    other = Scan(Shape(("M.frequency",), (True,)), 2, [50.0])
    assert band.select(other)
    assert other.taken is None
