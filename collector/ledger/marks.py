"""Which points' half-hours a reading store has whole, and by which record of the meter: a mark per point."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from collector.ledger.projection import set_position
from collector.ledger.tables import cursors

_BETWEEN = " half-hours of "


def marks(connection: Connection, store: str) -> dict[str, int]:
    """Return the mark of each point whose half-hours a store has."""
    columns = select(cursors.c.name, cursors.c.position)
    found = connection.execute(columns.where(cursors.c.name.startswith(store + _BETWEEN, autoescape=True)))
    return {name.removeprefix(store + _BETWEEN): mark for name, mark in found}


def set_mark(connection: Connection, store: str, point: str, mark: int) -> None:
    """Keep that a store has all half-hours of a point, by the record that the mark stands for."""
    set_position(connection, f"{store}{_BETWEEN}{point}", mark)


def forget_store(connection: Connection, store: str) -> None:
    """Forget that anything was ever written to a store."""
    connection.execute(
        delete(cursors).where(
            (cursors.c.name == store) | cursors.c.name.startswith(store + _BETWEEN, autoescape=True)
        )
    )
