"""Modbus/TCP Security: both sides show a certificate, and what is wrong with one is said."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.modbus.links import tls_context
from agent.modbus.wire import ReadRequest
from config.tls import Tls
from core.errors import Unreachable
from tests.authority import DAY, NOW, Authority, old_context, strict_server
from tests.unit.agent.modbus.fakes import bus_over, link_to, peer

REQUEST = ReadRequest(unit=7, function=3, address=100, count=2)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The works' own authority."""
    return Authority(tmp_path_factory.mktemp("ca"), "works")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


def server(
    files: tuple[Path, Path], *, clients: Path | None = None, version: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """Return how a device answers; with `clients` it wants a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    return context


async def answer(data: bytes, send: Callable[[bytes], None]) -> None:
    send(data[:2] + bytes.fromhex("0000 0007 07 03 04 0001 0002"))


async def refusal(port: int, tls: Tls) -> Unreachable:
    """Return why nothing was read."""
    async with bus_over(link_to(port, tls=tls)) as bus:
        with pytest.raises(Unreachable) as caught:
            await bus.ask(REQUEST)
        assert "127.0.0.1" in caught.value.where or Path(caught.value.where).is_absolute()
        return caught.value


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_sides_show_a_certificate(authority: Authority, version: ssl.TLSVersion) -> None:
    context = server(authority.signs("gateway.works"), clients=authority.file, version=version)
    certificate, key = authority.signs("agent")
    tls = Tls(ca=authority.file, certificate=certificate, key=key, server_name="gateway.works")
    async with peer(answer, ssl=context) as gateway, bus_over(link_to(gateway.port, tls=tls)) as bus:
        for _ in range(3):
            assert (await bus.ask(REQUEST)).data == b"\0\1\0\2"
        assert gateway.connections == 1
        for writer in gateway.writers:
            writer.close()
        assert (await bus.ask(REQUEST)).data == b"\0\1\0\2"  # closed while idle: opened once more


async def test_without_a_server_name_the_host_must_be_in_the_certificate(authority: Authority) -> None:
    tls = Tls(ca=authority.file)
    async with (
        peer(answer, ssl=server(authority.signs("127.0.0.1"))) as gateway,
        bus_over(link_to(gateway.port, tls=tls)) as bus,
    ):
        assert (await bus.ask(REQUEST)).data == b"\0\1\0\2"


async def test_what_is_wrong_with_the_device_s_certificate(authority: Authority, stranger: Authority) -> None:
    good = Tls(ca=authority.file, server_name="gateway.works")
    for files, tls, seen, then in (
        (authority.signs("gateway.works", ends=NOW - DAY / 2), good, "has expired", "date; openssl s_client"),
        (authority.signs("gateway.works", begins=NOW + DAY / 2), good, "not valid yet", "date; openssl"),
        (stranger.signs("gateway.works"), good, "from an unknown CA", "openssl s_client -connect 127.0.0.1"),
        (authority.signs("other.works"), good, "is for another name", "-ext subjectAltName"),
        (authority.signs("gateway.works"), Tls(ca=authority.file), "another address", "openssl s_client"),
    ):
        async with peer(answer, ssl=server(files)) as gateway:
            error = await refusal(gateway.port, tls)
            assert "refused by this side" in error.what
            assert seen in error.evidence
            assert then in error.next
    assert "tls.server_name" in error.cause


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_what_is_wrong_with_our_certificate(
    authority: Authority, stranger: Authority, version: ssl.TLSVersion
) -> None:
    device = server(authority.signs("gateway.works"), clients=authority.file, version=version)
    cases = (
        (None, "wants a client certificate", "none is configured"),
        (stranger.signs("agent"), "does not know the CA of our client", "does not accept our client"),
        (authority.signs("agent", ends=NOW - DAY / 2), "our client certificate has expired", "not accept"),
    )
    with strict_server(device) as port:
        for files, seen, cause in cases:
            certificate, key = files or (None, None)
            tls = Tls(ca=authority.file, certificate=certificate, key=key, server_name="gateway.works")
            error = await refusal(port, tls)
            assert seen in error.evidence
            assert cause in error.cause
            assert error.next == "set tls.certificate and tls.key to a pair that the device trusts"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_device_that_closes_instead_of_telling(
    authority: Authority, stranger: Authority, version: ssl.TLSVersion
) -> None:
    context = server(authority.signs("gateway.works"), clients=authority.file, version=version)
    async with peer(answer, ssl=context) as gateway:
        for files in (None, stranger.signs("agent")):
            certificate, key = files or (None, None)
            tls = Tls(ca=authority.file, certificate=certificate, key=key, server_name="gateway.works")
            error = await refusal(gateway.port, tls)
            assert "closed by the other side" in error.evidence
            assert "client certificate" in error.cause
            assert error.next.startswith("set tls.certificate")


async def test_what_answers_does_not_speak_tls(authority: Authority) -> None:
    async def hello(data: bytes, send: Callable[[bytes], None]) -> None:
        send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with peer(hello) as gateway:
        error = await refusal(gateway.port, Tls(ca=authority.file))
        assert error.evidence == "what answers does not speak TLS"
        assert "802" in error.next


async def test_a_device_that_never_finishes_the_handshake_is_given_up(authority: Authority) -> None:
    async def silent(data: bytes, send: Callable[[bytes], None]) -> None:
        pass

    async with peer(silent) as gateway:
        link = link_to(gateway.port, tls=Tls(ca=authority.file))
        async with bus_over(link) as bus:
            for _ in range(2):
                with pytest.raises(Unreachable, match="No connection") as caught:
                    await bus.ask(REQUEST, within_s=0.1)
            assert caught.value.evidence == "no answer within 0.1 s"
            assert gateway.connections == 2  # a caller's hurry says nothing of the device
        async with bus_over(replace(link, timeout_s=0.05)) as bus:
            for _ in range(2):
                with pytest.raises(Unreachable, match="No connection"):
                    await bus.ask(REQUEST)
            assert gateway.connections == 3  # the second time it was left alone


async def test_openssl_never_asks_for_a_passphrase_on_the_terminal(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []
    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", lambda *_, password=None: given.append(password))
    certificate, key = authority.signs("agent")
    tls_context(link_to(802, tls=Tls(ca=authority.file, certificate=certificate, key=key)))
    assert given == [""]


async def test_files_that_cannot_be_used_are_named(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.signs("agent", passphrase=b"secret")
    (tmp_path / "empty.pem").write_text("")
    for tls, where in (
        (Tls(ca=tmp_path / "missing.pem"), tmp_path / "missing.pem"),
        (Tls(ca=tmp_path / "empty.pem"), tmp_path / "empty.pem"),
        (Tls(ca=authority.file, certificate=tmp_path / "none.crt", key=key), key),
        (Tls(ca=authority.file, certificate=certificate, key=key), key),  # it would ask on the terminal
    ):
        async with bus_over(link_to(1, tls=tls)) as bus:
            with pytest.raises(Unreachable, match="TLS file") as caught:
                await bus.ask(REQUEST)
            assert caught.value.where == str(where)


async def test_old_tls_is_refused(authority: Authority) -> None:
    device = old_context(authority.signs("127.0.0.1"))
    with strict_server(device) as port:
        error = await refusal(port, Tls(ca=authority.file))
        assert error.evidence == "the device does not speak TLS 1.2 or newer"
