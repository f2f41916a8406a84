"""What is written to disk is for the user who wrote it, whatever the umask says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.health.certificates import secrets
from agent.known_ledgers import KnownLedgers
from agent.setup.findings import find_in_agent
from collector.ledger import Ledger
from collector.stores.sqlite import SqliteStore
from core.delivery.frames import Lane
from core.runtime.certificates import readable_by_others
from tests.unit.agent.spool_disk import Disk
from tests.unit.collector.material import commit, data, frame, minutes, table


@pytest.fixture(autouse=True)
def careless() -> Iterator[None]:
    """A process that would let everybody read and write what it makes."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """Files and folders that others may read, write or enter."""
    return [
        f"{path.relative_to(folder)} {path.stat().st_mode & 0o777:04o}"
        for path in (folder, *folder.rglob("*"))
        if path.stat().st_mode & 0o077
    ]


async def test_nobody_else_can_read_what_is_written(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "spool")
    await disk.write(3)
    await disk.write(3, lane=Lane.SAMPLES)
    KnownLedgers(tmp_path / "spool").trust("hq", "1" * 32)
    disk.kill_and_start()
    assert open_to_others(tmp_path / "spool") == []
    disk.spool._lock.release()

    (tmp_path / "hq").mkdir(mode=0o700)
    ledger = Ledger.open(tmp_path / "hq", create=True)
    commit(ledger, table(), data(frame(0, minutes(0, 3))))
    store = SqliteStore(tmp_path / "hq/readings.sqlite")
    await store.open()
    names = {path.name for path in (tmp_path / "hq").iterdir()}
    assert {"ledger.sqlite", "ledger.sqlite-wal", "readings.sqlite"} <= names
    assert open_to_others(tmp_path / "hq") == []
    await store.close()
    ledger.close()


AGENT = """\
agent: aoba-1
site: aoba
time_zone: Asia/Tokyo
broker: {host: 192.0.2.1, tls: {ca: ca.pem, certificate: a.crt, key: a.key}, username: a, password_file: p}
required_ledgers: [hq]
gateways:
  gw-1: {host: 192.0.2.2, tls: {ca: ca.pem, certificate: a.crt, key: gw.key}}
devices:
  - {id: A, profile: schneider_pm5xxx, modbus: {gateway: gw-1, unit: 1}}
  - id: B
    profile: schneider_pm5xxx
    modbus: {host: 192.0.2.3, unit: 1, tls: {ca: ca.pem, certificate: a.crt, key: b.key}}
"""


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o600, 0o400])
def test_a_secret_that_others_can_read_is_named(mode: int, tmp_path: Path) -> None:
    for name in ("ca.pem", "a.crt", "a.key", "p", "gw.key", "b.key"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode if name in ("a.key", "p", "gw.key", "b.key") else 0o644)
    (tmp_path / "agent.yaml").write_text(AGENT, encoding="utf-8")
    found = find_in_agent(tmp_path / "agent.yaml")
    assert found.document is not None
    told = [each.where.rpartition(": ")[2] for each in found.warnings if "read this secret" in each.what]
    named = {
        "broker.tls.key",
        "broker.password_file",
        "gateways.gw-1.tls.key",
        "devices[1].modbus.tls.key",
    }
    assert set(told) == (named if mode & 0o077 else set())
    assert {bool(readable_by_others(path)) for path in secrets(found.document).values()} == {
        bool(mode & 0o077)
    }
    assert len(secrets(found.document)) == len(named)
