"""What tests share: free ports, real servers, and a last word on parts that were missing."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import settings

from collector.ledger import Ledger
from tests import servers
from tests.parts import CHROMIUM, MISSING, require
from tests.postgres import PostgresServer
from tests.servers import BrokerProcess, InfluxServer

# A property is about what holds, not about how fast a busy machine shows it.
settings.register_profile("seiren", deadline=None)
settings.load_profile("seiren")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command sets up the logs of its process; here it is a guest in the process of all tests."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)


@pytest.fixture
def free_port() -> Callable[[], int]:
    """A function that returns a free port of the loopback interface, another one at each call."""
    return servers.free_port


def _run(broker: BrokerProcess) -> Iterator[BrokerProcess]:
    try:
        yield broker.start()
    finally:
        broker.stop()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[BrokerProcess]:
    """A running Mosquitto."""
    yield from _run(servers.mosquitto(_folder(tmp_path, "mosquitto")))


@pytest.fixture
def nats_broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    """A running nats-server with its MQTT listener."""
    yield from _run(servers.nats(_folder(tmp_path, "nats")))


@pytest.fixture(params=["mosquitto", "nats_broker"])
def broker(request: pytest.FixtureRequest) -> BrokerProcess:
    """Each of the brokers in turn."""
    running: BrokerProcess = request.getfixturevalue(request.param)
    return running


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    """A running InfluxDB 2.7; take a `new_bucket()` in each test."""
    server = InfluxServer(tmp_path_factory.mktemp("influxd"))
    try:
        server.start().set_up()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running PostgreSQL; take a `new_database()` in each test."""
    server = PostgresServer()
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres_ledgers(postgres: PostgresServer) -> Iterator[Callable[[], str]]:
    """A function that returns the address of an empty ledger; the second call after it returns the same."""
    addresses = [postgres.new_database() for _ in range(2)]
    for address in addresses:
        Ledger.open(address, create=True).close()

    def emptied(address: str) -> str:
        postgres.empty(address, keep="alembic_version")
        return address

    turns = cycle(addresses)
    yield lambda: emptied(next(turns))


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser that Playwright is to drive."""
    return require(CHROMIUM)


def _folder(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests with whole processes first: none of them is left to one worker alone at the end."""
    items.sort(key=lambda item: "tests/e2e/" not in item.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the parts that were missing once more, where nobody overlooks them."""
    skipped = (report.longrepr for report in terminalreporter.stats.get("skipped", ()))
    missing = Counter(reason[2].removeprefix("Skipped: ") for reason in skipped if MISSING in reason[2])
    if missing:
        terminalreporter.section("parts that are missing here", sep="!", red=True, bold=True)
        for reason, tests in sorted(missing.items()):
            terminalreporter.write_line(f"{reason}   ({tests} tests skipped)")
