"""`seiren agent check` as a person uses it: what it prints and what it ends with."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import app
from core.errors import UsageError

CASES = Path(__file__).parents[2] / "cases" / "bad_configuration"

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
        "aoba-1 at aoba: good; 1 device, 1 register and 0 samples\n",
    )


def spoiled(config: Path, *changes: tuple[str, str]) -> Path:
    text = config.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    config.write_text(text, encoding="utf-8")
    return config


def test_all_mistakes_are_told_with_verdict_first_and_exit_code_last(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoiled(config, ("unit: 3", "unit: 0"), ("[active_energy_import]", "[active_energy_inport]"))
    monkeypatch.chdir(config.parent)
    result = CliRunner().invoke(app, ["check", "agent.yaml"])
    assert result.exit_code == 2
    shown = result.output.splitlines()
    assert shown[0] == "agent.yaml: 2 mistakes"
    assert shown[-1] == "exit 2: 2 mistakes to mend, an agent does not start with this file"
    assert [line for line in shown if line.startswith("where")] == [
        "where agent.yaml:10: devices[0].modbus.unit",
        "where agent.yaml:11: devices[0].points[0]",
    ]
    assert sum(line.startswith(("cause", "next")) for line in shown) == 4
    assert max(map(len, shown)) <= 80
    assert result.output.isascii()


def test_notes_are_told_and_the_file_is_good(config: Path) -> None:
    spoiled(config, ("active_energy_import", "active_power"))
    result = CliRunner().invoke(app, ["check", str(config)])
    assert result.exit_code == 0
    shown = result.output.splitlines()
    assert shown[0] == "aoba-1 at aoba: good; 1 device, 0 registers and 1 sample"
    assert shown[2] == "note  No counter of this device is read."


@pytest.mark.parametrize("connect", [[], ["--connect"]])
def test_mistakes_for_machines(config: Path, connect: list[str]) -> None:
    spoiled(config, ("unit: 3", "unit: 0"))
    result = CliRunner().invoke(app, ["check", str(config), "--format", "json", *connect])
    assert result.exit_code == 2
    told = json.loads(result.stdout)
    assert (told["good"], told["agent"], told["devices"], told["warnings"]) == (False, None, [], [])
    (problem,) = told["problems"]
    assert problem == {
        "file": str(config),
        "line": 10,
        "key": "devices[0].modbus.unit",
        "what": "The value must be at least 1: 0 is the broadcast, which no meter answers.",
        "seen": "0",
        "cause": "some gateways answer unit 0 with whatever meter comes first",
        "next": "write the number set at the meter, 1 to 247; 255 or 1 for one with an IP of its own",
    }


@pytest.mark.parametrize("content", [b"", b"a: [", b"\xff", None])
def test_what_is_no_configuration_is_told_to_machines_too(content: bytes | None, config: Path) -> None:
    config.unlink()
    if content is not None:
        config.write_bytes(content)
    result = CliRunner().invoke(app, ["check", str(config), "--format", "json"])
    assert result.exit_code == 2
    told = json.loads(result.stdout)
    assert not told["good"]
    assert all(problem["file"] == str(config) for problem in told["problems"])


def test_a_good_file_for_machines(config: Path) -> None:
    told = json.loads(CliRunner().invoke(app, ["check", str(config), "--format", "json"]).stdout)
    assert (told["good"], told["problems"], told["warnings"]) == (True, [], [])
    assert [(device["device"], device["profile"]) for device in told["devices"]] == [
        ("AOB-RCV-01", "schneider_pm5xxx")
    ]


def test_nothing_is_connected_without_being_asked(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("check touched the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert CliRunner().invoke(app, ["check", str(config)]).exit_code == 0


def test_a_profile_is_checked_by_itself(tmp_path: Path) -> None:
    good = CASES / "meter_x.yaml"
    result = CliRunner().invoke(app, ["check", "--profile", str(good)])
    assert result.exit_code == 0
    assert result.output.startswith("meter_x: Example, Meter X\n2 points;")
    path = tmp_path / "meter_x.yaml"
    path.write_text(
        good.read_text(encoding="utf-8").replace("unit: kWh", "unit: kW").replace("float32", "float"),
        encoding="utf-8",
    )
    result = CliRunner().invoke(app, ["check", "--profile", str(path), "--format", "json"])
    assert result.exit_code == 2
    assert "points.active_power.type" in [each["key"] for each in json.loads(result.stdout)["problems"]]


@pytest.mark.parametrize(
    "arguments", [[], ["agent.yaml", "--profile", "x.yaml"], ["--profile", "x", "--connect"]]
)
def test_what_is_to_be_checked_has_to_be_clear(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["check", *arguments])
    assert isinstance(result.exception, UsageError)
    assert "seiren agent check" in result.exception.next


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
