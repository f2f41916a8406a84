"""Readings from a meter to the ledger over mutual TLS, the broker's own rules, and the units' confinement."""

from __future__ import annotations

import asyncio
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.ledger import Ledger
from core.delivery.access import access_of_agent, access_of_collector
from core.delivery.frames import Lane
from core.errors import OutsideError
from simulators.meters import Electrical
from simulators.modbus import serve_meters
from simulators.products import product_meter
from tests.confined import allowed
from tests.e2e.edge import Steady
from tests.parts import SYSCALL_NUMBERS, SYSTEMD_ANALYZE, require
from tests.secured_broker import SecuredBroker
from tests.servers import free_port
from tests.unit.collector.material import HQ, folder_with

ROOT = Path(__file__).parents[2]
MAIN = [sys.executable, "-c", "from seiren import main; main()"]
WITHIN_S = 90.0

AGENT = """\
agent: aoba-1
site: aoba
time_zone: Asia/Tokyo
{broker}
required_ledgers: [hq]
metrics_port: {port}
registers: {{every_s: 1, boundary_margin_ms: 0, spread: false}}
samples: {{every_s: 1, spread: false}}
devices:
  - {{id: AOB-RCV-01, profile: schneider_pm5xxx, modbus: {{host: 127.0.0.1, port: {meter}, unit: 1}}}}
"""


@contextmanager
def process(log: Path, unit: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command, confined as its unit confines it."""
    confined = [sys.executable, str(ROOT / "tests/confined.py"), str(ROOT / "deploy/systemd" / unit)]
    with log.open("wb") as out:
        child = subprocess.Popen([*confined, *MAIN, *words], cwd=ROOT, stdout=out, stderr=out)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def stored_samples(folder: Path) -> int:
    """How many samples a ledger holds; 0 while there is no ledger."""
    try:
        ledger = Ledger.open(folder)
    except OutsideError:
        return 0
    try:
        return sum(count.stored for count in ledger.counts() if count.lane is Lane.SAMPLES)
    finally:
        ledger.close()


async def samples_stored(folder: Path) -> int:
    """Wait for samples in a ledger; only asking again tells when there are any."""
    while True:
        if stored := await asyncio.to_thread(stored_samples, folder):
            return stored
        await asyncio.sleep(0.2)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the filter of system calls is made for x86-64")
async def test_confined_processes_deliver_over_mutual_tls(tmp_path: Path) -> None:
    require(SYSTEMD_ANALYZE)
    require(SYSCALL_NUMBERS)
    (tmp_path / "broker").mkdir()
    broker = SecuredBroker(
        tmp_path / "broker", [access_of_collector("hq"), access_of_agent("aoba", "aoba-1", ["hq"])]
    ).start()
    meter = product_meter("schneider_pm5xxx", Steady(250_000, 0), Electrical(400, 0.91))
    hq = folder_with(
        tmp_path / "hq",
        HQ.replace(
            "broker: {host: 127.0.0.1, port: 1}", f"{broker.yaml('collectors.hq')}\nmetrics_port: null"
        ),
    )
    try:
        async with serve_meters({1: meter}, port=0, now_ms=lambda: time.time_ns() // 1_000_000) as line:
            (tmp_path / "agent.yaml").write_text(
                AGENT.format(broker=broker.yaml("aoba.aoba-1"), port=free_port(), meter=line.port),
                encoding="utf-8",
            )
            with (
                process(tmp_path / "hq.log", "seiren-collector.service", "collector", "run", str(hq)) as _,
                process(
                    tmp_path / "agent.log",
                    "seiren-agent.service",
                    *("agent", "run", str(tmp_path / "agent.yaml")),
                ) as agent,
            ):
                async with asyncio.timeout(WITHIN_S):
                    stored = await samples_stored(hq)
                assert agent.poll() is None
    finally:
        broker.stop()
        told = "".join((tmp_path / name).read_text() for name in ("hq.log", "agent.log"))
        assert "ERROR" not in told and "Traceback" not in told, told
    assert stored > 0


@pytest.mark.parametrize("unit", ["seiren-agent.service", "seiren-collector.service"])
def test_a_unit_lets_nothing_through_that_changes_the_machine(unit: str) -> None:
    require(SYSTEMD_ANALYZE)
    names = allowed(ROOT / "deploy/systemd" / unit)
    assert {"read", "fsync", "socket", "connect", "execve"} <= names
    assert not names & {
        *("mount", "umount2", "chroot", "pivot_root", "reboot", "swapon", "kexec_load", "init_module"),
        *("setuid", "chown", "settimeofday", "clock_settime", "ptrace", "bpf", "iopl", "ioperm"),
    }
