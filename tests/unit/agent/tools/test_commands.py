"""`probe` and `scan` as a person types them: what is refused, what is kept, what they end with."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.spool.files import Lock
from agent.tools.display import Display
from agent.tools.running import refuse_beside_agent
from config.agent import load_agent
from core.errors import UsageError
from tests.unit.agent.tools.site import HEAD, Site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A meter that is served by another thread, for a command has a loop of its own."""
    monkeypatch.chdir(tmp_path)
    found = Site(tmp_path)
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        async with found.served():
            ready.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield found
    loop.call_soon_threadsafe(done.set)
    thread.join(10)
    loop.close()


def probe(*more: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["probe", "AOB-CMP-01", "--seconds", "0", *more])
    if isinstance(result.exception, UsageError):
        return result.exception.exit_code, result.exception.render()
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_a_probe_is_told_and_kept(site: Site) -> None:
    code, told = probe("--display", "8,412,337.1")
    assert code == 0
    assert told.endswith("good: every value makes sense; nothing was written to the meter\n")
    assert "kept  opening-evidence.jsonl: " in told
    (line,) = (site.folder / "opening-evidence.jsonl").read_text(encoding="utf-8").splitlines()
    kept = json.loads(line)
    assert (kept["device"], kept["display_kwh"]) == ("AOB-CMP-01", "8412337.1")
    probe("--display", "8412337.1")
    assert len((site.folder / "opening-evidence.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_the_same_for_machines(site: Site) -> None:
    code, told = probe("--format", "json", "--display", "9999999")
    facts = json.loads(told)
    assert code == facts["exit"] == 1
    assert facts["findings"][0]["kinds"] == []
    assert facts["points"][0]["hex"] == [["0000", "0001", "F56A", "13CC"]]
    assert facts["measured"]["gap_ms"] == 0


def test_a_person_at_a_terminal_is_asked_for_the_display(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([None, Display(Decimal("8412337.1"))])
    monkeypatch.setattr("agent.commands.probe._at_terminal", lambda: True)
    monkeypatch.setattr("agent.commands.probe._ask", lambda: next(answers))
    assert "Give it: --display KWH" in probe()[1]
    assert "display 8,412,337.1 kWh = register" in probe()[1]


def test_a_silent_meter_ends_with_3(site: Site) -> None:
    path = site.folder / "agent.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("unit: 7", "unit: 8"), encoding="utf-8")
    code, told = probe()
    assert code == 3
    assert told.startswith("FAULT  AOB-CMP-01 (127.0.0.1:")
    assert told.endswith("exit 3: it does not answer, so nothing could be checked\n")
    code, told = probe("--format", "json")
    assert (code, json.loads(told)["exit"]) == (3, 3)


def test_no_probe_beside_the_running_agent(site: Site) -> None:
    folder = site.folder / "spool"
    folder.mkdir()
    lock = Lock(folder / "lock")
    try:
        code, told = probe()
        assert code == 2
        assert "two masters on one line disturb each other" in told
        assert "seiren agent probe AOB-CMP-01 --while-running" in told
        assert probe("--while-running")[0] == 0
    finally:
        lock.release()
    assert probe()[0] == 0


async def _status(agent: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps({"agent": agent}).encode())
    writer.close()


@pytest.mark.parametrize(("agent", "refused"), [("aoba-1", True), ("another", False)])
async def test_an_agent_that_answers_on_its_loopback_port(tmp_path: Path, agent: str, refused: bool) -> None:
    server = await asyncio.start_server(lambda r, w: _status(agent, r, w), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    site = Site(tmp_path)
    site.configure(502)
    path = tmp_path / "agent.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("metrics_port: null", f"metrics_port: {port}"),
        encoding="utf-8",
    )
    async with server:
        if refused:
            with pytest.raises(UsageError, match="is running"):
                await refuse_beside_agent(load_agent(path), "seiren agent probe X")
        else:
            await refuse_beside_agent(load_agent(path), "seiren agent probe X")


@pytest.mark.parametrize("typed", ["", "abc", "-5", "nan", "8412337,1", "8.412.337,1"])
def test_a_display_that_is_no_number(site: Site, typed: str) -> None:
    code, told = probe("--display", typed)
    assert code == 2
    assert "no number of kWh" in told


def test_an_unknown_device(site: Site) -> None:
    result = CliRunner().invoke(app, ["probe", "AOB-XXX-01"])
    assert isinstance(result.exception, UsageError)
    assert "AOB-CMP-01" in result.exception.next


def test_a_device_of_another_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    node = "{quantity: dc_energy, unit: kWh, node: ns=2;s=E}"
    opcua = "opcua: {url: opc.tcp://127.0.0.1:4840, security: none}"
    (tmp_path / "agent.yaml").write_text(
        HEAD + f"  - id: AOB-RECT-01\n    {opcua}\n    nodes:\n      - {node}\n", encoding="utf-8"
    )
    result = CliRunner().invoke(app, ["probe", "AOB-RECT-01"])
    assert isinstance(result.exception, UsageError)
    assert "OPC UA" in result.exception.evidence


def test_a_scan_as_typed(site: Site) -> None:
    port = (site.folder / "agent.yaml").read_text(encoding="utf-8").split("port: ")[-1].split(",")[0]
    result = CliRunner().invoke(app, ["scan", f"127.0.0.1:{port}", "--units", "7"])
    assert result.exit_code == 0
    assert "    7  schneider_pm5xxx" in result.output
    facts = json.loads(
        CliRunner().invoke(app, ["scan", f"127.0.0.1:{port}", "--units", "7", "--format", "json"]).output
    )
    assert facts["found"][0]["model"] == "PM5560"


@pytest.mark.parametrize(
    "typed", [["--units", "1"], ["h:1", "--serial", "/dev/x", "--units", "1"], ["h:x", "--units", "1"]]
)
def test_a_scan_of_nowhere(typed: list[str]) -> None:
    result = CliRunner().invoke(app, ["scan", *typed])
    assert isinstance(result.exception, UsageError)


def test_a_scan_needs_its_range(free_port: Callable[[], int]) -> None:
    assert CliRunner().invoke(app, ["scan", f"127.0.0.1:{free_port()}"]).exit_code == 2
