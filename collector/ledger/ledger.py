"""The ledger: the record of registers, activity and delivery in one database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import Connection

from collector.ledger import activity, cells, projection, pruning, quarantine
from collector.ledger.activity import Brought
from collector.ledger.counts import SiteCount, counts, counts_by_period
from collector.ledger.database import Database
from collector.ledger.files import FILE_NAME
from collector.ledger.holdings import LedgerHoldings
from collector.ledger.quarantine import Quarantined
from core.carbon.activity import FuelLine, ProductionLine
from core.delivery.count import Count
from core.delivery.tables import PointTable
from core.metering.cells import Cell
from core.timeline import Interval


class Ledger:
    """An open ledger; made by `open`. Every method is one transaction or one snapshot.

    Methods raise `Unreachable` while the database does not answer, and `OutsideError` when it refuses.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, where: Path | str, *, create: bool = False) -> Ledger:
        """Open a ledger and bring its tables to this release's shape.

        Parameters
        ----------
        where
            The folder of an embedded ledger, its file, or an SQLAlchemy URL.
        create
            Whether a missing file is made; otherwise it is an error.

        Raises
        ------
        Unreachable
            The database does not answer, or another program keeps it locked.
        OutsideError
            There is no ledger here, or what is here is no ledger of this release.
        """
        if isinstance(where, Path) and where.is_dir():
            where = where / FILE_NAME
        return cls(Database(where, create=create))

    @property
    def id(self) -> str:
        """Id that was made with the database, 32 hex digits."""
        return self._database.ledger_id

    @property
    def where(self) -> str:
        """Path or address, for people."""
        return self._database.where

    def reading(self) -> AbstractContextManager[Connection]:
        """Give a connection that sees one snapshot, for several questions that must agree."""
        return self._database.reading()

    @property
    def session(self) -> int:
        """Number of the connection over which the ledger is written [1].

        Behind a new one the ledger may be another than before: one restored from a backup.
        """
        return self._database.session

    def lock_collector(self, name: str) -> AbstractContextManager[None]:
        """Be the only collector of a name until the block ends; on SQLite the only one of the ledger.

        On PostgreSQL the place lasts as long as the connection: once it is lost, `writing` takes the place
        again, and raises `AnotherCollector` where it is taken.

        Raises
        ------
        AnotherCollector
            Another collector has the place.
        """
        return self._database.collecting(name)

    def writing(self, agents: Iterable[str] = ()) -> AbstractContextManager[Connection]:
        """Give a connection inside one transaction, durable when the block ends without an exception.

        Parameters
        ----------
        agents
            Whose frames are to be written: no other collector writes for them meanwhile.
        """
        return self._database.writing(agents)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def cells(self, point: str, interval: Interval | None = None) -> tuple[Cell, ...]:
        """Return the cells of a point that start in an interval (all without one), in time order."""
        with self.reading() as connection:
            return cells.read(connection, point, interval)

    def points(self) -> tuple[str, ...]:
        """Return the points that have register readings, sorted."""
        with self.reading() as connection:
            return cells.points(connection)

    def prune(self, now_ms: int) -> int:
        """Forget the ids of old frames, block by block in short transactions; return blocks made [1].

        Parameters
        ----------
        now_ms
            The present [ms since 1970 UTC].
        """
        made = 0
        with self.reading() as connection:
            streams = pruning.old_streams(connection)
        for stream in streams:
            first: int | None = 0
            while first is not None:
                with self.writing((stream.agent,)) as connection:
                    some, first = pruning.prune(connection, stream, first, now_ms)
                made += some
        return made

    def counts(self) -> tuple[Count, ...]:
        """Return the count of every agent, lane and epoch, from one snapshot."""
        with self.reading() as connection:
            return counts(connection)

    def counts_by_period(self, bounds: Sequence[int]) -> tuple[SiteCount, ...]:
        """Return the count of every agent, lane, epoch and period, from one snapshot.

        Parameters
        ----------
        bounds
            Begin of the first period, of the second, …, end of the last [ms since 1970 UTC].
        """
        with self.reading() as connection:
            return counts_by_period(connection, bounds)

    def quarantined(self) -> tuple[Quarantined, ...]:
        """Return what was set aside, oldest first."""
        with self.reading() as connection:
            return quarantine.read(connection)

    def table(self, digest: str) -> PointTable | None:
        """Return a point table by its digest."""
        with self.reading() as connection:
            return LedgerHoldings(connection).tables((digest,)).get(digest)

    def position(self, name: str) -> int:
        """Return the number of the last frame that a projection has written."""
        with self.reading() as connection:
            return projection.position(connection, name)

    def add_fuel_lines(self, lines: Iterable[FuelLine], brought: Brought) -> int:
        """Add fuel lines that are not there yet; return how many were added [1]."""
        with self.writing() as connection:
            return activity.add_fuel_lines(connection, lines, brought)

    def add_production(self, lines: Iterable[ProductionLine], brought: Brought) -> int:
        """Add production lines that are not there yet; return how many were added [1]."""
        with self.writing() as connection:
            return activity.add_production(connection, lines, brought)

    def fuels(self, month: str) -> tuple[FuelLine, ...]:
        """Return the fuel lines of a month ``YYYY-MM``."""
        with self.reading() as connection:
            return activity.fuels_of(connection, month)

    def production(self, month: str) -> tuple[ProductionLine, ...]:
        """Return the production lines of a month ``YYYY-MM``."""
        with self.reading() as connection:
            return activity.production_of(connection, month)
