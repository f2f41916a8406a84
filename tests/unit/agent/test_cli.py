"""`seiren agent check` as a person uses it: what it prints and what it ends with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import app
from core.errors import ConfigError

CONFIG = """
agent: aoba-1
site: aoba
time_zone: Asia/Tokyo
broker: {{host: 127.0.0.1, port: {broker}}}
required_ledgers: [hq]
devices:
  - id: AOB-RCV-01
    profile: schneider_pm5xxx
    modbus: {{host: 127.0.0.1, port: {meter}, unit: 3, timeout_s: 0.2}}
    points: [active_energy_import]
"""


@pytest.fixture
def config(tmp_path: Path, free_port: Callable[[], int]) -> Path:
    path = tmp_path / "agent.yaml"
    path.write_text(CONFIG.format(broker=free_port(), meter=free_port()), encoding="utf-8")
    return path


def test_a_good_configuration_is_said_to_be_good(config: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(config)])
    assert (result.exit_code, result.output) == (
        0,
        "aoba-1 at aoba: good; 1 devices, 1 registers and 0 samples\n",
    )


def test_a_wrong_one_is_the_error_that_the_front_door_renders(config: Path) -> None:
    config.write_text(config.read_text(encoding="utf-8").replace("unit: 3", "unit: 0"), encoding="utf-8")
    result = CliRunner().invoke(app, ["check", str(config)])
    assert isinstance(result.exception, ConfigError)
    assert result.exception.where == f"{config}:10: devices[0].modbus.unit"


def test_silent_meter_and_broker_end_with_3_and_are_both_told(config: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(config), "--connect"])
    assert result.exit_code == 3
    assert result.output.count("FAULT") == 2
    assert result.output.endswith("2 of 2 do not answer (exit 3)\n")
    assert all(len(line) <= 100 for line in result.output.splitlines())


def test_the_same_for_machines(config: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(config), "--connect", "--format", "json"])
    assert result.exit_code == 3
    report = json.loads(result.stdout)
    assert report["devices"][0]["device"] == "AOB-RCV-01"
    assert report["devices"][0]["fault"]["seen"] == "Connection refused"
    assert report["broker_fault"]["what"] == "The broker does not welcome us"
