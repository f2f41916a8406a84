"""The load of bench/spool.py: 5,000 samples a second and 500 registers a minute. SYNTHETIC."""

from __future__ import annotations

import random
import struct

from agent.points import TABLE_ROWS
from agent.readings import Scan, Shape
from agent.spool.texts import ShapeTexts
from bench.drain_load.load import T0_MS, Load
from core.delivery.frames import Lane
from core.delivery.tables import PointRow, PointTable

BLOCKS, POINTS = 167, 30

Taken = tuple[Lane, PointTable, Scan]


class Plant:
    """The readings of each second: made before they are needed, so that making them costs nobody."""

    def __init__(self) -> None:
        draw = random.Random(11)
        self._registers = Load(Lane.REGISTERS)
        names = [tuple(f"S-{b:03d}.gauge_{p}" for p in range(POINTS)) for b in range(BLOCKS)]
        row = ("active_power", "W", "1", "1", None, "primary", "modbus 1 float32", "", "")
        rows = [PointRow(name, *row) for block in names for name in block]
        size = TABLE_ROWS // POINTS * POINTS
        tables = [PointTable(tuple(rows[at : at + size])) for at in range(0, len(rows), size)]
        self._tables = [tables[number * POINTS // size] for number in range(BLOCKS)]
        self._shapes = [Shape(block, (True,) * POINTS) for block in names]
        self._values = [
            [struct.unpack(">f", struct.pack(">f", draw.uniform(0, 400)))[0] for _ in range(POINTS)]
            for _ in range(4 * BLOCKS)
        ]

    def second(self, second: int) -> list[Taken]:
        """Return what is taken in a second of virtual time."""
        now_ms = T0_MS + 1000 * second
        taken: list[Taken] = [
            (
                Lane.SAMPLES,
                table,
                Scan(shape, now_ms + block, self._values[(7 * second + block) % (4 * BLOCKS)]),
            )
            for block, (table, shape) in enumerate(zip(self._tables, self._shapes, strict=True))
        ]
        scans = self._registers.scans(1000 * second, 1000 * second + 1000)
        return taken + [(Lane.REGISTERS, table, scan) for table, scan in scans]

    def payload_bytes(self, seconds: int) -> int:
        """Return the payload of the first seconds of the load [bytes]."""
        texts: dict[Shape, ShapeTexts] = {}
        return sum(
            len(group.text) + 1
            for second in range(1, seconds + 1)
            for _, table, scan in self.second(second)
            for group in (
                texts.get(scan.shape) or texts.setdefault(scan.shape, ShapeTexts(scan.shape, table))
            ).groups(scan)
        )
