"""Point tables say what every count means; devices of one address share one socket."""

from __future__ import annotations

from pathlib import Path

from agent.devices import open_sources
from agent.points import point_tables
from config.agent import AgentConfig
from config.loading import load_agent, profile_digest
from core.delivery.frames import Lane

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
    assert [row.point for row in tables[Lane.REGISTERS].rows] == [
        "RCV.active_energy_import",
        "FUR.active_energy_import",
        "FUR.active_energy_export",
        "CEL-DC.dc_energy",
    ]
    assert [row.point for row in tables[Lane.SAMPLES].rows][:2] == ["RCV.active_power", "FUR.voltage_l1n"]
    assert tables[Lane.SAMPLES].rows[-1].point == "CEL-DC.oil"


def test_a_row_says_exactly_where_its_count_comes_from(tmp_path: Path) -> None:
    rows = point_tables(configured(tmp_path))[Lane.REGISTERS].rows
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
    one, other = (point_tables(configured(tmp_path))[Lane.REGISTERS] for _ in range(2))
    assert one.digest == other.digest


def test_the_spool_stands_beside_the_configuration(tmp_path: Path) -> None:
    assert configured(tmp_path).spool == tmp_path / "spool"


def test_units_behind_one_gateway_share_its_socket(tmp_path: Path) -> None:
    sources = open_sources(configured(tmp_path), now_ms=lambda: 0)
    assert set(sources) == {"RCV", "FUR", "CEL-DC"}
    assert sources["RCV"].__dict__["_line"] is sources["FUR"].__dict__["_line"]


def test_a_profile_of_ones_own_stands_beside_the_configuration_and_travels_by_its_id(tmp_path: Path) -> None:
    (tmp_path / "meter_x.yaml").write_text(
        (CASES / "meter_x.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    path = tmp_path / "agent.yaml"
    path.write_text(CONFIG.replace("profile: abb_b23", "profile: ./meter_x.yaml"), encoding="utf-8")
    rows = point_tables(load_agent(path))[Lane.REGISTERS].rows
    assert [(row.point, row.profile) for row in rows if row.point.startswith("FUR")] == [
        ("FUR.active_energy_import", "meter_x")
    ]
