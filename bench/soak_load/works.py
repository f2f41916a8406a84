"""The soak's processes: meters, agent, a Mosquitto as it comes, collector, and a line to each side."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import AsyncExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from simulators.folder import free_ports
from tests.fault_proxy import FaultProxy

ROOT = Path(__file__).parents[2]
SEIREN = Path(sys.executable).with_name("seiren")
PROFILE = ROOT / "bench" / "edge_load" / "meter_bench.yaml"
UNITS, GAUGES = 10, 30
AGENT, COLLECTOR, BROKER = "agent", "collector", "broker"
ENDS_WITHIN_S = 60.0


class Works:
    """Everything that runs; entered, it runs.

    Parameters
    ----------
    folder
        Where everything is kept.
    readings_per_s
        How much the meters have to say [1/s].
    """

    def __init__(self, folder: Path, readings_per_s: int) -> None:
        self.folder = folder
        self.hq = folder / "hq"
        self.gateways = max(1, round(readings_per_s / (UNITS * GAUGES)))
        self.lines: dict[str, FaultProxy] = {}
        self.processes: dict[str, subprocess.Popen[Any]] = {}
        self.kills: list[tuple[str, float]] = []
        self.first_port = 22_500
        self._broker_port, self._metrics_port = free_ports(2)
        self._stack = AsyncExitStack()

    @property
    def readings_per_s(self) -> int:
        """What the meters really have to say [1/s]."""
        return self.gateways * UNITS * GAUGES

    async def __aenter__(self) -> Self:
        self._stack.callback(self._end_all)
        await asyncio.to_thread(self._serve_meters)
        for side in (AGENT, COLLECTOR):
            self.lines[side] = await self._stack.enter_async_context(FaultProxy(self._broker_port))
        self._configure()
        for name in (BROKER, COLLECTOR, AGENT):
            await self.start(name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def start(self, name: str) -> None:
        """Start a process; of the broker, wait until it listens."""
        await asyncio.to_thread(self._start, name)

    async def kill(self, name: str) -> None:
        """End a process as a power cut would."""
        self.kills.append((name, time.time()))
        self.processes[name].send_signal(signal.SIGKILL)
        await asyncio.to_thread(self.processes[name].wait)

    async def stop(self, name: str) -> int:
        """End a process as its operator would; return its exit code."""
        self.processes[name].send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.processes[name].wait, ENDS_WITHIN_S)

    def wipe_broker(self) -> None:
        """Let the broker forget what is on its disk."""
        for path in (self.folder / "mosquitto").iterdir():
            path.unlink()

    def check(self) -> None:
        """Raise if a process ended that was not told to."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                log = (self.folder / f"{name}.log").read_text(errors="replace")
                raise SystemExit(f"{name} ended with {process.returncode}:\n{log[-3000:]}")

    def newest_frame(self) -> int:
        """Return the number of the ledger's newest frame."""
        ledger = f"file:{self.hq / 'ledger.sqlite'}?mode=ro"
        try:
            with closing(sqlite3.connect(ledger, uri=True, timeout=10)) as connection:
                return int(connection.execute("SELECT coalesce(max(number), 0) FROM frames").fetchone()[0])
        except sqlite3.OperationalError:  # there is none yet
            return 0

    def waiting(self) -> int | None:
        """Return the readings that the agent says no ledger holds yet [1]; None while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}/status", timeout=5) as reply:
                lanes = json.load(reply)["lanes"]
        except (OSError, ValueError):
            return None
        return sum(int(lane["waiting_readings"]) for lane in lanes.values())

    def has_drained(self, within_s: float) -> bool:
        """Tell whether no more waits than is taken in so long; a connected agent alone can say so."""
        waiting = self.waiting()
        return waiting is not None and waiting <= within_s * self.readings_per_s

    def served(self) -> dict[str, dict[str, list[float]]]:
        """End the meters' service; return what they served: meter → gauges and counters → times by number."""
        path = self.folder / "served.json"
        assert self.meters.stdin is not None
        assert self.meters.stdout is not None
        self.meters.stdin.write(f"write {path}\n")
        self.meters.stdin.flush()
        self.meters.stdout.readline()
        found: dict[str, dict[str, list[float]]] = json.loads(path.read_text(encoding="ascii"))
        return found

    def _serve_meters(self) -> None:
        """Start the meters, and return when all of them listen."""
        words = [sys.executable, "-m", "bench.soak_load.meters"]
        words += map(str, (self.first_port, self.gateways, UNITS))
        self.meters = subprocess.Popen(
            words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.meters.stdout is not None
        self.meters.stdout.readline()

    def _start(self, name: str) -> None:
        command = {
            AGENT: [str(SEIREN), "agent", "run", str(self.folder / "agent.yaml"), "--log", "json"],
            COLLECTOR: [str(SEIREN), "collector", "run", str(self.hq), "--log", "json"],
            BROKER: [_mosquitto(), "-c", str(self.folder / "mosquitto.conf")],
        }[name]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while name == BROKER and not _listens(self._broker_port):
            time.sleep(0.05)

    def _configure(self) -> None:
        self.hq.mkdir(mode=0o700)
        (self.folder / "mosquitto").mkdir()
        shutil.copy(PROFILE, self.folder)
        shutil.copy(PROFILE, self.hq)
        broker = [
            "persistence true",
            f"persistence_location {self.folder}/mosquitto/",
            f"listener {self._broker_port} 127.0.0.1",
            "allow_anonymous true",
        ]
        if os.geteuid() == 0:
            broker.append("user root")  # else it gives up root, and with it its folder
        (self.folder / "mosquitto.conf").write_text("\n".join(broker) + "\n")
        points = [f"{kind}_{place}" for kind in ("float", "wide", "word") for place in range(10)]
        meters = [(gateway, unit) for gateway in range(self.gateways) for unit in range(1, UNITS + 1)]
        agent = {
            "agent": "soak",
            "site": "soak",
            "time_zone": "Asia/Tokyo",
            "broker": {"host": "127.0.0.1", "port": self.lines[AGENT].port},
            "required_ledgers": ["hq"],
            "samples": {"every_s": 1},
            "metrics_port": self._metrics_port,
            "gateways": {
                f"gw-{gateway}": {"host": "127.0.0.1", "port": self.first_port + gateway}
                for gateway in range(self.gateways)
            },
            "devices": [
                {
                    "id": f"M-{gateway}-{unit}",
                    "profile": f"./{PROFILE.name}",
                    "modbus": {"gateway": f"gw-{gateway}", "unit": unit},
                    "points": ["active_energy_import", *points],
                }
                for gateway, unit in meters
            ],
        }
        headquarters = {
            "company": {"ja": "耐久試験", "en": "soak"},
            "broker": {"host": "127.0.0.1", "port": self.lines[COLLECTOR].port},
            "metrics_port": None,
            "electricity_factor": "industry_adjusted",
            "sites": [
                {
                    "id": "soak",
                    "name": {"ja": "耐久試験", "en": "soak"},
                    "time_zone": "Asia/Tokyo",
                    "boundary": ["M-0-1"],
                    "meters": [_record(*meter) for meter in meters],
                }
            ],
        }
        for path, content in ((self.folder / "agent.yaml", agent), (self.hq / "hq.yaml", headquarters)):
            text = yaml.safe_dump(content, allow_unicode=True).replace("'2000-01-01'", "2000-01-01")
            path.write_text(text, encoding="utf-8")

    def _end_all(self) -> None:
        for process in (*self.processes.values(), self.meters):
            process.kill()
            process.wait()


def _record(gateway: int, unit: int) -> dict[str, object]:
    """A meter as headquarters has it on record."""
    name = f"M-{gateway}-{unit}"
    above = {} if name == "M-0-1" else {"parent": "M-0-1"}
    installed = {"from": "2000-01-01", "serial": name, "profile": f"./{PROFILE.name}", "side": "primary"}
    return {
        "id": name,
        "name": {"ja": name, "en": name},
        "quantity": "active_energy_import",
        "current": "ac",
        **above,
        "installations": [installed],
    }


def _mosquitto() -> str:
    return shutil.which("mosquitto") or "/usr/sbin/mosquitto"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
