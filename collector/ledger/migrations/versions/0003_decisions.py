"""Decisions in a chain, closed months, energy from elsewhere than registers, and days thinned out.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from alembic import op

from collector.ledger.binding import bound
from collector.people import who
from core.chain import BEGINNING, canonical, link

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "decisions",
        sa.Column("number", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("person", _TEXT, nullable=False),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("body", _TEXT, nullable=False),
        sa.Column("prev", _TEXT, nullable=False),
        sa.Column("hash", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("hash"),
    )
    op.create_index("ix_decisions_kind", "decisions", ["kind"], unique=False)
    op.create_table(
        "statements",
        sa.Column("month", _TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("decision", _NUMBER, nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("inputs", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["decision"], ["decisions.number"]),
        sa.PrimaryKeyConstraint("month", "revision"),
    )
    op.create_table(
        "frozen",
        sa.Column("month", _TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("point", _TEXT, nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("decision", _NUMBER, nullable=False),
        sa.Column("boundary", _TEXT, nullable=False),
        sa.ForeignKeyConstraint(["decision"], ["decisions.number"]),
        sa.PrimaryKeyConstraint("month", "revision", "point", "time_ms"),
    )
    op.create_index("frozen_by_point", "frozen", ["point", "time_ms"], unique=False)
    op.create_table(
        "interval_values",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("point", _TEXT, nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("wh", _TEXT, nullable=False),
        sa.Column("origin", _TEXT, nullable=False),
        sa.Column("method", _TEXT, nullable=False),
        sa.Column("document", _TEXT, nullable=False),
        sa.Column("sha256", _TEXT, nullable=False),
        sa.Column("reader", _TEXT, nullable=False),
        sa.Column("decision", _NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["decision"], ["decisions.number"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("interval_values_by_time", "interval_values", ["point", "end_ms"], unique=False)
    op.create_table(
        "bills",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("point", _TEXT, nullable=False),
        sa.Column("supplier", _TEXT, nullable=False),
        sa.Column("menu", _TEXT, nullable=False),
        sa.Column("first_day", _TEXT, nullable=False),
        sa.Column("last_day", _TEXT, nullable=False),
        sa.Column("kwh", _TEXT, nullable=False),
        sa.Column("demand_kw", _TEXT, nullable=True),
        sa.Column("amount", _TEXT, nullable=True),
        sa.Column("document", _TEXT, nullable=False),
        sa.Column("sha256", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("decision", _NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["decision"], ["decisions.number"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_bills_point", "bills", ["point"], unique=False)
    op.create_table(
        "thinned",
        sa.Column("point", _TEXT, nullable=False),
        sa.Column("day_ms", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("point", "day_ms"),
        sqlite_with_rowid=False,
    )
    aside = sa.text("state = 'quarantined'")
    op.create_index("frames_quarantined", "frames", ["stream"], sqlite_where=aside, postgresql_where=aside)
    _bind_lines()


def _bind_lines() -> None:
    """Let decisions bind the fuel and production lines of earlier releases, as they are now."""
    connection = op.get_bind()
    upgrader = who(None)
    number, prev = 0, BEGINNING
    for what in ("fuel", "production"):
        found = connection.execute(sa.text(f"SELECT * FROM {what}_lines ORDER BY id"))
        rows = [dict(row._mapping) for row in found]
        if not rows:
            continue
        number += 1
        decision: dict[str, Any] = {
            "number": number,
            "time_ms": time.time_ns() // 1_000_000,
            "person": upgrader.person,
            "account": upgrader.account,
            "kind": "import",
            "reason": "brought in by an earlier release, without a record of who and from which file",
            "body": canonical({"what": what, "file": "", "sha256": "", "lines": bound(rows)}),
            "prev": prev,
        }
        prev = link(**decision)
        columns = ", ".join((*decision, "hash"))
        places = ", ".join(f":{name}" for name in (*decision, "hash"))
        connection.execute(
            sa.text(f"INSERT INTO decisions ({columns}) VALUES ({places})"), decision | {"hash": prev}
        )
