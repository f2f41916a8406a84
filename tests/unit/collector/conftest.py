"""Ledgers of both kinds: what holds for one must hold for the other."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from collector.ledger import Ledger
from collector.ledger.files import FILE_NAME

NewPlace = Callable[[], Path | str]


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger's file without an id, to be copied: to make one takes longer than most tests."""
    folder = tmp_path_factory.mktemp("empty")
    ledger = Ledger.open(folder, create=True)
    with ledger.writing() as connection:
        connection.exec_driver_sql("DELETE FROM identity")
    ledger.close()
    return folder / FILE_NAME


@pytest.fixture(params=["sqlite", "postgresql"])
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> NewPlace:
    """A function that returns another place for a ledger at each call, on each kind of database in turn.

    On PostgreSQL the call after the next gives the same one, empty again.
    """
    if request.param == "postgresql":
        addresses: NewPlace = request.getfixturevalue("postgres_ledgers")
        return addresses
    empty: Path = request.getfixturevalue("empty_ledger")
    numbers = count()

    def folder() -> Path:
        made = tmp_path / f"ledger-{next(numbers)}"
        made.mkdir()
        shutil.copy(empty, made)
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
