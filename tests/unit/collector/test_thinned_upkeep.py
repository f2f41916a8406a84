"""Thinned days are never older than their cells, on either database, whoever writes at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from threading import Event, Thread, Timer

import pytest

from collector.ledger import Ledger, cells
from collector.register_days import RegisterDays
from core.metering.cells import cells_of
from core.metering.readings import Reading
from core.metering.registers import CounterSpec, Register
from core.timeline import Interval

DAY_MS = 86_400_000
T0 = 1_706_745_600_000  # 2024-02-01 00:00 UTC
DAYS = [Interval(T0 + index * DAY_MS, T0 + (index + 1) * DAY_MS) for index in range(6)]
A, B = "AOB-RCV-01.active_energy_import", "AOB-KLN-01.active_energy_import"
WAIT_S = 20


def spec(point: str, counts_per_hour: int = 100) -> CounterSpec:
    return CounterSpec(point, (Register(counts_per_hour=Fraction(counts_per_hour)),))


@pytest.fixture
def filled(ledger: Ledger) -> Iterator[Ledger]:
    """Two points, read every ten minutes for six days, five of which are over."""
    merge(ledger, [row for point in (A, B) for row in rising(point)])
    assert keep(ledger, A) == keep(ledger, B) == 5
    yield ledger


def rising(point: str) -> Iterator[Reading]:
    for index, time_ms in enumerate(range(T0, DAYS[-1].end_ms, 600_000)):
        yield Reading(point, time_ms, 1_000 + index)


def merge(ledger: Ledger, readings: Sequence[Reading]) -> None:
    with ledger.writing() as connection:
        cells.merge(connection, cells_of(readings))


def keep(ledger: Ledger, point: str, before: Callable[[], None] = lambda: None) -> int:
    """Thin what is not thinned; return how many days the ledger has kept of it."""
    with ledger.reading() as connection:
        days = RegisterDays(connection)
        days.of(spec(point), DAYS, ())
    before()
    return days.keep(ledger)


def kept(ledger: Ledger) -> set[tuple[str, int]]:
    with ledger.reading() as connection:
        rows = connection.exec_driver_sql("SELECT point, day_ms FROM thinned").all()
    return {(point, (day_ms - T0) // DAY_MS) for point, day_ms in rows}


ALL = {(point, day) for point in (A, B) for day in range(5)}


def late(day: int, point: str = A) -> list[Reading]:
    """A reading between two others."""
    time_ms = DAYS[day].start_ms + 300_000
    return [Reading(point, time_ms, 1_000 + (time_ms - T0) // 600_000)]


def test_a_changed_cell_takes_its_own_day_away(filled: Ledger) -> None:
    assert kept(filled) == ALL
    merge(filled, late(2))
    assert kept(filled) == ALL - {(A, 2), (A, 1)}, "a day of 25 hours may have begun before"
    assert keep(filled, A) == 2
    assert keep(filled, A) == 0
    merge(filled, late(2))
    assert kept(filled) == ALL, "what was known changes nothing"


def test_many_changed_cells_take_all_their_days_away(filled: Ledger) -> None:
    merge(filled, [*late(0), *late(4), *late(4, B)])
    assert kept(filled) == ALL - {(A, 0), (A, 3), (A, 4), (B, 3), (B, 4)}


def test_what_was_thinned_from_older_cells_is_not_kept(filled: Ledger) -> None:
    merge(filled, late(3))
    assert keep(filled, A, before=lambda: merge(filled, late(3, A) + late(2, A))) == 1
    assert (A, 3) in kept(filled), "these cells were the same"
    assert (A, 2) not in kept(filled)


def test_a_writer_that_has_not_committed_yet_is_waited_for(filled: Ledger, place: Path | str) -> None:
    merge(filled, late(3))
    other = Ledger.open(place)
    inside, goes_on = Event(), Event()

    def write() -> None:
        with other.writing() as connection:
            cells.merge(connection, cells_of([Reading(A, DAYS[3].start_ms + 301_000, 1_432)]))
            inside.set()
            goes_on.wait(WAIT_S)

    def start() -> None:
        writer.start()
        assert inside.wait(WAIT_S)
        Timer(0.2, goes_on.set).start()  # by then the days are offered, and have to wait

    writer = Thread(target=write)
    keep(filled, A, before=start)
    writer.join(WAIT_S)
    other.close()
    assert (A, 3) not in kept(filled), "it was made without what the writer brought"
    assert keep(filled, A) >= 1
    with filled.reading() as connection:
        found = RegisterDays(connection).of(spec(A), DAYS, ())
        assert len(found.thinned) == 6


def test_a_register_of_another_kind_is_thinned_again(filled: Ledger) -> None:
    with filled.reading() as connection:
        days = RegisterDays(connection)
        days.of(spec(A, 200), DAYS, ())
        assert len(days.made) == 5
    assert days.keep(filled) == 5
    assert kept(filled) == ALL
