"""`seiren agent status`, `doctor` and `watch`: with a real agent in its own process, and without one."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.cli import app
from agent.health.facts import Facts
from agent.health.reach import holder
from agent.spool.files import Lock
from tests.servers import free_port
from tests.unit.agent.fake_modbus import Asked, Send, fake_meter, reply

CONFIG = """
agent: aoba-1
site: aoba
time_zone: Asia/Tokyo
broker: {{host: 127.0.0.1, port: {broker}}}
required_ledgers: [hq]
metrics_port: {port}
registers: {{every_s: 0.2, boundary_margin_ms: 0, spread: false}}
devices:
  - id: ALIVE
    profile: schneider_pm5xxx
    modbus: {{host: 127.0.0.1, port: {meter}, unit: 1, timeout_s: 0.5}}
    points: [active_energy_import]
  - id: DEAD
    profile: schneider_pm5xxx
    modbus: {{host: 127.0.0.1, port: {dead}, unit: 1, timeout_s: 0.5}}
    points: [active_energy_import]
"""
ROOT = Path(__file__).parents[4]
WITHIN_S = 20.0


async def _count(asked: Asked, send: Send) -> None:
    """Answer any four words with 8,412,337 kWh."""
    send(reply(asked, [0, 1, 0xF56A, 0x13E8][: asked.count] + [0] * (asked.count - 4)))


@pytest.fixture(scope="module")
def meter() -> Iterator[int]:
    """The port of a meter that answers."""
    port: list[int] = []
    there, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        async with fake_meter(_count) as peer:
            port.append(peer.port)
            there.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert there.wait(WITHIN_S)
    yield port[0]
    stop.set()
    thread.join()


@pytest.fixture(scope="module")
def config(meter: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with a meter that answers, one that does not, and no broker."""
    path = tmp_path_factory.mktemp("agent") / "agent.yaml"
    path.write_text(
        CONFIG.format(broker=free_port(), port=free_port(), meter=meter, dead=free_port()), encoding="utf-8"
    )
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def running(config: Path) -> Iterator[Path]:
    """The configuration of an agent that runs, has read its meter and found the other silent."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from seiren import main; main()", "agent", "run", str(config)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline_s = time.monotonic() + WITHIN_S
        while True:
            told = run("status", config, "--format", "json")
            if told.exit_code == 1:
                facts = Facts.model_validate_json(told.stdout)
                states = [device.state for device in facts.devices]
                if states == ["good", "silent"] and facts.lanes["registers"].waiting_readings:
                    break
            assert process.poll() is None and time.monotonic() < deadline_s, told.output
            time.sleep(0.1)  # another process is ready when it says so
        yield config
    finally:
        process.terminate()
        process.communicate(timeout=WITHIN_S)


def test_status_of_a_running_agent(running: Path) -> None:
    found = run("status", running)
    assert found.exit_code == 1
    assert "1 of 2 answer; SILENT: DEAD" in found.stdout
    assert re.search(r"broker     127\.0\.0\.1:\d+ NOT REACHED since", found.stdout)
    assert all(len(line) <= 80 for line in found.stdout.splitlines())


def test_doctor_of_a_running_agent(running: Path) -> None:
    found = run("doctor", running)
    assert found.exit_code == 1, found.output
    assert re.search(r"^FAULT  broker 127\.0\.0\.1:\d+ not reached since", found.stdout, re.M)
    assert re.search(r"^FAULT  DEAD \(127\.0\.0\.1:\d+ unit 1\) no connection since", found.stdout, re.M)
    assert "ENERGY IS SAFE NOW" in found.stdout
    assert "FAULT  ALIVE" not in found.stdout
    assert found.stdout.endswith("exit 1: at least one fault\n")


def test_doctor_says_the_same_to_machines(running: Path) -> None:
    found = run("doctor", running, "--format", "json")
    told = json.loads(found.stdout)
    assert (found.exit_code, told["exit_code"], told["verdict"]["energy"]) == (1, 1, "safe")
    assert len(told["faults"]) == 2
    assert told["facts"]["devices"][0]["register_kwh"] == pytest.approx(8_412_337.128, rel=1e-3)


def test_watch_prints_one_frame_without_a_terminal(running: Path) -> None:
    found = run("watch", running)
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert re.fullmatch(r"aoba-1  \d\d:\d\d:\d\d JST  1 of 2 points good   broker DOWN", lines[0])
    assert re.search(r"^ ALIVE .* 8,412,\d{3} .* good$", found.stdout, re.M)
    assert re.search(r"^ DEAD .* SILENT$", found.stdout, re.M)
    assert "\x1b" not in found.stdout


def test_watch_gives_one_json_line(running: Path) -> None:
    found = run("watch", running, "--once", "--format", "json")
    assert Facts.model_validate_json(found.stdout).agent == "aoba-1"
    assert found.stdout.count("\n") == 1


def test_watch_on_a_terminal_of_80_by_24_hears_keys_and_leaves_it_as_it_was(running: Path) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from seiren import main; main()", "agent", "watch", str(running)],
        cwd=ROOT,
        stdin=slave,
        stdout=slave,
        env={**os.environ, "COLUMNS": "80", "LINES": "24", "NO_COLOR": "1"},
    )
    os.close(slave)
    shown = b""

    def until(text: bytes) -> None:
        nonlocal shown
        deadline_s = time.monotonic() + WITHIN_S
        while text not in shown:
            assert time.monotonic() < deadline_s, shown
            if select.select([master], [], [], 0.2)[0]:
                shown += os.read(master, 65_536)

    try:
        until(b"p pause")
        os.write(master, b"p")
        until(b"p go on")
        assert shown.startswith(b"\x1b[?1049h") and b"\x1b[1m" not in shown
        os.write(master, b"q")
        until(b"\x1b[?1049l")
        assert process.wait(WITHIN_S) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)


@pytest.fixture
def stopped(tmp_path: Path, config: Path) -> Path:
    """The configuration of an agent that has never run."""
    path = tmp_path / "agent.yaml"
    text = re.sub(r"metrics_port: \d+", f"metrics_port: {free_port()}", config.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("command", ["status", "watch"])
def test_without_the_agent_it_is_said_what_to_do(command: str, stopped: Path) -> None:
    found = run(command, stopped)
    assert found.exit_code == 3
    assert "the agent aoba-1 is not running" in found.output
    assert "systemctl status seiren-agent" in found.output
    assert " spool" in found.output


def test_doctor_without_the_agent_calls_that_fault_number_one(stopped: Path) -> None:
    found = run("doctor", stopped)
    assert found.exit_code == 1
    assert found.stdout.index("FAULT  the agent aoba-1 is not running") < found.stdout.index("FAULT  broker")
    assert "Nothing has to be done tonight" not in found.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who holds a lock")
@pytest.mark.parametrize(
    ("port", "told"), [("null", "metrics_port is off"), ("free", "does not answer on port")]
)
def test_an_agent_that_runs_and_tells_nothing_is_not_called_stopped(
    port: str, told: str, stopped: Path
) -> None:
    number = str(free_port()) if port == "free" else port
    text = re.sub(r"metrics_port: \d+", f"metrics_port: {number}", stopped.read_text(encoding="utf-8"))
    stopped.write_text(text, encoding="utf-8")
    spool = stopped.parent / "spool"
    spool.mkdir()
    lock = Lock(spool / "lock")
    try:
        assert holder(spool / "lock") == os.getpid()
        found = run("status", stopped)
        assert found.exit_code == 3 and told in found.output and "not running" not in found.output
        found = run("doctor", stopped)
        assert "ENERGY: NOT CHECKED." in found.output and "not running" not in found.output
    finally:
        lock.release()
    assert "not running" in run("status", stopped).output


def test_another_agent_on_the_port_is_not_taken_for_ours(running: Path, tmp_path: Path) -> None:
    other = tmp_path / "agent.yaml"
    other.write_text(
        running.read_text(encoding="utf-8").replace("agent: aoba-1", "agent: aoba-2"), encoding="utf-8"
    )
    for command in ("status", "watch", "doctor"):
        found = run(command, other)
        assert "answered by somebody else, not by aoba-2" in found.output


def test_a_wrong_configuration_ends_with_2(stopped: Path) -> None:
    stopped.write_text("agent: [", encoding="utf-8")
    for command in ("status", "doctor", "watch"):
        found = run(command, stopped)
        assert getattr(found.exception, "exit_code", None) == 2
