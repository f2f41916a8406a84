"""What the ledger costs: its size, a month's statement with few and with many years kept, and what goes in.

Run it as ``.venv/bin/python bench/ledger.py`` on a machine that does nothing else. Prints JSON. Registers are
read each minute. The month that is asked for, and the days around it, are whole; of the other years one cell
in eight is there, with bytes like any other, and sizes are extrapolated from the bytes that a cell takes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from collector.evidence.archive import export
from collector.evidence.looking import look_at_evidence
from collector.figures import statement_for
from collector.ledger import Ledger
from collector.ledger.tables import cells as cells_table
from config.hq import HqConfig, load_hq
from core.carbon.statement import to_json
from core.metering.cells import Cell
from core.metering.counters import counter_of_cells, counter_spec
from core.metering.energy import energy
from core.runtime.loops import collect_garbage_seldom
from core.timeline import HALF_HOUR_MS, Interval, add_months, month

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bench.ingest import LOADS, batches, measured, take
from collector.stores.sqlite import SqliteStore

MONTH = "2024-02"
COUNTERS = 500
YEARS = 5
CELLS_PER_YEAR = 17_532
ONE_IN = 8
MINUTE_MS = 60_000
DAY_MS = 86_400_000
CONTEXT_MS = 10 * DAY_MS
STEP = 40

_METER = """\
      - id: AOB-{number:03d}
        name: {{ja: 計器{number}, en: meter {number}}}
        quantity: active_energy_import
        current: ac{parent}
        installations:
          - {{from: 2015-04-01, serial: SYN-{number}, wh_per_count: "10", side: primary, full_scale_kw: "60"}}
"""
_HQ = """\
company: {{ja: 青葉製錬, en: Aoba Metals}}
synthetic: SYNTHETIC
broker: {{host: 127.0.0.1, port: 1}}
electricity_factor: industry_adjusted
sites:
  - id: aoba
    name: {{ja: 青葉製錬所, en: Aoba works}}
    time_zone: Asia/Tokyo
    boundary: [AOB-000]
    meters:
{meters}"""


def works(folder: Path, meters: int) -> HqConfig:
    """Write down a site: an intake and what is behind it."""
    parents = ["", *["\n        parent: AOB-000"] * (meters - 1)]
    rows = "".join(_METER.format(number=number, parent=parent) for number, parent in enumerate(parents))
    (folder / "hq.yaml").write_text(_HQ.format(meters=rows), encoding="utf-8")
    return load_hq(folder)


def registers(point: str, span: Interval, dice: Random) -> Iterator[dict[str, object]]:
    """Yield the cells of a register that is read each minute."""
    count = dice.randrange(10**7)
    for start_ms in range(span.start_ms, span.end_ms, HALF_HOUR_MS):
        times = tuple(range(start_ms + 480, start_ms + HALF_HOUR_MS, MINUTE_MS))
        counts = []
        for _ in times:
            count += dice.randrange(STEP)
            counts.append(count)
        yield {
            "point": point,
            "start_ms": start_ms,
            "data": Cell(point, start_ms, times, tuple(counts)).pack(),
        }


def filler(point: str, span: Interval, like: bytes) -> Iterator[dict[str, object]]:
    """Yield cells as large as any, of times that nothing asks about."""
    for start_ms in range(span.start_ms, span.end_ms, ONE_IN * HALF_HOUR_MS):
        yield {"point": point, "start_ms": start_ms, "data": like}


def fill(ledger: Ledger, hq: HqConfig, years: float) -> int:
    """Fill a ledger with years up to the month, and the days after it; return its cells [1]."""
    (site,) = hq.sites
    asked = month(MONTH, site.time_zone)
    dense = Interval(asked.start_ms - CONTEXT_MS, asked.end_ms + CONTEXT_MS)
    first_ms = dense.start_ms - round(years * CELLS_PER_YEAR) * HALF_HOUR_MS
    made = 0
    for number, meter in enumerate(site.meters):
        rows = list(registers(meter.point, dense, Random(number)))
        like = rows[0]["data"]
        assert isinstance(like, bytes)
        rows += filler(meter.point, Interval(first_ms, dense.start_ms), like)
        with ledger.writing() as connection:
            connection.execute(cells_table.insert(), rows)
        made += len(rows)
    return made


@contextmanager
def timed(into: dict[str, object], name: str) -> Iterator[None]:
    """Note how long a block takes, on the clock and on the processor [s]."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    yield
    into[f"{name}_s"] = round(time.perf_counter() - wall_s, 3)
    into[f"{name}_cpu_s"] = round(time.process_time() - cpu_s, 3)


def statements(folder: Path, meters: int, years: float) -> dict[str, object]:
    """Return what a month's statement costs with some years kept: the first one, and those after it."""
    hq = works(folder, meters)
    ledger = Ledger.open(folder, create=True)
    made = fill(ledger, hq, years)
    ledger.close()
    found: dict[str, object] = {"meters": meters, "years_kept": years, "cells": made}
    found["bytes_per_cell"] = round((folder / "ledger.sqlite").stat().st_size / made, 1)
    ledger = Ledger.open(folder)
    with timed(found, "first_statement"):
        first = statement_for(ledger, hq, MONTH)
    runs = []
    for _ in range(3):
        run: dict[str, object] = {}
        with timed(run, "statement"):
            again = statement_for(ledger, hq, MONTH)
        runs.append(run)
    found |= min(runs, key=lambda run: str(run["statement_cpu_s"]).rjust(9))
    assert to_json(first) == to_json(again)
    with ledger.reading() as connection:
        kept = connection.exec_driver_sql("SELECT count(*), sum(length(data)) FROM thinned").one()
    found["thinned_days"], found["thinned_bytes"] = kept
    ledger.close()
    return found


def recomputed(folder: Path, hq: HqConfig) -> dict[str, object]:
    """Return how fast a site's month is made from its cells alone."""
    (site,) = hq.sites
    asked = month(MONTH, site.time_zone)
    ledger = Ledger.open(folder)
    found: dict[str, object] = {"meters": len(site.meters)}
    readings = 0
    with ledger.reading() as connection, timed(found, "month"):
        for meter in site.meters:
            rows = connection.execute(
                cells_table.select().where(
                    cells_table.c.point == meter.point,
                    cells_table.c.start_ms >= asked.start_ms - HALF_HOUR_MS,
                    cells_table.c.start_ms <= asked.end_ms,
                )
            )
            near = [Cell.unpack(meter.point, row.start_ms, row.data) for row in rows]
            installed = meter.dated(site.time_zone)
            counter = counter_of_cells(near, counter_spec(meter.point, installed))
            assert energy(counter, installed, asked).wh is not None
            readings += len(counter.times_ms)
    ledger.close()
    cpu_s = found["month_cpu_s"]
    assert isinstance(cpu_s, float)
    return found | {"readings": readings, "readings_per_cpu_s": round(readings / cpu_s)}


async def taken_in(folder: Path) -> dict[str, object]:
    """Return how fast batches of registers are committed, with fsync, and what the ledger then weighs."""
    load = LOADS[0]
    table = load.table()
    sent = list(batches(load, table))
    ledger = Ledger.open(folder, create=True)
    store = SqliteStore(folder / "readings.sqlite")
    await store.open()
    readings = sum(count for count in (load.readings,))
    cost = await measured(readings, take(ledger, store, table, load.lane, sent))
    await store.close()
    with ledger.reading() as connection:
        held = connection.exec_driver_sql("SELECT sum(n), count(*) FROM frames").one()
    ledger.close()
    facts: dict[str, object] = dict(cost.facts())
    return facts | {
        "frames": held[1],
        "batches": len(sent),
        "file_bytes": (folder / "ledger.sqlite").stat().st_size,
    }


def evidence(folder: Path, hq: HqConfig) -> dict[str, object]:
    """Return what exporting and verifying a month's evidence costs."""
    found: dict[str, object] = {"meters": len(hq.sites[0].meters)}
    ledger = Ledger.open(folder)
    archive = folder / "evidence.zip"
    with timed(found, "export"):
        export(ledger, hq, MONTH, archive)
    ledger.close()
    with timed(found, "verify"):
        _, wrong = look_at_evidence(archive, "")
    assert not wrong, wrong
    return found | {"archive_bytes": archive.stat().st_size}


def main() -> None:
    """Do all of it and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meters", type=int, default=200, metavar="N", help="meters of the statement")
    parser.add_argument("--evidence-meters", type=int, default=20, metavar="N", help="meters of the evidence")
    chosen = parser.parse_args()
    collect_garbage_seldom()
    seen: dict[str, object] = {"python": platform.python_version(), "machine": platform.machine()}
    with tempfile.TemporaryDirectory() as temporary:

        def room(name: str) -> Path:
            made = Path(temporary) / name
            made.mkdir()
            return made

        parts: dict[str, Callable[[], dict[str, object]]] = {
            "month_statement_1_year": lambda: statements(room("one"), chosen.meters, 1),
            "month_statement_5_years": lambda: statements(room("five"), chosen.meters, YEARS),
            "site_month_from_cells": lambda: recomputed(Path(temporary) / "one", works(room("hq"), 20)),
            "insert": lambda: asyncio.run(taken_in(room("insert"))),
        }
        for name, part in parts.items():
            seen[name] = part()
        small = room("evidence")
        statements(small, chosen.evidence_meters, 0)
        seen["evidence_of_a_month"] = evidence(small, load_hq(small))
        seen["extrapolated"] = extrapolated(seen)
        seen["peak_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(seen, indent=1))


def extrapolated(seen: dict[str, object]) -> dict[str, object]:
    """Return the size of a ledger of many counters and years, from the bytes that a cell takes in it."""
    measured_there = seen["month_statement_5_years"]
    assert isinstance(measured_there, dict)
    per_cell = measured_there["bytes_per_cell"]
    cells = COUNTERS * YEARS * CELLS_PER_YEAR
    return {
        "counters": COUNTERS,
        "years": YEARS,
        "cells": cells,
        "cells_bytes": round(cells * per_cell),
        "how": f"{per_cell} bytes a cell of 30 readings, with its key and the tree's room, x cells",
        "until": add_months(MONTH, 1),
    }


if __name__ == "__main__":
    main()
