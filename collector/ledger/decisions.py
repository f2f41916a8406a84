"""Decisions in the ledger: written one after the other, each chained to the one before it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict

from sqlalchemy import Connection, insert, select

from collector.ledger import engines
from collector.ledger.record_tables import decisions as table
from collector.people import Who
from core.chain import BEGINNING, Decision, Head, Json, canonical, link

__all__ = ["Decision", "Head", "decide", "head", "newest", "read"]

_HEAD = select(table.c.number, table.c.hash).order_by(table.c.number.desc()).limit(1)


def decide(
    connection: Connection, *, kind: str, who: Who, reason: str, body: Mapping[str, Json], time_ms: int
) -> Decision:
    """Write a decision; it counts when the transaction commits, with whatever else is written in it.

    Other writers of decisions wait until this transaction ends.

    Parameters
    ----------
    connection
        Inside a transaction that writes.
    reason
        Why, in the person's words.
    body
        What is decided.
    time_ms
        Now [ms since 1970 UTC].

    Raises
    ------
    DataError
        The body holds what canonical JSON cannot hold.
    """
    engines.lock_chain(connection)
    before = head(connection)
    written = {
        "number": before.number + 1,
        "time_ms": time_ms,
        "person": engines.plain(who.person),
        "account": engines.plain(who.account),
        "kind": kind,
        "reason": engines.plain(reason),
        "body": canonical(body),
        "prev": before.hash,
    }
    decision = Decision(**written, hash=link(**written))  # type: ignore[arg-type]  # named as both take them
    connection.execute(insert(table).values(asdict(decision)))
    return decision


def read(connection: Connection, kinds: Collection[str] = ()) -> tuple[Decision, ...]:
    """Return the decisions of some kinds (all without one), in their order."""
    wanted = select(table).order_by(table.c.number)
    if kinds:
        wanted = wanted.where(table.c.kind.in_(sorted(kinds)))
    return tuple(Decision(**row._mapping) for row in connection.execute(wanted))


def newest(connection: Connection, kind: str) -> Decision | None:
    """Return the newest decision of a kind; None where there is none."""
    wanted = select(table).where(table.c.kind == kind).order_by(table.c.number.desc()).limit(1)
    row = connection.execute(wanted).one_or_none()
    return None if row is None else Decision(**row._mapping)


def head(connection: Connection) -> Head:
    """Return number and hash of the newest decision; 0 and zeros where there is none."""
    row = connection.execute(_HEAD).one_or_none()
    return Head(0, BEGINNING) if row is None else Head(row.number, row.hash)
