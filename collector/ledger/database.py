"""Opening the ledger's database: pragmas, migrations, and the seam where foreign errors become our own."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, make_url, select
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError

from collector.ledger.tables import identity
from core.errors import OutsideError, Unreachable

FILE_NAME = "ledger.sqlite"

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_S = 10.0


class Database:
    """One ledger's database; the file or the server outlives this object.

    Parameters
    ----------
    where
        Path of an SQLite file, or an SQLAlchemy URL.
    create
        Whether a missing SQLite file is made; otherwise it is an error.

    Raises
    ------
    Unreachable
        The database does not answer, or another program keeps it locked.
    OutsideError
        There is no ledger here, or what is here is no ledger of this release.
    """

    def __init__(self, where: Path | str, *, create: bool = False) -> None:
        self.where = str(where)
        # Writers of this process take turns here; SQLite alone would let them sleep and try again.
        self._turn = threading.Lock()
        if isinstance(where, Path):
            if not create and not where.is_file():
                raise OutsideError(
                    "there is no ledger here",
                    where=self.where,
                    cause="the folder is another one, or no collector has run in it yet",
                    next=f"seiren collector run {where.parent}",
                )
            url = URL.create("sqlite", database=str(where))
        else:
            url = make_url(where)
        self._engine = _engine(url)
        with self._mapped():
            self._migrate()
        self.ledger_id = self._identify()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one snapshot.

        Raises
        ------
        Unreachable, OutsideError
            The database failed.
        """
        with self._mapped(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection inside one transaction, durable when the block ends without an exception.

        Raises
        ------
        Unreachable, OutsideError
            The database failed, and nothing of the block was kept.
        """
        with self._turn, self._mapped(), self._engine.connect() as connection:
            connection = connection.execution_options(seiren_writes=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _migrate(self) -> None:
        """Bring the tables to this release's shape."""
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        newest = ScriptDirectory.from_config(config).get_current_head()
        with self._engine.connect() as connection:
            if _revision(connection) == newest:
                return
        with self.writing() as connection:
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise OutsideError(
                    "this ledger was written by a newer release of Seiren",
                    where=self.where,
                    evidence=str(error),
                    next="pip install --upgrade seiren",
                ) from error

    def _identify(self) -> str:
        """Return the id that was made with the database."""
        known = select(identity.c.value).where(identity.c.key == "ledger_id")
        with self.reading() as connection:
            if found := connection.scalar(known):
                return str(found)
        with self.writing() as connection:
            if found := connection.scalar(known):
                return str(found)
            made = secrets.token_hex(16)
            connection.execute(insert(identity).values(key="ledger_id", value=made))
            return made

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            raise Unreachable(
                "the ledger cannot be used now",
                where=self.where,
                evidence=str(error.orig),
                cause="another program keeps it locked, the disk is full or read-only, or the server is away",
                next="free the file or the disk, then start again; agents keep what was not acknowledged",
            ) from error
        except DatabaseError as error:
            raise OutsideError(
                "the ledger's database refuses",
                where=self.where,
                evidence=str(error.orig),
                cause="the file is damaged, or it is no ledger",
                next="restore the newest backup; agents refill what came since",
            ) from error
        except SQLAlchemyError as error:
            raise OutsideError(
                "the ledger's database failed", where=self.where, evidence=str(error)
            ) from error


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url)
    engine = create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


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


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
