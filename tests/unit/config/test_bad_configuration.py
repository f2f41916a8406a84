"""Every mistake of tests/cases/bad_configuration is refused with file, line, key and a useful sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.setup.findings import find_in_agent
from config.documents import DocumentError, load_yaml
from config.loading import load_hq
from config.profile import Profile
from core.errors import ConfigError

FOLDER = Path(__file__).parents[2] / "cases" / "bad_configuration"
CASES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "cases.yaml").read_text(encoding="utf-8"))
MISTAKES = [case for case in CASES if case.get("kind") != "warning"]
WARNINGS = [case for case in CASES if case.get("kind") == "warning"]


def spoiled(case: dict[str, Any], folder: Path) -> Path:
    """Return a copy of the good file with the case's mistake in it."""
    good: str = (FOLDER / case["file"]).read_text(encoding="utf-8")
    assert case["old"] in good
    path: Path = folder / case["file"]
    path.write_text(good.replace(case["old"], case["new"], 1), encoding="utf-8")
    return path


def load(path: Path) -> object:
    if path.name.startswith("agent"):
        found = find_in_agent(path)
        if found.problems:
            raise DocumentError(found.problems)
        return found.document
    return load_hq(path) if path.name == "hq.yaml" else load_yaml(path, Profile)


@pytest.mark.parametrize("name", ["agent.yaml", "agent_gateways.yaml", "hq.yaml", "meter_x.yaml"])
def test_the_files_that_the_cases_spoil_are_good(name: str) -> None:
    load(FOLDER / name)


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: f"{case['file']}: {case['name']}")
def test_refused_with_line_key_and_reason(case: dict[str, Any], tmp_path: Path) -> None:
    path = spoiled(case, tmp_path)

    with pytest.raises(ConfigError) as caught:
        load(path)

    error = caught.value
    errors = getattr(error, "errors", (error,))
    place = f"{path}:{case['line']}" + (f": {case['key']}" if case["key"] else "")
    assert place in [each.where for each in errors]
    told = [each.render() for each in errors if each.where == place]
    assert any(all(str(words) in text for words in case["says"]) for text in told), told
    assert error.next
    assert error.exit_code == 2


@pytest.mark.parametrize("case", WARNINGS, ids=lambda case: f"{case['file']}: {case['name']}")
def test_what_is_allowed_and_hardly_meant_is_a_note(case: dict[str, Any], tmp_path: Path) -> None:
    path = spoiled(case, tmp_path)
    found = find_in_agent(path)
    assert not found.problems
    place = f"{path}:{case['line']}: {case['key']}"
    told = [each.render() for each in found.warnings if each.where == place]
    assert any(all(str(words) in text for words in case["says"]) for text in told), told


def test_there_are_enough_cases() -> None:
    assert sum(case["file"].startswith("agent") for case in MISTAKES) >= 100
    assert len(WARNINGS) >= 10
    names = [(case["file"], case["name"]) for case in CASES]
    assert len(names) == len(set(names))


def test_a_good_site_has_no_notes() -> None:
    assert not find_in_agent(FOLDER / "agent.yaml").warnings


def test_one_run_tells_the_mistakes_of_every_part(tmp_path: Path) -> None:
    """Values that are ill formed do not hide contradictions elsewhere, or in the same device."""
    text = (FOLDER / "agent_gateways.yaml").read_text(encoding="utf-8")
    for old, new in (
        ("metrics_port: 9464", "metrics_port: many"),
        ("boundary_margin_ms: 2000", "boundary_margin_ms: 60000"),
        ("gap_ms: 20", "gap_ms: 2000"),
        ("ct: 400/5", "ct: 5/400"),
        ('{active_power: "5"}', '{active_energy_import: "5"}'),
        ("{gateway: gw-1, unit: 6}", "{gateway: gw-1, unit: 5}"),
        ("host: 192.0.2.20, unit: 255", "host: 192.0.2.20, unit: x"),
        ("id: SHI-KLN-01", "id: SHI-UTL-02"),
        ("samples:", "samples: {every_s: 4}\nsamples:"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "agent.yaml"
    path.write_text(text, encoding="utf-8")
    found = find_in_agent(path)
    assert [each.where.removeprefix(f"{path}:") for each in found.problems] == [
        "7: metrics_port",
        "8: registers.boundary_margin_ms",
        "10: samples",
        "17: gateways.gw-1.gap_ms",
        "29: devices[0].ct",
        "32: devices[0].deadband.active_energy_import",
        "35: devices[1].modbus",
        "41: devices[3].modbus.unit",
        "42: devices[4].id",
    ]


def test_a_faulty_value_is_not_taken_for_a_contradiction(tmp_path: Path) -> None:
    """An ill-formed gateway or port is not reported a second time by those who use it."""
    text = (FOLDER / "agent_gateways.yaml").read_text(encoding="utf-8")
    text = text.replace("timeout_s: 2", "timeout_s: two").replace("unit: 255", "port: x, unit: 254")
    text = text.replace("unit: 254\n", "unit: none\n")
    path = tmp_path / "agent.yaml"
    path.write_text(text, encoding="utf-8")
    assert [error.where.rpartition(": ")[2] for error in find_in_agent(path).problems] == [
        "gateways.gw-1.timeout_s",
        "devices[3].modbus.port",
        "devices[4].modbus.unit",
    ]


def test_a_value_that_could_not_be_read_is_told_once(tmp_path: Path) -> None:
    text = (FOLDER / "agent.yaml").read_text(encoding="utf-8")
    text = text.replace("broker: {", "broker: &b {").replace("samples: {every_s: 10}", "samples: *b")
    path = tmp_path / "agent.yaml"
    path.write_text(text, encoding="utf-8")
    assert [error.what for error in find_in_agent(path).problems] == [
        "Anchors and aliases are not used here."
    ]


@pytest.mark.parametrize(
    ("content", "where", "says"),
    [
        (b"", ":1: agent", ["missing", "an empty file"]),
        (b"# nothing yet\n", ":1: devices", ["missing"]),
        (b"\xff\xfe", ":1", ["not UTF-8", "save it as UTF-8"]),
        ("agent: 青葉\n".encode("shift_jis"), ":1", ["not UTF-8", "Shift_JIS"]),
        (b"- agent\n", ":1", ["must be a mapping"]),
        (b"agent: " + b"[" * 5000, "", ["nested too deeply"]),
        (b"#" * (8 * 2**20 + 1), "", ["too large"]),
    ],
)
def test_what_is_no_configuration_at_all(content: bytes, where: str, says: list[str], tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_bytes(content)
    told = [each.render() for each in find_in_agent(path).problems if each.where == f"{path}{where}"]
    assert any(all(words in text for words in says) for text in told), find_in_agent(path).problems


def test_a_bomb_of_anchors_is_told_once_for_each_alias_and_not_expanded(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]" for at in range(1, 12)]
    path = tmp_path / "agent.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    problems = find_in_agent(path).problems
    assert sum("aliases are not used" in error.what for error in problems) == 99
    assert len(problems) < 200
