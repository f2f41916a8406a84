"""Decisions are numbered without holes and chained, also where two people decide at the same time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from collector.ledger import Ledger, decisions
from collector.people import Who, who
from core.chain import BEGINNING, Head, problems
from core.errors import UsageError

SATO = Who("sato", "sato@hq")
T0 = 1_706_713_200_000

Opener = Callable[[], Ledger]


@pytest.fixture
def opened(place: Path | str) -> Iterator[Opener]:
    """A function that opens the same ledger once more, as another program does."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Ledger.open(place, create=True)))


def decide(ledger: Ledger, reason: str, kind: str = "correction") -> decisions.Decision:
    with ledger.writing() as connection:
        return decisions.decide(
            connection, kind=kind, who=SATO, reason=reason, body={"what": "nothing"}, time_ms=T0
        )


def test_the_first_follows_from_nothing(ledger: Ledger) -> None:
    with ledger.reading() as connection:
        assert decisions.head(connection) == Head(0, BEGINNING)
        assert decisions.read(connection) == ()


def test_decisions_come_back_as_they_were_written(ledger: Ledger) -> None:
    first, second = decide(ledger, "spike\0"), decide(ledger, "青葉", kind="plan")
    assert (first.number, first.prev, first.reason) == (1, BEGINNING, "spike\\x00")
    assert (second.number, second.prev) == (2, first.hash)
    with ledger.reading() as connection:
        assert decisions.read(connection) == (first, second)
        assert decisions.read(connection, {"plan"}) == (second,)
        assert decisions.head(connection) == (2, second.hash)


def test_what_is_not_committed_is_not_decided(ledger: Ledger) -> None:
    decide(ledger, "one")
    with pytest.raises(UsageError), ledger.writing() as connection:
        decisions.decide(connection, kind="plan", who=SATO, reason="", body={}, time_ms=T0)
        raise UsageError("no")
    assert decide(ledger, "two").number == 2


def test_many_writers_make_one_chain_without_holes(opened: Opener) -> None:
    ledgers = [opened() for _ in range(3)]
    start = threading.Barrier(len(ledgers))

    def write(ledger: Ledger, name: str) -> None:
        start.wait()
        for number in range(8):
            decide(ledger, f"{name} {number}")

    threads = [threading.Thread(target=write, args=(each, str(i))) for i, each in enumerate(ledgers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ledgers[0].reading() as connection:
        read = decisions.read(connection)
    assert [each.number for each in read] == list(range(1, 25))
    assert problems(read) == []
    for name in range(3):  # each writer's own order is kept
        assert [each.reason for each in read if each.reason.startswith(str(name))] == [
            f"{name} {number}" for number in range(8)
        ]


def test_a_person_is_the_login_unless_named() -> None:
    unnamed, named = who(None), who(" m.sato ")
    assert unnamed.account == named.account == f"{unnamed.person}@{os.uname().nodename}"
    assert named.person == "m.sato"


@pytest.mark.parametrize("by", ["", " ", "a\nb", "x" * 101])
def test_nobody_cannot_decide(by: str) -> None:
    with pytest.raises(UsageError, match="nobody"):
        who(by)
