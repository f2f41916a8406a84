"""Passwords, certificates that end, and who may read them."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from core.delivery.access import access_of_agent
from core.errors import Unreachable
from core.runtime.certificates import Certificate, certificates_of, judge, soon_over
from core.runtime.mqtt import MqttSession
from core.runtime.mqtt_security import MqttSecurity
from core.runtime.tls import TlsFiles
from tests.authority import DAY, NOW, Authority
from tests.secured_broker import SecuredBroker

NOW_MS = int(NOW.timestamp() * 1000)
DAY_MS = 86_400_000


def test_a_password_is_read_anew_for_each_connection(tmp_path: Path) -> None:
    file = tmp_path / "password"
    security = MqttSecurity(username="a", password_file=file)
    with pytest.raises(Unreachable, match="cannot be read"):
        security.password()
    for secret in ("first", "second ", " with spaces"):
        file.write_text(f"{secret}\r\n", encoding="utf-8")
        assert security.password() == secret
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(Unreachable, match="cannot be read") as caught:
        security.password()
    assert caught.value.evidence == "the file is empty"
    file.write_bytes(b"\xff")
    with pytest.raises(Unreachable) as caught:
        security.password()
    assert caught.value.evidence == "it is no UTF-8 text"


def test_without_a_file_the_environment_has_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEIREN_BROKER_PASSWORD", raising=False)
    assert MqttSecurity(username="a").password() is None
    monkeypatch.setenv("SEIREN_BROKER_PASSWORD", "of the environment")
    assert MqttSecurity(username="a").password() == "of the environment"
    assert MqttSecurity().password() is None, "without a name there is none"


def test_what_is_said_of_security_holds_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "p").write_text("hunter2", encoding="ascii")
    security = MqttSecurity(username="a", password_file=tmp_path / "p")
    assert security.password() == "hunter2"
    assert "hunter2" not in repr(security)


def test_certificates_are_spoken_of_60_days_ahead(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "works")
    soon, late = authority.signs("soon", ends=NOW + 59 * DAY), authority.signs("late", ends=NOW + 61 * DAY)
    for files, ends in ((soon, True), (late, False)):
        found = certificates_of(TlsFiles(authority.file, *files), "the broker")
        assert [one.what for one in found] == ["CA of the broker", "client certificate for the broker"]
        assert (found[1] in soon_over(found, NOW_MS)) is ends


@pytest.mark.parametrize(
    ("days", "problem", "faults", "notices", "good"),
    [
        (-1, "", 1, 0, []),
        (30, "", 0, 1, []),
        (90, "", 0, 0, ["certificates"]),
        (None, "no PEM certificate in it", 1, 0, []),
    ],
)
def test_what_a_doctor_says_of_a_certificate(
    days: int | None, problem: str, faults: int, notices: int, good: list[str]
) -> None:
    ends_ms = None if days is None else NOW_MS + days * DAY_MS
    one = Certificate("a.crt", "client certificate for the broker", ends_ms, problem, "nothing is delivered")
    found = judge([one], NOW_MS, ZoneInfo("Asia/Tokyo"))
    assert (len(found.faults), len(found.notices), found.good) == (faults, notices, good)
    assert all(fault.costs == "nothing is delivered" for fault in found.faults)
    assert all(one.what in each.what for each in (*found.faults, *found.notices))


async def test_a_session_says_once_which_certificates_end_soon(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    authority = Authority(tmp_path, "works")  # which ends tomorrow, as all that it signs here
    long = authority.signs("127.0.0.1", "localhost", ends=NOW + 365 * DAY)
    folder = tmp_path / "broker"
    folder.mkdir()
    rule = access_of_agent("aoba", "aoba-1", ["hq"])
    broker = SecuredBroker(folder, [rule], authority=authority, broker_files=long).start()
    try:
        connected = asyncio.Event()

        async def ready() -> None:
            connected.set()

        session = MqttSession(
            broker.host, broker.port, "a", on_connected=ready, security=broker.security(rule.user)
        )
        task = asyncio.create_task(session.run())
        for _ in range(2):
            await asyncio.wait_for(connected.wait(), 10)
            connected.clear()
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.start)
        await asyncio.wait_for(connected.wait(), 10)
        assert session.broker_certificate_ends_ms == int((NOW + 365 * DAY).timestamp()) * 1000
        await session.close()
        await task
    finally:
        broker.stop()
    told = [record.getMessage() for record in caplog.records if "ends soon" in record.getMessage()]
    assert sorted(told) == ["CA of the broker ends soon", "client certificate for the broker ends soon"]
