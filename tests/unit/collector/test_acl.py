"""`seiren collector acl`: its rules name everybody, and nobody else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from collector.cli import app
from core.delivery import topics
from core.errors import SeirenError
from tests.unit.collector.material import HQ, folder_with

AGENTS = "aoba/aoba-1, aoba/aoba-2"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ledger's folder, without a ledger yet."""
    return folder_with(tmp_path / "hq")


def ran(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["acl", str(folder), *arguments])


def users(text: str) -> dict[str, list[str]]:
    """Each user's rules."""
    blocks = re.findall(r"^user (.*)\n((?:topic .*\n)+)", text, re.M)
    return {name: re.findall(r"topic (.*)", rules) for name, rules in blocks}


def test_everybody_who_is_named_may_do_what_they_must_and_no_more(folder: Path) -> None:
    result = ran(folder, "--agents", AGENTS)
    assert result.exit_code == 0, result.output
    found = users(result.output)
    assert list(found) == ["collectors.hq", "aoba.aoba-1", "aoba.aoba-2"]
    assert found["aoba.aoba-1"] == [
        "write seiren/v1/aoba/aoba-1/registers",
        "write seiren/v1/aoba/aoba-1/samples",
        "write seiren/v1/aoba/aoba-1/head",
        "write seiren/v1/aoba/aoba-1/status",
        "read seiren/v1/aoba/aoba-1/ack/hq",
        "read seiren/v1/collectors/hq/status",
    ]
    assert found["collectors.hq"][:2] == [
        "readwrite seiren/v1/+/+/ack/hq",
        "readwrite seiren/v1/collectors/hq/status",
    ]
    writes = [rule for rules in found.values() for rule in rules if "write" in rule]
    assert len(writes) == len(set(writes)), "no topic has two who may publish there"


def test_again_with_a_name_more_changes_the_rules_and_nothing_that_somebody_added(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "broker"
    ran(folder, "--agents", "aoba/aoba-1", "--out", str(out))
    conf = out / "mosquitto.conf"
    conf.write_text(conf.read_text(encoding="utf-8") + "crlfile revoked.pem\n", encoding="utf-8")
    (out / "acl").chmod(0o640)
    result = ran(folder, "--agents", AGENTS, "--out", str(out))
    assert "mosquitto.conf was there, and is left as it is" in " ".join(result.output.split())
    assert conf.read_text(encoding="utf-8").endswith("crlfile revoked.pem\n")
    assert "aoba.aoba-2" in users((out / "acl").read_text(encoding="utf-8"))
    assert (out / "acl").stat().st_mode & 0o777 == 0o640


def test_a_collector_may_read_all_that_it_subscribes_to(folder: Path) -> None:
    rules = users(ran(folder, "--agents", AGENTS).output)["collectors.hq"]
    for wanted in topics.subscriptions_of_collector(None):
        assert f"read {wanted}" in rules


def test_a_collector_of_some_sites_has_nothing_to_do_with_others(folder: Path) -> None:
    (folder / "hq.yaml").write_text(HQ + "sites_served: [aoba]\n", encoding="utf-8")
    rules = users(ran(folder, "--agents", AGENTS).output)["collectors.hq"]
    assert not [rule for rule in rules if "/+/+/" in rule]
    assert "readwrite seiren/v1/aoba/+/ack/hq" in rules
    for wanted in topics.subscriptions_of_collector(["aoba"]):
        assert f"read {wanted}" in rules


def test_several_ledgers_at_one_broker(folder: Path) -> None:
    found = users(ran(folder, "--agents", AGENTS, "--ledgers", "hq,hq-east").output)
    assert list(found)[:2] == ["collectors.hq", "collectors.hq-east"]
    assert "read seiren/v1/aoba/aoba-1/ack/hq-east" in found["aoba.aoba-1"]


@pytest.mark.parametrize("identity", ["certificate", "password"])
def test_files_are_written_where_the_broker_will_find_them(
    folder: Path, tmp_path: Path, identity: str
) -> None:
    out = tmp_path / "broker"
    result = ran(
        folder, "--agents", AGENTS, "--identity", identity, "--out", str(out), "--at", "/etc/mosquitto/seiren"
    )
    assert result.exit_code == 0, result.output
    conf = (out / "mosquitto.conf").read_text(encoding="utf-8")
    assert set(re.findall(r"^(\w+) /etc/mosquitto/seiren/", conf, re.M)) == {
        *("cafile", "certfile", "keyfile", "acl_file"),
        *(("password_file",) if identity == "password" else ()),
    }
    assert "allow_anonymous false" in conf
    assert ("require_certificate true" in conf) is (identity == "certificate")
    assert (out / "acl").read_text(encoding="utf-8").startswith("# Made by: seiren collector acl ")
    names = ("collectors.hq", "aoba.aoba-1", "aoba.aoba-2")
    assert all(f"  {name}\n" in result.output for name in names)
    shown = result.output.replace(str(out), "broker")
    assert shown.isascii()
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(
    ("agents", "says"),
    [
        ("", "none is named"),
        ("aoba-1", "aoba-1"),
        ("aoba/aoba-1/x", "aoba/aoba-1/x"),
        ("nowhere/x", "on record: aoba"),
        ("aoba/a b", "a b"),
        ("aoba/+", "+"),
        ("aoba/#", "#"),
    ],
)
def test_an_agent_that_cannot_be_one(folder: Path, agents: str, says: str) -> None:
    error = ran(folder, "--agents", agents).exception
    assert isinstance(error, SeirenError)
    assert error.exit_code == 2
    assert says in error.render()
