"""Against a real Mosquitto with Seiren's own configuration and rules: who gets in, and who can do what."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from core.delivery import topics
from core.delivery.access import Access, access_of_agent, access_of_collector
from core.delivery.frames import Lane
from core.errors import Unreachable
from core.runtime.mqtt import MqttSession
from core.runtime.mqtt_connection import Connection, Publication
from core.runtime.mqtt_security import MqttSecurity
from core.runtime.tls import TlsFiles
from tests.authority import DAY, NOW, Authority, old_context, strict_server
from tests.ears import Ear
from tests.secured_broker import SecuredBroker
from tests.servers import BrokerProcess

AGENT, OTHER, COLLECTOR, EAST = "aoba.aoba-1", "shiomi.shiomi-1", "collectors.hq", "collectors.hq-east"
RULES = (
    access_of_collector("hq"),
    access_of_collector("hq-east", ["shiomi"]),
    access_of_agent("aoba", "aoba-1", ["hq"]),
    access_of_agent("shiomi", "shiomi-1", ["hq", "hq-east"]),
    Access("watcher", publishes=("#",), reads=("#",)),
)


@pytest.fixture(scope="module")
def by_certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    """A broker that knows its clients by their certificates."""
    broker = SecuredBroker(tmp_path_factory.mktemp("by-certificate"), RULES)
    try:
        yield broker.start()
    finally:
        broker.stop()


@pytest.fixture(scope="module")
def by_password(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    """A broker that knows its clients by name and password."""
    broker = SecuredBroker(tmp_path_factory.mktemp("by-password"), RULES, identity="password")
    try:
        yield broker.start()
    finally:
        broker.stop()


@pytest.fixture(params=["by_certificate", "by_password"])
def secured(request: pytest.FixtureRequest) -> SecuredBroker:
    """Each of them in turn."""
    broker: SecuredBroker = request.getfixturevalue(request.param)
    return broker


@asynccontextmanager
async def client(
    broker: SecuredBroker, user: str, *filters: str, ear: Ear | None = None
) -> AsyncIterator[MqttSession]:
    """A session of one of the broker's clients that is connected; what it hears goes to `ear`."""
    ready = asyncio.Event()

    async def connected() -> None:
        ready.set()

    session = MqttSession(
        broker.host,
        broker.port,
        f"{user}-client",
        subscriptions=filters,
        on_message=ear,
        on_connected=connected,
        security=broker.security(user),
    )
    task = asyncio.create_task(session.run())
    try:
        async with asyncio.timeout(15):
            await ready.wait()
        yield session
    finally:
        await session.close()
        await task


EVERY_TOPIC = [
    *(
        topic
        for site, agent in (("aoba", "aoba-1"), ("aoba", "aoba-2"), ("shiomi", "shiomi-1"))
        for topic in (
            *(topics.data(site, agent, lane) for lane in Lane),
            topics.head(site, agent),
            topics.status(site, agent),
            topics.ack(site, agent, "hq"),
            topics.ack(site, agent, "hq-east"),
        )
    ),
    topics.collector_status("hq"),
    topics.collector_status("hq-east"),
    "seiren/v1/aoba/aoba-1/registers/deeper",
    "seiren/v2/aoba/aoba-1/registers",
    "anything",
]


def of(site: str, agent: str, *leaves: str) -> set[str]:
    return {f"seiren/v1/{site}/{agent}/{leaf}" for leaf in leaves}


LEAVES = ("registers", "samples", "head", "status")
MAY_PUBLISH = {
    AGENT: of("aoba", "aoba-1", *LEAVES),
    OTHER: of("shiomi", "shiomi-1", *LEAVES),
    COLLECTOR: {
        "seiren/v1/collectors/hq/status",
        *of("aoba", "aoba-1", "ack/hq"),
        *of("aoba", "aoba-2", "ack/hq"),
        *of("shiomi", "shiomi-1", "ack/hq"),
    },
    EAST: {"seiren/v1/collectors/hq-east/status", *of("shiomi", "shiomi-1", "ack/hq-east")},
}
MAY_READ = {
    AGENT: {"seiren/v1/collectors/hq/status", *of("aoba", "aoba-1", "ack/hq")},
    OTHER: {
        "seiren/v1/collectors/hq/status",
        "seiren/v1/collectors/hq-east/status",
        *of("shiomi", "shiomi-1", "ack/hq", "ack/hq-east"),
    },
    COLLECTOR: {
        *MAY_PUBLISH[COLLECTOR],
        "seiren/v1/collectors/hq-east/status",
        *of("aoba", "aoba-1", *LEAVES),
        *of("aoba", "aoba-2", *LEAVES),
        *of("shiomi", "shiomi-1", *LEAVES),
    },
    EAST: {*MAY_PUBLISH[EAST], *of("shiomi", "shiomi-1", *LEAVES)},
}


async def forge(broker: SecuredBroker, user: str, topic: str) -> None:
    """Publish as a client that keeps to no rule; some brokers throw it out for that."""
    connection = Connection((broker.host, broker.port), None, security=broker.security(user))
    await connection.open(f"forger-{user}", 10, None)
    with contextlib.suppress(Unreachable):
        await connection.publish(Publication(topic, b"forged"))
    connection.shut()


@pytest.mark.parametrize("user", MAY_PUBLISH)
async def test_who_may_publish_what(secured: SecuredBroker, user: str) -> None:
    ear = Ear()
    async with client(secured, "watcher", "#", ear=ear) as watcher:
        for topic in EVERY_TOPIC:
            await forge(secured, user, topic)
        await watcher.publish("end", b"")
        await ear.until(lambda: "end" in ear.topics)
    assert ear.topics - {"end"} == MAY_PUBLISH[user]


@pytest.mark.parametrize("user", MAY_READ)
async def test_who_may_read_what(secured: SecuredBroker, user: str) -> None:
    ear = Ear()
    async with client(secured, user, "#", ear=ear), client(secured, "watcher") as watcher:
        for topic in EVERY_TOPIC:
            await watcher.publish(topic, b"x")
        last = max((topic for topic in EVERY_TOPIC if topic in MAY_READ[user]), key=EVERY_TOPIC.index)
        await ear.until(lambda: last in ear.topics)
    assert ear.topics == MAY_READ[user]


async def test_a_will_is_bound_by_the_rules_too(secured: SecuredBroker) -> None:
    ear = Ear()
    async with client(secured, "watcher", "#", ear=ear) as watcher:
        for topic in (topics.collector_status("hq"), topics.status("aoba", "aoba-1")):
            connection = Connection((secured.host, secured.port), None, security=secured.security(AGENT))
            await connection.open("mortal", 10, Publication(topic, b"forged will"))
            connection.shut()
        await ear.until(lambda: topics.status("aoba", "aoba-1") in ear.topics)
        await watcher.publish("end", b"")
        await ear.until(lambda: "end" in ear.topics)
    assert topics.collector_status("hq") not in ear.topics


async def refusal(broker: SecuredBroker, security: MqttSecurity | None) -> Unreachable:
    """Return why a connection does not come about."""
    connection = Connection((broker.host, broker.port), None, security=security)
    try:
        with pytest.raises(Unreachable) as caught:
            await connection.open("stranger", 10, None)
    finally:
        connection.shut()
    return caught.value


async def test_who_is_not_known_does_not_get_in(
    by_certificate: SecuredBroker, by_password: SecuredBroker, tmp_path: Path
) -> None:
    works, stranger = by_certificate.authority, Authority(tmp_path, "stranger")
    wrong = tmp_path / "wrong.password"
    wrong.write_text("guess\n", encoding="ascii")
    expired = works.signs(AGENT, ends=NOW - DAY / 2)
    of_password = TlsFiles(by_password.authority.file)
    for broker, security, seen, cause in (
        (by_certificate, None, "closed before its welcome", "wants TLS"),
        (
            by_certificate,
            MqttSecurity(TlsFiles(works.file)),
            "wants a client certificate",
            "none is configured",
        ),
        (
            by_certificate,
            MqttSecurity(TlsFiles(works.file, *stranger.signs(AGENT))),
            "not know the CA",
            "accept",
        ),
        (
            by_certificate,
            MqttSecurity(TlsFiles(works.file, *expired)),
            "has expired",
            "not accept our client",
        ),
        (by_password, MqttSecurity(of_password), "Not authorized", "neither username nor certificate"),
        (by_password, MqttSecurity(of_password, AGENT, wrong), "Not authorized", f"not know {AGENT} with"),
        (by_password, MqttSecurity(of_password, AGENT), "Not authorized", f"not know {AGENT} with"),
        (by_password, MqttSecurity(of_password, AGENT, tmp_path / "none"), "No such file", "missing"),
    ):
        error = await refusal(broker, security)
        assert seen in error.evidence, error.render()
        assert cause in error.cause, error.render()
        assert error.next
        assert "guess" not in error.render()


@pytest.fixture
def make(tmp_path: Path, by_certificate: SecuredBroker) -> Iterator[Callable[..., SecuredBroker]]:
    """Start brokers with certificates of their own."""
    started: list[SecuredBroker] = []

    def start(files: tuple[Path, Path], conf: str = "") -> SecuredBroker:
        folder = tmp_path / f"broker-{len(started)}"
        folder.mkdir()
        broker = SecuredBroker(
            folder, RULES, authority=by_certificate.authority, broker_files=files, conf=conf
        )
        started.append(broker.start())
        return broker

    yield start
    for broker in started:
        broker.stop()


async def test_a_broker_that_is_not_the_right_one_is_refused(
    make: Callable[..., SecuredBroker], by_certificate: SecuredBroker, tmp_path: Path
) -> None:
    works, stranger = by_certificate.authority, Authority(tmp_path, "stranger")
    for files, seen, then in (
        (works.signs("127.0.0.1", ends=NOW - DAY / 2), "has expired", "date; openssl s_client"),
        (works.signs("127.0.0.1", begins=NOW + DAY / 2), "is not valid yet", "date; openssl s_client"),
        (stranger.signs("127.0.0.1"), "from an unknown CA", "openssl s_client -connect 127.0.0.1"),
        (works.signs("mqtt.example"), "another address", "subjectAltName"),
    ):
        broker = make(files)
        error = await refusal(broker, broker.security(AGENT))
        assert error.what == "The TLS connection is refused by this side"
        assert f"the broker's certificate {seen}" in error.evidence or seen in error.evidence
        assert then in error.next
    named = replace(broker.security(AGENT).tls or TlsFiles(works.file), server_name="mqtt.example")
    connection = Connection((broker.host, broker.port), None, security=MqttSecurity(named))
    await connection.open("named", 10, None)
    await connection.leave()
    connection.shut()


async def test_old_tls_is_refused(by_certificate: SecuredBroker) -> None:
    context = old_context(by_certificate.authority.signs("127.0.0.1"))
    with strict_server(context) as port:
        connection = Connection(("127.0.0.1", port), None, security=by_certificate.security(AGENT))
        with pytest.raises(Unreachable) as caught:
            await connection.open("modern", 10, None)
        connection.shut()
    assert "the broker does not speak TLS 1.2 or newer" in caught.value.render()


async def test_a_client_that_wants_tls_at_a_plain_port(
    mosquitto: BrokerProcess, by_certificate: SecuredBroker
) -> None:
    connection = Connection((mosquitto.host, mosquitto.port), None, security=by_certificate.security(AGENT))
    with pytest.raises(Unreachable) as caught:
        await connection.open("secret", 10, None)
    connection.shut()
    assert "it speaks no TLS on this port" in caught.value.cause


async def test_messages_over_tls_arrive_whole_and_in_order(by_certificate: SecuredBroker) -> None:
    topic = topics.data("aoba", "aoba-1", Lane.REGISTERS)
    payloads = [b"%d" % number * 20_000 for number in range(200)]
    ear = Ear()
    async with (
        client(by_certificate, COLLECTOR, topic, ear=ear),
        client(by_certificate, AGENT) as agent,
    ):
        await asyncio.gather(*(agent.publish(topic, payload) for payload in payloads))
        await ear.until(lambda: len(ear.heard) >= len(payloads))
    assert [payload for _, payload in ear.heard] == payloads


async def test_a_message_beyond_all_bounds_cuts_its_sender_off(by_certificate: SecuredBroker) -> None:
    topic = topics.data("aoba", "aoba-1", Lane.REGISTERS)
    connection = Connection(
        (by_certificate.host, by_certificate.port), None, security=by_certificate.security(AGENT)
    )
    await connection.open("loud", 10, None)
    with pytest.raises(Unreachable):
        await connection.publish(Publication(topic, b"x" * 2_000_000))
    connection.shut()


def test_nothing_is_left_on_the_brokers_disk(by_certificate: SecuredBroker) -> None:
    assert not list(by_certificate.folder.glob("*.db"))


async def test_it_goes_into_the_folder_that_debians_mosquitto_reads(tmp_path: Path) -> None:
    folder = tmp_path / "mosquitto"
    (folder / "conf.d").mkdir(parents=True)
    broker = SecuredBroker(folder, RULES)
    ours = folder / "mosquitto.conf"
    (folder / "conf.d/seiren.conf").write_text(ours.read_text(encoding="utf-8"), encoding="utf-8")
    ours.write_text(
        f"pid_file {folder}/mosquitto.pid\npersistence true\npersistence_location {folder}/\n"
        f"log_dest file {folder}/mosquitto.log\ninclude_dir {folder}/conf.d\n",
        encoding="utf-8",
    )
    try:
        broker.start()
        async with client(broker, AGENT) as session:
            assert session.connected
    finally:
        broker.stop()
    assert not list(folder.glob("*.db"))
