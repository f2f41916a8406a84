import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from collector.web.cli import web
from core.errors import OutsideError, UsageError
from tests.unit.collector.report.ledgers import fill, folder


def _run(*words: object) -> None:
    app = typer.Typer()
    app.command()(web)
    CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "hq.example"])
def test_only_loopback_is_served(tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: None)  # it would serve until told to stop
    with pytest.raises(UsageError):
        _run(folder(tmp_path), "--host", host, "--port", 0)


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OutsideError) as caught:
            _run(folder(tmp_path), "--port", port)
    assert str(port) in caught.value.what
    assert f"--port {port + 1}" in caught.value.next


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_the_page_is_served_until_told_to_stop(tmp_path: Path) -> None:
    fill(folder(tmp_path), "2024-02")
    command = "import typer; from collector.web.cli import web; typer.run(web)"
    with subprocess.Popen(
        [sys.executable, "-c", command, str(tmp_path), "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            address = re.match(r"http://127\.0\.0\.1:\d+/", line)
            assert address, line
            with urllib.request.urlopen(f"{address[0]}en/month/2024-02", timeout=20) as answer:
                page = answer.read().decode()
            assert "February is" in page
            assert "server" not in answer.headers
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()
