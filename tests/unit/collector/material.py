"""Frames, messages and a headquarters for the collector's tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from collector.inbox import Message
from collector.intake import Intake
from collector.ledger import Ledger
from collector.ledger.activity import Brought
from collector.people import Who
from core.delivery import topics
from core.delivery.frames import Frame, Lane
from core.delivery.messages import Data, Head, LaneHead, Table, encode
from core.delivery.payload import TakenReading, encode_payload
from core.delivery.tables import PointRow, PointTable

SITE, AGENT = "aoba", "aoba-1"
EPOCH, LIFE = "e" * 32, "1" * 32
METER = "AOB-RCV-01"
POINT, POWER = f"{METER}.active_energy_import", f"{METER}.active_power"
T0 = 1_706_713_200_000  # 2024-02-01 00:00 JST
MINUTE_MS = 60_000

SATO = Who("sato", "sato@hq")
BROUGHT = Brought("lines.csv", "0" * 64, SATO, T0)

HQ = """\
company: {ja: 青葉製錬, en: Aoba Metals}
broker: {host: 127.0.0.1, port: 1}
electricity_factor: industry_adjusted
sites:
  - id: aoba
    name: {ja: 青葉製錬所, en: Aoba works}
    time_zone: Asia/Tokyo
    boundary: [AOB-RCV-01]
    meters:
      - id: AOB-RCV-01
        name: {ja: 受電点, en: intake}
        quantity: active_energy_import
        current: ac
        installations:
          - {from: 2020-10-01, serial: SYN-1, wh_per_count: "10", side: primary}
      - id: AOB-KLN-01
        name: {ja: キルン, en: kiln}
        quantity: active_energy_import
        current: ac
        parent: AOB-RCV-01
        process: kiln
        installations:
          - {from: 2020-10-01, serial: SYN-2, wh_per_count: "1", side: primary}
products:
  copper: {ja: 電気銅, en: copper}
"""


def point_row(point: str, *, unit: str = "Wh", scale: str = "10") -> PointRow:
    return PointRow(
        point=point,
        quantity=point.partition(".")[2],
        unit=unit,
        scale=scale,
        resolution="1",
        wrap_at=None,
        side="primary",
        register="modbus 1 int64",
        profile="",
        profile_digest="",
    )


TABLE = PointTable((point_row(POINT), point_row("AOB-KLN-01.active_energy_import", scale="1")))
GAUGES = PointTable((point_row(POWER, unit="W", scale="0.1"),))


def taken(time_ms: int, count: int | Decimal | None, *, point: str = POINT, quality: int = 0) -> TakenReading:
    return TakenReading(point, time_ms, count, quality)


def frame(
    index: int,
    readings: Sequence[TakenReading],
    *,
    lane: Lane = Lane.REGISTERS,
    table: PointTable = TABLE,
    epoch: str = EPOCH,
    agent: str = AGENT,
) -> Frame:
    return Frame(agent, lane, epoch, index, len(readings), table.digest, encode_payload(readings, table))


def raw_frame(index: int, payload: str, *, n: int = 1, lane: Lane = Lane.REGISTERS) -> Frame:
    return Frame(AGENT, lane, EPOCH, index, n, TABLE.digest, payload)


def data(*frames: Frame, site: str = SITE) -> Message:
    return topics.data(site, frames[0].agent, frames[0].lane), encode(Data.of(frames))


def table(points: PointTable = TABLE, *, lane: Lane = Lane.REGISTERS, site: str = SITE) -> Message:
    return topics.data(site, AGENT, lane), encode(Table(digest=points.digest, points=points.rows))


def head(frames: int, readings: int) -> Message:
    lane = LaneHead(EPOCH, frames, readings, readings)
    return topics.head(SITE, AGENT), encode(Head(lanes={Lane.REGISTERS: lane}))


def minutes(first: int, count: int) -> list[TakenReading]:
    """Readings of the intake, one a minute, 3 counts a minute."""
    return [taken(T0 + (first + i) * MINUTE_MS, 1000 + 3 * (first + i)) for i in range(count)]


def intake(ledger: Ledger, site_of_meter: dict[str, str] | None = None) -> Intake:
    return Intake(
        ledger, store_name="the store", site_of_meter=site_of_meter or {METER: SITE}, now_ms=lambda: T0
    )


def commit(ledger: Ledger, *batch: Message) -> None:
    """Take register messages into a ledger."""
    way = intake(ledger)
    way.commit(way.sort(batch), LIFE)


def folder_with(path: Path, hq: str = HQ) -> Path:
    """Make a ledger's folder."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "hq.yaml").write_text(hq, encoding="utf-8")
    return path


def contents(ledger: Ledger) -> Iterable[object]:
    """Everything that the cells' table holds."""
    with ledger.reading() as connection:
        return list(connection.exec_driver_sql("SELECT * FROM cells ORDER BY point, start_ms"))
