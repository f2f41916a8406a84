"""docs/security.md: its commands work, and the tests that it names are there."""

from __future__ import annotations

import asyncio
import json
import re
import runpy
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.agent import AgentConfig
from config.hq import HqConfig
from core.delivery.access import access_of_agent, access_of_collector
from core.runtime.mqtt_connection import Connection
from core.runtime.mqtt_security import MqttSecurity
from core.runtime.tls import TlsFiles
from tests.contracts.test_reference import keys
from tests.secured_broker import SecuredBroker
from tests.servers import LOOPBACK

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
LAYERS = ("edge", *(pytest.param(layer, marks=pytest.mark.slow) for layer in ("collector", "hq", "demo")))


def rows(title: str) -> list[list[str]]:
    """The rows of the table below a heading, without its head."""
    section = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    assert section
    table = [line for line in section[1].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[2:]]


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", PAGE))))
def test_each_test_that_the_page_names_is_there(named: tuple[str, str]) -> None:
    file, name = named
    text = (ROOT / "tests" / file).read_text(encoding="utf-8")
    assert not name or re.search(rf"^(async )?def {name}\(", text, re.M), f"{file}::{name}"


@pytest.mark.parametrize(
    "title", ["What is protected, and from whom", "IEC 62443-4-2", "NIST SP 800-82 Rev. 3"]
)
def test_each_row_names_a_test(title: str) -> None:
    found = rows(title)
    assert len(found) >= 10
    for row in found:
        assert re.search(r"`[\w/]+\.py", row[-1]), row[0]


def test_a_page_of_requirements_names_each_once() -> None:
    for title in ("IEC 62443-4-2", "NIST SP 800-82 Rev. 3"):
        names = [row[0] for row in rows(title)]
        assert len(names) == len(set(names))


async def test_the_commands_for_certificates_make_ones_that_work(tmp_path: Path) -> None:
    (commands,) = re.findall(r"```sh\n(umask 077\n.*?)```", PAGE, re.S)
    await asyncio.to_thread(
        subprocess.run, ["sh", "-eu", "-c", commands], cwd=tmp_path, check=True, capture_output=True
    )
    assert all((tmp_path / f"{name}.key").stat().st_mode & 0o077 == 0 for name in ("ca", "broker", "aoba-1"))
    agent, collector = access_of_agent("aoba", "aoba-1", ["hq"]), access_of_collector("hq")
    folder = tmp_path / "etc"
    folder.mkdir()
    broker = SecuredBroker(
        folder,
        [agent, collector],
        ca=tmp_path / "ca.pem",
        broker_files=(tmp_path / "broker.crt", tmp_path / "broker.key"),
    )
    try:
        broker.start()
        for name in ("aoba-1", "collector"):
            for server_name in (None, "mqtt.example"):
                files = TlsFiles(
                    tmp_path / "ca.pem", tmp_path / f"{name}.crt", tmp_path / f"{name}.key", server_name
                )
                connection = Connection((LOOPBACK, broker.port), None, security=MqttSecurity(files))
                await connection.open(name, 10, None)
                await connection.leave()
                connection.shut()
        log = broker.log.read_text(encoding="utf-8")
    finally:
        broker.stop()
    assert "u'aoba.aoba-1'" in log
    assert "u'collectors.hq'" in log


@pytest.mark.parametrize("layer", LAYERS)
def test_a_list_of_packages_can_be_made_from_each_lock(layer: str, tmp_path: Path) -> None:
    out = tmp_path / "sbom.json"
    subprocess.run(
        [
            str(Path(sysconfig.get_path("scripts")) / "cyclonedx-py"),
            *("requirements", "--pyproject", "pyproject.toml", "--output-reproducible"),
            *("--of", "JSON", "-o", str(out), f"lock/{layer}.txt"),
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    listed = json.loads(out.read_text(encoding="utf-8"))["components"]
    lock = (ROOT / f"lock/{layer}.txt").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", lock, re.M))
    assert {each["name"]: each["version"] for each in listed} == pinned


Report = Callable[[list[dict[str, Any]]], int]


@pytest.mark.parametrize(
    ("found", "code", "says"),
    [
        ([{"name": "a", "skip_reason": "not found"}], 0, "NOT AUDITED"),
        (
            [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "x"}],
            0,
            "not asked    b",
        ),
        (
            [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}],
            1,
            "VULNERABLE   a 1  CVE-1  mended in 2",
        ),
    ],
)
def test_the_audit_says_a_word_where_it_cannot_be_done(
    found: list[dict[str, Any]], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report: Report = runpy.run_path(str(ROOT / "deploy/audit.py"))["report"]
    assert report(found) == code
    assert says in capsys.readouterr().out


def test_the_secrets_that_the_page_names_are_the_ones_there_are() -> None:
    files = {key for model in (AgentConfig, HqConfig) for key, _ in keys(model) if key.endswith("_file")}
    assert files == {"broker.password_file", "ledger.url_file", "store.token_file", "store.password_file"}
    assert all(f"`{key}`" in PAGE for key in files)
