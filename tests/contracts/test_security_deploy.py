"""What is shipped for running Seiren: units, container and compose files keep to least privilege."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from config.mosquitto import mosquitto_conf
from seiren import app
from tests.parts import HADOLINT, SYSTEMD_ANALYZE, require

ROOT = Path(__file__).parents[2]
UNITS = ("seiren-agent.service", "seiren-collector.service")
DOCKERFILE = ROOT / "deploy/docker/Dockerfile"
COMPOSE = ("hq.compose.yaml", "agent.compose.yaml")
MOST_EXPOSED = 1.5  # of 10; below 2 systemd itself says OK


def exposure(unit: Path) -> float:
    """Return how exposed systemd finds a unit, 0 to 10."""
    told = subprocess.run(
        [str(require(SYSTEMD_ANALYZE)), "security", "--offline=yes", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", told)
    assert found, told
    return float(found[1])


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_hardly_exposed_and_the_page_says_how_much(name: str) -> None:
    found = exposure(ROOT / "deploy/systemd" / name)
    assert found <= MOST_EXPOSED
    page = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    assert f"| `{name}` | {found:g} |" in page


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_well_formed(name: str) -> None:
    told = subprocess.run(
        [str(require(SYSTEMD_ANALYZE)), "verify", "--man=no", str(ROOT / "deploy/systemd" / name)],
        capture_output=True,
        text=True,
        check=False,
    ).stderr
    ours = [line for line in told.splitlines() if line.startswith(name)]
    assert [line for line in ours if "/opt/seiren/bin/seiren is not executable" not in line] == []


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_starts_the_command_that_there_is_as_nobody_in_particular(name: str) -> None:
    text = (ROOT / "deploy/systemd" / name).read_text(encoding="utf-8")
    command = re.search(r"^ExecStart=/opt/seiren/bin/seiren (.*)$", text, re.M)
    assert command
    words = [word for word in command[1].split() if not word.startswith(("/", "json"))]
    parts = [word for word in words if not word.startswith("-")]
    told = CliRunner().invoke(app, [*parts, "--help"]).output
    assert all(word in told for word in words if word.startswith("-"))
    user = re.search(r"^User=(.*)$", text, re.M)
    assert user
    assert f"u {user[1]} " in (ROOT / "deploy/systemd/seiren.sysusers").read_text(encoding="utf-8")


def test_the_dockerfile_is_clean() -> None:
    told = subprocess.run(
        [str(require(HADOLINT)), "--failure-threshold", "info", str(DOCKERFILE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stdout) == (0, "")


def steps() -> list[tuple[str, str]]:
    """The Dockerfile's instructions."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.M).replace("\\\n", " ")
    return [
        (word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines()) if word
    ]


def test_the_container_runs_as_nobody_and_installs_by_hashes() -> None:
    final = [word for word, _ in steps()][::-1].index("FROM")
    users = [rest for word, rest in steps()[-final:] if word == "USER"]
    assert users
    assert users[-1].split(":")[0] not in ("0", "root")
    installs = [
        part for word, rest in steps() if word == "RUN" for part in rest.split("&&") if "pip install" in part
    ]
    assert len(installs) == 2
    for part in installs:
        assert "--no-deps" in part
        assert "--require-hashes" in part or ("--no-index" in part and "--no-build-isolation" in part)
    assert not [rest for word, rest in steps() if word in ("ADD", "EXPOSE")]
    assert all(":" in rest and ":latest" not in rest for word, rest in steps() if word == "FROM")


def test_the_container_gets_only_what_is_installed() -> None:
    lines = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert all((ROOT / name).exists() for name in kept)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    packages = re.search(r"include = \[(.*)\]", project)
    assert packages
    assert {name.strip('"* ') for name in packages[1].split(",")} <= kept
    assert not kept & {"tests", ".git", "docs"}


def compose(name: str) -> dict[str, Any]:
    """A compose file, read as any YAML is."""
    data: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose" / name).read_text(encoding="utf-8"))
    return data


@pytest.mark.parametrize("name", COMPOSE)
def test_each_service_has_least_privilege(name: str) -> None:
    for service in compose(name)["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["user"].split(":")[0] not in ("0", "root")
        assert service["pids_limit"]
        assert "privileged" not in service
        assert "network_mode" not in service
        image, _, tag = service["image"].partition(":")
        assert tag not in ("latest",)
        assert tag or service["build"], f"{image} has a version, or is built here"


@pytest.mark.parametrize("name", COMPOSE)
def test_no_secret_stands_in_a_compose_file_or_in_an_environment(name: str) -> None:
    data = compose(name)
    for service in data["services"].values():
        for key, value in service.get("environment", {}).items():
            secret = re.search(r"PASSWORD|TOKEN|SECRET|KEY", key)
            assert not secret or (key.endswith("_FILE") and value.startswith("/run/secrets/")), key
        for secret in service.get("secrets", ()):
            assert data["secrets"][secret]["file"].startswith("./secrets/")


def test_others_reach_the_brokers_tls_port_only() -> None:
    data = compose("hq.compose.yaml")
    ports = {name: service.get("ports", []) for name, service in data["services"].items()}
    open_ports = [port for each in ports.values() for port in each if not port.startswith("127.0.0.1:")]
    assert open_ports == ["8883:8883"]
    assert data["networks"]["back"] == {"internal": True}


@pytest.mark.parametrize("name", COMPOSE)
def test_what_a_compose_file_takes_from_the_repository_is_there(name: str) -> None:
    folder = ROOT / "deploy/compose"
    for service in compose(name)["services"].values():
        if build := service.get("build"):
            assert (folder / build["context"]).resolve() == ROOT
            assert (ROOT / build["dockerfile"]).is_file()
            assert (ROOT / f"lock/{build['args']['LAYER']}.txt").is_file()
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert not source.startswith("../") or (folder / source).is_dir(), source


def test_the_broker_finds_its_files_where_the_command_in_the_compose_file_puts_them() -> None:
    text = (ROOT / "deploy/compose/hq.compose.yaml").read_text(encoding="utf-8")
    at = re.search(r"seiren collector acl .* --out (\S+) --at (\S+)", text)
    assert at
    broker = compose("hq.compose.yaml")["services"]["broker"]
    assert broker["volumes"] == [f"./{at[1]}:{at[2]}:ro"]
    assert broker["command"][-1] == f"{at[2]}/mosquitto.conf"
    assert f"acl_file {at[2]}/acl" in mosquitto_conf(PurePosixPath(at[2]), identity="certificate")
