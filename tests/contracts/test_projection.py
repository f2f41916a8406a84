"""Registers in every reading store: each is there once, and energy computed from it is the ledger's."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from collector.figures import energy_series
from collector.ledger import Ledger
from collector.projector import Projector
from collector.records import find_meters
from collector.stores.base import ReadingStore
from config.hq import load_hq
from core.metering.counters import build_counter, counter_spec
from core.metering.energy import series
from core.metering.readings import Quality, Reading
from core.timeline import Interval, half_hours
from tests.contracts.engines import Engine
from tests.unit.collector.material import (
    MINUTE_MS,
    POINT,
    T0,
    TABLE,
    commit,
    data,
    folder_with,
    frame,
    table,
    taken,
)

DAYS = 5


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(folder_with(tmp_path / "hq"), create=True)


async def test_half_hours_from_the_store_are_the_ledgers(
    tmp_path: Path, ledger: Ledger, store: ReadingStore, engine: Engine
) -> None:
    random, count = Random(7), 61_703_095
    readings = []
    for minute in range(-5, DAYS * 1440 + 5):
        count += random.randrange(40)
        quality = random.choices((0, 1, 2), (20, 1, 1))[0]
        if random.random() < 0.9:
            readings.append(taken(T0 + minute * MINUTE_MS, None if quality == 2 else count, quality=quality))
    frames = [frame(i, readings[i * 60 : i * 60 + 60]) for i in range((len(readings) + 59) // 60)]
    random.shuffle(frames)
    hq = load_hq(tmp_path / "hq")
    projector = Projector(ledger, store, hq, now_ms=lambda: T0)
    for first in range(0, len(frames), 25):
        commit(ledger, table(), *(data(each) for each in (*frames[first : first + 25], *frames[:3])))
        while await projector.step() or await projector.walk():
            pass

    whole = Interval(T0, T0 + DAYS * 1440 * MINUTE_MS)
    rows = await store.read(POINT, Interval(T0 - 10 * MINUTE_MS, whole.end_ms + 10 * MINUTE_MS))
    assert [(row.time_ms, row.count, row.quality) for row in rows] == [
        (each.time_ms, each.count, each.quality) for each in readings
    ]

    ((site, meter),) = find_meters(hq, POINT)
    found = (Reading(POINT, row.time_ms, row.count, Quality(row.quality)) for row in rows)
    counter = build_counter(found, counter_spec(meter.point, meter.dated(site.time_zone)))
    cuts = half_hours(whole)
    from_store = [each.wh for each in series(counter, meter.dated(site.time_zone), cuts)]
    from_ledger = energy_series(ledger, hq, site, meter, cuts)
    assert from_store == [each.wh for each in from_ledger]
    assert None not in from_store
    assert [(row.wh, row.unproven_wh, row.origin) for row in await engine.energies(POINT, whole)] == [
        (each.wh, each.unproven_wh, each.origin.value) for each in from_ledger
    ]
    assert ledger.table(TABLE.digest) == TABLE
    ledger.close()
