"""The load of bench/drain.py: what a plant's meters hold, scanned on schedule. SYNTHETIC.

Registers: 125 meters of four counters, each meter once a minute at a phase of its own. Samples: 1,000
meters of ten gauges, each once a minute too. Frames are cut by the agent's own spool, in the groups in
which the agent makes them durable: registers of ten seconds, samples of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from agent.points import TABLE_ROWS
from agent.readings import Scan, Shape
from agent.spool import Spool
from core.delivery.frames import Lane
from core.delivery.tables import PointRow, PointTable

T0_MS = 1_706_713_200_000
MINUTE_MS = 60_000
SITE, AGENT = "aoba", "bench-1"


class _Meter(NamedTuple):
    """A meter: when in a minute it is scanned [ms], what it holds, and how that changes."""

    phase_ms: int
    shape: Shape
    values: list[int]
    steps: list[int]
    table: PointTable


class Load:
    """Readings of one lane.

    Parameters
    ----------
    lane
        Registers or samples.
    """

    def __init__(self, lane: Lane) -> None:
        registers = lane is Lane.REGISTERS
        meters, points = (125, 4) if registers else (1_000, 10)
        kind = "energy" if registers else "gauge"
        self.lane = lane
        self.readings_per_minute = meters * points
        self.group_ms = 10_000 if registers else 1_000
        self._random = random = Random(7)
        self._registers = registers
        rows: list[PointRow] = []
        drafts: list[tuple[int, Shape, list[int], list[int]]] = []
        for meter in range(meters):
            names = tuple(f"B-{lane[0]}{meter:04d}.{kind}_{place}" for place in range(points))
            rows += [
                PointRow(name, "q", "Wh", "10", "1", None, "primary", f"modbus {p} int32", "", "")
                for p, name in enumerate(names)
            ]
            begin = [random.randrange(10**6, 10**8) if registers else random.randrange(5_000) for _ in names]
            step = [random.choice((0, 1, 3, 20, 200)) for _ in names]
            drafts.append((random.randrange(MINUTE_MS), Shape(names, (False,) * points), begin, step))
        tables = [PointTable(tuple(rows[i : i + TABLE_ROWS])) for i in range(0, len(rows), TABLE_ROWS)]
        self._meters = [
            _Meter(*draft, tables[number * points // TABLE_ROWS]) for number, draft in enumerate(drafts)
        ]
        self._meters.sort(key=lambda meter: meter.phase_ms)

    def scans(self, from_ms: int, to_ms: int) -> Iterator[tuple[PointTable, Scan]]:
        """Yield the scans of less than a minute, in order of time; the values go on from call to call.

        Parameters
        ----------
        from_ms, to_ms
            Since the load's begin, within one minute [ms].
        """
        minute_ms = from_ms - from_ms % MINUTE_MS
        for meter in self._meters:
            if from_ms <= minute_ms + meter.phase_ms < to_ms:
                time_ms = T0_MS + minute_ms + meter.phase_ms + self._random.randrange(9)
                yield meter.table, Scan(meter.shape, time_ms, self._next(meter))

    def _next(self, meter: _Meter) -> tuple[int, ...]:
        """What the meter holds now: counters rise by about their step, gauges wander."""
        values, draw = meter.values, self._random.randrange
        for place, step in enumerate(meter.steps):
            if self._registers:
                values[place] += step + (draw(step) // 8 if step else 0)
            else:
                values[place] = max(0, values[place] + draw(-20, 21))
        return tuple(values)


async def write(spool: Spool, load: Load, from_ms: int, to_ms: int) -> None:
    """Have the spool make the readings of whole groups durable."""
    for start_ms in range(from_ms, to_ms, load.group_ms):
        for table, scan in load.scans(start_ms, start_ms + load.group_ms):
            spool.add(load.lane, table, (scan,))
        await spool.flush((load.lane,))
