from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from core.errors import DataError, OutsideError, UsageError
from simulators import cli
from simulators.broker import broker_command
from simulators.conductor import Conductor
from simulators.control import control, listening
from simulators.demo import run_demo
from simulators.folder import free_ports
from simulators.options import DemoOptions
from simulators.period import title
from simulators.progress import Progress


def options(out: Path, **changes: object) -> DemoOptions:
    plain: dict[str, object] = {
        "out": out,
        "seed": 1,
        "month": "2024-02",
        "replay": None,
        "store": "sqlite",
        "influx": None,
        "faults": (),
    }
    return DemoOptions(**{**plain, **changes})  # type: ignore[arg-type]  # the test names the fields


@pytest.mark.parametrize("changes", [{"faults": ("meteor",)}, {"month": "2024-03"}, {"month": "soon"}])
async def test_wrong_options_are_refused_before_anything_is_written(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    out = tmp_path / "out"
    with pytest.raises(UsageError):
        await run_demo(options(out, **changes), ["/nowhere/seiren"])
    assert not out.exists()


async def test_a_file_that_does_not_cover_the_month_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    file = tmp_path / "meter.csv"
    file.write_text("date,kWh\n2018-03-01 00:15,1\n2018-03-01 00:30,1\n")
    out = tmp_path / "out"
    with pytest.raises(DataError) as caught:
        await run_demo(options(out, replay=file, month="2018-03"), ["/nowhere/seiren"])
    assert "2018-03-01T00:30" in caught.value.evidence
    assert not out.exists()


async def test_a_child_that_fails_ends_the_demo_with_its_last_lines(tmp_path: Path) -> None:
    seiren = tmp_path / "seiren"
    seiren.write_text('#!/bin/sh\necho cannot do "$1"; exit 3\n')
    seiren.chmod(0o755)
    with pytest.raises(OutsideError) as caught:
        await run_demo(options(tmp_path / "out"), [str(seiren)])
    assert "exit 3" in caught.value.evidence and "cannot do" in caught.value.evidence


def test_replay_asks_for_the_month() -> None:
    app = Typer()
    app.command()(cli.demo)
    result = CliRunner().invoke(app, ["--replay", "meter.csv"])
    assert isinstance(result.exception, UsageError)
    assert result.exception.where == "--month"


async def test_control_waits_for_the_conductor_sees_the_run_and_says_when_it_is_gone() -> None:
    (port,) = free_ports(1)
    conductor = Conductor(start_ms=0, end_ms=1000, expected=("a",), on_time=lambda _: None, port=port)

    async def watch() -> None:
        async with control(port) as watcher:
            status = await watcher.status()
            assert (status.state, status.absent, status.share) == ("waiting", ("a",), 0.0)
            await watcher.pause()
            assert (await watcher.status()).state == "paused"
            await watcher.resume()
            await watcher.reach(0)
            gone.set()
            while True:
                await watcher.status()
                await asyncio.sleep(0.01)

    gone = asyncio.Event()
    watching = asyncio.create_task(watch())
    await asyncio.sleep(0.05)  # it asks before anybody listens
    async with conductor:
        await asyncio.wait_for(gone.wait(), 5)
    with pytest.raises(OutsideError, match="gone"):
        await asyncio.wait_for(watching, 5)


async def test_a_port_where_nobody_listens_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulators.control.LISTEN_TIMEOUT_S", 0.1)
    (port,) = free_ports(1)
    with pytest.raises(OutsideError) as caught:
        await listening(port, "broker")
    assert str(port) in caught.value.where


def test_progress_on_a_pipe_is_a_few_lines_and_on_a_terminal_one() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    pipe, terminal = io.StringIO(), Terminal()
    for stream in (pipe, terminal):
        progress = Progress(29, "February 2024", stream)
        for percent in range(101):
            progress.show(percent / 100, f"{percent} s")
        progress.end("44 s, 57,000 times real")
    assert len(pipe.getvalue().splitlines()) <= 6
    last = "[####################] 29 of 29 days   February 2024   44 s, 57,000 times real"
    assert pipe.getvalue().splitlines()[-1] == last
    assert terminal.getvalue().count("\n") == 1
    assert terminal.getvalue().rpartition("\r")[2].strip() == last
    assert all(len(line) <= 80 for line in terminal.getvalue().split("\r"))


def test_months_and_years_have_names() -> None:
    assert (title("2024-02"), title("2018")) == ("February 2024", "2018")


@pytest.mark.parametrize(("kind", "program"), [("nats", "nats-server"), ("mosquitto", "mosquitto")])
def test_the_broker_keeps_its_messages_in_the_demos_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, program: str
) -> None:
    monkeypatch.setattr("simulators.broker.shutil.which", lambda name, **_: f"/usr/bin/{name}")
    command = broker_command(kind, tmp_path / "broker", mqtt_port=51, port=52)
    assert Path(command[0]).name == program
    text = Path(command[-1]).read_text()
    assert str(tmp_path / "broker") in text
    assert "127.0.0.1:51" in text or "listener 51 127.0.0.1" in text


def test_a_broker_that_is_unknown_or_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="Not a broker"):
        broker_command("pigeon", tmp_path, mqtt_port=51, port=52)
    monkeypatch.setattr("simulators.broker.shutil.which", lambda *_, **__: None)
    with pytest.raises(OutsideError) as caught:
        broker_command("mosquitto", tmp_path, mqtt_port=51, port=52)
    assert "apt-get" in caught.value.next
