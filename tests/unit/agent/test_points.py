"""Point tables say what every count means; devices of one address share one socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.devices import open_sources
from agent.modbus.decode import BlockDecoder
from agent.modbus.plan import plan
from agent.points import TABLE_ROWS, point_tables, register_points
from config.agent import AgentConfig, Device, Modbus
from config.loading import load_agent, load_profile, profile_digest, profile_ids
from config.profile import ByteOrder, WordOrder
from core.delivery.frames import Lane
from core.delivery.messages import MAX_MESSAGE_BYTES, Table, encode

CASES = Path(__file__).parents[2] / "cases" / "bad_configuration"
CONFIG = """
agent: aoba-1
site: aoba
time_zone: Asia/Tokyo
broker: {host: 127.0.0.1}
required_ledgers: [hq]
devices:
  - {id: RCV, profile: siemens_pac3200, modbus: {host: 192.0.2.1, unit: 1}, side: secondary,
     points: [active_power, active_energy_import]}
  - {id: FUR, profile: abb_b23, modbus: {host: 192.0.2.1, unit: 2}}
  - id: CEL-DC
    opcua: {url: "opc.tcp://192.0.2.9:4840", security: none}
    nodes:
      - {quantity: dc_energy, namespace: "urn:rectifier", id: "s=Energy", unit: MWh, scale: "0.1",
         wrap_at: 100000}
      - {quantity: temperature, name: oil, node: "ns=2;i=7", unit: degC}
"""


def configured(tmp_path: Path) -> AgentConfig:
    path = tmp_path / "agent.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return load_agent(path)


def test_counters_travel_as_registers_and_gauges_as_samples(tmp_path: Path) -> None:
    tables = point_tables(configured(tmp_path))
    assert [row.point for row in tables.rows(Lane.REGISTERS)] == [
        "RCV.active_energy_import",
        "FUR.active_energy_import",
        "FUR.active_energy_export",
        "CEL-DC.dc_energy",
    ]
    assert [row.point for row in tables.rows(Lane.SAMPLES)][:2] == ["RCV.active_power", "FUR.voltage_l1n"]
    assert list(tables.rows(Lane.SAMPLES))[-1].point == "CEL-DC.oil"


def test_a_row_says_exactly_where_its_count_comes_from(tmp_path: Path) -> None:
    rows = list(point_tables(configured(tmp_path)).rows(Lane.REGISTERS))
    rcv, dc = rows[0], rows[-1]
    assert (rcv.quantity, rcv.unit, rcv.scale, rcv.side) == (
        "active_energy_import",
        "kWh",
        "0.001",
        "secondary",
    )
    assert rcv.register == "modbus 801+805 float64"
    assert (rcv.profile, rcv.profile_digest) == ("siemens_pac3200", profile_digest("siemens_pac3200"))
    assert (dc.unit, dc.scale, dc.resolution, dc.wrap_at, dc.side) == ("MWh", "0.1", "1", 100_000, "primary")
    assert dc.register == "opcua nsu=urn:rectifier;s=Energy"
    assert (dc.profile, dc.profile_digest) == ("", "")


def test_the_same_configuration_has_the_same_table_digest(tmp_path: Path) -> None:
    one, other = (point_tables(configured(tmp_path)).lanes[Lane.REGISTERS][0] for _ in range(2))
    assert one.digest == other.digest


def test_a_large_site_has_tables_that_travel_as_one_message_each(tmp_path: Path) -> None:
    device = "  - {{id: M-{n}, profile: abb_b23, modbus: {{host: h, port: 502, unit: {n}}}}}"
    devices = "\n".join(device.format(n=n) for n in range(1, 221))
    path = tmp_path / "agent.yaml"
    path.write_text(f"{CONFIG[: CONFIG.index('devices:')]}devices:\n{devices}\n", encoding="utf-8")
    tables = point_tables(load_agent(path))

    samples = tables.lanes[Lane.SAMPLES]
    assert [len(table.rows) <= TABLE_ROWS for table in samples] == [True] * 3
    assert len(list(tables.rows(Lane.SAMPLES))) == 220 * 10
    for table in samples:
        assert len(encode(Table(digest=table.digest, points=table.rows))) < MAX_MESSAGE_BYTES / 2
    for n in range(1, 221):
        held = tables.of(Lane.SAMPLES, f"M-{n}").index
        assert all(row.point in held for row in tables.rows(Lane.SAMPLES) if row.point.startswith(f"M-{n}."))


def test_the_spool_stands_beside_the_configuration(tmp_path: Path) -> None:
    assert configured(tmp_path).spool == tmp_path / "spool"


def test_units_behind_one_gateway_share_its_socket(tmp_path: Path) -> None:
    sources = open_sources(configured(tmp_path), now_ms=lambda: 0)
    assert set(sources) == {"RCV", "FUR", "CEL-DC"}
    assert sources["RCV"].bus == sources["FUR"].bus == "192.0.2.1:502"
    assert sources["RCV"].__dict__["_bus"] is sources["FUR"].__dict__["_bus"]
    assert sources["CEL-DC"].bus == "opc.tcp://192.0.2.9:4840"


GATEWAYS = """
gateways:
  east: {host: 192.0.2.1, max_registers: 20, connections: 2}
  line: {serial: /dev/serial/by-id/usb-1}
"""


def test_units_of_one_gateway_share_its_bus_and_others_have_their_own(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    config = CONFIG.replace("{host: 192.0.2.1, unit: 1}", "{gateway: east, unit: 1}")
    config = config.replace("{host: 192.0.2.1, unit: 2}", "{gateway: line, unit: 2}")
    more = "  - {id: FUR2, profile: abb_b23, modbus: {gateway: line, unit: 3}}\n"
    path.write_text(config + more + GATEWAYS, encoding="utf-8")
    sources = open_sources(load_agent(path), now_ms=lambda: 0)
    assert {id_: source.bus for id_, source in sources.items()} == {
        "RCV": "192.0.2.1:502",
        "FUR": "/dev/serial/by-id/usb-1",
        "FUR2": "/dev/serial/by-id/usb-1",
        "CEL-DC": "opc.tcp://192.0.2.9:4840",
    }
    assert sources["FUR"].__dict__["_bus"] is sources["FUR2"].__dict__["_bus"]
    learned = {id_: sources[id_].__dict__["learned"].limit for id_ in ("RCV", "FUR")}
    assert learned == {"RCV": 20, "FUR": 125}


PROFILE = """
id: meter_x
vendor: X
product: Y
trust: single_source
sources: [a manual]
function: 4
word_order: lsw_first
points:
  active_energy_import:
    {quantity: active_energy_import, unit: Wh, scale: "1", type: uint32,
     compose: [{address: 64, weight: 1000000000}, {address: 66}]}
  active_energy_export:
    {quantity: active_energy_export, unit: Wh, scale: "0.01", address: 12, type: uint32,
     not_available: 0xFFFFFFFF,
     scale_register: {address: 14, type: int16, exponents: [-2, 3], not_available: 0x8000}}
  frequency: {quantity: frequency, unit: Hz, scale: "1", address: 1, type: float32, function: 3,
     word_order: msw_first, byte_order: little}
"""


def test_a_profile_says_everything_that_is_needed_to_read_a_point(tmp_path: Path) -> None:
    (tmp_path / "meter_x.yaml").write_text(PROFILE, encoding="utf-8")
    path = tmp_path / "agent.yaml"
    path.write_text(CONFIG.replace("profile: abb_b23", "profile: ./meter_x.yaml"), encoding="utf-8")
    device = load_agent(path).devices[1]
    points = {point.point: point for lane in register_points(device).values() for point in lane}
    total, export, frequency = (
        points[f"FUR.{name}"] for name in ("active_energy_import", "active_energy_export", "frequency")
    )
    assert total.register == "modbus 64*1000000000+66 uint32"
    assert (total.function, total.word_order, total.byte_order) == (4, WordOrder.LSW_FIRST, ByteOrder.BIG)
    assert export.register == "modbus 12 uint32 scaled by 14"
    assert (export.not_available, export.start, export.end) == ((0xFFFFFFFF,), 12, 15)
    assert frequency.register == "modbus 1 float32"
    assert (frequency.function, frequency.word_order, frequency.byte_order) == (
        3,
        WordOrder.MSW_FIRST,
        ByteOrder.LITTLE,
    )


REGISTERS = {
    "abb_b23.active_energy_import": "modbus 20480 uint64",
    "schneider_pm5xxx.active_energy_import": "modbus 3203 int64",
    "siemens_pac3200.active_energy_export": "modbus 809+813 float64",
    "sunspec_201_204.active_energy_import": "modbus sunspec+46 uint32 scaled by 54",
}


def test_the_texts_of_registers_stay_what_ledgers_hold() -> None:
    for name, text in REGISTERS.items():
        profile, point = name.split(".")
        device = Device(id="D", profile=profile, modbus=Modbus(host="x", unit=1), points=(point,))
        (found,) = register_points(device)[Lane.REGISTERS]
        assert found.register == text


@pytest.mark.parametrize("profile", profile_ids())
def test_every_shipped_profile_can_be_planned(profile: str) -> None:
    device = Device(id="D", profile=profile, modbus=Modbus(host="x", unit=1))
    loaded = load_profile(profile)
    for points in register_points(device).values():
        for block in plan(points, gap=loaded.gap, limit=loaded.max_registers, forbidden=loaded.forbidden):
            assert BlockDecoder(block).shape.points


def test_a_profile_of_ones_own_stands_beside_the_configuration_and_travels_by_its_id(tmp_path: Path) -> None:
    (tmp_path / "meter_x.yaml").write_text(
        (CASES / "meter_x.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    path = tmp_path / "agent.yaml"
    path.write_text(CONFIG.replace("profile: abb_b23", "profile: ./meter_x.yaml"), encoding="utf-8")
    rows = point_tables(load_agent(path)).rows(Lane.REGISTERS)
    assert [(row.point, row.profile) for row in rows if row.point.startswith("FUR")] == [
        ("FUR.active_energy_import", "meter_x")
    ]
