"""What the collector's doctor says of certificates and secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.asking import gather
from collector.doctor import diagnose
from collector.secret_files import look
from config.hq import load_hq
from tests.authority import DAY, NOW, Authority
from tests.unit.collector.material import HQ, folder_with

NOW_MS = int(NOW.timestamp() * 1000)
SECURED = HQ.replace(
    "broker: {host: 127.0.0.1, port: 1}",
    "broker: {host: 127.0.0.1, tls: {ca: ca.pem, certificate: hq.crt, key: hq.key}}\n"
    "metrics_port: null\n"
    "ledger: {url_file: ledger.url}\n"
    "store: {kind: influxdb, url: 'http://127.0.0.1:1', org: o, bucket: b, token_file: token}",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ledger's folder whose client certificate ends in 30 days; its authority's ended yesterday."""
    made = folder_with(tmp_path / "hq", SECURED)
    (tmp_path / "ca").mkdir()
    authority = Authority(tmp_path / "ca", "works", ends=NOW - DAY / 2)
    certificate, key = authority.signs("collectors.hq", ends=NOW + 30 * DAY)
    for source, name in ((authority.file, "ca.pem"), (certificate, "hq.crt"), (key, "hq.key")):
        (made / name).write_bytes(source.read_bytes())
    for name in ("ledger.url", "token"):
        (made / name).write_text(f"postgresql://u:{name}@127.0.0.1:1/d?connect_timeout=1\n", encoding="ascii")
    return made


def test_ends_are_told_and_secrets_that_others_can_read(folder: Path) -> None:
    for name, mode in (("hq.key", 0o600), ("ledger.url", 0o644), ("token", 0o640)):
        (folder / name).chmod(mode)
    found = look(folder, load_hq(folder), NOW_MS)
    (fault,) = found.faults
    assert fault.what.startswith("CA of the broker ended ")
    assert "agents keep what they read" in fault.costs
    assert found.notices[0].what.startswith("client certificate for the broker ends ")
    assert [(each.what.rpartition("/")[2], each.seen) for each in found.notices[1:]] == [
        ("ledger.url", "mode 0644"),
        ("token", "mode 0640"),
    ]


def test_the_doctor_tells_it(folder: Path) -> None:
    for name in ("hq.key", "ledger.url", "token"):
        (folder / name).chmod(0o600)
    diagnosis = diagnose(gather(folder, load_hq(folder), now_ms=NOW_MS))
    assert any("CA of the broker ended" in each.what for each in diagnosis.found.faults)
    assert any("client certificate for the broker ends" in each.what for each in diagnosis.found.notices)
    assert not any("others on this machine" in each.what for each in diagnosis.found.notices)


@pytest.mark.parametrize("password", ["", ":let-me-in"])
def test_a_password_in_the_configuration_itself_makes_it_a_secret(password: str, tmp_path: Path) -> None:
    made = folder_with(tmp_path / "hq", f"{HQ}ledger: {{url: 'postgresql://u{password}@h/d'}}\n")
    (made / "hq.yaml").chmod(0o644)
    told = [each.what for each in look(made, load_hq(made), NOW_MS).notices]
    assert any("hq.yaml" in each for each in told) is bool(password)


def test_a_folder_without_secrets_has_nothing_to_tell(tmp_path: Path) -> None:
    made = folder_with(tmp_path / "hq")
    assert look(made, load_hq(made), NOW_MS).tally == "no faults, 0 good"
