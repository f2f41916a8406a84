"""Small ledgers on disk, with the shipped works' configuration."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from importlib import resources
from pathlib import Path

from sqlalchemy import insert

from collector.ledger import Ledger, cells
from collector.ledger.tables import frames, streams
from config.hq import load_hq
from core.carbon.activity import FuelLine, ProductionLine
from core.metering.cells import cells_of
from core.metering.quantities import Unit
from core.metering.readings import Quality, Reading
from core.timeline import half_hours, month
from tests.unit.collector.material import BROUGHT


def folder(path: Path) -> Path:
    """Return a folder with the shipped works' ``hq.yaml`` and an empty ledger."""
    shipped = resources.files("config") / "sites" / "demo" / "hq.yaml"
    (path / "hq.yaml").write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    Ledger.open(path, create=True).close()
    return path


PER_HALF_HOUR = {
    "AOB-RCV-01": 313,  # 48 kWh each
    "AOB-FUR-01": 11_000_000,  # 1 Wh each
    "AOB-CEL-01": 13,  # 180 kWh each
    "AOB-CEL-DC": 2_270_000,  # 1 Wh each
    "AOB-KLN-01": 915_000,  # 1 Wh each
    "AOB-UTL-01": 383,  # 1.8 kWh each
}
"""What each meter of the shipped works counts here in half an hour [counts]."""


def fill(path: Path, *months: str) -> None:
    """Read every meter on both sides of each half-hour of some months, and hand in fuel and production."""
    (site,) = load_hq(path).sites
    ledger = Ledger.open(path)
    for text in months:
        boundaries_ms = half_hours(month(text, site.time_zone))
        for meter in site.meters:
            rows = ((at_ms, number * PER_HALF_HOUR[meter.id]) for number, at_ms in enumerate(boundaries_ms))
            add(
                ledger,
                (
                    Reading(meter.point, at_ms + margin_ms, count, Quality.GOOD)
                    for at_ms, count in rows
                    for margin_ms in (-2000, 2000)
                ),
            )
        for process in ("kiln", "boiler"):
            add_coal(ledger, process, date.fromisoformat(f"{text}-03"))
        ledger.add_production(
            (
                ProductionLine(
                    f"{made}-{text}", text, "aoba", made, Fraction(3000), Unit.T, "SYN-P", "p.csv:2"
                )
                for made in ("ferronickel", "copper")
            ),
            BROUGHT,
        )
    ledger.close()


def add_coal(ledger: Ledger, process: str, day: date) -> None:
    """Hand in a slip of 10 t of coal."""
    line = FuelLine(
        id=f"{day}-{process}",
        site="aoba",
        process=process,
        fuel="steam_coal_imported",
        date=day,
        quantity=Fraction(10),
        unit=Unit.T,
        document=f"SYN-{process}",
        source="fuel.csv:2",
    )
    ledger.add_fuel_lines([line], BROUGHT)


def add(ledger: Ledger, readings: Iterable[Reading]) -> None:
    """Put readings into the ledger as a frame does: its cells and its row in one transaction."""
    with ledger.writing() as connection:
        cells.merge(connection, cells_of(readings))
        stream = {"site": "aoba", "agent": "aoba-1", "lane": "registers", "epoch": secrets.token_hex(16)}
        told = {"frames": 1, "readings": 1, "linked": True, "clean": True, "finished": True}
        number = connection.execute(insert(streams).values(**stream, **told)).inserted_primary_key[0]  # type: ignore[index]  # a row was inserted
        frame = {"stream": number, "idx": 0, "n": 1, "id": secrets.token_bytes(16), "state": "held"}
        connection.execute(insert(frames).values(**frame, point_table="0" * 32))
