"""What SQLite and PostgreSQL need said differently: connecting, locking, and adding what is not there yet."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Executable,
    Table,
    bindparam,
    create_engine,
    event,
    func,
    make_url,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError

from core.errors import OutsideError

_SQLITE, _POSTGRES = "sqlite", "postgresql"

BUSY_TIMEOUT_S = 10.0
CLAIM_WITHIN_S = 2.0
_DEAD_PEER_S = 60

# A commit is an answer to agents, so it must be durable whatever the server's own settings say. A peer that
# vanished without a word must not keep its locks for the hours that operating systems would give it.
_PREPARE_POSTGRES = f"""
SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') = 'off';
SET tcp_keepalives_idle = {_DEAD_PEER_S // 2};
SET tcp_keepalives_interval = {_DEAD_PEER_S // 6};
SET tcp_keepalives_count = 3;
SET tcp_user_timeout = '{_DEAD_PEER_S}s';
"""


def place(where: Path | str) -> tuple[URL, Path | None]:
    """Return a ledger's address, and its file where it has one.

    Raises
    ------
    OutsideError
        The text is no address of a database that can hold a ledger.
    """
    if isinstance(where, Path):
        return URL.create(_SQLITE, database=str(where)), where
    try:
        url = make_url(where)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number, which may be a password
        raise _no_ledger_address("it is not a URL") from None
    if url.drivername in ("postgres", _POSTGRES):
        return url.set(drivername=f"{_POSTGRES}+psycopg"), None
    if url.get_backend_name() == _SQLITE and url.database not in (None, "", ":memory:"):
        return url, Path(str(url.database))
    if url.get_backend_name() == _POSTGRES:
        return url, None
    raise _no_ledger_address(f"it begins with {url.drivername}")


def _no_ledger_address(evidence: str) -> OutsideError:
    return OutsideError(
        "this is no address of a ledger",
        where="ledger.url in hq.yaml",
        evidence=evidence,
        next="write postgresql://USER@HOST/DATABASE, or leave it out for SQLite beside hq.yaml",
    )


def connect(url: URL) -> Engine:
    """Return the engine of a ledger; nothing is connected yet."""
    if url.get_backend_name() == _SQLITE:
        engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    options = {"connect_timeout": int(BUSY_TIMEOUT_S), "application_name": "seiren"}
    engine = create_engine(url, connect_args=options, pool_pre_ping=True)
    event.listen(engine, "connect", _prepare_postgres)
    return engine


def for_reading(connection: Connection) -> Connection:
    """Return a connection whose next transaction sees one snapshot."""
    if not is_postgres(connection):
        return connection
    return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def for_writing(connection: Connection) -> Connection:
    """Return a connection whose transactions write."""
    if not is_postgres(connection):
        return connection.execution_options(seiren_writes=True)
    # What another collector has committed while a lock was waited for must be seen.
    return connection.execution_options(isolation_level="READ COMMITTED")


def is_postgres(connection: Connection) -> bool:
    """Tell whether several programs may write at the same time."""
    return connection.dialect.name == _POSTGRES


def lock_agents(connection: Connection, agents: Iterable[str]) -> None:
    """Keep other collectors from the rows of some agents until this transaction ends."""
    if is_postgres(connection):
        for agent in sorted(set(agents)):
            connection.execute(_LOCK, {"key": _key("agent", agent)})


def lock_numbers(connection: Connection) -> None:
    """Keep others from numbering frames until this transaction ends.

    So numbers become visible in their order, and whoever follows them passes none.
    """
    if is_postgres(connection):
        connection.execute(_LOCK, {"key": _key("numbers")})


def lock_chain(connection: Connection) -> None:
    """Keep others from deciding until this transaction ends: the next decision hangs on the last."""
    if is_postgres(connection):
        connection.execute(_LOCK, {"key": _key("chain")})


def lock_thinned(connection: Connection, *, alone: bool) -> None:
    """Keep what is made from cells and the cells themselves from changing side by side.

    Any number of transactions may change cells together; one that keeps what was made from them is alone.
    """
    if is_postgres(connection):
        connection.execute(_LOCK if alone else _LOCK_WITH_OTHERS, {"key": _key("thinned")})


def lock_tables(connection: Connection) -> None:
    """Keep others from bringing the tables to another shape until this transaction ends."""
    if is_postgres(connection):
        connection.execute(_LOCK, {"key": _key("tables")})


def claim(connection: Connection, collector: str) -> bool:
    """Take the place of a named collector for as long as this connection lives; False if it is taken.

    A server needs a moment to see that a collector which was killed is gone.
    """
    key = {"key": _key("collector", collector)}
    until_s = time.monotonic() + CLAIM_WITHIN_S
    while not connection.scalar(_CLAIM, key):
        if time.monotonic() > until_s:
            return False
        time.sleep(CLAIM_WITHIN_S / 20)
    return True


def give_up(connection: Connection, collector: str) -> None:
    """Leave the place of a named collector to others."""
    connection.scalar(_GIVE_UP, {"key": _key("collector", collector)})


def add_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose key is not there yet; rows of one call should come in one order everywhere."""
    if rows:
        connection.execute(_add_new(table, connection.dialect.name), rows)


def plain(text: str) -> str:
    """Return a text without the one character that PostgreSQL cannot keep."""
    return text.replace("\0", "\\x00")


@lru_cache
def _add_new(table: Table, dialect: str) -> Executable:
    make = postgresql.insert if dialect == _POSTGRES else sqlite.insert
    return make(table).on_conflict_do_nothing()


def _key(*names: str) -> int:
    """Number an advisory lock; a ledger shares its numbers with whatever else uses the database."""
    digest = hashlib.sha256("\n".join(("seiren", *names)).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


_LOCK = select(func.pg_advisory_xact_lock(bindparam("key")))
_LOCK_WITH_OTHERS = select(func.pg_advisory_xact_lock_shared(bindparam("key")))
_GIVE_UP = select(func.pg_advisory_unlock(bindparam("key")))
_CLAIM = select(func.pg_try_advisory_lock(bindparam("key")))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = (
        None  # transactions begin where _begin_sqlite says, not where the driver guesses
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its lock at once: a snapshot that later wants to write can only fail.
    writes = connection.get_execution_options().get("seiren_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_postgres(connection: Any, _record: object) -> None:
    connection.autocommit = True
    connection.execute(_PREPARE_POSTGRES + f"SET lock_timeout = {BUSY_TIMEOUT_S * 1000:.0f}")
    connection.autocommit = False
