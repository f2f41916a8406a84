"""Opening the ledger's database: one writer's connection, migrations, and foreign errors made our own."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError, SQLAlchemyError

from collector.ledger import engines, files
from collector.ledger.tables import identity
from core.errors import OutsideError, Unreachable

_OF_FILE = "another program keeps it locked, or the disk is full or read-only"
_OF_SERVER = "the server is away, or its address, user, password or database is another"
_MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """One ledger's database; the file or the server outlives this object.

    All writing goes over one connection, which is kept. `session` counts these connections: behind a new
    one the database may have been another in between, for example one that was restored from a backup.

    Parameters
    ----------
    where
        Path of an SQLite file, or a URL.
    create
        Whether a missing ledger is made; otherwise it is an error.

    Raises
    ------
    Unreachable
        The database does not answer, or another program keeps it locked.
    OutsideError
        There is no ledger here, or what is here is no ledger of this release.
    """

    def __init__(self, where: Path | str, *, create: bool = False) -> None:
        url, self._file = engines.place(where)
        self.where = str(self._file or url.set(drivername=url.get_backend_name()).render_as_string())
        # Writers of this process take turns here; SQLite alone would let them sleep and try again.
        self._turn = threading.Lock()
        self._writer: Connection | None = None
        self._claimed: str | None = None
        self._closed = False
        self.session = 0
        if self._file is not None:
            if not create and not self._file.is_file():
                raise self._missing()
            try:
                files.make_private(self._file, create=create)
            except OSError as error:
                raise OutsideError(
                    "the ledger cannot be made here", where=self.where, evidence=str(error)
                ) from error
        self._engine = engines.connect(url)
        try:
            self._migrate(create=create)
            self.ledger_id = self._identify()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one snapshot.

        Raises
        ------
        Unreachable, OutsideError
            The database failed.
        """
        with self._mapped(), self._engine.connect() as connection:
            connection = engines.for_reading(connection)
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self, agents: Iterable[str] = ()) -> Iterator[Connection]:
        """Give a connection inside one transaction, durable when the block ends without an exception.

        Parameters
        ----------
        agents
            Whose frames are to be written: no other collector writes for them meanwhile.

        Raises
        ------
        AnotherCollector
            The place of this collector was taken while the database was away.
        Unreachable, OutsideError
            The database failed, and nothing of the block was kept.
        """
        with self._turn, self._mapped():
            connection = self._connected()
            try:
                with connection.begin():
                    engines.lock_agents(connection, agents)
                    yield connection
            except SQLAlchemyError:
                self._disconnect()
                raise

    def collecting(self, name: str) -> AbstractContextManager[None]:
        """Be the only collector of a name until the block ends; on SQLite the only one at all.

        Raises
        ------
        AnotherCollector
            There is another one.
        Unreachable, OutsideError
            The database failed.
        """
        if self._file is not None:
            return files.only_collector(self._file, name)
        return self._claiming(name)

    def close(self) -> None:
        """Close all connections, and open none any more."""
        with self._turn:
            self._closed = True
            self._disconnect()
        self._engine.dispose()

    @contextmanager
    def _claiming(self, name: str) -> Iterator[None]:
        with self._turn, self._mapped():
            self._claimed = name
            self._claim(self._connected(), name)
        try:
            yield
        finally:
            with self._turn:
                self._claimed = None
                with suppress(SQLAlchemyError):  # a server that is away has given it up
                    if self._writer is not None:
                        with self._writer.begin():
                            engines.give_up(self._writer, name)
                self._disconnect()

    def _claim(self, connection: Connection, name: str) -> None:
        with connection.begin():
            if not engines.claim(connection, name):
                raise files.another_collector(name, where=self.where)

    def _connected(self) -> Connection:
        """Return the writer's connection, a new one where there is none."""
        if self._closed:
            raise OutsideError("the ledger is closed", where=self.where)
        if self._writer is None:
            connection = engines.for_writing(self._engine.connect())
            try:
                if self._claimed is not None:
                    self._claim(connection, self._claimed)
            except BaseException:
                connection.close()
                raise
            self._writer = connection
            self.session += 1
        return self._writer

    def _disconnect(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.invalidate()  # not into the pool: locks of its session would live on there
            writer.close()

    def _migrate(self, *, create: bool) -> None:
        """Bring the tables to this release's shape."""
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        newest = ScriptDirectory.from_config(config).get_current_head()
        with self._mapped(), self._engine.connect() as connection:
            present = _revision(connection)
            encoding = None
            if engines.is_postgres(connection):
                encoding = connection.scalar(text("SHOW server_encoding"))
        if present == newest:
            return
        if present is None and not create:
            raise self._missing()
        if encoding not in (None, "UTF8"):
            raise OutsideError(
                "this database cannot keep every text",
                where=self.where,
                evidence=f"its encoding is {encoding}",
                next="make one with: createdb --encoding=UTF8 --template=template0",
            )
        with self.writing() as connection:
            engines.lock_tables(connection)
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
            made = {"key": "ledger_id", "value": secrets.token_hex(16)}
            engines.add_new(connection, identity, [made])
            return str(connection.scalar(known))

    def _missing(self) -> OutsideError:
        runs_in = self._file.parent if self._file is not None else "FOLDER"
        return OutsideError(
            "there is no ledger here",
            where=self.where,
            cause="the place is another one, or no collector has run with it yet",
            next=f"seiren collector run {runs_in}",
        )

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            raise Unreachable(
                "the ledger cannot be used now",
                where=self.where,
                evidence=_said(error),
                cause=_OF_FILE if self._file is not None else _OF_SERVER,
                next="mend that, then start again; agents keep what was not acknowledged",
            ) from error
        except IntegrityError as error:
            raise Unreachable(
                "another program wrote the same into the ledger at the same time",
                where=self.where,
                evidence=_said(error),
                next="nothing, if it was once; often: let each site be served by one collector",
            ) from error
        except DatabaseError as error:
            raise OutsideError(
                "the ledger's database refuses",
                where=self.where,
                evidence=_said(error),
                cause="the file is damaged, or it is no ledger",
                next="restore the newest backup; agents refill what came since",
            ) from error
        except SQLAlchemyError as error:
            raise OutsideError(
                "the ledger's database failed", where=self.where, evidence=str(error)
            ) from error


def _said(error: DatabaseError) -> str:
    """The first line of what the driver said; the rest repeats it."""
    return str(error.orig).partition("\n")[0]


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
