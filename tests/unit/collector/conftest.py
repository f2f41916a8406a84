"""Ledgers of both kinds: what holds for one must hold for the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from collector.ledger import Ledger

NewPlace = Callable[[], Path | str]


@pytest.fixture(scope="session")
def empty_ledger(request: pytest.FixtureRequest) -> str:
    """Address of a PostgreSQL ledger without an id, to be copied: migrations take longer than a test."""
    server: Any = request.getfixturevalue("postgres")
    address: str = server.new_database()
    ledger = Ledger.open(address, create=True)
    with ledger.writing() as connection:
        connection.exec_driver_sql("DELETE FROM identity")
    ledger.close()
    return address


@pytest.fixture(params=["sqlite", "postgresql"])
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> NewPlace:
    """A function that returns another place for a ledger at each call, on each kind of database in turn."""
    if request.param == "postgresql":
        server: Any = request.getfixturevalue("postgres")
        like = request.getfixturevalue("empty_ledger")
        return lambda: str(server.new_database(like))
    numbers = count()

    def folder() -> Path:
        made = tmp_path / f"ledger-{next(numbers)}"
        made.mkdir()
        return made

    return folder


@pytest.fixture
def place(new_place: NewPlace) -> Path | str:
    """A place for a ledger."""
    return new_place()


@pytest.fixture
def ledger(place: Path | str) -> Iterator[Ledger]:
    """An empty ledger."""
    opened = Ledger.open(place, create=True)
    yield opened
    opened.close()
