"""The edge under load: CPU, lateness, delivery and memory of one agent; how fast its Modbus is. Prints JSON.

Run it as ``.venv/bin/python bench/edge.py [--seconds 600] [--only load|telegraf|rate]`` on a machine that
does nothing else (Linux: it reads /proc).

The load is 500 meters behind 50 gateways, each asked for 30 values a second, all alive and then with one
silent meter on each gateway. Readings go through the spool (fsync) and a real Mosquitto to a ledger that
holds all at once. Where ``telegraf`` is on the PATH it gets the same load in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from simulators.folder import free_ports

HERE = Path(__file__).parent / "edge_load"
SEIREN = Path(sys.executable).with_name("seiren")
GATEWAYS, UNITS, POINTS = 50, 10, 30
FIRST_PORT = 21_500
WARM_UP_S = 20
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run what was asked for and print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=600, help="of each load, after 20 s to warm up")
    parser.add_argument("--only", choices=("load", "telegraf", "rate"))
    asked = parser.parse_args()
    figures: dict[str, Any] = {"devices": GATEWAYS * UNITS, "readings_due_per_s": GATEWAYS * UNITS * POINTS}
    for name, dead in (("all_alive", 0), ("one_dead_per_gateway", 1)):
        if asked.only in (None, "load"):
            figures[name] = under_load(run_seiren, asked.seconds, dead)
        if asked.only in (None, "telegraf") and shutil.which("telegraf"):
            figures[f"telegraf_{name}"] = under_load(run_telegraf, asked.seconds, dead)
    if asked.only in (None, "rate"):
        figures["requests_per_s"] = json.loads(subprocess.check_output([sys.executable, HERE / "rate.py"]))
    print(json.dumps(figures, indent=1))


def under_load(run: Any, seconds: int, dead: int) -> dict[str, Any]:
    """Return what one program did with the load."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with broker(folder) as mqtt_port, child("gateways.py", FIRST_PORT, GATEWAYS, UNITS, dead) as meters:
            with run(folder, mqtt_port) as (process, own_figures):
                time.sleep(WARM_UP_S)
                ask(meters, "reset")
                before_s, start_s = cpu_s(process.pid), time.monotonic()
                memory = [(0.0, memory_mb(process.pid))]
                while (passed_s := time.monotonic() - start_s) < seconds:
                    time.sleep(min(5.0, seconds - passed_s))
                    memory.append((time.monotonic() - start_s, memory_mb(process.pid)))
                report = json.loads(ask(meters, "report"))
                passed_s = time.monotonic() - start_s
                cpu = (cpu_s(process.pid) - before_s) / passed_s
                own = own_figures()
            due = report["living_units"] * passed_s
            return {
                "seconds": round(passed_s),
                "cpu_share_of_a_core": round(cpu, 4),
                "share_of_living_requests_made": round(report["requests_to_living"] / due, 4),
                "requests_to_dead": report["requests_to_dead"],
                "ms_after_own_grid": report["ms_after_own_grid"],
                "memory_mb": round(max(mb for _, mb in memory), 1),
                "memory_slope_mb_per_10_min": round(slope(memory) * 600, 2),
                **own,
            }


@contextmanager
def run_seiren(folder: Path, mqtt_port: int) -> Iterator[Any]:
    """Run an agent; its own figures are its lateness, and what the ledger holds of what was taken."""
    (metrics_port,) = free_ports(1)
    shutil.copy(HERE / "meter_bench.yaml", folder)
    points = [f"{kind}_{place}" for kind in ("float", "wide", "word") for place in range(10)]
    lines = [
        "agent: bench", "site: bench", "time_zone: Asia/Tokyo",
        f"broker: {{host: 127.0.0.1, port: {mqtt_port}}}", "required_ledgers: [hq]",
        "samples: {every_s: 1}", f"metrics_port: {metrics_port}", "gateways:",
    ]  # fmt: skip
    for gateway in range(GATEWAYS):
        lines.append(f"  gw-{gateway}: {{host: 127.0.0.1, port: {FIRST_PORT + gateway}}}")
    lines.append("devices:")
    names = ", ".join(["active_energy_import", *points])
    for gateway in range(GATEWAYS):
        for unit in range(1, UNITS + 1):
            modbus = f"{{gateway: gw-{gateway}, unit: {unit}}}"
            device = f"id: M-{gateway}-{unit}, profile: ./meter_bench.yaml, modbus: {modbus}"
            lines.append(f"  - {{{device}, points: [{names}]}}")
    config = folder / "agent.yaml"
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with child("ledger.py", mqtt_port, "bench", "bench") as ledger:
        process = start([str(SEIREN), "agent", "run", "--log", "json", str(config)], folder / "agent.log")
        try:
            yield process, lambda: seiren_figures(metrics_port, ledger)
        finally:
            stop(process)


def seiren_figures(metrics_port: int, ledger: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what the agent says of itself, and what the ledger has."""
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/status", timeout=10) as reply:
        status = json.load(reply)
    held = json.loads(ask(ledger, "held"))
    lanes = {
        lane: {key: facts[key] for key in ("due", "taken", "skipped")}
        for lane, facts in status["lanes"].items()
    }
    waiting = {lane: facts["waiting_readings"] for lane, facts in status["lanes"].items()}
    return {
        "lateness_ms": status["lateness_ms"],
        "device_readings_since_start": lanes,
        "readings_acknowledged_since_start": held,
        "readings_not_yet_acknowledged": waiting,
    }


@contextmanager
def run_telegraf(folder: Path, mqtt_port: int) -> Iterator[Any]:
    """Run Telegraf with the same registers: one plugin for each gateway, one request for each meter."""
    fields = "".join(
        f'   {{address={first + words * place}, name="{kind.lower()}_{place}", type="{kind}"}},\n'
        for kind, words, first in (("FLOAT32", 2, 0), ("INT32", 2, 20), ("UINT16", 1, 40))
        for place in range(10)
    )
    text = [
        '[agent]\n interval = "1s"\n flush_interval = "1s"\n metric_batch_size = 1000\n'
        " metric_buffer_limit = 100000\n omit_hostname = true\n quiet = true\n"
        f'[[outputs.mqtt]]\n servers = ["tcp://127.0.0.1:{mqtt_port}"]\n topic = "bench"\n qos = 1\n'
        ' data_format = "influx"\n layout = "batch"\n'
    ]
    for gateway in range(GATEWAYS):
        text.append(
            f'[[inputs.modbus]]\n name = "gw-{gateway}"\n configuration_type = "request"\n timeout = "1s"\n'
            f' controller = "tcp://127.0.0.1:{FIRST_PORT + gateway}"\n'
        )
        text += (
            f' [[inputs.modbus.request]]\n  slave_id = {unit}\n  byte_order = "ABCD"\n'
            f'  register = "holding"\n  fields = [\n{fields}  ]\n'
            for unit in range(1, UNITS + 1)
        )
    config = folder / "telegraf.conf"
    config.write_text("".join(text), encoding="utf-8")
    process = start(["telegraf", "--config", str(config)], folder / "telegraf.log")
    try:
        yield process, dict
    finally:
        stop(process)


@contextmanager
def broker(folder: Path) -> Iterator[int]:
    """Run Mosquitto on loopback; its port."""
    (port,) = free_ports(1)
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n", encoding="utf-8"
    )
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    process = start([program, "-c", str(config)], folder / "mosquitto.log")
    try:
        deadline_s = time.monotonic() + 10
        while not listens(port):
            if time.monotonic() > deadline_s:
                raise SystemExit(f"mosquitto does not start: {(folder / 'mosquitto.log').read_text()}")
            time.sleep(0.05)
        yield port
    finally:
        stop(process)


@contextmanager
def child(script: str, *words: object) -> Iterator[subprocess.Popen[str]]:
    """Run one of the load's own processes; it has said that it is ready."""
    command = [sys.executable, str(HERE / script), *map(str, words)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert line_of(process.stdout) == "ready"
        yield process
    finally:
        stop(process)


def ask(process: subprocess.Popen[str], word: str) -> str:
    """Return a process's answer to a line."""
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
    return line_of(process.stdout)


def line_of(stream: IO[str] | None) -> str:
    """Return the next line."""
    assert stream is not None
    return stream.readline().strip()


def start(command: list[str], log: Path) -> subprocess.Popen[Any]:
    """Start a program, its output going to a file."""
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)


def stop(process: subprocess.Popen[Any]) -> None:
    """End a program, and wait for its end."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process so far [s]."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process [MB]."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024 / 1e6


def slope(points: list[tuple[float, float]]) -> float:
    """Return the slope of the least-squares line through points."""
    mean_x, mean_y = (sum(axis) / len(points) for axis in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def listens(port: int) -> bool:
    """Return whether somebody listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main()
