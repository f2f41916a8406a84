"""The ledger's database: SQLAlchemy Core over SQLite or PostgreSQL, migrated by Alembic."""

from collector.ledger.files import AnotherCollector
from collector.ledger.ledger import Ledger
from collector.ledger.opening import open_ledger

__all__ = ["AnotherCollector", "Ledger", "open_ledger"]
