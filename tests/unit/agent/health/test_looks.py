"""Looks from outside: real certificates, ports open or not, what the kernel says of the clock."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.health.certificates import certificates
from agent.health.clock_check import judge, read_clock
from agent.health.reach import free_bytes, holder, reach
from config.loading import load_agent
from core.runtime.certificates import read_certificate

SOON, LATER = datetime(2027, 3, 26, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)


def pem(ends: datetime) -> bytes:
    """Return a certificate that signs itself and ends then."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(ends - timedelta(days=365)).not_valid_after(ends)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def test_a_chain_ends_with_its_first_certificate_and_a_set_of_authorities_with_its_last(
    tmp_path: Path,
) -> None:
    path = tmp_path / "both.pem"
    path.write_bytes(pem(LATER) + pem(SOON))
    assert read_certificate(path, "client").ends_ms == ms(SOON)
    assert read_certificate(path, "CA", is_ca=True).ends_ms == ms(LATER)


def test_what_is_no_certificate_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("-----BEGIN NOTHING-----", encoding="ascii")
    assert read_certificate(tmp_path / "key.pem", "x").problem == "no PEM certificate in it"
    assert read_certificate(tmp_path / "none.pem", "x").problem == "No such file or directory"


def test_each_file_that_the_configuration_names_is_looked_at_once(tmp_path: Path) -> None:
    for name, ends in (("ca", LATER), ("agent", SOON)):
        (tmp_path / f"{name}.pem").write_bytes(pem(ends))
    (tmp_path / "agent.yaml").write_text(
        """
agent: aoba-1
site: aoba
time_zone: Asia/Tokyo
broker: {host: 127.0.0.1}
required_ledgers: [hq]
gateways:
  gw-1: {host: 127.0.0.1, tls: {ca: ca.pem, certificate: agent.pem, key: agent.pem}}
devices:
  - {id: A, profile: schneider_pm5xxx, modbus: {gateway: gw-1, unit: 1}}
  - {id: B, profile: schneider_pm5xxx, modbus: {gateway: gw-1, unit: 2}}
""",
        encoding="utf-8",
    )
    found = certificates(load_agent(tmp_path / "agent.yaml"))
    assert [(one.what, one.ends_ms) for one in found] == [
        ("CA of gw-1", ms(LATER)),
        ("client certificate for gw-1", ms(SOON)),
    ]


def test_a_port_is_open_refused_or_its_name_unknown(free_port: Callable[[], int]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert reach("127.0.0.1", server.getsockname()[1]).reached == "open"
    assert reach("127.0.0.1", free_port()).reached == "refused"
    assert reach("no-such-host.invalid", 1883, within_s=1).reached == "unknown_name"


def test_free_space_is_that_of_the_disk_where_the_folder_would_be(tmp_path: Path) -> None:
    free = free_bytes(tmp_path / "not" / "there")
    assert free is not None and free > 0


def test_who_holds_a_lock_is_read_from_the_kernels_list(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    locks = tmp_path / "locks"
    locks.write_text(
        "1: POSIX  ADVISORY  WRITE 17 fe:01:1 0 EOF\n"
        f"2: FLOCK  ADVISORY  WRITE 4711 fe:01:{lock.stat().st_ino} 0 EOF\n",
        encoding="ascii",
    )
    assert holder(lock, locks) == 4711
    assert holder(lock, tmp_path / "none") is None
    assert holder(tmp_path / "none", locks) is None


@pytest.mark.parametrize(
    ("status", "offset", "error_us", "synchronised", "off_ms"),
    [
        (0x0001, -3_000, 900, True, 3.0),
        (0x2001, 3_000_000, 900, True, 3.0),
        (0x2001, 10, 25_000, True, 25.0),
        (0x0040, 0, 16_000_000, False, None),
    ],
)
def test_what_the_kernel_says_of_the_clock(
    status: int, offset: int, error_us: int, synchronised: bool, off_ms: float | None
) -> None:
    found = judge(status, offset=offset, error_us=error_us)
    assert (found.synchronised, found.off_ms) == (synchronised, off_ms)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has adjtimex")
def test_this_machines_kernel_answers() -> None:
    assert read_clock().synchronised is not None
