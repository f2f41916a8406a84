"""Real servers on loopback, each in its own folder, that a test may kill and start on the same port again."""

from __future__ import annotations

import csv
import io
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

import httpx

from tests.parts import INFLUXD, MOSQUITTO, NATS_SERVER, require

LOOPBACK = "127.0.0.1"
START_WITHIN_S = 30.0
STOP_WITHIN_S = 10.0


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """A server program as an operating-system process, with its log in its folder."""

    def __init__(self, command: list[str], *, folder: Path, port: int) -> None:
        self.host = LOOPBACK
        self.port = port
        self.log = folder / "server.log"
        self._command = command
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def answers(self) -> bool:
        """Return whether the server does its work, not only listens."""
        raise NotImplementedError

    def start(self) -> Self:
        """Start the server and return when it answers."""
        assert self._process is None, "already running"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_WITHIN_S
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"{self._command[0]} did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.02)  # because only asking again tells when another program is ready
        return self

    def kill(self) -> None:
        """End the server as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End the server as its operator would."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None


class BrokerProcess(ServerProcess):
    """An MQTT broker; what it had on disk is there again after a kill."""

    def answers(self) -> bool:
        """Return whether the broker takes an MQTT 3.1.1 session."""
        connect = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x05\x00\x04ping"
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as link:
                link.sendall(connect)
                return link.recv(4) == b"\x20\x02\x00\x00"
        except OSError:
            return False


def mosquitto(folder: Path) -> BrokerProcess:
    """Make a Mosquitto as a site has it: durable sessions, saved each second."""
    port = free_port()
    config = folder / "mosquitto.conf"
    lines = [
        f"listener {port} {LOOPBACK}",
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_interval 1",
    ]
    if os.geteuid() == 0:
        lines.append("user root")  # else it gives up root, and with it its folder
    config.write_text("\n".join(lines) + "\n")
    return BrokerProcess([str(require(MOSQUITTO)), "-c", str(config)], folder=folder, port=port)


def nats(folder: Path) -> BrokerProcess:
    """Make a nats-server with its MQTT listener, as the demo has it."""
    port = free_port()
    config = folder / "nats.conf"
    config.write_text(
        f"""server_name: test
host: {LOOPBACK}
port: {free_port()}
jetstream {{ store_dir: "{folder}/jetstream" }}
mqtt {{ host: {LOOPBACK}, port: {port}, ack_wait: "10s" }}
"""
    )
    return BrokerProcess([str(require(NATS_SERVER)), "-c", str(config)], folder=folder, port=port)


class InfluxServer(ServerProcess):
    """An InfluxDB 2.7 with one organisation and its all-access token."""

    org = "seiren"
    bucket = "readings"
    token = "only-for-this-server-on-loopback"

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        self._buckets = 0
        command = [
            str(require(INFLUXD)),
            f"--bolt-path={folder}/influxd.bolt",
            f"--engine-path={folder}/engine",
            f"--sqlite-path={folder}/influxd.sqlite",
            f"--http-bind-address={LOOPBACK}:{port}",
            "--reporting-disabled",
            "--log-level=warn",
        ]
        super().__init__(command, folder=folder, port=port)

    def answers(self) -> bool:
        """Return whether the server says that it is healthy."""
        try:
            return httpx.get(f"{self.url}/health", timeout=1).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def set_up(self) -> None:
        """Make the organisation, its first bucket and the token, once after the first start."""
        self._post(
            "setup",
            username="seiren",
            password=self.token,
            org=self.org,
            bucket=self.bucket,
            token=self.token,
        )

    def new_bucket(self) -> str:
        """Make an empty bucket that keeps its readings for ever, and return its name."""
        self._buckets += 1
        name = f"{self.bucket}-{self._buckets}"
        headers = {"Authorization": f"Token {self.token}"}
        found = httpx.get(f"{self.url}/api/v2/orgs", params={"org": self.org}, headers=headers)
        self._post("buckets", name=name, orgID=found.raise_for_status().json()["orgs"][0]["id"])
        return name

    def flux(self, query: str) -> list[dict[str, str]]:
        """Return the rows of a query's tables, one after the other."""
        headers = {"Authorization": f"Token {self.token}", "Content-Type": "application/vnd.flux"}
        params = {"org": self.org}
        answer = httpx.post(
            f"{self.url}/api/v2/query", params=params, content=query, headers=headers, timeout=60
        )
        assert answer.status_code == httpx.codes.OK, answer.text
        rows: list[dict[str, str]] = []
        header: list[str] = []
        for record in csv.reader(io.StringIO(answer.text)):
            if "table" in record:  # each table begins with its header
                header = record
            elif record:
                rows.append(dict(zip(header, record, strict=True)))
        return rows

    def _post(self, path: str, **body: str) -> None:
        headers = {"Authorization": f"Token {self.token}"}
        httpx.post(f"{self.url}/api/v2/{path}", json=body, headers=headers, timeout=30).raise_for_status()
