"""Secrets are planted wherever one can stand; nothing that people or files are told has them in it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import seiren
from config.hiding import hide
from core.delivery.access import access_of_agent, access_of_collector
from tests.secured_broker import SecuredBroker
from tests.unit.collector.material import HQ, folder_with

MARK = "hunter2"
"""Part of every planted secret."""
MAIN = [sys.executable, "-c", "from seiren import main; main()"]

AGENT = """\
agent: aoba-1
site: aoba
time_zone: Asia/Tokyo
broker: {broker}
required_ledgers: [hq]
metrics_port: {port}
devices:
  - {{id: A, profile: schneider_pm5xxx, modbus: {{host: 127.0.0.1, port: {meter}, unit: 1, timeout_s: 0.2}}}}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    """A broker that knows its clients by name and password."""
    rules = (access_of_collector("hq"), access_of_agent("aoba", "aoba-1", ["hq"]))
    made = SecuredBroker(tmp_path_factory.mktemp("broker"), rules, identity="password")
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with secrets in files."""
    for name in ("broker.password", "influx.token", "ledger.url", "client.key"):
        (tmp_path / name).touch(mode=0o600)
    (tmp_path / "broker.password").write_text(f"wrong-{MARK}-broker\n", encoding="ascii")
    (tmp_path / "influx.token").write_text(f"{MARK}-token\n", encoding="ascii")
    (tmp_path / "ledger.url").write_text(
        f"postgresql://seiren:{MARK}-ledger@127.0.0.1:1/seiren?connect_timeout=1\n", encoding="ascii"
    )
    (tmp_path / "client.key").write_text(
        f"-----BEGIN PRIVATE KEY-----\n{MARK}key\n-----END PRIVATE KEY-----\n", encoding="ascii"
    )
    return tmp_path


@pytest.fixture
def agent(place: Path, broker: SecuredBroker, free_port: Callable[[], int]) -> Path:
    """An agent whose password is wrong, and whose meter is silent."""
    settings = (
        f"{{host: {broker.host}, port: {broker.port}, tls: {{ca: {broker.authority.file}}},"
        " username: aoba.aoba-1, password_file: broker.password}"
    )
    (place / "agent.yaml").write_text(
        AGENT.format(broker=settings, port=free_port(), meter=free_port()), encoding="utf-8"
    )
    return place / "agent.yaml"


@pytest.fixture
def hq(place: Path, broker: SecuredBroker) -> Path:
    """A ledger's folder whose database and store are not there, and whose password is wrong."""
    text = HQ.replace(
        "broker: {host: 127.0.0.1, port: 1}",
        f"broker: {{host: {broker.host}, port: {broker.port}, tls: {{ca: {broker.authority.file}}},"
        " username: collectors.hq, password_file: ../broker.password}\n"
        "ledger: {url_file: ../ledger.url}\n"
        "store: {kind: influxdb, url: 'http://127.0.0.1:1', org: o, bucket: b, token_file: ../influx.token}",
    )
    return folder_with(place / "hq", text)


Say = Callable[..., str]


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run a command as people do, and return all that it says."""

    def run(*words: object, answers: str = "") -> str:
        monkeypatch.setattr(sys, "argv", ["seiren", *map(str, words)])
        with pytest.raises(SystemExit):
            seiren.main()
            raise SystemExit(0)
        said = capfd.readouterr()
        return said.out + said.err

    return run


def left(place: Path) -> set[str]:
    """Files that hold a secret."""
    return {path.name for path in place.rglob("*") if path.is_file() and MARK.encode() in path.read_bytes()}


def test_commands_of_the_agent_tell_no_secret(agent: Path, say: Say) -> None:
    told = [
        say("agent", "check", agent),
        say("agent", "check", agent, "--format", "json"),
        say("agent", "check", agent, "--connect"),
        say("agent", "check", agent, "--connect", "--format", "json"),
        say("agent", "status", agent),
        say("agent", "doctor", agent),
        say("agent", "doctor", agent, "--format", "json"),
    ]
    assert "does not know aoba.aoba-1 with this password" in " ".join(told[2].split())
    assert MARK not in "".join(told)
    assert left(agent.parent) == {"broker.password", "influx.token", "ledger.url", "client.key"}


def test_a_key_that_cannot_be_used_is_not_shown(agent: Path, say: Say) -> None:
    text = agent.read_text(encoding="utf-8").replace(
        "username: aoba.aoba-1, password_file: broker.password", ""
    )
    ca = text.partition("ca: ")[2].partition("}")[0]
    text = text.replace(f"{{ca: {ca}}}", f"{{ca: {ca}, certificate: client.key, key: client.key}}")
    agent.write_text(text.replace(",}", "}").replace(", }", "}"), encoding="utf-8")
    told = say("agent", "check", agent, "--connect")
    assert "A TLS file cannot be used" in told
    assert MARK not in told + say("agent", "doctor", agent)


def test_commands_of_the_collector_tell_no_secret(hq: Path, say: Say) -> None:
    told = [
        say("collector", "status", hq),
        say("count", hq),
        say("month", "show", hq, "2024-02"),
        say("collector", "acl", hq, "--agents", "aoba/aoba-1"),
        say("collector", "run", hq),
    ]
    assert "127.0.0.1" in told[0], "the database that does not answer is named"
    assert MARK not in "".join(told)
    assert left(hq.parent) == {"broker.password", "influx.token", "ledger.url", "client.key"}


@pytest.mark.parametrize(
    "wrong",
    [
        f"ledger: {{url: 'postgresql://u:{MARK}@h/d', url_file: x}}",
        f"ledger: {{url: ['postgresql://u:{MARK}@h/d']}}",
        f"ledger: {{url: 'nonsense://u:{MARK}@h/d'}}",
        f"ledger: {{url: 'postgresql://u:{MARK}'}}",
        f"ledger: {{password: {MARK}}}",
        f"ledger: {{password:{MARK}}}",
        f"store: {{kind: influxdb, url: 'http://u:{MARK}@h', org: o, bucket: b, token_file: t}}",
        f"store: {{kind: influxdb, url: 'http://h', org: o, bucket: b, token: {MARK}}}",
        f"store: {{kind: influxdb, url: 'http://h', org: o, bucket: b, token: [{MARK}}}",
        f"products: {{x: y\n  password: {MARK}",
        f"password: '{MARK}",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(wrong: str, hq: Path, say: Say) -> None:
    text = HQ.replace("broker: {host: 127.0.0.1, port: 1}", wrong)
    (hq / "hq.yaml").write_text(text, encoding="utf-8")
    told = say("collector", "status", hq)
    assert "ERROR" in told
    assert MARK not in told


@pytest.mark.parametrize(("side", "form"), [("agent", "human"), ("collector", "json")])
def test_a_process_shows_no_secret_in_its_log_or_in_the_list_of_processes(
    side: str, form: str, agent: Path, hq: Path
) -> None:
    if side == "collector":  # with a ledger that works, else it ends at once
        text = (hq / "hq.yaml").read_text(encoding="utf-8")
        (hq / "hq.yaml").write_text(text.replace("ledger: {url_file: ../ledger.url}\n", ""), encoding="utf-8")
    what = [str(agent)] if side == "agent" else [str(hq)]
    log = agent.parent / f"{side}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*MAIN, side, "run", "--log", form, *what],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, "SEIREN_BROKER_PASSWORD": f"{MARK}-environment"},
        )
    try:
        deadline = time.monotonic() + 20
        while b"broker refuses us" not in log.read_bytes():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)  # because only its log tells how far another process is
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    finally:
        process.kill()
        process.wait(20)
    assert MARK.encode() not in shown
    assert MARK not in log.read_text(encoding="utf-8")
    assert left(agent.parent) == {"broker.password", "influx.token", "ledger.url", "client.key"}


def test_what_is_hidden_and_what_is_not() -> None:
    assert hide("http://u:p@h:1/x?a=b") == "http://u:***@h:1/x?a=b"
    assert hide("http://h:8086/x") == "http://h:8086/x"
    assert hide("password_file: broker.password") == "password_file: broker.password"
    assert hide("no space: 1, token=abc, x") == "no space: 1, token=***, x"
